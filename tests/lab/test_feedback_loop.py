"""The feedback loop: popularity feeds on itself, chance does not; every measure by hand on lists of three users."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.errors import UnknownNameError, UsageError
from reclens.lab.feedback import FeedbackLoop, LoopCard, _jaccard, _measured, feedback_loop
from reclens.lab.model_strategy import ModelStrategy
from reclens.world.population import World, draw_world
from reclens.world.settings import preset
from reclens.world.strategies import Consumed, Popular, Random


@pytest.fixture(scope="module")
def world() -> World:
    """Users find hardly anything by themselves: what is consumed is what is recommended."""
    quiet = {"births": 0.0, "new_share": 0.0, "organic": 0.0, "click_rate": 0.2}
    return draw_world(preset("tiny", **quiet), seed=3)


@pytest.fixture(scope="module")
def popular(world: World) -> FeedbackLoop:
    return feedback_loop(world, lambda _world, _seed: Popular(), by="gender", rounds=5, seeds=4)


@pytest.fixture(scope="module")
def chance(world: World) -> FeedbackLoop:
    return feedback_loop(world, lambda _world, seed: Random(seed=seed), by="gender", rounds=5, seeds=4)


def test_popularity_feeds_on_itself_and_chance_does_not(popular: FeedbackLoop, chance: FeedbackLoop) -> None:
    rising, falling = popular.slope("gini_consumed"), chance.slope("gini_consumed")
    assert rising.slope.low is not None and rising.slope.low > 0 and rising.end > rising.start
    assert falling.slope.high is not None and falling.slope.high < 0  # chance spreads consumption
    assert rising.start == pytest.approx(falling.start)  # the same history
    # Everybody is shown nearly the same, or nothing in common but by chance: 10 of 120 minus what is known.
    assert popular.slope("homogenisation").start > 0.4
    assert chance.slope("homogenisation").start == pytest.approx(10 * 10 / 120 / (20 - 10 * 10 / 120), abs=0.01)
    assert chance.slope("coverage").start == 1.0 and popular.slope("coverage").start < 0.5
    assert popular.slope("arp").start > 2 * chance.slope("arp").start
    assert popular.slope("taste_shift").end > chance.slope("taste_shift").end > 0
    assert popular.slope("taste_shift").start == 0


def test_slopes_are_least_squares_of_the_rounds_of_each_seed(popular: FeedbackLoop) -> None:
    rows = popular.rounds.filter((pl.col("by") == "gender") & (pl.col("measure") == "gini"))
    assert set(rows["segment"]) == {"female", "male"} and rows["seed"].n_unique() == 4
    own = rows.filter(pl.col("segment") == "female")
    slopes = [np.polyfit(part["round"], part["value"], 1)[0] for _, part in own.group_by("seed")]
    found = popular.slope("gini", by="gender", segment="female").slope
    assert found.value == pytest.approx(np.mean(slopes)) and found.n == 4
    half = 3.182446305 * np.std(slopes, ddof=1) / 2  # t quantile at 97.5 % with 3 degrees of freedom
    assert found.low == pytest.approx(found.value - half) and found.high == pytest.approx(found.value + half)
    with pytest.raises(UnknownNameError):
        popular.slope("gini", by="gender", segment="X")


def test_measures_by_hand(world: World) -> None:
    lists = np.array([[0, 1], [1, 2], [3, -1]], np.int32)
    assert _jaccard(lists, np.array([[0, 1], [0, 2]])) == pytest.approx((1 / 3 + 0) / 2)
    small = replace(world, items=pl.DataFrame({"item_id": range(4)}))
    users = np.array([0, 0, 1, 2], np.int32)
    before = Consumed(
        users=users, items=np.array([0, 0, 1, 3], np.int32), days=-np.ones(4, np.int32), n_users=3, n_items=4, day=0
    )
    more = np.array([0, 0, 1, 3, 3], np.int32)
    after = Consumed(
        users=np.append(users, 1).astype(np.int32), items=more, days=np.zeros(5, np.int32), n_users=3, n_items=4, day=7
    )
    groups = {("overall", "all"): np.ones(3, bool), ("g", "a"): np.array([True, True, False])}
    rounds = [(before, lists), (after, lists)]
    rows = _measured(rounds, small, groups, np.array([0, 0, 1, 1]), np.random.default_rng(0))
    of = {(row["round"], row["segment"], row["measure"]): row["value"] for row in rows}
    # Shown: 0 once, 1 twice, 2 and 3 once; popularity before: 2, 1, 0, 1.
    assert of[0, "all", "arp"] == of[1, "all", "arp"] == pytest.approx((2 + 1 + 1 + 0 + 1) / 5)
    assert of[0, "all", "coverage"] == 1 and of[0, "a", "coverage"] == 0.75
    # Gini of 1, 1, 1, 2: Σ (2i - n - 1) x ÷ (n Σ x) = (-3 - 1 + 1 + 6) ÷ 20.
    assert of[0, "all", "gini"] == pytest.approx(3 / 20)
    # Of 0, 1, 1, 2 consumed: (0 - 1 + 1 + 6) ÷ 16; and of 0, 1, 2, 2: (0 - 1 + 2 + 6) ÷ 20.
    assert of[0, "all", "gini_consumed"] == pytest.approx(6 / 16)
    assert of[1, "all", "gini_consumed"] == pytest.approx(7 / 20)
    # Group a: 3 and 0 of the two categories, then 3 and 1; with half a count each.
    p, q = np.array([3.5, 1.5]) / 5, np.array([3.5, 0.5]) / 4
    assert of[1, "a", "taste_shift"] == pytest.approx((p * np.log(p / q)).sum())
    assert of[0, "a", "taste_shift"] == 0
    # One more row, of one of three users, who is in group a; the last round is not lived.
    assert of[0, "all", "consumption"] == pytest.approx(1 / 3) and of[0, "a", "consumption"] == 0.5
    assert (1, "all", "consumption") not in of


def test_the_long_run_of_a_mitigation(world: World) -> None:
    how: dict[str, Any] = {"rounds": 2, "seeds": 1}
    plain = feedback_loop(world, "item_knn", **how)
    rerank = [{"kind": "popularity_discount", "beta": 1.0}]
    discounted = feedback_loop(world, lambda world, _seed: ModelStrategy("item_knn", rerank=rerank, world=world), **how)
    for at in ("start", "end"):
        assert getattr(discounted.slope("arp"), at) < getattr(plain.slope("arp"), at)
    assert plain.slope("gini").slope.low is None  # one seed has no interval
    # Of two rounds one is lived, and one number has no slope.
    assert {row["measure"] for row in plain.to_dicts()} == set(plain.rounds["measure"]) - {"consumption"}


def test_it_starts_from_data(small_data: rl.Dataset, misfits) -> None:
    found = feedback_loop(
        small_data, lambda _world, _seed: Popular(), by="gender", category="genres", rounds=2, seeds=1
    )
    assert misfits(found.card, LoopCard) == set() and found.card["world"]["kind"] == "fitted"
    assert set(found.rounds.filter(pl.col("by") == "gender")["segment"]) == {"F", "M"}
    assert found.slope("gini").start > 0.8


def test_bad_input(world: World) -> None:
    with pytest.raises(UsageError, match="expected at least 2 rounds"):
        feedback_loop(world, "popular", rounds=1)
    with pytest.raises(UnknownNameError, match="attribute of users"):
        feedback_loop(world, "popular", by="shoe_size")
    with pytest.raises(UnknownNameError, match="attribute of items"):
        feedback_loop(world, "popular", category="colour")
