"""The notes of estimates: every code has its words, and what an older version stored is still shown."""

from __future__ import annotations

from typing import get_args

from reclens.report._toolkit.notes import NOTES, note_text
from reclens.stats.estimate import EstimateNote


def test_every_note_has_its_words() -> None:
    assert set(NOTES) == set(get_args(EstimateNote))
    assert all(" " in words and not words.endswith(".") for words in NOTES.values())
    assert len(set(NOTES.values())) == len(NOTES)


def test_notes_in_words() -> None:
    assert note_text(None) is None
    assert note_text("every_user_ties") == "every user ties"
    assert "held the truth in 86% of simulations" in str(note_text("skewed_few", 0.86))
    assert note_text("a single user has no interval") == "a single user has no interval"  # of an older version
