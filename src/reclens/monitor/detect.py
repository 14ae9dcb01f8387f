"""Detect values outside their expected band: series of all days -> detections of selected days.

Each value is compared with a forecast from the previous days. Its limit is learned from the same days, so that all
slices of an indicator together raise at most a given number of false alerts per year: half for single days, half for
slow drift. Only the value of the judged day is used, so that reruns and backfills give the
same result.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import polars as pl

from reclens.errors import ArgumentValueError
from reclens.monitor.limits import UNLEARNED, Scored, limits_of
from reclens.monitor.records import DETECTIONS, OVERALL, SERIES, Annotation
from reclens.monitor.rules import Rule
from reclens.monitor.scales import forth
from reclens.stats.anomaly import drift_scores, first_scores, score_days

__all__ = ["DetectOptions", "detect"]

_KEY: Final = ("indicator", "dimension", "slice")
_NUMBERS: Final = ("value", "error", "numerator", "denominator", "n")
_OTHERS: Final = Rule()
_WEEK: Final = 7
"""Days of the profile that a forecast follows."""


@dataclass(frozen=True, kw_only=True)
class DetectOptions:
    """Options of the detection.

    Attributes:
        budget: False alerts per indicator and year, over all its slices.
        cool_down: Days after an alert within which a series raises none.
        memory: Weeks in a forecast.
        warm_up: Weeks that a forecast needs.
        least_rows: Slices with less traffic are not judged on that day.
        least_change: Relative changes below this value are ignored, whatever their noise.
    """

    budget: float = 1.0
    cool_down: int = 7
    memory: int = 8
    warm_up: int = 3
    least_rows: int = 0
    least_change: float = 0.005


def detect(
    series: pl.DataFrame,
    rules: Mapping[str, Rule],
    *,
    start: date | None = None,
    end: date | None = None,
    annotations: Sequence[Annotation] = (),
    holidays: Collection[date] = (),
    failed: Collection[date] = (),
    options: DetectOptions | None = None,
) -> pl.DataFrame:
    """Judge all values of a range of days.

    Args:
        series: Columns of SERIES, with all previous days; rows of later days are ignored.
        rules: Name of an indicator -> how it is judged. Indicators that are not named are judged in both directions.
        start: First judged day; by default ``end``.
        end: Last judged day; by default the last one of ``series``.
        annotations: Those that suppress exclude their days, of their slice or of all; days of noted incidents are
            neither judged nor learned from.
        holidays: Exceptional days: they are neither judged nor learned from.
        failed: Days whose data gate failed: they are neither judged nor learned from.
        options: Options of the detection.

    Returns:
        Columns of DETECTIONS, one row per judged value, sorted by day, indicator, dimension and slice.

    Raises:
        UsageError: If ``start`` is after ``end``.
    """
    options = options or DetectOptions()
    if not len(series):
        return pl.DataFrame(schema=DETECTIONS)
    last = end or series["day"].max()
    first = start or last
    assert isinstance(last, date) and isinstance(first, date)
    if first > last:
        raise ArgumentValueError("start", f"is {first}, behind end, {last}")
    known = series.filter(pl.col("day") <= last).select(list(SERIES)).cast(pl.Schema(SERIES))
    known = known.filter([_watched(rules)]) if rules else known
    if not len(known):
        return pl.DataFrame(schema=DETECTIONS)
    grid = _Grid.of(known, last)
    unusual = _unusual(grid, annotations, holidays, failed)
    table = _judge(grid, rules, unusual, options, first)
    rows = known.filter(pl.col("day") >= first)
    found = rows.join(table, on=["day", *_KEY], how="left", validate="1:1")
    found = found.with_columns(state=_states(found, annotations, holidays, failed, options))
    return found.select(list(DETECTIONS)).cast(pl.Schema(DETECTIONS)).sort("day", *_KEY)


def _watched(rules: Mapping[str, Rule]) -> pl.Expr:
    """Rows of the indicators and slices to judge."""
    off = [name for name, rule in rules.items() if not rule.watch]
    whole = [name for name, rule in rules.items() if not rule.slices]
    return ~pl.col("indicator").is_in(off) & (~pl.col("indicator").is_in(whole) | (pl.col("dimension") == OVERALL))


@dataclass(frozen=True, kw_only=True)
class _Grid:
    """The series as arrays of shape (days, series), without gaps of days."""

    days: list[date]
    keys: pl.DataFrame
    numbers: dict[str, np.ndarray]

    @classmethod
    def of(cls, series: pl.DataFrame, last: date) -> _Grid:
        begin = series["day"].min()
        assert isinstance(begin, date)
        days = [begin + timedelta(days=at) for at in range((last - begin).days + 1)]
        keys = series.select(_KEY).unique().sort(_KEY).with_row_index("at")
        placed = series.join(keys, on=_KEY)
        rows = (placed["day"] - begin).dt.total_days().to_numpy()
        columns = placed["at"].to_numpy()
        numbers = {name: np.full((len(days), len(keys)), np.nan) for name in _NUMBERS}
        for name, array in numbers.items():
            array[rows, columns] = placed[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        return cls(days=days, keys=keys, numbers=numbers)


def _unusual(
    grid: _Grid, annotations: Sequence[Annotation], holidays: Collection[date], failed: Collection[date]
) -> np.ndarray:
    """Days to exclude from learning, shape (days, series)."""
    found = np.zeros((len(grid.days), len(grid.keys)), bool)
    out = {*holidays, *failed}
    found[[day in out for day in grid.days]] = True
    dimension, slice_ = grid.keys["dimension"].to_numpy(), grid.keys["slice"].to_numpy()
    for each in annotations:
        if each.suppress or each.kind in ("incident", "holiday"):
            during = np.array([each.start <= day <= each.end for day in grid.days])
            mine = np.ones(len(grid.keys), bool) if each.dimension is None else dimension == each.dimension
            mine &= True if each.slice is None else slice_ == each.slice
            found |= during[:, None] & mine
    return found


def _judge(
    grid: _Grid, rules: Mapping[str, Rule], unusual: np.ndarray, options: DetectOptions, first: date
) -> pl.DataFrame:
    """Forecasts, distances and limits of the judged days, one row per value."""
    begin = max(0, (first - grid.days[0]).days)
    parts = _scored(grid, rules, unusual, options)
    budgets = np.array([part.rule.budget or options.budget for part in parts])
    limits = [limits_of(parts, at, budgets, options.cool_down) for at in range(begin, len(grid.days))]
    judged = pl.Series(grid.days[begin:])
    found = [part.rows(judged, begin, *np.array([day[at] for day in limits]).T) for at, part in enumerate(parts)]
    return pl.concat(found)


def _scored(grid: _Grid, rules: Mapping[str, Rule], unusual: np.ndarray, options: DetectOptions) -> list[Scored]:
    """Judge all indicators: all series are scored at once, each on its own scale."""
    names = grid.keys["indicator"].to_numpy()
    values, errors = np.full(unusual.shape, np.nan), np.zeros(unusual.shape)
    of = {name: np.flatnonzero(names == name) for name in dict.fromkeys(names)}
    for name, mine in of.items():
        scale = rules.get(name, _OTHERS).scale
        values[:, mine], errors[:, mine] = forth(scale, *(grid.numbers[each][:, mine] for each in _NUMBERS))
    excluded = unusual | (grid.numbers["n"] < options.least_rows)
    scores = score_days(
        values,
        errors=errors,
        excluded=excluded,
        period=_WEEK,
        memory=options.memory,
        warm_up=options.warm_up,
        unlearned=UNLEARNED,
    )
    steady = np.array([rules.get(name, _OTHERS).drifts for name in names], bool)
    sums = np.where(excluded | ~steady, np.nan, drift_scores(values, scores, excluded=excluded))
    z = np.where(excluded, np.nan, scores.z)
    early = np.where(excluded, np.nan, first_scores(values, scores))
    return [
        Scored(
            rule=rules.get(name, _OTHERS),
            keys=grid.keys[mine],
            expected=scores.expected[:, mine],
            scale=scores.scale[:, mine],
            z=z[:, mine],
            sums=sums[:, mine],
            record=scores.record[:, mine],
            early=early[:, mine],
            sampled=scores.sampled[:, mine],
            memory=options.memory * _WEEK,
            warm_up=options.warm_up * _WEEK,
        )
        for name, mine in of.items()
    ]


def _states(
    rows: pl.DataFrame,
    annotations: Sequence[Annotation],
    holidays: Collection[date],
    failed: Collection[date],
    options: DetectOptions,
) -> pl.Expr:
    """The state of each row, as DetectionState says."""
    out = pl.col("day").is_in(list(holidays))
    noted = pl.lit(False)
    for each in annotations:
        covered = pl.col("day").is_between(each.start, each.end)
        covered &= pl.lit(True) if each.dimension is None else pl.col("dimension") == each.dimension
        covered &= pl.lit(True) if each.slice is None else pl.col("slice") == each.slice
        if each.suppress or each.kind == "holiday":
            out |= covered
        elif each.kind == "incident":
            noted |= covered
    toward = {"z": _toward("z"), "drift": _toward("drift")}
    changed = (pl.col("value") - pl.col("expected")).abs() >= options.least_change * pl.col("expected").abs()
    far = (pl.col("record") > 0) & changed
    level = (toward["z"] > pl.col("limit")) & far
    short = (toward["z"] > pl.col("calm_limit")) & far
    drift = (toward["drift"] > pl.col("drift_limit")) & pl.col("drift_limit").is_not_null()
    return (
        pl.when(pl.col("day").is_in(list(failed)))
        .then(pl.lit("silenced"))
        .when(out)
        .then(pl.lit("excluded"))
        .when(noted)
        .then(pl.lit("noted_incident"))
        .when(pl.col("value").is_null() | (pl.col("n") < options.least_rows))
        .then(pl.lit("no_value"))
        .when(pl.col("z").is_null())
        .then(pl.lit("warming_up"))
        .when(level)
        .then(pl.lit("level"))
        .when(drift)
        .then(pl.lit("drift"))
        .when(short)
        .then(pl.lit("short_history"))
        .otherwise(pl.lit("ok"))
    )


def _toward(name: str) -> pl.Expr:
    """Size of a score in the bad direction."""
    column = pl.col(name)
    return pl.when(pl.col("sign") == 0).then(column.abs()).otherwise(column * pl.col("sign"))
