"""Offline against online: rank correlations against SciPy and by hand, lifts against runs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from reclens.errors import UnknownNameError, UsageError
from reclens.lab.correlation import correlate, kendall, spearman
from reclens.lab.strategy_family import FAMILY, OVERALL, StrategyEffects, true_lifts
from reclens.stats.estimate import Estimate
from reclens.stats.rank_correlation import _laws, rank_interval
from reclens.world.arm import Arm
from reclens.world.population import draw_world
from reclens.world.settings import preset
from reclens.world.simulation import simulate
from reclens.world.strategies import Oracle, Popular, Random
from reclens.world.truth import true_effect


def test_correlations_are_scipys(rng) -> None:
    a, b = rng.normal(size=14), rng.normal(size=14)
    assert spearman(a, b).value == pytest.approx(stats.spearmanr(a, b).statistic)
    assert kendall(a, b).value == pytest.approx(stats.kendalltau(a, b).statistic)
    tied = np.round(a)
    assert kendall(tied, b).value == pytest.approx(stats.kendalltau(tied, b).statistic)
    for statistic, of in (("spearman", spearman), ("kendall", kendall)):
        found = of(a, b)
        assert (found.low, found.high) == rank_interval(statistic, found.value, 14)
    assert np.isnan(spearman(np.ones(14), b).value) and spearman(np.ones(14), b).low is None


def rho_and_tau(first: np.ndarray, second: np.ndarray) -> dict[str, np.ndarray]:
    """Both correlations of each row, without ties, by their definitions."""
    n = first.shape[1]
    gaps = first.argsort().argsort() - second.argsort().argsort()
    i, j = np.triu_indices(n, 1)
    agree = (first[:, j] > first[:, i]) == (second[:, j] > second[:, i])
    return {"spearman": 1 - 6 * (gaps**2).sum(axis=1) / (n**3 - n), "kendall": 2 * agree.mean(axis=1) - 1}


def samples(rng, r: float, n: int, runs: int, *, heavy: bool) -> tuple[np.ndarray, np.ndarray]:
    """Normal pairs, or pairs of Student's t with 3 degrees of freedom; shape (runs, n) each."""
    first = rng.normal(size=(runs, n))
    second = r * first + np.sqrt(1 - r**2) * rng.normal(size=(runs, n))
    scale = np.sqrt(3 / rng.chisquare(3, size=(runs, n))) if heavy else 1.0
    return first * scale, second * scale


@pytest.mark.parametrize(
    ("r", "n", "heavy"),
    [
        (0.0, 14, False),
        (0.9, 14, False),
        (0.99, 14, False),
        (0.5, 14, True),
        (0.97, 14, True),
        (0.99, 50, False),
        (0.9, 50, True),
        (0.99, 90, True),
        (0.99, 90, False),
    ],
)
def test_intervals_of_rank_correlations_cover_up_to_one(rng, r, n, heavy, rate_error) -> None:
    # Normal pairs with correlation r have a rank correlation of 6/π asin(r/2), and all of these a τ of 2/π asin(r).
    # Fisher's z covers .85 at .99 with 14 normal pairs, .87 with 50.
    runs = 1_000
    ranks = 6 / np.pi * np.arcsin(r / 2)
    if heavy:
        ranks = float(stats.spearmanr(*(side[0] for side in samples(rng, r, 400_000, 1, heavy=True))).statistic)
    for true, (statistic, values) in zip(
        (ranks, 2 / np.pi * np.arcsin(r)), rho_and_tau(*samples(rng, r, n, runs, heavy=heavy)).items(), strict=True
    ):
        found = {value: rank_interval(statistic, value, n) for value in set(values.tolist())}
        held = np.mean([found[value][0] <= true <= found[value][1] for value in values.tolist()])
        # Normal pairs need less than those with heavy tails, and a lattice holds more than it promises.
        assert 0.95 - rate_error(0.95, runs) <= held <= 0.995, (statistic, held)


