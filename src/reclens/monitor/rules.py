"""What the steps after the indicators have to know of each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Rule"]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How an indicator is judged, and whom it concerns.

    Attributes:
        scale: Scale on which its noise is even: ``logit`` for shares, ``log`` for amounts and counts, ``identity``.
        direction: Which direction is bad.
        family: What it is about, such as ``clicks``, ``data`` or ``retrieval``.
        budget: False alerts a year, its slices together; None takes the common one.
        watch: Whether it raises incidents.
        slices: Whether its slices are judged too.
        drifts: Whether slow drift is judged: not of what grows by itself from day to day.
        owner: Who looks after it.
        runbook: Where it stands what to do.
        slo: The value that it has to keep: at most this if up is bad, at least this if down is bad.
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
