"""Severity of the numbers and criteria of an audit, from ratio, interval and corrected test."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

import numpy as np

from reclens.audit.rows import BAND, AuditRow, Severity
from reclens.stats.multiplicity import adjust_families

__all__ = ["CORRECTION", "LEVELS", "Opinion", "judged", "opinion", "severity"]

LEVELS: Final[tuple[Severity, ...]] = (
    "critical",
    "high",
    "medium",
    "low",
    "favoured",
    "none",
    "inconclusive",
    "descriptive",
)
"""From the gravest on."""

Opinion = Literal["negative", "positive_with_comments", "positive", "not_concluded", "described", "not_measured"]
"""What a criterion comes to; ``described``: its numbers are told, and neither tested nor graded."""

CORRECTION: Final[dict[Hashable, str]] = {"confirmatory": "holm", "exploratory": "bh", "descriptive": "none"}
"""How the p-values of each family are corrected."""

_FOUR_FIFTHS: Final = 0.8
_LARGE_SHARE: Final = 0.2


def judged(
    rows: Sequence[AuditRow],
    *,
    protected: Collection[str] = (),
    shares: Mapping[tuple[str, str], float] | None = None,
    alpha: float = 0.05,
) -> list[AuditRow]:
    """The rows with p-values corrected over the tests of their family, and with their severity.

    Declared hypotheses are corrected by Holm, which bounds the chance of any false alarm; searched ones by Benjamini
    and Hochberg, which bounds the expected share of false alarms among those that are raised.

    Args:
        rows: The rows.
        protected: Segmentations and item attributes that are protected.
        shares: (segmentation or attribute, group) -> the share of the users or items that the group has.
        alpha: Level of the tests.
    """
    if not rows:
        return []
    p_values = np.array([math.nan if row.family == "descriptive" else row.p_value for row in rows])
    adjusted = adjust_families(p_values, [row.family for row in rows], correction=CORRECTION)
    found = [
        replace(row, p_adjusted=None if math.isnan(p) else float(p)) for row, p in zip(rows, adjusted, strict=True)
    ]
    known = shares or {}
    return [
        replace(
            row,
            severity=severity(
                row, protected=protected, share=known.get((row.attribute or row.by, row.subject)), alpha=alpha
            ),
        )
        for row in found
    ]


def severity(
    row: AuditRow, *, protected: Collection[str] = (), share: float | None = None, alpha: float = 0.05
) -> Severity:
    """Severity of a row with a corrected p-value.

    ``critical``: the whole interval of the impact ratio lies below 0.8, and the attribute is protected or the group has
    more than 20 % of the users or items. ``high``: the ratio lies below 0.8 otherwise. ``medium``: it lies in 0.8 …
    0.9. ``low``: in 0.9 … 1. ``favoured``: above 1. All of these only where the corrected test finds a difference.
    ``none``: the two one-sided tests show that the ratio lies in 0.9 … 1.11.

    Args:
        row: The row.
        protected: Segmentations and item attributes that are protected.
        share: Share of the users, or of the items, that the group has.
        alpha: Level of the tests.

    References:
        Equal Employment Opportunity Commission (1978), Uniform guidelines on employee selection procedures, section 4D,
        for four fifths; Schuirmann (1987) for equivalence.
    """
    if row.family == "descriptive":
        return "descriptive"
    if not row.tested or row.p_adjusted is None:
        return "inconclusive"
    if row.p_equivalent <= alpha:
        return "none"
    if row.p_adjusted > alpha:
        return "inconclusive"
    found = row.impact
    if found.value > 1:
        return "favoured"
    if not math.isfinite(found.value) or found.value >= BAND:
        return "low"
    if found.value >= _FOUR_FIFTHS:
        return "medium"
    whole = found.high is not None and found.high < _FOUR_FIFTHS
    grave = row.by in protected or row.attribute in protected or (share or 0.0) > _LARGE_SHARE
    return "critical" if whole and grave else "high"


def opinion(found: Sequence[Severity]) -> Opinion:
    """Opinion on a criterion: negative if a row is critical or high, and not concluded if nothing is shown.

    Comments are required if a row is medium or low, or if some rows are inconclusive beside others that show no
    material difference.
    """
    # A favoured group is reported through the rows of the other groups.
    kinds = {"none" if each == "favoured" else each for each in found} - {"descriptive"}
    if not kinds:
        return "described" if found else "not_measured"
    if kinds & {"critical", "high"}:
        return "negative"
    if kinds == {"none"}:
        return "positive"
    return "positive_with_comments" if kinds - {"inconclusive"} else "not_concluded"
