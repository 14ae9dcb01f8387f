"""Pages over a workspace that others write to, while it is listed and while a page is drawn."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from reclens.dashboard import store
from reclens.workspace import Workspace


@pytest.fixture
def two(workspace: Workspace, tmp_path: Path) -> Workspace:
    place = Workspace(tmp_path / "work")
    for name in ("small-popular", "small-ease"):
        place.save(workspace.load("evaluation", name), name)
    return place


def still(folder: Path) -> None:
    """Make the clock of the file system stand still, as within one of its ticks."""
    for each in folder.iterdir():
        os.utime(each, ns=(0, 0))


def test_what_is_saved_within_one_tick_of_the_clock_is_listed(two: Workspace) -> None:
    still(two.folder)
    assert store.names(two, "evaluation") == ["small-ease", "small-popular"]
    old = store.load(two, "evaluation", "small-ease")
    two.save(two.load("evaluation", "small-popular"), "small-ease", overwrite=True)
    two.save(old, "small-more")
    still(two.folder)
    assert store.names(two, "evaluation") == ["small-more", "small-ease", "small-popular"]
    now = store.load(two, "evaluation", "small-ease")["ndcg@5"].overall.value
    assert now == two.load("evaluation", "small-popular")["ndcg@5"].overall.value != old["ndcg@5"].overall.value


def test_what_is_being_written_or_was_removed_is_on_no_page(open_page, two: Workspace) -> None:
    shutil.copytree(two.folder / "evaluation" / "small-ease", two.folder / "evaluation" / ".writing-half")
    two.remove("evaluation", "small-popular")
    app = open_page("home", folder=two.folder)
    assert not app.error and set(app.dataframe[0].value["name"]) == {"small-ease"}


def test_a_page_is_drawn_anew_when_its_artefacts_vanish_under_it(
    open_page, two: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    listing = store.listing

    def late(workspace: Workspace, kind: str | None = None) -> list:
        found = listing(workspace, kind)
        if kind == "evaluation" and not begun:
            begun.append(1)
            two.remove("evaluation", "small-ease")
        return found

    monkeypatch.setattr(store, "listing", late)
    app = open_page("home", folder=two.folder)
    assert begun and not app.error and set(app.dataframe[0].value["name"]) == {"small-popular"}


def test_a_workspace_that_is_gone_is_an_empty_one(open_page, two: Workspace) -> None:
    shutil.rmtree(two.folder)
    app = open_page("home", folder=two.folder)
    assert not app.error


def test_a_page_reads_the_stamps_of_all_artefacts_once(open_page, two: Workspace, monkeypatch) -> None:
    read: list[Path] = []
    stamps = Workspace.stamps

    def counted(workspace: Workspace) -> tuple:
        read.append(workspace.folder)
        return stamps(workspace)

    monkeypatch.setattr(Workspace, "stamps", counted)
    open_page("diagnostics", folder=two.folder)
    assert len(read) <= 2, "when it begins, and for its first list"


def test_a_part_is_redrawn_alone_only_while_the_workspace_stays_as_it_was(two: Workspace, monkeypatch) -> None:
    whole: list[str] = []
    monkeypatch.setattr(store.st, "session_state", {})
    monkeypatch.setattr(store.st, "rerun", lambda: whole.append("page"))
    store.begin(two)
    store.begin_part(two)
    assert not whole
    two.remove("evaluation", "small-ease")
    store.begin_part(two)
    assert whole == ["page"]
