"""Progress on stderr: a bar on a terminal, and a line every few seconds elsewhere.

Every command reports that it is running (:mod:`reclens.cli.registry`), even without progress steps.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from reclens.cli.ending import out_of_memory
from reclens.errors import RecLensError, UsageError
from reclens.report._toolkit.format import whole

if TYPE_CHECKING:
    from reclens.engine import Progress

__all__ = ["progress_of", "under_way", "working"]

_PATIENCE: Final = 2.0
"""Seconds that a step may take before a line says that it is under way."""
_UNDER_WAY: Final[list[_Lines]] = []
"""The command, which speaks where no step does."""


@contextmanager
def under_way(command: str, *, quiet: bool = False) -> Generator[None]:
    """Report that a command is running while it shows no progress step."""
    if quiet:
        yield
        return
    lines = _Lines()
    _UNDER_WAY.append(lines)
    try:
        lines(command, 0, 0)
        yield
    finally:
        _UNDER_WAY.pop()
        lines.stop()


@contextmanager
def progress_of(*, quiet: bool) -> Generator[Progress]:
    """Show progress on stderr: a bar on a terminal, a line per step elsewhere.

    Raises:
        UsageError: If memory runs out, with the name of the running step.
    """
    command = _UNDER_WAY[-1] if _UNDER_WAY and not quiet else None
    between = command.what if command is not None else ""
    if command is not None:
        command.stop()
    try:
        with _nothing() if quiet else _bar() if sys.stderr.isatty() else _lines(between) as shown:
            try:
                yield shown
            except RecLensError:
                raise
            except MemoryError as error:
                raise UsageError(out_of_memory(error, shown.step or "this")) from error
    finally:
        if command is not None:
            command(between, 0, 0)


@contextmanager
def working(what: str, *, quiet: bool = False) -> Generator[None]:
    """Report that a step is running, if it takes long and reports no progress."""
    with progress_of(quiet=quiet) as progress:
        progress(what, 0, 0)
        yield
        progress(what, 1, 1)


class _Steps:
    """Record the running step, and show nothing."""

    step = ""

    def __call__(self, what: str, done: int, total: int, /) -> None:
        self.step = what


@contextmanager
def _nothing() -> Generator[_Steps]:
    yield _Steps()


@contextmanager
def _lines(between: str) -> Generator[_Steps]:
    lines = _Lines(between)
    try:
        if between:
            lines(between, 0, 0)
        yield lines
    finally:
        lines.stop()


@contextmanager
def _bar() -> Generator[_Steps]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        class Bars(_Steps):
            def __call__(self, what: str, done: int, total: int, /) -> None:
                self.step = what
                # The text after the dot changes during a step and belongs to the same bar.
                name = what.partition(" · ")[0]
                if name not in tasks:
                    tasks[name] = bar.add_task(what, total=total or None)
                bar.update(tasks[name], description=what, completed=done, total=total or None)
                if total and done >= total:
                    bar.remove_task(tasks.pop(name))

        yield Bars()


class _Lines(_Steps):
    """Print a line after two seconds of a step, also without updates, then at increasing intervals.

    Args:
        between: Name of the work between two steps.
    """

    def __init__(self, between: str = "") -> None:
        self.between = between
        self.what, self.done, self.total = "", 0, 0
        self.said, self.pause, self.begun = -1, _PATIENCE, 0.0
        self.timer: threading.Timer | None = None
        self.lock = threading.Lock()

    def __call__(self, what: str, done: int, total: int, /) -> None:
        self.step = what
        with self.lock:
            over = bool(total) and done >= total
            # The text after the dot changes during a step.
            if over or what.partition(" · ")[0] != self.what.partition(" · ")[0]:
                self._stop()
            if over and self.between:
                what, done, total, over = self.between, 0, 0, False
            if not over and self.timer is None:
                self.said, self.pause, self.begun = -1, _PATIENCE, time.monotonic()
                self._wait()
            self.what, self.done, self.total = "" if over else what, done, total

    def stop(self) -> None:
        """Stop the output."""
        with self.lock:
            self._stop()

    def _stop(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.timer = None

    def _wait(self) -> None:
        self.timer = threading.Timer(self.pause, self._say)
        self.timer.daemon = True
        self.timer.start()

    def _say(self) -> None:
        with self.lock:
            if self.timer is not threading.current_thread():
                return  # the step ended while this was waiting for the lock
            # A step with progress is reported every two seconds, one without after 2, 4, 8 … seconds.
            self.pause = _PATIENCE if self.done != self.said else 2 * self.pause
            self.said = self.done
            how_far = f": {whole(self.done)} of {whole(self.total)}" if self.total > 1 else ""
            since = f" ({whole(time.monotonic() - self.begun)} s)"
            print(f"  {self.what}{how_far}{since}", file=sys.stderr, flush=True)
            self._wait()
