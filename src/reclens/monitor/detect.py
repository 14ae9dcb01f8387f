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
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl

from reclens.errors import ArgumentValueError
from reclens.monitor.records import DETECTIONS, OVERALL, SERIES, Annotation
from reclens.monitor.rules import Rule
from reclens.monitor.scales import back, forth
from reclens.stats.anomaly import drift_scores, score_days
from reclens.stats.tails import YEAR, drift_tail, score_tail, threshold_for

__all__ = ["DetectOptions", "detect"]

_KEY: Final = ("indicator", "dimension", "slice")
_NUMBERS: Final = ("value", "error", "numerator", "denominator", "n")
_UNLEARNED: Final = 4.0
"""Distance beyond which a day teaches nothing."""
_EXCURSION: Final = 4.0
"""Days that a cumulative sum stays beyond a limit, on average, once it is: they are one alert."""
_TOGETHER: Final = 0.2
"""Share of the slices of an indicator that are far out together only in an incident."""
_MOST: Final = 1.5
"""The most that days with alerts may raise a limit: an incident that nobody marked must not make the monitor deaf."""
_DRIFTING: Final = 14
"""Last days, which no limit of drift is learned from: a drift under way must not raise its own."""
_PAIRS: Final = 100.0
"""Pairs of days that weigh as much as the assumption that days do not follow each other."""
_FORECAST: Final = 1.3
"""A forecast is made of sampled days too: what they add to the sampling error of the judged one."""
_OTHERS: Final = Rule()


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
        annotations: Those that suppress exclude their days, of their slice or of all; days of known incidents are
            not learned from.
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
    limits = np.stack([_limits(parts, at, options) for at in range(begin, len(grid.days))])
    judged = pl.Series(grid.days[begin:])
    found = [part.rows(judged, begin, *limits[:, at].T) for at, part in enumerate(parts)]
    return pl.concat(found)


def _scored(grid: _Grid, rules: Mapping[str, Rule], unusual: np.ndarray, options: DetectOptions) -> list[_Scored]:
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
        memory=options.memory,
        warm_up=options.warm_up,
        unlearned=_UNLEARNED,
    )
    steady = np.array([rules.get(name, _OTHERS).drifts for name in names], bool)
    sums = np.where(excluded | ~steady, np.nan, drift_scores(values, scores, excluded=excluded))
    z = np.where(excluded, np.nan, scores.z)
    return [
        _Scored(
            rule=rules.get(name, _OTHERS),
            keys=grid.keys[mine],
            expected=scores.expected[:, mine],
            scale=scores.scale[:, mine],
            z=z[:, mine],
            sums=sums[:, mine],
            record=scores.record[:, mine],
            calm=_calm(z[:, mine], scores.record[:, mine]),
            sampled=scores.sampled[:, mine],
        )
        for name, mine in of.items()
    ]


def _calm(z: np.ndarray, record: np.ndarray) -> np.ndarray:
    """Days to learn limits from, without those on which much of an indicator is far out."""
    far = ((np.abs(z) > _UNLEARNED) & record).sum(axis=1)
    return far < np.maximum(_TOGETHER * np.isfinite(z).sum(axis=1), 2)


@dataclass(frozen=True, kw_only=True)
class _Scored:
    """Judge one indicator: arrays of shape (days, slices)."""

    rule: Rule
    keys: pl.DataFrame
    expected: np.ndarray
    scale: np.ndarray
    z: np.ndarray
    sums: np.ndarray
    record: np.ndarray
    calm: np.ndarray
    sampled: np.ndarray

    def bad(self, scores: np.ndarray) -> np.ndarray:
        """Size of scores in the bad direction; 0 in the other."""
        sign = {"up": 1.0, "down": -1.0}.get(self.rule.direction)
        return np.abs(scores) if sign is None else np.maximum(scores * sign, 0.0)

    def limits(self, at: int, budget: float) -> tuple[float, float]:
        """Limits of a day, from the days before it."""
        slices = max(1, int(np.isfinite(self.scale[at]).sum()))
        sided = 1 if self.rule.direction == "both" else 2
        rate = budget / YEAR / slices / 2 * sided
        days, old = float(min(at, 56)), max(at - _DRIFTING, 0)
        known = np.isfinite(self.scale[at])
        sampled = _FORECAST * float(np.median(self.sampled[at][known])) if known.any() else 0.0
        return (
            score_tail(self.z[:at][self.calm[:at]], rate=min(rate, 0.1), days=max(days - 21, 21.0), sampled=sampled),
            drift_tail(
                self.sums[:old][self.calm[:old]], rate=min(rate * _EXCURSION, 0.1), follows=float(self.follows[old])
            ),
        )

    @cached_property
    def follows(self) -> np.ndarray:
        """Correlation of scores with those of the day before, over the previous days; shrunk for few days."""
        z = np.clip(np.where(self.calm[:, None], self.z, np.nan), -3.0, 3.0)
        product, square = z[1:] * z[:-1], (z[1:] ** 2 + z[:-1] ** 2) / 2
        known = np.isfinite(product)
        sums, squares, n = (
            np.concatenate([[0.0, 0.0], np.cumsum(np.where(known, each, 0.0).sum(axis=1))])
            for each in (product, square, known.astype(float))
        )
        with np.errstate(invalid="ignore"):
            return np.clip(np.nan_to_num(sums / squares) * n / (n + _PAIRS), 0.0, 0.8)

    def rows(self, days: pl.Series, begin: int, limits: np.ndarray, drift_limits: np.ndarray) -> pl.DataFrame:
        """The columns of some days, in the unit of the value, from the number of the first day on."""
        expected, scale, sums = self.expected[begin:], self.scale[begin:], self.sums[begin:]
        limit, drift_limit = limits[:, None], drift_limits[:, None]
        found = {
            "expected": back(self.rule.scale, expected),
            "low": back(self.rule.scale, expected - limit * scale),
            "high": back(self.rule.scale, expected + limit * scale),
            "z": self.z[begin:],
            "drift": sums,
            "limit": np.where(np.isfinite(scale), limit, np.nan),
            "drift_limit": np.where(np.isfinite(sums), drift_limit, np.nan),
            "record": self.record[begin:].astype(float),
            "sign": np.full(expected.shape, {"up": 1.0, "down": -1.0}.get(self.rule.direction, 0.0)),
        }
        of_day, of_slice = (each.ravel() for each in np.indices(expected.shape))
        keys = self.keys.select(_KEY)[of_slice]
        return keys.with_columns(
            days[of_day].alias("day"), *(pl.Series(name, each.ravel()).fill_nan(None) for name, each in found.items())
        )


