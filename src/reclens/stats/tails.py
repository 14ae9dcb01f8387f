"""Limits of scores of days, from the tails of the scores of days before: for rates that few days can show.

A conformal threshold (:func:`threshold_for`) needs more days than an alert is rare, and days without an incident. The
others take a tail of a known shape through two quantiles, which incidents of a few days do not
move.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import numpy as np

from reclens.errors import ArgumentValueError

__all__ = ["YEAR", "Threshold", "alerts_of", "drift_tail", "score_tail", "threshold_for"]

YEAR: Final = 365.25
"""Days of a year."""

_LEAST: Final = 1e-12
_TAIL: Final = (0.85, 0.98)
"""Quantiles of scores that their tail is fitted to: a few days of incidents among them hardly move them."""
_TOP: Final = 3.0
"""The outer one has at least so many scores beyond it: of few scores a day of an incident must not be it."""
_CLOSE: Final = 0.92
"""The two have to be so far apart: of less than 38 scores nothing is learned."""
_SUMS: Final = (0.9, 0.99)
_CALM_SUMS: Final = (2.3, 5.0)
"""These quantiles of sums on calm days: between those of normal noise, 2.0 and 4.6, and those of noise with t's tail
for 3 degrees of freedom, 2.6 and 5.4 (simulated, 50,400 series-days each)."""
_BENT: Final = 0.18
"""How much more each further factor of 10 adds to such a sum than the one before it, on the same days."""
_OF_SUMS: Final = 1000.0
"""Sums that weigh as much as what is assumed of them: a sum lasts for days, so that a thousand are some hundred."""
_PRIOR: Final = 1000.0
"""Scores of sampling error that weigh as much as the assumption of normal noise."""
_UNKNOWN: Final = 60.0
"""The same of scores that are no sampling error: less is known of those."""
_ERROR: Final = 2.3
"""Standard error of the logarithm of the ratio for one score, of t with 3 degrees: the root of .98 / .02, by 3."""
_FREEDOM: Final = (1.2, 3.0)
"""Degrees of freedom of scores for each distance that their scale was learned from, of days without a known sampling
error and of sampling error alone. The scale is the larger of two quantiles, whose bias makes up for most of its error:
simulated normal noise exceeds 3.8 and 3.5 on 1 day in 1,500 (42 days of history; 3.4 and 3.3 with 56), where t with
25 and 63 degrees has 3.9 and 3.6 (42 and 105: 3.7 and 3.5; 50,000 series-days each)."""


def score_tail(
    scores: np.ndarray,
    *,
    rate: float,
    days: float,
    sampled: float = 1.0,
    freedom: float = 5.0,
    like: np.ndarray | None = None,
    doubt: float = 0.0,
) -> float:
    """The size that scores of calm days exceed at a rate, by the tail of a t distribution through two quantiles.

    Conformal thresholds need more days than the rate is long, and days without an incident. This one needs neither: the
    quantiles are such that a few incidents among the days do not move them. What few scores cannot tell is assumed:
    sampling error has the tail of normal noise, and what days have besides that of ``like``, or of t; a sum of both has
    the kurtosis of its parts. It is never below that of normal noise.

    Args:
        scores: Scores of :func:`~reclens.stats.anomaly.score_days`, of any shape; NaN is left out.
        rate: Share of days.
        days: Number of distances that a scale was estimated from: with few of them tails are heavier.
        sampled: Share of the variance of the scores that is sampling error.
        freedom: Degrees of freedom of what days have besides, as long as no scores tell.
        like: Scores of other series, which tell something of the tail of this one.
        doubt: Standard errors that are added to what the scores tell of their tail, as far as it is no sampling error.

    Returns:
        The size; that of the assumption if there are no scores.
    """
    sampled = round(min(max(sampled, 0.0), 1.0), 2)
    most = max((sampled * _FREEDOM[1] + (1 - sampled) * _FREEDOM[0]) * days, 3.0)
    calm = _size(rate, most)
    assumed = _assumed(most, sampled, freedom)
    prior = sampled * _PRIOR + (1 - sampled) * _UNKNOWN
    # The heavier the tail, the larger the ratio of two quantiles. In excess of what is assumed, quantiles of few scores
    # and of many compare.
    excess, low, weight, known = 0.0, 1.0, 0.0, prior
    for seen in (like, scores):
        sizes = np.empty(0) if seen is None else np.abs(seen[np.isfinite(seen)])
        outer = min(_TAIL[1], 1 - _TOP / max(len(sizes), 1))
        if outer < _CLOSE:
            continue
        low, high = np.maximum(_quantiles(sizes, (_TAIL[0], outer)), _LEAST)
        weight = len(sizes) / (len(sizes) + prior)
        excess = weight * (np.log(high / low) - _ratio(assumed, outer)) + (1 - weight) * excess
        known = known + len(sizes)
    weight = weight if len(sizes) and outer >= _CLOSE else 0.0
    excess += doubt * (1 - sampled) * _ERROR / np.sqrt(known)
    grid, ratios = _ratios(most)
    found = float(grid[np.argmin(np.abs(ratios - _ratio(assumed, _TAIL[1]) - excess))])
    unit = (low / _size(1 - _TAIL[0], found)) ** weight
    # Scores that the first scale has seen do not tell its error: heavy tails become heavier by it.
    found = 1 / (1 / found + (1 - found / most) / most)
    return max(calm, _size(rate, found) * unit)


def _assumed(most: float, sampled: float, freedom: float) -> float:
    """Degrees of freedom of a sum of normal noise and of noise with t's tail, by its kurtosis 6 / (freedom - 4)."""
    return most if sampled >= 1 else min(most, freedom - 1 + 1 / (1 - sampled) ** 2)


