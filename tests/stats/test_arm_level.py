"""Statistics of whole arms: counts that add, definitions by hand, and coverage of the intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import hypergeom

from reclens.errors import IncomparableError, UnknownNameError, UsageError
from reclens.stats.arm_level import ArmCounts, arm_statistic, compare_arm_statistics
from reclens.stats.resample import POISSON, unit_weights, weighted_sums


def log(
    rng: np.random.Generator, users: int, items: int, k: int, *, slope: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    chance = (1 + np.arange(items)) ** -slope
    return np.repeat(np.arange(users), k), rng.choice(items, users * k, p=chance / chance.sum())


def keys(n: int, *, first: int = 0) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 2**63, n + first).astype(np.uint64)[first:]


def test_weights_are_those_of_the_compiled_loop(rng: np.random.Generator) -> None:
    unit, values = keys(50), rng.normal(0, 1, (50, 1))
    compiled = weighted_sums(unit, values, np.array([0, 50]), np.array([[0]]), n_targets=1, draws=30, seed=7,
                             scheme=POISSON)[0, 0]  # fmt: skip
    drawn = np.hstack([unit_weights(unit, part, seed=7, scheme=POISSON) for part in (range(16), range(16, 30))])
    np.testing.assert_allclose(values[:, 0] @ drawn, compiled)


def test_statistics_by_hand() -> None:
    arm = ArmCounts.of(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 0]), keys(2), n_items=4, replicates=8)
    assert arm.counts.tolist() == [3, 1, 0, 0]
    # Gini of 0, 0, 1, 3: (-3·0 - 1·0 + 1·1 + 3·3) ÷ (4·4); entropy of ¾ and ¼.
    assert arm_statistic(arm, "coverage")[0] == 0.5 and arm_statistic(arm, "gini")[0] == pytest.approx(10 / 16)
    assert arm_statistic(arm, "diversity")[0] == pytest.approx(np.exp(-0.75 * np.log(0.75) - 0.25 * np.log(0.25)))


def test_parts_add_up_to_the_whole(rng: np.random.Generator) -> None:
    users, items = log(rng, 200, 30, 5)
    whole = ArmCounts.of(users, items, keys(200), n_items=30, replicates=60)
    first = users < 80
    parts = ArmCounts.of(users[first], items[first], keys(200)[:80], n_items=30, replicates=60) + ArmCounts.of(
        users[~first] - 80, items[~first], keys(200)[80:], n_items=30, replicates=60
    )
    assert parts.n == 200
    np.testing.assert_array_equal(parts.counts, whole.counts)
    np.testing.assert_array_equal(parts.replicates, whole.replicates)


@pytest.mark.parametrize("statistic", ["gini", "diversity", "coverage"])
def test_intervals_cover_the_true_difference(statistic: str) -> None:
    # Two policies over 200 items; the truth of an experiment of this size is its mean over many of them.
    rng = np.random.default_rng(4)
    found = []
    for i in range(120):
        arms = [
            ArmCounts.of(*log(rng, 300, 200, 5, slope=slope), keys(300, first=1000 * i), n_items=200, replicates=128)
            for slope in (1.1, 1.0)
        ]
        found.append(compare_arm_statistics(*arms, statistic).absolute)
    truth = np.mean([each.value for each in found])
    covered = np.mean([each.low <= truth <= each.high for each in found])
    assert 0.89 <= covered <= 0.995


def test_a_share_of_the_users_covers_what_rarefaction_expects(rng: np.random.Generator) -> None:
    # Of N users k saw an item: n of them at random miss it with probability C(N - k, n) ÷ C(N, n) (Hurlbert 1971).
    users, items = log(rng, 1000, 400, 4, slope=1.3)
    seen = np.bincount(np.unique(np.stack([items, users], axis=1), axis=0)[:, 0], minlength=400)
    expected = 1 - np.mean([hypergeom(1000, int(k), 100).pmf(0) for k in seen])
    arm = ArmCounts.of(users, items, keys(1000), n_items=400, replicates=64, share=0.1)
    found, se = arm_statistic(arm, "coverage")
    assert found == pytest.approx(expected, rel=0.015) and arm_statistic(
        ArmCounts.of(users, items, keys(1000), n_items=400, replicates=64), "coverage"
    )[0] > 1.5 * expected  # fmt: skip
    # One draw of 100 users has the spread of its replicates; ten times as many users bring it down by √10 at least.
    assert 0 < se < float(np.std((arm.replicates > 0).mean(axis=0))) / np.sqrt(9)


@pytest.mark.parametrize("statistic", ["gini", "diversity", "coverage"])
def test_arms_of_unequal_size_do_not_differ_by_their_size(statistic: str) -> None:
    # A/A at 83 / 17: two-sided tests at 5 % find a difference in 5 % of 80, give or take four standard errors.
    rng, hits, gaps = np.random.default_rng(6), 0, []
    for i in range(80):
        large = ArmCounts.of(*log(rng, 1000, 200, 10, slope=1.2), keys(1000, first=2000 * i), n_items=200,
                             replicates=64, share=0.2)  # fmt: skip
        small = ArmCounts.of(*log(rng, 200, 200, 10, slope=1.2), keys(200, first=2000 * i + 1000), n_items=200,
                             replicates=64)  # fmt: skip
        found = compare_arm_statistics(large, small, statistic)
        hits, gaps = hits + (found.p_value <= 0.05), [*gaps, found.relative.value]
    assert hits / 80 <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 80)
    assert abs(np.mean(gaps)) < 4 * np.std(gaps) / np.sqrt(80)


def test_bad_input_is_explained(rng: np.random.Generator) -> None:
    small, large = (ArmCounts.of(*log(rng, n, 9, 2), keys(n), n_items=9, replicates=8) for n in (20, 40))
    with pytest.raises(IncomparableError, match=r"20 and 40 users count, .* Count the larger arm with share=0.5"):
        compare_arm_statistics(small, large, "coverage")
    with pytest.raises(UsageError, match="share is 0"):
        ArmCounts.of(*log(rng, 20, 9, 2), keys(20), n_items=9, share=0)
    with pytest.raises(UnknownNameError, match="Did you mean 'gini'"):
        arm_statistic(small, "ginni")
    with pytest.raises(IncomparableError, match="Count both alike"):
        small + ArmCounts.of(*log(rng, 20, 9, 2), keys(20), n_items=9, replicates=4)
    with pytest.raises(UsageError, match="below 9 and 20"):
        ArmCounts.of(np.array([0]), np.array([9]), keys(20), n_items=9)
