"""However a command ends: one message, a status, and never a traceback."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reclens.cli import ending, shared
from reclens.errors import UsageError
from reclens.evaluation import evaluate
from reclens.workspace import Workspace

ODD = [
    "-1",
    "0",
    "nan",
    "inf",
    "1e308",
    "99999999999999999999",
    "x" * 300,
    "/",
    ".",
    "..",
    "folder",
    "events.csv",
    "nosuch",
    "=",
    "a=b",
    "'",
    '"',
    "é\udcff",
    "--",
    "-",
    "*",
    "%",
    "{}",
    "[",
    "1,2",
    "true",
    "None",
    "user_id",
    "../../x",
    "~",
    "C:\\x",
    "1:2",
    "ndcg@1000000000",
    "/proc/self/mem",
    "/etc/shadow",
]
"""What might be typed anywhere."""
QUICK = [
    "run",
    "evaluate",
    "compare",
    "report",
    "fit",
    "recommend",
    "predict",
    "evaluate-predictions",
    "data info",
    "data split",
    "data sql",
    "models show",
    "pipeline recommend",
    "pipeline trace",
    "knowledge relax",
    "experiment plan",
    "experiment size",
    "experiment assign",
    "experiment check",
    "experiment off-policy",
    "metrics show",
    "workspace list",
    "workspace show",
    "workspace restore",
    "export looker",
]


@pytest.mark.usefixtures("built")
def test_whatever_is_typed_ends_with_a_message(option_table, shop: Path, typed, tmp_path: Path) -> None:
    known = {path: (arguments, options) for path, arguments, options in option_table.commands()}
    copy = tmp_path / "workspace"  # some calls are right and write, such as ``workspace restore``
    shutil.copytree(shop / "workspace", copy)

    @settings(max_examples=150, deadline=None, derandomize=True, database=None)
    @given(st.sampled_from(QUICK), st.data())
    def typing(path: str, data: st.DataObject) -> None:
        arguments, options = known[path]
        call = dict(option_table.COMMANDS[path][0])
        for name in data.draw(st.lists(st.sampled_from([*arguments, *options]), min_size=1, max_size=3, unique=True)):
            if name not in ("--out", "--html", "--keep", "--workspace", "--database", "--report"):
                call[name] = data.draw(st.sampled_from(ODD))
        if "--workspace" in options:
            call["--workspace"] = str(copy)
        if path == "export looker":
            call["--out"] = str(tmp_path / "looker")  # nothing may be written into the shop
        said = typed(*option_table.words(path, call), cwd=shop)
        assert said.status in (0, 1, 2), said
        assert "Traceback" not in said.stderr and "fault of RecLens" not in said.stderr, said

    typing()


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (KeyboardInterrupt(), 130, "interrupted; nothing half-written was left."),
        (UsageError("k is 0, expected more."), 2, "k is 0, expected more."),
        (PermissionError(errno.EACCES, "Permission denied", "secret.csv"), 2, "secret.csv: Permission denied"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "x" * 5000), 2, "Choose a shorter name."),
        (OSError(errno.EROFS, "Read-only file system", "w/model"), 2, "w/model: Read-only file system"),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "standard output: No space left on device"),
        (MemoryError(), 2, "ran out of memory when it held"),
        (RecursionError("too deep"), 70, "a fault of RecLens: RecursionError"),
    ],
)
def test_every_error_is_one_line_and_a_status(error: BaseException, status: int, says: str, capsys) -> None:
    assert ending.end(error) == status
    said = capsys.readouterr().err
    assert said.startswith("reclens: ") and says in said and said.count("\n") == 1 and len(said) < 500


def test_memory_that_runs_out_names_the_step_the_bytes_and_a_smaller_way() -> None:
    def step() -> None:
        with shared.progress_of(quiet=True) as progress:
            progress("fit als", 1, 3)
            np.zeros((9 * 10**8, 10**9))

    with pytest.raises(UsageError, match=r"fit als asked for an array of 7\.2 EB.*Take smaller numbers"):
        step()


def test_what_a_stream_cannot_encode_is_written_as_an_escape(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="cp1252", errors="strict"))
    ending.closed_streams_stand_in()
    shared.put('{"a": "Łódź – 😀"}', format=shared.Format.json)
    assert json.loads(written.getvalue().decode("cp1252")) == {"a": "Łódź – 😀"}
    shared.put("Łódź – ok")
    assert written.getvalue().endswith("\\u0141ód\\u017a – ok\n".encode("cp1252"))
    assert "PYTHONIOENCODING=utf-8" in capsys.readouterr().err


def test_a_stream_that_is_closed_or_full_is_said(repository: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(repository / "src")}
    command = f"{sys.executable} -m reclens metrics conventions"
    for end, says in ((">&-", "it is closed"), (">/dev/full", "No space left")):
        done = subprocess.run(
            ["bash", "-c", f"{command} {end}"], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        said = [line for line in done.stderr.splitlines() if not line.startswith("  metrics conventions (")]
        assert done.returncode == 2 and len(said) == 1 and says in said[0], "one message, beside progress"


SLOW = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3"


def started(*words: str, repository: Path, cwd: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(repository / "src")}
    return subprocess.Popen(
        [sys.executable, "-m", "reclens", *words],
        cwd=cwd,
        env=environment,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def test_an_interrupt_stops_a_query_at_once(repository: Path, tmp_path: Path) -> None:
    Workspace(tmp_path / "workspace").check(make=True)
    process = started("workspace", "sql", SLOW, repository=repository, cwd=tmp_path)
    assert process.stderr is not None
    # Said after two seconds: it is under way. On a busy machine the imports before it take as long, and are said too.
    assert any("run the query" in line for line in iter(process.stderr.readline, ""))
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == 130 and said == "reclens: interrupted; nothing half-written was left.\n"
    assert time.monotonic() - began < 20  # and not the sixty seconds of its deadline


def test_an_interrupt_that_does_not_end_the_read_stops_a_query_too(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    signal.siginterrupt(signal.SIGINT, False)  # the system goes on with the read, as where another thread took it
    timer = threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    began = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            place.sql(SLOW, seconds=60)
        assert time.monotonic() - began < 30  # and not at its deadline
    finally:
        timer.join()
        signal.siginterrupt(signal.SIGINT, True)


@pytest.mark.parametrize("seconds", [0.0, 2.0])  # before and after the server has a handler of its own
def test_the_server_of_the_dashboard_ends_with_it(repository: Path, tmp_path: Path, seconds: float) -> None:
    pytest.importorskip("streamlit")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = started("dashboard", "--no-browser", "--port", str(port), repository=repository, cwd=tmp_path)

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    for _ in range(600):
        if listens():
            break
        time.sleep(0.1)
    time.sleep(seconds)
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM and not listens()


def test_a_convention_that_is_none_is_an_unknown_one() -> None:
    with pytest.raises(UsageError, match=r"unknown convention 'None'\. Known: "):
        evaluate({"user_id": [1], "item_id": [1], "rank": [1]}, {"user_id": [1], "item_id": [1]}, convention=None)
