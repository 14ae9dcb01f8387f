"""Interleaving: two rankers in one list, and the clicks of the same user decide between them."""

from __future__ import annotations

from reclens.experiment.interleaving.lists import METHODS, Interleaved, interleave
from reclens.experiment.interleaving.preference import Preference, credit, preference, team_credit

__all__ = [
    "METHODS",
    "Interleaved",
    "Preference",
    "credit",
    "interleave",
    "preference",
    "team_credit",
]
