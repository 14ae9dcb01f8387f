"""The DAGs of the monitor by Airflow itself, in its own environment: a day twice, and what the scheduler does.

``make test-airflow`` makes that environment, and says by ``AIRFLOW_BIN`` where it is.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from reclens.job.monitor_inputs import store_of
from reclens.monitor.project import Project

AIRFLOW = os.environ.get("AIRFLOW_BIN", "")
pytestmark = pytest.mark.skipif(not AIRFLOW, reason="AIRFLOW_BIN is not set: make test-airflow runs the DAGs")
DAILY, WEEKLY = "reclens_monitor_daily", "reclens_monitor_weekly"
SECONDS = 240
"""In which the scheduler does what it has to: it takes about 90 on two cores."""


class Home:
    """An Airflow of its own, on a free port, and the workspace of the shop that it watches."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.log, self.workspace = folder / "standalone.log", folder / "workspace"
        self.script = repository / "pipelines" / "airflow" / "airflow.sh"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        about = {
            "AIRFLOW_HOME": folder / "airflow",
            "RECLENS_AIRFLOW_PORT": port,
            "RECLENS_WORKSPACE": self.workspace,
            "RECLENS_BIN": Path(sys.executable).with_name("reclens"),
            "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": 15,
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": 1,
            "PYTHONPATH": repository / "src",
        }
        self.environment = {**os.environ, **{name: str(value) for name, value in about.items()}}

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        call = [str(self.script), *words]
        return subprocess.run(call, env=self.environment, capture_output=True, text=True, timeout=SECONDS)

    def ask(self, query: str, *values: str) -> list[sqlite3.Row]:
        """Rows of Airflow's database: its command line takes seconds for an answer."""
        place = Path(self.environment["AIRFLOW_HOME"])
        if not (place / "ready").exists():
            return []
        with closing(sqlite3.connect(f"file:{place / 'airflow.db'}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(query, values).fetchall()

    def unpaused(self, dag: str) -> bool:
        """Start the schedule of a DAG, once Airflow has found it."""
        found = self.ask("SELECT is_paused FROM dag WHERE dag_id = ?", dag)
        return bool(found) and (not found[0]["is_paused"] or self("dags", "unpause", dag).returncode != 0)

    def ended(self, dag: str, kind: str) -> str | None:
        """How the run of a kind ended; None before it did."""
        query = "SELECT state FROM dag_run WHERE dag_id = ? AND run_type = ? AND state IN ('success', 'failed')"
        return next((row["state"] for row in self.ask(query, dag, kind)), None)

    def tries(self, dag: str, kind: str) -> dict[str, tuple[str, int]]:
        """Task of the run of a kind -> its state, and its tries."""
        query = """
            SELECT task_id, task_instance.state, try_number FROM task_instance JOIN dag_run USING (dag_id, run_id)
            WHERE dag_id = ? AND run_type = ?
        """
        return {row["task_id"]: (row["state"], row["try_number"]) for row in self.ask(query, dag, kind)}

    @contextmanager
    def standalone(self) -> Iterator[None]:
        """All of Airflow, until the block ends. It leaves processes behind when only its first one is stopped."""
        with self.log.open("w") as log:
            process = subprocess.Popen(
                [str(self.script), "standalone"],
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                yield
            finally:
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()


@pytest.fixture(scope="module")
def last_over() -> date:
    """The day that the newest scheduled run is for: it begins at six in the morning after it."""
    return (datetime.now(UTC) - timedelta(hours=6)).date() - timedelta(days=1)


@pytest.fixture
def home(repository: Path, monitored: ModuleType, last_over: date, tmp_path: Path) -> Home:
    """An Airflow of its own, and the shop, whose clicks fell on its last day."""
    found = Home(tmp_path, repository)
    folder = found.workspace / "monitor"
    monitored.make_shop(folder, last_over - timedelta(days=monitored.PAST))
    monitored.log_of(last_over, rate=0.02).write_parquet(folder / "log" / f"{last_over}.parquet")
    return found


def told(home: Home) -> list[dict[str, Any]]:
    place = home.workspace / "monitor" / "notices.jsonl"
    return [json.loads(line) for line in place.read_text().splitlines()] if place.exists() else []


def ids(home: Home) -> list[str]:
    return [line["message_id"] for line in told(home)]


def waited(what: Callable[[], Any], seconds: float = SECONDS) -> Any:
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(1)
    return found


def test_a_day_that_is_run_twice_gives_the_same_once(home: Home, last_over: date) -> None:
    seen = []
    for _ in range(2):
        done = home("dags", "test", DAILY, "--conf", json.dumps({"day": str(last_over)}))
        assert done.returncode == 0, done.stdout + done.stderr
        project = Project(home.workspace / "monitor")
        (incident,) = store_of(project).list()
        seen.append((told(home), incident, project.read_published("detections")))
        exported = pl.read_parquet(home.workspace / "looker" / "tables" / "daily_health.parquet")
        assert exported["day"].unique().to_list() == [last_over]
    (lines, incident, found), (again, same, kept) = seen
    assert lines == again and lines[0]["message_id"] == f"opened:{incident.id}:{last_over}"
    assert incident == same and incident.root.indicator == "ctr" and incident.days == 1
    assert found is not None and found.equals(kept)


def test_the_scheduler(home: Home, monitored: ModuleType, last_over: date) -> None:
    """A lock, a deadline, a run that ends green, a day of the past, a week, and a failure: one start of Airflow."""
    project, past = Project(home.workspace / "monitor"), last_over - timedelta(days=5)
    home.environment["RECLENS_DEADLINE"] = "0.1"
    with home.standalone():
        with project.lock():  # somebody runs the monitor by hand, and it hangs
            waited(lambda: home.unpaused(DAILY))
            late = waited(lambda: ids(home))
            waited(lambda: home.tries(DAILY, "scheduled")["run"][1] > 1)
        state = waited(lambda: home.ended(DAILY, "scheduled"))
        tasks, opened, incidents = home.tries(DAILY, "scheduled"), ids(home), store_of(project).list()
        # A day of the past, with fewer clicks: nobody is told.
        monitored.log_of(past, rate=0.01).write_parquet(home.workspace / "monitor" / "log" / f"{past}.parquet")
        span = ["--from-date", str(past), "--to-date", str(past + timedelta(days=1)), "--max-active-runs", "1"]
        assert (done := home("backfill", "create", "--dag-id", DAILY, *span)).returncode == 0, done.stderr
        made_up_for = waited(lambda: home.ended(DAILY, "backfill"))
        # The week of the day, and one of which no day was run: that fails, is tried again, and is told of.
        for day in (str(last_over), "2020-01-05"):
            home("dags", "trigger", WEEKLY, "--conf", json.dumps({"day": day}))
        waited(lambda: home.unpaused(WEEKLY))
        waited(lambda: "failed:report:2020-01-05" in ids(home))

    assert late == [f"not_run:{last_over}"]
    assert state == made_up_for == "success", home.log.read_text()[-6_000:]
    assert tasks["run"][0] == tasks["tables"][0] == "success" and 2 <= tasks["run"][1] <= 4
    (incident,) = incidents
    assert (incident.root.indicator, incident.days, incident.last_day) == ("ctr", 1, last_over)
    assert f"opened:{incident.id}:{last_over}" in opened
    series = project.series(past, past).filter(pl.col("indicator") == "ctr", pl.col("dimension") == "overall")
    assert series["value"].to_list() == [0.01]
    assert not [each for each in ids(home) if str(past) in each]
    assert len(list((home.workspace / "monitor" / "reports").glob("week-to-*.html"))) == 1
