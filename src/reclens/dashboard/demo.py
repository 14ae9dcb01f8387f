"""The demo, run in a separate process that continues when the reader leaves the page."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import streamlit as st

from reclens.dashboard.widgets import plain
from reclens.errors import WorkspaceError
from reclens.workspace import Workspace

__all__ = ["Demo", "demo_of", "draw_demo", "start_demo"]

_EVERY: Final = 1.0
"""Seconds between two looks at what the demo says."""


@dataclass(frozen=True, eq=False)
class Demo:
    """A started demo.

    Attributes:
        process: Its process.
        log: The file that it writes its progress to.
    """

    process: subprocess.Popen[Any]
    log: Path

    @property
    def runs(self) -> bool:
        """Whether it is running."""
        return self.process.poll() is None

    @property
    def failed(self) -> bool:
        """Whether it ended before it was finished."""
        return self.process.poll() not in (None, 0)

    def last(self) -> str:
        """The last line of its output."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


# Shared by all readers: a second reader who presses the button sees the first one's demo.
_started: Final[dict[Path, Demo]] = {}
_guard: Final = threading.Lock()


def start_demo(workspace: Workspace) -> Demo:
    """Run ``reclens demo`` into a workspace unless a demo is already running there.

    Raises:
        WorkspaceError: If it cannot be started.
    """
    folder = workspace.folder.resolve()
    # A separate process group: signals that end or interrupt the page do not reach it.
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    with _guard:
        known = _started.get(folder)
        if known is not None and known.runs:
            return known
        command = [sys.executable, "-m", "reclens", "demo", "--workspace", str(folder), "--format", "json"]
        try:
            with tempfile.NamedTemporaryFile(prefix="reclens-demo-", suffix=".log", delete=False) as log:
                process = subprocess.Popen(  # noqa: S603 - nothing of the command comes from outside but the folder
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, **apart
                )
        except OSError as error:
            raise WorkspaceError(f"the demo cannot be started: {error}. Run `reclens demo` in a terminal.") from error
        if known is not None:
            known.log.unlink(missing_ok=True)
        _started[folder] = Demo(process, Path(log.name))
        return _started[folder]


def demo_of(workspace: Workspace) -> Demo | None:
    """Return the demo that was started for a workspace and whose end has not been shown yet."""
    return _started.get(workspace.folder.resolve())


def draw_demo(workspace: Workspace) -> bool:
    """Draw the progress of the demo, if there is one, and return whether it is running."""
    found = demo_of(workspace)
    if found is None:
        return False
    if found.failed:
        st.error(f"The demo failed: {plain(found.last())}", icon=":material/error:")
        return False
    _follow(workspace)
    return True


@st.fragment(run_every=_EVERY)
def _follow(workspace: Workspace) -> None:
    found = demo_of(workspace)
    if found is not None and found.runs:
        st.status(f"Running the demo: {plain(found.last())}", state="running")
        return
    if found is not None and not found.failed:
        with _guard:
            _started.pop(workspace.folder.resolve(), None)
        found.log.unlink(missing_ok=True)
    st.rerun()
