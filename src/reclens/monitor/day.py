"""Run one day of a monitor: log, gate, marts, indicators. Runs are idempotent."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import polars as pl

from reclens.engine import Progress, quiet
from reclens.errors import DataError
from reclens.monitor.cards import DayCard
from reclens.monitor.duck import frame, opened
from reclens.monitor.duck import rows as rows_of
from reclens.monitor.gate import check_day, checks_of_gate, state_of, unreadable
from reclens.monitor.gate_profile import judged_by
from reclens.monitor.indicators.registry import compute, describe
from reclens.monitor.landing import Marts, clear_day
from reclens.monitor.log import open_log
from reclens.monitor.marts import in_order, make_marts, read_staging, reference_days
from reclens.monitor.places import day_bounds
from reclens.monitor.project import Project
from reclens.monitor.queries import with_marts
from reclens.monitor.records import SERIES, DataCheck, GateResult
from reclens.monitor.summary import TABLES, Past, Summary
from reclens.protocols import Gate
from reclens.schema import versions

__all__ = ["DayRun", "read_summary", "read_week_series", "run_day", "run_days"]


@dataclass(frozen=True, kw_only=True, eq=False)
class DayRun:
    """Result of the run of one day.

    Attributes:
        day: The day.
        series: The columns of :data:`~reclens.monitor.records.SERIES`; empty if the log could not be read.
        gate: The data gate.
        seconds: Step -> seconds.
    """

    day: date
    series: pl.DataFrame
    gate: GateResult
    seconds: dict[str, float] = field(default_factory=dict)


class _Clock:
    """Seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.begin()

    def begin(self) -> None:
        self._last = time.perf_counter()

    def end(self, step: str) -> None:
        now = time.perf_counter()
        self.seconds[step] = round(now - self._last, 4)
        self._last = now


def run_day(
    project: Project,
    day: date,
    *,
    gate: Gate | None = None,
    engine: Gate | None = None,
    threads: int | None = None,
) -> DayRun:
    """Compute the series of one day and write its state.

    Args:
        project: The monitor; the caller must hold its :meth:`~reclens.monitor.project.Project.lock`.
        day: The day, in the zone of the log.
        gate: An additional gate that checks the impressions.
        engine: Gate that evaluates the profile of the day; None for the built-in checks.
        threads: Threads of DuckDB; None for all cores.

    Returns:
        The series and the gate. An unreadable log raises no error: the gate reports it, and the series is empty.

    Raises:
        WorkspaceError: If the state cannot be written.
        UsageError: If the settings are wrong.
    """
    clock = _Clock()
    return _finished(project, _measured(project, day, clock, gate, engine, threads=threads), clock)


def run_days(
    project: Project,
    days: Sequence[date],
    *,
    marts: Marts,
    gate: Gate | None = None,
    engine: Gate | None = None,
    progress: Progress = quiet,
) -> list[DayRun]:
    """Run days whose marts another engine makes in one build, and write their state.

    Each day is read, checked and landed; then the marts of all days are made; then the series are computed. A run that
    is killed leaves the days unchanged.

    Args:
        project: The monitor; the caller must hold its :meth:`~reclens.monitor.project.Project.lock`.
        days: The days, consecutive and in order.
        marts: The engine that makes the marts.
        gate: As for :func:`run_day`.
        engine: As for :func:`run_day`.
        progress: Called after each day.

    Returns:
        One result per day, as of :func:`run_day`.

    Raises:
        WorkspaceError: If the marts cannot be made, or the state cannot be written.
        UsageError: If the settings are wrong.
    """
    clocks = {day: _Clock() for day in days}
    found: dict[date, _Measured] = {}
    with project.holding():
        for at, day in enumerate(days):
            progress(f"read · {day}", at, len(days))
            clocks[day].begin()
            found[day] = _measured(project, day, clocks[day], gate, engine, elsewhere=True)
            # Later days read its card and the clicks of its items.
            project.hold(day)
            _write(project, found[day], found[day].tables)
            clocks[day].end("land")
        progress("dbt", 0, 0)
        building = _Clock()
        marts.build(project, days)
        building.end("build")
        runs: list[DayRun] = []
        for at, day in enumerate(days):
            progress(f"indicators · {day}", at, len(days))
            clocks[day].seconds["build"] = building.seconds["build"] / len(days)
            clocks[day].begin()
            one = found.pop(day)
            if one.tables:
                one = replace(one, tables=in_order(with_marts(one.tables, marts.read(day))))
            project.release(day)
            runs.append(_finished(project, one, clocks[day]))
    return runs


