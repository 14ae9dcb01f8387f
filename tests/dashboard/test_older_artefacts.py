"""Artefacts of older versions: what cannot be read or shown is said, with how it is made again; the rest stands."""

from __future__ import annotations

import html
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from reclens.cli.option_names import as_option, texts
from reclens.dashboard.advice import PAGE_TEXTS, said_on_page
from reclens.dashboard.navigation import pages
from reclens.data.manifest import write_manifest
from reclens.errors import DataError
from reclens.experiment.analysis.readout import read_experiment
from reclens.experiment.planning.plan import Plan
from reclens.workspace import KINDS, Artefact, Workspace


def aged(place: Workspace, kind: str, name: str, **card: Any) -> Path:
    """The artefact as an older version would have left it: without a format, and with a card of its own."""
    folder = place.folder / kind / name
    found = json.loads((folder / "card.json").read_text()) | card
    found.pop("format")
    (folder / "card.json").write_text(json.dumps(found))
    write_manifest(folder)
    return folder


@pytest.fixture(scope="module")
def old(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Three runs of the small workspace; of one, and of a second split, an experiment and a search, old versions."""
    folder = tmp_path_factory.mktemp("old") / "workspace"
    shutil.copytree(workspace.folder, folder)
    place = Workspace(folder)
    split = place.load("split", "small")
    place.save(split, "unreadable")
    aged(place, "split", "unreadable", header={"task": "everything"})
    place.save(split, "unshowable")
    header = json.loads((folder / "split" / "unshowable" / "card.json").read_text())["header"]
    header["card"] = {**header["card"], "notes": [{"said": "three users have no test items"}]}
    aged(place, "split", "unshowable", header=header)
    plan = Plan(name="p", arms={"a": 0.5, "b": 0.5}, metrics=[{"name": "m", "value": "m", "effect": 0.1}])
    units = pl.DataFrame({"user_id": range(400), "variant": ["a", "b"] * 200, "m": [0, 1, 2, 3] * 100})
    place.save(plan, "p")
    place.save(read_experiment(plan, units), "first")
    place.save(read_experiment(plan, units), "second")
    (folder / "readout" / "second" / "readout.json").write_text('{"type": "Readout", "fields": {"arms": 2}}')
    aged(place, "readout", "second")
    place.save(plan, "of-old")
    (folder / "plan" / "of-old" / "plan.toml").write_text("name = 'p'\ntraffic = 3\n")
    aged(place, "plan", "of-old")
    for kind, name in (("evaluation", "small-ease"), ("comparison", "small"), ("run", "small-item_knn")):
        for file in (folder / kind / name).iterdir():
            if file.suffix == ".parquet":
                pl.DataFrame({"user": [1]}).write_parquet(file)
            elif file.name not in ("card.json", "manifest.json"):
                file.write_text("{}")
        aged(place, kind, name)
    return place


def words(app) -> str:
    shown = [*app.markdown, *app.caption, *app.warning, *app.error, *app.info, *app.subheader, *app.text]
    cards = [html.unescape(each.proto.body) for each in app.get("html")]
    return "\n".join([*cards, *(str(each.value) for each in shown)]).replace("\\", "").replace("\u2060", "")


AGAIN = {
    "split": "reclens data split … --name unreadable",
    "evaluation": "reclens evaluate … --keep small-ease",
    "comparison": "reclens compare … --keep small",
    "run": "reclens recommend … --keep small-item_knn",
    "readout": "reclens experiment read … --keep second",
    "plan": "reclens experiment plan … --keep of-old",
}


ON_PAGES = {
    "split": "Make it again outside of these pages.",
    "evaluation": "Bring its lists again on the page Upload.",
    "comparison": "Compare the runs again on the page Compare.",
    "run": "Make it again outside of these pages.",
    "readout": "Bring its results again on the page Experiments.",
    "plan": "Make the plan again, and keep it from the page Experiments.",
}


def test_every_kind_of_artefact_has_its_way_on_every_surface() -> None:
    for kind in KINDS:
        made = Artefact(kind=kind, name="old", created=datetime.now(UTC), bytes=0, path=Path()).made_again
        assert made.code in PAGE_TEXTS
        assert (made.code in texts()) == (
            kind not in ("report", "dataset")
        )  # no command keeps a data set, and none reads a document


@pytest.mark.parametrize("kind", AGAIN)
def test_an_error_says_how_it_is_made_again(old: Workspace, kind: str) -> None:
    name = AGAIN[kind].split()[-1]
    with pytest.raises(DataError, match="an older version of RecLens made it") as error:
        old.load(kind, name)
    assert f'Make it again: workspace.save(…, name="{name}").' in str(error.value)
    assert error.value.said(as_option, texts()).endswith(f"Make it again: {AGAIN[kind]}.")
    page = said_on_page(error.value)
    assert page.endswith(ON_PAGES[kind]) and "reclens " not in page and "name=" not in page
    assert {each.name for each in old.list(kind) if each.outdated} <= {name, "unshowable"}


@pytest.mark.parametrize(
    ("page", "query", "said", "stands"),
    [
        ("home", {}, ["evaluation", "comparison"], " 2 systems"),
        ("diagnostics", {}, ["evaluation"], " 2 systems"),
        ("compare", {}, ["evaluation"], " 2 systems"),
        ("users", {"split": "small"}, ["run"], "serves worst"),
        ("users", {"split": "unreadable"}, ["split"], ""),
        ("data", {"data": "split unreadable"}, ["split"], "One SELECT on DuckDB"),
        ("data", {"data": "split small"}, [], "interactions"),
        ("experiments", {"readout": "second"}, ["readout"], ""),
        ("experiments", {"readout": "first"}, [], "p · a 200, b 200"),
        ("experiments", {"view": "Plans", "plan": "p"}, ["readout", "plan"], "How it will be decided"),
        ("experiments", {"view": "Plans", "plan": "of-old"}, ["plan"], ""),
        ("experiments", {"view": "Assignment"}, ["plan"], ""),
    ],
)
def test_the_rest_of_a_page_stands(open_page, old: Workspace, page, query, said: list[str], stands: str) -> None:
    app = open_page(page, folder=old.folder, **query)
    text = words(app)
    for kind in said:
        assert "older version of RecLens made it" in text and ON_PAGES[kind] in text, text
    expanders = " ".join(each.label for each in app.get("expander"))
    metrics = " ".join(each.label for each in app.metric)
    assert stands in text + expanders + metrics, text


def test_what_can_be_read_and_not_be_shown_is_said_too(open_page, old: Workspace) -> None:
    app = open_page("data", folder=old.folder, data="split unshowable")
    assert ON_PAGES["split"] in words(app) and "cannot show it" in words(app)
    shown = open_page("data", folder=old.folder, data="split unshowable", view="SQL")
    assert "One SELECT on DuckDB" in words(shown)


@pytest.mark.parametrize("page", [each.path for each in pages()])
def test_every_page_is_drawn(open_page, old: Workspace, page: str) -> None:
    open_page(page, folder=old.folder)  # which fails on any exception
