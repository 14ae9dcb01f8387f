"""The page Data shows the profile, tails, times and problems of the library, and asks by SQL in bounds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from reclens.data import queries
from reclens.data.curves import part_of
from reclens.data.profile import profile
from reclens.report.data.profile import profile_table
from reclens.workspace import Workspace


def words(app) -> str:
    shown = [*app.markdown, *app.text, *app.caption, *app.title, *app.subheader, *app.warning, *app.error, *app.code]
    return "\n".join(str(each.value) for each in shown)


def test_the_profile_is_that_of_the_library(open_page, workspace: Workspace) -> None:
    split = workspace.load("split", "small")
    for part in ("train", "test", "whole"):
        expected = profile_table(profile(part_of(split, part)))
        shown = open_page("data", part=part).dataframe[0].value
        assert [tuple(row) for row in shown.itertuples(index=False)] == list(expected.rows)


def test_the_whole_of_a_split_is_the_data(open_page) -> None:
    assert [each.value for each in open_page("data", part="whole").metric] == ["4,000", "120", "90"]


@pytest.mark.parametrize(("view", "charts"), [("Long tail", 2), ("Over time", 2), ("Problems", 0)])
def test_views_draw(open_page, view: str, charts: int) -> None:
    app = open_page("data", view=view)
    assert len(app.get("vega_lite_chart")) == charts
    assert len(app.get("download_button")) >= charts


@pytest.mark.parametrize("view", ["Long tail", "Over time"])
def test_the_legend_has_the_colours_of_the_charts(open_page, view: str) -> None:
    app = open_page("data", view=view)
    (legend,) = (each.proto.body for each in app.get("html") if 'class="legend"' in each.proto.body)
    told = {name: colour for colour, name in re.findall(r'background:([^"]+)"></i>([^<]+)<', legend)}
    drawn = {
        tuple(zip(*map(json.loads, scale), strict=True))
        for each in app.get("vega_lite_chart")
        for scale in re.findall(r'"domain": ?(\[[^]]*\]), ?"range": ?(\[[^]]*\])', each.proto.spec)
    }
    assert len(told) == 2 and drawn == {tuple(told.items())}


def test_problems_name_what_the_split_warns_of(open_page, workspace: Workspace) -> None:
    notes = workspace.load("split", "small").card["notes"]
    assert notes and len(open_page("data", view="Problems").warning) == len(notes)


def test_a_query_its_rows_and_its_csv(open_page, workspace: Workspace) -> None:
    app = open_page(
        "data", view="SQL", sql="SELECT user_id, count(*) AS n FROM split_small_train GROUP BY 1 ORDER BY 1"
    )
    assert "csv-answer" not in [each.key for each in app.get("download_button")], "a link runs no query by itself"
    app.button[0].click().run()
    expected = workspace.load("split", "small").train.interactions.group_by("user_id").len("n").sort("user_id")
    assert app.dataframe[0].value["n"].to_list() == expected["n"].to_list()
    assert "120 rows, 2 columns" in words(app)
    assert "csv-answer" in [each.key for each in app.get("download_button")]


def test_the_csv_is_made_when_it_is_asked_for(open_page, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 10,000 rows it takes seconds: not at each touch of the page."""
    made: list[Any] = []
    monkeypatch.setattr("reclens.dashboard.console.to_csv", lambda table: made.append(table) or "a\n")
    app = open_page("data", view="SQL", sql="SELECT 1 AS a")
    app.button[0].click().run()
    app.run()
    assert "csv-answer" in [each.key for each in app.get("download_button")] and not made


def test_a_shipped_query_to_start_from(open_page, workspace: Workspace) -> None:
    app = open_page("data", view="SQL")
    app.selectbox(key="starter").select("item_popularity").run()
    assert '"split_small_train"' in app.text_area[0].value
    app.button[0].click().run()
    expected = queries.run("item_popularity", workspace.load("split", "small").train)
    assert app.dataframe[0].value["item_id"].to_list() == expected["item_id"].to_list()
    assert len(app.selectbox(key="starter").options) == 1 + len(queries.names())


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT * FROM '/etc/passwd'", "failed"),
        ("WITH x AS (COPY (SELECT 1) TO '/tmp/reclens-console.csv') FROM x", "COPY within WITH"),
        ("DROP TABLE split_small_train", "one SELECT"),
        ("SELECT * FROM split_small_trian", "Did you mean 'split\\_small\\_train'"),
    ],
)
def test_what_is_refused_is_said_in_place(open_page, query: str, says: str) -> None:
    app = open_page("data", view="SQL", sql=query)
    app.button[0].click().run()
    assert says.replace("\\", "") in words(app) and "no answer" in words(app)
    assert not Path("/tmp/reclens-console.csv").exists()


def test_what_is_cut_and_what_takes_too_long(open_page, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page("data", view="SQL", sql="SELECT * FROM range(1000000000000)")
    app.button[0].click().run()
    assert "Only the first 10,000 rows are shown" in words(app)
    monkeypatch.setattr("reclens.dashboard.console.SECONDS", 0.3)
    app = open_page("data", view="SQL", sql="SELECT count(*) FROM range(1000000000000)")
    app.button[0].click().run()
    assert "stopped after 0.3 s" in words(app)


def test_a_workspace_without_splits_can_be_asked(open_page, workspace: Workspace, tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    place.save(workspace.load("run", "small-ease"), "mine")
    app = open_page("data", folder=tmp_path)
    app.button[0].click().run()
    assert app.dataframe[0].value.columns.to_list() == ["user_id", "item_id", "rank", "score"]


def test_data_without_times(open_page, workspace: Workspace, tmp_path: Path) -> None:
    from reclens.data.dataset import Dataset

    Workspace(tmp_path).save(Dataset(pl.DataFrame({"user_id": ["<b>", "b"], "item_id": [1, 2]}), name="**x**"), "plain")
    assert "No times" in words(open_page("data", folder=tmp_path, view="Over time"))
    assert "**x**" not in words(open_page("data", folder=tmp_path))
    assert "Nothing found" in words(open_page("data", folder=tmp_path, view="Problems"))
    assert open_page("data", folder=tmp_path, view="Long tail").get("vega_lite_chart")


def test_ids_and_years_have_no_thousands_separators(open_page) -> None:
    app = open_page(
        "data", view="SQL", sql="SELECT 1234567 AS user_id, 1995 AS year, 7654 AS household, 1234567 AS clicks"
    )
    app.button[0].click().run()
    found = [json.loads(each.proto.columns) for each in app.dataframe]
    plain = [name for columns in found for name, each in columns.items() if "%d" in json.dumps(each)]
    assert sorted(plain) == ["household", "user_id", "year"]


def test_what_is_chosen_stands_on_the_page_where_a_phone_has_it_too(open_page) -> None:
    app = open_page("data")
    assert not app.sidebar.selectbox and [each.label for each in app.main.selectbox] == ["Data", "Part"]
