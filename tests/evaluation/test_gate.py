"""Gates: outcomes by hand, over the whole interval; a simulated chance of a wrong pass; names that do not exist."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

import reclens as rl
from reclens.errors import UnknownNameError, UsageError
from reclens.evaluation import Bound, GateResult, GateRule, no_loss_rules
from reclens.report import gate_in_words, gate_table
from reclens.stats.bootstrap import estimate
from reclens.stats.estimate import Estimate
from reclens.stats.gate import decide, judge
from reclens.stats.proportions import exact_interval
from reclens.stats.summary import Summary


@pytest.mark.parametrize(
    ("bound", "low", "high", "outcome"),
    [
        (Bound(at_least=0.2), 0.2, 0.3, "pass"),
        (Bound(at_least=0.2), 0.199, 0.3, "cannot_tell"),
        (Bound(at_least=0.2), 0.1, 0.2, "cannot_tell"),
        (Bound(at_least=0.2), 0.1, 0.199, "fail"),
        (Bound(at_least=0.2, tolerance=0.05), 0.15, 0.3, "pass"),
        (Bound(at_least=0.2, tolerance=0.05), 0.1, 0.149, "fail"),
        (Bound(at_most=0.2), 0.1, 0.2, "pass"),
        (Bound(at_most=0.2), 0.1, 0.21, "cannot_tell"),
        (Bound(at_most=0.2), 0.21, 0.3, "fail"),
        (Bound(at_most=0.2, tolerance=0.05), 0.1, 0.25, "pass"),
        (Bound(at_least=0.1, at_most=0.2), 0.1, 0.2, "pass"),
        (Bound(at_least=0.1, at_most=0.2), 0.05, 0.25, "cannot_tell"),
        (Bound(at_least=0.1, at_most=0.2), 0.21, 0.25, "fail"),
    ],
)
def test_the_whole_interval_decides(bound: Bound, low: float, high: float, outcome: str) -> None:
    assert decide(bound, (low + high) / 2, low, high) == (outcome, "interval")


def test_what_has_no_interval() -> None:
    bound = Bound(at_least=0.5)
    assert decide(bound, 0.5, None, None, exact=True) == ("pass", "exact")
    assert decide(bound, 0.49, None, None, exact=True) == ("fail", "exact")
    assert decide(bound, 0.9, None, None) == ("cannot_tell", "no_interval")
    for ends in ((0.8, None), (None, 1.0), (math.nan, 1.0), (0.8, math.nan)):
        assert decide(bound, 0.9, *ends) == ("cannot_tell", "no_interval")
    assert decide(bound, math.nan, 0.6, 0.7, exact=True) == ("cannot_tell", "not_measured")
    assert decide(bound, 0.9, 0.8, 1.0, few=True) == ("cannot_tell", "few_units")


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(-1, 1), st.floats(0, 0.5))
def test_both_sides_mirror_each_other(middle: float, half: float, at: float, tolerance: float) -> None:
    lower = decide(Bound(at_least=at, tolerance=tolerance), middle, middle - half, middle + half)
    upper = decide(Bound(at_most=-at, tolerance=tolerance), -middle, -middle - half, half - middle)
    assert lower == upper


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"at_least": math.nan},
        {"at_most": math.inf},
        {"at_least": 1, "tolerance": -1},
        {"at_least": 2, "at_most": 1},
    ],
)
def test_bounds_that_are_none(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Bound(**wrong)


@pytest.fixture(scope="module")
def measured() -> tuple[dict[str, rl.evaluation.Evaluation], rl.evaluation.Comparison]:
    """80 users: "ours" has a hit for all but 4, "base" for the first 40; 20 users are "few"."""
    users = list(range(80))
    truth = {"user_id": users, "item_id": [1] * 80}
    held = pl.DataFrame({"user_id": users, "item_id": [9] * 80})
    train = rl.Dataset(held, users=pl.DataFrame({"user_id": users, "plan": ["few"] * 20 + ["many"] * 60}))
    train = train.with_segments(plan="plan")
    hits = {"ours": [1] * 76 + [2] * 4, "base": [1] * 40 + [2] * 40}
    results = {
        name: rl.evaluate(
            {"user_id": users, "item_id": items, "rank": [1] * 80},
            truth,
            train=train,
            metrics=["hit_rate@1", "coverage@1"],
            by=["plan"],
        )
        for name, items in hits.items()
    }
    return results, rl.compare(results, baseline="base")


def outcomes(found: GateResult) -> list[tuple[str, str, str]]:
    return [(row.system, row.segment, row.outcome) for row in found.rows]


def test_values_differences_segments_and_facts(measured) -> None:
    results, comparison = measured
    # Wilson's interval of 76 in 80 is [0.878, 0.980], of 40 in 80 [0.393, 0.607].
    value = GateRule(metric="HR@1", bound=Bound(at_least=0.87))
    assert outcomes(rl.gate(results, [value])) == [("ours", "all", "pass"), ("base", "all", "fail")]
    near = GateRule(metric="hit_rate@1", bound=Bound(at_least=0.5), system="base")
    assert outcomes(rl.gate(results, [near])) == [("base", "all", "cannot_tell")]
    gain = GateRule(metric="hit_rate@1", of="difference", bound=Bound(at_least=0.3))
    found = rl.gate(results, [gain], comparison=comparison)
    assert outcomes(found) == [("ours", "all", "pass")] and found.rows[0].value == pytest.approx(0.45)
    parts = GateRule(metric="hit_rate@1", by="plan", system="ours", bound=Bound(at_least=0.8))
    assert outcomes(rl.gate(results, [parts])) == [("ours", "few", "cannot_tell"), ("ours", "many", "pass")]
    assert {row.reason for row in rl.gate(results, [parts]).rows} == {"few_units", "interval"}
    shown = GateRule(metric="coverage@1", bound=Bound(at_least=1.0))
    assert [row.reason for row in rl.gate(results, [shown]).rows] == ["exact", "exact"]


def test_what_closes_a_gate(measured) -> None:
    results, comparison = measured
    unsure = {"metric": "hit_rate@1", "bound": Bound(at_least=0.5), "system": "base"}
    assert not rl.gate(results, [GateRule(**unsure)]).is_open
    assert rl.gate(results, [GateRule(**unsure, unsure="pass")]).is_open
    fails = GateRule(metric="hit_rate@1", bound=Bound(at_least=0.9), system="base", unsure="pass")
    held = rl.gate(results, [GateRule(**unsure, unsure="pass"), fails])
    assert not held.is_open and gate_in_words(held) == "gate closed: of 2 rows, 1 fail, 1 cannot tell"
    assert [cells[1] for cells in gate_table(held).rows] == ["cannot tell (let through)", "fail"]
    # Against the better one, the other loses; against the worse one nobody does.
    assert rl.gate(results, no_loss_rules(comparison), comparison=comparison).is_open
    worse = rl.compare(results, baseline="ours")
    assert not rl.gate(results, no_loss_rules(worse), comparison=worse).is_open


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"metric": "ndcg@7"}, UnknownNameError),
        ({"system": "their"}, UnknownNameError),
        ({"by": "plam"}, UnknownNameError),
        ({"by": "plan", "segment": "fw"}, UnknownNameError),
        ({"segment": "few"}, UsageError),
        ({"of": "difference"}, UsageError),
    ],
)
def test_names_that_do_not_exist(measured, wrong: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        rl.gate(measured[0], [GateRule(**{"metric": "hit_rate@1", "bound": Bound(at_least=0)} | wrong)])


def test_a_gate_without_rules_is_refused(measured) -> None:
    with pytest.raises(UsageError, match="no rule"):
        rl.gate(measured[0], [])


@pytest.mark.parametrize("hits", [0, 1, 8, 39, 40])
def test_a_share_of_users_has_the_interval_of_clopper_and_pearson(hits: int) -> None:
    found = exact_interval(hits, 40)
    assert found == pytest.approx(tuple(binomtest(hits, 40).proportion_ci(0.95, "exact")), abs=1e-12)
    ninety = tuple(binomtest(hits, 40).proportion_ci(0.9, "exact"))
    assert exact_interval(hits, 40, level=0.9) == pytest.approx(ninety, abs=1e-12)


def hit_rate_of(hits: int, n: int) -> rl.evaluation.Evaluation:
    """Item 1 is relevant, and stands first for some users and second for the others."""
    items = [1, 2] * hits + [2, 1] * (n - hits)
    lists = {"user_id": [user for user in range(n) for _ in range(2)], "item_id": items, "rank": [1, 2] * n}
    return rl.evaluate(lists, {"user_id": list(range(n)), "item_id": [1] * n}, metrics=["hit_rate@1"])


@pytest.mark.parametrize("side", ["at_least", "at_most"])
@pytest.mark.parametrize("rate", [0.05, 0.3, 0.97])
def test_a_broken_bound_of_a_share_passes_in_no_more_than_one_tail(rate: float, side: str) -> None:
    """By the chances of all outcomes: the interval of the evaluation, Wilson's, passes .05 in 6 % of samples of 30."""
    n = 30
    chances = binom.pmf(range(n + 1), n, rate)
    rule = GateRule(metric="hit_rate@1", bound=Bound(**{side: rate}))
    # The tail that matters: outcomes from the mean outwards, up to the first that has no chance.
    away = [k for k in range(n + 1) if (k > n * rate) == (side == "at_least") and chances[k] > 1e-4]
    passes = [k for k in away if rl.gate({"a": hit_rate_of(k, n)}, [rule]).rows[0].outcome == "pass"]
    wrong = sum(chances[k] for k in passes)
    assert wrong <= 0.025
    assert wrong > 0.005 or rate != 0.3  # not because nothing ever passes


