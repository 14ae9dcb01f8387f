"""Runs in a folder: what was logged is there, and a run of the same name replaces the older one once it has ended."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from reclens.edges.runs import FolderTracker
from reclens.errors import UsageError, WorkspaceError
from reclens.protocols import Tracker, adapter


def read(folder: Path) -> dict[str, dict]:
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}


def test_a_run_is_a_file_and_is_replaced_by_its_name(tmp_path: Path) -> None:
    folder, report = tmp_path / "tracked", tmp_path / "week.html"
    report.write_text("<p>whole</p>")
    tracker = adapter(f"runs:{folder}", Tracker)
    for ctr in (0.1, 0.2):
        tracker.start("shop 2026-03-02", {"day": "2026-03-02"})
        tracker.log({"ctr": ctr, "gini": math.nan})
        tracker.log({"loss": 1.5}, step=0)
        tracker.attach(report)
        tracker.finish("done")
    assert read(folder) == {
        "shop 2026-03-02": {
            "name": "shop 2026-03-02",
            "settings": {"day": "2026-03-02"},
            "numbers": {"ctr": 0.2},
            "steps": [{"step": 0, "loss": 1.5}],
            "status": "done",
            "files": ["shop 2026-03-02/week.html"],
        }
    }
    assert (folder / "shop 2026-03-02" / "week.html").read_text() == "<p>whole</p>"
    killed = FolderTracker(folder)
    killed.start("shop 2026-03-02", {"day": "2026-03-02"})
    killed.log({"ctr": 0.9})
    assert read(folder)["shop 2026-03-02"]["numbers"] == {"ctr": 0.2}


def test_orders_and_places_that_are_wrong_are_refused(tmp_path: Path) -> None:
    tracker = FolderTracker(tmp_path / "runs")
    with pytest.raises(UsageError, match="no run is open"):
        tracker.log({"ctr": 0.1})
    tracker.start("../../away", {})
    with pytest.raises(UsageError, match="finish it first"):
        tracker.start("again", {})
    with pytest.raises(WorkspaceError, match="cannot be written"):
        tracker.attach(tmp_path / "nosuch.csv")
    tracker.finish("failed")
    assert [each["status"] for each in read(tmp_path / "runs").values()] == ["failed"]
    assert not (tmp_path.parent / "away.json").exists()
    with pytest.raises(UsageError, match="no folder is named"):
        adapter("runs:", Tracker)
    (tmp_path / "file").write_text("")
    tracker = FolderTracker(tmp_path / "file")
    tracker.start("day", {})
    with pytest.raises(WorkspaceError):
        tracker.finish("done")


def test_names_that_differ_in_odd_characters_are_files_of_their_own(tmp_path: Path) -> None:
    names = ["a b", "a-b", "a/b", "a?b", "a%2Fb", "..", ".", "", "run", "%", "été", "ete"]
    tracker = FolderTracker(tmp_path / "runs")
    for name in names:
        tracker.start(name, {})
        tracker.attach(Path(__file__))
        tracker.finish("done")

    found = read(tmp_path / "runs")

    assert sorted(each["name"] for each in found.values()) == sorted(names)
    assert len({each["files"][0] for each in found.values()}) == len(names)
    assert {path.name for path in tmp_path.iterdir()} == {"runs"}
    assert {"a b", "a-b", "a%2Fb", "a%252Fb", "%2E.", "%2E", "%", "%25"} <= found.keys()
