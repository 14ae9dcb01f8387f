"""A day of a monitor by the DAG of ``pipelines/airflow``, with a learner's settings, where there is an Airflow."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import reclens
from reclens.learn.monitored_month import FIRST, Month
from reclens.settings import write_toml

__all__ = ["failure_by_airflow"]

_SECONDS: Final = 600
_DAG: Final = "reclens_monitor_daily"


def failure_by_airflow(month: Month, settings: Mapping[str, Any]) -> str | None:
    """Test the daily DAG on the last day before the month.

    Args:
        month: The month.
        settings: Of ``monitor.toml``; its log is that of the day.

    Returns:
        The end of what Airflow said if the test failed; None if it went well, or ``AIRFLOW_BIN`` names none, or this is
        no checkout of RecLens with its DAGs.
    """
    found = os.environ.get("AIRFLOW_BIN")
    script = Path(reclens.__file__).parents[2] / "pipelines" / "airflow" / "airflow.sh"
    if not found or not script.is_file():
        return None
    day = FIRST - timedelta(1)
    with TemporaryDirectory(prefix="reclens-airflow-") as name:
        place = Path(name)
        log = place / "monitor" / "log"
        log.mkdir(parents=True)
        month.log(day).write_parquet(log / f"{day}.parquet")
        text = write_toml({**settings, "log": {"path": "log"}})
        (place / "monitor" / "monitor.toml").write_text(text, encoding="utf-8")
        about = {
            "AIRFLOW_BIN": found,
            "AIRFLOW_HOME": place / "airflow",
            "RECLENS_BIN": Path(sys.executable).with_name("reclens"),
            "RECLENS_WORKSPACE": place,
            "RECLENS_TRACK": f"runs:{place / 'tracked'}",
        }
        words = ["bash", str(script), "dags", "test", _DAG, "--conf", f'{{"day": "{day}"}}']
        try:
            ended = subprocess.run(  # noqa: S603 - nothing of the command comes from outside
                words,
                env={**os.environ, **{key: str(value) for key, value in about.items()}},
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        tracked = list((place / "tracked").glob("*.json"))
        return None if ended.returncode == 0 and tracked else (ended.stdout + ended.stderr)[-500:].strip()
