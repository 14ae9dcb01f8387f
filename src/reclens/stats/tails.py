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
_CALM_SUMS: Final = (1.97, 4.26)
"""These quantiles of sums on days of normal noise (simulated, 217,600 series-days)."""
_BENT: Final = 0.18
"""How much more each further factor of 10 adds to such a sum than the one before it, on the same days."""
_PRIOR: Final = 300.0
"""Scores that weigh as much as the assumption of normal noise in the fit of a tail."""


def score_tail(scores: np.ndarray, *, rate: float, days: float) -> float:
    """The size that scores of calm days exceed at a rate, by the tail of a t distribution through two quantiles.

    Conformal thresholds need more days than the rate is long, and days without an incident. This one needs neither: the
    quantiles are such that a few incidents among the days do not move them. It is never below that of normal noise.

    Args:
        scores: Scores of :func:`~reclens.stats.anomaly.score_days`, of any shape; NaN is left out.
        rate: Share of days.
        days: Number of distances that a scale was estimated from: with few of them tails are heavier.

    Returns:
        The size; that of normal noise if there are no scores.
    """
    from scipy import stats

    freedom = max(0.7 * days, 3.0)
    calm = float(stats.t.ppf(1 - rate / 2, freedom))
    sizes = np.abs(scores[np.isfinite(scores)])
    if not len(sizes):
        return calm
    low, high = np.quantile(sizes, _TAIL)
    grid, inner, outer = _tails(freedom)
    weight = len(sizes) / (len(sizes) + _PRIOR)
    # The heavier the tail, the larger the ratio of both quantiles: it tells the degrees of freedom.
    ratio = np.log(max(high, _LEAST) / max(low, _LEAST))
    ratio = weight * ratio + (1 - weight) * np.log(outer[-1] / inner[-1])
    found = grid[np.argmin(np.abs(np.log(outer / inner) - ratio))]
    unit = (low / stats.t.ppf(0.5 + _TAIL[0] / 2, found)) ** weight
    return max(calm, float(stats.t.ppf(1 - rate / 2, found) * unit))


@lru_cache(maxsize=128)
def _tails(freedom: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Degrees of freedom up to a number, and both quantiles of the size of t for each."""
    from scipy import stats

    grid = np.geomspace(0.8, max(freedom, 1.0), 60)
    inner, outer = (stats.t.ppf(0.5 + at / 2, grid) for at in _TAIL)
    return grid, inner, outer


def drift_tail(sums: np.ndarray, *, rate: float) -> float:
    """The size that sums of calm days exceed at a rate, by an exponential tail through two quantiles.

    Args:
        sums: What :func:`~reclens.stats.anomaly.drift_scores` returns, of any shape; NaN is left out.
        rate: Share of days.

    Returns:
        The size; never below that of normal noise.
    """
    sizes = np.abs(sums[np.isfinite(sums)])
    weight = len(sizes) / (len(sizes) + _PRIOR)
    seen = np.quantile(sizes, _SUMS) if len(sizes) else np.zeros(2)
    low, high = np.maximum(_CALM_SUMS, weight * seen + (1 - weight) * np.array(_CALM_SUMS))
    tens = max(0.0, -np.log10(rate / (1 - _SUMS[0])))
    return float(low + (high - low) * tens * (1 + _BENT * max(tens - 1, 0.0) / 2))
