"""The workbench: one decision on three pages, the run table, ways from page to page, and where pages begin."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest
import streamlit as st
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest

from reclens.dashboard.navigation import pages
from reclens.dashboard.scene import scene_of
from reclens.dashboard.widgets import _sides, plain
from reclens.evaluation import compare
from reclens.evaluation.decision import decide
from reclens.report._toolkit.charts import THEME
from reclens.report.evaluation.decision_words import decision_in_words
from reclens.workspace import Workspace
from reclens.workspace.notes import Note, Notes

RUNS = ["small-ease", "small-item_knn", "small-popular"]


def cards(app) -> str:
    return "\n".join(each.proto.body for each in app.get("html"))


def rows_of(spec: dict[str, Any], layer: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a layer, which may name those of another one."""
    sent = {
        each["data"]["name"]: each["data"]["values"]
        for each in spec["layer"]
        if {"name", "values"} <= set(each["data"])
    }
    return layer["data"].get("values") or sent[layer["data"]["name"]]


def links(app) -> list[str]:
    return [each.proto.url for each in app.get("link_button")]


@pytest.fixture(scope="module")
def headline(workspace: Workspace) -> str:
    results = {name: workspace.load("evaluation", name) for name in RUNS}
    return decision_in_words(decide(results, compare(results, baseline="small-popular"))).headline


@pytest.mark.parametrize("page", ["home", "diagnostics"])
def test_the_decision_stands_on_top_and_is_the_same_everywhere(open_page, headline: str, page: str) -> None:
    assert html.escape(headline) in cards(open_page(page))


FOLDS = """
from reclens.dashboard.cards import finding_cards, more
from reclens.findings import Finding
row = {"count": 1, "of": 9}
severities = ("note", "note", "note", "critical", "warning")
found = [
    Finding(severity=each, kind="problem", code="users_without_list", about=(f"run-{at}",), evidence=(row,))
    for at, each in enumerate(severities)
]
finding_cards(found, runs=["ease"], key="x")
more(["One.", "Two."], label="In words", key="said")
"""


def test_findings_beyond_three_and_sentences_fold_away_the_gravest_first() -> None:
    app = AppTest.from_string(FOLDS, default_timeout=60).run()
    assert not app.exception
    assert re.findall(r"<b>(.*?)</b><span>(.*?)</span>", cards(app)) == [
        ("Numbers may be wrong", "run-3"),
        ("To act on", "run-4"),
        ("Good to know", "run-0"),
    ]
    assert [each.label for each in app.expander] == ["2 more findings", "In words"]
    assert "One" not in "".join(each.value for each in app.markdown)


def test_compare_decides_on_its_pair(open_page, workspace: Workspace) -> None:
    results = {name: workspace.load("evaluation", name) for name in ("small-ease", "small-popular")}
    found = decide(results, compare(results, baseline="small-popular"))
    shown = cards(open_page("compare", runs=["small-ease", "small-popular"], system="small-ease"))
    assert all(html.escape(text) in shown for _, text in decision_in_words(found).lines)


def test_every_way_on_leads_to_a_page_and_choices_that_exist(open_page, workspace: Workspace) -> None:
    paths = {page.path for page in pages()}
    found: list[str] = []
    for page, query in (("home", {}), ("diagnostics", {}), ("diagnostics", {"view": "Users"}), ("compare", {})):
        found += links(open_page(page, **query))
    assert len(found) > 3
    for link in dict.fromkeys(found):
        parts = urlsplit(link)
        assert parts.path in paths
        assert parts.path not in ("diagnostics", "compare") or set(parse_qs(parts.query)["runs"]) <= set(RUNS), link
        app = open_page(parts.path, **parse_qs(parts.query))
        assert not [each.value for each in app.warning if "there is no" in each.value], link


