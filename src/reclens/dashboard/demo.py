"""The demo, run beside the application: a process of its own, so that the page stays alive while models are fitted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from reclens.errors import WorkspaceError
from reclens.workspace import Workspace

__all__ = ["run_demo"]


def run_demo(workspace: Workspace, *, say: Callable[[str], None]) -> None:
    """Run ``reclens demo`` into a workspace.

    Args:
        workspace: Where the artefacts go.
        say: Called with each line that the demo says on its way.

    Raises:
        WorkspaceError: If the demo failed; with its last line.
    """
    command = [sys.executable, "-m", "reclens", "demo", "--workspace", str(workspace.folder), "--format", "json"]
    last = ""
    with subprocess.Popen(  # noqa: S603 - nothing of the command comes from outside but the folder
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        for line in running.stderr:
            last = line.strip() or last
            say(last)
    if running.returncode:
        raise WorkspaceError(f"the demo failed: {last}")
