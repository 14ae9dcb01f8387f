"""The tests of a room lie in a folder of its name."""

from __future__ import annotations

import subprocess
from pathlib import Path

OF_NO_ROOM = {"cases", "docs", "helpers", "house", "pipelines", "reference", "stored"}
"""Folders of stored values, of modules that tests import, and of what is tested across rooms."""


def test_folders_of_tests_mirror_the_source(repository: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "tests"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout.split()
    folders = {parent for name in listed for parent in Path(name).parents if parent.parts[1:]}
    rooms = {folder for folder in folders if not OF_NO_ROOM & set(folder.parts)}
    without = sorted(
        str(each) for each in rooms if not (repository / "src/reclens" / each.relative_to("tests")).is_dir()
    )
    assert len(rooms) > 30
    assert not without, f"no room of this name: {without}"


def test_pages_are_tested_in_their_folder(repository: Path) -> None:
    pages = {path.stem for path in (repository / "src/reclens/dashboard/pages").glob("*.py")}
    tests = {
        path.stem.removeprefix("test_").removesuffix("_page") for path in (repository / "tests/dashboard").glob("*")
    }
    assert len(pages) > 8
    assert not pages & tests, "tests of a page lie in tests/dashboard/pages"
