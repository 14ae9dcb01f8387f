"""Places of labels beside dots: they point at the right dot, and nothing is drawn across them, at any width."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

__all__ = ["EDGE", "SIDES", "label_layers", "label_sides"]

EDGE: Final = 24
"""Pixels around the outermost dots, in which a label may stand."""

_BESIDE: Final[Mapping[str, Mapping[str, Any]]] = {
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

_FAR: Final[Mapping[str, Mapping[str, Any]]] = {
    f"{pixels} px {way}{turn}": {"align": align, "dx": dx, "dy": sign * pixels}
    for pixels in range(28, 240, 12)
    for way, sign in (("above", -1), ("below", 1))
    for turn, align, dx in (("", "center", 0), (" right", "left", -4), (" left", "right", 4))
}
"""Where a label may stand at the end of a line from its dot, the shortest line first."""

SIDES: Final[Mapping[str, Mapping[str, Any]]] = {**_BESIDE, **_FAR}
"""Every place of a label: its alignment, and how far it is off its dot, in pixels."""

_NARROW: Final = (215.0, 252.0)
"""Pixels that the axes of a chart span, without their edges, beside another one on paper: phones and screens only draw
the dots further apart."""

_WIDTHS: Final = (215.0, 250.0, 320.0, 400.0, 520.0, 700.0, 1000.0, 1500.0, 2000.0)
"""Pixels across at which a label is held against a line: it gets flatter where the chart is wider."""

_WIDEST: Final = _WIDTHS[-1] / _NARROW[0]
"""How much wider a chart may be."""

_ROOM: Final = 8
"""Pixels around the middle of a dot, and of a label up and down, that nothing else may touch."""

Point = tuple[float, float]
Line = tuple[Point, Point]
"""A line from a point to another one: x and y of each."""


class _Box(NamedTuple):
    """What stands beside a dot: its left and right are as far from the dot at every width of the chart."""

    x: float
    left: float
    right: float
    low: float
    high: float

    def touches(self, other: _Box) -> bool:
        """Whether the two overlap at any width of the chart."""
        if not (self.low < other.high and other.low < self.high):
            return False
        apart = other.x - self.x
        near, far = sorted((apart, apart * _WIDEST))
        return near < self.right - other.left and self.left - other.right < far


def label_sides(
    dots: Sequence[tuple[str, float, float]],
    line: Sequence[str] = (),
    *,
    intervals: tuple[Sequence[float], Sequence[float]] = ((), ()),
    bars: Sequence[Line] = (),
    first: Sequence[float] | None = None,
) -> list[str | None]:
    """A place for the label of each dot; None where any would touch another dot, another label or the line.

    A label that has no room beside its dot stands at the end of a line up or down from it. The height of a chart is
    fixed, and a wider chart only draws dots apart, so that it can be computed whether two labels touch at any width.
    Where there is no room for all, dots on the right have theirs: they have the most of what the chart is about, unless
    told otherwise.

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
        _scale([*(float(dot[axis + 1]) for dot in dots), *intervals[axis]], _NARROW[axis])
        for axis in range(len(_NARROW))
    )
    places = [(to_x(x), to_y(y)) for _, x, y in dots]
    drawn = [((to_x(x1), to_y(y1)), (to_x(x2), to_y(y2))) for (x1, y1), (x2, y2) in bars]
    at_name = {label: at for at, (label, _, _) in enumerate(dots)}
    front = [(places[at_name[one]], places[at_name[other]]) for one, other in pairwise(line)]
    wanted = [x for x, _ in places] if first is None else first
    order = sorted(range(len(dots)), key=lambda at: -wanted[at])
    labels = [label for label, _, _ in dots]
    found = _placed(labels, places, order, front, drawn)
    if None in found:
        # Those in a crowd have the fewest places: they choose first.
        order.sort(key=lambda at: -sum(_near(places[at], other) for other in places))
        again = _placed(labels, places, order, front, drawn)
        found = min(found, again, key=lambda sides: sides.count(None))
    return found


