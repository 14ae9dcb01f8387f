"""A pytest plugin that collects the tests once and runs some of them in a child process at a time.

Children are forked from the process that has imported and collected everything, so that a run costs as much as its
tests. :class:`Recorder` notes what each test executes of the metrics and statistics, :class:`Runner` runs chosen tests
until one fails.
"""

from __future__ import annotations

import os
import pickle
import signal
import tempfile
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mutants_plant import ROOMS, SOURCE

__all__ = ["Harness", "Record", "in_child"]

Record = dict[str, Any]
"""Of a test: ``seconds`` of processor time, ``lines`` (file -> line numbers), and whether it ``failed``."""


class _TooSlow(BaseException):
    """A test took longer than it may; not an Exception, so that no test swallows it."""


def in_child(work: Callable[[], Any], seconds: float) -> Any:
    """What a function returns in a forked child; ``"hangs"`` or ``"crash"`` if it does not return."""
    with tempfile.NamedTemporaryFile() as answer:
        pid = os.fork()
        if pid == 0:
            try:
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, 1)
                os.dup2(null, 2)
                Path(answer.name).write_bytes(pickle.dumps(work()))
            finally:
                os._exit(0)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if os.waitpid(pid, os.WNOHANG)[0]:
                data = Path(answer.name).read_bytes()
                return pickle.loads(data) if data else "crash"  # noqa: S301 - written by our own child
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return "hangs"


@contextmanager
def _seconds_at_most(seconds: float) -> Generator[None]:
    """Raise :class:`_TooSlow` in what runs longer."""

    def stop(*_: object) -> None:
        raise _TooSlow

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)  # processor time: other processes do not make a test slow
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


class Harness:
    """The plugin.

    Args:
        loop: What to do with the collected tests, in place of running them.
    """

    def __init__(self, loop: Callable[[Harness, list[pytest.Item]], None]) -> None:
        self._loop, self._failed, self._slow = loop, False, False
        self._cover: Any = None
        self._place, self._fixture_seconds = "", 0.0
        self._wide: dict[str, float] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Hand the collected tests over."""
        self._loop(self, session.items)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a failure, of the test or of its fixtures."""
        self._failed |= report.failed

    def pytest_exception_interact(self, call: pytest.CallInfo[Any]) -> None:
        """Note a failure for time."""
        self._slow |= call.excinfo is not None and call.excinfo.errisinstance(_TooSlow)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Any:
        """Count what a fixture of more than one test executes for all of its tests."""
        if fixturedef.scope == "function" or self._cover is None:
            return (yield)
        before, began, inner = self._place, time.process_time(), self._fixture_seconds
        self._switch(_name(fixturedef))
        try:
            return (yield)
        finally:
            took = time.process_time() - began
            self._wide[_name(fixturedef)] = took - (self._fixture_seconds - inner)
            self._fixture_seconds = inner + took
            self._switch(before)

    def _switch(self, place: str) -> None:
        self._place = place
        self._cover.switch_context(place)

    def run(self, items: list[pytest.Item], limits: Iterable[float]) -> tuple[str, str] | None:
        """Run tests up to the first failure: its name, and ``"killed"`` or ``"timeout"``; None if all pass."""
        self._failed = self._slow = False
        for item, following, limit in zip(items, [*items[1:], None], limits, strict=True):
            self._one(item, following, limit)
            if self._failed:
                return item.nodeid, "timeout" if self._slow else "killed"
        return None

    def _one(self, item: pytest.Item, following: pytest.Item | None, limit: float) -> None:
        try:
            with _seconds_at_most(limit):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        except _TooSlow:
            self._failed = self._slow = True

    def record(self, items: list[pytest.Item], limit: float, whole: float) -> dict[str, Record]:
        """What each test executes of the metrics and statistics, and its seconds, those of its fixtures included.

        Args:
            items: The tests.
            limit: Processor seconds that one test may take.
            whole: Processor seconds after which no test is begun; those left are missing in the answer.
        """
        import coverage

        self._cover = coverage.Coverage(
            data_file=None, include=[f"{SOURCE / room}/*" for room in ROOMS], config_file=False
        )
        self._cover.start()
        found: dict[str, Record] = {}
        end = time.process_time() + whole
        for item, following in zip(items, [*items[1:], None], strict=True):
            if time.process_time() > end:
                break
            self._failed = self._slow = False
            self._fixture_seconds = 0.0
            began = time.process_time()
            self._switch(item.nodeid)
            self._one(item, following, limit)
            found[item.nodeid] = {
                "seconds": time.process_time() - began - self._fixture_seconds,
                "failed": self._failed,
            }
        self._cover.stop()
        lines = self._lines()
        for item in items:
            if item.nodeid in found:
                row, wide = found[item.nodeid], _wide_fixtures(item)
                row["seconds"] = round(row["seconds"] + sum(self._wide.get(each, 0.0) for each in wide), 3)
                merged: dict[str, set[int]] = {}
                for each in (item.nodeid, *wide):
                    for file, numbers in lines.get(each, {}).items():
                        merged.setdefault(file, set()).update(numbers)
                row["lines"] = {file: sorted(numbers) for file, numbers in merged.items()}
        return found

    def _lines(self) -> dict[str, dict[str, list[int]]]:
        data = self._cover.get_data()
        found: dict[str, dict[str, list[int]]] = {}
        for file in data.measured_files():
            for line, contexts in data.contexts_by_lineno(file).items():
                for each in contexts:
                    name = Path(file).relative_to(SOURCE).as_posix()
                    found.setdefault(each, {}).setdefault(name, []).append(line)
        return found


def _wide_fixtures(item: pytest.Item) -> list[str]:
    listed = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    return [_name(each) for defs in listed.values() for each in defs if each.scope != "function"]


def _name(fixturedef: Any) -> str:
    return f"fixture {fixturedef.baseid}::{fixturedef.argname}"
