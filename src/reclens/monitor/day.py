"""One day of a monitor: log, gate, marts, indicators. It can be run again at any time, and gives the same."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from reclens.errors import DataError
from reclens.monitor.cards import DayCard
from reclens.monitor.duck import frame, opened
from reclens.monitor.duck import rows as rows_of
from reclens.monitor.gate import check_day, checks_of_gate, state_of, unreadable
from reclens.monitor.gate_profile import judged_by
from reclens.monitor.indicators.registry import compute
from reclens.monitor.log import open_log
from reclens.monitor.marts import make_marts, read_staging, reference_days
from reclens.monitor.places import day_bounds
from reclens.monitor.project import Project
from reclens.monitor.records import SERIES, DataCheck, GateResult
from reclens.monitor.summary import TABLES, Past, Summary
from reclens.protocols import Gate
from reclens.schema import versions

if TYPE_CHECKING:
    import duckdb

__all__ = ["DayRun", "read_summary", "run_day"]


@dataclass(frozen=True, kw_only=True, eq=False)
class DayRun:
    """What the run of one day gave.

    Attributes:
        day: The day.
        series: The columns of :data:`~reclens.monitor.records.SERIES`; without rows where the log could not be read.
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
    """Run one day up to its series, and write its state.

    Args:
        project: The monitor; hold its :meth:`~reclens.monitor.project.Project.lock` meanwhile.
        day: The day, in the zone of the log.
        gate: A further gate, which checks the impressions too.
        engine: What judges the profile of the day; None for the monitor itself.
        threads: Threads of DuckDB; None for all cores.

    Returns:
        The series and the gate. A log that cannot be read is no error: its gate says so, and the series has no rows.

    Raises:
        WorkspaceError: If the state cannot be written.
        UsageError: If the settings are wrong.
    """
    clock = _Clock()
    connection = opened(threads)
    try:
        return _run(connection, project, day, clock, gate, engine)
    finally:
        connection.close()


def _run(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    day: date,
    clock: _Clock,
    gate: Gate | None,
    engine: Gate | None,
) -> DayRun:
    bounds = day_bounds(day, project.settings.log.zone)
    tables: dict[str, pl.DataFrame] = {}
    columns: dict[str, str] = {}
    rows = 0
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
            tables = make_marts(connection, project, log, keep=state_of(checks) == "passed")
        clock.end("marts")
    except DataError as error:
        checks, tables = _judged(unreadable(project.settings.gate, str(error)), day, engine), {}
    result = GateResult(day=day, checks=tuple(checks), state=state_of(checks))
    series = compute(_summary(project, day, tables)) if tables else pl.DataFrame(schema=SERIES)
    clock.end("indicators")
    card: DayCard = {
        "day": day.isoformat(),
        "rows": rows,
        "gate": result.state,
        "hours": bounds.hours,
        "columns": columns,
        "versions": versions(),
    }
    project.write_day(day, {**tables, "series": series}, result, card)
    clock.end("write")
    return DayRun(day=day, series=series, gate=result, seconds=clock.seconds)


def _judged(checks: list[DataCheck], day: date, engine: Gate | None) -> list[DataCheck]:
    return checks if engine is None else judged_by(engine, checks, day=day)


def read_summary(project: Project, days: Sequence[date]) -> Summary | None:
    """The days that were run, as one: :func:`~reclens.monitor.indicators.registry.compute` gives a week its series.

    Returns:
        None if none of them has data.
    """
    parts = [_stored(project, day) for day in days]
    found = [each for each in parts if each is not None]
    return Summary.sum(found) if found else None


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
