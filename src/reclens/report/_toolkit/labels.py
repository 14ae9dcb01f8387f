"""Places of labels beside dots: they point at the right dot, and nothing is drawn across them, at any width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

__all__ = ["EDGE", "SIDES", "label_sides"]

EDGE: Final = 24
"""Pixels around the outermost dots, in which a label may stand."""

SIDES: Final[Mapping[str, Mapping[str, Any]]] = {
    "above": {"align": "center", "dx": 0, "dy": -13},
    "below": {"align": "center", "dx": 0, "dy": 13},
    "above right": {"align": "left", "dx": 7, "dy": -10},
    "above left": {"align": "right", "dx": -7, "dy": -10},
    "below right": {"align": "left", "dx": 7, "dy": 10},
    "below left": {"align": "right", "dx": -7, "dy": 10},
    "right": {"align": "left", "dx": 9, "dy": 0},
    "left": {"align": "right", "dx": -9, "dy": 0},
}
"""Where a label may stand beside its dot, by preference."""

_PHONE: Final = (250.0, 240.0)
"""Pixels that the axes of a chart span on a phone, without their edges: wider charts only draw dots apart."""

_WIDTHS: Final = (250.0, 320.0, 400.0, 520.0, 700.0, 1000.0, 1500.0)
"""Pixels across at which a label is held against a line: it gets flatter where the chart is wider."""

Box = tuple[float, float, float, float]
"""Left, right, bottom and top, in pixels."""


def label_sides(
    dots: Sequence[tuple[str, float, float]],
    line: Sequence[str] = (),
    *,
    intervals: tuple[Sequence[float], Sequence[float]] = ((), ()),
    first: Sequence[float] | None = None,
) -> list[str | None]:
    """A side for the label of each dot; None where any would touch another dot, another label or the line.

    Dots keep their order when a chart gets wider, and the height of a chart is fixed: boxes that are apart on a phone,
    the left one belonging to the left dot, stay apart. Where there is no room for all, dots on the right have theirs:
    they have the most of what the chart is about, unless told otherwise.

    Args:
        dots: Label, x and y of each.
        line: Labels of the dots that a line joins, in its order.
        intervals: Ends of intervals that the axes span too, across and up.
        first: How much the label of each dot is wanted, where that is not the place to the right.

    Returns:
        Names among :data:`SIDES`.
    """
    across, up = (
        _pixels([float(dot[axis + 1]) for dot in dots], _PHONE[axis], intervals[axis]) for axis in range(len(_PHONE))
    )
    spots = [(x - 8, x + 8, y - 8, y + 8) for x, y in zip(across, up, strict=True)]
    at_name = {label: at for at, (label, _, _) in enumerate(dots)}
    joined = [(at_name[one], at_name[other]) for one, other in pairwise(line)]
    labels: list[Box] = []
    sides: list[str | None] = [None] * len(dots)
    wanted = across if first is None else first
    for at in sorted(range(len(dots)), key=lambda at: -wanted[at]):
        label = dots[at][0]
        others = [*labels, *(spot for number, spot in enumerate(spots) if number != at)]
        side = next((name for name in SIDES if _stands(at, label, name, (across, up), others, joined)), None)
        if side is not None:
            labels.append(_box(label, across[at], up[at], side))
        sides[at] = side
    return sides


def _stands(
    at: int,
    label: str,
    side: str,
    places: tuple[Sequence[float], Sequence[float]],
    others: Sequence[Box],
    joined: Sequence[tuple[int, int]],
) -> bool:
    """Whether a label has room at a side of its dot."""
    across, up = places
    box = _box(label, across[at], up[at], side)
    if box[0] < -EDGE or box[1] > _PHONE[0] + EDGE or any(_overlap(box, other) for other in others):
        return False
    for width in _WIDTHS:
        wide = [width / _PHONE[0] * x for x in across]
        own = _box(label, wide[at], up[at], side)
        if any(_crosses((wide[one], up[one]), (wide[other], up[other]), own) for one, other in joined):
            return False
    return True


def _box(label: str, x: float, y: float, side: str) -> Box:
    place, width = SIDES[side], 7 * len(label)
    left = x + place["dx"] - {"left": 0, "center": width / 2, "right": width}[place["align"]]
    return (left, left + width, y - place["dy"] - 8, y - place["dy"] + 8)


def _pixels(values: Sequence[float], size: float, more: Sequence[float]) -> list[float]:
    low, high = min(*values, *more, values[0]), max(*values, *more, values[0])
    return [size * (value - low) / ((high - low) or 1) for value in values]


def _overlap(one: Box, other: Box) -> bool:
    """Whether two boxes touch."""
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]


def _crosses(start: tuple[float, float], end: tuple[float, float], box: Box) -> bool:
    """Whether a line touches a box: what of it lies between left and right also lies between bottom and top."""
    low, high = 0.0, 1.0
    for from_, to, least, most in ((start[0], end[0], *box[:2]), (start[1], end[1], *box[2:])):
        if from_ == to:
            if not least < from_ < most:
                return False
            continue
        ends = sorted(((least - from_) / (to - from_), (most - from_) / (to - from_)))
        low, high = max(low, ends[0]), min(high, ends[1])
    return low < high
