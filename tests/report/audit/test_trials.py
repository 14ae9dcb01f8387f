"""The chapter of mitigation trials: its numbers, its price on the page that decides, and what it does not say."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

import pytest

from reclens.audit import Audit
from reclens.audit.mitigate.gaps import ItemGap
from reclens.audit.mitigate.lab import Mitigation
from reclens.audit.mitigate.long_run import LongRun
from reclens.audit.mitigate.standard import RERANKERS, WEIGHTINGS, LeftOut, LeftOutReason
from reclens.audit.mitigate.trials import Choice, Levelling, Sweep, Trial
from reclens.audit.mitigate.who_pays import Change, Payer, Side
from reclens.report.audit import charts_trials, trials
from reclens.report.audit.document import build_audit_report
from reclens.report.audit.parts import first_actions_part
from reclens.report.audit.words import LEFT_OUT, MITIGATIONS, REMEDIES
from reclens.stats.estimate import Estimate


def near(value: float) -> Estimate:
    return Estimate(value, low=value - 0.01, high=value + 0.01, n=99)


def trial(name: str, strength: float, lost: float, closed: float, **more: Any) -> Trial:
    paid = (
        Payer(side="users", by="overall", group="all", before=0.4, change=near(-lost), code="loses"),
        Payer(side="users", by="sex", group="f", before=0.3, change=near(-0.02), code="loses"),
        Payer(side="items", by="seller", group="small", before=0.1, change=near(closed), code="gains"),
        Payer(side="items_within", by="(within)", group="small / tail", before=0.05, change=near(0), code="undecided"),
    )
    about: dict[str, Any] = {"levelling_down": "none", "turned": False, "on_front": True, "payers": paid} | more
    return Trial(
        mitigation=name,
        strength=strength,
        accuracy=near(0.4 - lost),
        accuracy_lost=near(lost),
        gap=near(0.2 - closed),
        gap_closed=near(closed),
        share_closed=closed / 0.2,
        worse_side=near(closed),
        better_side=near(-closed),
        seconds=1.0,
        distance=None,
        **about,
    )


@pytest.fixture(scope="module")
def tried() -> Mitigation:
    swept = (
        trial("none", 0.0, 0.0, 0.0, payers=()),
        trial("xquad", 0.5, 0.03, 0.1),
        trial("xquad", 0.25, 0.004, 0.02, on_front=False),
        trial("dual_prices", 0.5, 0.006, 0.12),
        trial("group_weights", 1.0, 0.001, 0.02, levelling_down="shown"),
    )
    runs = tuple(
        LongRun(
            mitigation=name,
            strength=0.5,
            measure="consumption",
            without=2.0,
            value=Estimate(2.0 + change, low=1.9, high=2.1, n=5),
            change=Estimate(change, low=change - 0.05, high=change + 0.05, n=5),
        )
        for name, change in (("none", 0.0), ("xquad", 0.06), ("dual_prices", -0.06))
    )
    return Mitigation(
        validation=Sweep(gap=ItemGap("seller", "small"), metric="ndcg@10", trials=swept, knee=3, n=99),
        choice=Choice(mitigation="dual_prices", strength=0.5, rule="budget", most_lost=0.05, looked_at=4),
        test=trial("dual_prices", 0.5, 0.008, 0.11),
        held_out="users",
        left_out=(LeftOut("det_cons", "several_labels"),),
        loop=runs,
    )


def test_every_code_has_words() -> None:
    assert set(trials.LEVELLING) == set(get_args(Levelling)) and set(trials.SIDES) == set(get_args(Side))
    assert set(trials.CODES) == set(get_args(Change)) and set(LEFT_OUT) == set(get_args(LeftOutReason))
    assert {*RERANKERS, *WEIGHTINGS, "none"} == set(MITIGATIONS)
    assert set(REMEDIES) == set(trials.ADVISED)
    priced = {name for names in trials.ADVISED.values() for name in names}
    assert priced | {"mmr"} == {*RERANKERS, *WEIGHTINGS}  # diversity alone is nobody's advice against a gap


def test_the_chapter_tells_the_choice_and_who_pays(tried: Mitigation) -> None:
    part = trials.trials_part(tried)
    assert part.tables[0].rows[1][:4] == (
        "xQuAD 0.5",
        "+0.0300 [+0.0200, +0.0400]",
        "+0.1000 [+0.0900, +0.1100]",
        "50%",
    )
    assert "half of the users" in part.lead and "99 users" in part.lead
    said = " ".join(part.points)
    # 0.11 of a gap of 0.2, for 0.008 of an accuracy of 0.4: on test, and not the 0.12 of validation.
    assert (
        "closes 55% of the gap of small (seller)" in said
        and "costs 0.0080 [-0.0020, 0.0180] of ndcg@10 (2.0%)" in said
        and "60%" not in said
    )
    assert "Certainly lose by exposure constraint 0.5: f." in said and "DetCons" in said
    assert "of 2 mitigations 1 certainly cost consumption over all rounds, 1 certainly do not" in said
    assert len(part.figures) == 4 and len(part.tables) == 3
    assert [row[4] for row in part.tables[1].rows] == ["loses", "loses", "gains", "cannot tell"]
    assert part.tables[2].rows == (
        ("none", "2.000"),
        ("xQuAD 0.5", "+0.0600 [+0.0100, +0.1100]"),
        ("exposure constraint 0.5", "-0.0600 [-0.1100, -0.0100]"),
    )
    kinds = [row["table"] for row in trials.trial_records(tried)]
    assert [kinds.count(kind) for kind in ("trial", "who_pays", "long_run")] == [6, 20, 3]
    assert not trials.trials_part(None).figures


def test_a_price_is_that_of_test_for_what_was_chosen_and_of_validation_for_the_rest(tried: Mitigation) -> None:
    priced = {code: trials.price_sentence(tried, code) for code in (*trials.ADVISED, "more_candidates")}
    assert priced["more_candidates"] is None and priced["rerank_calibrated"] is None
    assert "on test" in str(priced["rerank_exposure"]) and "costs 0.0080" in str(priced["rerank_exposure"])
    assert "1 of 1 groups of users certainly lose" in str(priced["rerank_exposure"])
    # xQuAD 0.5 loses 0.03 of 0.4, more than 5 %: the weaker one is the price.
    assert "on validation: xQuAD 0.25" in str(priced["rerank_popularity"])
    assert "no strength" in str(priced["weight_training"])  # it only levels down
    nothing = dataclasses.replace(
        tried, test=None, choice=Choice(mitigation="none", strength=0.0, rule="budget", most_lost=0.05, looked_at=4)
    )
    assert "on validation" in str(trials.price_sentence(nothing, "rerank_exposure"))
    assert "nothing was chosen" in trials.choice_sentence(nothing)


def test_the_page_that_decides_has_the_price(audit: Audit, tried: Mitigation) -> None:
    assert "no price is known" in first_actions_part(audit).lead
    points = first_actions_part(dataclasses.replace(audit, mitigation=tried)).points
    assert any("Price, on test: exposure constraint 0.5" in each for each in points)
    written = build_audit_report(dataclasses.replace(audit, mitigation=tried))
    heads = written.written.markdown.index("## Mitigation trials")
    assert "Who pays for exposure constraint 0.5" in written.written.markdown[heads:]


def test_dumbbells_and_front_show_the_trials(tried: Mitigation) -> None:
    assert tried.test is not None
    chart = charts_trials.dumbbell_chart(tried.test, "users", "ndcg@10")
    assert chart is not None
    bars = chart.to_dict(validate=False)["layer"][0]["data"]["values"]
    assert [(row["label"], row["before"], round(row["after"], 3)) for row in bars] == [
        ("all users", 0.4, 0.392),
        ("f (sex)", 0.3, 0.28),
    ]
    spec = charts_trials.pareto_chart(tried.validation, tried.choice).to_dict(validate=False)
    dots = {row["name"]: row for row in (spec.get("data") or spec["layer"][0]["data"])["values"]}
    assert dots["exposure constraint 0.5"]["knee"] and dots["exposure constraint 0.5"]["chosen"]
    assert dots["group weights 1"]["standing"] == "closes by harming both sides"
    assert not dots["xQuAD 0.25"]["front"] and len(dots) == 5
    with_nothing = dataclasses.replace(tried.test, payers=())
    assert charts_trials.dumbbell_chart(with_nothing, "items", "ndcg@10") is None
