"""Run a day of a monitor once for each step, and kill it there: ``kill_steps.py FOLDER DAY STEP …``.

The folder of a step holds a workspace with a monitor. Steps that were killed are printed. Imports happen once, also
those within functions: each run is a fork of this process, which has computed nothing. The weekly report has no charts:
its files are what matters here.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

from reclens.edges import file
from reclens.job import monitor
from reclens.monitor import incidents, outbox
from reclens.monitor.project import Project
from reclens.workspace import Workspace

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
"""Step -> what has just returned when the process is killed."""


def dying(function: Callable[..., Any]) -> Callable[..., Any]:
    def called(*arguments: Any, **more: Any) -> None:
        function(*arguments, **more)
        os.kill(os.getpid(), signal.SIGKILL)

    return called


def main(folder: Path, day: date, steps: list[str]) -> None:
    for name in ("duckdb", "jinja2", "scipy.special", "altair"):
        import_module(name)
    charts = import_module("reclens.report.monitor.charts")
    for name in ("history_chart", "contribution_chart", "incidents_chart"):
        setattr(charts, name, lambda *_, **__: None)
    for step in steps:
        child = os.fork()
        if not child:
            home, name = STEPS[step]
            setattr(home, name, dying(getattr(home, name)))
            place = folder / step / "workspace"
            monitor.run_monitor(Project(place / "monitor"), day, workspace=Workspace(place))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            sys.stdout.write(f"{step}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), date.fromisoformat(sys.argv[2]), sys.argv[3:])