def test_values_of_fewer_than_thirty_users_cannot_be_told_and_facts_can() -> None:
    rule = GateRule(metric="hit_rate@1", bound=Bound(at_least=0.1))
    found = [rl.gate({"a": hit_rate_of(n, n)}, [rule]).rows[0] for n in (29, 30)]
    assert [(row.outcome, row.reason) for row in found] == [("cannot_tell", "few_units"), ("pass", "interval")]
    lists = {"user_id": [1], "item_id": [1], "rank": [1]}
    shown = rl.evaluate(lists, {"user_id": [1], "item_id": [1]}, metrics=["coverage@1"], catalogue=[1])
    fact = GateRule(metric="coverage@1", bound=Bound(at_least=0.5))
    assert rl.gate({"a": shown}, [fact]).rows[0].reason == "exact"


def test_nothing_passes_by_an_interval_that_is_known_to_be_too_narrow() -> None:
    bound = Bound(at_most=0.5)
    assert decide(bound, 0.3, 0.2, 0.4, narrow=True) == ("cannot_tell", "low_coverage")
    assert decide(bound, 0.7, 0.6, 0.8, narrow=True) == ("fail", "interval")


def test_a_heavy_tail_seldom_passes_a_bound_that_it_breaks(rate_error) -> None:
    """Means of 50 lognormal values at their bound: by the interval alone, 8 % are found to be below it."""
    rng, runs, passed, alone = np.random.default_rng(3), 400, 0, 0
    bound = Bound(at_most=math.exp(1.125))
    for seed in range(runs):
        keys = rng.integers(0, 2**63, 50).astype(np.uint64)
        summary = Summary.of(keys, {"x": rng.lognormal(0, 1.5, 50)}, replicates=400, seed=seed, threads=1)
        found = estimate(summary, ("overall", "all"), "x")
        assert found.low is not None and found.high is not None
        ends = (found.value, found.low, found.high)
        alone += decide(bound, *ends)[0] == "pass"
        passed += decide(bound, *ends, narrow=found.coverage is not None)[0] == "pass"
    assert alone / runs > 0.025 + rate_error(0.025, runs)
    assert passed / runs <= 0.025 + rate_error(0.025, runs)


