"""Anomalies in daily series: forecasts of each day, and the distances from them.

A day is forecast from the days before it alone: a profile of the week, a recent level and a slope, each a median, so
that a past incident does not move them. It is judged by its distance from that, in units of the robust spread of past
distances; the spread is never below the sampling error of the day itself. Slow drift, which a recent level follows, is
judged against an older level by a cumulative sum (Page, 1954). What the scores of calm days exceed how
often is in :mod:`reclens.stats.tails`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Final

import numpy as np

from reclens.errors import ArgumentValueError, ArgumentValuesError

__all__ = [
    "DayScores",
    "drift_scores",
    "first_scores",
    "score_days",
]

_QUANTILES: Final = ((0.5, 0.67449), (0.8, 1.28155))
"""Quantiles of a distance, and what they are for a normal distribution of standard deviation 1. The scale is the larger
one: the median (MAD) is 0 where most days are alike, such as mostly without any event; a fifth of past days may be
incidents before they move the other."""
_LEAST: Final = 1e-12
_NEAR: Final = 2
"""Seasons that are at most so far apart tell the slope of a forecast."""
_BACK: Final = 2.5
"""A day this near to its level is back at it."""
_ALIKE: Final = 0.5
_USUAL: Final = 2
"""A day that is far out is learned from if as many before it were, by themselves and at least half as far: a series
that stands still but for a peak now and then does so, and has no other scale."""
_MOST: Final = 3.0
"""A single day counts for at most this in a drift: a spike is found by its own distance."""


@dataclass(frozen=True, kw_only=True)
class DayScores:
    """Forecasts of each day of each series; arrays of shape (days, series).

    Attributes:
        expected: Forecast from the days before; NaN while there are too few of them.
        scale: Standard deviation of a distance from it, in the unit of the values.
        z: Distance of the day from ``expected`` in units of ``scale``; NaN where the day or one of both is missing.
        record: Whether the day is further from ``expected`` than each day that the scale was learned from.
        sampled: Share of ``scale`` squared that is the sampling error of the day, in [0, 1].
        learned: Whether later forecasts use the day.
        moved: Whether a new level is accepted from this day on: those before it were too far for too long.
    """

    expected: np.ndarray
    scale: np.ndarray
    z: np.ndarray
    record: np.ndarray
    sampled: np.ndarray
    learned: np.ndarray
    moved: np.ndarray

    def band(self, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        """Expected range of a day: ``expected`` ± ``threshold`` × ``scale``."""
        return self.expected - threshold * self.scale, self.expected + threshold * self.scale


def score_days(
    values: np.ndarray,
    *,
    errors: np.ndarray | None = None,
    excluded: np.ndarray | None = None,
    period: int = 7,
    memory: int = 8,
    warm_up: int = 3,
    unlearned: float = np.inf,
    patience: int = 14,
) -> DayScores:
    """Score every day against a forecast from the days before it.

    Args:
        values: Shape (days, series), one row a day without gaps; NaN where a day has no value. Transform rates and
            money to a scale of constant noise, such as the logit or the logarithm.
        errors: Standard errors of ``values``, same shape and scale: sampling noise of each day, so that noise of small
            counts raises no alert. None is 0.
        excluded: Days that forecasts do not use, such as holidays and known incidents; they are scored too.
        period: Days of a season.
        memory: Number of past seasons in a forecast.
        warm_up: Seasons, with at least half of their days, that a forecast needs. The spread needs as many forecasts.
        unlearned: A day further than this from its forecast is not used by later ones either, so that an incident of
            several days does not become what is expected; unless it has happened twice before, within ``memory``.
        patience: Days in a row after which it is: the level has changed.

    Raises:
        UsageError: If shapes differ or a setting is out of range.

    Example:
        >>> week = np.array([1.0, 2, 3, 4, 5, 9, 9])
        >>> days = np.tile(week, 10)[:, None]
        >>> days[-1] = 0
        >>> scores = score_days(days, errors=np.full_like(days, 0.5))
        >>> float(scores.expected[-1, 0]), float(scores.z[-1, 0])
        (9.0, -18.0)
    """
    values, errors, past = _checked(values, errors, excluded, period, memory, warm_up)
    expected, scale, z = (np.full_like(values, np.nan) for _ in range(3))
    distance, begun, noise = np.full_like(values, np.nan), np.full_like(values, np.nan), errors**2
    record, moved = np.zeros(values.shape, bool), np.zeros(values.shape, bool)
    least, window = warm_up * period, memory * period
    in_row = np.zeros(values.shape[1], int)
    for day in range(least, len(values)):
        expected[day] = _forecast(past[max(0, day - window) : day], period, memory, warm_up)
        recent = slice(max(0, day - window), day)
        scale[day] = _scale(distance[recent], noise[recent], noise[day], least)
        z[day] = _distance(values[day], expected[day], scale[day])
        record[day] = np.abs(values[day] - expected[day]) > _largest(distance[recent])
        # What a series did before, such as one that is mostly zero, is no incident.
        size = np.abs(values[day] - expected[day])
        again = (begun[recent] >= _ALIKE * size).sum(axis=0) >= _USUAL
        far = (np.abs(z[day]) > unlearned) & record[day] & ~again
        in_row = np.where(far, in_row + 1, np.where(np.isfinite(values[day]), 0, in_row))
        begun[day] = np.where(far & (in_row == 1), size, np.nan)
        past[day, far & (in_row <= patience)] = np.nan
        moved[day] = in_row == patience + 1
        distance[day] = np.abs(past[day] - expected[day])
    with np.errstate(divide="ignore", invalid="ignore"):
        sampled = np.clip(np.nan_to_num(noise / scale**2), 0.0, 1.0)
    return DayScores(
        expected=expected,
        scale=scale,
        z=z,
        record=record,
        sampled=sampled,
        learned=np.isfinite(past),
        moved=moved,
    )


def first_scores(values: np.ndarray, scores: DayScores) -> np.ndarray:
    """Distances of the days that the first scale of a series was learned from, in its units.

    They are no judgement, since the scale has seen them, but tell the tails of a series three weeks earlier than ``z``.

    Args:
        values: As for :func:`score_days`.
        scores: What it returned.

    Returns:
        Shape (days, series); NaN from the first day with a scale on.
    """
    known = np.isfinite(scores.scale)
    first = np.take_along_axis(scores.scale, known.argmax(axis=0)[None], 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (values - scores.expected) / first
    return np.where(known | ~np.isfinite(found), np.nan, found)


def drift_scores(
    values: np.ndarray,
    scores: DayScores,
    *,
    excluded: np.ndarray | None = None,
    period: int = 7,
    gap: int = 2,
    seasons: int = 6,
    slack: float = 0.5,
    most: float = 15.0,
) -> np.ndarray:
    """Drift of values from an older level: a cumulative sum of distances.

    The level of a day is the median of ``seasons`` seasons that end ``gap`` seasons before it, which a slow drift of
    the last days has not reached yet; where these seasons rise or fall one after the other, days up to where that leads
    are as expected, so that what has grown all the time is no drift. Distances are in units of the scale of
    :func:`score_days`; the sum takes what exceeds ``slack`` a day, upwards and downwards, and falls back to 0. Its sign
    tells the direction.

    Days that :func:`score_days` did not learn from are in no level, and what they add is taken off again once a day is
    back at its level: an incident that is over is no drift. Where a new level was accepted, the sum begins anew, and
    the level is that of the days since.

    Args:
        values: As for :func:`score_days`.
        scores: What it returned.
        excluded: Days that add nothing to the sum, and that levels do not use.
        period: As there.
        gap: Seasons between the level and the day.
        seasons: Seasons that the level is the median of; at least half of them have to have half of their days.
        slack: Distance a day that does not count.
        most: Largest sum, so that it falls back soon after a drift has ended.

    Returns:
        Shape (days, series); NaN while there are too few days.
    """
    _, _, today = _checked(values, None, excluded, period, seasons, 1)
    past = np.where(scores.learned, today, np.nan)
    found = np.full_like(today, np.nan)
    sums, passing = np.zeros((2, today.shape[1])), np.zeros((2, today.shape[1]))  # upwards and downwards
    for day in range(len(today)):
        new = scores.moved[day]
        if new.any():
            past[:day, new] = np.nan
            sums, passing = np.where(new, 0.0, sums), np.where(new, 0.0, passing)
        if day < (gap + seasons) * period:
            continue
        weeks = past[day - (gap + seasons) * period : day - gap * period].reshape(seasons, period, -1)
        distance = _from_level(today[day], weeks, scores.scale[day], gap)
        steps = np.nan_to_num(np.stack([distance, -distance]) - slack)
        grown = np.clip(sums + steps, 0.0, most)
        passing = np.where(scores.learned[day], passing, np.minimum(passing + steps.clip(0.0), most))
        back = scores.learned[day] & (steps <= _BACK - slack)
        sums = np.where(back, np.maximum(grown - passing, 0.0), grown)
        passing = np.where(back, 0.0, passing)
        usable = np.isfinite(scores.scale[day]) & (_full(weeks) * 2 >= seasons)
        sums = np.where(usable, sums, 0.0)
        found[day] = np.where(usable, np.where(sums[0] >= sums[1], sums[0], -sums[1]), np.nan)
    return found


def _from_level(today: np.ndarray, weeks: np.ndarray, scale: np.ndarray, gap: int) -> np.ndarray:
    """Distance of a day from the level of old seasons, in units of a scale; at most three of them.

    Where the seasons have a trend, the day is expected between their level and what the trend leads to: a trend may go
    on, slow down or end.
    """
    seasons, _, series = weeks.shape
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        scale = np.maximum(scale, _LEAST)
        medians = _median(weeks, 1)
        slope = np.where(_in_order(medians), _slope(medians, lags=seasons), 0.0)
        straight = weeks + (slope * ((seasons - 1) / 2 - np.arange(seasons))[:, None])[:, None]
        profile = _median(straight - _median(straight, 1)[:, None], 0)
        level = _median(_median(straight - profile, 1), 0)
        # Of a skewed series the median is not the mean: what calm days add on average is no drift.
        calm = np.clip((straight - profile - level) / scale, -_MOST, _MOST).reshape(-1, series)
        away = today - level - profile[0]
        grown = slope * ((seasons + 1) / 2 + gap)
        away -= np.clip(away, np.minimum(grown, 0.0), np.maximum(grown, 0.0))
        return np.clip(away / scale, -_MOST, _MOST) - np.nanmean(calm, axis=0)


def _checked(
    values: np.ndarray, errors: np.ndarray | None, excluded: np.ndarray | None, period: int, memory: int, warm_up: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values and errors as float64, and the values that count as past."""
    values = np.asarray(values, float)
    if values.ndim != 2:
        raise ArgumentValueError("values", f"has {values.ndim} dimensions, expected 2: days and series.")
    errors = np.zeros_like(values) if errors is None else np.asarray(errors, float)
    excluded = np.zeros(values.shape, bool) if excluded is None else np.asarray(excluded, bool)
    for name, given in (("errors", errors), ("excluded", excluded)):
        if given.shape != values.shape:
            raise ArgumentValueError(name, f"has the shape {given.shape}, expected that of the values, {values.shape}")
    if period < 1 or not 1 <= warm_up <= memory:
        raise ArgumentValuesError(
            {"period": period, "warm_up": warm_up, "memory": memory},
            "1 <= {period} and 1 <= {warm_up} <= {memory}",
        )
    values = np.where(np.isfinite(values), values, np.nan)
    return values, np.nan_to_num(errors), np.where(excluded, np.nan, values)


