"""Interleaving: two rankers in one list, and the clicks of the same user decide between them."""

from __future__ import annotations

from reclens.experiment.interleave.lists import METHODS, Interleaved, interleave
from reclens.experiment.interleave.preference import Preference, credit, preference, team_credit
from reclens.experiment.interleave.sensitivity import Sensitivity, measure_sensitivity, units_needed

__all__ = [
    "METHODS",
    "Interleaved",
    "Preference",
    "Sensitivity",
    "credit",
    "interleave",
    "measure_sensitivity",
    "preference",
    "team_credit",
    "units_needed",
]
