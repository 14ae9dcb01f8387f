"""What the DAGs of the monitor share: commands, the day, and notices of tasks that failed and of runs that are late.

A notice is sent by ``reclens monitor check``, so that it goes to the receivers of ``monitor.toml``, each once.
"""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

RECLENS = os.environ.get("RECLENS_BIN", "reclens")
WORKSPACE = os.environ.get("RECLENS_WORKSPACE") or str(Path(os.environ.get("AIRFLOW_HOME", "."), "workspace"))
ZONE = os.environ.get("RECLENS_TIME_ZONE", "UTC")
_PROJECT = ["--project", os.environ["RECLENS_MONITOR"]] if os.environ.get("RECLENS_MONITOR") else []
_SECONDS = 300

DAY = (
    "params.day or ((data_interval_end or dag_run.run_after)"
    f".in_timezone('{ZONE}').subtract(days=1).strftime('%Y-%m-%d'))"
)
"""The day of a run, for a template: the last one that is over when it is to start, or the one that is asked for."""


def monitor(command: str, *arguments: str) -> str:
    """A command of the monitor for a shell."""
    return shlex.join([RECLENS, "monitor", command, "--workspace", WORKSPACE, *_PROJECT, *arguments])


def day_of(start: str | datetime, conf: dict[str, Any] | None) -> str:
    """The day of a run, as :data:`DAY` has it."""
    if (conf or {}).get("day"):
        return str((conf or {})["day"])
    end = datetime.fromisoformat(start) if isinstance(start, str) else start
    end = end if end.tzinfo else end.replace(tzinfo=UTC)
    return (end.astimezone(ZoneInfo(ZONE)) - timedelta(days=1)).date().isoformat()


def tell_failure(context: dict[str, Any]) -> None:
    """Tell people that a task failed, and that it is not tried again."""
    task, run = context["task_instance"], context["dag_run"]
    end = context.get("data_interval_end") or run.run_after
    log = ["--log", task.log_url] if getattr(task, "log_url", None) else []
    _tell(day_of(end, run.conf), "--failed", task.task_id, *log)


def tell_late(context: dict[str, Any]) -> None:
    """Tell people that a run has not ended when it should have."""
    run = context["dag_run"]
    _tell(day_of(run.get("data_interval_end") or run["run_after"], run.get("conf")))


def _tell(day: str, *arguments: str) -> None:
    command = monitor("check", "--date", day, *arguments)
    done = subprocess.run(  # noqa: S603 - our own command
        shlex.split(command), capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    logging.getLogger(__name__).warning("%s\n%s%s", command, done.stdout, done.stderr)
    if done.returncode not in (0, 1):  # 1 says that the day was not run, which was told
        raise RuntimeError(f"the notice was not sent: {done.stderr.strip()}")
