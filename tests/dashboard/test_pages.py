"""Each page over a small workspace: it shows what the library says, and keeps its state in the URL."""

from __future__ import annotations

import html
import io
import os
import re
import time
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import streamlit as st

import reclens.dashboard.pages
from reclens.dashboard.cards import finding_cards, words_card
from reclens.dashboard.colours import legend
from reclens.dashboard.demo import demo_of, start_demo
from reclens.dashboard.navigation import pages
from reclens.dashboard.store import fitting, split_of
from reclens.dashboard.widgets import plain, rows_as_csv
from reclens.data.split import random
from reclens.data.synthetic import synthetic_movielens
from reclens.evaluation import compare
from reclens.evaluation.views import crossed
from reclens.findings import Finding
from reclens.report import leaderboard, segment_table
from reclens.report._toolkit.card import DecisionWords
from reclens.report._toolkit.html import figure_of
from reclens.report.evaluation import charts
from reclens.report.evaluation import comparison as gains
from reclens.report.evaluation.comparison import movers_tables
from reclens.report.evaluation.findings import finding_text, findings
from reclens.report.evaluation.words import comparison_text as verdict_of
from reclens.workspace import Workspace

PATHS = [page.path for page in pages()]


def words(app) -> str:
    shown = [*app.markdown, *app.text, *app.caption, *app.title, *app.subheader, *app.warning, *app.error]
    return "\n".join(str(each.value) for each in shown)


def pages_html(app) -> str:
    """The HTML of a page: its cards and legends."""
    return "\n".join(each.proto.body for each in app.get("html"))


def test_the_folder_is_the_navigation() -> None:
    folder = Path(reclens.dashboard.pages.__file__).parent
    assert set(PATHS) == {file.stem for file in folder.glob("*.py")} - {"__init__"}
    assert PATHS[:5] == ["home", "diagnostics", "compare", "users", "items"]
    assert all(page.title and page.icon.startswith(":material/") for page in pages())


# The calculator of experiments needs no workspace.
@pytest.mark.parametrize("path", [path for path in PATHS if path != "experiments"])
def test_a_page_over_an_empty_workspace_says_how_to_begin(open_page, tmp_path: Path, path: str) -> None:
    app = open_page(path, folder=tmp_path / "nothing")
    ways = ("run job.toml", "run the demo", "audit demo", "monitor demo", "learn start")
    assert any(way in words(app) for way in ways)


def test_home_lists_what_is_there_and_the_newest_verdict(open_page, workspace: Workspace) -> None:
    app = open_page("home", unfold="verdict")
    verdict = verdict_of(workspace.load("comparison", "small"))
    assert all(plain(sentence) in words(app) for sentence in verdict)
    table = app.dataframe[0].value
    assert set(table["kind"]) >= {"split", "model", "run", "evaluation", "comparison"}
    filtered = open_page("home", kind="split").dataframe[0].value
    assert set(filtered["kind"]) == {"split"}


def test_the_leaderboard_is_that_of_the_library(open_page, workspace: Workspace) -> None:
    app = open_page("diagnostics", unfold="leaderboard")
    names = ["small-ease", "small-item_knn", "small-popular"]
    results = {name: workspace.load("evaluation", name) for name in names}
    comparison = compare(results, baseline="small-popular")
    expected = leaderboard(results, comparison=comparison)
    shown = [each.value for each in app.dataframe if list(each.value.columns) == list(expected.columns)]
    assert [tuple(row) for row in shown[0].itertuples(index=False)] == list(expected.rows)


def test_a_link_reproduces_the_view(open_page) -> None:
    app = open_page(
        "diagnostics", runs=["small-ease", "small-popular"], view="Users", metric="ndcg@10", system="small-popular"
    )
    assert app.multiselect(key="runs").value == ["small-ease", "small-popular"]
    assert plain("The users whom small-popular serves worst") in words(app)


def test_a_link_to_what_does_not_exist_says_so(open_page) -> None:
    app = open_page("diagnostics", runs="small-eese")
    assert "there is no 'small" in words(app)


@pytest.mark.parametrize("view", ["Leaderboard", "Segments", "Trade-off", "Long tail", "Per k", "Users"])
def test_every_view_draws_its_charts_with_their_data(open_page, view: str) -> None:
    app = open_page("diagnostics", view=view)
    charts = app.get("vega_lite_chart")
    assert charts, view
    assert "var(--" not in str(charts[0].proto), "colours are resolved: a canvas knows no variables"


