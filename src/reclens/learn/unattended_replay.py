"""A month of a monitor, replayed: logs arrive, a schedule starts the commands of RecLens, and one of them is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from reclens.errors import WorkspaceError
from reclens.learn.crontab import Job, started_on
from reclens.learn.monitored_month import FIRST, Month, sundays
from reclens.learn.unattended_child import EVENTS, KILLED, MARKS, NOTICES
from reclens.settings import write_toml

__all__ = ["Outcome", "replayed"]

_SECONDS: Final = 1_200
_TRACKED: Final = "tracked"
_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from reclens.learn.unattended_child import main; main()"
)
_ONE_THREAD: Final = dict.fromkeys(
    ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)
"""The tables of a day are small: threads would only wait for each other."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a month came to.

    Attributes:
        tracked: Runs of the tracker, as it keeps them.
        notices: Day on which it was told, and the notice.
        reports: Sunday -> report of the week; empty where there is none.
        killed: Runs that were killed.
        failed: The first command that ended with a status of 2 or more, and what it said; None if none did.
    """

    tracked: Sequence[Mapping[str, Any]]
    notices: Sequence[tuple[date, Mapping[str, Any]]]
    reports: Mapping[date, str]
    killed: int = 0
    failed: tuple[str, str] | None = None


def replayed(month: Month, settings: Mapping[str, Any], jobs: Sequence[Job]) -> Outcome:
    """Replay a month.

    Args:
        month: What happens.
        settings: Of ``monitor.toml``; its log is that of the month.
        jobs: The schedule.

    Raises:
        WorkspaceError: If no process can be started, or it does not end.
    """
    with TemporaryDirectory(prefix="reclens-month-") as name:
        place = Path(name)
        events = _laid_out(place, month, settings, jobs)
        failed: list[Any] = []
        killed = 0
        while len(_marks(place)) < len(events):
            before = len(_marks(place))
            ended = _child(place)
            failed += [json.loads(line) for line in ended.stdout.splitlines()]
            killed += ended.returncode == KILLED
            if ended.returncode not in (0, KILLED) or len(_marks(place)) == before:
                raise WorkspaceError(f"The replay of the month ended itself: {ended.stderr[-500:].strip()}")
        return replace(_outcome(place, events, failed), killed=killed)


def _laid_out(place: Path, month: Month, settings: Mapping[str, Any], jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Write settings and logs, and what happens in its order."""
    for folder in ("log", "later"):
        (place / folder).mkdir()
    (place / "monitor.toml").write_text(write_toml({**settings, "log": {"path": "log"}}), encoding="utf-8")
    before = FIRST - timedelta(month.history)
    for at in range(month.history):
        month.log(before + timedelta(at)).write_parquet(place / "log" / f"{before + timedelta(at)}.parquet")
    timed: list[tuple[datetime, int, dict[str, Any]]] = []
    if month.history:
        words = ["monitor", "backfill", "--from", str(before), "--to", str(FIRST - timedelta(1)), "--quiet"]
        timed.append((datetime.min, 0, {"steps": [["always", _placed(words)]]}))
    for at in range(month.days):
        day = FIRST + timedelta(at)
        path = place / "later" / f"{day}.parquet"
        month.log(day).write_parquet(path)
        timed.append((month.arrives(day), 0, {"arrives": str(path)}))
    killed = False
    for at in range(1, month.days + 1):
        today = FIRST + timedelta(at)
        for when, job in started_on(jobs, today):
            steps = [[each.when, _placed(each.words(today, tracker=f"runs:{_TRACKED}"))] for each in job.steps]
            event: dict[str, Any] = {"steps": steps}
            first = job.steps[0]
            if not killed and first.command == "run" and today - timedelta(first.ago) == month.killed:
                event["killed"], killed = month.write, True
            timed.append((when, 1, event))
    ordered = sorted(timed, key=lambda each: each[:2])
    events = [{**event, "at": at.isoformat()} for at, _, event in ordered]
    (place / EVENTS).write_text(json.dumps(events), encoding="utf-8")
    return events


def _placed(words: Sequence[str]) -> list[str]:
    return [*words, "--project", ".", "--workspace", "."]


def _child(place: Path) -> subprocess.CompletedProcess[str]:
    paths = json.dumps([os.path.abspath(each or os.getcwd()) for each in sys.path])  # noqa: PTH100, PTH109
    try:
        return subprocess.run(  # noqa: S603 - nothing of the command comes from outside
            [sys.executable, "-c", _START, paths],
            cwd=place,
            env={**os.environ, **_ONE_THREAD},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise WorkspaceError(f"The replay of the month took longer than {_SECONDS} s.") from None
    except OSError as error:
        raise WorkspaceError(f"The month is replayed in a process, and none can be started here ({error}).") from error


def _marks(place: Path) -> list[tuple[int, int]]:
    path = place / MARKS
    return [tuple(json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def _outcome(place: Path, events: Sequence[Mapping[str, Any]], failed: Sequence[Any]) -> Outcome:
    notices = place / NOTICES
    told = [json.loads(line) for line in notices.read_text(encoding="utf-8").splitlines()] if notices.exists() else []
    stamped: list[tuple[date, Mapping[str, Any]]] = []
    # A mark has the notices before its event: those after it were told by it, until the next.
    ends = [count for _, count in _marks(place)[1:]] + [len(told)]
    for event, end in zip(events, ends, strict=True):
        day = datetime.fromisoformat(str(event["at"])).date()
        stamped += [(day, each) for each in told[len(stamped) : end]]
    return Outcome(
        tracked=[json.loads(path.read_text(encoding="utf-8")) for path in sorted((place / _TRACKED).glob("*.json"))],
        notices=stamped,
        reports={
            day: path.read_text(encoding="utf-8") if (path := place / f"reports/week-to-{day}.md").is_file() else ""
            for day in sundays()
        },
        failed=(" ".join(["reclens", *failed[0][1]]), failed[0][3]) if failed else None,
    )
