"""A week of a monitored system compared with the previous week, with intervals of the changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any, Final

import polars as pl

from reclens.errors import UsageError
from reclens.monitor.health import Health
from reclens.monitor.records import Annotation, GateResult, Incident, stands
from reclens.tabular import Tabular

__all__ = ["DAYS", "HISTORY", "Measured", "Week", "week_of"]

DAYS: Final = 7

HISTORY: Final = 8
"""Weeks of days that a report draws."""

Measured = Callable[[Sequence[date]], pl.DataFrame | None]
"""Gives the series of days as one."""

_KEY: Final = ["indicator", "dimension", "slice"]
_LEAST: Final = 3
"""Pairs of days from which the spread of a change is estimated."""
_NEAR: Final = 0.1
"""Half-widths that a week may be off the mean of its days for their spread to hold for it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Week(Tabular):
    """A week and the previous week.

    Attributes:
        system: Name of the system.
        first: First day.
        last: Last day.
        numbers: ``indicator, dimension, slice, value, before, like, like_before, change, low, high, pairs, n``: the
            values of both weeks; those of the days that both have, their difference with its 95 % interval, and the
            pairs of days behind it; and the traffic of the week.
        detections: The days of up to eight weeks, in the columns of detections.
        gates: The data gates of the week, by day.
        incidents: Incidents of the week, with their current status.
        annotations: Annotations that overlap the week.
        missing: Days of the week that were not run.
        compared: Days of the week that are compared: their data passed, and so did those of seven days before.
        synthetic: Whether the log is simulated.
    """

    system: str
    first: date
    last: date
    numbers: pl.DataFrame
    detections: pl.DataFrame
    gates: tuple[GateResult, ...] = ()
    incidents: tuple[Incident, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    missing: tuple[date, ...] = ()
    compared: tuple[date, ...] = ()
    synthetic: bool = False

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per indicator and slice: both weeks and the change."""
        return self.numbers.to_dicts()


def week_of(
    days: Sequence[Health],
    last: date,
    *,
    incidents: Sequence[Incident] | None = None,
    annotations: Sequence[Annotation] = (),
    measured: Measured | None = None,
) -> Week:
    """Aggregate the days of a week, and compare it with the previous week.

    The value of a week is measured from the sums of its days, so that the coverage of a week is of all that it showed.
    Without these sums a ratio is the sum of its numerators by that of its denominators, and other indicators are
    averaged over days. Days whose data gate did not pass are in neither week, unless a week has no other.

    A change is that of the weekdays that both weeks have, so that a day that one of them lacks is no change. The
    half-width of its interval is that of Student's t of the differences of like weekdays: it holds the noise from day
    to day as well as that of sampling. There is none where a week is something else than its days in the mean, such as
    its coverage.

    Args:
        days: The days, of one system, in any order; those of the seven weeks before are drawn.
        last: The last day of the week.
        incidents: Those of the system as they stand now; by default as the last day knew them.
        annotations: Those that touch the week; those of the days come beside them.
        measured: Gives the series of days as one, from their sums, or None if it cannot.

    Returns:
        The week; days that were not run are named, and no values are imputed.

    Raises:
        UsageError: If there is no day of the week.
    """
    first = last - timedelta(days=DAYS - 1)
    known = sorted(days, key=lambda each: each.day)
    week = [each for each in known if first <= each.day <= last]
    if not week:
        raise UsageError(f"there is no day from {first} to {last}. Run the days of that week first.")
    drawn = [each for each in known if last - timedelta(days=HISTORY * DAYS) < each.day <= last]
    detections = pl.concat([each.detections for each in drawn], how="vertical_relaxed")
    ran = {each.day for each in week}
    now, before = _good(week), _good([each for each in known if 0 < (first - each.day).days <= DAYS])
    compared = tuple(day for day in now if day - timedelta(days=DAYS) in before)
    found = week[-1].incidents if incidents is None else incidents
    noted = {each.id: each for day in week for each in day.annotations}
    noted |= {each.id: each for each in annotations if each.start <= last and each.end >= first}
    return Week(
        system=week[-1].system,
        first=first,
        last=last,
        numbers=_numbers(detections, now, before, compared, measured or (lambda _: None)),
        detections=detections,
        gates=tuple(each.gate for each in week),
        incidents=tuple(
            each for each in found if stands(each) and each.first_day <= last and _last_seen(each) >= first
        ),
        annotations=tuple(sorted(noted.values(), key=lambda each: (each.start, each.id))),
        missing=tuple(day for at in range(DAYS) if (day := first + timedelta(days=at)) not in ran),
        compared=compared,
        synthetic=week[-1].synthetic,
    )


def _good(days: Sequence[Health]) -> tuple[date, ...]:
    """The days whose data passed their gate; all if there is none."""
    return tuple(each.day for each in days if each.gate.state == "passed") or tuple(each.day for each in days)


def _last_seen(each: Incident) -> date:
    """The day until which an incident belongs to a week: while it is not resolved it belongs to every one."""
    return each.last_day if each.status == "resolved" else date.max


def _numbers(
    detections: pl.DataFrame,
    week: Sequence[date],
    week_before: Sequence[date],
    compared: Sequence[date],
    measured: Measured,
) -> pl.DataFrame:
    """Both weeks of each series, and the change over the days that both have, with its interval."""
    shift = pl.duration(days=DAYS)
    now, before = (detections.filter(pl.col("day").is_in(days)) for days in (week, week_before))
    pairs = now.join(before.with_columns(pl.col("day") + shift), on=["day", *_KEY], suffix="_before")
    pairs = pairs.drop_nulls(["value", "value_before"])
    spread = pairs.group_by(_KEY).agg(pairs=pl.len(), spread=(pl.col("value") - pl.col("value_before")).std())
    values, old = _whole(now, measured), _whole(before, measured)
    like = _paired(now, pairs, compared, week, values, measured)
    earlier = pairs.with_columns(pl.col("day") - shift)
    like_before = _paired(before, earlier, _week_earlier(compared), week_before, old, measured)
    found = values.drop("off")
    for frame in (
        old.select(*_KEY, before="value"),
        like.rename({"value": "like"}),
        like_before.rename({"value": "like_before", "off": "off_before"}),
        spread,
    ):
        found = found.join(frame, on=_KEY, how="left", maintain_order="left")
    found = found.with_columns(change=pl.col("like") - pl.col("like_before"), pairs=pl.col("pairs").fill_null(0))
    half = [_half_width(row) for row in found.iter_rows(named=True)]
    return found.with_columns(half=pl.Series(half, dtype=pl.Float64)).select(
        *_KEY,
        "value",
        "before",
        "like",
        "like_before",
        "change",
        low=pl.col("change") - pl.col("half"),
        high=pl.col("change") + pl.col("half"),
        pairs="pairs",
        n="n",
    )


def _week_earlier(days: Sequence[date]) -> list[date]:
    return [each - timedelta(days=DAYS) for each in days]


def _paired(
    days: pl.DataFrame,
    pairs: pl.DataFrame,
    compared: Sequence[date],
    week: Sequence[date],
    values: pl.DataFrame,
    measured: Measured,
) -> pl.DataFrame:
    """The value of each series over the days of a week that have their like in the other one.

    Args:
        days: The rows of the week.
        pairs: Rows that have a value in both weeks, with the days of this one.
        compared: Days of this week that are compared.
        week: All of its days.
        values: What :func:`_whole` says of these.
        measured: Gives the series of days as one.
    """
    whole = values
    if list(compared) != list(week):
        whole = _whole(days.filter(pl.col("day").is_in(list(compared))), measured)
    # Sums of days hold those on which the other week lacks the series: of such a one the pairs alone are compared.
    counts = pairs.group_by(_KEY).len("pairs")
    pooled = _pooled(days.join(pairs.select("day", *_KEY), on=["day", *_KEY], how="semi")).select(*_KEY, mean="value")
    found = pooled.join(counts, on=_KEY).join(whole, on=_KEY, how="left")
    full = pl.col("pairs") == len(compared)
    return found.select(
        *_KEY,
        value=pl.when(full).then("value").otherwise("mean"),
        off=pl.when(full).then("off").otherwise(0.0),
    )


def _whole(days: pl.DataFrame, measured: Measured) -> pl.DataFrame:
    """The value of each series of the days, from their sums where there are these, and how far their mean is off."""
    pooled = _pooled(days)
    summed = measured(days["day"].unique().sort().to_list()) if days.height else None
    if summed is None:
        return pooled.with_columns(off=pl.lit(0.0))
    found = pooled.join(summed.select(*_KEY, summed="value"), on=_KEY, how="left", maintain_order="left")
    off = (pl.col("summed") - pl.col("value")).abs().fill_null(0.0)
    return found.with_columns(value=pl.coalesce("summed", "value"), off=off).drop("summed")


def _pooled(days: pl.DataFrame) -> pl.DataFrame:
    """The value of each series over days."""
    ratio = pl.col("numerator").sum() / pl.col("denominator").sum()
    told = pl.col("value").is_not_null()
    # A ratio of which one day lacks its parts would be that of the other days alone.
    whole = pl.col("denominator").filter(told).is_not_null().all() & told.any() & (pl.col("denominator").sum() > 0)
    return (
        days.group_by(_KEY, maintain_order=True)
        .agg(value=pl.when(whole).then(ratio).otherwise(pl.col("value").mean()), n=pl.col("n").sum())
        .with_columns(pl.col("value").fill_nan(None))
    )


@cache
def _student(pairs: int) -> float:
    """Half-width of the interval of a mean, in units of its standard error."""
    from scipy.special import stdtrit

    return float(stdtrit(pairs - 1, 0.975))


def _half_width(row: Mapping[str, Any]) -> float | None:
    if row["spread"] is None or row["pairs"] < _LEAST:
        return None
    half = _student(row["pairs"]) * row["spread"] / math.sqrt(row["pairs"])
    off = max(row["off"], row["off_before"] or 0.0)
    return half if off <= _NEAR * half + 1e-12 * abs(row["value"] or 0.0) else None
