"""Equivalence in an experiment: guardrails that must not move either way, and differences that do not matter."""

from __future__ import annotations

from typing import Any

import pytest

from reclens.errors import UsageError
from reclens.experiment import Plan
from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.analysis.readout import Readout, read_sums
from reclens.experiment.planning.calculator import calculate
from reclens.experiment.planning.sizing import size_plan
from reclens.report.experiment.plan import build_plan_document

MATTERS = {"name": "clicks", "value": "y", "margin": 0.02}
PRICE = {"name": "price", "value": "z", "role": "guardrail", "margin": 0.02, "equivalence": True}


def plan(*metrics: dict[str, Any], **more: Any) -> Plan:
    return Plan(name="t", arms={"a": 0.5, "b": 0.5}, metrics=metrics, **more)


def read(of: Plan, n: int = 10_000, sd: float = 50.0, **lifts: float) -> Readout:
    """Arms of n units with means of 100 and 100 times one plus the lift, of each column."""
    rows = []
    for arm in ("a", "b"):
        row: dict[str, Any] = {"arm": arm, "n": n}
        for column, lift in lifts.items():
            mean = 100 * (1 + (lift if arm == "b" else 0.0))
            row |= {f"sum:{column}": n * mean, f"product:{column}:{column}": (n - 1) * sd**2 + n * mean**2}
        rows.append(row)
    return read_sums(of, Aggregates.of_rows(rows, arms=["a", "b"]))


# The standard error of a lift is 0.71 %, so that its interval is about ±1.39 points wide.
@pytest.mark.parametrize(
    ("lift", "verdict", "word"),
    [
        (0.0, "no_material_difference", "no_material_difference"),
        (0.005, "no_material_difference", "no_material_difference"),
        (0.008, "no_difference_shown", "undecided"),
        (-0.008, "no_difference_shown", "undecided"),
        (0.018, "better", "ship"),
        (-0.018, "worse", "do_not_ship"),
    ],
)
def test_a_primary_metric_within_its_margin_has_no_material_difference(lift: float, verdict: str, word: str) -> None:
    found = read(plan(MATTERS), y=lift)
    effect = found.effects[0]
    assert effect.verdict == verdict and found.decisions[0].code == word
    assert effect.relative.low is not None and effect.relative.high is not None
    within = effect.relative.low > -0.02 and effect.relative.high < 0.02
    assert within == (verdict == "no_material_difference") == (effect.p_equivalence <= 0.025)
    assert effect.to_dicts()[0]["p_equivalence"] == effect.p_equivalence


def test_a_difference_that_is_significant_and_immaterial_does_not_matter() -> None:
    # 40,000 units an arm: ±0.7 points.
    found = read(plan(MATTERS), n=40_000, y=-0.01)
    assert found.effects[0].p_value < 0.01 and found.effects[0].verdict == "no_material_difference"
    assert found.decisions[0].code == "no_material_difference"
    assert found.decisions[0].metrics == ("clicks",)
    assert [step.code for step in found.next_steps] == ["choose_by_cost"]


@pytest.mark.parametrize(
    ("lift", "verdict", "word"),
    [
        (0.0, "holds", "ship"),
        (0.008, "not_shown_to_hold", "undecided"),
        (-0.008, "not_shown_to_hold", "undecided"),
        (0.04, "broken", "do_not_ship"),
        (-0.04, "broken", "do_not_ship"),
    ],
)
def test_a_guardrail_of_equivalence_must_not_move_either_way(lift: float, verdict: str, word: str) -> None:
    asked = plan({"name": "clicks", "value": "y"}, PRICE)
    found = read(asked, y=0.05, z=lift)
    rail = found.effects[1]
    assert rail.verdict == verdict and found.decisions[0].code == word
    assert rail.relative.low is not None and rail.relative.high is not None
    assert (rail.p_adjusted <= 0.025) == (verdict == "holds") == (max(-rail.relative.low, rail.relative.high) < 0.02)
    # The same margin as one of non-inferiority is broken on one side alone.
    one = read(plan({"name": "clicks", "value": "y"}, PRICE | {"equivalence": False}), y=0.05, z=lift).effects[1]
    assert one.verdict == ("holds" if lift >= 0 else verdict)


