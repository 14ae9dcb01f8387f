"""A monitor whose run is killed, locked out or full, and whose log is damaged or changes its shape."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from reclens.edges import file
from reclens.errors import WorkspaceError
from reclens.job import monitor
from reclens.job.monitor_inputs import store_of
from reclens.job.monitor_week import weekly_reports
from reclens.monitor import incidents, outbox
from reclens.monitor.project import Project
from reclens.workspace import Workspace
from shop_runs import run, told, written

Impressions = Callable[..., pl.DataFrame]


FAULTS: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], str, set[str]]] = {
    "a new column": (lambda log: log.with_columns(note=pl.lit("x")), "passed", set()),
    "a new feature": (lambda log: log.with_columns(pl.lit(1.5).alias("feature.price")), "passed", set()),
    "a column is gone": (lambda log: log.drop("surface"), "passed", set()),
    "a column that is needed is gone": (lambda log: log.drop("position"), "failed", {"columns"}),
    "another type": (lambda log: log.with_columns(position=pl.lit("first")), "failed", {"types"}),
    "a type that says the same": (lambda log: log.with_columns(pl.col("position").cast(pl.String)), "passed", set()),
    "ten times the traffic": (lambda log: pl.concat([log] * 10), "passed", set()),
    "a tenth of the traffic": (lambda log: log[::10], "failed", {"volume_low"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_log_that_changes_its_shape(fault: str, shop: Path, today: date, impressions: Impressions) -> None:
    change, state, blocking = FAULTS[fault]
    written(shop, today, change(impressions(today)))
    (day,) = run(shop, today).days
    assert day.gate.state == state
    failed = {each.code for each in day.gate.checks if each.blocking and each.state in ("failed", "errored")}
    assert blocking <= failed and bool(failed) == (state != "passed")
    kinds = {each.kind for each in store_of(Project(shop)).list()}
    assert ("gate" in kinds) == (state != "passed")
    if state == "passed":
        return
    # A day that cannot be trusted is not judged, and the one after it is as usual.
    assert set(day.detections["state"]) <= {"silenced", "no_value", "warming_up"}
    later = today + timedelta(days=1)
    written(shop, later, impressions(later))
    (after,) = run(shop, later).days
    assert after.gate.state == "passed" and after.alerts.filter(indicator="ctr").is_empty()


def test_a_half_written_file_is_a_gate_that_did_not_pass(shop: Path, today: date, impressions: Impressions) -> None:
    place = written(shop, today, impressions(today))
    place.write_bytes(place.read_bytes()[:-200])
    (day,) = run(shop, today).days
    assert day.gate.state == "errored" and day.detections.is_empty()


STEPS: dict[str, tuple[Any, str]] = {
    "measured": (monitor, "run_day"),
    "judged": (monitor, "detect"),
    "incidents": (incidents.IncidentStore, "update"),
    "kept": (Workspace, "save"),
    "published": (monitor, "_publish"),
    "week": (monitor, "write_week"),
    "queued": (outbox.Outbox, "add"),
    "accepted": (file.FileNotifier, "send"),
    "sent": (outbox.Outbox, "send"),
}
"""Step -> what has just returned when the run ends."""


@pytest.mark.slow
def test_a_run_that_is_killed_anywhere_and_run_again_is_the_same(
    shop: Path, today: date, impressions: Impressions, tmp_path: Path, repository: Path
) -> None:
    """What a kill between two writes leaves is what is on the disk then; one is killed in the middle of a file."""
    written(shop, today, impressions(today, rate=0.02))
    whole = shop.parent
    folders = {step: tmp_path / step / "workspace" for step in (*STEPS, "half a file")}
    shutil.copytree(whole, folders["half a file"])
    with pytest.MonkeyPatch.context() as patch:
        for step, (home, name) in STEPS.items():
            patch.setattr(home, name, leaving(getattr(home, name), whole, folders[step]))
        run(shop, today)
    script = repository / "tests" / "job" / "killed_run.py"
    command = [sys.executable, str(script), str(folders["half a file"]), today.isoformat(), "detections.parquet"]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [*folders["half a file"].rglob(".writing-*")]
    expected = found_in(whole, whole)
    for step, folder in folders.items():
        assert folder.exists(), step
        run(folder / "monitor", today)
        assert found_in(folder, whole) == expected, step
        assert not [*folder.rglob(".writing-*")], step


def leaving(function: Callable[..., Any], folder: Path, copy: Path) -> Callable[..., Any]:
    """The function, after whose first call the folder is copied."""

    def called(*arguments: Any, **more: Any) -> Any:
        found = function(*arguments, **more)
        if not copy.exists():
            shutil.copytree(folder, copy)
        return found

    return called


def found_in(folder: Path, whole: Path) -> tuple[Any, ...]:
    """What a run found and told, without the names of folders."""
    place, project = folder / "monitor", Project(folder / "monitor")
    lines = [{name: line[name] for name in ("title", "text", "message_id")} for line in told(place)]
    assert len({line["message_id"] for line in lines}) == len(lines) == 2
    text = json.dumps(lines).replace(str(folder), "").replace(str(whole), "")
    (day,) = Workspace(folder).list("health")
    return (
        text,
        [(each.id, each.status, each.days, each.effect) for each in store_of(project).list()],
        Workspace(folder).load("health", day.name).detections.to_dicts(),
        [page.name for page in weekly_reports(project)],
    )


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit of the size of files")
@pytest.mark.parametrize("size", [1, 3_000, 12_000])
def test_a_disk_that_is_full_at_any_file(size: int, shop: Path, today: date, impressions: Impressions) -> None:
    """No file can grow beyond a size: the smaller it is, the earlier a run ends."""
    import resource

    written(shop, today, impressions(today))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        with pytest.raises(WorkspaceError, match=r"cannot be written|File too large"):
            run(shop, today)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert told(shop) == [] and not [*shop.rglob(".writing-*")]
    assert size > 1 or today not in Project(shop).days()
    assert run(shop, today).days[0].gate.state == "passed" and len(told(shop)) == 1


def test_readers_find_whole_tables_while_a_run_writes(shop: Path, today: date, impressions: Impressions) -> None:
    written(shop, today, impressions(today))
    run(shop, today)
    stop, broken = threading.Event(), list[BaseException]()

    def read() -> None:
        while not stop.is_set():
            try:
                frame = pl.read_parquet(shop / "published" / "detections.parquet")
                assert frame["day"].to_list() == [today] * frame.height and frame.height
                assert Workspace(shop.parent).load("health", f"shop-{today}").day == today
            except BaseException as error:
                broken.append(error)
                return

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(2):
        run(shop, today)
    stop.set()
    reader.join()
    assert not broken
