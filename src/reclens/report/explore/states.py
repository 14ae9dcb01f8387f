"""What an exploration says of an item, and its colour: one for each state on maps, in charts and in pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from reclens.explore.reach import Reason
from reclens.explore.result import Exploration
from reclens.report._toolkit.charts import BACKGROUND
from reclens.report._toolkit.point_map import BEHIND, UNSURE
from reclens.report.explore.words import REASONS

__all__ = [
    "HISTORY",
    "ITEM",
    "LATER",
    "LISTED",
    "NEARBY",
    "NEITHER",
    "REASON_COLOURS",
    "SHOWN",
    "STATE_COLOURS",
    "USER_COLOURS",
    "WANTED",
    "css_colour",
    "picture_colour",
    "states_of",
]

ITEM: Final = "item"
"""The state of every item of an exploration without lists."""
SHOWN: Final = "shown"
_NEVER: Final = "never shown"
WANTED: Final = "wanted, never shown"
NEITHER: Final = "neither"
"""What an item is to a user who has it neither in the history nor in the list."""
HISTORY: Final = "in the history"
LISTED: Final = "in the list"
LATER: Final = "wanted later, not in the list"
NEARBY: Final = "of an unexplored region nearby"

STATE_COLOURS: Final[Mapping[str, int]] = {ITEM: 0, SHOWN: BEHIND, _NEVER: 0, WANTED: 1}
"""State -> place of its colour in the theme; on a chart the later one lies above."""
USER_COLOURS: Final[Mapping[str, int]] = {NEITHER: BEHIND, HISTORY: 2, LISTED: 3, LATER: 1, NEARBY: 0}
_PLACES: Final[Mapping[Reason, int]] = {
    "not_in_index": 6,
    "index_unreachable": 1,
    "anti_hub": 2,
    "demand_orphan": 3,
    "structurally_unreachable": 4,
    "not_decided": UNSURE,
    "outranked": 0,
    "in_reach": 5,
}
REASON_COLOURS: Final[Mapping[str, int]] = {
    **{REASONS[reason]: place for reason, place in _PLACES.items()},
    SHOWN: BEHIND,
}

_PICTURE: Final[Mapping[int, str]] = {BEHIND: BACKGROUND, 0: "#2f8fd0", 1: "#e8762d"}


def css_colour(place: int) -> str:
    """The colour of a place on a page, which follows light and dark."""
    return BACKGROUND if place == BEHIND else f"var(--s{place - (place > BEHIND)})"


def picture_colour(state: str) -> str:
    """The colour of a state in a picture, which is seen on light and on dark."""
    return _PICTURE[STATE_COLOURS[state]]


def states_of(found: Exploration) -> np.ndarray:
    """Whether each item is shown and wanted; of an exploration without lists each is an item."""
    coverage = found.coverage
    if coverage is None:
        return np.full(len(found.regions.fine), ITEM)
    return np.where(coverage.shown, SHOWN, np.where(coverage.wants > 0, WANTED, _NEVER))