@dataclass(frozen=True, kw_only=True, eq=False)
class _Measured:
    """A day before its series."""

    day: date
    tables: dict[str, pl.DataFrame]
    gate: GateResult
    card: DayCard


def _measured(
    project: Project,
    day: date,
    clock: _Clock,
    gate: Gate | None,
    engine: Gate | None,
    *,
    threads: int | None = None,
    elsewhere: bool = False,
) -> _Measured:
    """Read a day, check it, and make its tables; those of marts made elsewhere are empty."""
    bounds = day_bounds(day, project.settings.log.zone)
    tables: dict[str, pl.DataFrame] = {}
    columns: dict[str, str] = {}
    rows = 0
    connection = opened(threads)
    try:
        log = open_log(connection, project, bounds)
        read_staging(connection, project, log)
        clock.end("read")
        [(rows,)] = rows_of(connection, "SELECT count(*) FROM impressions")
        columns = dict(log.columns)
        checks = _judged(check_day(connection, project, log), day, engine)
        if gate is not None and rows:
            checks += checks_of_gate(gate, frame(connection, "SELECT * FROM impressions"))
        clock.end("gate")
        if rows:
            keep = state_of(checks) == "passed"
            distinct = any(check.code == "unique" and check.failed_rows == 0 for check in checks)
            tables = make_marts(connection, project, log, keep=keep, distinct=distinct, elsewhere=elsewhere)
        clock.end("marts")
    except DataError as error:
        checks, tables = _judged(unreadable(project.settings.gate, str(error)), day, engine), {}
    finally:
        connection.close()
    if elsewhere and not tables:
        clear_day(project, day)
    result = GateResult(day=day, checks=tuple(checks), state=state_of(checks))
    card: DayCard = {
        "day": day.isoformat(),
        "rows": rows,
        "gate": result.state,
        "hours": bounds.hours,
        "columns": columns,
        "versions": versions(),
    }
    return _Measured(day=day, tables=tables, gate=result, card=card)


def _finished(project: Project, one: _Measured, clock: _Clock) -> DayRun:
    """Compute the series of a day and write its state."""
    series = compute(_summary(project, one.day, one.tables)) if one.tables else pl.DataFrame(schema=SERIES)
    clock.end("indicators")
    _write(project, one, {**one.tables, "series": series})
    clock.end("write")
    return DayRun(day=one.day, series=series, gate=one.gate, seconds=clock.seconds)


def _write(project: Project, one: _Measured, tables: Mapping[str, pl.DataFrame]) -> None:
    project.write_day(one.day, tables, one.gate, one.card)


def _judged(checks: list[DataCheck], day: date, engine: Gate | None) -> list[DataCheck]:
    return checks if engine is None else judged_by(engine, checks, day=day)


def read_summary(project: Project, days: Sequence[date]) -> Summary | None:
    """The completed days as one: :func:`~reclens.monitor.indicators.registry.compute` gives a week its series.

    Returns:
        None if none of them has data.
    """
    parts = [_stored(project, day) for day in days]
    found = [each for each in parts if each is not None]
    return Summary.sum(found) if found else None


def read_week_series(project: Project, days: Sequence[date]) -> pl.DataFrame | None:
    """The series of several days as one: what all of them showed is covered, not what one of them did in the mean.

    Returns:
        The columns of :data:`~reclens.monitor.records.SERIES`, where amounts are those of a mean day; None unless each
        day has data.
    """
    summary = read_summary(project, days)
    if summary is None or len(summary.days) < len(days):
        return None
    series = compute(summary)
    counted = [name for name in series["indicator"].unique() if describe(name).unit == "count"]
    amount = pl.col("indicator").is_in(counted) & pl.col("denominator").is_null()
    return series.with_columns(value=pl.when(amount).then(pl.col("value") / len(days)).otherwise("value"))


def _stored(project: Project, day: date) -> Summary | None:
    tables = {name: table for name in TABLES if (table := project.read_day(day, name)) is not None}
    return _summary(project, day, tables) if tables else None


def _summary(project: Project, day: date, tables: dict[str, pl.DataFrame]) -> Summary:
    settings = project.settings
    days = reference_days(project, day)
    bins = project.read_days(days, "bins") if len(days) >= settings.reference.fewest else None
    return Summary(
        days=(day,),
        tables=tables,
        dimensions=settings.dimensions.names,
        most=settings.dimensions.most,
        past=Past(tuple(days), bins),
    )