def _forecast(past: np.ndarray, period: int, memory: int, warm_up: int) -> np.ndarray:
    """The next day of each series; NaN where fewer than ``warm_up`` seasons have half of their days."""
    count = min(memory, len(past) // period)
    weeks = past[len(past) - count * period :].reshape(count, period, -1)
    usable = _full(weeks) >= warm_up
    medians = _median(weeks, 1)
    slope = _slope(medians, lags=_NEAR) / period
    place = (np.arange(period) - (period - 1) / 2)[:, None]
    profile = _median(weeks - medians[:, None] - slope * place, 0)
    # The recent level is that of the last season with days, at its middle; the day lies half a season behind that.
    last = count - 1 - np.argmax(np.isfinite(medians[::-1]), axis=0)
    recent = np.take_along_axis(weeks, last[None, None], 0)[0]
    level = _median(recent - profile - slope * place, 0) + slope * period * (count - 1 - last)
    return np.where(usable, level + slope * (period + 1) / 2 + profile[0], np.nan)


def _slope(medians: np.ndarray, *, lags: int) -> np.ndarray:
    """Theil and Sen's slope a season: the median over the pairs of seasons that are at most so far apart.

    Of near pairs a step has few on its two sides, so that it is none of the slope.
    """
    first, second = np.triu_indices(len(medians), 1)
    near = second - first <= lags
    first, second = first[near], second[near]
    if not len(first):
        return np.zeros(medians.shape[1])
    slopes = (medians[second] - medians[first]) / (second - first)[:, None]
    return np.nan_to_num(_median(slopes, 0))


def _in_order(medians: np.ndarray) -> np.ndarray:
    """Whether seasons rise or fall nearly one after the other: all of their pairs but one at most agree (Kendall)."""
    first, second = np.triu_indices(len(medians), 1)
    agree = np.nansum(np.sign(medians[second] - medians[first]), axis=0)
    return np.abs(agree) >= len(first) - 2


def _full(weeks: np.ndarray) -> np.ndarray:
    """Number of seasons that have at least half of their days."""
    return (np.isfinite(weeks).sum(axis=1) * 2 >= weeks.shape[1]).sum(axis=0)


def _scale(distances: np.ndarray, noise: np.ndarray, today: np.ndarray, least: int) -> np.ndarray:
    """Scale of a day's distance. Noise is what days have by their size, and what they have besides, equal for all."""
    known = np.isfinite(distances)
    enough = known.sum(axis=0) >= least
    if not enough.any():
        return np.full(len(today), np.nan)
    inner, outer = (_quantile(distances, at) / normal for at, normal in _QUANTILES)
    # Where most days are alike, quantiles do not see the others: what is mostly zero varies by its mean square.
    square = np.nansum(distances**2, axis=0) / np.maximum(known.sum(axis=0), 1)
    seen = np.where(inner > 0, np.maximum(inner, outer) ** 2, np.maximum(outer**2, square))
    own = _median(np.where(known, noise, np.nan), 0)
    besides = np.maximum(seen - np.nan_to_num(own), 0.0)
    return np.where(enough, np.sqrt(besides + today), np.nan)


def _largest(distances: np.ndarray) -> np.ndarray:
    """The largest of each column; 0 where nothing is known."""
    return np.max(np.where(np.isfinite(distances), distances, 0.0), axis=0, initial=0.0)


def _distance(values: np.ndarray, expected: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Distances in units of their scale."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (values - expected) / scale
    # Where nothing ever varied, whatever differs is infinitely far, and what does not is no distance at all.
    return np.where((values == expected) & np.isfinite(scale), 0.0, z)


def _median(values: np.ndarray, axis: int) -> np.ndarray:
    """Median without NaN; NaN where nothing is left."""
    missing = np.isnan(values)
    if not missing.any():
        return np.median(values, axis=axis)
    # NumPy's nanmedian takes many times as long for many short columns.
    ordered = np.sort(values, axis=axis)  # NaN comes last
    known = np.expand_dims(values.shape[axis] - missing.sum(axis=axis), axis)
    low, high = (np.take_along_axis(ordered, np.maximum(at, 0), axis) for at in ((known - 1) // 2, known // 2))
    middle = np.where(known % 2 == 1, low, (low + high) / 2)
    return np.where(known > 0, middle, np.nan).squeeze(axis)


def _quantile(values: np.ndarray, at: float) -> np.ndarray:
    """Quantile of each column without NaN, between two values in proportion; NaN where nothing is left."""
    ordered = np.sort(values, axis=0)  # NaN comes last
    known = (~np.isnan(values)).sum(axis=0)
    place = np.maximum(known - 1, 0) * at
    low = place.astype(int)
    first = np.take_along_axis(ordered, low[None], 0)[0]
    second = np.take_along_axis(ordered, np.minimum(low + 1, np.maximum(known - 1, 0))[None], 0)[0]
    return first + (place - low) * (second - first)
