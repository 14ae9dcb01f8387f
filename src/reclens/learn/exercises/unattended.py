"""Exercise 5.2: a monitor, a tracker and a schedule, replayed for thirty days with incidents, a late log and a kill."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from reclens.cards import Fact
from reclens.errors import RecLensError
from reclens.learn.airflow_day import failure_by_airflow
from reclens.learn.answers import read_toml_text
from reclens.learn.crontab import Job, read_crontab, started_on
from reclens.learn.exercise import Draw, Exercise, Remark
from reclens.learn.headers import toml_header
from reclens.learn.monitored_month import DAYS, FIRST, HISTORY, Month, month_of, sundays
from reclens.learn.unattended_replay import Outcome, replayed
from reclens.monitor.settings import MonitorSettings
from reclens.report._toolkit.format import percent, whole
from reclens.settings import validate

__all__ = ["Unattended"]

_DELAY: Final = 1
_FEWEST: Final = 3
"""Incidents of four that have to be alerted."""
_MOST_FALSE: Final = 1
_LASTS: Final = 3
"""Days of an incident."""
_EXACT: Final = 1e-9
_TAKEN: Final = ("system", "log", "tables", "dimensions", "reference", "indicators", "detect", "notify", "report")
"""Keys of ``monitor.toml`` that the exercise is about; the log of the replay is its own."""


class Unattended(Exercise):
    """The commands of the schedule run on the learner's month and on another one."""

    code = "5.2"
    name = "thirty_days_unattended"
    files = ("monitor.toml", "schedule.cron")
    minutes = 90

    def facts(self, draw: Draw) -> dict[str, Fact]:
        """The system, when its logs are there, and how it is graded."""
        month = month_of(draw)
        return {
            "days": DAYS,
            "first": str(FIRST - timedelta(HISTORY)),
            "last": str(FIRST - timedelta(1)),
            "begins": str(FIRST),
            "system": month.system,
            "ready": f"{month.ready:%H:%M}",
            "fewest": _FEWEST,
            "false": _MOST_FALSE,
            "lasts": _LASTS,
            "delay": _DELAY,
        }

    def write_data(self, draw: Draw, folder: Path) -> None:
        """The log of the four weeks before."""
        month = month_of(draw)
        (folder / "log").mkdir(exist_ok=True)
        for at in range(HISTORY):
            day = FIRST - timedelta(HISTORY - at)
            month.log(day).write_parquet(folder / "log" / f"{day}.parquet")

    def templates(self, draw: Draw) -> dict[str, str]:
        """A schedule that starts at midnight; ``monitor.toml`` is what ``reclens monitor init`` writes."""
        return {"schedule.cron": toml_header(draw) + _TEMPLATE}

    def judge(self, answer: Mapping[str, str], draw: Draw) -> Iterator[Remark]:
        """Replay the learner's month and another one."""
        month = month_of(draw)
        try:
            settings = _settings(answer["monitor.toml"])
            jobs = read_crontab("schedule.cron", answer["schedule.cron"])
            started_on(jobs, FIRST)
        except RecLensError as error:
            yield Remark("workflow_refused", {"error": str(error)})
            return
        remarks = list(_read(settings, jobs, month))
        yield from remarks
        if remarks:
            return
        for each in (draw, *draw.hidden(1)):
            remarks = list(_judged(_replayed(each, answer["monitor.toml"], answer["schedule.cron"]), month_of(each)))
            yield from (Remark(one.code, {**one.facts, "hidden": each != draw}) for one in remarks)
            if remarks:
                return
        error = failure_by_airflow(month, _told(settings))
        if error is not None:
            yield Remark("airflow_failed", {"error": error})

    def solve(self, draw: Draw, folder: Path) -> None:
        """A run each morning once the log is there, and a second look at the day before."""
        (folder / "monitor.toml").write_text(_monitor(draw), encoding="utf-8")
        (folder / "schedule.cron").write_text(_schedule(draw), encoding="utf-8")


def _replayed(draw: Draw, settings: str, schedule: str) -> Outcome:
    return replayed(month_of(draw), _told(_settings(settings)), read_crontab("schedule.cron", schedule))