def test_an_open_guardrail_leaves_no_material_difference_undecided() -> None:
    found = read(plan(MATTERS, PRICE), y=0.0, z=0.008)
    assert found.effects[0].verdict == "no_material_difference" and found.decisions[0].code == "undecided"
    assert read(plan(MATTERS, PRICE), y=0.0, z=0.04).decisions[0].code == "do_not_ship"


def test_looks_on_the_way_widen_what_has_to_lie_within() -> None:
    # At the first of four looks the bound is 4.33 and not 1.96: what is shown at the end is not shown there.
    asked = plan(MATTERS, days=28, sequential={"looks": 4})
    sums = Aggregates.of_rows(
        [{"arm": arm, "n": 10_000, "sum:y": 1e6, "product:y:y": 9_999 * 2500.0 + 1e8} for arm in ("a", "b")],
        arms=["a", "b"],
    )
    assert read_sums(asked, sums, days=28).effects[0].verdict == "no_material_difference"
    assert read_sums(asked, sums, days=7).effects[0].verdict == "no_difference_shown"


def test_plans_that_ask_for_equivalence_are_sized_for_it() -> None:
    known = {"baseline": {"mean": 100.0, "sd": 50.0}}
    sizing = size_plan(plan(MATTERS | known, PRICE | known, days=10, daily_units=5000))
    page = build_plan_document(sizing).markdown
    assert "clicks decides. That the difference lies within ±2.00% is shown with a power of 80%" in page
    assert "price may move by ±2.00%" in page and "equivalence: the interval has to lie within ±2.00%" in page
    # Two arms: n = 2 · (σ ÷ μ)² (z₀.₉₇₅ + z₀.₉)² ÷ margin², by the normal distribution.
    n = 2 * 0.25 * (1.959964 + 1.281552) ** 2 / 0.02**2
    for name in ("clicks", "price"):
        size, question = sizing[name].size, sizing[name].question
        assert size is not None and size.n_control == pytest.approx(n, rel=1e-3)
        assert question is not None and question.equivalence
    # With an effect worth finding, that is what a metric is sized for, and its margin is read only.
    found = size_plan(plan(MATTERS | known | {"effect": 0.05}))["clicks"]
    assert found.question is not None and found.question.margin is None and not found.question.equivalence
    # Too few units to show it: there is no effect that they would confirm.
    few = size_plan(plan(MATTERS | known, days=1, daily_units=500))["clicks"]
    assert few.achieved is not None and few.achieved < 0.1 and few.found is None


def test_the_calculator_answers_questions_of_equivalence() -> None:
    found = calculate(kind="mean", mean=100, sd=50, margin=0.02, equivalence=True)
    assert found.question.equivalence
    assert found.answer.n > calculate(kind="mean", mean=100, sd=50, margin=0.02).answer.n
    with pytest.raises(UsageError, match="margin is missing"):
        calculate(mean=0.2, effect=0.1, equivalence=True)


@pytest.mark.parametrize("kind", ["mean", "ratio", "quantile"])
def test_a_spread_is_never_guessed(kind: Any) -> None:
    # Below 1 a mean looks like a share; its spread is not that of a share for all that.
    for mean in (0.04, 3.0):
        with pytest.raises(UsageError, match=f"sd is missing: a {kind} needs"):
            calculate(kind=kind, mean=mean, effect=0.1)


@pytest.mark.parametrize(
    ("metric", "says"),
    [
        (MATTERS | {"equivalence": True}, "equivalence is given for 'clicks', which is primary"),
        (MATTERS | {"effect": 0.02}, "whose effect worth finding is 0.02"),
        (PRICE | {"margin": None}, "margin is missing for the guardrail 'price'"),
    ],
)
def test_margins_that_cannot_be_meant(metric: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        plan({"name": "x", "value": "x"}, metric)
