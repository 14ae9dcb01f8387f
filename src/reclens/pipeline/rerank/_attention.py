"""How much attention each place of a list gets, for re-rankers that share attention out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reclens.errors import UsageError

__all__ = ["check_attention", "place_weights"]


def check_attention(kind: str, attention: Sequence[float]) -> None:
    """Raise UsageError unless position weights are finite, not negative, and the first is above 0."""
    weights = np.asarray(attention, np.float64)
    if len(weights) and (not np.isfinite(weights).all() or (weights < 0).any() or weights[0] <= 0):
        raise UsageError(f"{kind}: attention is {list(attention)}, expected numbers of 0 or more, the first above 0.")


def place_weights(kind: str, attention: Sequence[float], width: int) -> np.ndarray:
    """The weight of each of the first places, float64, shape (width,); 1 ÷ log2(1 + rank) where none are given.

    Raises:
        UsageError: If there are fewer weights than places.
    """
    if not len(attention):
        return 1 / np.log2(np.arange(2, width + 2))
    if len(attention) < width:
        raise UsageError(f"{kind}: attention has {len(attention)} weights for lists of {width}; give one a rank.")
    return np.asarray(attention, np.float64)[:width].copy()
