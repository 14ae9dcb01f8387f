"""Run one day of a monitor: log, gate, marts, indicators. Runs are idempotent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

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
from reclens.monitor.log import LogDay, open_log
from reclens.monitor.marts import BegunMarts, begin_marts, in_order, make_marts, read_staging, reference_days
from reclens.monitor.places import day_bounds
from reclens.monitor.project import Project
from reclens.monitor.queries import with_marts
from reclens.monitor.records import SERIES, DataCheck, GateResult
from reclens.monitor.summary import TABLES, Past, Summary
from reclens.protocols import Gate
from reclens.schema import versions

if TYPE_CHECKING:
    import duckdb

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
    return _ended(project, _begun(project, day, clock, gate, engine, threads=threads), clock)


def run_days(
    project: Project,
    days: Sequence[date],
    *,
    marts: Marts | None = None,
    gate: Gate | None = None,
    engine: Gate | None = None,
    progress: Progress = quiet,
) -> list[DayRun]:
    """Run days as if one by one, and write their state.

    A day is read and checked while the marts and the series of the day before are made: all that a day needs of
    earlier ones is known before. Where another engine makes the marts, it makes those of all days in one build, and a
    run that is killed leaves all of them unchanged.

    Args:
        project: The monitor; the caller must hold its :meth:`~reclens.monitor.project.Project.lock`.
        days: The days, consecutive and in order.
        marts: The engine that makes the marts; None for DuckDB.
        gate: As for :func:`run_day`.
        engine: As for :func:`run_day`.
        progress: Called before each day.

    Returns:
        One result per day, as of :func:`run_day`.

    Raises:
        WorkspaceError: If the marts cannot be made, or the state cannot be written.
        UsageError: If the settings are wrong.
    """
    if marts is not None:
        return _run_built(project, days, marts, gate, engine, progress)
    runs: list[DayRun] = []
    under_way: Future[DayRun] | None = None
    with project.holding(), ThreadPoolExecutor(1) as pool:
        for at, day in enumerate(days):
            progress(f"backfill · {day}", at, len(days))
            clock = _Clock()
            one = _begun(project, day, clock, gate, engine)
            # The next day reads its card and the clicks of its items.
            project.hold(day)
            kept = {} if one.marts is None else {"items": one.marts.outline["items"]}
            project.write_day(day, kept, one.gate, one.card)
            if under_way is not None:
                runs.append(under_way.result())
            under_way = pool.submit(_ended, project, one, clock)
        if under_way is not None:
            runs.append(under_way.result())
    return runs


def _run_built(
    project: Project,
    days: Sequence[date],
    marts: Marts,
    gate: Gate | None,
    engine: Gate | None,
    progress: Progress,
) -> list[DayRun]:
    """Run days whose marts another engine makes: each is read, checked and landed, and then all are made."""
    clocks = {day: _Clock() for day in days}
    found: dict[date, _Measured] = {}
    with project.holding():
        for at, day in enumerate(days):
            progress(f"read · {day}", at, len(days))
            clocks[day].begin()
            found[day] = _measured(project, _begun(project, day, clocks[day], gate, engine), elsewhere=True)
            if not found[day].tables:
                clear_day(project, day)
            # Later days read its card and the clicks of its items.
            project.hold(day)
            project.write_day(day, found[day].tables, found[day].gate, found[day].card)
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
            runs.append(_finished(project, one, clocks[day]))
    return runs


@dataclass(frozen=True, kw_only=True, eq=False)
class _Begun:
    """A day that was read and checked; ``marts`` is None where there is nothing to make any from."""

    day: date
    connection: duckdb.DuckDBPyConnection
    log: LogDay | None
    marts: BegunMarts | None
    distinct: bool
    gate: GateResult
    card: DayCard


@dataclass(frozen=True, kw_only=True, eq=False)
class _Measured:
    """A day before its series."""

    day: date
    tables: dict[str, pl.DataFrame]
    gate: GateResult
    card: DayCard


def _begun(
    project: Project,
    day: date,
    clock: _Clock,
    gate: Gate | None,
    engine: Gate | None,
    *,
    threads: int | None = None,
) -> _Begun:
    """Read a day, check it, and settle all that depends on the days before it."""
    bounds = day_bounds(day, project.settings.log.zone)
    log: LogDay | None = None
    marts: BegunMarts | None = None
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
            marts = begin_marts(connection, project, log, keep=state_of(checks) == "passed")
        clock.end("lists")
    except DataError as error:
        checks, marts = _judged(unreadable(project.settings.gate, str(error)), day, engine), None
    except BaseException:
        connection.close()
        raise
    result = GateResult(day=day, checks=tuple(checks), state=state_of(checks))
    card: DayCard = {
        "day": day.isoformat(),
        "rows": rows,
        "gate": result.state,
        "hours": bounds.hours,
        "columns": columns,
        "versions": versions(),
    }
    return _Begun(
        day=day,
        connection=connection,
        log=log,
        marts=marts,
        distinct=any(check.code == "unique" and check.failed_rows == 0 for check in checks),
        gate=result,
        card=card,
    )


def _measured(project: Project, one: _Begun, *, elsewhere: bool = False) -> _Measured:
    """Make the tables of a day; those of marts made elsewhere are in outline."""
    tables: dict[str, pl.DataFrame] = {}
    try:
        if one.marts is not None and one.log is not None:
            tables = make_marts(one.connection, project, one.log, one.marts, distinct=one.distinct, elsewhere=elsewhere)
    finally:
        one.connection.close()
    return _Measured(day=one.day, tables=tables, gate=one.gate, card=one.card)


def _ended(project: Project, one: _Begun, clock: _Clock) -> DayRun:
    """Make the marts and the series of a day, and write its state."""
    clock.begin()
    found = _measured(project, one)
    clock.end("marts")
    return _finished(project, found, clock)


def _finished(project: Project, one: _Measured, clock: _Clock) -> DayRun:
    """Compute the series of a day and write its state."""
    series = compute(_summary(project, one.day, one.tables)) if one.tables else pl.DataFrame(schema=SERIES)
    clock.end("indicators")
    project.finish_day(one.day, {**one.tables, "series": series}, one.gate, one.card)
    clock.end("write")
    return DayRun(day=one.day, series=series, gate=one.gate, seconds=clock.seconds)


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
