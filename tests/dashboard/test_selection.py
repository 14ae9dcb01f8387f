"""What is sent to draw a chart that can be clicked."""

from __future__ import annotations

from reclens.dashboard.selection import ready


def test_rows_are_sent_once_and_the_cached_chart_stays() -> None:
    rows = {"values": [{"x": at, "system": "a"} for at in range(3)]}
    zero = {"values": [{"zero": 0}]}
    layers = [{"mark": "rule", "data": zero}, {"mark": "line"}, {"mark": {"type": "circle"}}]
    spec = {"data": rows, "layer": layers}
    made = ready(spec, pick=("system",), brush=("x",))
    assert [each["data"] for each in made["layer"]] == [zero, {"name": "rows", **rows}, {"name": "rows"}]
    assert "data" not in made, "Streamlit would send it after the first drawing"
    assert [each["name"] for each in made["layer"][2]["params"]] == ["pick", "brush"]
    assert spec == {"data": rows, "layer": layers} and layers[2] == {"mark": {"type": "circle"}}
