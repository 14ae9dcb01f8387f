"""The data gate: checks of the log of a day before anything is computed from it.

Counts come first, because every other check passes on an empty table. A check has one of four states: passed, failed,
not evaluated (no data, or nothing to compare with), or errored.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from reclens.data.quoting import quoted
from reclens.monitor.cards import DayCard
from reclens.monitor.duck import rows
from reclens.monitor.log import COLUMNS, REQUIRED, LogDay
from reclens.monitor.project import Project
from reclens.monitor.records import CheckState, DataCheck
from reclens.monitor.row_checks import KEYS, counts_of, null_parts, range_parts, repeated_rows
from reclens.monitor.settings import GateSettings
from reclens.protocols import Gate
from reclens.schema import ITEM, RECEIVED, REQUEST, TIMESTAMP, USER

if TYPE_CHECKING:
    import duckdb

__all__ = ["CHECKS", "HISTORY", "check_day", "checks_of_gate", "state_of", "unreadable"]

CHECKS: Final = (
    "readable",
    "rows",
    "volume_low",
    "volume_high",
    "columns",
    "new_columns",
    "types",
    "not_null",
    "in_range",
    "unique",
    "hours",
    "late",
    "inside_day",
)
"""Codes of the checks, in the order in which they run."""

HISTORY: Final = 28
_LEAST_HOURLY: Final = 50
"""Rows an hour from which an hour without any is strange."""


def unreadable(settings: GateSettings, problem: str) -> list[DataCheck]:
    """The checks of a day whose log cannot be read: nothing else could be evaluated."""
    first = DataCheck(code="readable", state="errored", blocking=True, facts={"problem": problem})
    return [first, *(_idle(code, settings) for code in CHECKS[1:])]


def check_day(connection: duckdb.DuckDBPyConnection, project: Project, log: LogDay) -> list[DataCheck]:
    """Check the table ``impressions`` of a day, and the view ``log`` behind it.

    Args:
        connection: Connection that has both.
        project: The monitor: its bounds, and the days before.
        log: The opened log.

    Returns:
        Every check, the counts first.
    """
    settings, day = project.settings.gate, log.bounds.day
    [(count,)] = rows(connection, "SELECT count(*) FROM impressions")
    found = [DataCheck(code="readable", state="passed", blocking=True, rows=count, facts={"files": len(log.files)})]
    enough = count >= settings.least_rows
    blocking = settings.blocking
    found.append(
        DataCheck(
            code="rows",
            state="passed" if enough else "failed",
            blocking="rows" in blocking,
            seen=float(count),
            bound=float(settings.least_rows),
            rows=count,
        )
    )
    if not count:
        idle = [_idle(code, settings) for code in CHECKS[2:-1]]
        # A file of the day whose rows are all of other days, or without a time, is something else than no data.
        return [*found, *idle, *(replace(each, blocking=True) for each in _inside_day(log, settings))]
    found += _volume(project, day, count)
    cards = _cards(project, day)
    found += _columns(log, cards[0] if cards else None, settings)
    steps: list[tuple[str, Callable[[], Iterator[DataCheck]]]] = [
        ("types", lambda: _types(connection, log, settings)),
        ("not_null", lambda: _not_null(connection, log, settings)),
        ("in_range", lambda: _in_range(connection, log, settings)),
        ("unique", lambda: _unique(connection, count, settings)),
        ("hours", lambda: _hours(connection, log, count, settings)),
        ("late", lambda: _late(connection, log, settings)),
        ("inside_day", lambda: _inside_day(log, settings)),
    ]
    for code, step in steps:
        found += _kept(code, step, settings)
    return found


def state_of(checks: Sequence[DataCheck]) -> CheckState:
    """The state of a gate: that of its most severe blocking check; ``not_evaluated`` on a day without rows.

    A day is not without rows if its file holds some, which are of other days.
    """
    blocking = [each for each in checks if each.blocking]
    if any(each.state == "errored" for each in blocking):
        return "errored"
    elsewhere = any(each.code == "inside_day" and each.state == "failed" for each in blocking)
    if not elsewhere and any(each.code == "rows" and each.rows == 0 for each in checks):
        return "not_evaluated"
    return "failed" if any(each.state == "failed" for each in blocking) else "passed"


def checks_of_gate(gate: Gate, table: pl.DataFrame, *, name: str = "impressions") -> list[DataCheck]:
    """Checks of an additional gate on the impressions of a day; they block.

    A gate that raises is reported as one errored check.
    """
    try:
        given = gate.check(table, name=name)
    except Exception as error:  # whatever another system raises is a state, and no end of the run
        problem = f"{type(error).__name__}: {error}"
        return [DataCheck(code="gate", state="errored", blocking=True, facts={"problem": problem})]
    return [
        DataCheck(
            code=each.code,
            state=each.state,
            blocking=True,
            column=each.column,
            rows=each.rows,
            failed_rows=each.failed_rows,
            facts={"gate": True} | ({} if each.problem is None else {"problem": each.problem}),
        )
        for each in given
    ]


# ------------------------------------------------------------------------------------------------------- the checks


def _volume(project: Project, day: date, count: int) -> Iterator[DataCheck]:
    """Row count against the usual one: of the same weekday if three are known, else of all days."""
    settings = project.settings.gate
    cards = _cards(project, day)
    known = [(date.fromisoformat(card["day"]), int(card["rows"])) for card in cards if card["rows"]]
    alike = [n for other, n in known if other.weekday() == day.weekday()]
    usual = statistics.median(alike if len(alike) >= 3 else [n for _, n in known]) if known else None
    for code, bound in (("volume_low", settings.volume_low), ("volume_high", settings.volume_high)):
        if usual is None:
            yield _idle(code, settings)
            continue
        ratio = count / usual
        passed = ratio >= bound if code == "volume_low" else ratio <= bound
        yield _check(code, passed, settings, seen=ratio, bound=bound, rows=count, facts={"usual": usual})


def _columns(log: LogDay, before: DayCard | None, settings: GateSettings) -> Iterator[DataCheck]:
    """Required columns, and columns added or removed since the previous day."""
    there = set(log.columns)
    lost = [name for name in REQUIRED if name in log.missing]
    for name in lost:
        yield _check("columns", False, settings, column=name)
    old = dict(before["columns"]) if before is not None else {}
    gone = sorted(set(old) - there - set(lost))
    for name in gone:
        # Indicators that do not use the column are unaffected.
        yield DataCheck(code="columns", state="failed", blocking=False, column=name, facts={"was": old[name]})
    if not lost and not gone:
        yield _check("columns", True, settings)
    if not old:
        yield _idle("new_columns", settings)
        return
    new = sorted(there - set(old))
    # A new column is reported but does no harm.
    yield DataCheck(code="new_columns", state="passed", blocking=False, seen=float(len(new)), facts={"columns": new})
    for name in sorted(there & set(old)):
        if log.columns[name] != old[name]:
            facts = {"was": old[name], "is": log.columns[name]}
            yield DataCheck(code="types", state="failed", blocking=False, column=name, facts=facts)


def _types(connection: duckdb.DuckDBPyConnection, log: LogDay, settings: GateSettings) -> Iterator[DataCheck]:
    """Values of the log that cannot be cast to the required type."""
    checked = {
        name: kind
        for name, kind in COLUMNS.items()
        if name in log.columns and name not in (USER, ITEM, REQUEST, TIMESTAMP, RECEIVED) and kind != "VARCHAR"
    }
    for name in log.unread:
        facts = {"is": log.columns[name]}
        yield DataCheck(code="types", state="failed", blocking=False, column=name, facts=facts)
    parts = {
        name: f"{quoted(name)} IS NOT NULL AND TRY_CAST({quoted(name)} AS {kind}) IS NULL"
        for name, kind in checked.items()
    }
    yield from _shares(
        "types", counts_of(connection, parts, table="log"), log, settings.bad_share, settings, connection
    )


def _not_null(connection: duckdb.DuckDBPyConnection, log: LogDay, settings: GateSettings) -> Iterator[DataCheck]:
    counts = counts_of(connection, null_parts([name for name in KEYS if name not in log.missing]))
    yield from _shares("not_null", counts, log, settings.null_share, settings, connection)


def _in_range(connection: duckdb.DuckDBPyConnection, log: LogDay, settings: GateSettings) -> Iterator[DataCheck]:
    counts = counts_of(connection, range_parts([name for name in COLUMNS if name not in log.missing]))
    yield from _shares("in_range", counts, log, settings.bad_share, settings, connection)


def _unique(connection: duckdb.DuckDBPyConnection, count: int, settings: GateSettings) -> Iterator[DataCheck]:
    repeated = repeated_rows(connection)
    most = settings.duplicate_share
    yield _check(
        "unique",
        repeated / count <= most,
        settings,
        seen=repeated / count,
        bound=most,
        rows=count,
        failed_rows=repeated,
    )


def _hours(
    connection: duckdb.DuckDBPyConnection, log: LogDay, count: int, settings: GateSettings
) -> Iterator[DataCheck]:
    """Hours without a row, of the 23, 24 or 25 hours of the day."""
    hours = log.bounds.hours
    if count < _LEAST_HOURLY * hours:
        yield _idle("hours", settings, rows=count)
        return
    [(seen,)] = rows(connection, "SELECT count(DISTINCT date_trunc('hour', timestamp)) FROM impressions")
    yield _check("hours", seen >= hours, settings, seen=float(seen), bound=float(hours), rows=count)


def _late(connection: duckdb.DuckDBPyConnection, log: LogDay, settings: GateSettings) -> Iterator[DataCheck]:
    if RECEIVED in log.missing:
        yield _idle("late", settings)
        return
    [(late, known)] = rows(connection, "SELECT count(*) FILTER (WHERE late), count(received_at) FROM impressions")
    if not known:
        yield _idle("late", settings)
        return
    most = settings.late_share
    yield _check("late", late / known <= most, settings, seen=late / known, bound=most, rows=known, failed_rows=late)


def _inside_day(log: LogDay, settings: GateSettings) -> Iterator[DataCheck]:
    if log.outside is None or not log.outside[1]:
        yield _idle("inside_day", settings)
        return
    outside, total = log.outside
    most = settings.outside_share
    yield _check(
        "inside_day",
        outside / total <= most,
        settings,
        seen=outside / total,
        bound=most,
        rows=total,
        failed_rows=outside,
    )


# -------------------------------------------------------------------------------------------------------- their parts


def _shares(
    code: str,
    counts: Mapping[str, int],
    log: LogDay,
    most: float,
    settings: GateSettings,
    connection: duckdb.DuckDBPyConnection,
) -> Iterator[DataCheck]:
    """One check per column, against a share of the rows; only columns that all indicators need block."""
    if not counts:
        yield _idle(code, settings)
        return
    [(total,)] = rows(connection, "SELECT count(*) FROM impressions")
    for column, bad in counts.items():
        state: CheckState = "passed" if bad / total <= most else "failed"
        yield DataCheck(
            code=code,
            state=state,
            blocking=code in settings.blocking and column in REQUIRED,
            column=column,
            seen=bad / total,
            bound=most,
            rows=total,
            failed_rows=bad,
        )


def _kept(code: str, step: Callable[[], Iterator[DataCheck]], settings: GateSettings) -> list[DataCheck]:
    """The checks of a step; an exception becomes an errored check."""
    import duckdb

    try:
        return list(step())
    except duckdb.Error as error:
        problem = str(error).strip().partition("\n")[0]
        return [DataCheck(code=code, state="errored", blocking=code in settings.blocking, facts={"problem": problem})]


def _cards(project: Project, day: date) -> list[DayCard]:
    """Cards of previous days with rows, the latest first."""
    first = day - timedelta(days=HISTORY)
    cards = [project.card(each) for each in reversed(project.days()) if first <= each < day]
    return [each for each in cards if each is not None and each["rows"]]


def _check(code: str, passed: bool, settings: GateSettings, **facts: Any) -> DataCheck:
    return DataCheck(code=code, state="passed" if passed else "failed", blocking=code in settings.blocking, **facts)


def _idle(code: str, settings: GateSettings, *, rows: int = 0) -> DataCheck:
    return DataCheck(code=code, state="not_evaluated", blocking=code in settings.blocking, rows=rows)
