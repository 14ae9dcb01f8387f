"""Rules of indicators for the later steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Rule"]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How an indicator is judged, and who owns it.

    Attributes:
        scale: Scale on which its noise is uniform: ``logit`` for shares, ``log`` for amounts and counts, ``identity``.
        direction: Which direction is bad.
        family: What it is about, such as ``clicks``, ``data`` or ``retrieval``.
        budget: False alerts a year, its slices together; None takes the common one.
        watch: Whether it raises incidents.
        slices: Whether its slices are judged too.
        drifts: Whether slow drift is judged: False for values that grow steadily.
        owner: Owner.
        runbook: Link to the runbook.
        slo: Objective: an upper bound if up is bad, a lower bound if down is bad.
    """

    scale: Literal["logit", "log", "identity"] = "identity"
    direction: Literal["up", "down", "both"] = "both"
    family: str = ""
    budget: float | None = None
    watch: bool = True
    slices: bool = True
    drifts: bool = True
    owner: str | None = None
    runbook: str | None = None
    slo: float | None = None