@pytest.mark.parametrize("page", ["compare", "architectures"])
def test_runs_that_diagnostics_showed_are_those_of_the_next_page(open_page, workspace: Workspace, page: str) -> None:
    chosen = ["small-popular", "small-item_knn"]
    before = open_page("diagnostics", runs=chosen)
    code = f"from reclens.dashboard.testing import draw\ndraw({page!r}, {str(workspace.folder)!r})\n"
    app = AppTest.from_string(code, default_timeout=60)
    app.session_state["_kept_runs"] = before.session_state["_kept_runs"]
    app.run()
    assert set(app.multiselect(key="runs").value) == set(chosen)


def test_the_run_table_pins_the_baseline_and_marks_the_best(open_page, workspace: Workspace) -> None:
    table = open_page("diagnostics", columns=["ndcg@10", "coverage@10"], sort="ndcg@10").dataframe[0].value
    means = {name: workspace.load("evaluation", name).per_user["ndcg@10"].mean() for name in RUNS}
    best, second = sorted(set(RUNS) - {"small-popular"}, key=lambda name: -means[name])
    assert list(table["run"]) == ["small-popular", best, second]
    assert list(table["ndcg@10"]) == pytest.approx([means[name] for name in table["run"]])
    assert table[table[""] == "★ best"]["run"].tolist() == [max(means, key=means.get)]
    assert all(each.startswith("data:image/svg+xml;base64,") for each in table["ndcg@10 interval"])
    assert "coverage@10 interval" not in table.columns, "a metric of all lists together has no interval"


def test_runs_are_found_by_name_and_note_and_columns_are_remembered(
    open_page, workspace: Workspace, tmp_path: Path
) -> None:
    place = Workspace(tmp_path)
    for name in RUNS:
        place.save(workspace.load("evaluation", name), name)
    notes = Notes(tmp_path)
    notes.write("evaluation", "small-item_knn", tags=["nightly"], text="with <b>200</b> neighbours")
    notes.prefer("columns of the run table", ["novelty@10", "no such metric"])
    table = open_page("diagnostics", folder=tmp_path, search="NIGHT").dataframe[0].value
    assert list(table["run"]) == ["small-popular", "small-item_knn"], "the baseline stays"
    assert list(table["note"]) == ["", "with <b>200</b> neighbours"]
    assert "novelty@10" in table.columns and "ndcg@5" not in table.columns
    assert len(open_page("diagnostics", folder=tmp_path).dataframe[0].value) == 3


def with_rows(app, rows: list[int]):
    """The page after rows of its first table were selected, as the browser sends it."""
    states = app._tree.get_widget_states()
    chosen = {"selection": {"rows": rows, "columns": [], "cells": []}}
    states.widgets.append(WidgetState(id=app.dataframe[0].proto.id, string_value=json.dumps(chosen)))
    return app._run(states)


def test_rows_of_the_run_table_are_the_runs_that_are_looked_at(open_page) -> None:
    app = open_page("diagnostics", columns=["ndcg@10"], sort="ndcg@10")
    order = list(app.dataframe[0].value["run"])
    app = with_rows(app, [0, 2])
    assert not app.exception and app.multiselect(key="runs").value == [order[0], order[2]]
    assert len(app.dataframe[0].value) == 3, "the others stay in the table, in grey"
    app = with_rows(app, [])
    assert app.multiselect(key="runs").value == [order[0], order[2]], "no row is no choice"
    # A row that the search has hidden stays chosen.
    app = open_page("diagnostics", columns=["ndcg@10"], search="ease", runs=RUNS, baseline="small-popular")
    app = with_rows(app, [0])
    assert sorted(app.multiselect(key="runs").value) == ["small-item_knn", "small-popular"]


