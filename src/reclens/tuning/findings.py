"""Findings of a hyper-parameter search, as records."""

from __future__ import annotations

from reclens.findings import Finding
from reclens.tuning.results import Tuning

__all__ = ["tuning_findings"]


def tuning_findings(name: str, tuning: Tuning) -> list[Finding]:
    """One finding per kind of caution, the most severe first; its evidence is the cautions of that kind."""
    return [
        Finding(
            severity="note",
            kind="caution",
            code=group.kind,
            about=(name,),
            evidence=tuple(dict(vars(each)) for each in group.cautions),
        )
        for group in tuning.groups
    ]
