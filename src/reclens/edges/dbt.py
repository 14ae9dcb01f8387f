"""Make the marts of the monitor with dbt, in a separate project and process.

The monitor reads, checks and lands the days; ``dbt build`` over their range makes the marts, in a DuckDB file or on
PostgreSQL; the monitor reads them back. A build replaces the rows of each day in one transaction, so that a build that
was killed can be repeated. A build ends with the monitor that started it, even if that is killed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from reclens.data.quoting import constant
from reclens.edges._dbt_postgres import load_days, read_mart
from reclens.edges._dbt_project import dbt_files
from reclens.edges._guarded import CANNOT_START, run_guarded
from reclens.engine import need
from reclens.errors import Advice, MissingExtraError, Setting, WorkspaceError
from reclens.files import made_folder, write_text
from reclens.monitor.duck import frame, opened, run
from reclens.monitor.landing import landed_folder
from reclens.monitor.project import Project
from reclens.monitor.queries import MARTS, variables

__all__ = ["DbtMarts", "write_project"]

_PROJECT: Final = "dbt_project.yml"
_WAREHOUSE: Final = "warehouse.duckdb"
_QUIET: Final = {"DO_NOT_TRACK": "1", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "PYTHONUTF8": "1"}
_START: Final = "from dbt.cli.main import cli; cli()"
_SAID: Final = 600
_TAGS: Final = re.compile(r"^\d\d:\d\d:\d\d\s+", re.MULTILINE)


def write_project(project: Project, *, today: date | None = None) -> Path:
    """Write the dbt project of a monitor; its files are replaced, and other files are kept.

    Args:
        project: The monitor.
        today: Default first day of a build if no day was run yet.

    Returns:
        Its folder.

    Raises:
        WorkspaceError: If it cannot be written.
    """
    folder = made_folder(project.place(project.settings.marts.project))
    for name, text in dbt_files(project, today=today or date.today()).items():
        write_text(folder / name, text)
    return folder


class DbtMarts:
    """The marts of a monitor, made by dbt.

    Args:
        project: The monitor.

    Raises:
        MissingExtraError: If dbt is not installed, and ``[marts] command`` is not set.
        WorkspaceError: If there is no dbt project.
    """

    def __init__(self, project: Project) -> None:
        self.settings = project.settings.marts
        self.folder = project.place(self.settings.project)
        if not self.settings.command:
            need("dbt.version", extra="dbt")
        if not (self.folder / _PROJECT).is_file():
            raise WorkspaceError(
                f"{self.folder} is no dbt project",
                advice=Advice("write_dbt", (Setting("dbt", True),), "Write it by rl.monitor.init with {dbt}."),
            )

    def build(self, project: Project, days: Sequence[date]) -> None:
        """As :meth:`reclens.monitor.landing.Marts.build`, by one ``dbt build`` over the range of the days."""
        if not any((landed_folder(project) / "events").glob("*.parquet")):
            return
        if self.settings.target == "postgres":
            load_days(project, days)
        self._run(
            "build",
            *("--event-time-start", days[0].isoformat()),
            *("--event-time-end", (days[-1] + timedelta(days=1)).isoformat()),
            *("--vars", json.dumps(variables(project.settings.log))),
            landed=landed_folder(project),
        )

    def read(self, day: date) -> dict[str, pl.DataFrame]:
        """As :meth:`reclens.monitor.landing.Marts.read`."""
        if self.settings.target == "postgres":
            return {name: read_mart(name, day) for name in MARTS}
        connection = opened()
        try:
            run(connection, f"ATTACH {constant(str(self.folder / _WAREHOUSE))} AS warehouse (READ_ONLY)")
            within = f"WHERE day = DATE '{day}'"
            return {
                name: frame(connection, f"SELECT * EXCLUDE (day) FROM warehouse.main.{name} {within}") for name in MARTS
            }
        finally:
            connection.close()

    def _run(self, *words: str, landed: Path) -> None:
        command = [*(self.settings.command or (sys.executable, "-c", _START)), *words]
        command += ["--project-dir", ".", "--profiles-dir", ".", "--target", self.settings.target]
        # Logging every statement to a file adds two seconds per build.
        command += ["--no-use-colors", "--log-level-file", "info"]
        around = {**os.environ, **_QUIET, "RECLENS_LANDED": str(landed.absolute()), "RECLENS_WAREHOUSE": _WAREHOUSE}
        try:
            done = run_guarded(command, cwd=self.folder, env=around, seconds=60 * self.settings.minutes)
        except subprocess.TimeoutExpired:
            raise WorkspaceError(
                f"dbt did not end within {self.settings.minutes:g} minutes. Run the days again; [marts] minutes sets "
                "how long it may take."
            ) from None
        if done.returncode == CANNOT_START:
            raise MissingExtraError(
                f"{command[0]} cannot be started: {done.stderr.strip()}. [marts] command names what starts dbt."
            )
        if done.returncode:
            said = _TAGS.sub("", (done.stdout + done.stderr).strip())[-_SAID:]
            raise WorkspaceError(
                f"dbt ended with status {done.returncode}, and the days count as not run. Its log is in "
                f"{self.folder / 'logs'}. It said: {said}"
            )
