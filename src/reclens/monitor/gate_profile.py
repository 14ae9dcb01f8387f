"""The profile of a day in one row, and its bounds: the input of an external gate engine.

DuckDB measures and the engine evaluates one row, whatever the size of the log. A number of the profile is a
share of rows, a ratio or a count; it is null if there was nothing to measure, and the error text if the
measurement failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Final, NamedTuple

import polars as pl

from reclens.monitor.records import DataCheck
from reclens.monitor.settings import GateSettings
from reclens.protocols import Gate, GateCheck

__all__ = ["PROFILE", "Bound", "Measure", "bounds_of", "judged_by", "measure_of", "profile_of"]

PROFILE: Final = "profile"
"""Name under which a gate is handed a profile."""


class Bound(NamedTuple):
    """Bounds of a number of the profile; None is unbounded."""

    low: float | None = None
    high: float | None = None


class Measure(NamedTuple):
    """A number of the profile; None if there was nothing to measure; a text if the measurement failed."""

    code: str
    column: str | None
    value: float | str | None


def bounds_of(settings: GateSettings) -> Mapping[str, Bound]:
    """Code of a check -> its bound.

    ``hours`` counts those without a row. Measures that are not listed count errors and must be 0.

    Example:
        >>> bounds_of(GateSettings())["volume_low"]
        Bound(low=0.5, high=None)
    """
    return {
        "rows": Bound(low=settings.least_rows),
        "volume_low": Bound(low=settings.volume_low),
        "volume_high": Bound(high=settings.volume_high),
        "types": Bound(high=settings.bad_share),
        "not_null": Bound(high=settings.null_share),
        "in_range": Bound(high=settings.bad_share),
        "unique": Bound(high=settings.duplicate_share),
        "late": Bound(high=settings.late_share),
        "inside_day": Bound(high=settings.outside_share),
    }


def profile_of(measures: Iterable[Measure], *, day: date | None = None) -> pl.DataFrame:
    """One row, with a column for each measure in their order: ``code``, or ``code column``.

    Args:
        measures: The measures.
        day: The day of the data, as the column ``day``.

    Returns:
        The row. A failed measure is a text column.

    Example:
        >>> profile_of([Measure("rows", None, 9), Measure("late", None, None)]).to_dicts()
        [{'rows': 9.0, 'late': None}]
    """
    columns: dict[str, pl.Series] = {} if day is None else {"day": pl.Series([day], dtype=pl.Date)}
    for each in measures:
        name = each.code if each.column is None else f"{each.code} {each.column}"
        while name in columns:  # a column can lack a type of its own, and have another one than the day before
            name += "'"
        columns[name] = pl.Series([each.value], dtype=pl.String if isinstance(each.value, str) else pl.Float64)
    return pl.DataFrame(columns)


def measure_of(check: DataCheck) -> Measure:
    """The measure of a check of the monitor."""
    if check.state == "errored":
        return Measure(check.code, check.column, str(check.facts.get("problem", "it could not be measured")))
    if check.state == "not_evaluated":
        return Measure(check.code, check.column, None)
    if check.code == "hours" and check.seen is not None and check.bound is not None:
        return Measure(check.code, check.column, max(check.bound - check.seen, 0.0))
    if check.bound is None or check.seen is None:
        # The presence of a column has no bound.
        return Measure(check.code, check.column, float(check.state == "failed"))
    return Measure(check.code, check.column, check.seen)


def judged_by(gate: Gate, checks: Sequence[DataCheck], *, day: date) -> list[DataCheck]:
    """The checks of a day with the states that an external engine assigns.

    Args:
        gate: A gate that evaluates profiles.
        checks: The checks of the monitor.
        day: The day.

    Returns:
        The same checks. If the engine fails, an errored check comes first and the others are not evaluated.
    """
    profile = profile_of(map(measure_of, checks), day=day)
    try:
        found = gate.check(profile, name=PROFILE)
    except Exception as error:  # whatever another system raises is a state, and no end of the run
        problem = f"{type(error).__name__}: {error}"
        broken = DataCheck(code="gate", state="errored", blocking=True, facts={"problem": problem})
        return [broken, *(replace(each, state="not_evaluated") for each in checks)]
    return [_with_state(check, judged) for check, judged in zip(checks, found, strict=True)]


def _with_state(check: DataCheck, judged: GateCheck) -> DataCheck:
    # The error of the measurement is more useful than a failed conversion of its text.
    facts = check.facts if judged.problem is None else {"problem": judged.problem, **check.facts}
    return replace(check, state=judged.state, facts=facts)
