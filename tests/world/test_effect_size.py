"""Measures that bind how large effects are: by hand, by other libraries, and on worlds whose tastes were changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from reclens.data.dataset import Dataset
from reclens.errors import UsageError
from reclens.stats.estimate import Estimate
from reclens.world import population
from reclens.world.arm import Arm
from reclens.world.effect_size import auc, gap_distance, held_out_auc, told_apart, user_traits
from reclens.world.fitting import fit_world
from reclens.world.population import World
from reclens.world.realism_result import history_of, past_test_check, realism
from reclens.world.settings import WorldSettings
from reclens.world.strategies import Oracle, Random
from reclens.world.truth import true_effect


def with_tastes(world: World, factor: float) -> World:
    """The world with stronger or weaker tastes, and its history lived anew."""
    changed = replace(world, tastes=world.tastes * np.float32(factor), consumed=np.zeros_like(world.consumed))
    activity = np.bincount(world.history[0], minlength=world.users.height)
    return replace(changed, history=population._live_before(changed, activity, seed=int(world.card["seed"])))


def test_auc_is_mann_and_whitneys(rng) -> None:
    from scipy.stats import mannwhitneyu

    a, b = rng.integers(0, 6, 40), rng.integers(0, 5, 70)
    assert auc(a, b) == pytest.approx(mannwhitneyu(a, b).statistic / (40 * 70))


def test_what_is_held_out_is_told_by_taste_and_not_by_popularity() -> None:
    rng = np.random.default_rng(2)
    # Two halves of users who never touch each other's items: item-kNN tells every item of the other half.
    users = np.repeat(np.arange(200), 12)
    items = np.concatenate([rng.choice(30, 12, replace=False) + 30 * (user % 2) for user in range(200)])
    halves = held_out_auc(Dataset(pl.DataFrame({"user_id": users, "item_id": items})))
    # Of the drawn items that she had not, 30 of 48 are of the other half, and tell nothing about those of her own.
    # (A little fewer: the item that was held out lost one of its users, which its rivals kept.)
    assert halves == pytest.approx(30 / 48 + 0.5 * 18 / 48, abs=0.05)
    # Popularity alone tells next to nothing: items compared are drawn by it.
    steep = np.arange(1.0, 201) ** -0.4
    drawn = np.concatenate([rng.choice(200, 10, replace=False, p=steep / steep.sum()) for _ in range(1_500)])
    alone = held_out_auc(Dataset(pl.DataFrame({"user_id": np.repeat(np.arange(1_500), 10), "item_id": drawn})))
    assert alone == pytest.approx(0.5, abs=0.05) and alone < halves - 0.2


def test_traits_by_hand() -> None:
    # Users 0 and 2 teach: item 1 is had by both, 2 and 3 by one each. Cosines: (1, 2) = (1, 3) = 1/√2, (2, 3) = 0.
    data = Dataset(pl.DataFrame({"user_id": [0, 0, 1, 1, 1, 2, 2, 3], "item_id": [1, 2, 1, 2, 3, 1, 3, 1]}))
    shown, (row,) = user_traits(data, teach=np.array([True, False, True, False]))
    assert shown.tolist() == [1], "user 3 has one item"
    popularity = np.log(np.array([1.0, 0.5, 0.5]) + 1e-6)
    pairs = np.array([2**-0.5, 2**-0.5, 0.0])
    assert row == pytest.approx([np.log(3), popularity.mean(), popularity.std(), np.log(pairs.mean() + 1e-4)])


def test_a_classifier_tells_other_users_and_not_the_same_kind(small_data) -> None:
    rng = np.random.default_rng(4)

    def population_of(likes: float) -> Dataset:
        """Users with 8 to 20 of 100 items, from their own tenth with a given weight."""
        rows: list[tuple[int, int]] = []
        for user in range(400):
            weight = np.arange(1.0, 101) ** -0.5 * np.where(np.arange(100) % 10 == user % 10, likes, 1.0)
            some = rng.choice(100, rng.integers(8, 21), replace=False, p=weight / weight.sum())
            rows += [(user, int(item)) for item in some]
        return Dataset(pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row"))

    assert told_apart(population_of(6.0), population_of(6.0)) == pytest.approx(0.5, abs=0.08)
    assert told_apart(population_of(20.0), population_of(2.0)) > 0.75


def test_gaps_between_visits_by_hand() -> None:
    start = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def visits(days: dict[int, list[int]]) -> pl.DataFrame:
        rows = [(user, 7, start + timedelta(days=day)) for user, own in days.items() for day in own]
        return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")

    # The world was watched for 5 days: gaps 1, 1, 2 (twice on a day is one visit).
    world = visits({1: [0, 0, 1, 2], 2: [2, 4]})
    # The data has gaps 1, 3 and 30. Of 5 days a gap of 1 fits in 4 places, of 3 in 2; 30 fits nowhere.
    data = Dataset(visits({1: [0, 1, 4], 2: [0, 30]}))
    distance, ours, theirs = gap_distance(world, data)
    assert ours == pytest.approx(4 / 3) and theirs == pytest.approx((4 * 1 + 2 * 3) / 6)
    assert distance == pytest.approx(1 / 3)  # after 2 days: 1 against 4 / 6
    assert gap_distance(world, Dataset(data.interactions.drop("timestamp"))) is None
    assert gap_distance(visits({1: [0]}), data) is None


def test_a_world_has_the_lift_of_a_past_test_or_not(tiny) -> None:
    arms = Arm(name="oracle", strategy=Oracle(tiny)), Arm(name="random", strategy=Random())
    truth = true_effect(tiny, *arms, days=5, replicates=3)["clicks"].lift
    for low, high, passed in (
        (truth.high - 0.01, truth.high + 1, True),
        (truth.high + 0.01, truth.high + 1, False),
        (-1.0, truth.low + 0.01, True),
        (-1.0, truth.low - 0.01, False),
    ):
        check = past_test_check(tiny, *arms, Estimate((low + high) / 2, low=low, high=high, n=0), days=5, replicates=3)
        assert check.passed is passed and check.simulated == pytest.approx(truth.value), (low, high)
    for lift, replicates, says in (
        (Estimate(0.1, low=None, high=None, n=0), 3, "an interval"),
        (Estimate(0.1, low=0.0, high=0.2, n=0), 1, "two or more"),
    ):
        with pytest.raises(UsageError, match=says):
            past_test_check(tiny, *arms, lift, replicates=replicates)


@pytest.mark.slow
def test_tastes_of_another_strength_fail_on_movielens_100k(shared_data) -> None:
    from reclens.data.read.movielens import read_movielens

    data = read_movielens(shared_data / "movielens" / "ml-100k.zip")
    world = fit_world(data, WorldSettings(users=943, factors=16, new_share=0.0, births=0.0), seed=1)
    report = {check.measure: check for check in realism(world, data).checks}
    failed = [name for name, check in report.items() if check.passed is False]
    assert not failed, report
    reference = report["taste: held-out AUC"].reference
    for factor in (0.5, 1.5):
        lived = history_of(with_tastes(world, factor))
        assert abs(held_out_auc(lived) - reference) > 0.03, factor
    assert told_apart(history_of(with_tastes(world, 0.5)), data) > 0.7