def _told(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with a file as the receiver, whoever else is named."""
    return {**settings, "notify": {**settings.get("notify", {}), "to": ["file:notices.jsonl"]}}


def _settings(text: str) -> dict[str, Any]:
    """The settings that the replay takes over.

    Raises:
        RecLensError: If they are none of a monitor.
    """
    held = read_toml_text("monitor.toml", text)
    validate(MonitorSettings, held, source="monitor.toml")
    return {key: value for key, value in held.items() if key not in {"log", "tables"}}


def _read(settings: Mapping[str, Any], jobs: Sequence[Job], month: Month) -> Iterator[Remark]:
    """What is wrong before anything runs."""
    other = sorted(set(settings) - set(_TAKEN))
    if other:
        yield Remark("setting_not_taken", {"seen": other, "expected": list(_TAKEN)})
    if settings.get("system") != month.system:
        yield Remark("another_system", {"seen": str(settings.get("system")), "expected": month.system})
    if not settings.get("notify", {}).get("to"):
        yield Remark("nobody_is_told")
    if not any(each.tracks for job in jobs for each in job.steps if each.command == "run"):
        yield Remark("no_tracker")


def _judged(outcome: Outcome, month: Month) -> Iterator[Remark]:
    if outcome.failed is not None:
        yield Remark("command_failed", {"command": outcome.failed[0], "error": outcome.failed[1].strip()})
        return
    yield from _tracked(outcome.tracked, month)
    alerts = [day for day, each in outcome.notices if str(each["message_id"]).startswith(("opened:", "reopened:"))]
    yield from _alerted(alerts, month)
    for sunday in sundays(month.days):
        if not _same_week(outcome.reports.get(sunday, ""), sunday, month):
            yield Remark("wrong_week", {"sunday": str(sunday)})
            return


def _tracked(runs: Sequence[Mapping[str, Any]], month: Month) -> Iterator[Remark]:
    """Every day once, with the numbers of its log."""
    of_day = [each for each in runs if "day" in each["settings"]]
    counts = Counter(str(each["settings"]["day"]) for each in of_day)
    known = month.numbers()
    right = {str(each["settings"]["day"]) for each in of_day if _same_day(each, known)}
    missing = [day for day in known if day not in right]
    twice = [day for day, count in counts.items() if count > 1]
    if missing:
        yield Remark("days_not_tracked", {"days": len(missing), "first": missing[0]})
    if twice:
        yield Remark("days_tracked_twice", {"days": len(twice), "first": twice[0]})


def _same_day(run: Mapping[str, Any], known: Mapping[str, tuple[int, int]]) -> bool:
    impressions, clicks = known.get(str(run["settings"]["day"]), (0, 0))
    seen = run["numbers"]
    expected = {"traffic": float(impressions), "ctr": clicks / impressions if impressions else 0.0}
    return run["status"] == "done" and all(
        abs(seen.get(name, -1) - each) <= _EXACT * max(1, each) for name, each in expected.items()
    )


def _alerted(alerts: Sequence[date], month: Month) -> Iterator[Remark]:
    """Alerts, by the day on which they were told, against the incidents: each can be told from its second day on."""
    windows = [(each.start + timedelta(1), each.start + timedelta(_LASTS + 1)) for each in month.faults]
    intime = sum(any(first <= day <= first + timedelta(_DELAY) for day in alerts) for first, _ in windows)
    false = sum(not any(first <= day <= last for first, last in windows) for day in alerts)
    doubled = sum(sum(first <= day <= last for day in alerts) > 1 for first, last in windows)
    if intime < _FEWEST:
        yield Remark("incidents_missed", {"found": intime, "of": len(month.faults), "least": _FEWEST})
    if false > _MOST_FALSE:
        yield Remark("false_alerts", {"seen": false, "most": _MOST_FALSE})
    if doubled:
        yield Remark("double_alerts", {"seen": doubled})


def _same_week(text: str, sunday: date, month: Month) -> bool:
    """Whether a report has the impressions and the click-through rate of its week."""
    days = [str(sunday - timedelta(at)) for at in range(7)]
    impressions, clicks = (sum(month.numbers()[day][at] for day in days) for at in (0, 1))
    rate = re.search(r"^\| Click-through rate \| ([^|]+?) \|", text, re.MULTILINE)
    return (
        f" {whole(impressions)} impressions" in text and rate is not None and rate[1] == percent(clicks / impressions)
    )


_TEMPLATE: Final = """\
# minute hour day month weekday command; the folder of the commands is this one
0 0 * * * reclens monitor run --project . --workspace .
"""
_MONITOR: Final = """\
system = "{system}"

[log]
path = "log"

[dimensions]
names = ["surface"]

[detect]
budget = 1.0
warm_up = 2

[notify]
to = ["file:notices.jsonl"]
"""
_SCHEDULE: Final = """\
{again} * * * reclens monitor run --project . --workspace . --date $(date -d '2 days ago' +\\%F) --track runs:tracked
{run} * * * reclens monitor run --project . --workspace . --track runs:tracked
{week} * * 1 reclens monitor report --project . --workspace .
"""


def _monitor(draw: Draw) -> str:
    return toml_header(draw) + _MONITOR.format(system=month_of(draw).system)


def _schedule(draw: Draw) -> str:
    ready = datetime.combine(FIRST, month_of(draw).ready)
    at = {name: ready + timedelta(minutes=each) for name, each in (("again", 10), ("run", 25), ("week", 55))}
    return toml_header(draw) + _SCHEDULE.format(**{name: f"{each.minute} {each.hour}" for name, each in at.items()})


def _changed(draw: Draw, folder: Path, *, file: str, old: str, new: str) -> None:
    """A wrong answer: one thing is otherwise."""
    text = {"monitor.toml": _monitor(draw), "schedule.cron": _schedule(draw)}
    found = re.sub(old, new, text[file], flags=re.MULTILINE)
    assert found != text[file]
    for name, content in {**text, file: found}.items():
        (folder / name).write_text(content, encoding="utf-8")


def _coded(file: str, old: str, new: str) -> Callable[[Draw, Path], None]:
    return partial(_changed, file=file, old=old, new=new)


Unattended.wrong = {
    "yesterday alone": _coded("schedule.cron", r"^.*2 days ago.*\n", ""),
    "mends afterwards": _coded("schedule.cron", r"^(\d+ \d+)(.*2 days ago.*\n)(\d+ \d+)", r"\3\2\1"),
    "weekdays alone": _coded("schedule.cron", r"\* \* \* reclens", "* * 1-5 reclens"),
    "not tracked": _coded("schedule.cron", " --track runs:tracked", ""),
    "never judges": _coded("monitor.toml", "warm_up = 2", "warm_up = 8"),
    "alerts at everything": _coded("monitor.toml", r"budget = 1\.0", "budget = 300.0"),
    "nobody is told": _coded("monitor.toml", r'\["file:notices.jsonl"\]', "[]"),
    "weeks that end on another day": _coded(
        "monitor.toml", r"\[notify\]", '[report]\nweek_ends = "wednesday"\n\n[notify]'
    ),
    "of another system": _coded("monitor.toml", '"shop-.*"', '"shop"'),
}
