"""Compare two audits: which ratios moved towards parity, and which away from it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from reclens.audit.result import Audit
from reclens.audit.rows import AuditRow, Section, Severity
from reclens.errors import IncomparableError
from reclens.stats.difference import normal_quantile
from reclens.stats.estimate import Estimate
from reclens.stats.multiplicity import adjust
from reclens.tabular import Tabular

__all__ = ["AuditChange", "AuditComparison", "compare"]

Change = Literal["improved", "worse", "undecided", "not_tested"]


@dataclass(frozen=True, kw_only=True)
class AuditChange(Tabular):
    """One number of two audits.

    Attributes:
        section: Section of the audit.
        measure: What is measured.
        attribute: The attribute of items, or None.
        subject: The group.
        by: The segmentation of users.
        segment: The group of users.
        reference: Reference of the number.
        before: The impact ratio in the first audit.
        after: The impact ratio in the second.
        change: After ÷ before, with an interval for independent users; of the same users it is too wide.
        p_adjusted: Corrected by Benjamini and Hochberg over all changes; None if there is no test.
        severity_before: Severity in the first audit.
        severity_after: Severity in the second audit.
        outcome: ``improved``: nearer to parity.
    """

    section: Section
    measure: str
    attribute: str | None
    subject: str
    by: str
    segment: str
    reference: str
    before: Estimate
    after: Estimate
    change: Estimate
    p_adjusted: float | None
    severity_before: Severity
    severity_after: Severity
    outcome: Change

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row of a table."""
        row = {key: each for key, each in asdict(self).items() if not isinstance(each, dict)}
        return [row | {name: getattr(self, name).value for name in ("before", "after", "change")}]


@dataclass(frozen=True, kw_only=True)
class AuditComparison(Tabular):
    """What became of every number that both audits have.

    Attributes:
        before: Name of the first system.
        after: Name of the second.
        changes: The changes, in the order of the second audit.
        only_before: Numbers that only the first has.
        only_after: Numbers that only the second has.
    """

    before: str
    after: str
    changes: tuple[AuditChange, ...]
    only_before: int
    only_after: int

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per change."""
        return [each.to_dicts()[0] for each in self.changes]


def compare(before: Audit, after: Audit, *, alpha: float = 0.05) -> AuditComparison:
    """Hold two audits side by side.

    Impact ratios are compared on the logarithm, with the standard errors that their intervals imply, as of independent
    users: two audits of the same users are compared too cautiously.

    Args:
        before: The earlier audit, or that of one system.
        after: The later one, or that of another system.
        alpha: Level of the tests, after the correction.

    Raises:
        IncomparableError: If the audits have no number in common.
    """
    known = {_key(row): row for row in before.rows}
    pairs = [(known[_key(row)], row) for row in after.rows if _key(row) in known]
    if not pairs:
        raise IncomparableError(
            "the two audits have no number in common. Audit both with the same groups, metrics and attributes."
        )
    changes = [_log_change(old, new) for old, new in pairs]
    from scipy.special import ndtr

    z = np.array([math.nan if error is None else value / error for value, error in changes])
    adjusted = adjust(2 * ndtr(-np.abs(z)), correction="bh")
    found = [
        _change(old, new, value, error, None if math.isnan(p) else float(p), alpha)
        for (old, new), (value, error), p in zip(pairs, changes, adjusted, strict=True)
    ]
    return AuditComparison(
        before=before.system,
        after=after.system,
        changes=tuple(found),
        only_before=len(before.rows) - len(pairs),
        only_after=len(after.rows) - len(pairs),
    )


def _key(row: AuditRow) -> tuple[object, ...]:
    return row.section, row.measure, row.attribute, row.group, row.by, row.segment, row.reference


def _log_change(old: AuditRow, new: AuditRow) -> tuple[float, float | None]:
    """The change of the logarithm of the impact, and its standard error."""
    one, other = _log(old), _log(new)
    if one is None or other is None:
        return math.nan, None
    return other[0] - one[0], math.hypot(one[1], other[1])


def _log(row: AuditRow) -> tuple[float, float] | None:
    impact = row.impact
    if impact.low is None or impact.high is None or impact.low <= 0 or not impact.value > 0:
        return None
    error = (math.log(impact.high) - math.log(impact.low)) / (2 * normal_quantile(0.5 + impact.level / 2))
    # For two-sided harm, the distance from parity counts.
    return math.log(impact.value), error


def _change(
    old: AuditRow, new: AuditRow, value: float, error: float | None, p_adjusted: float | None, alpha: float
) -> AuditChange:
    level = new.ratio.level
    low = high = None
    if error is not None:
        reach = normal_quantile(0.5 + level / 2) * error
        low, high = math.exp(value - reach), math.exp(value + reach)
    outcome: Change = "not_tested"
    if p_adjusted is not None:
        # Beyond parity an increase is no improvement: the distance from 1 counts.
        nearer = abs(math.log(new.impact.value)) < abs(math.log(old.impact.value))
        outcome = "undecided" if p_adjusted > alpha else "improved" if nearer else "worse"
    change = Estimate(
        math.exp(value) if error is not None else math.nan, low=low, high=high, n=min(old.n, new.n), level=level
    )
    return AuditChange(
        section=new.section,
        measure=new.measure,
        attribute=new.attribute,
        subject=new.subject,
        by=new.by,
        segment=new.segment,
        reference=new.reference,
        before=old.impact,
        after=new.impact,
        change=change,
        p_adjusted=p_adjusted,
        severity_before=old.severity,
        severity_after=new.severity,
        outcome=outcome,
    )
