"""The sentences of plans and readouts follow from the records, and name parameters as each surface does."""

from __future__ import annotations

import tomllib
from typing import Any

import numpy as np
import pytest
from scipy import stats

from reclens.cli.option_names import as_option
from reclens.errors import in_python
from reclens.experiment import Plan
from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.analysis.readout import Readout, read_sums
from reclens.experiment.off_policy import Decisions, evaluate_policy
from reclens.experiment.planning.plan import EXAMPLE_PLAN, load_plan
from reclens.report.experiment.check_words import check_text
from reclens.report.experiment.decision_words import decision_sentences, summary_of_readout
from reclens.report.experiment.off_policy_words import off_policy_text, refusal_text
from reclens.report.experiment.plan_words import decision_rule, describe_checks
from reclens.report.experiment.readout import build_readout
from reclens.report.experiment.remark_words import adjustment_sentences, caveat_sentences, step_sentences

CLICKS = {"name": "clicks", "value": "y"}
OBF = {"sequential": {"method": "group", "looks": 4}, "days": 28}


def plan(*metrics: dict[str, Any], arms: tuple[str, ...] = ("a", "b"), **more: Any) -> Plan:
    shares = {arm: 1 / len(arms) for arm in arms}
    return Plan(**({"name": "t", "arms": shares, "metrics": metrics or ({**CLICKS, "effect": 0.15},)} | more))


def sums(n: int = 1000, sd: float = 100.0, **gaps: float) -> Aggregates:
    """Arms of n units: control ``a`` has a mean of 100, the others so much more."""
    rows = [
        {"arm": arm, "n": n, "sum:y": 0.0, "shift:y": 100.0 + gap, "product:y:y": (n - 1) * sd**2}
        for arm, gap in {"a": 0.0, **gaps}.items()
    ]
    return Aggregates.of_rows(rows, arms=["a", *gaps])


def check_of(found: Readout, code: str) -> Any:
    return next(each for each in found.trust_checks if each.code == code)


def test_the_decision_says_what_it_rests_on() -> None:
    found = read_sums(plan(), sums(b=20.0))
    first, second = decision_sentences(found, found.decisions[0])
    assert first == "Ship b: it improves clicks, and the plan has no guardrail."
    assert second.startswith("clicks: +20.00% [") and second.endswith("better, p < 0.0001.")
    rail = {**CLICKS, "name": "kept", "role": "guardrail", "margin": 0.05}
    railed = read_sums(plan({**CLICKS, "effect": 0.15}, rail, arms=("a", "b", "c")), sums(b=20.0, c=0.0))
    safe = decision_sentences(railed, railed.decisions[0])
    assert safe[0].endswith("every guardrail holds.") and "after correction" in safe[1]
    assert safe[2].startswith("Guardrail kept holds: +20.00% [") and safe[2].endswith("it may fall by 5.00%.")


def test_of_several_winners_each_is_named_with_the_one_ahead() -> None:
    found = read_sums(plan(arms=("a", "b", "c")), sums(b=20.0, c=26.0))
    said = decision_sentences(found, found.decisions[0])
    assert said[0].startswith("Ship b or c, one of them: it improves clicks")
    assert said[1] == "b and c are each better than a. By clicks, c is ahead."
    p = 2 * stats.t.sf(6 / 20**0.5, 1998)
    assert said[2].startswith("c against b: clicks +5.00% [") and said[2].endswith(f"p = {p:.2g}.")
    assert step_sentences(found) == ["Roll out one of b, c, and keep a holdout to see whether the effect lasts."]
    summary = summary_of_readout(found)
    assert summary[:2] == [said[0], decision_sentences(found, found.decisions[1])[0]] and f"b: {said[1]}" in summary


def test_a_failed_check_is_the_reason_and_the_next_step() -> None:
    early = read_sums(plan(days=28), sums(b=20.0), days=7)
    said = decision_sentences(early, early.decisions[0])
    assert said[0] == "No decision on b: 1 trust check fails." and said[1].startswith(
        "Peeking: Only 25% of the planned"
    )
    assert step_sentences(early)[0].startswith("Wait for the planned end or look")
    weak = read_sums(plan({**CLICKS, "effect": 0.01}), sums(b=1.0))
    assert step_sentences(weak)[0].startswith("Run longer, or plan a test of more units")


@pytest.mark.parametrize(
    ("asked", "more", "python", "options"),
    [
        ({"days": 28}, {"days": 7}, "(days=)", "(--days)"),
        (
            {"days": 28},
            {},
            "days= (with days in the plan) or planned_units=",
            "--days (with days in the plan) or --planned-units",
        ),
        (
            OBF,
            {},
            "days= (with days in the plan) or planned_units=",
            "--days (with days in the plan) or --planned-units",
        ),
        (OBF, {"days": 17}, "(looks_taken=)", "(--looks-taken)"),
        ({}, {}, "planned_units= tells", "--planned-units tells"),
    ],
)
def test_each_surface_names_what_is_missing_in_its_own_way(
    asked: dict[str, Any], more: dict[str, Any], python: str, options: str
) -> None:
    found = read_sums(plan(**asked), sums(b=20.0), **more)
    peeking = check_of(found, "peeking")
    for named, text, other in ((in_python, python, "--"), (as_option, options, "=")):
        said = check_text(peeking, named)
        assert text in said and other not in said
    page = build_readout(found).markdown.split("## How it was decided")[0].replace("| --", "")
    assert "--" not in page.replace("---", "") and python.replace("_", "\\_") in page


