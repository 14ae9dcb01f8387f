"""The complete health monitor: log, gate, indicators, detections, incidents, stored day, weekly report, notices.

A run processes one day, and every step is idempotent. A run that was killed can be repeated: a day counts once it is
complete, incidents are derived from the findings of the days, and the outbox records sent messages.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import polars as pl

from reclens.engine import Progress, quiet
from reclens.errors import UsageError
from reclens.job.monitor_inputs import Tools, annotations_of, named_in, options_of, rules_of, store_of, tools_of
from reclens.job.monitor_tell import receivers_of, settle, tell, to_tell
from reclens.job.monitor_week import is_last_of_week, write_week, write_weeks
from reclens.monitor.day import DayRun, run_day, run_days
from reclens.monitor.detect import detect
from reclens.monitor.gate import HISTORY
from reclens.monitor.health import Health, health_name
from reclens.monitor.incidents import IncidentStore
from reclens.monitor.outbox import Delivery
from reclens.monitor.project import RUN_DAYS, Project
from reclens.monitor.records import DETECTIONS, Annotation, GateResult, Notice, stands
from reclens.report._toolkit.format import decimal, whole
from reclens.report.monitor.sentences import day_sentence
from reclens.tabular import Tabular
from reclens.workspace import Workspace

__all__ = ["MonitorRun", "backfill", "judge", "replay", "run_monitor"]

_TRAFFIC: Final = 35
"""Days of the series that contributions and SLOs are made from."""


@dataclass(frozen=True, kw_only=True)
class MonitorRun(Tabular):
    """The result of a run.

    Attributes:
        days: The days that were judged, the last one last.
        notices: Notices of the run.
        deliveries: Delivery status of each receiver.
        reports: The weekly reports that were written.
        again: Later days that were measured beside what the day was before; run them again, by a backfill.
        seconds: Step -> seconds.
    """

    days: tuple[Health, ...]
    notices: tuple[Notice, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    reports: tuple[Path, ...] = ()
    again: tuple[date, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per day: series, alerts, incidents that are not resolved, and the data gate."""
        return [
            {
                "day": each.day,
                "system": each.system,
                "gate": each.gate.state,
                "series": each.detections.height,
                "alerts": each.alerts.height,
                "incidents": sum(one.status != "resolved" for one in each.incidents),
            }
            for each in self.days
        ]


