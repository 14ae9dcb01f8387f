"""Charts of gains and findings hold the numbers of the comparison."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from reclens.evaluation import findings as evaluation_findings_module
from reclens.evaluation.differences import Outcome
from reclens.evaluation.findings import OF_LISTS
from reclens.evaluation.overlap import IdProblem
from reclens.evaluation.protocol import TaskProblem
from reclens.models._core.degenerate import FitCode
from reclens.report.evaluation import comparison as gains
from reclens.report.evaluation import findings as finding_words
from reclens.report.evaluation.findings import finding_text, findings
from reclens.tuning.results import CautionKind

METRIC = "ndcg@10"


def rows(chart) -> list[dict]:
    spec = chart.to_dict()
    layers = [spec, *spec.get("layer", [])]
    found = [each["data"]["values"] for each in layers if "values" in each.get("data", {})]
    found += spec.get("datasets", {}).values()
    return max(found, key=len)


def test_shares_who_gain_and_lose_are_those_of_the_comparison(measured) -> None:
    found = measured.comparison.find("ease </b>", METRIC)
    drawn = {row["what"]: row for row in rows(gains.gain_chart(measured.comparison, system="ease </b>", metric=METRIC))}
    assert drawn["gain"]["share"] == pytest.approx(found.wins / found.n)
    assert drawn["lose"]["share"] == pytest.approx(found.losses / found.n)
    assert (drawn["gain"]["place"], drawn["lose"]["place"]) == (drawn["gain"]["share"], -drawn["lose"]["share"])
    assert (drawn["gain"]["users"], drawn["lose"]["users"]) == (found.wins, found.losses)
    assert f"{found.wins:,} of {found.n:,} users gain" in drawn["gain"]["tip"]


def test_differences_by_segment(measured) -> None:
    drawn = rows(gains.gain_difference_chart(measured.comparison, system="ease </b>", metric=METRIC, by="age"))
    for row in drawn:
        found = measured.comparison.find("ease </b>", METRIC, by="age", segment=row["segment"])
        assert (row["value"], row["low"], row["high"]) == (found.difference, found.low, found.high)
        assert row["small"] is not found.significant


def test_there_is_no_chart_without_users(measured) -> None:
    assert gains.gain_chart(measured.comparison, system="ease </b>", metric="coverage@10") is None
    assert gains.gain_difference_chart(measured.comparison, system="nobody", metric=METRIC) is None


def test_movers_hold_values_before_and_after(measured) -> None:
    ours, theirs = measured.results["ease </b>"], measured.results["popular"]
    gained, lost = gains.movers_tables(ours, theirs, metric=METRIC)
    before = dict(theirs.per_user.select("user_id", METRIC).iter_rows())
    after = dict(ours.per_user.select("user_id", METRIC).iter_rows())
    for table, sign in ((gained, 1), (lost, -1)):
        assert table.records and len(table.records) <= 10
        for record in table.records:
            user = record["user_id"]
            assert record["change"] == pytest.approx(after[user] - before[user]) and record["change"] * sign > 0
    changes = [record["change"] for record in gained.records]
    assert changes == sorted(changes, reverse=True)
    best = max(after[user] - before[user] for user in after)
    assert changes[0] == pytest.approx(best)


def test_the_curve_of_changes_ends_at_the_largest_gain(measured) -> None:
    ours, theirs = measured.results["ease </b>"], measured.results["popular"]
    drawn = rows(gains.change_chart(ours, theirs, metric=METRIC))
    gaps = (ours.per_user.sort("user_id")[METRIC] - theirs.per_user.sort("user_id")[METRIC]).to_list()
    assert drawn[0]["change"] == pytest.approx(min(gaps)) and drawn[-1]["change"] == pytest.approx(max(gaps))


def test_findings_name_problems_once_then_gaps_then_the_verdict(measured) -> None:
    clean = {
        name: replace(each, card={**each.card, "users_without_list": 0}) for name, each in measured.results.items()
    }
    dirty = {name: replace(each, card={**each.card, "users_without_list": 7}) for name, each in clean.items()}
    found = findings(dirty, comparisons={"c": measured.comparison})
    problems = [each for each in found if each.code == "users_without_list"]
    assert len(problems) == 1 and problems[0].about == tuple(dirty) and problems[0].evidence[0]["count"] == 7
    assert finding_text(problems[0]) == "users without a list: 7"
    assert not any(each.code == "users_without_list" for each in findings(clean))
    order = ["problem", "gap", "caution", "verdict"]
    assert [order.index(each.kind) for each in found] == sorted(order.index(each.kind) for each in found)
    verdicts = {each.about[1]: each.code for each in found if each.kind == "verdict"}
    assert verdicts == measured.comparison.outcomes()


def test_only_conclusive_gaps_are_findings(measured) -> None:
    found = {(*each.about, each.evidence[0]["by"]) for each in findings(measured.results) if each.kind == "gap"}
    expected = {
        (name, by)
        for name, result in measured.results.items()
        for by, gap in result[METRIC].gaps.items()
        if gap.low is not None and (gap.low > 0 or gap.high < 0)
    }
    assert found == expected
    for each in findings(measured.results):
        if each.kind == "gap":
            gap = measured.results[each.about[0]][METRIC].gaps[each.evidence[0]["by"]]
            assert each.estimate is not None and each.estimate.value == gap.value
            assert f"{METRIC} differs by {gap.by}: {gap.highest} over {gap.lowest}" in finding_text(each)


def test_every_code_of_a_finding_has_its_words() -> None:
    """A code without words would show as itself: each Literal that a finding takes its code from is looked up."""
    codes = {*get_args(IdProblem), *get_args(TaskProblem), *get_args(FitCode), *get_args(CautionKind)}
    codes |= {*get_args(Outcome), *OF_LISTS, *evaluation_findings_module._COUNTS}
    assert codes <= set(finding_words._WORDS) | set(finding_words._ADVISED) | set(finding_words.CAUTIONS)
