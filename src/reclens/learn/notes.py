"""Ticks and notes of a learner: what one sets oneself, and nothing checks."""

from __future__ import annotations

from reclens.errors import UsageError
from reclens.learn.learner import Learner

__all__ = ["LONGEST_NOTE", "set_note", "set_tick"]

LONGEST_NOTE = 4_000
"""Letters of a note."""


def set_tick(learner: Learner, code: str, *, on: bool) -> None:
    """Tick a lesson off, or take the tick away."""
    with learner.changing() as progress:
        progress.ticks = [*(each for each in progress.ticks if each != code), *([code] if on else [])]


def set_note(learner: Learner, code: str, text: str) -> None:
    """Keep a note beside a lesson or an exercise; an empty text takes it away.

    Raises:
        UsageError: If it is too long.
    """
    if len(text) > LONGEST_NOTE:
        raise UsageError(
            f"The note on {code} has {len(text):,} letters, expected at most {LONGEST_NOTE:,}. Shorten it."
        )
    with learner.changing() as progress:
        if text.strip():
            progress.notes[code] = text
        else:
            progress.notes.pop(code, None)
