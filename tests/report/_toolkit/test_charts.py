"""Charts of dots with intervals: one wide interval does not press the others together, and is shown to go on."""

from __future__ import annotations

import re

import pytest
import vl_convert

from reclens.report._toolkit.charts import dots, rows_of, within
from reclens.report._toolkit.html import figure_of

NARROW = [{"value": v, "low": v - 0.05, "high": v + 0.05} for v in (0.1, 0.2, 0.3)]
WIDE = {"value": 0.2, "low": -2.0, "high": 2.0}


def test_an_axis_holds_three_typical_half_widths_beyond_the_values() -> None:
    """The typical width is 0.1, the median: 0.15 beyond 0.1 and 0.3, and 2 % of the 0.5 between for whole dots."""
    assert within([*NARROW, WIDE]) == pytest.approx((-0.05 - 0.01, 0.45 + 0.01))
    assert within([*NARROW, WIDE], zero=True) == pytest.approx((-0.15 - 0.012, 0.45 + 0.012))
    assert within([*NARROW, {**WIDE, "low": 0.1}]) == pytest.approx((0.05 - 0.008, 0.45 + 0.008)), "one side only"


def test_an_axis_follows_its_rows_where_none_is_wider_than_the_others() -> None:
    assert within(NARROW) is None and within([]) is None
    assert within([{"value": 0.1, "low": None, "high": None}]) is None


@pytest.mark.parametrize(
    ("low", "high", "shapes"), [(-2, 2, ["left", "right"]), (-2, 0.2, ["left"]), (0, 2, ["right"])]
)
def test_an_interval_that_is_cut_off_has_an_arrow(low: float, high: float, shapes: list[str]) -> None:
    rows = [{**each, "system": "a", "name": str(at), "small": False, "tip": ""} for at, each in enumerate(NARROW)]
    rows.append({**rows[1], "name": "wide", "low": low, "high": high})
    order = rows_of("name", [row["name"] for row in rows])
    spec = dots(rows, y=order, row_height=99, systems=["a"], title="x", domain=(-0.1, 0.4)).to_dict()
    arrows = [each for each in spec["layer"] if each["mark"]["type"] == "point"]
    assert [each["mark"]["shape"] for each in arrows] == [f"triangle-{shape}" for shape in shapes]
    assert all([row["name"] for row in each["data"]["values"]] == ["wide"] for each in arrows)
    assert spec["layer"][-1]["mark"]["type"] == "circle", "the dots are on top, and can be clicked"


def test_a_label_near_the_end_of_an_axis_is_not_cut_off() -> None:
    """A tick 4 pixels before the end: a label in its middle would reach 9 pixels beyond it."""
    rows = [{"system": "ease", "value": 0.1, "low": 0.05, "high": 0.15, "small": False, "tip": ""}]
    chart = dots(
        rows, y=rows_of("system", ["ease"]), row_height=26, systems=["ease"], title="", form="%", domain=(0, 0.2021)
    )
    drawn = vl_convert.vegalite_to_svg({**figure_of(chart, "").spec, "width": 400})
    anchors = {text: anchor for anchor, text in re.findall(r'text-anchor="(\w+)"[^>]*>([\d.]+%)<', drawn)}
    assert anchors["20%"] == "end" and anchors["10%"] == "middle"