def test_a_user_with_lists_hits_and_reasons(open_page, workspace: Workspace) -> None:
    split = workspace.load("split", "small")
    lists = workspace.load("run", "small-ease").table
    hits = lists.filter(lists["rank"] <= 10).join(split.test, on=["user_id", "item_id"], how="semi")
    user = hits["user_id"][0]
    app = open_page("users", user=str(user))
    marked = [table.value for table in app.dataframe if "✓" in table.value.columns]
    assert len(marked) == 3 and (marked[0]["✓"] == "✓").sum() == hits.filter(hits["user_id"] == user).height
    assert {"because of", "adds"} <= {name for table in app.dataframe for name in table.value.columns}
    for nobody in ("999999", "²", "--5"):
        assert plain(f"Unknown user {nobody}") in words(open_page("users", user=nobody))


def test_an_item_by_title_and_whom_it_is_shown_to(open_page, workspace: Workspace) -> None:
    split = workspace.load("split", "small")
    title = split.train.items["title"][0]
    app = open_page("items", q=title)
    assert any("chosen by" in table.value.columns for table in app.dataframe)
    assert "No item is called zzzz" in words(open_page("items", q="zzzz"))


def test_titles_are_text(open_page, workspace: Workspace, tmp_path: Path) -> None:
    """A name such as <script> or **bold** is shown as it is."""
    place = Workspace(tmp_path)
    for kind in ("split", "run"):
        name = "small" if kind == "split" else "small-ease"
        place.save(workspace.load(kind, name), name)
    app = open_page("items", folder=tmp_path, q="<script>alert(1)</script>**x**")
    heading = next(each.value for each in app.markdown if "No item is called" in each.value)
    assert "<script>" not in heading and "**x**" not in heading
    split = place.load("split", "small")
    hostile = "[here](http://evil.example) **x** <script>"
    items = split.train.items.with_columns(title=pl.lit(hostile))
    place.save(replace(split, train=replace(split.train, items=items)), "small", overwrite=True)
    shown = open_page("items", folder=tmp_path, q=str(items["item_id"][0]))
    assert [each.value for each in shown.subheader] == [plain(hostile)] and "](" not in plain(hostile)


