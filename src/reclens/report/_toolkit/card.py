"""The card on top of a document or page: what it is about, what is decided, and the answers a decision needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["DecisionWords", "StatusTone", "Tone"]

Tone = Literal["good", "open", "bad"]
"""``good``: act on it. ``open``: nothing is decided. ``bad``: the numbers may be wrong."""

StatusTone = Literal["bad", "warn", "good", "none"]
"""How the status of a row or a series looks."""


@dataclass(frozen=True)
class DecisionWords:
    """The card of a decision.

    Attributes:
        about: The data set, the users and the systems.
        headline: What is recommended, or that nothing can be.
        tone: How it is to be taken.
        lines: What is asked of a decision, such as ``"Lift"``, and the answer; a sentence each.
    """

    about: str
    headline: str
    tone: Tone
    lines: tuple[tuple[str, str], ...]
