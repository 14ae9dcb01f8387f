"""HSTU and time: gaps after many years, histories later than the training data, and what is kept of given times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from reclens import models
from reclens.errors import DataError, NotEnoughMemoryError

SMALL = {"factors": 8, "max_length": 12, "device": "cpu", "batch_size": 32, "epochs": 1, "patience": 0, "negatives": 4}


@pytest.fixture(scope="module")
def told(cycle):
    """A model that is told the time of the target."""
    pytest.importorskip("torch", reason="PyTorch is not installed: run make test-torch")
    return models.HSTU(**SMALL, time_bias="target").fit(cycle, threads=1)


def test_a_gap_of_seconds_after_many_years_is_one_of_seconds() -> None:
    """The buckets of the last three events of a user do not depend on how long ago the first one was."""
    from reclens.models._deep.batches import Histories, group_of

    network = models.HSTU(**SMALL)._network(30).eval()
    found = []
    for long_ago in (1_000.0, 20 * 365 * 86_400.0):
        times = 1.7e9 + np.array([-long_ago, 0.0, 3.0, 10.0])
        whole = Histories(indptr=np.array([0, 4]), items=np.arange(4, dtype=np.int32), times=times)
        found.append(network._buckets(group_of(whole, np.array([4]), np.array([4])))[0, 1:, 1:])
    assert (found[0] == found[1]).all()
    # ln 3 ÷ 0.301 = 3.6 and ln 7 ÷ 0.301 = 6.5: buckets 3 and 6.
    assert found[1][1, 0].item() == 3 and found[1][2, 1].item() == 6


def test_a_history_later_than_the_training_data_is_read_at_its_own_end(told) -> None:
    """The network sees differences of times alone: years later, the same history has the same scores."""
    end = int(told.sequences_.times.max())
    pairs = pl.DataFrame({"user_id": ["new"] * 20, "item_id": range(20)})
    found = []
    for later in (0, 400 * 86_400):
        times = [end - 120 + later, end - 60 + later, end + later]
        walk = pl.DataFrame({"user_id": ["new"] * 3, "item_id": [4, 5, 6], "timestamp": times})
        found.append(told.score(pairs, history=walk)["score"].to_numpy())
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5, atol=1e-6)


def test_an_explanation_needs_times_as_lists_do(told, cycle) -> None:
    walk = pl.DataFrame({"user_id": ["new"] * 2, "item_id": [4, 5]})
    for model in (told, models.HSTU(**SMALL).fit(cycle, threads=1)):
        with pytest.raises(DataError, match="looks at times, and the history lacks timestamp"):
            model.explain("new", 6, history=walk)


def test_given_times_are_saved(told, tmp_path: Path) -> None:
    """Explanations of a saved model are of the times that its lists are of."""
    user = int(told.users_.ids[0])
    model = told.at(pl.DataFrame({"user_id": [user], "timestamp": [told._now + 9e6]}))
    model.save(tmp_path / "model")
    again = models.HSTU.load(tmp_path / "model")
    assert (again.moments_ == model.moments_).all() and model.moments_[0] == told._now + 9e6
    wanted, found, plain = (dict(each.explain(user, 3, n=99).reasons) for each in (model, again, told))
    assert found == pytest.approx(wanted) and plain != pytest.approx(wanted)
    told.save(tmp_path / "plain")
    assert (models.HSTU.load(tmp_path / "plain").moments_ == told._now).all()


def test_two_times_of_one_user_are_refused(told) -> None:
    user = int(told.users_.ids[0])
    with pytest.raises(DataError, match=rf"several rows of user {user}, expected one time a user"):
        told.at(pl.DataFrame({"user_id": [user, user], "timestamp": [told._now, told._now + 60]}))


def test_memory_grows_with_the_square_of_the_length(timed) -> None:
    """Attention without a softmax holds all pairs: 2,000 users of 3,000 events have 18 thousand million of them."""
    long = timed({1: list(range(3_000))})
    options = SMALL | {"max_length": 3_000, "batch_size": 2_000, "factors": 2}
    with pytest.raises(NotEnoughMemoryError, match="Lower batch_size= or max_length="):
        models.HSTU(**options).fit(long, threads=1)
