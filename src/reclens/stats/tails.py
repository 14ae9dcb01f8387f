"""Limits of scores of days, from the tails of the scores of days before: for rates that few days can show.

A conformal threshold (:func:`~reclens.stats.anomaly.threshold_for`) needs more days than an alert is rare, and days
without an incident. These take a tail of a known shape through two quantiles, which incidents of a few days do not
move.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

__all__ = ["drift_tail", "score_tail"]

_LEAST: Final = 1e-12
_TAIL: Final = (0.85, 0.98)
"""Quantiles of scores that their tail is fitted to: a few days of incidents among them hardly move them."""
_SUMS: Final = (0.9, 0.99)
_CALM_SUMS: Final = (2.3, 5.0)
"""These quantiles of sums on calm days: between those of normal noise, 2.0 and 4.6, and those of noise with t's tail
for 3 degrees of freedom, 2.6 and 5.4 (simulated, 50,400 series-days each)."""
_BENT: Final = 0.18
"""How much more each further factor of 10 adds to such a sum than the one before it, on the same days."""
_PRIOR: Final = 300.0
"""Scores that weigh as much as the assumption of normal noise in the fit of a tail."""


def score_tail(scores: np.ndarray, *, rate: float, days: float, sampled: float = 1.0) -> float:
    """The size that scores of calm days exceed at a rate, by the tail of a t distribution through two quantiles.

    Conformal thresholds need more days than the rate is long, and days without an incident. This one needs neither: the
    quantiles are such that a few incidents among the days do not move them. What few scores cannot tell is assumed:
    sampling error has the tail of normal noise, and what days have besides that of t with 5 degrees of freedom; a sum
    of both has the kurtosis of its parts. It is never below that of normal noise.

    Args:
        scores: Scores of :func:`~reclens.stats.anomaly.score_days`, of any shape; NaN is left out.
        rate: Share of days.
        days: Number of distances that a scale was estimated from: with few of them tails are heavier.
        sampled: Share of the variance of the scores that is sampling error.

    Returns:
        The size; that of the assumption if there are no scores.
    """
    freedom = max(0.7 * days, 3.0)
    calm = _size(rate, freedom)
    assumed = _assumed(freedom, round(min(max(sampled, 0.0), 1.0), 2))
    sizes = np.abs(scores[np.isfinite(scores)])
    if not len(sizes):
        return max(calm, _size(rate, assumed))
    low, high = np.maximum(_quantiles(sizes, _TAIL), _LEAST)
    grid, inner, outer = _tails(freedom)
    weight = len(sizes) / (len(sizes) + _PRIOR)
    # The heavier the tail, the larger the ratio of both quantiles: it tells the degrees of freedom.
    ratio = weight * np.log(high / low) + (1 - weight) * float(np.interp(assumed, grid, np.log(outer / inner)))
    found = float(grid[np.argmin(np.abs(np.log(outer / inner) - ratio))])
    unit = (low / _size(1 - _TAIL[0], found)) ** weight
    return max(calm, _size(rate, found) * unit)


def _assumed(freedom: float, sampled: float) -> float:
    """Degrees of freedom of a sum of normal noise and of noise with t's tail for 5, by its kurtosis."""
    return freedom if sampled >= 1 else min(freedom, 3 + 1 / (1 - sampled) ** 2)


@lru_cache(maxsize=8192)
def _size(rate: float, freedom: float) -> float:
    """The size that t exceeds at a rate."""
    from scipy import stats

    return float(stats.t.ppf(1 - rate / 2, freedom))


def _quantiles(sizes: np.ndarray, places: tuple[float, float]) -> np.ndarray:
    """Two quantiles, between two values in proportion: as NumPy's, without its cost for many small arrays."""
    at = (len(sizes) - 1) * np.array(places)
    low = at.astype(int)
    high = np.minimum(low + 1, len(sizes) - 1)
    ordered = np.partition(sizes, np.unique([*low, *high]))
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


@lru_cache(maxsize=128)
def _tails(freedom: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Degrees of freedom up to a number, and both quantiles of the size of t for each."""
    from scipy import stats

    grid = np.geomspace(0.8, max(freedom, 1.0), 60)
    inner, outer = (stats.t.ppf(0.5 + at / 2, grid) for at in _TAIL)
    return grid, inner, outer


def drift_tail(sums: np.ndarray, *, rate: float, follows: float = 0.0) -> float:
    """The size that sums of calm days exceed at a rate, by an exponential tail through two quantiles.

    Args:
        sums: What :func:`~reclens.stats.anomaly.drift_scores` returns, of any shape; NaN is left out.
        rate: Share of days.
        follows: Correlation of a day's score with the one before it, in [0, 1): the sums of days that follow each other
            vary by (1 + r) / (1 - r) as much.

    Returns:
        The size; never below that of calm days without such a correlation.
    """
    sizes = np.abs(sums[np.isfinite(sums)])
    weight = len(sizes) / (len(sizes) + _PRIOR)
    calm = np.array(_CALM_SUMS)
    assumed = calm * (1 + follows) / (1 - follows)
    seen = _quantiles(sizes, _SUMS) if len(sizes) else assumed
    low, high = np.maximum(calm, weight * seen + (1 - weight) * assumed)
    tens = max(0.0, -np.log10(rate / (1 - _SUMS[0])))
    return float(low + (high - low) * tens * (1 + _BENT * max(tens - 1, 0.0) / 2))