def test_a_bound_that_is_broken_seldom_passes(rate_error) -> None:
    """The true share is just below the bound: its rule passes in at most 2.5 % of samples."""
    from reclens.stats.proportions import proportion

    rng, runs, share = np.random.default_rng(7), 2000, 0.3
    passed = 0
    for count in rng.binomial(400, share - 1e-9, runs):
        found = proportion(int(count), 400)
        assert found.low is not None and found.high is not None
        passed += decide(Bound(at_least=share), found.value, found.low, found.high)[0] == "pass"
    assert passed / runs <= 0.025 + rate_error(0.025, runs)


@pytest.mark.parametrize(
    ("narrow", "outcome"), [(False, ("pass", "interval")), (True, ("cannot_tell", "low_coverage"))]
)
def test_nothing_passes_by_an_interval_of_low_coverage(narrow: bool, outcome: tuple[str, str]) -> None:
    found = Estimate(0.3, low=0.28, high=0.32, n=50, level=0.9)
    about = {"system": "ease", "metric": "ndcg@10", "of": "value", "by": "overall", "segment": "all", "unsure": "fail"}
    row = judge(Bound(at_least=0.25), found, **about, narrow=narrow)  # type: ignore[arg-type]
    assert (row.outcome, row.reason) == outcome and row.stops == narrow
    assert (row.value, row.low, row.high, row.n, row.level) == (0.3, 0.28, 0.32, 50, 0.9)
