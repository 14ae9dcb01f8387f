"""Statistics of whole arms: counts that add, definitions by hand, and coverage of the intervals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import hypergeom, t

from reclens.errors import IncomparableError, UnknownNameError, UsageError
from reclens.experiment.aggregate.arm_level import (
    ARM_STATISTICS,
    SIMULATED_COVERAGE,
    ArmCounts,
    arm_statistic,
    compare_arm_statistics,
)
from reclens.report.experiment.method_words import method_text
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
    compiled = weighted_sums(
        unit, values, np.array([0, 50]), np.array([[0]]), n_targets=1, draws=30, seed=7, scheme=POISSON
    )[0, 0]
    drawn = np.hstack([unit_weights(unit, part, seed=7, scheme=POISSON) for part in (range(16), range(16, 30))])
    np.testing.assert_allclose(values[:, 0] @ drawn, compiled)


def test_statistics_by_hand() -> None:
    arm = ArmCounts.of(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 0]), keys(2), n_items=4, groups=8)
    assert arm.counts.tolist() == [3, 1, 0, 0]
    # Gini of 0, 0, 1, 3: (-3·0 - 1·0 + 1·1 + 3·3) ÷ (4·4); entropy of ¾ and ¼.
    assert arm_statistic(arm, "coverage")[0] == 0.5 and arm_statistic(arm, "gini")[0] == pytest.approx(10 / 16)
    assert arm_statistic(arm, "effective_items")[0] == pytest.approx(np.exp(-0.75 * np.log(0.75) - 0.25 * np.log(0.25)))


def test_parts_add_up_to_the_whole(rng: np.random.Generator) -> None:
    users, items = log(rng, 200, 30, 5)
    whole = ArmCounts.of(users, items, keys(200), n_items=30, groups=60)
    first = users < 80
    parts = ArmCounts.of(users[first], items[first], keys(200)[:80], n_items=30, groups=60) + ArmCounts.of(
        users[~first] - 80, items[~first], keys(200)[80:], n_items=30, groups=60
    )
    assert parts.n == 200
    np.testing.assert_array_equal(parts.counts, whole.counts)
    np.testing.assert_array_equal(parts.groups, whole.groups)
    np.testing.assert_array_equal(parts.users, whole.users)


@pytest.mark.parametrize("statistic", ["gini", "effective_items", "coverage"])
def test_intervals_cover_the_true_difference(statistic: str) -> None:
    # Two policies over 200 items; the truth of an experiment of this size is its mean over many of them.
    rng = np.random.default_rng(4)
    found = []
    for i in range(120):
        arms = [
            ArmCounts.of(*log(rng, 300, 200, 5, slope=slope), keys(300, first=1000 * i), n_items=200, groups=128)
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
    arm = ArmCounts.of(users, items, keys(1000), n_items=400, groups=64, share=0.1)
    found, se = arm_statistic(arm, "coverage")
    assert (
        found == pytest.approx(expected, rel=0.015)
        and arm_statistic(ArmCounts.of(users, items, keys(1000), n_items=400, groups=64), "coverage")[0]
        > 1.5 * expected
    )
    # One draw of 100 users has the spread of the draws; ten times as many users bring it down by √10 at least.
    assert 0 < se < float(np.std((arm.thinned > 0).mean(axis=0))) / np.sqrt(9)


@pytest.mark.parametrize("statistic", ["gini", "effective_items", "coverage"])
def test_arms_of_unequal_size_do_not_differ_by_their_size(statistic: str) -> None:
    # A/A at 83 / 17: two-sided tests at 5 % find a difference in 5 % of 80, give or take four standard errors.
    rng, hits, gaps = np.random.default_rng(6), 0, []
    for i in range(80):
        large = ArmCounts.of(
            *log(rng, 1000, 200, 10, slope=1.2), keys(1000, first=2000 * i), n_items=200, groups=64, share=0.2
        )
        small = ArmCounts.of(
            *log(rng, 200, 200, 10, slope=1.2), keys(200, first=2000 * i + 1000), n_items=200, groups=64
        )
        found = compare_arm_statistics(large, small, statistic)
        hits, gaps = hits + (found.p_value <= 0.05), [*gaps, found.relative.value]
    assert hits / 80 <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 80)
    assert abs(np.mean(gaps)) < 4 * np.std(gaps) / np.sqrt(80)


def test_bad_input_is_explained(rng: np.random.Generator) -> None:
    small, large = (ArmCounts.of(*log(rng, n, 9, 2), keys(n), n_items=9, groups=8) for n in (20, 40))
    with pytest.raises(IncomparableError, match=r"20 and 40 users count, .* Count the larger arm with share=0.5"):
        compare_arm_statistics(small, large, "coverage")
    with pytest.raises(UsageError, match="share is 0"):
        ArmCounts.of(*log(rng, 20, 9, 2), keys(20), n_items=9, share=0)
    with pytest.raises(UnknownNameError, match="Did you mean 'gini'"):
        arm_statistic(small, "ginni")
    with pytest.raises(IncomparableError, match="Count both alike"):
        small + ArmCounts.of(*log(rng, 20, 9, 2), keys(20), n_items=9, groups=4)
    with pytest.raises(UsageError, match="below 9 and 20"):
        ArmCounts.of(np.array([0]), np.array([9]), keys(20), n_items=9)


def counted(rng: np.random.Generator, shown: np.ndarray, n_items: int) -> ArmCounts:
    """Users who see the items of a row each."""
    users = np.repeat(np.arange(len(shown)), shown.shape[1])
    return ArmCounts.of(users, shown.ravel(), rng.integers(0, 2**63, len(shown)).astype(np.uint64), n_items=n_items)


@pytest.mark.parametrize(("users", "slope"), [(60, 1.0), (300, 0.0), (300, 1.0), (1000, 1.3)])
def test_the_variance_of_coverage_is_that_of_the_occupancy_problem(users: int, slope: float) -> None:
    # n draws of items with chances p: Var = Σ aᵢ(1 - aᵢ) + Σ ((1 - pᵢ - pⱼ)ⁿ - aᵢ aⱼ), aᵢ = (1 - pᵢ)ⁿ.
    rng = np.random.default_rng(21)
    p = (1 + np.arange(150)) ** -slope
    p /= p.sum()
    missed = (1 - p) ** users
    both = (1 - p[:, None] - p[None, :]) ** users - np.outer(missed, missed)
    np.fill_diagonal(both, missed * (1 - missed))
    found = [arm_statistic(counted(rng, rng.choice(150, (users, 1), p=p), 150), "coverage") for _ in range(60)]
    assert np.mean([value for value, _ in found]) == pytest.approx(1 - missed.mean(), abs=0.01)
    assert 0.85 < np.mean([se**2 for _, se in found]) * 150**2 / both.sum() < 1.3


@pytest.mark.parametrize("statistic", ["gini", "effective_items"])
def test_standard_errors_are_the_spread_over_experiments(statistic: str) -> None:
    # 200 users of two tastes, four items each of 150: about five rows an item, and users who are alike.
    rng = np.random.default_rng(22)
    chance = rng.dirichlet(np.full(150, 0.3), 2)
    found = []
    for _ in range(150):
        taste = rng.random(200) < 0.5
        shown = np.array([rng.choice(150, 4, p=chance[int(mine)]) for mine in taste])
        found.append(arm_statistic(counted(rng, shown, 150), statistic))
    values, errors = np.array(found).T
    # The standard deviation of 150 values is known to 6 %; the jackknife is too large rather than too small.
    assert 0.88 < np.sqrt(np.mean(errors**2)) / values.std(ddof=1) < 1.25


@pytest.mark.parametrize("users", [30, 100, 300])
def test_few_rows_an_item_find_no_differences_that_are_not_there(
    users: int, rate_error: Callable[[float, int], float]
) -> None:
    """0.3, 1 and 3 rows an item, of 20 tastes."""
    rng, runs = np.random.default_rng(23), 120
    appeal = -1.3 * np.log1p(np.arange(400)) + rng.normal(0, 0.5, (20, 400))
    hits = dict.fromkeys(ARM_STATISTICS, 0)
    for _ in range(runs):
        seen = appeal[rng.integers(0, 20, 2 * users)] + rng.gumbel(size=(2 * users, 400))
        shown = np.argpartition(-seen, 3, axis=1)[:, :4]
        arms = [counted(rng, part, 400) for part in (shown[:users], shown[users:])]
        for name in hits:
            hits[name] += compare_arm_statistics(arms[0], arms[1], name).p_value <= 0.05
    assert all(count / runs <= 0.05 + rate_error(0.05, runs) for count in hits.values()), hits


def test_what_was_simulated_is_said_and_what_was_not_is_refused(rng: np.random.Generator) -> None:
    arms = [ArmCounts.of(*log(rng, 300, 200, 5), keys(300, first=1000 * i), n_items=200) for i in range(2)]
    found = compare_arm_statistics(arms[0], arms[1], "gini")
    details = dict(found.details)
    assert details["rows_per_item"] == 7.5 and details["simulated_coverage"] == dict(SIMULATED_COVERAGE["gini"])[3]
    assert f"intervals of 95 % covered {details['simulated_coverage']:.0%}" in method_text(found.method)
    few = [ArmCounts.of(*log(rng, 29, 200, 5), keys(29, first=1000 * i), n_items=200) for i in range(2)]
    found = compare_arm_statistics(few[0], few[1], "gini")
    assert (found.reason, found.absolute.low, found.testable) == ("too_few", None, False)
    bare = [ArmCounts.of(*log(rng, 40, 800, 5), keys(40, first=1000 * i), n_items=800) for i in range(2)]
    assert compare_arm_statistics(bare[0], bare[1], "coverage").reason == "too_few_rows"


def test_where_everything_is_shown_coverage_still_has_an_interval() -> None:
    # 40 users see all 20 items each: nothing varies, and three items could be missing by chance in either arm.
    arms = [counted(np.random.default_rng(i), np.tile(np.arange(20), (40, 1)), 20) for i in range(2)]
    found = compare_arm_statistics(arms[0], arms[1], "coverage", relative="fieller")
    assert found.control == found.treatment == 1.0 and found.p_value == 1.0
    assert found.se == pytest.approx(np.sqrt(2 * 3) / 20)
    assert found.p_above(-0.5, relative=True) < 0.001


def test_degrees_of_freedom_are_of_the_groups_less_a_mean_and_a_slope(rng: np.random.Generator) -> None:
    # The jackknife takes the mean and the slope on the size of the groups off 60 values: 58 are left.
    sides = [
        ArmCounts.of(*log(rng, 2000, 30, 3), keys(2000, first=first), n_items=30, groups=60) for first in (0, 2000)
    ]
    assert all((side.users > 0).all() for side in sides)
    found = compare_arm_statistics(sides[0], sides[1], "gini")
    assert found.df == 58 and found.p_value == pytest.approx(2 * t.sf(abs(found.statistic), 58))
