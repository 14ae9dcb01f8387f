"""Check the numbers of an audit against bounds, like the gate of evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reclens.audit.result import Audit
from reclens.audit.rows import AuditRow
from reclens.errors import UnknownNameError, UsageError
from reclens.stats.gate import Bound, GateResult, GateRow, judge

__all__ = ["AuditGateRule", "audit_gate"]

Number = Literal["impact", "ratio", "value", "difference"]


@dataclass(frozen=True, kw_only=True)
class AuditGateRule:
    """One condition that an audited system has to meet.

    Attributes:
        measure: What was measured, such as ``"exposure_share"`` or ``"ndcg@10"``.
        bound: Where it has to lie.
        of: Which number of a row: ``"impact"``, the ratio with harm below 1; the ``"ratio"`` as it is; the ``"value"``
            of the group; its ``"difference"`` from the reference.
        attribute: The attribute of items; None for any.
        group: The group of items; None for each of them.
        by: The segmentation of users; None for any.
        segment: The group of users; None for each of them.
        reference: What it is held against; None for any.
        unsure: What becomes of the gate if this cannot be told: ``"fail"`` or ``"pass"``.
    """

    measure: str
    bound: Bound
    of: Number = "impact"
    attribute: str | None = None
    group: str | None = None
    by: str | None = None
    segment: str | None = None
    reference: str | None = None
    unsure: Literal["fail", "pass"] = "fail"


def audit_gate(audit: Audit, rules: Sequence[AuditGateRule]) -> GateResult:
    """Hold the rows of an audit to rules: each passes, fails, or cannot be told, by its whole interval.

    Args:
        audit: The audit.
        rules: The rules.

    Returns:
        One row a rule and row of the audit that it is about.

    Raises:
        UnknownNameError: If nothing of the audit has a name that a rule gives.
        UsageError: If there is no rule, or no row has all the names of one.
    """
    if not rules:
        raise UsageError("the gate has no rule. Give at least one: a measure and a bound.")
    return GateResult(tuple(_row(rule, row, audit.system) for rule in rules for row in _about(rule, audit)))


def _about(rule: AuditGateRule, audit: Audit) -> list[AuditRow]:
    rows: list[AuditRow] = list(audit.rows)
    for name in ("measure", "segment", "group", "attribute", "by", "reference"):
        wanted = getattr(rule, name)
        if wanted is None:
            continue
        known = dict.fromkeys(str(each) for row in rows if (each := getattr(row, name)) is not None)
        if wanted not in known:
            raise UnknownNameError(f"{name} of the gate among what was audited", wanted, known)
        rows = [row for row in rows if getattr(row, name) == wanted]
    # Both of two complementary groups are checked, because a bound is not a test.
    return rows


def _row(rule: AuditGateRule, row: AuditRow, system: str) -> GateRow:
    by, segment = (row.by, row.segment) if row.attribute is None else (row.attribute, row.subject)
    return judge(
        rule.bound,
        getattr(row, rule.of),
        system=system,
        metric=row.measure,
        of=rule.of,
        by=by,
        segment=segment,
        unsure=rule.unsure,
        n=row.n,
        few=row.reason == "few_users",
    )
