"""Each page over a small workspace: it shows what the library says, and keeps its state in the URL."""

from __future__ import annotations

from pathlib import Path

import pytest

import reclens.dashboard.pages
from reclens.dashboard.demo import run_demo
from reclens.dashboard.navigation import pages
from reclens.dashboard.show import plain
from reclens.errors import WorkspaceError
from reclens.evaluate import compare
from reclens.evaluate.views import crossed
from reclens.report.attention import findings
from reclens.report.gains import movers_tables
from reclens.report.tables import leaderboard, segment_table
from reclens.workspace import Workspace

PATHS = [page.path for page in pages()]


def words(app) -> str:
    shown = [*app.markdown, *app.text, *app.caption, *app.title, *app.subheader, *app.warning, *app.error]
    return "\n".join(str(each.value) for each in shown)


def test_the_folder_is_the_navigation() -> None:
    folder = Path(reclens.dashboard.pages.__file__).parent
    assert set(PATHS) == {file.stem for file in folder.glob("*.py")} - {"__init__"}
    assert PATHS[:5] == ["home", "diagnostics", "compare", "users", "items"]
    assert all(page.title and page.icon.startswith(":material/") for page in pages())


# The calculator of experiments needs no workspace.
@pytest.mark.parametrize("path", [path for path in PATHS if path != "experiments"])
def test_a_page_over_an_empty_workspace_says_how_to_begin(open_page, tmp_path: Path, path: str) -> None:
    app = open_page(path, folder=tmp_path / "nothing")
    assert "reclens run job.toml" in words(app) or "run the demo" in words(app)


def test_home_lists_what_is_there_and_the_newest_verdict(open_page, workspace: Workspace) -> None:
    app = open_page("home")
    verdict = workspace.load("comparison", "small").verdict
    assert all(plain(sentence) in words(app) for sentence in verdict)
    table = app.dataframe[0].value
    assert set(table["kind"]) == {"split", "model", "run", "evaluation", "comparison"}
    filtered = open_page("home", kind="split").dataframe[0].value
    assert set(filtered["kind"]) == {"split"}


def test_the_leaderboard_is_that_of_the_library(open_page, workspace: Workspace) -> None:
    app = open_page("diagnostics")
    names = ["small-ease", "small-item_knn", "small-popular"]
    results = {name: workspace.load("evaluation", name) for name in names}
    comparison = compare(results, baseline="small-popular")
    expected = leaderboard(results, comparison=comparison)
    shown = app.dataframe[0].value
    assert [tuple(row) for row in shown.itertuples(index=False)] == list(expected.rows)
    assert plain("small-ease comes first of 3 systems by ndcg@5") in words(app)


def test_a_link_reproduces_the_view(open_page) -> None:
    app = open_page("diagnostics", runs=["small-ease", "small-popular"], view="Users", metric="ndcg@10",
                    system="small-popular")  # fmt: skip
    assert app.multiselect(key="runs").value == ["small-ease", "small-popular"]
    assert "The users whom small-popular serves worst" in words(app)


def test_a_link_to_what_does_not_exist_says_so(open_page) -> None:
    app = open_page("diagnostics", runs="small-eese")
    assert "there is no 'small" in words(app)


@pytest.mark.parametrize("view", ["Leaderboard", "Segments", "Trade-off", "Long tail", "Per k", "Users"])
def test_every_view_draws_its_charts_with_their_data(open_page, view: str) -> None:
    app = open_page("diagnostics", view=view)
    charts = app.get("vega_lite_chart")
    assert charts, view
    assert "var(--" not in str(charts[0].proto), "colours are resolved: a canvas knows no variables"


def test_a_user_with_her_lists_hits_and_reasons(open_page, workspace: Workspace) -> None:
    split = workspace.load("split", "small")
    lists = workspace.load("run", "small-ease").table
    hits = lists.filter(lists["rank"] <= 10).join(split.test, on=["user_id", "item_id"], how="semi")
    user = hits["user_id"][0]
    app = open_page("users", user=str(user))
    marked = [table.value for table in app.dataframe if "✓" in table.value.columns]
    assert len(marked) == 3 and (marked[0]["✓"] == "✓").sum() == hits.filter(hits["user_id"] == user).height
    assert {"because of", "adds"} <= {name for table in app.dataframe for name in table.value.columns}
    assert "Nobody is called 999999" in words(open_page("users", user="999999"))


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


def test_home_says_what_wants_attention(open_page, workspace: Workspace) -> None:
    results = {name: workspace.load("evaluation", name) for name in ("small-ease", "small-item_knn", "small-popular")}
    noted = findings(results)
    shown = words(open_page("home"))
    assert noted and all(plain(each.text) in shown for each in noted)


def test_segments_can_be_crossed(open_page, workspace: Workspace) -> None:
    app = open_page("diagnostics", view="Segments", by=["activity", "activity × taste"], metric="ndcg@10")
    expected = crossed(workspace.load("evaluation", "small-ease"), "activity", "taste")
    table = segment_table({"small-ease": expected}, metric="ndcg@10", by="activity × taste")
    shown = next(each.value for each in app.dataframe if table.columns[1] in each.value.columns)
    row = next(row for row in shown.itertuples(index=False) if row[0] == "small-ease")
    assert tuple(row) == table.rows[0]


def test_compare_names_who_gains_with_examples(open_page, workspace: Workspace) -> None:
    app = open_page("compare", system="small-ease", baseline="small-popular", metric="ndcg@10")
    results = {name: workspace.load("evaluation", name) for name in ("small-ease", "small-popular")}
    verdict = compare(results, baseline="small-popular", metrics=["ndcg@10"], by=["activity", "taste"]).verdict
    assert all(plain(sentence) in words(app) for sentence in verdict)
    gained, lost = movers_tables(*results.values(), metric="ndcg@10")
    shown = [each.value for each in app.dataframe]
    for table in (gained, lost):
        assert any([tuple(row) for row in frame.itertuples(index=False)] == list(table.rows) for frame in shown)
    assert len([frame for frame in shown if "✓" in frame.columns]) == 2, "both lists of the example"
    same = open_page("compare", system="small-ease", baseline="small-ease")
    assert "Choose two different runs" in words(same)


def test_the_demo_runs_from_an_empty_home(open_page, tmp_path: Path, monkeypatch, workspace: Workspace) -> None:
    """The button runs the demo as a process, says each of its lines, and shows the page anew."""
    folder = tmp_path / "nothing"
    stand_in = tmp_path / "python"
    stand_in.write_text(f"#!/bin/sh\necho 'fitting ease' >&2\ncp -r '{workspace.folder}' '{folder}'\necho done >&2\n")
    stand_in.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(stand_in))
    app = open_page("home", folder=folder)
    app.button[0].click().run()
    assert not app.exception and "In this workspace" in words(app)
    lines: list[str] = []
    run_demo(Workspace(tmp_path / "other"), say=lines.append)
    assert lines == ["fitting ease", "done"]


def test_a_demo_that_fails_says_why(tmp_path: Path, monkeypatch) -> None:
    stand_in = tmp_path / "python"
    stand_in.write_text("#!/bin/sh\necho 'no space left' >&2\nexit 2\n")
    stand_in.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(stand_in))
    with pytest.raises(WorkspaceError, match="the demo failed: no space left"):
        run_demo(Workspace(tmp_path), say=lambda line: None)