def test_the_ends_of_an_interval_are_correlations_that_are_just_rejected() -> None:
    # By fresh samples at each end: the tail there is half of 5 % for one kind of pairs, and not more for the other.
    rng = np.random.default_rng(3)
    for statistic, value in (("spearman", 0.9), ("kendall", 0.6)):
        low, high = rank_interval(statistic, value, 10)
        for end, side in ((low, 1), (high, -1)):
            tails = []
            for heavy in (False, True):
                # The correlation whose ρ or τ is at the end; ρ of heavy tails by a search over large samples.
                r = np.sin(np.pi * end / 2)
                if statistic == "spearman":
                    r = 2 * np.sin(np.pi * end / 6)
                if statistic == "spearman" and heavy:
                    grid = np.linspace(r - 0.05, min(r + 0.1, 0.9999), 13)
                    known = [
                        stats.spearmanr(
                            *(each[0] for each in samples(np.random.default_rng(5), at, 100_000, 1, heavy=True))
                        ).statistic
                        for at in grid
                    ]
                    r = np.interp(end, known, grid)
                drawn = rho_and_tau(*samples(rng, r, 10, 20_000, heavy=heavy))[statistic]
                tails.append((side * (drawn - value) > -1e-9).mean())
            # Error of 20,000 draws here and 8,000 there: √(0.025 (1/20,000 + 1/8,000)) = 0.0021.
            assert max(tails) == pytest.approx(0.025, abs=0.0063), (statistic, end, tails)


def test_the_correlation_of_pairs_with_heavy_tails_is_that_of_a_large_sample() -> None:
    normal, heavy = _laws("spearman", 14)
    rng = np.random.default_rng(8)
    for at in (6, 12, 20):
        r = np.tanh(at / 8)  # the grid is 4.5 / 36 apart on the scale of Fisher's z
        first, second = (side[0] for side in samples(rng, r, 400_000, 1, heavy=True))
        assert heavy.truth[at] == pytest.approx(stats.spearmanr(first, second).statistic, abs=0.003)
        assert normal.truth[at] > heavy.truth[at] + 0.002


def test_orders_that_agree_wholly_have_a_lower_end() -> None:
    same = kendall(np.arange(8.0), np.arange(8.0))
    assert same.value == same.high == 1 and 0.5 < same.low < 1
    turned = kendall(np.arange(8.0), -np.arange(8.0))
    assert (turned.low, turned.high) == (-1, pytest.approx(-same.low))
    # With more pairs there is less doubt, and no step where the distribution of 60 pairs is scaled.
    for statistic in ("spearman", "kendall"):
        ends = [rank_interval(statistic, 0.8, n) for n in (8, 14, 60, 61, 100, 1_000)]
        assert all(before[0] < after[0] and after[1] < before[1] for before, after in pairwise(ends))
        assert ends[3] == pytest.approx(ends[2], abs=0.004)
        # Of many pairs the error is near that of Fisher's z, times at most 1.5 for heavy tails.
        width = np.diff(np.arctanh(ends[-1]))[0] / (2 * stats.norm.ppf(0.975))
        assert 1 < width / np.sqrt({"spearman": 1.32 / 997, "kendall": 0.437 / 996}[statistic]) < 1.5
    for wrong in ({"n": 3, "value": 0.5}, {"n": 9, "value": 1.5}, {"n": 9, "value": 0.5, "level": 1.0}):
        with pytest.raises(UsageError, match="expected 4 or more pairs"):
            rank_interval("kendall", **wrong)


def test_many_pairs_that_agree_wholly_have_a_lower_end(rng) -> None:
    # Under a τ of .995 all 40 points keep their order in more than one of 40 samples: it is in the interval.
    r = np.sin(np.pi * 0.995 / 2)
    first = rng.normal(size=(4000, 40))
    second = r * first + np.sqrt(1 - r**2) * rng.normal(size=first.shape)
    assert np.mean((first.argsort(axis=1) == second.argsort(axis=1)).all(axis=1)) > 0.05
    for statistic in ("kendall", "spearman"):
        low, high = rank_interval(statistic, 1.0, 40)
        assert rank_interval(statistic, 1.0, 30)[0] < low < 0.9999 and low > 0.9 and high == 1
        # Of very many pairs that agree, any 60 do.
        assert rank_interval(statistic, 1.0, 400) == rank_interval(statistic, 1.0, 60)
        assert rank_interval(statistic, -1.0, 40) == pytest.approx((-1.0, -low))
    assert rank_interval("kendall", 1.0, 40)[0] < 0.995


def lifts(values: dict[str, float]) -> StrategyEffects:
    cells = {
        name: {OVERALL: Estimate(value, low=value - 0.01, high=value + 0.01, n=100)} for name, value in values.items()
    }
    return StrategyEffects("a", "clicks", cells)