def run_monitor(
    project: Project,
    day: date,
    *,
    workspace: Workspace,
    dry_run: bool = False,
    wait: float = 0.0,
    synthetic: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> MonitorRun:
    """Run one day: measure, judge, store, report and notify.

    Later days that were already run are judged again, because they depend on it. If the data of the day changed, those
    that were measured beside it are named: their distributions, new users and items, and gates knew the old data.

    Args:
        project: The monitor.
        day: The day, in the zone of its log.
        workspace: Workspace that stores the days.
        dry_run: Do not send: pending messages are in the result, and are sent by the next run.
        wait: Seconds to wait for another run to end.
        synthetic: Whether the log is simulated.
        say: Called with one line of text per step.

    Returns:
        The findings and the deliveries.

    Raises:
        NameTakenError: If another run does not end in time.
        WorkspaceError: If writing fails, for example on a full disk.
        UsageError: If the settings are wrong.
    """
    rules_of(project.settings)  # a wrong name is said before the work
    project.holidays  # noqa: B018 - and so is a calendar that cannot be read
    if not dry_run:
        receivers_of(project)  # and a receiver that is none
    tools = tools_of(project)
    started = time.monotonic()

    def step(text: str) -> None:
        say(f"[{decimal(time.monotonic() - started, 1):>5} s] {text}")

    with project.lock(wait=wait):
        old = _left(project, day)
        [ran] = _measured(project, [day], tools)
        step(f"{day}: {whole(ran.series.height)} values, data gate {ran.gate.state.replace('_', ' ')}")
        days, notices = judge(project, day, project.days()[-1], workspace=workspace, synthetic=synthetic)
        step(day_sentence(days[0]))
        reports: list[Path] = []
        if is_last_of_week(project, day):
            pages, weekly = write_week(project, day, workspace=workspace)
            reports += pages
            notices.append(weekly)
            step(f"week written: {', '.join(map(str, pages))}")
        told = [] if dry_run else tell(project, notices)
        for each in told:
            if each.sent or each.problem:
                step(_delivered(each))
        notices = to_tell(project, notices)
        again = () if _left(project, day) == old else _beside(project, day)
        if again:
            step(
                f"the data of {day} changed: run the days that were measured beside it again, by "
                f"reclens monitor backfill --from {again[0]} --to {again[-1]}"
            )
    return MonitorRun(
        days=tuple(days),
        notices=tuple(notices),
        deliveries=tuple(told),
        reports=tuple(reports),
        again=again,
        seconds=dict(ran.seconds),
    )


def backfill(
    project: Project,
    first: date,
    last: date,
    *,
    workspace: Workspace,
    wait: float = 0.0,
    synthetic: bool = False,
    progress: Progress = quiet,
    say: Callable[[str], None] = lambda line: None,
) -> MonitorRun:
    """Backfill past days as if they had been run one by one, without sending notices.

    Args:
        project: The monitor.
        first: First day.
        last: Last day.
        workspace: Workspace that stores the days.
        wait: Seconds to wait for another run to end.
        synthetic: Whether the log is simulated.
        progress: Called after each day.
        say: Called with one line of text per step.

    Returns:
        The findings; their notices are marked as settled and never sent.

    Raises:
        UsageError: If ``first`` is after ``last``, or the settings are wrong.
        NameTakenError: If another run does not end in time.
        WorkspaceError: If something cannot be written.
    """
    days = _span(first, last)
    rules_of(project.settings)
    tools = tools_of(project)
    with project.lock(wait=wait):
        _measured(project, days, tools, progress)
        progress("backfill", len(days), len(days))
        found, notices = judge(project, first, project.days()[-1], workspace=workspace, synthetic=synthetic)
        reports = write_weeks(project, [each for each in found if each.day <= last], workspace=workspace)
        settle(project, notices)
        say(f"{whole(len(days))} days; notices of the past are not sent: {whole(len(notices))}")
    return MonitorRun(days=tuple(found), notices=tuple(notices), reports=tuple(reports))


def replay(project: Project, first: date, last: date, *, folder: Path) -> MonitorRun:
    """Replay measured days with the current settings without changes: which notices would be sent, and when.

    Args:
        project: The monitor.
        first: First day.
        last: Last day.
        folder: An empty folder for the incidents of the replay.

    Returns:
        The days, with the incidents that they would have had.

    Raises:
        UsageError: If ``first`` is after ``last``, or no day of them was run.
    """
    _span(first, last)
    known = [day for day in project.days() if first <= day <= last]
    if not known:
        raise UsageError(f"no day from {first} to {last} was run", advice=RUN_DAYS)
    about = project.settings.detect
    store = IncidentStore(
        folder, rules=rules_of(project.settings), resolve_days=about.resolve_days, cool_down=about.cool_down
    )
    found, notices = _judged(project, store, known)
    return MonitorRun(
        days=tuple(_health(project, *each, incidents=store.list(), place="", synthetic=False) for each in found),
        notices=tuple(notices),
    )


def _measured(project: Project, days: Sequence[date], tools: Tools, progress: Progress = quiet) -> list[DayRun]:
    """Run days; a single one of the built-in engine without the files that others would need meanwhile."""
    gate, engine, marts = tools
    if marts is None and len(days) == 1:
        return [run_day(project, days[0], gate=gate, engine=engine)]
    return run_days(project, days, marts=marts, gate=gate, engine=engine, progress=progress)


def _left(project: Project, day: date) -> dict[str, str]:
    """What a day leaves to later ones: a hash of each file that they read, which a repeated run writes to the byte."""
    found: dict[str, str] = {}
    for name in ("bins.parquet", "cells.parquet", "items.parquet", "users.parquet", "gate.json"):
        place = project.day_folder(day) / name
        if place.is_file():
            found[name] = sha256(place.read_bytes()).hexdigest()
    return found


def _beside(project: Project, day: date) -> tuple[date, ...]:
    """The later days that were run and look at this one."""
    about = project.settings
    reach = day + timedelta(days=max(about.reference.days, about.log.cold_days, HISTORY))
    start, end = about.reference.start, about.reference.end
    fixed = start is not None and end is not None and start <= day <= end
    return tuple(each for each in project.days() if day < each and (fixed or each <= reach))


def judge(
    project: Project, first: date, last: date, *, workspace: Workspace, synthetic: bool = False
) -> tuple[list[Health], list[Notice]]:
    """Judge days that were measured, follow their incidents, keep them in the workspace, and publish.

    Args:
        project: The monitor; hold its lock meanwhile.
        first: First day.
        last: Last day.
        workspace: Workspace that stores the days.
        synthetic: Whether the log is simulated.

    Returns:
        The days and their notices.
    """
    store = store_of(project)
    known = [day for day in project.days() if first <= day <= last]
    found, notices = _judged(project, store, known)
    incidents, place = store.list(), named_in(project, workspace)
    synthetic = synthetic or _was_synthetic(project)
    days = [_health(project, *each, incidents=incidents, place=place, synthetic=synthetic) for each in found]
    for each in days:
        workspace.save(each, health_name(each.system, each.day), overwrite=True)
    _publish(project, days)
    return days, notices


_Found = tuple[date, pl.DataFrame, GateResult, Sequence[Annotation]]


def _judged(project: Project, store: IncidentStore, days: Sequence[date]) -> tuple[list[_Found], list[Notice]]:
    """The detections of days, and the notices of their incidents."""
    settings = project.settings
    series, gates, notes = project.series(end=days[-1]), project.gates(end=days[-1]), annotations_of(project)
    failed = {day for day, gate in gates.items() if gate.state != "passed"}
    detections = detect(
        series,
        rules_of(settings),
        start=days[0],
        end=days[-1],
        annotations=notes,
        holidays=project.holidays,
        failed=failed,
        options=options_of(settings),
    )
    found: list[_Found] = []
    notices: dict[str, Notice] = {}
    for day in days:
        mine = detections.filter(pl.col("day") == day)
        recent = series.filter(pl.col("day").is_between(day - timedelta(days=_TRAFFIC), day))
        told = [each for each in notes if each.start <= day <= each.end]
        raised = store.update(day, mine, series=recent, gate=gates[day], annotations=notes)
        # The store tells of later days too: they are judged again after this one, and say so themselves.
        notices = {key: each for key, each in notices.items() if each.day < day}
        notices |= {each.key: each for each in raised}
        found.append((day, mine, gates[day], told))
    return found, list(notices.values())


def _health(
    project: Project,
    day: date,
    detections: pl.DataFrame,
    gate: GateResult,
    annotations: Sequence[Annotation],
    *,
    incidents: Sequence[Any],
    place: str,
    synthetic: bool,
) -> Health:
    known = [each for each in incidents if stands(each) and each.first_day <= day]
    mine = [each for each in known if each.status != "resolved" or each.last_day >= day]
    return Health(
        system=project.settings.system,
        day=day,
        detections=detections,
        gate=gate,
        incidents=tuple(mine),
        annotations=tuple(annotations),
        project=place,
        synthetic=synthetic,
    )


def _publish(project: Project, days: Sequence[Health]) -> None:
    """Publish tables for other readers, one file for all days, replaced atomically."""
    mine = {each.day for each in days}
    before = project.read_published("detections")
    kept = [] if before is None else [before.filter(~pl.col("day").is_in(mine)).select(list(DETECTIONS))]
    now = [each.detections for each in days]
    project.publish("detections", pl.concat([*kept, *now], how="vertical_relaxed").sort("day", maintain_order=True))
    project.publish("series", project.series())


def _was_synthetic(project: Project) -> bool:
    """Whether the example log, which is made up, is what is watched."""
    return (project.folder / "synthetic").exists()


def _delivered(delivery: Delivery) -> str:
    if delivery.problem is None:
        return f"{delivery.receiver}: sent {whole(delivery.sent)}"
    return f"{delivery.receiver}: {whole(delivery.waiting)} wait for the next run: {delivery.problem}"


def _span(first: date, last: date) -> list[date]:
    if first > last:
        raise UsageError(f"the first day is {first}, after the last one, {last}.")
    return [first + timedelta(days=at) for at in range((last - first).days + 1)]
