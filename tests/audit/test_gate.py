"""The gate on rows of an audit."""

from __future__ import annotations

import pytest

import reclens as rl
from reclens.audit import Audit, AuditGateRule, audit_gate
from reclens.errors import UnknownNameError, UsageError
from reclens.report import gate_table
from reclens.stats.gate import Bound


@pytest.fixture(scope="module")
def audited(market) -> Audit:  # type: ignore[no-untyped-def]
    return rl.audit.run(**market(tilt=0.2), by="gender", attributes=["brand"])


def _of(segment: str) -> AuditGateRule:
    return AuditGateRule(measure="ndcg@10", by="gender", segment=segment, bound=Bound(at_least=0.8))


def test_a_planted_gap_closes_the_gate_and_the_other_side_does_not(audited: Audit) -> None:
    women, men = (audit_gate(audited, [_of(segment)]) for segment in ("F", "M"))
    row = next(each for each in audited.rows if (each.measure, each.segment) == ("ndcg@10", "F"))
    assert row.impact.high is not None and row.impact.high < 0.8
    assert [(each.value, each.low, each.outcome) for each in women.rows] == [(row.impact.value, row.impact.low, "fail")]
    assert not women.is_open and men.is_open
    assert "impact ratio" in gate_table(women).rows[0][2]


def test_numbers_of_a_row_are_held_as_they_are(audited: Audit) -> None:
    row = next(each for each in audited.rows if each.measure == "exposure_share" and each.group == "a")
    rules = [
        AuditGateRule(
            measure="exposure_share", group="a", reference=row.reference, of=of, bound=Bound(at_least=0), unsure="pass"
        )
        for of in ("value", "ratio", "difference")
    ]
    found = audit_gate(audited, rules)
    assert [each.value for each in found.rows] == [row.value.value, row.ratio.value, row.difference.value]
    assert {(each.by, each.segment) for each in found.rows} == {("brand", "a")}


def test_too_few_users_cannot_tell(market) -> None:  # type: ignore[no-untyped-def]
    few = rl.audit.run(**market(tilt=0.2, users=200), by="gender")
    found = audit_gate(few, [_of("(unknown)")])
    assert [(each.outcome, each.reason, each.stops) for each in found.rows] == [("cannot_tell", "few_units", True)]


def test_what_was_not_audited_is_refused(audited: Audit) -> None:
    with pytest.raises(UnknownNameError, match="ndcg@10"):
        audit_gate(audited, [AuditGateRule(measure="ndgc@10", bound=Bound(at_least=0))])
    with pytest.raises(UnknownNameError, match="F, M"):
        audit_gate(audited, [_of("X")])
    with pytest.raises(UsageError, match="no rule"):
        audit_gate(audited, [])
