"""Counter-based random numbers: a draw depends on its purpose, and not on earlier draws.

The state of a user's day is the seed mixed with their key and the day; every draw is the finaliser of splitmix64 over
that state and a number (Steele, Lea, Flood 2014; the idea of counters: Salmon et al. 2011, Parallel random numbers: as
easy as 1, 2, 3). Users keep their random numbers when they see other lists, threads do not matter, and one world
under two strategies differs only by the strategies (common random numbers).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from reclens.kernels import kernel

__all__ = [
    "CHOICE",
    "DEPTH",
    "EXPLORE",
    "MEET",
    "MORE",
    "NOTHING",
    "ORDER",
    "ORGANIC",
    "REQUEST",
    "TIME",
    "VISIT",
    "WANDER",
    "mix",
    "uniform",
    "uniforms",
]

_SCALE: Final = 1.0 / 9007199254740992.0  # 2^-53

VISIT: Final = np.uint64(0)
REQUEST: Final = np.uint64(1 << 8)
MORE: Final = np.uint64(2)
DEPTH: Final = np.uint64(3)
EXPLORE: Final = np.uint64(4)
NOTHING: Final = np.uint64(5)
ORGANIC: Final = np.uint64(6)
TIME: Final = np.uint64(7)
WANDER: Final = np.uint64(1 << 12)
ORDER: Final = np.uint64(1 << 32)
CHOICE: Final = np.uint64(1 << 33)
MEET: Final = np.uint64(1 << 34)
"""Numbers of the draws under the state of a day or a request. Draws about an item are numbered by the item, so that it
meets the same luck in whatever list it stands."""


@kernel("uint64(uint64, uint64)")
def mix(state: Any, number: Any) -> Any:
    """The word that belongs to a number under a state; also the state of nested draws."""
    word = state + (number + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@kernel("float64(uint64, uint64)")
def uniform(state: Any, number: Any) -> Any:
    """The uniform number, above 0 and below 1, that belongs to a number under a state."""
    return (np.float64(mix(state, number) >> np.uint64(11)) + 0.5) * _SCALE


def uniforms(keys: np.ndarray, seed: int) -> np.ndarray:
    """A number from 0 to below 1 for each key under a seed: splitmix64 over an array; float64.

    Example:
        >>> uniforms(np.arange(2, dtype=np.uint64), 0).round(3)
        array([0.362, 0.253])
    """
    word = keys.astype(np.uint64) ^ np.uint64((seed * 0x9E3779B97F4A7C15 + 0xD1B54A32D192ED03) % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 0xBF58476D1CE4E5B9)):
        word = (word ^ (word >> np.uint64(shift))) * np.uint64(factor)
    return ((word ^ (word >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) * _SCALE
