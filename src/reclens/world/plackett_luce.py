"""The probability of each rank at each place of a list that is drawn without replacement (Plackett-Luce)."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np

__all__ = ["place_chances"]

_STEP: Final = 0.1
"""Of the logarithm of time: the trapezoidal rule converges exponentially; rows add up to 1 within 1e-12."""


@lru_cache(maxsize=1024)
def place_chances(sharpness: float, places: int, n: int) -> np.ndarray:
    """The probability that the item of each rank stands at each place, whatever stands elsewhere.

    Items with weights w_i = rank^-sharpness arrive at exponential times with rates w_i, and stand in the order of their
    arrival: item r is at place j if it arrives when j others have, ∫ w_r e^(-w_r t) P(j of the others before t) dt. The
    number of the others is a sum of Bernoulli draws with 1 - e^(-w_i t), added up item by item from both sides.

    Args:
        sharpness: How fast the weights fall with the rank.
        places: Number of places.
        n: Number of items; at least ``places``.

    Returns:
        Shape (places, n), not writable; rows add up to 1.

    Example:
        >>> place_chances(1.0, 2, 3).round(4)
        array([[0.5455, 0.2727, 0.1818],
               [0.3258, 0.3879, 0.2864]])
    """
    weights = np.exp(np.maximum(-sharpness * np.log(np.arange(1.0, n + 1)), -600.0))
    begin, end = -42.0 - math.log(float(weights.sum())), 4.0 - math.log(float(weights.min()))
    time = np.exp(np.arange(begin, end, _STEP))
    late = np.exp(-np.outer(weights, time))
    below = _counts(1 - late, late, places)
    above = _counts(1 - late[::-1], late[::-1], places)[::-1]
    found = np.empty((places, n))
    for rank in range(n):
        density = weights[rank] * late[rank] * time * _STEP
        first, second = below[rank], above[rank + 1]
        for place in range(places):
            found[place, rank] = ((first[: place + 1] * second[place::-1]).sum(axis=0) * density).sum()
    found.setflags(write=False)
    return found


def _counts(early: np.ndarray, late: np.ndarray, most: int) -> np.ndarray:
    """The probability that so many of the first items came early; shape (1 + items, most, times)."""
    found = np.zeros((len(early) + 1, most, early.shape[1]))
    found[0, 0] = 1.0
    for item in range(len(early)):
        found[item + 1] = found[item] * late[item]
        found[item + 1, 1:] += found[item, :-1] * early[item]
    return found
