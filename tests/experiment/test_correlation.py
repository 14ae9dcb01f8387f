"""Offline against online: rank correlations against SciPy and by hand, lifts against runs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from reclens.errors import UnknownNameError, UsageError
from reclens.experiment.correlation import correlate, kendall, spearman
from reclens.experiment.family import FAMILY, OVERALL, Lifts, true_lifts
from reclens.stats.estimate import Estimate
from reclens.world.population import draw_world
from reclens.world.settings import preset
from reclens.world.simulate import Arm, simulate
from reclens.world.strategies import Oracle, Popular, Random


def test_correlations_are_scipys_and_their_intervals_cover(rng) -> None:
    a, b = rng.normal(size=14), rng.normal(size=14)
    assert spearman(a, b).value == pytest.approx(stats.spearmanr(a, b).statistic)
    assert kendall(a, b).value == pytest.approx(stats.kendalltau(a, b).statistic)
    # Normal pairs with correlation r have a rank correlation of 6/π asin(r/2), and a τ of 2/π asin(r).
    r, hits = 0.7, np.zeros(2)
    truth = (6 / np.pi * np.arcsin(r / 2), 2 / np.pi * np.arcsin(r))
    for _ in range(300):
        a = rng.normal(size=14)
        b = r * a + np.sqrt(1 - r**2) * rng.normal(size=14)
        for at, found in enumerate((spearman(a, b), kendall(a, b))):
            hits[at] += found.low is None or found.low <= truth[at] <= found.high
    assert (hits / 300 > 0.9).all(), hits / 300


def lifts(values: dict[str, float]) -> Lifts:
    cells = {name: {OVERALL: Estimate(value, value - 0.01, value + 0.01, 100)} for name, value in values.items()}
    return Lifts("a", "clicks", cells)


def test_regret_is_what_the_choice_of_a_metric_costs() -> None:
    truth = lifts({"a": 0.0, "b": 0.1, "c": 0.2, "d": 0.3, "e": 0.4})
    offline = {name: {OVERALL: {"good": at, "bad": -at, "flat": 1.0}} for at, name in enumerate("abcde")}
    found = correlate(offline, truth)
    by_name = {each.metric: each for each in found.correlations}
    assert found.correlations[0].metric == "good" and by_name["good"].regret == 0
    assert by_name["good"].spearman.value == 1 and by_name["good"].spearman.low is None
    assert by_name["bad"].chosen == "a" and by_name["bad"].regret == pytest.approx(0.4)
    assert np.isnan(by_name["flat"].spearman.value)
    assert len(found.points) == 15 and len(found.to_dicts()) == 3
    with pytest.raises(UsageError, match="4 strategies"):
        correlate({name: offline[name] for name in "abcd"}, truth)


def test_lifts_are_the_ratios_of_runs_by_segment() -> None:
    world = draw_world(preset("tiny"), seed=1)
    arms = {"a": Arm(name="a", strategy=Popular()), "b": Arm(name="b", strategy=Oracle(world)),
            "c": Arm(name="c", strategy=Random())}  # fmt: skip
    found = true_lifts(world, arms, control="a", days=7, by="gender", replicates=3, seed=5)
    runs = {name: [simulate(world, [arm], days=7, seed=seed).users for seed in (5, 6, 7)] for name, arm in arms.items()}
    for name in "abc":
        for gender in ("female", "male"):
            sides = [np.array([run.filter(run["gender"] == gender)["expected_clicks"].sum() for run in runs[each]])
                     for each in (name, "a")]  # fmt: skip
            lift = found.values[name]["gender", gender]
            ratio = sides[0].sum() / sides[1].sum()
            assert lift.value == pytest.approx(ratio - 1)
            # Student's interval over the three, of the lift made linear.
            half = stats.t.ppf(0.975, 2) * stats.sem((sides[0] - ratio * sides[1]) / sides[1].mean())
            assert lift.high - lift.value == pytest.approx(half)
    once = true_lifts(world, arms, control="a", days=1, by=None, replicates=1)
    assert once.values["b"][OVERALL].low is None and "one draw" in once.values["b"][OVERALL].note
    assert found.values["a"][OVERALL].low == found.values["a"][OVERALL].high == 0
    assert found.values["b"][OVERALL].low > 0 > found.values["c"][OVERALL].high
    with pytest.raises(UnknownNameError, match="gender"):
        true_lifts(world, arms, control="a", by="gendr")
    with pytest.raises(UnknownNameError):
        true_lifts(world, arms, control="z")


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