def test_regret_is_what_the_choice_of_a_metric_costs() -> None:
    truth = lifts({"a": 0.0, "b": 0.1, "c": 0.2, "d": 0.3, "e": 0.4})
    offline = {name: {OVERALL: {"good": at, "bad": -at, "flat": 1.0}} for at, name in enumerate("abcde")}
    found = correlate(offline, truth)
    by_name = {each.metric: each for each in found.correlations}
    assert found.correlations[0].metric == "good" and by_name["good"].regret == 0
    assert by_name["good"].spearman.value == by_name["good"].spearman.high == 1 and by_name["good"].spearman.low > 0
    assert by_name["bad"].chosen == "a" and by_name["bad"].regret == pytest.approx(0.4)
    assert np.isnan(by_name["flat"].spearman.value)
    assert len(found.points) == 15 and len(found.to_dicts()) == 3
    with pytest.raises(UsageError, match="4 strategies"):
        correlate({name: offline[name] for name in "abcd"}, truth)


def test_lifts_are_the_ratios_of_runs_by_segment() -> None:
    world = draw_world(preset("tiny"), seed=1)
    arms = {
        "a": Arm(name="a", strategy=Popular()),
        "b": Arm(name="b", strategy=Oracle(world)),
        "c": Arm(name="c", strategy=Random()),
    }
    found = true_lifts(world, arms, control="a", days=7, by="gender", replicates=3, seed=5)
    runs = {name: [simulate(world, [arm], days=7, seed=seed).users for seed in (5, 6, 7)] for name, arm in arms.items()}
    for name in "abc":
        for gender in ("female", "male"):
            sides = [
                np.array([run.filter(run["gender"] == gender)["expected_clicks"].sum() for run in runs[each]])
                for each in (name, "a")
            ]
            lift = found.values[name]["gender", gender]
            ratio = sides[0].sum() / sides[1].sum()
            assert lift.value == pytest.approx(ratio - 1)
            # Student's interval over the three, of the lift made linear.
            half = stats.t.ppf(0.975, 2) * stats.sem((sides[0] - ratio * sides[1]) / sides[1].mean())
            assert lift.high - lift.value == pytest.approx(half)
    once = true_lifts(world, arms, control="a", days=1, by=None, replicates=1)
    assert once.values["b"][OVERALL].low is None and once.values["b"][OVERALL].note == "one_replicate"
    assert found.values["a"][OVERALL].low == found.values["a"][OVERALL].high == 0
    assert found.values["b"][OVERALL].low > 0 > found.values["c"][OVERALL].high
    with pytest.raises(UnknownNameError, match="gender"):
        true_lifts(world, arms, control="a", by="gendr")
    with pytest.raises(UnknownNameError):
        true_lifts(world, arms, control="z")


def test_lifts_of_strategies_that_learn_have_the_interval_of_the_truth() -> None:
    world = draw_world(preset("tiny"), seed=1)
    arms = {
        "a": Arm(name="a", strategy=Random()),
        "b": Arm(name="b", strategy=Oracle(world)),
        "c": Arm(name="c", strategy=Popular()),
    }
    found = true_lifts(world, arms, control="a", days=3, retrain=2, by=None, replicates=3)
    assert found.values["b"][OVERALL].coverage is None
    truth = true_effect(world, arms["c"], arms["a"], days=3, retrain=2, replicates=3)["expected_clicks"].lift
    lift = found.values["c"][OVERALL]
    assert (lift.low, lift.high) == pytest.approx((truth.low, truth.high))
    assert lift.coverage == truth.coverage is not None
    assert [row["coverage"] for row in found.to_dicts()] == [None, None, truth.coverage]


def test_a_segment_that_did_nothing_in_control_costs_nothing_but_itself() -> None:
    world = draw_world(preset("tiny", users=60, new_share=0.05, heavy_share=0.2), seed=1)
    arms = {"a": Arm(name="a", strategy=Popular()), "b": Arm(name="b", strategy=Random())}
    found = true_lifts(world, arms, control="a", days=1)
    run = simulate(world, [arms["a"]], days=1).users
    came = {cohort for cohort, total in run.select(run["cohort"].cast(str), "expected_clicks").rows() if total > 0}
    assert set(found.values["b"]) == {OVERALL, *(("cohort", cohort) for cohort in came)}
    assert came < set(run["cohort"].cast(str))


def test_the_family_has_a_dozen_and_every_kind() -> None:
    assert len(FAMILY) >= 12 and {"random", "popular"} <= set(FAMILY)
    assert len({parameters.get("model", name) for name, parameters in FAMILY.items()}) >= 6
