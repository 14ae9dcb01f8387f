"""Scaling of the scores of different models, user by user.

The scale is determined by the items outside the user's history, because only they compete; it is then applied to items
of the history too. An item without a score gets the lowest value: 0, or under ``z`` the lowest z.
"""

from __future__ import annotations

import numpy as np

__all__ = ["SCALES", "to_scale"]

SCALES = ("z", "min_max", "rank")


def to_scale(scores: np.ndarray, seen: tuple[np.ndarray, np.ndarray], scale: str) -> np.ndarray:
    """Scale scores so that they are comparable between users and models.

    Args:
        scores: float32, shape (n, items); -inf where an item is not scored.
        seen: Row and column of the items of the histories.
        scale: ``min_max``: (s - lowest) ÷ (highest - lowest), clipped to 0 … 1, and 1 where all are equal. ``rank``:
            the share of items with a lower score, equal ones counted half; above 0 and below 1. ``z``: (s - mean) ÷
            standard deviation, and 0 where all are equal.

    Returns:
        float32, shape (n, items).
    """
    scored = scores > -np.inf
    ground = scored.copy()
    ground[seen] = False
    only_seen = ~ground.any(axis=1)
    ground[only_seen] = scored[only_seen]
    if scale == "rank":
        return _ranks(scores, scored, ground)
    filled = np.where(scored, scores, np.float32(0))
    low = np.where(ground, scores, np.float32(np.inf)).min(axis=1, keepdims=True, initial=np.inf)
    if scale == "min_max":
        high = np.where(ground, scores, np.float32(-np.inf)).max(axis=1, keepdims=True, initial=-np.inf)
        # Without any score the bounds are infinite, and their difference would be NaN.
        width = np.subtract(high, low, out=np.zeros_like(high), where=high > low)
        start = np.where(np.isfinite(low), low, np.float32(0))
        placed = np.divide(filled - start, width, out=np.ones_like(filled), where=width > 0)
        return np.where(scored, np.clip(placed, 0, 1), np.float32(0))
    count = np.maximum(ground.sum(axis=1, keepdims=True), 1)
    mean = np.sum(filled, axis=1, keepdims=True, dtype=np.float64, where=ground) / count
    off = (filled - mean).astype(np.float32)
    spread = np.sqrt(np.sum(np.square(off), axis=1, keepdims=True, dtype=np.float64, where=ground) / count)
    # A spread due to rounding counts as 0.
    wide = spread > 1e-6 * np.abs(mean)
    placed = np.divide(off, spread, out=np.zeros_like(off), where=wide, casting="same_kind")
    lowest = np.where(ground, placed, np.float32(np.inf)).min(axis=1, keepdims=True, initial=np.inf)
    return np.where(scored, placed, np.where(np.isfinite(lowest), lowest, np.float32(0)))


def _ranks(scores: np.ndarray, scored: np.ndarray, ground: np.ndarray) -> np.ndarray:
    placed = np.zeros_like(scores)
    for row, values in enumerate(scores):
        others = np.sort(values[ground[row]])
        mine = values[scored[row]]
        below = np.searchsorted(others, mine, "left") + np.searchsorted(others, mine, "right")
        placed[row, scored[row]] = (below + 1) / (2 * (len(others) + 1))
    return placed
