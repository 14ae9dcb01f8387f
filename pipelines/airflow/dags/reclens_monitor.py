"""The health monitor by Airflow: one DAG a day and one a week, of shell commands.

RecLens lives in an environment of its own; these files import Airflow alone. Where RecLens and the monitor are stands
in the environment of Airflow, and everything has a default:

======================== =============================================================================================
``RECLENS_BIN``          the command; ``reclens``
``RECLENS_WORKSPACE``    the workspace, with the monitor in its folder ``monitor``; ``workspace`` in ``AIRFLOW_HOME``
``RECLENS_MONITOR``      the folder of the monitor, where it is another one
``RECLENS_TIME_ZONE``    the zone of ``[log] time_zone``, in which a day begins, and of the schedule; ``UTC``
``RECLENS_SCHEDULE``     when a day is run, as cron; ``0 6 * * *``, at six for the day before
``RECLENS_DEADLINE``     minutes from then until a run that has not ended is told of; 120, and 0 for never
``RECLENS_TRACK``        a tracker that gets copies, as ``wandb:PROJECT``; none
======================== =============================================================================================

Another day than the last one: ``airflow dags trigger reclens_monitor_daily --conf '{"day": "2026-03-01"}'``.
"""

from __future__ import annotations

import os
import shlex
from datetime import datetime, timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, DeadlineAlert, DeadlineReference, Param, SyncCallback
from airflow.timetables.interval import CronDataIntervalTimetable
from reclens_notices import DAY, RECLENS, WORKSPACE, ZONE, monitor, tell_failure

TRACK = shlex.join(["--track", os.environ["RECLENS_TRACK"]]) if os.environ.get("RECLENS_TRACK") else ""
TEMPLATE = f"{{{{ {DAY} }}}}"
COMMON = {
    "start_date": datetime(2026, 1, 1),
    "catchup": False,
    "max_active_runs": 1,
    "tags": ["reclens"],
    "default_args": {"retries": 3, "on_failure_callback": tell_failure},
    # It goes into a command of the shell: nothing but a day is taken.
    "params": {"day": Param(None, type=["null", "string"], pattern=r"^\d{4}-\d{2}-\d{2}\Z")},
}


def late() -> DeadlineAlert | None:
    """Tell people that a run has not ended some minutes after it was to start."""
    minutes = float(os.environ.get("RECLENS_DEADLINE", "120"))
    if not minutes:
        return None
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(minutes=minutes),
        callback=SyncCallback("reclens_notices.tell_late"),
        name="late",
    )


def step(name: str, command: str, *, writes: bool = True) -> BashOperator:
    """A command as a task; those that write the state of the monitor take turns."""
    # The folder: what is tracked offline is written to where a command starts.
    return BashOperator(
        task_id=name, bash_command=command, cwd=WORKSPACE, **({"pool": "reclens_monitor"} if writes else {})
    )


# Days of the past that Airflow makes up for are done as the past is: without telling anybody.
RUN = (
    f"{{% if dag_run.run_type == 'backfill' %}}{monitor('backfill')} --from {TEMPLATE} --to {TEMPLATE}"
    f"{{% else %}}{monitor('run')} --date {TEMPLATE} {TRACK}{{% endif %}}"
)

with DAG(
    "reclens_monitor_daily",
    description="Data gate, indicators, incidents and notices of a day",
    schedule=CronDataIntervalTimetable(os.environ.get("RECLENS_SCHEDULE", "0 6 * * *"), timezone=ZONE),
    deadline=late(),
    doc_md=__doc__,
    **COMMON,
):
    tables = shlex.join(
        [RECLENS, "export", "looker", "--workspace", WORKSPACE, "--out", str(Path(WORKSPACE, "looker"))]
    )
    step("run", RUN) >> step("tables", f"{tables} --force", writes=False)

with DAG(
    "reclens_monitor_weekly",
    description="The report of a week, and what the past says about bounds",
    schedule=CronDataIntervalTimetable("0 8 * * MON", timezone=ZONE),
    deadline=late(),
    doc_md=__doc__,
    **COMMON,
):
    report = step("report", f"{monitor('report')} --week {TEMPLATE} {TRACK}")
    report >> step("learn", monitor("learn"), writes=False)
