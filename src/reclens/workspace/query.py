"""SQL over a workspace, run in a separate process that is killed at the deadline.

DuckDB ignores interrupts while it plans a query and within a function call, so a timer in the same process is not
enough. The process runs :mod:`reclens.workspace.sandbox`. It is started on demand (about 0.3 s), kept for the next
query, and started again after it was killed. A pool of ``multiprocessing`` (pebble's too) would import the user's
script again in the new process, and run it if it has no ``if __name__ == "__main__"``.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import polars as pl

from reclens.errors import ArgumentValueError, UsageError, WorkspaceError
from reclens.workspace.sandbox import LESS, Cut, receive, send

__all__ = ["Answer", "ask", "end_all", "get_ready"]

_LENGTH: Final = 100_000
_MOMENT: Final = 0.2
"""Most seconds between Ctrl-C and its effect."""
_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from reclens.workspace.sandbox import main; main()"
)
_ERRORS: Final = {"UsageError": UsageError, "WorkspaceError": WorkspaceError}


@dataclass(frozen=True, eq=False)
class Answer:
    """The answer of a query.

    Attributes:
        table: The rows.
        cut: Why rows are missing: the limit of ``rows`` or of ``bytes`` was exceeded; None if none are missing.
        synthetic: Whether a table named in the query comes from synthetic data.
    """

    table: pl.DataFrame
    cut: Cut | None = None
    synthetic: bool = False


def ask(files: Mapping[str, Path], query: str, *, limit: int | None, seconds: float | None) -> Answer:
    """Run one SELECT over tables.

    Args:
        files: Name of a table -> its Parquet file.
        query: The SELECT.
        limit: Maximum number of rows of the answer.
        seconds: Time limit, including starting the process, reading the tables and planning.

    Raises:
        UsageError: If it is not a single SELECT, DuckDB rejects it, or it exceeds the time or memory limit.
        WorkspaceError: If a table cannot be read, or no process can be started.
    """
    for what, value in (("limit", limit), ("seconds", seconds)):
        if value is not None and not value > 0:
            raise ArgumentValueError(what, f"is {value}, expected more than 0.")
    if len(query) > _LENGTH:
        raise UsageError(f"the query has {len(query):,} characters, expected at most {_LENGTH:,}.")
    asked = {"files": {name: str(path) for name, path in files.items()}, "query": query, "limit": limit}
    head, body = _Asked(asked, seconds).answer()
    if "error" in head:
        raise _ERRORS.get(head["error"], UsageError)(head["says"])
    return Answer(pl.read_ipc(io.BytesIO(body)), head["cut"])


def get_ready() -> None:
    """Start the process of the next query in advance, if no process is waiting."""
    with contextlib.suppress(WorkspaceError):
        _give_back(_take())


class _Asked:
    """A running query and its start time."""

    def __init__(self, asked: Mapping[str, Any], seconds: float | None) -> None:
        self.asked, self.seconds = asked, seconds
        self.late = threading.Event()
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None

    def answer(self) -> tuple[dict[str, Any], bytes]:
        """Return the head and body of the answer."""
        timer = threading.Timer(min(self.seconds or 0, threading.TIMEOUT_MAX), self._stop)
        timer.daemon = True
        if self.seconds is not None:
            timer.start()
        try:
            return self._sent(_take())
        finally:
            timer.cancel()

    def _sent(self, process: subprocess.Popen[bytes], *, again: bool = True) -> tuple[dict[str, Any], bytes]:
        with self.lock:
            self.process = process
            if self.late.is_set():
                process.kill()
        assert process.stdin is not None and process.stdout is not None
        heard = False
        try:
            with contextlib.suppress(BrokenPipeError, OSError):
                send(process.stdin, self.asked)
                heard = True
            found = _received(process.stdout)
        except EOFError:
            _end(process)
            if self.late.is_set():
                raise UsageError(f"the query was stopped after {self.seconds:g} s. {LESS}") from None
            if again and (not heard or process.returncode == 0):
                return self._sent(_start(), again=False)  # it had ended by itself after waiting too long
            raise UsageError(f"the query ended its own process (status {process.returncode}). {LESS}") from None
        except BaseException:
            _end(process)
            raise
        with self.lock:
            self.process = None
            late = self.late.is_set()
        if late:
            _end(process)
        else:
            _give_back(process)
        return found

    def _stop(self) -> None:
        with self.lock:
            self.late.set()
            if self.process is not None:
                self.process.kill()


def _received(source: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """Return the result of :func:`receive`, read in a separate thread.

    Python raises KeyboardInterrupt only between steps of the main thread, and a blocking read is one step. A signal
    does not always interrupt it: another thread may receive the signal, or a library may have requested that the
    system resumes the read (``SA_RESTART``). Therefore the main thread waits in short intervals.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="answer")
    try:
        pending = pool.submit(receive, source)
        while not wait([pending], timeout=_MOMENT).done:
            pass
        return pending.result()
    finally:
        pool.shutdown(wait=False)


_waiting: list[subprocess.Popen[bytes]] = []
_guard: Final = threading.Lock()


def _take() -> subprocess.Popen[bytes]:
    """Return a process that waits for a query, or a new one."""
    while True:
        with _guard:
            process = _waiting.pop() if _waiting else None
        if process is None:
            return _start()
        if process.poll() is None:
            return process
        _end(process)


def _give_back(process: subprocess.Popen[bytes]) -> None:
    """Keep a process for the next query."""
    with _guard:
        keep = not _waiting
        if keep:
            _waiting.append(process)
    if not keep:
        _end(process)


def _start() -> subprocess.Popen[bytes]:
    path = json.dumps([each or os.getcwd() for each in sys.path])  # noqa: PTH109
    try:
        return subprocess.Popen(  # noqa: S603 - nothing of the command comes from outside
            [sys.executable, "-I", "-c", _START, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except (OSError, ValueError, TypeError) as error:
        raise WorkspaceError(
            f"SQL runs in a process of its own, and none can be started here ({error}): without one a query could not "
            "be stopped. Read the tables with Polars instead, or ask where processes are allowed."
        ) from error


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            if pipe is not None:
                pipe.close()
    process.wait()


@atexit.register
def end_all() -> None:
    """End all processes that wait for a query."""
    while _waiting:
        _end(_waiting.pop())
