"""The mixing function of 64-bit hashes and of counter-based random numbers."""

from __future__ import annotations

import numpy as np

__all__ = ["mix64"]


def mix64(state: np.ndarray) -> np.ndarray:
    """The finaliser of splitmix64 (Steele, Lea, Flood 2014): every input bit flips half of the output bits.

    Args:
        state: uint64, any shape; it is not changed.

    Returns:
        uint64, the same shape.

    Example:
        >>> f"{mix64(np.array([0x9E3779B97F4A7C15], np.uint64))[0]:x}"
        'e220a8397b1dcdaf'
    """
    state = state ^ (state >> np.uint64(30))
    state *= np.uint64(0xBF58476D1CE4E5B9)
    state ^= state >> np.uint64(27)
    state *= np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    return state
