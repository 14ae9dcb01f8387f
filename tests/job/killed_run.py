"""Run a day of a monitor, and be killed in the middle of a file: ``killed_run.py WORKSPACE DAY FILE``."""

from __future__ import annotations

import os
import signal
import sys
from datetime import date
from pathlib import Path

from reclens import files
from reclens.drafts import draft_file
from reclens.job.monitor import run_monitor
from reclens.monitor.project import Project
from reclens.workspace import Workspace


def main(folder: Path, day: date, name: str) -> None:
    replace = files._replace

    def dying(target: Path, content: bytes, mode: int) -> None:
        if target.name != name:
            replace(target, content, mode)
            return
        with draft_file(target.parent) as (_, file):
            file.write(content[: len(content) // 2])
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    files._replace = dying
    run_monitor(Project(folder / "monitor"), day, workspace=Workspace(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]), date.fromisoformat(sys.argv[2]), sys.argv[3])