def label_layers(
    base: Any, rows: Sequence[Mapping[str, Any]], *, text: str, side: str, axes: Mapping[str, Any]
) -> list[Any]:
    """The layers of a chart that name its dots, with the lines to the labels that stand apart from theirs.

    Args:
        base: The chart over the rows.
        rows: The rows, each with a name among :data:`SIDES` or None.
        text: Field of the label.
        side: Field of the name.
        axes: The encodings ``x`` and ``y``.
    """
    import altair as alt

    # One layer of texts and one of lines, whose places are looked up: a layer a place takes a browser twice as long.
    named = {name: SIDES[name] for name in dict.fromkeys(row[side] for row in rows) if name is not None}
    if not named:
        return []
    far = {name: place["dy"] for name, place in named.items() if name in _FAR}
    layers = []
    if far:
        near = {name: _ROOM if off > 0 else -_ROOM for name, off in far.items()}
        ends = {"yOffset": near, "y2Offset": {name: off - near[name] for name, off in far.items()}}
        leader = base.transform_filter(alt.FieldOneOfPredicate(side, list(far))).mark_rule(
            strokeWidth=1, color="var(--muted)", **{name: _looked_up(of, side) for name, of in ends.items()}
        )
        layers.append(leader.encode(**axes, y2=axes["y"].shorthand.partition(":")[0]))
    places = {part: {name: place[part] for name, place in named.items()} for part in ("align", "dx", "dy")}
    texts = base.transform_filter(alt.FieldOneOfPredicate(side, list(named))).mark_text(
        fontSize=12, color="var(--ink)", **{part: _looked_up(of, side) for part, of in places.items()}
    )
    return [*layers, texts.encode(**axes, text=f"{text}:N")]


def _looked_up(values: Mapping[str, Any], side: str) -> Any:
    """A property of a mark that depends on the place of the label."""
    import altair as alt

    return alt.expr(f"{json.dumps(values)}[datum[{json.dumps(side)}]]")


def _placed(
    labels: Sequence[str], places: Sequence[Point], order: Sequence[int], front: Sequence[Line], bars: Sequence[Line]
) -> list[str | None]:
    """A place for each label, those that come first in an order choosing first: beside the dots, then farther off."""
    spots = [_Box(x, -_ROOM, _ROOM, y - _ROOM, y + _ROOM) for x, y in places]
    taken: list[_Box] = []
    found: list[str | None] = [None] * len(labels)
    for sides in (_BESIDE, _FAR):
        for at in order:
            if found[at] is not None:
                continue
            others = [*taken, *(spot for number, spot in enumerate(spots) if number != at)]
            free = (name for name in sides if _stands(labels[at], name, places[at], others, front))
            if sides is _BESIDE:
                every = list(free)
                clear = (name for name in every if not _crossed(labels[at], name, places[at], bars))
                found[at] = next(iter([*clear, *every]), None)
            else:
                found[at] = next(free, None)
            side = found[at]
            if side is not None:
                taken += _boxes(labels[at], side, places[at])
    return found


def _stands(label: str, side: str, place: Point, others: Sequence[_Box], front: Sequence[Line]) -> bool:
    """Whether a label has room at a place of its dot."""
    boxes = _boxes(label, side, place)
    box = boxes[0]
    if (
        box.x + box.left < -EDGE
        or box.x + box.right > _NARROW[0] + EDGE
        or any(each.touches(other) for each in boxes for other in others)
    ):
        return False
    if box.low < -EDGE or box.high > _NARROW[1] + EDGE:
        return False
    return not _crossed(label, side, place, front)


def _crossed(label: str, side: str, place: Point, lines: Sequence[Line]) -> bool:
    """Whether one of some lines touches a label at any width of the chart."""
    box = _boxes(label, side, place)[0]
    for width in _WIDTHS:
        wider = width / _NARROW[0]
        ends = (wider * box.x + box.left, wider * box.x + box.right, box.low, box.high)
        if any(_crosses((wider * x1, y1), (wider * x2, y2), ends) for (x1, y1), (x2, y2) in lines):
            return True
    return False


def _boxes(label: str, side: str, place: Point) -> list[_Box]:
    """The label, and the line to it where it stands apart."""
    (x, y), at, width = place, SIDES[side], 7 * len(label)
    left = at["dx"] - {"left": 0, "center": width / 2, "right": width}[at["align"]]
    middle = y - at["dy"]
    box = _Box(x, left, left + width, middle - _ROOM, middle + _ROOM)
    if side not in _FAR:
        return [box]
    low, high = sorted((y, middle))
    return [box, _Box(x, -2, 2, low + _ROOM, high - _ROOM)]


def _near(one: Point, other: Point) -> bool:
    return abs(one[0] - other[0]) < 60 and abs(one[1] - other[1]) < 30


def _scale(values: Sequence[float], size: float) -> Callable[[float], float]:
    """The pixels of a value on an axis that spans some values."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    return lambda value: size * (value - low) / ((high - low) or 1)


def _crosses(start: Point, end: Point, box: tuple[float, float, float, float]) -> bool:
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