def test_names_in_cards_and_legends_are_text(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(st, "html", drawn.append)
    name = "<script>alert(1)</script>"
    words_card(DecisionWords(name, name, "open", ((name, name),)))
    legend([name])
    finding = Finding(code="x", kind="gap", severity="warning", about=(name,))
    monkeypatch.setattr("reclens.dashboard.cards.finding_text", lambda *_: name)
    monkeypatch.setattr("reclens.dashboard.cards.lead", lambda *_, **__: None)
    monkeypatch.setattr("reclens.dashboard.cards.leads_of", lambda *_: ("", "home", {}))
    finding_cards([finding], runs=[name], key="k")
    assert len(drawn) == 3 and sum(each.count("&lt;script&gt;") for each in drawn) == 7
    assert not any("<script" in each for each in drawn)


def test_home_says_what_wants_attention(open_page, workspace: Workspace) -> None:
    results = {name: workspace.load("evaluation", name) for name in ("small-ease", "small-item_knn", "small-popular")}
    noted = findings(results)
    shown = pages_html(open_page("home"))
    assert noted and all(html.escape(finding_text(each)) in shown for each in noted)


def test_segments_can_be_crossed(open_page, workspace: Workspace) -> None:
    chosen = {"view": "Segments", "by": ["activity", "activity × taste"], "metric": "ndcg@10"}
    app = open_page("diagnostics", unfold="segments-activity × taste", **chosen)
    expected = crossed(workspace.load("evaluation", "small-ease"), "activity", "taste")
    table = segment_table({"small-ease": expected}, metric="ndcg@10", by="activity × taste")
    assert table.columns == ("segment", "small-ease") and len(table.rows) > 6, "many segments are rows"
    shown = next(each.value for each in app.dataframe if "segment" in each.value.columns and "small-ease" in each.value)
    rows = shown[["segment", "small-ease"]].itertuples(index=False)
    assert [tuple(row) for row in rows if row[0] in dict(table.rows)] == list(table.rows)


def test_compare_names_who_gains_with_examples(open_page, workspace: Workspace) -> None:
    query = {"system": "small-ease", "baseline": "small-popular", "metric": "ndcg@10"}
    app = open_page("compare", unfold="verdict", **query)
    names = ("small-ease", "small-item_knn", "small-popular")
    results = {name: workspace.load("evaluation", name) for name in names}
    # The main question is the first metric of the runs, whichever one is looked at.
    compared = compare(results, baseline="small-popular", by=["activity", "taste"])
    assert compared.card["primary"] == "ndcg@5"
    own = tuple(row for row in compared.differences if row.system == "small-ease")
    verdict = verdict_of(replace(compared, differences=own), "ndcg@10")
    assert verdict[-1] == verdict_of(compared, "ndcg@10")[-1], "tests are counted as on the page Diagnostics"
    assert all(plain(sentence) in words(app) for sentence in verdict)
    gained, lost = movers_tables(results["small-ease"], results["small-popular"], metric="ndcg@10")
    shown = [each.value for each in app.dataframe]
    for table in (gained, lost):
        assert any([tuple(row) for row in frame.itertuples(index=False)] == list(table.rows) for frame in shown)
    assert len([frame for frame in shown if "✓" in frame.columns]) == 2, "both lists of the example"
    same = open_page("compare", system="small-ease", baseline="small-ease")
    assert "Choose two different runs" in words(same)


def stand_in_for_python(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A program in the place of Python, which the demo is started with."""
    program = folder / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(program))


def until(app, text: str) -> str:
    """Draw a page until a text stands on it, as its fragment does each second."""
    for _ in range(200):
        app.run()
        shown = words(app) + "".join(each.label for each in app.status)
        if text in shown:
            return shown
        time.sleep(0.05)
    raise AssertionError(f"'{text}' does not come; there is: {shown}")


def test_the_demo_goes_on_when_its_reader_looks_elsewhere(
    open_page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workspace: Workspace
) -> None:
    """One process for a workspace, in a group of its own, that writes to a file; who comes back sees its last line."""
    folder, goes_on = tmp_path / "nothing", tmp_path / "go"
    stand_in_for_python(
        tmp_path,
        monkeypatch,
        f"""
echo started >>'{tmp_path}/starts'; echo 'fitting ease' >&2
while [ ! -e '{goes_on}' ]; do sleep 0.05; done
echo 'fitting more' >&2 && cp -r '{workspace.folder}' '{folder}'""",
    )
    app = open_page("home", folder=folder)
    app.button[0].click().run()
    assert not app.exception
    until(app, "fitting ease")
    assert app.button[0].disabled
    demo = demo_of(Workspace(folder))
    assert demo is not None and os.getpgid(demo.process.pid) == demo.process.pid != os.getpgid(0)
    assert "Running the demo" not in words(open_page("data", folder=folder)), "she looks elsewhere"
    assert start_demo(Workspace(folder)) is demo, "another reader presses the button too"
    again = open_page("home", folder=folder)
    assert "fitting ease" in again.status[0].label
    goes_on.touch()
    assert "In this workspace" in until(again, "In this workspace")
    demo.process.wait(timeout=20)
    until(app, "In this workspace")
    assert not app.status and demo_of(Workspace(folder)) is None and not demo.log.exists()
    assert (tmp_path / "starts").read_text() == "started\n"


def test_a_demo_that_fails_says_why(open_page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in_for_python(tmp_path, monkeypatch, "echo 'no space left' >&2; exit 2")
    app = open_page("home", folder=tmp_path / "nothing")
    app.button[0].click().run()
    until(app, "The demo failed: no space left")
    assert not app.button[0].disabled, "it can be tried again"
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    app.button[0].click().run()
    assert any("cannot be started" in each.value for each in app.error)


def test_lists_of_another_split_are_left_out(open_page, workspace: Workspace, tmp_path: Path) -> None:
    """Hits are marked against what the lists were made for, or not at all."""
    place = Workspace(tmp_path)
    data = synthetic_movielens(n_users=120, n_items=90, n_ratings=4_000, rng=4)
    place.save(workspace.load("split", "small"), "small")
    place.save(workspace.load("run", "small-ease"), "small-ease")
    place.save(random(data, rng=0), "newer")
    assert "small-ease" in fitting(place, "small") and "small-ease" not in fitting(place, "newer")
    assert split_of(place, ["small-ease"]) == "small"
    app = open_page("users", folder=tmp_path, runs="small-ease", user="7")
    assert app.selectbox(key="split").value == "small", "the split that fits the lists of a link"
    other = open_page("users", folder=tmp_path, split="newer", runs="small-ease", user="7")
    assert "learned from other data" in words(other) and not any("✓" in each.value.columns for each in other.dataframe)


def test_the_csv_of_a_chart_holds_its_rows(workspace: Workspace) -> None:
    results = {name: workspace.load("evaluation", name) for name in ("small-ease", "small-popular")}
    comparison = compare(results, baseline="small-popular")
    chosen = {"metric": "ndcg@10", "by": "activity"}
    drawn = {
        "gap": charts.gap_chart(results, metric="ndcg@10"),
        "lorenz": charts.lorenz_chart(results, consumed=results["small-ease"].lorenz("popularity")),
        "difference": gains.gain_difference_chart(comparison, system="small-ease", **chosen),
        "gain": gains.gain_chart(comparison, system="small-ease", **chosen),
        "change": gains.change_chart(*results.values(), metric="ndcg@10"),
        "segments": charts.segment_chart(results, **chosen),
        "trade": charts.trade_off_chart(results, x="ndcg@10", y="novelty@10"),
    }
    columns = {
        "gap": {"by", "value", "low", "high"},
        "lorenz": {"items", "share"},
        "difference": {"segment", "value"},
        "gain": {"segment", "users", "share"},
        "change": {"users", "change"},
        "segments": {"segment", "value"},
        "trade": {"x", "y", "system"},
    }
    for name, chart in drawn.items():
        rows = pl.read_csv(io.StringIO(rows_as_csv(figure_of(chart, name).spec)))
        assert columns[name] <= set(rows.columns) and rows.height > 1, name
    found = comparison.find("small-ease", "ndcg@10", by="activity", segment="light")
    rows = pl.read_csv(io.StringIO(rows_as_csv(figure_of(drawn["difference"], "").spec)))
    assert rows.filter(pl.col("segment") == "light")["value"].item() == pytest.approx(found.difference)


def test_names_are_no_markdown_and_no_formula() -> None:
    hostile = "![x](http://evil.example/p.png) www.evil.com a@b.co &copy; **b**\n# h"
    shown = plain(hostile)
    assert "\n" not in shown
    assert not re.search(r"(?<!\\)[!\[\]()*#&@.:]", shown), "nothing is left that Markdown or a browser would follow"
    # What micromark looks for after escapes are resolved, to make links of (mdast-util-gfm-autolink-literal).
    resolved = re.sub(r"\\(.)", r"\1", shown)
    assert not re.search(r"(https?://|www(?=\.))[-.\w]+|[-.\w+]+@[-\w]+(\.[-\w]+)+", resolved, re.IGNORECASE)
    rows = rows_as_csv({"data": {"values": [{"system": "=HYPERLINK(1)", "value": 1.0}]}})
    assert rows.splitlines()[1].startswith("'=HYPERLINK")


def test_home_lists_what_is_there_beside_a_broken_evaluation(open_page, workspace: Workspace, tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    for name in ("small-ease", "small-popular"):
        place.save(workspace.load("evaluation", name), name)
    (tmp_path / "evaluation" / "small-ease" / "per_user.parquet").write_bytes(b"PAR1 cut off")
    app = open_page("home", folder=tmp_path)
    assert "small-ease" in app.warning[0].value.replace("\\", "") and set(app.dataframe[0].value["name"]) == {
        "small-ease",
        "small-popular",
    }


def test_a_metric_that_is_not_registered_here_is_shown_by_its_name(open_page, workspace: Workspace, tmp_path) -> None:
    place = Workspace(tmp_path)
    for name in ("small-ease", "small-popular"):
        result = workspace.load("evaluation", name)
        columns = tuple("mine@5" if each == "ndcg@5" else each for each in result.summary.columns)
        summary = replace(result.summary, columns=columns)
        mine = replace(
            result,
            metrics=("mine@5", *result.metrics[1:]),
            summary=summary,
            per_user=result.per_user.rename({"ndcg@5": "mine@5"}),
        )
        place.save(mine, name)
    for view in ("Leaderboard", "Segments", "Users"):
        app = open_page("diagnostics", folder=tmp_path, view=view)
        assert not app.error and plain("mine@5") in words(app), view