def test_chance_is_one_over_p() -> None:
    for n, d, p, often in ((125_000, 657, "0.0086", 116), (5_000, 164, "0.001", 963), (5_000, 98, "0.05", 20)):
        cells = [{"arm": "a", "n": n + d}, {"arm": "b", "n": n - d}]
        rows = [{**each, "sum:y": 0.0, "product:y:y": 5.0 * each["n"]} for each in cells]
        found = read_sums(plan(), Aggregates.of_rows(rows, arms=["a", "b"]))
        assert stats.chisquare([n + d, n - d]).pvalue == pytest.approx(1 / often, rel=0.03)
        assert check_text(check_of(found, "sample_ratio")) == (
            f"a {n + d:,}, b {n - d:,} units, planned 50%, 50%: p = {p}: chance makes one in {often} experiments as "
            "uneven; only below 0.001 is it beyond chance."
        )


def test_a_stop_and_its_plain_estimate_are_told() -> None:
    found = read_sums(plan(**OBF), sums(n=4000, b=26.0), days=14)
    (stop,) = [each for each in found.adjustments if each.code == "stopped_here"]
    text = next(text for text in adjustment_sentences(found) if "allows for the stop" in text)
    assert f"{stop['plain']:+.2%}, is too large" in text
    assert found.effects[0].stopped is not None
    assert f"{found.effects[0].stopped.median_unbiased:+.2%}" in decision_sentences(found, found.decisions[0])[1]
    assert any(text.endswith("interference is not in the intervals.") for text in caveat_sentences(found))


def test_the_rule_of_several_questions_names_their_correction() -> None:
    said = " ".join(decision_rule(plan(arms=("a", "b", "c"))))
    assert (
        "Ship an arm if the whole 95% interval of clicks lies above zero with a p-value of at most 0.05 after" in said
    )
    assert "after correction over all primary metrics and arms (holm)" in said
    assert "correction" not in " ".join(decision_rule(plan()))


def test_the_rule_says_what_is_immaterial_before_the_data_are_seen() -> None:
    price = {"name": "price", "value": "z", "role": "guardrail", "margin": 0.02, "equivalence": True}
    rule = " ".join(decision_rule(plan({**CLICKS, "margin": 0.02}, price)))
    assert "every primary metric lies within its margin (clicks within ±2.00%)" in rule
    assert "price ±2.00% of control" in rule
    assert "material" not in " ".join(decision_rule(load_plan(tomllib.loads(EXAMPLE_PLAN))))


def test_the_plan_describes_its_checks() -> None:
    power = next(text for text in describe_checks(plan()) if text.startswith("Power"))
    assert "at least 50% for the smallest effect" in power and "less than the planned 80% is a caveat" in power
    assert any(text.startswith("Triggered units") for text in describe_checks(plan(triggered="met")))


def test_what_a_log_cannot_tell_is_said() -> None:
    rewards = np.random.default_rng(8).random(2_000)
    greedy = Decisions.of(np.zeros(2_000, int), rewards, np.ones(2_000), n_actions=2)
    said = off_policy_text(evaluate_policy(greedy, np.array([0.5, 0.5])))
    assert said.startswith("No verdict. Every propensity is 1") and "50% of what the target would do" in said
    heavy = Decisions.of([0] * 999 + [1], np.linspace(0, 1, 1_000), [0.999] * 999 + [0.001])
    assert "One decision has 50% of all weight" in off_policy_text(evaluate_policy(heavy, np.array([0.5, 0.5])))
    log = Decisions.of([0, 1] * 1_000, rewards, np.full(2_000, 0.5))
    found = evaluate_policy(log, np.array([0.5, 0.5]))
    assert off_policy_text(found).startswith(
        "No verdict by dr: its difference rests on too few rewarded decisions (0.0)"
    )
    other = evaluate_policy(log, np.array([0.7, 0.3]))
    assert off_policy_text(other).startswith("The log cannot tell who earns more: ")
    assert refusal_text(found["dm"]) == "it has no interval: the log cannot say how wrong the model of rewards is"


def test_an_undecided_arm_says_how_many_more_units_find_the_planned_effect() -> None:
    # A standard error of √20 on 100 finds 2.80 times that with a power of 80 %; units grow by the square.
    found = read_sums(plan({**CLICKS, "effect": 0.1}), sums(b=0.0))
    detectable = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * 20**0.5 / 100
    (step,) = found.next_steps
    assert step["clicks"] == pytest.approx((detectable / 0.1) ** 2, rel=1e-3)
    assert step_sentences(found)[0].endswith("clicks: 1.6 times the users for an effect of 10.00%.")
