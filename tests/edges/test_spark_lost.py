"""Faults of a server of Spark Connect in another process: one that is killed, lacks reclens, or is not there."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import reclens as rl
from reclens.cli.app import app
from reclens.edges import _spark_session
from reclens.edges.spark import Spark
from reclens.errors import DataError, MissingExtraError, StoreError
from spark_tables import make_tables, to_spark

pytest.importorskip("pysail.spark", reason="Sail is in the extra of the tests: pip install pysail")
pytest.importorskip("sqlglot", reason="SQLGlot is not installed: pip install 'reclens[sql]'")

SERVER = """
import sys, time

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "reclens":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from pysail.spark import SparkConnectServer

server = SparkConnectServer("127.0.0.1", 0)
server.start(background=True)
print(server.listening_address[1], flush=True)
time.sleep(600)
"""

INTERRUPTED = """
import os, signal, sys, threading
from pathlib import Path
from reclens.edges import _spark_session
from test_spark_lost import _once_begun, _slowly

address, marks = sys.argv[1], Path(sys.argv[2])
session = _spark_session.spark_session(address)
frame = session.range(0, 4, 1, 2).mapInArrow(_slowly(str(marks)), "id long")
threading.Thread(target=_once_begun, args=(marks, lambda: os.kill(os.getpid(), signal.SIGINT))).start()
try:
    with _spark_session.watched(session, "work", lambda *_: None):
        frame.collect()
except KeyboardInterrupt:
    print("interrupted", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def server() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Its process, which cannot import reclens, and its address."""
    command = [sys.executable, "-W", "ignore", "-c", SERVER]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        yield process, f"sc://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.filterwarnings("ignore")  # of a server that is gone
def test_faults_of_a_server(
    server: tuple[subprocess.Popen[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process, address = server
    session = _spark_session.spark_session(address)
    own = make_tables("int64", n=20)
    lists, truth = to_spark(session, own.lists), to_spark(session, own.truth)

    with pytest.raises(MissingExtraError, match=r"an executor could not import reclens.*venv-pack"):
        rl.evaluate(lists, truth, metrics="ndcg@10")
    with pytest.raises(DataError, match=r"nowhere: there is no such table"):
        Spark(session=session).table(f"{tmp_path}/nowhere")

    marks = tmp_path / "killed"
    marks.mkdir()
    frame = session.range(0, 4, 1, 2).mapInArrow(_slowly(str(marks)), "id long")
    threading.Thread(target=_once_begun, args=(marks, process.kill)).start()
    session.client.set_retry_policies([])
    with (
        pytest.raises(StoreError, match="was lost or refused, and nothing was kept") as lost,
        _spark_session.watched(session, "work", lambda *_: None),
    ):
        frame.collect()
    assert lost.value.code == "down"

    argv = ["evaluate", "spark:lists", "--truth", "spark:truth", "--engine", address, "-m", "ndcg@10"]
    with pytest.raises(SystemExit) as ended:
        app([*argv, "--keep", "far", "--workspace", f"{tmp_path}/w"], standalone_mode=True)
    assert ended.value.code == 2 and "Is the server up?" in capsys.readouterr().err
    assert not (tmp_path / "w").exists() or not list((tmp_path / "w").rglob("card.json"))


def test_an_interrupt_ends_the_tasks(server: tuple[subprocess.Popen[str], str], tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    # A process of its own: the server of the other tests, which is in this one, would end at the signal too. A file,
    # since pyspark takes a program of the command line for its own doctests.
    script, marks = tmp_path / "interrupted.py", tmp_path / "marks"
    script.write_text(INTERRUPTED, encoding="utf-8")
    marks.mkdir()
    command = [sys.executable, "-W", "ignore", str(script), server[1], str(marks)]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None and child.stdout is not None
        assert child.stdout.readline() == "interrupted\n"
        time.sleep(0.5)
        n = len(list(marks.iterdir()))
        time.sleep(1)
        assert 0 < len(list(marks.iterdir())) == n < 400  # the tasks have ended
        child.stdin.close()


def test_a_server_that_is_gone_is_given_up_within_a_minute(session: Any) -> None:
    waits = 0
    for policy in session.client.get_retry_policies():
        state = policy.to_state()
        while (wait := state.next_attempt(RuntimeError())) is not None:
            waits += wait
    assert 20_000 < waits < 60_000


def _slowly(folder: str) -> Any:
    def work(batches: Any) -> Any:
        import time
        import uuid
        from pathlib import Path

        for batch in batches:
            for _ in range(200):
                time.sleep(0.05)
                (Path(folder) / uuid.uuid4().hex).touch()
                yield batch

    return work


def _once_begun(marks: Path, end: Any) -> None:
    for _ in range(400):
        if list(marks.iterdir()):
            break
        time.sleep(0.05)
    end()
