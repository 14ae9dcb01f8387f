"""The folder of a monitor: runs again, at once, cut short, or on a full disk."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from reclens.errors import NameTakenError, WorkspaceError
from reclens.monitor import project as module
from reclens.monitor.day import run_day
from reclens.monitor.project import Project

FIRST = date(2026, 1, 5)
SECOND = FIRST + timedelta(days=1)


def content(project: Project) -> dict[str, bytes]:
    """Every file of the state."""
    return {
        str(each.relative_to(project.state)): each.read_bytes()
        for each in sorted(project.state.rglob("*"))
        if each.is_file() and each.name != "lock"
    }


def test_a_day_run_again_is_the_same_to_the_byte(hand_project: Project) -> None:
    run_day(hand_project, FIRST)
    before = content(hand_project)
    assert {"bins.json", "known_items.parquet", f"days/{FIRST}/series.parquet"} <= set(before)
    run_day(Project(hand_project.folder), FIRST)
    assert content(hand_project) == before
    series = hand_project.series()
    run_day(hand_project, FIRST, threads=1)
    assert_frame_equal(hand_project.series(), series)


def test_a_day_that_is_corrected_replaces_what_it_left(
    hand_project: Project, hand_log: Callable[..., pl.DataFrame], write_log: Callable[..., None], tmp_path: Path
) -> None:
    run_day(hand_project, FIRST)
    write_log(tmp_path, FIRST, hand_log().with_columns(clicked=pl.lit(0), user_id=pl.lit(7)))
    run_day(hand_project, FIRST)
    ctr = hand_project.series().filter(indicator="ctr", dimension="overall")
    assert ctr["value"].to_list() == [0.0]
    known = hand_project.read_known("users")
    assert known is not None and known.rows() == [("7", FIRST)]
    (tmp_path / "log" / f"{FIRST}.parquet").unlink()
    run_day(hand_project, FIRST)
    assert hand_project.read_day(FIRST, "cells") is None and hand_project.series().is_empty()


def test_a_day_is_whole_or_not_there(hand_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full at some file: the day counts as not run, and the next run mends it."""
    run_day(hand_project, FIRST)
    whole = content(hand_project)
    write = module.write_bytes
    left = 0

    def full(path: Path, data: bytes) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise WorkspaceError(f"{path} cannot be written: No space left on device. Choose another place.")
        write(path, data)

    files = len([name for name in whole if name.startswith("days/")]) - 2  # without the two of JSON
    for at in (0, files // 2, files - 1):
        left = at
        monkeypatch.setattr(module, "write_bytes", full)
        with pytest.raises(WorkspaceError, match="No space left"):
            run_day(hand_project, FIRST)
        assert hand_project.days() == [] and hand_project.series().is_empty()
    monkeypatch.undo()
    run_day(hand_project, FIRST)
    assert content(hand_project) == whole


def _held(folder: Path, ready: multiprocessing.synchronize.Event, wait: float) -> None:
    with Project(folder).lock():
        (folder / "state" / ".writing-killed").write_text("half")
        ready.set()
        time.sleep(wait)


@pytest.fixture
def holding(hand_project: Project):
    """Starts a process that holds the lock for some seconds."""
    context = multiprocessing.get_context("fork")
    started = []

    def hold(wait: float) -> multiprocessing.Process:
        ready = context.Event()
        process = context.Process(target=_held, args=(hand_project.folder, ready, wait))
        process.start()
        started.append(process)
        assert ready.wait(20)
        return process

    yield hold
    for process in started:
        process.kill()
        process.join()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_two_runs_at_once(hand_project: Project, holding: Callable[[float], multiprocessing.Process]) -> None:
    first = holding(1.0)
    with pytest.raises(NameTakenError, match="another run writes"), hand_project.lock():
        pass
    with hand_project.lock(wait=20):  # the other one ends, and this one goes on
        first.join(5)
        assert first.exitcode == 0
    with hand_project.lock():
        pass


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_killed_run_leaves_no_lock_and_no_draft(
    hand_project: Project, holding: Callable[[float], multiprocessing.Process]
) -> None:
    process = holding(60)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with hand_project.lock(wait=5):
        assert not list(hand_project.state.glob(".writing-*"))


def test_readers_read_what_is_published(hand_project: Project) -> None:
    assert hand_project.read_published("series") is None
    run_day(hand_project, FIRST)
    hand_project.publish("series", hand_project.series())
    before = hand_project.read_published("series")
    assert before is not None and before.equals(hand_project.series())
    reader = (hand_project.published / "series.parquet").open("rb")  # a dashboard that is open meanwhile
    hand_project.publish("series", before.head(3))
    with reader:
        assert pl.read_parquet(reader.read()).equals(before)


def test_series_of_some_days(
    hand_project: Project, hand_log: Callable[..., pl.DataFrame], write_log: Callable[..., None], tmp_path: Path
) -> None:
    write_log(tmp_path, SECOND, hand_log(SECOND))
    for day in (SECOND, FIRST):
        run_day(hand_project, day)
    assert hand_project.days() == [FIRST, SECOND]
    assert hand_project.series(SECOND)["day"].unique().to_list() == [SECOND]
    assert hand_project.series(end=FIRST)["day"].unique().to_list() == [FIRST]
    assert list(hand_project.gates()) == [FIRST, SECOND]


def test_a_folder_without_settings(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"Make a project there by rl\.monitor\.init"):
        Project(tmp_path)
