"""Charts and tables of data sets show the numbers they are given."""

from __future__ import annotations

import polars as pl
import pytest

from reclens.data import split as splits
from reclens.data.curves import by_popularity, over_time, parts_of, tail_curve
from reclens.data.problems import Problem
from reclens.data.profile import profile
from reclens.report import to_csv
from reclens.report.data.profile import (
    frame_table,
    popularity_curve_chart,
    problems_table,
    profile_table,
    tail_chart,
    time_chart,
    time_share_chart,
)


def rows_of(chart) -> list[dict]:
    spec = chart.to_dict()
    return next(each["data"]["values"] for each in (spec, *spec["layer"]) if "data" in each)


def test_the_profile_as_a_table(small_data) -> None:
    found = profile(small_data)
    cells = {(row[0], row[1]): row[2] for row in profile_table(found).rows}
    assert cells["size", "interactions"] == f"{found.n_interactions:,}" == "6,000"
    assert cells["items", "Gini"] == f"{found.items.gini:.4f}"
    assert cells["time", "first"] == f"{found.first:%Y-%m-%d %H:%M:%S} UTC"
    assert cells["users", "max"] == f"{int(found.users.quantiles['max']):,}", "a count has no decimals"
    assert not {row[0] for row in profile_table(found).rows} & {"problems", "rules applied"}


def test_problems_as_a_table() -> None:
    shown = problems_table([Problem("not_finite", 1234, {"column": "rating"})])
    assert shown.rows == (("rating not finite", "1,234", "NaN or infinite"),)
    assert to_csv(shown) == "problem,rows,detail\nrating not finite,1234,NaN or infinite\n"


def test_any_frame_as_a_table_whose_csv_runs_nothing() -> None:
    frame = pl.DataFrame({"=a": ["=cmd|' /C calc'!A0", "-1+1", "plain"], "n": [1234, None, -5]})
    shown = frame_table("Result", frame)
    assert shown.rows[0] == ("=cmd|' /C calc'!A0", "1,234") and shown.rows[1][1] == "–"
    assert to_csv(shown).splitlines()[1:] == ["'=cmd|' /C calc'!A0,1234", "'-1+1,", "plain,-5"]


def test_charts_carry_the_curves(small_data) -> None:
    curves = {"items": tail_curve(small_data), "users": tail_curve(small_data, of="users")}
    assert len(rows_of(tail_chart(curves))) == 202
    half = next(row for row in rows_of(tail_chart(curves)) if row["system"] == "items" and row["across"] == 0.5)
    assert half["tip"] == f"the 50% items with the fewest have {half['share']:.1%} of the interactions"
    places = {"items": by_popularity(small_data)}
    assert [row["interactions"] for row in rows_of(popularity_curve_chart(places))] == [
        row["interactions"] for row in places["items"]
    ]


def test_times_of_a_split_stand_on_top_of_each_other(small_data) -> None:
    split = splits.by_time(small_data, test_share=0.2, validation_share=0.1)
    step, rows = over_time(split)
    drawn = rows_of(time_chart(rows, step=step))
    assert sum(row["top"] - row["below"] for row in drawn) == sum(map(len, parts_of(split).values()))
    assert {row["system"] for row in drawn} == {"train", "validation", "test"}
    shares = rows_of(time_share_chart(rows, step=step))
    assert sum(row["share"] for row in shares if row["system"] == "test") == pytest.approx(1)
    assert time_chart([], step="day") is None and time_share_chart(rows[:1], step="day") is None
    assert popularity_curve_chart({"items": []}) is None
