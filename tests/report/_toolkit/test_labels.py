"""Places of labels beside dots, and at the ends of lines, by geometry of the test's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import altair as alt
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reclens.report._toolkit.charts import base_of
from reclens.report._toolkit.html import figure_of
from reclens.report._toolkit.labels import label_layers, label_sides
from reclens.report._toolkit.static_theme import to_svg

PLACES = {  # where a label begins and ends beside its dot, in widths of the label, and how far it is off, in pixels
    "above": (-0.5, 0.5, 0, 13),
    "below": (-0.5, 0.5, 0, -13),
    "above right": (0, 1, 7, 10),
    "above left": (-1, 0, -7, 10),
    "below right": (0, 1, 7, -10),
    "below left": (-1, 0, -7, -10),
    "right": (0, 1, 9, 0),
    "left": (-1, 0, -9, 0),
}
PLACES |= {  # at the end of a line up or down from the dot
    f"{pixels} px {way}{turn}": (left, right, off, sign * pixels)
    for pixels in range(28, 240, 12)
    for way, sign in (("above", 1), ("below", -1))
    for turn, left, right, off in (("", -0.5, 0.5, 0), (" right", 0, 1, -4), (" left", -1, 0, 4))
}


def hold_apart(
    labels: Sequence[str], at: Sequence[tuple[float, float]], sides: Sequence[str | None]
) -> dict[int, tuple[float, float, float, float]]:
    """Fail where a label, or the line to it, touches anything of another dot; the boxes of the labels."""
    boxes: dict[int, tuple[float, float, float, float]] = {}
    leaders: dict[int, tuple[float, float, float]] = {}
    for number, (label, (x, y), side) in enumerate(zip(labels, at, sides, strict=True)):
        if side is not None:
            left, right, off, up = PLACES[side]
            wide = 7 * len(label)
            boxes[number] = (x + off + left * wide, x + off + right * wide, y + up - 6, y + up + 6)
            assert boxes[number][2] >= -24 and boxes[number][3] <= 252 + 24, "a label is cut off"
            if "px" in side:
                leaders[number] = (x, *sorted((y + (8 if up > 0 else -8), y + up)))
    for number, (left, right, low, high) in boxes.items():
        for other, (x, y) in enumerate(at):
            if other != number:
                assert not (left < x < right and low < y < high), "a label lies on the dot of another system"
        for other, box in boxes.items():
            if other != number:
                assert right <= box[0] or box[1] <= left or high <= box[2] or box[3] <= low, "two labels touch"
    for number, (x, low, high) in leaders.items():
        for other, (other_x, other_y) in enumerate(at):
            on_it = abs(other_x - x) < 5 and low < other_y < high
            assert other == number or not on_it, "the line to a label runs through the dot of another system"
        for other, (left, right, bottom, top) in boxes.items():
            crossed = left < x < right and bottom < high and low < top
            assert other == number or not crossed, "the line to a label runs through another label"
    return boxes


@given(
    st.lists(
        st.tuples(st.text("abcdefgh", min_size=1, max_size=16), st.integers(0, 30), st.integers(0, 30)),
        min_size=1,
        max_size=9,
    ),
    st.sampled_from([215, 250, 333, 420, 700, 1100, 1900]),
    st.integers(0, 9),
    st.integers(0, 20),
)
@example(
    [("a", 125, 137), ("abcd", 125, 120), ("b", 0, 0), ("c", 250, 240)], 250, 0, 0
)  # one dot where a label would be
@example([("ease", 0, 30), ("knn", 15, 20), ("popular", 30, 0)], 1100, 3, 0)  # a label above the second is on the line
def test_no_label_touches_another_label_another_dot_or_the_front(
    dots: list[tuple[str, int, int]], width: int, joined: int, reach: int
) -> None:
    named = [(f"{label}{at}", float(x), float(y)) for at, (label, x, y) in enumerate(dots)]
    line = sorted(named[:joined], key=lambda dot: dot[1:])
    # Intervals draw the dots together: the axes reach beyond the outermost of them.
    lows, highs = ([ends(dot[axis] for dot in dots) for axis in (1, 2)] for ends in (min, max))
    lows, highs = [low - reach for low in lows], [high + reach for high in highs]
    intervals = ([lows[0], highs[0]], [lows[1], highs[1]])
    sides = label_sides(named, [label for label, _, _ in line], intervals=intervals)
    spans = [(high - low) or 1 for low, high in zip(lows, highs, strict=True)]
    at = [(width * (x - lows[0]) / spans[0], 252 * (y - lows[1]) / spans[1]) for _, x, y in dots]
    boxes = hold_apart([label for label, _, _ in named], at, sides)
    ends = [at[named.index(dot)] for dot in line]
    steps = np.linspace(0, 1, 200)
    for (from_x, from_y), (to_x, to_y) in pairwise(ends):
        x, y = from_x + steps * (to_x - from_x), from_y + steps * (to_y - from_y)
        for left, right, low, high in boxes.values():
            assert not ((left < x) & (x < right) & (low < y) & (y < high)).any(), "a label lies on the front"


@pytest.mark.parametrize("spread", [1.0, 0.3, 0.1])
def test_a_crowd_is_labelled_without_overlaps_at_every_width(spread: float) -> None:
    """Twelve systems of which one draws all others close together, from half a printed page to a wall."""
    names = [f"system_number_{at}" for at in range(12)]
    labelled = far = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        places = np.vstack([[0.0, 1.0], np.column_stack([1 - spread * rng.random(11), spread * rng.random(11)])])
        places = (places - places.min(axis=0)) / np.ptp(places, axis=0)
        sides = label_sides([(name, float(x), float(y)) for name, (x, y) in zip(names, places, strict=True)])
        for width in np.geomspace(215, 2000, 40):
            hold_apart(names, [(width * x, 252 * y) for x, y in places.tolist()], sides)
        labelled += sum(side is not None for side in sides)
        far += sum("px" in (side or "") for side in sides)
    assert far > 5 and labelled > 12 * 12 * {1.0: 0.75, 0.3: 0.3, 0.1: 0.15}[spread]


def test_dots_that_stand_apart_are_all_labelled() -> None:
    assert None not in label_sides([("random", 0.0, 5.0), ("popular", 0.5, 1.0), ("ease", 1.0, 3.0)])


def test_a_label_stands_beside_an_interval_where_there_is_room() -> None:
    dots = [("random", 0.0, 5.0), ("popular", 0.5, 1.0), ("ease", 1.0, 3.0)]
    upward = [((x, y - 0.5), (x, y + 0.5)) for _, x, y in dots]
    assert set(label_sides(dots)) == {"above"}
    assert set(label_sides(dots, bars=upward)) <= {"above right", "above left", "right", "left", "below right"}
    everywhere = [((0.0, at / 10), (1.0, at / 10)) for at in range(60)]
    assert label_sides(dots, bars=everywhere) == label_sides(dots), "a label on an interval is better than none"


def test_each_label_is_drawn_at_its_place_and_lines_lead_to_those_afar() -> None:
    """Read back from the picture that another library draws."""
    sides = ["above right", "left", "40 px below right", "52 px above"]
    rows = [{"x": at, "y": at, "text": f"label-{at}", "side": side} for at, side in enumerate([*sides, None])]
    base = base_of(rows, height=300)
    axes = {"x": alt.X("x:Q"), "y": alt.Y("y:Q")}
    layers = label_layers(base, rows, text="text", side="side", axes=axes)
    drawn = to_svg(figure_of(alt.layer(base.mark_circle().encode(**axes), *layers), ""))
    dots = [
        tuple(map(float, found))
        for found in re.findall(r'<path[^>]*transform="translate\(([\d.-]+),([\d.-]+)\)" d="M[^"]*A', drawn)
    ]
    found = re.findall(r'text-anchor="(\w+)" transform="translate\(([\d.-]+),([\d.-]+)\)"[^>]*>(label-\d)<', drawn)
    assert len(dots) == 5 and sorted(name for *_, name in found) == [f"label-{at}" for at in range(4)]
    offs = {name: (anchor, float(x), float(y)) for anchor, x, y, name in found}
    level = next(y for name, (_, _, y) in offs.items() if name == "label-1") - dots[1][1]  # of a label beside its dot
    for at, side in enumerate(sides):
        left, right, across, up = PLACES[side]
        anchor, x, y = offs[f"label-{at}"]
        assert anchor == {(0, 1): "start", (-1, 0): "end", (-0.5, 0.5): "middle"}[left, right]
        assert x - dots[at][0] == pytest.approx(across) and y - dots[at][1] - level == pytest.approx(-up)
    lines = re.findall(
        r'<line[^>]*transform="translate\(([\d.-]+),([\d.-]+)\)"[^>]*x2="0" y2="([\d.-]+)"[^>]*stroke-width="1"', drawn
    )
    leaders = {
        (float(x), float(y), float(y) + float(down)) for x, y, down in lines if float(x) in (dots[2][0], dots[3][0])
    }
    assert (dots[2][0], dots[2][1] + 8, dots[2][1] + 32) in leaders
    assert (dots[3][0], dots[3][1] - 8, dots[3][1] - 44) in leaders