def test_columns_are_remembered_by_the_button(open_page, workspace: Workspace, tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    for name in RUNS:
        place.save(workspace.load("evaluation", name), name)
    app = open_page("diagnostics", folder=tmp_path, columns=["novelty@10", "ndcg@5"])
    app.button(key="keep-columns").click().run()
    assert not app.exception and Notes(tmp_path).preference("columns of the run table") == ["novelty@10", "ndcg@5"]
    assert "keep-columns" not in [each.key for each in app.button], "nothing is left to remember"
    again = open_page("diagnostics", folder=tmp_path)
    assert [head for head in again.dataframe[0].value.columns if "@" in head and "interval" not in head] == [
        "novelty@10",
        "ndcg@5",
    ]


def test_a_metric_of_one_cutoff_is_computed_at_others_when_it_is_asked_for(open_page, workspace: Workspace) -> None:
    def curves(app) -> dict[str, dict[str, dict[int, float]]]:
        found: dict[str, dict[str, dict[int, float]]] = {}
        for each in app.get("vega_lite_chart"):
            spec = json.loads(each.proto.spec)
            for row in rows_of(spec, spec["layer"][-1]):
                family, _, k = row["metric"].partition("@")
                found.setdefault(family, {}).setdefault(row["system"], {})[int(k)] = row["value"]
        return found

    assert set(curves(open_page("diagnostics", view="Per k"))) == {"ndcg"}
    drawn = curves(open_page("diagnostics", view="Per k", cutoffs="novelty"))
    assert set(drawn) == {"ndcg", "novelty"} and set(drawn["novelty"]) == set(RUNS)
    # By hand: the mean of -log2 of the share of training users who have the item, over the first k places.
    split, lists = workspace.load("split", "small"), workspace.load("run", "small-ease").table
    train = split.train.interactions
    had = train.group_by("item_id").agg(users=pl.col("user_id").n_unique())
    bits = had.select("item_id", bits=-(pl.col("users") / train["user_id"].n_unique()).log(2))
    for k in (1, 3, 10):
        top = lists.filter(pl.col("rank") <= k).join(bits, on="item_id")
        by_hand = top.group_by("user_id").agg(pl.col("bits").mean())["bits"].mean()
        assert drawn["novelty"]["small-ease"][k] == pytest.approx(by_hand)


def test_it_is_said_when_segments_were_tested_for_one_system_alone(
    open_page, workspace: Workspace, monkeypatch
) -> None:
    for page in ("home", "diagnostics", "compare"):
        assert "segments were tested for" not in " ".join(each.value for each in open_page(page).caption)
    st.cache_resource.clear()
    monkeypatch.setattr("reclens.dashboard.scene.MANY", 2)
    monkeypatch.setattr("reclens.dashboard.cards.MANY", 2)
    results = {name: workspace.load("evaluation", name) for name in RUNS}
    best = decide(results, compare(results, baseline="small-popular")).system
    try:
        for page, query, tested in (
            ("home", {}, best),
            ("diagnostics", {}, best),
            ("compare", {"system": "small-item_knn"}, "small-item_knn"),
        ):
            said = " ".join(each.value for each in open_page(page, **query).caption)
            assert (
                f"Of these 3 runs, segments were tested for {plain(tested)} alone, against {plain('small-popular')}"
                in said
            )
        # All tests are counted alike wherever they are told: a row with a p-value is one.
        made = scene_of(workspace, RUNS, baseline="small-popular").comparison
        assert made is not None
        assert made.card["tests"] == sum(row.p_adjusted is not None for row in made.differences) > 10
    finally:
        st.cache_resource.clear()


def test_a_system_has_one_colour_on_all_pages_and_in_the_report_of_its_job(open_page, workspace: Workspace) -> None:
    def told(text: str) -> dict[str, str]:
        return {name: at for at, name in re.findall(r'<i style="background: ?([^"]+)"></i>([\w-]+)<', text)}

    every = told(cards(open_page("diagnostics")))
    assert set(every) == set(RUNS) and len(set(every.values())) == 3
    for runs in (RUNS[:1], RUNS[2:0:-1]):
        assert told(cards(open_page("diagnostics", runs=runs))) == {name: every[name] for name in runs}
    report = told((workspace.folder / "reports" / "small.html").read_text(encoding="utf-8"))
    light = {f"var(--s{at})": colour for at, colour in enumerate(THEME["light"])}
    assert {f"small-{name}": light[colour] for name, colour in report.items()} == every
    compared = open_page("compare", system="small-ease", baseline="small-popular").get("vega_lite_chart")[0]
    scale = re.search(r'"domain": ?(\["small[^]]*\]), ?"range": ?(\[[^]]*\])', compared.proto.spec)
    assert scale is not None
    drawn = dict(zip(*map(json.loads, scale.groups()), strict=True))
    assert drawn["small-ease"] == every["small-ease"]


def test_notes_are_kept_and_what_cannot_be_read_is_not_written_over(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    assert notes.of("evaluation") == {} and notes.preference("x") == []
    notes.write("evaluation", "a", tags=[" one ", "one", ""], text=" said ")
    notes.write("evaluation", "b", tags=[], text="b")
    assert Notes(tmp_path).of("evaluation") == {"a": Note(("one",), "said"), "b": Note((), "b")}
    notes.write("evaluation", "a", tags=[], text=" ")
    assert list(notes.of("evaluation")) == ["b"]
    (tmp_path / "notes.json").write_text("{")
    with pytest.raises(Exception, match="holds no notes"):
        notes.write("evaluation", "c", tags=["x"], text="")
    assert (tmp_path / "notes.json").read_text() == "{"


def test_users_open_with_those_served_worst_and_the_largest_changes(open_page, workspace: Workspace) -> None:
    app = open_page("users", system="small-popular", against="small-ease")
    truth = workspace.load("split", "small").test
    top = workspace.load("run", "small-popular").table
    hits = top.filter(top["rank"] <= 10).join(truth, on=["user_id", "item_id"], how="semi")
    without = truth["user_id"].n_unique() - hits["user_id"].n_unique()
    said = next(each.value for each in app.subheader if "get no hit" in each.value)
    share = f"{without / truth['user_id'].n_unique():.0%}"
    assert said.startswith(plain(share))
    worst, changed = (each.value for each in app.dataframe[:2])
    assert (worst["small-popular"] == 0).sum() == min(without, 20)
    assert (changed["change"] == changed["after"] - changed["before"]).all()
    assert changed["change"].abs().is_monotonic_decreasing


def test_items_open_with_those_shown_most_and_never(open_page, workspace: Workspace) -> None:
    app = open_page("items", system="small-popular", k="5")
    top = workspace.load("run", "small-popular").table
    counts = top.filter(top["rank"] <= 5).group_by("item_id").len()
    titles = workspace.load("split", "small").train.items
    most, never = (each.value for each in app.dataframe[:2])
    assert most["lists"].iloc[0] == counts["len"].max()
    shown = set(titles.join(counts, on="item_id", how="semi")["title"])
    assert not shown & set(never["title"]) and never["users"].is_monotonic_decreasing


def test_an_item_is_divided_by_those_who_could_be_shown_it(open_page, workspace: Workspace) -> None:
    split, top = workspace.load("split", "small"), workspace.load("run", "small-item_knn").table
    had = split.train.interactions.group_by("item_id").len().sort("len", "item_id")["item_id"][-1]
    app = open_page("items", q=str(had), item=str(had), k="5")
    owners = set(split.train.interactions.filter(pl.col("item_id") == had)["user_id"])
    could = set(top["user_id"]) - owners
    shown = set(top.filter((pl.col("item_id") == had) & (pl.col("rank") <= 5))["user_id"])
    assert owners and shown <= could, "lists leave out what users had"
    table = next(each.value for each in app.dataframe if "left out: had it" in each.value.columns)
    row = table[(table["system"] == "small-item_knn") & (table["users"] == "all")].iloc[0]
    assert (row["n"], row["left out: had it"]) == (str(len(could)), str(len(owners & set(top["user_id"]))))
    assert row["shown to"].startswith(f"{len(shown) / len(could):.1%} [")
    charts = [each.proto for each in app.get("vega_lite_chart")]
    assert len(charts) == 3
    for each in charts:
        spec = json.loads(each.spec)
        layers = spec["layer"]
        axes = [layer["encoding"]["x"] for layer in layers]
        assert all(axis["axis"]["format"] == "%" for axis in axes), "a share is written in %"
        assert {" ".join(axis["title"]) for axis in axes} == {"share of the users who could be shown it"}
        marks = [row for layer in layers for row in rows_of(spec, layer) if row["system"] == "small-item_knn"]
        assert sum(row["n"] for row in marks if row["tip"]) >= len(could)


def test_all_pages_count_the_same_tests(open_page, workspace: Workspace) -> None:
    said = {}
    for page, query in (("home", {}), ("diagnostics", {}), ("compare", {}), ("compare", {"system": "small-item_knn"})):
        app = open_page(page, unfold="verdict", **query)
        text = "\n".join(each.value for each in app.markdown).replace("\\", "")
        said[page, *query.values()] = re.findall(r"([\d,]+ paired randomisation tests were made, [^\n]*)", text)
    made = scene_of(workspace, RUNS, baseline="small-popular").comparison
    assert made is not None
    tests = sum(row.p_adjusted is not None for row in made.differences)
    for page, sentences in said.items():
        assert len(sentences) == 1 and sentences[0].startswith(f"{tests} paired"), (page, sentences)
    assert len({each for sentences in said.values() for each in sentences}) == 1


def test_a_run_has_one_name_on_all_pages(open_page) -> None:
    app = open_page("compare", system="small-ease", baseline="small-popular")
    said = " ".join(each.value for each in app.caption).replace("\\", "")
    assert "under small-popular (before) and under small-ease (after)" in said
    tables = " ".join(each.value for each in open_page("diagnostics", view="Users", system="small-ease").markdown)
    assert "of small-ease" in tables.replace("\\", "") and "of ease" not in tables


def test_nothing_of_accuracy_is_dropped_in_silence_from_the_trade_off(open_page) -> None:
    app = open_page("diagnostics", view="Trade-off")
    said = "\n".join(each.value for each in app.caption)
    costs = "serendipity (Serendipity), miscalibration (Miscalibration (KL)), gini (Gini of exposure)"
    missing = f"Not measured on these runs: {costs}, arp (Average recommendation popularity)."
    assert missing in said.replace("\\", "") and said.count("Pareto front") == 3
    assert app.multiselect(key="y").value == ["diversity@10", "novelty@10", "coverage@10"]


def test_history_holds_every_run_of_a_system_to_a_bound(open_page, workspace: Workspace, tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    for night in ("mon", "tue"):
        place.save(workspace.load("evaluation", "small-ease"), f"n-{night}_ease")
    mean = workspace.load("evaluation", "small-ease").per_user["ndcg@10"].mean()
    for bound, outcome in ((mean / 2, "pass"), (mean, "cannot tell"), (mean * 2, "fail")):
        app = open_page(
            "diagnostics", folder=tmp_path, view="History", system="ease", metric="ndcg@10", bound=f"{bound:.4f}"
        )
        table = next(each.value for each in app.dataframe if "gate" in each.value.columns)
        assert list(table["gate"]) == [outcome, outcome] and set(table["run"]) == {"n-mon_ease", "n-tue_ease"}


def test_a_reason_has_a_share_and_the_rest_is_named(open_page) -> None:
    app = open_page("users", user="7")
    rows = next(each.value for each in app.dataframe if "because of" in each.value.columns)
    sizes = rows["adds"].abs()
    assert list(rows["share"]) == pytest.approx(list(sizes / sizes.sum()))
    assert rows["because of"].iloc[-1].startswith("everything else: the other ")
    shown = round(100 * (1 - rows["share"].iloc[-1]))
    assert any(f"explain {shown}% of what moves the score" in each.value for each in app.text)


@pytest.mark.parametrize(
    ("heights", "sides"),
    [
        ([180, 520, 200], [0, 1, 0]),  # the third below the short one
        ([60, 100, 300, 100], [0, 1, 0, 1]),
        ([180, 360], [0, 1]),  # half as tall is the least that stands beside
        ([179, 360], None),
        ([600, 1000], [0, 1]),  # half a screen is the most that stays empty
        ([600, 1001], None),
        ([500], None),
    ],
)
def test_no_screen_stays_empty_beside_a_long_chart(heights: list[int], sides: list[int] | None) -> None:
    assert _sides(heights) == sides
