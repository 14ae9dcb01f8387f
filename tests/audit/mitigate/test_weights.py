"""Weights that counter a bias: by hand, and what they do to a model that is fitted with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.audit.mitigate.weights import group_weights, inverse_propensity, popularity_weights
from reclens.data.dataset import Dataset
from reclens.errors import DataError, UnknownNameError, UsageError

ROWS = pl.DataFrame({"user_id": [1, 2, 3, 4, 4], "item_id": [7, 7, 7, 7, 8]})
USERS = pl.DataFrame({"user_id": [1, 2, 3, 4], "sex": ["f", "m", "m", None]})


def test_propensities_from_popularity_by_hand() -> None:
    # Item 7 has four users, item 8 one: propensities 1 and (1/4)^½ = ½, weights 1 and 2, with a mean of 6/5.
    found = inverse_propensity(Dataset(ROWS))
    assert found.table["weight"].to_list() == pytest.approx([5 / 6] * 4 + [10 / 6])
    assert found.effective_size == pytest.approx(6**2 / (4 + 4))  # Kish: (Σw)² ÷ Σw²
    assert (found.of, found.n, found.clipped, found.largest) == ("interaction", 5, 0, pytest.approx(10 / 6))
    # Clipped at .8: 1 ÷ .8 = 1.25, with a mean of 5.25 / 5.
    clipped = inverse_propensity(Dataset(ROWS), clip=0.8)
    assert clipped.table["weight"].to_list() == pytest.approx([1 / 1.05] * 4 + [1.25 / 1.05]) and clipped.clipped == 1
    given = inverse_propensity(Dataset(ROWS), [1.0, 0.5, 0.25, 0.01, 1.0], clip=0.1)
    assert given.table["weight"].to_list() == pytest.approx(np.array([1, 2, 4, 10, 1]) / 3.6)
    assert (
        given.clipped == 1 and inverse_propensity(Dataset(ROWS), clip=1.0).clipped == 1
    )  # that of 1 itself is not cut
    assert inverse_propensity(Dataset(ROWS), power=0.0).effective_size == pytest.approx(5)


def test_popularity_weights_make_items_equal() -> None:
    found = popularity_weights(Dataset(ROWS), power=1.0).table
    assert found.group_by("item_id").agg(pl.col("weight").sum())["weight"].to_list() == pytest.approx([2.5, 2.5])


def test_group_weights_make_groups_equal() -> None:
    train = Dataset(ROWS, users=USERS)
    # Groups f, m and (unknown) of 1, 2 and 1 users: 4/3 ÷ size, and then a mean of 1 over the users.
    found = group_weights(train, "sex")
    assert found.table["weight"].to_list() == pytest.approx([4 / 3, 2 / 3, 2 / 3, 4 / 3])
    assert found.effective_size == pytest.approx(16 / (2 * 16 / 9 + 2 * 4 / 9))
    # By interactions: 1, 2 and 2 of them.
    by_rows = group_weights(train, "sex", of="interaction").table["weight"].to_numpy()
    assert by_rows * [1, 1, 1, 2] == pytest.approx(np.array([5 / 3, 5 / 6, 5 / 6, 5 / 3]))
    half = group_weights(train, "sex", strength=0.5).table["weight"].to_numpy()
    assert half[0] / half[1] == pytest.approx(2**0.5)
    assert group_weights(train, "sex", strength=0.0).table["weight"].to_list() == [1.0] * 4


def test_they_can_be_fitted_with() -> None:
    data = rl.synthetic_movielens(n_users=120, n_items=60, n_ratings=3_000, rng=2)
    plain = rl.models.EASE(l2=50.0).fit(data)
    weighted = rl.models.EASE(l2=50.0).fit(data, weights=popularity_weights(data, power=1.0).table)
    counts = data.interactions["item_id"].value_counts()

    def popularity(model: Any) -> float:
        shown = model.recommend(k=5).table.join(counts, on="item_id")
        return float(shown["count"].mean())  # type: ignore[arg-type]

    assert popularity(weighted) < popularity(plain)
    assert weighted.train_["fit_weights"]["of"] == "interaction"
    grouped = rl.models.EASE(l2=50.0).fit(data, weights=group_weights(data, "gender").table)
    assert grouped.train_["fit_weights"]["of"] == "user"


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda train: inverse_propensity(train, [-0.1, 1, 1, 1, 1]), UsageError, "1 propensities are not above 0"),
        (lambda train: inverse_propensity(train, [0.0, 1, 1, 1, 2]), UsageError, "2 propensities are not above 0"),
        (lambda train: inverse_propensity(train, [np.nan, 1, 1, 1, 1]), UsageError, "1 propensities are not above 0"),
        (lambda train: inverse_propensity(train, [0.5]), UsageError, "propensities for 5 interactions"),
        (lambda train: inverse_propensity(train, clip=0.0), UsageError, "clip is 0"),
        (lambda train: inverse_propensity(train, power=-1.0), UsageError, "power is -1"),
        (lambda train: popularity_weights(train, power=-1.0), UsageError, "power is -1"),
        (lambda train: group_weights(train, "sexe"), UnknownNameError, "Did you mean 'sex'"),
        (lambda train: group_weights(train, "sex", strength=2.0), UsageError, "strength is 2"),
        (lambda train: group_weights(train, "planet"), DataError, "one value of 'planet'"),
    ],
)
def test_what_makes_no_weights_is_refused(call: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        call(Dataset(ROWS, users=USERS.with_columns(planet=pl.lit("earth"))))
