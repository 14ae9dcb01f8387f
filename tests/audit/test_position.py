"""Position bias: by hand, on simulated clicks whose examination is known, and where it cannot be told."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from reclens.audit.position import position_bias
from reclens.errors import DataError, UsageError

SLOTS = 10


def clicks(impressions: int, seed: int, *, rankers: int = 2, slots: int = SLOTS, power: float = 1.0) -> pl.DataFrame:
    """Lists of two rankers, assigned at random, for contexts that come back; clicks of the position-based model.

    Relevant items stand higher under both rankers, so that clicks by place fall for two reasons.
    """
    rng = np.random.default_rng(seed)
    contexts = max(impressions // (slots * 20), 30)
    relevance = rng.beta(1.0, 3.0, (contexts, slots))
    orders = [np.argsort(-(relevance + rng.normal(0, 0.3, relevance.shape)), axis=1) for _ in range(rankers)]
    requests = impressions // slots
    context, which = rng.integers(0, contexts, requests), rng.integers(0, rankers, requests)
    items = np.stack(orders)[which, context]
    chance = relevance[context[:, None], items] / np.arange(1, slots + 1) ** power
    return pl.DataFrame(
        {
            "user_id": np.repeat(context, slots),
            "item_id": items.ravel() + np.repeat(context, slots) * slots,
            "position": np.tile(np.arange(1, slots + 1), requests),
            "clicked": (rng.random(chance.shape) < chance).ravel(),
        }
    )


def error(values: np.ndarray) -> float:
    truth = 1 / np.arange(1, len(values) + 1)
    return float(np.mean(np.abs(values[1:] / truth[1:] - 1)))


def test_the_sums_by_hand() -> None:
    """Item x at place 1: 4 of 8, at place 2: 1 of 8; y at 1: 1 of 2, at 2: 1 of 4. Weights 4 and 4/3."""
    rows = [("u", "x", 1, 8, 4), ("u", "x", 2, 8, 1), ("v", "y", 1, 2, 1), ("v", "y", 2, 4, 1)]
    log = pl.DataFrame(
        [
            {"user_id": user, "item_id": item, "position": place, "clicked": at < clicked}
            for user, item, place, shown, clicked in rows
            for at in range(shown)
        ]
    )
    found = position_bias(log)
    above, below = 4 * 4 / 8 + 4 / 3 * 1 / 2, 4 * 1 / 8 + 4 / 3 * 1 / 4
    assert found.examination[1].value == pytest.approx(below / above)
    assert (found.pairs, found.impressions) == (2, (10, 12))
    assert found.clicks == pytest.approx((1.0, (2 / 12) / (5 / 10)))


def test_harvesting_is_right_at_a_million_impressions() -> None:
    """Mean relative error over five seeds at most 3 %; clicks by place are off by half."""
    harvested, naive = [], []
    for seed in range(5):
        found = position_bias(clicks(1_000_000, seed), replicates=100)
        harvested.append(error(np.array(found.weights)))
        naive.append(error(np.array(found.clicks)))
    assert np.mean(harvested) <= 0.03 < 0.3 < np.mean(naive)


def test_intervals_hold_the_truth(rate_error) -> None:  # type: ignore[no-untyped-def]
    held = [
        each.low <= 1 / place <= each.high
        for seed in range(60)
        for place, each in enumerate(position_bias(clicks(40_000, seed, slots=4), replicates=200).examination, 1)
        if each.low is not None and each.high is not None
    ]
    assert len(held) == 180
    assert abs(np.mean(held) - 0.95) < rate_error(0.95, 60), "places of one log are not independent"


def test_expectation_maximisation_comes_near() -> None:
    """One relevance an item: contexts of the simulation have items of their own. A fifth of the naive error is left."""
    found = position_bias(clicks(400_000, 1), method="em")
    assert error(np.array(found.weights)) < error(np.array(found.clicks)) / 4
    assert all(each.low is None for each in found.examination)


def test_swaps_are_clicks_by_place_where_places_are_drawn() -> None:
    rng = np.random.default_rng(3)
    n = 200_000
    place = rng.integers(1, 5, n)
    log = pl.DataFrame(
        {
            "user_id": rng.integers(0, 5_000, n),
            "item_id": rng.integers(0, 50, n),
            "position": place,
            "clicked": rng.random(n) < 0.4 / place,
        }
    )
    found = position_bias(log, method="swap")
    rate = [log.filter(pl.col("position") == at)["clicked"].mean() for at in range(1, 5)]
    assert found.weights == pytest.approx([each / rate[0] for each in rate])  # type: ignore[operator]
    for at, each in enumerate(found.examination[1:], 2):
        assert each.low is not None and each.high is not None and each.low < 1 / at < each.high


def test_one_ranker_cannot_tell() -> None:
    found = position_bias(clicks(20_000, 1, rankers=1))
    assert found.unidentified == "one_place_each" and all(np.isnan(each.value) for each in found.examination)
    with pytest.raises(UsageError, match="could not be told"):
        _ = found.weights
    one = clicks(20_000, 1, rankers=1).with_columns(item_id=pl.col("position"))
    assert position_bias(one, method="em").unidentified == "one_place_each"


def test_places_that_nothing_links_to_the_first_have_no_value() -> None:
    """Items move between places 1 and 2, and between 3 and 4, never across."""
    log = clicks(40_000, 2, slots=2)
    lower = log.with_columns(pl.col("position") + 2, pl.col("item_id") + 10**6)
    found = position_bias(pl.concat([log, lower]))
    assert found.unidentified == "places_apart"
    assert [np.isfinite(each.value) for each in found.examination] == [True, True, False, False]


@pytest.mark.parametrize(
    ("log", "says"),
    [
        (pl.DataFrame({"user_id": [1], "item_id": [1], "rank": [1], "clicked": [True]}), "'position'"),
        (pl.DataFrame({"user_id": [1], "item_id": [1], "position": [0], "clicked": [True]}), "from 1"),
        (pl.DataFrame({"user_id": [1], "item_id": [1], "position": [1.5], "clicked": [True]}), "from 1"),
        (clicks(2_000, 1).clear(), "no impression"),
    ],
)
def test_bad_logs_say_what_is_wrong(log: pl.DataFrame, says: str) -> None:
    with pytest.raises(DataError, match=says):
        position_bias(log)
    with pytest.raises(UsageError, match="expected 'harvest'"):
        position_bias(clicks(2_000, 1), method="guess")  # type: ignore[arg-type]
