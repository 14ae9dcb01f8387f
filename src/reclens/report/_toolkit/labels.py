"""Places of labels beside dots: they point at the right dot, and nothing is drawn across them, at any width."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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

Point = tuple[float, float]
Line = tuple[Point, Point]
"""A line from a point to another one: x and y of each."""


def label_sides(
    dots: Sequence[tuple[str, float, float]],
    line: Sequence[str] = (),
    *,
    intervals: tuple[Sequence[float], Sequence[float]] = ((), ()),
    bars: Sequence[Line] = (),
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
        bars: Lines that a label stands on only where it has no other room, such as the intervals.
        first: How much the label of each dot is wanted, where that is not the place to the right.

    Returns:
        Names among :data:`SIDES`.
    """
    to_x, to_y = (
        _scale([*(float(dot[axis + 1]) for dot in dots), *intervals[axis]], _PHONE[axis]) for axis in range(len(_PHONE))
    )
    across, up = [to_x(x) for _, x, _ in dots], [to_y(y) for _, _, y in dots]
    places = list(zip(across, up, strict=True))
    drawn = [((to_x(x1), to_y(y1)), (to_x(x2), to_y(y2))) for (x1, y1), (x2, y2) in bars]
    spots = [(x - 8, x + 8, y - 8, y + 8) for x, y in places]
    at_name = {label: at for at, (label, _, _) in enumerate(dots)}
    front = [(places[at_name[one]], places[at_name[other]]) for one, other in pairwise(line)]
    labels: list[Box] = []
    sides: list[str | None] = [None] * len(dots)
    wanted = across if first is None else first
    for at in sorted(range(len(dots)), key=lambda at: -wanted[at]):
        label = dots[at][0]
        others = [*labels, *(spot for number, spot in enumerate(spots) if number != at)]
        free = [name for name in SIDES if _stands(label, name, places[at], others, front)]
        clear = [name for name in free if not _crossed(label, name, places[at], drawn)]
        side = next(iter([*clear, *free]), None)
        if side is not None:
            labels.append(_box(label, across[at], up[at], side))
        sides[at] = side
    return sides


def _stands(label: str, side: str, place: Point, others: Sequence[Box], front: Sequence[Line]) -> bool:
    """Whether a label has room at a side of its dot."""
    box = _box(label, *place, side)
    if box[0] < -EDGE or box[1] > _PHONE[0] + EDGE or any(_overlap(box, other) for other in others):
        return False
    return not _crossed(label, side, place, front)


def _crossed(label: str, side: str, place: Point, lines: Sequence[Line]) -> bool:
    """Whether one of some lines touches a label at any width of the chart."""
    for width in _WIDTHS:
        wider = width / _PHONE[0]
        box = _box(label, wider * place[0], place[1], side)
        if any(_crosses((wider * x1, y1), (wider * x2, y2), box) for (x1, y1), (x2, y2) in lines):
            return True
    return False


def _box(label: str, x: float, y: float, side: str) -> Box:
    place, width = SIDES[side], 7 * len(label)
    left = x + place["dx"] - {"left": 0, "center": width / 2, "right": width}[place["align"]]
    return (left, left + width, y - place["dy"] - 8, y - place["dy"] + 8)


def _scale(values: Sequence[float], size: float) -> Callable[[float], float]:
    """The pixels of a value on an axis that spans some values."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    return lambda value: size * (value - low) / ((high - low) or 1)


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
