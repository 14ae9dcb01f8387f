"""What killed runs leave, the trash, and workspaces that are not there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from reclens import drafts
from reclens.cli.main import main
from reclens.data.dataset import Dataset
from reclens.data.synthetic import synthetic_movielens
from reclens.drafts import Swept, draft_file, draft_folder, sweep
from reclens.errors import NameTakenError, UnknownNameError, WorkspaceError
from reclens.files import write_text
from reclens.job.run import run_job
from reclens.job.settings import validate_settings
from reclens.workspace import Removed, Workspace, trash
from reclens.workspace.trash import outdated

NOW = datetime(2026, 5, 20, tzinfo=UTC)


def generation(n: int) -> Dataset:
    """A data set whose tables and card all say which one it is."""
    rows = pl.DataFrame({"user_id": [1, 2], "item_id": [1, 2], "rating": [float(n)] * 2})
    users = pl.DataFrame({"user_id": [1, 2], "generation": [n] * 2})
    return Dataset(rows, users=users, card={"generation": n})


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    place = Workspace(tmp_path / "work")
    place.save(generation(1), "mine")
    return place


@pytest.fixture
def reclens(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs ``reclens ARGUMENTS`` in this process; gives status, standard output and error."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["reclens", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return call


# ----------------------------------------------------------------------------------------------- what killed runs leave


def test_a_sweep_takes_what_nobody_writes_and_nothing_else(tmp_path: Path) -> None:
    left = tmp_path / ".writing-left"
    left.mkdir()
    (left / "part").write_bytes(b"x" * 7)
    (tmp_path / ".writing-file").write_bytes(b"y" * 5)
    (tmp_path / "other").mkdir()
    with draft_folder(tmp_path) as mine, draft_file(tmp_path) as (file, _):
        assert sweep([tmp_path, tmp_path / "nowhere"]) == Swept(2, 12)
        assert sorted(tmp_path.iterdir()) == sorted([mine, file, tmp_path / "other"])
    assert [each.name for each in tmp_path.iterdir()] == ["other"]


def test_without_locks_age_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "_lock", lambda draft: drafts._Held(None))
    for name, hours in (("young", 23), ("old", 25), ("busy", 25)):
        folder = tmp_path / f".writing-{name}"
        folder.mkdir()
        (folder / "part").touch()
        then = (datetime.now(UTC) - timedelta(hours=hours)).timestamp()
        for each in (folder / "part", folder):
            os.utime(each, (then, then))
    (tmp_path / ".writing-busy" / "part").touch()
    assert sweep([tmp_path]).count == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == [".writing-busy", ".writing-young"]


def test_a_draft_is_taken_once_and_that_of_a_killed_run_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / ".writing-logs").mkdir()
    (tmp_path / ".writing-logs" / "left").touch()
    with draft_folder(tmp_path, name="logs") as mine:
        assert list(mine.iterdir()) == []
        with (
            pytest.raises(NameTakenError, match="being written by another process"),
            draft_folder(tmp_path, name="logs"),
        ):
            pass
        mine.rename(tmp_path / "logs")
        with draft_folder(tmp_path, name="logs") as other:
            (other / "part").touch()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["logs"]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGKILL"])
def test_a_run_that_is_ended_leaves_nothing_or_what_a_sweep_finds(tmp_path: Path, name: str) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom reclens.drafts import draft_file, draft_folder\n"
        "with draft_folder(Path(sys.argv[1])) as folder, draft_file(Path(sys.argv[1])):\n"
        "    (folder / 'part').write_bytes(b'x' * 9)\n    print('writing', flush=True)\n    time.sleep(60)\n"
    )
    number = getattr(signal, name)
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "writing\n"
    assert sweep([tmp_path]) == Swept(0, 0), "it is still being written"
    process.send_signal(number)
    assert process.wait(30) == -number
    process.stdout.close()
    assert len(list(tmp_path.iterdir())) == (2 if name == "SIGKILL" else 0)
    assert sweep([tmp_path]) == (Swept(2, 9) if name == "SIGKILL" else Swept(0, 0))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no such signals")
def test_handlers_are_put_back_and_those_of_others_are_left(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGHUP)
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with draft_folder(tmp_path):
            with draft_folder(tmp_path):
                pass
            assert signal.getsignal(signal.SIGTERM) is drafts._end
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        seen: list[object] = []
        thread = threading.Thread(target=lambda: [seen.append(1) for _ in [draft_folder(tmp_path).__enter__()]])
        thread.start()
        thread.join()
        assert seen == [1] and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        drafts._remove_open()  # as at the end of the process, in which a thread still writes
        assert list(tmp_path.iterdir()) == []
    finally:
        drafts._open.clear()
        signal.signal(signal.SIGHUP, before)


def test_clean_and_doctor_remove_what_killed_runs_left(workspace: Workspace, reclens) -> None:
    def leave() -> list[Path]:
        (workspace.folder / "reports").mkdir(exist_ok=True)
        left = [workspace.folder / place / ".writing-x" for place in (".", "dataset", "run", "reports")]
        for each in left:
            each.parent.mkdir(exist_ok=True)
            each.mkdir()
            (each / "part").write_bytes(b"12345")
        return left

    left = leave()
    with draft_folder(workspace.folder / "dataset") as mine:
        assert workspace.clean().drafts == Swept(4, 20)
        assert mine.is_dir() and not any(each.exists() for each in left)
        leave()
        status, table, _ = reclens("workspace", "clean", "-w", workspace.folder, "-f", "json")
        assert status == 0 and [row["count"] for row in json.loads(table)["rows"]] == [4, 0]
        leave()
        status, table, _ = reclens("doctor", "-w", workspace.folder, "-f", "json")
        found = {row["check"]: row["result"] for row in json.loads(table)["rows"]}
        assert status == 0 and found["temporary folders of killed runs"] == "4 found and removed, 20 bytes"
        assert found["trash"] == "0 copies, 0 bytes"
        assert mine.is_dir() and not list(workspace.folder.rglob(".writing-x"))


# --------------------------------------------------------------------------------------------------------------- trash


def removed(name: str, *, hours: float) -> Removed:
    return Removed(kind="run", name=name, removed=NOW - timedelta(hours=hours), bytes=10, path=Path(f"{name}@{hours}"))


def test_the_trash_lets_go_by_its_rule() -> None:
    many = [removed("a", hours=hour) for hour in range(1, 8)]
    month = [removed("b", hours=30 * 24 - 1), removed("c", hours=30 * 24), removed("d", hours=30 * 24 + 1)]
    assert outdated([*many, *month], now=NOW) == [*many[5:], month[2]]
    fresh = [removed("a", hours=0.00035 * hour) for hour in range(8)]  # 8.8 s at most: somebody may be reading them
    assert outdated(fresh, now=NOW) == []
    assert outdated(fresh, now=NOW + timedelta(seconds=10)) == fresh[5:]


def test_old_copies_leave_when_others_come_in(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trash, "READING", timedelta(0))
    for n in range(2, 10):
        workspace.save(generation(n), "mine", overwrite=True)
    lying = workspace.trash()
    cards = [json.loads((each.path / "card.json").read_text()) for each in lying]
    assert [card["data"]["generation"] for card in cards] == [8, 7, 6, 5, 4]
    assert [each.bytes for each in lying] == [
        sum(file.stat().st_size for file in each.path.iterdir()) for each in lying
    ]
    assert not list(workspace.folder.rglob(".writing-*"))


def test_the_trash_is_listed_and_emptied(workspace: Workspace, reclens) -> None:
    for n in (2, 3):
        workspace.save(generation(n), "mine", overwrite=True)
    workspace.save(generation(1), "other")
    workspace.remove("dataset", "other")
    size = sum(each.bytes for each in workspace.trash())
    status, table, said = reclens("workspace", "trash", "-w", workspace.folder, "-f", "json")
    rows = json.loads(table)["rows"]
    assert status == 0 and [row["name"] for row in rows] == ["other", "mine", "mine"]
    assert sum(row["bytes"] for row in rows) == size > 0 and f"3 copies of {size:,} bytes" in said
    assert f"3 copies of {size:,} bytes" in reclens("workspace", "list", "-w", workspace.folder)[2]
    words = ("workspace", "empty-trash", "-w", workspace.folder)
    assert "deleted 0 copies" in reclens(*words, "--days", "1")[2]
    assert "deleted 1 copies" in reclens(*words, "dataset", "other")[2]
    for wrong, says in ((("dataset", "nosuch"), "nosuch"), (("datasets",), "datasets"), (("--days", "-1"), "-1")):
        status, _, said = reclens(*words, *wrong)
        assert status == 2 and says in said
    assert len(workspace.trash()) == 2
    assert "deleted 2 copies" in reclens(*words)[2] and workspace.trash() == []
    with pytest.raises(UnknownNameError):
        workspace.restore("dataset", "mine")
    assert [each.name for each in workspace.list()] == ["mine"]


def test_a_clock_that_is_set_back_changes_no_order(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    class Back(datetime):
        """Every look at the clock is an hour before the one before it."""

        hour = datetime(2036, 1, 1, tzinfo=UTC)

        @classmethod
        def now(cls, tz=None):
            cls.hour -= timedelta(hours=1)
            return cls.hour

    monkeypatch.setattr(trash, "datetime", Back)
    for n in (1, 2, 3):
        workspace.save(generation(n), "back")
        workspace.remove("dataset", "back")
    workspace.restore("dataset", "back")
    assert workspace.load("dataset", "back").card["generation"] == 3, "what was removed last"
    assert [each.name for each in workspace.empty_trash(name="back")] == ["back"] * 2


# --------------------------------------------------------------------------------------- workspaces that are not there


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("show", "run", "x"),
        ("remove", "run", "x"),
        ("restore", "run", "x"),
        ("sql",),
        ("trash",),
        ("empty-trash",),
        ("clean",),
    ],
)
def test_no_workspace_is_said(reclens, tmp_path: Path, words: tuple[str, ...]) -> None:
    status, out, said = reclens("workspace", *words, "-w", tmp_path / "typo")
    assert status == 2 and out == "" and "typo is no workspace: there is no such folder" in said
    (tmp_path / "file").touch()
    status, _, said = reclens("workspace", *words, "-w", tmp_path / "file")
    assert status == 2 and "is no workspace: it is a file" in said
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file"]


def test_a_workspace_that_disappears_is_an_error(workspace: Workspace) -> None:
    other = workspace.folder.with_name("moved")
    workspace.folder.rename(other)
    attempts = (
        lambda: workspace.save(generation(2), "new"),
        lambda: workspace.save_report("x", "new"),
        lambda: workspace.load("dataset", "mine"),
        lambda: workspace.remove("dataset", "mine"),
    )
    for attempt in attempts:
        with pytest.raises(WorkspaceError, match="has disappeared"):
            attempt()
        assert not workspace.folder.exists(), "it is not made anew with half of what was in it"
    workspace.folder.mkdir()
    with pytest.raises(WorkspaceError, match="has disappeared"):
        workspace.save(generation(2), "new")
    Workspace(workspace.folder).save(generation(2), "new")


@pytest.mark.parametrize("when", ["random:", "report written"])
def test_a_run_whose_workspace_disappears_is_refused(tmp_path: Path, when: str) -> None:
    place = Workspace(tmp_path / "work")
    data = synthetic_movielens(n_users=30, n_items=30, n_ratings=600)
    data.interactions.write_parquet(tmp_path / "rows.parquet")
    settings = validate_settings(
        {
            "name": "j",
            "data": {"path": str(tmp_path / "rows.parquet")},
            "models": {"popular": {}, "random": {}},
            "compare": {},
            "evaluate": {"metrics": ["ndcg@5"], "replicates": 100},
            "split": {"n": 2},
        },
        source="test",
    )

    def say(text: str) -> None:
        if when in text:
            shutil.rmtree(place.folder)

    with pytest.raises(WorkspaceError, match="has disappeared"):
        run_job(settings, workspace=place, say=say, progress=lambda *_: None)
    assert not list(place.folder.glob("*/j*")), "what was saved before is gone, and nothing was saved after"


def test_a_disk_that_may_not_be_written_is_an_error(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "rename", refused)
    for attempt in (
        lambda: workspace.remove("dataset", "mine"),
        lambda: workspace.save(generation(2), "new"),
        lambda: workspace.save(generation(2), "mine", overwrite=True),
    ):
        with pytest.raises(WorkspaceError, match="Read-only file system"):
            attempt()


def test_reports_are_replaced_whole(workspace: Workspace) -> None:
    page = workspace.save_report("old", "mine")
    with page.open() as reading:
        workspace.save_report("new", "mine")
        assert reading.read() == "old" and page.read_text() == "new"
    write_text(page, "newer")
    assert [each.name for each in page.parent.iterdir()] == ["mine.html"]
