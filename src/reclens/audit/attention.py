"""How much attention each rank of a list gets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from reclens.errors import ArgumentValueError, UsageError

__all__ = ["Attention", "position_weights"]

Attention = Literal["log", "rbp", "uniform"]
"""``log``: 1 / log2(1 + rank), as in DCG. ``rbp``: geometric, as in rank-biased precision. ``uniform``: every place
alike."""


def position_weights(
    depth: int, attention: Attention | Sequence[float] = "log", *, patience: float = 0.85
) -> np.ndarray:
    """The weight of each rank, float64, shape (depth,); the first is 1.

    Args:
        depth: Ranks of a list.
        attention: A model of attention, or the weights themselves, such as those estimated from a log, one a rank.
        patience: Of ``rbp``: the chance of going on from one rank to the next.

    Raises:
        UsageError: If there are fewer weights than ranks, one is negative or not finite, the first is 0, or the model
            or patience is none.

    Example:
        >>> position_weights(3).round(4).tolist()
        [1.0, 0.6309, 0.5]
        >>> position_weights(3, "rbp", patience=0.8).round(4).tolist()
        [1.0, 0.8, 0.64]

    References:
        Järvelin and Kekäläinen (2002), Cumulated gain-based evaluation of IR techniques; Moffat and Zobel (2008),
        Rank-biased precision for measurement of retrieval effectiveness.
    """
    if depth < 1:
        raise ArgumentValueError("depth", f"is {depth}, expected 1 or more")
    if not isinstance(attention, str):
        weights = np.asarray(attention, np.float64)
        if weights.ndim != 1 or len(weights) < depth:
            raise UsageError(f"there are weights of shape {weights.shape} for {depth} ranks: give one a rank.")
        if not np.isfinite(weights).all() or (weights < 0).any() or weights[0] <= 0:
            raise UsageError("weights of ranks are finite and not negative, and the first is above 0.")
        return weights[:depth] / weights[0]
    ranks = np.arange(1, depth + 1)
    if attention == "log":
        return 1 / np.log2(1 + ranks)
    if attention == "rbp":
        if not 0 < patience < 1:
            raise ArgumentValueError("patience", f"is {patience}, expected a number between 0 and 1 such as 0.85")
        return patience ** (ranks - 1.0)
    if attention == "uniform":
        return np.ones(depth)
    raise ArgumentValueError("attention", f"is {attention!r}, expected 'log', 'rbp', 'uniform', or a weight a rank")