@lru_cache(maxsize=8192)
def _size(rate: float, freedom: float) -> float:
    """The size that t exceeds at a rate."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 1 - rate / 2))


def _quantiles(sizes: np.ndarray, places: tuple[float, float]) -> np.ndarray:
    """Two quantiles, between two values in proportion: as NumPy's, without its cost for many small arrays."""
    at = (len(sizes) - 1) * np.array(places)
    low = at.astype(int)
    high = np.minimum(low + 1, len(sizes) - 1)
    ordered = np.partition(sizes, np.unique([*low, *high]))
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


@lru_cache(maxsize=8192)
def _ratio(freedom: float, outer: float) -> float:
    """Logarithm of the ratio of two quantiles of the size of t."""
    return float(np.log(_size(1 - outer, freedom) / _size(1 - _TAIL[0], freedom)))


@lru_cache(maxsize=128)
def _ratios(most: float) -> tuple[np.ndarray, np.ndarray]:
    """Degrees of freedom up to a number, and the ratio of each."""
    grid = np.geomspace(0.8, max(most, 1.0), 60)
    return grid, np.array([_ratio(float(each), _TAIL[1]) for each in grid])


def drift_tail(sums: np.ndarray, *, rate: float, follows: float = 0.0, like: np.ndarray | None = None) -> float:
    """The size that sums of calm days exceed at a rate, by an exponential tail through two quantiles.

    Args:
        sums: What :func:`~reclens.stats.anomaly.drift_scores` returns, of any shape; NaN is left out.
        rate: Share of days.
        follows: Correlation of a day's score with the one before it, in [0, 1): the sums of days that follow each other
            vary by (1 + r) / (1 - r) as much.
        like: Sums of other series, which tell something of the tail of this one.

    Returns:
        The size; never below that of calm days without such a correlation.
    """
    calm = np.array(_CALM_SUMS)
    seen = calm * (1 + follows) / (1 - follows)
    for others in (like, sums):
        known = None if others is None else np.abs(others[np.isfinite(others)])
        if known is not None and len(known):
            weight = len(known) / (len(known) + _OF_SUMS)
            seen = weight * _quantiles(known, _SUMS) + (1 - weight) * seen
    low, high = np.maximum(calm, seen)
    tens = max(0.0, -np.log10(rate / (1 - _SUMS[0])))
    return float(low + (high - low) * tens * (1 + _BENT * max(tens - 1, 0.0) / 2))


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """Threshold of a score.

    Attributes:
        value: The threshold; infinite if it cannot be set.
        state: ``set``, or ``too_few_days``: even without any alert they could not show that the budget is kept.
        budget: False alerts a series and year that it may cost.
        series_days: Days it was set from, over all series.
        needed_days: Days that the budget needs at least.
    """

    value: float
    state: Literal["set", "too_few_days"]
    budget: float
    series_days: int
    needed_days: int


def threshold_for(scores: np.ndarray, *, budget: float, cool_down: int = 7) -> Threshold:
    """The lowest threshold that keeps to a budget of false alerts, set from days without an incident.

    As in split conformal prediction one alert is added to those that were seen, so that the next day, if it is like
    these days, raises an alert at no more than the stated rate.

    Args:
        scores: Shape (days, series): scores of days without an incident; NaN is left out. Series are pooled, because
            scores are in units of their own noise.
        budget: False alerts a series and year.
        cool_down: Days after an alert within which a series raises none.

    Raises:
        UsageError: If the budget is not above 0.
    """
    if not budget > 0:
        raise ArgumentValueError("budget", f"is {budget}, expected a number of alerts a year above 0.")
    distances = np.abs(np.asarray(scores, float))
    known = distances[~np.isnan(distances)]
    allowed = budget * len(known) / YEAR - 1
    needed = int(np.ceil(YEAR / budget))
    if allowed < 0:
        found, state = float("inf"), "too_few_days"
    else:
        found, state = _lowest(distances, np.unique(known), allowed, cool_down), "set"
    return Threshold(value=found, state=state, budget=budget, series_days=len(known), needed_days=needed)


def alerts_of(scores: np.ndarray, threshold: float, *, cool_down: int = 7) -> np.ndarray:
    """Days on which a series raises an alert.

    Args:
        scores: Shape (days, series).
        threshold: What the size of a score has to exceed.
        cool_down: Days after an alert within which a series raises none.

    Returns:
        Truth values of the same shape.
    """
    beyond = np.abs(scores) > threshold
    found = np.zeros(beyond.shape, bool)
    rest = np.zeros(beyond.shape[1], int)
    for day in range(len(beyond)):
        found[day] = beyond[day] & (rest == 0)
        rest = np.where(found[day], cool_down, np.maximum(rest - 1, 0))
    return found


def _lowest(distances: np.ndarray, candidates: np.ndarray, allowed: float, cool_down: int) -> float:
    """The lowest candidate that raises no more than the allowed alerts: the higher it is, the fewer there are."""
    low, high = 0, len(candidates) - 1
    while low < high:
        middle = (low + high) // 2
        if alerts_of(distances, candidates[middle], cool_down=cool_down).sum() <= allowed:
            high = middle
        else:
            low = middle + 1
    return float(candidates[low])
