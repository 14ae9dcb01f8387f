"""Pareto fronts of what is lost and what is gained, and their knee."""

from __future__ import annotations

import numpy as np

from reclens.errors import UsageError

__all__ = ["knee_of", "pareto_front"]


def pareto_front(lost: np.ndarray, gained: np.ndarray) -> np.ndarray:
    """The trials of which no other loses less and gains as much, or gains more and loses as little.

    Args:
        lost: What each trial costs, shape (n,).
        gained: What it brings, shape (n,).

    Returns:
        Their places, int64, from the cheapest on; of equal trials the first.

    Raises:
        UsageError: If a number is not finite, or the shapes differ.

    Example:
        >>> pareto_front(np.array([0.0, 0.01, 0.02, 0.05]), np.array([0.0, 0.3, 0.2, 0.6])).tolist()
        [0, 1, 3]
    """
    lost, gained = np.asarray(lost, np.float64), np.asarray(gained, np.float64)
    if lost.shape != gained.shape or lost.ndim != 1 or not np.isfinite([lost, gained]).all():
        raise UsageError("a Pareto front is of finite numbers, as many that are lost as are gained.")
    order = np.lexsort((np.arange(len(lost)), -gained, lost))
    best = np.maximum.accumulate(np.concatenate([[-np.inf], gained[order]]))
    return order[gained[order] > best[:-1]]


def knee_of(lost: np.ndarray, gained: np.ndarray) -> int | None:
    """The place on a front from which on a gain costs most more: the point farthest above the line of its ends.

    Both axes are scaled to 0 … 1 by the ends of the front.

    Args:
        lost: What each trial of a front costs, rising, shape (n,).
        gained: What it brings, rising, shape (n,).

    Returns:
        Its place; None for a front of fewer than three points, or one that nowhere rises above the line.

    Example:
        >>> knee_of(np.array([0.0, 0.01, 0.05]), np.array([0.0, 0.4, 0.6]))
        1

    References:
        Satopää, Albrecht, Irwin, Raghavan (2011), Finding a "kneedle" in a haystack: detecting knee points in system
        behavior.
    """
    if len(lost) < 3:
        return None
    x = (np.asarray(lost) - lost[0]) / (lost[-1] - lost[0])
    y = (np.asarray(gained) - gained[0]) / (gained[-1] - gained[0])
    best = int(np.argmax(y - x))
    return best if y[best] - x[best] > 1e-12 else None