def _limits(parts: Sequence[_Scored], at: int, options: DetectOptions) -> np.ndarray:
    """Limits of one day, of level and of drift, for each indicator: shape (indicators, 2)."""
    own = [part.limits(at, part.rule.budget or options.budget) for part in parts]
    return np.array(own) * _factors(parts, own, at, options)


def _factors(
    parts: Sequence[_Scored], limits: Sequence[tuple[float, float]], at: int, options: DetectOptions
) -> tuple[float, float]:
    """Factor on the limits that keeps the alerts of the previous days within the budget.

    All slices of an indicator count as one. Sizes are in units of the limit, so that all indicators count together.
    """
    found: list[float] = []
    if not parts:
        return 1.0, 1.0
    budget = float(np.mean([part.rule.budget or options.budget for part in parts])) / 2
    for kind in range(2):
        columns: list[np.ndarray] = []
        for part, limit in zip(parts, limits, strict=True):
            scores = part.bad(np.where(part.record[:at], part.z[:at], 0.0) if kind == 0 else part.sums[:at])
            known = np.isfinite(scores)
            largest = np.max(np.where(known, scores, 0.0), axis=1, initial=0.0) / limit[kind]
            columns.append(np.where(known.any(axis=1) & part.calm[:at], largest, np.nan))
        ratios = np.stack(columns, axis=1)
        threshold = threshold_for(ratios, budget=budget, cool_down=options.cool_down)
        found.append(float(np.clip(threshold.value, 1.0, _MOST)) if threshold.state == "set" else 1.0)
    return found[0], found[1]


def _states(
    rows: pl.DataFrame,
    annotations: Sequence[Annotation],
    holidays: Collection[date],
    failed: Collection[date],
    options: DetectOptions,
) -> pl.Expr:
    """The state of each row, as DetectionState says."""
    out = pl.col("day").is_in(list(holidays))
    for each in annotations:
        if each.suppress or each.kind == "holiday":
            covered = pl.col("day").is_between(each.start, each.end)
            covered &= pl.lit(True) if each.dimension is None else pl.col("dimension") == each.dimension
            covered &= pl.lit(True) if each.slice is None else pl.col("slice") == each.slice
            out |= covered
    toward = {"z": _toward("z"), "drift": _toward("drift")}
    changed = (pl.col("value") - pl.col("expected")).abs() >= options.least_change * pl.col("expected").abs()
    level = (toward["z"] > pl.col("limit")) & (pl.col("record") > 0) & changed
    drift = (toward["drift"] > pl.col("drift_limit")) & pl.col("drift_limit").is_not_null()
    return (
        pl.when(pl.col("day").is_in(list(failed)))
        .then(pl.lit("silenced"))
        .when(out)
        .then(pl.lit("excluded"))
        .when(pl.col("value").is_null() | (pl.col("n") < options.least_rows))
        .then(pl.lit("no_value"))
        .when(pl.col("z").is_null())
        .then(pl.lit("warming_up"))
        .when(level)
        .then(pl.lit("level"))
        .when(drift)
        .then(pl.lit("drift"))
        .otherwise(pl.lit("ok"))
    )


def _toward(name: str) -> pl.Expr:
    """Size of a score in the bad direction."""
    column = pl.col(name)
    return pl.when(pl.col("sign") == 0).then(column.abs()).otherwise(column * pl.col("sign"))
