"""The findings of an audit: the rows that need attention."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from reclens.audit.rows import AuditRow
from reclens.audit.rows import Severity as Level
from reclens.audit.severity import LEVELS
from reclens.findings import Finding, Severity

__all__ = ["by_gravity", "findings_of"]

_SEVERITY: Final[Mapping[Level, Severity]] = {
    "critical": "critical",
    "high": "warning",
    "medium": "warning",
    "low": "note",
}

_ADVICE: Final[Mapping[str, tuple[str, ...]]] = {
    "exposure": ("rerank_exposure", "weight_training"),
    "popularity": ("rerank_popularity", "weight_training"),
    "users": ("more_candidates", "weight_training", "experiment"),
    "lists": ("rerank_popularity", "experiment"),
    "calibration": ("rerank_calibrated",),
    "position": ("estimate_weights",),
    "loop": ("rerank_popularity", "experiment"),
    "two_sided": ("rerank_exposure",),
}
"""Section -> codes of what to do about it, the first one to try first."""


def by_gravity(rows: Sequence[AuditRow]) -> list[AuditRow]:
    """The most severe first; within a level declared rows first, then by the largest ratio."""

    def key(row: AuditRow) -> tuple[int, bool, float]:
        impact = row.impact.value
        far = math.inf if impact == 0 else abs(math.log(impact)) if math.isfinite(impact) else 0.0
        return LEVELS.index(row.severity), row.family != "confirmatory", -far

    return sorted(rows, key=key)


def findings_of(system: str, rows: Sequence[AuditRow]) -> list[Finding]:
    """A finding for each row that is critical, high, medium or low, most severe first; one per shown equality."""
    found = [
        Finding(
            severity=_SEVERITY[row.severity],
            kind="disparity",
            code=row.section,
            about=(system,),
            estimate=row.impact,
            evidence=tuple(row.to_dicts()),
            examples=(row.subject,),
            advice=_ADVICE[row.section],
        )
        for row in by_gravity(rows)
        if row.severity in _SEVERITY
    ]
    found += [
        Finding(
            severity="note",
            kind="no_material_gap",
            code=row.section,
            about=(system,),
            estimate=row.ratio,
            evidence=tuple(row.to_dicts()),
            examples=(row.subject,),
        )
        for row in by_gravity(rows)
        if row.severity == "none" and row.family == "confirmatory"
    ]
    return found
