"""Probabilities of crossing bounds at a few looks, by recursive numerical integration.

The score S = Z·√t has independent normal increments: the density of the paths that have not crossed is integrated from
look to look on Gauss-Legendre panels.

Source: Armitage, McPherson and Rowe (1969); Jennison and Turnbull (2000), ch. 19.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from reclens.errors import ArgumentValueError, UsageError

__all__ = ["Path", "check_times", "exit_probabilities", "peeking_error", "root_of"]

_NODES: Final = 10
"""Gauss-Legendre nodes a panel; a panel is three standard deviations of the next step wide: 1e-12."""

_FAR: Final = 8.5
"""Standard deviations beyond which there is nothing: 1e-17."""


@dataclass(frozen=True, eq=False)
class Path:
    """Distribution of the paths that have not crossed yet, at some information.

    Attributes:
        time: Information so far.
        score: Nodes of the score, shape (m,).
        mass: Probability at each node, shape (m,).
        drift: Mean of Z at full information.
    """

    time: float
    score: np.ndarray
    mass: np.ndarray
    drift: float

    @classmethod
    def begin(cls, drift: float = 0.0) -> Path:
        """State before the first look: all paths at zero."""
        return cls(0.0, np.zeros(1), np.ones(1), drift)

    def above(self, time: float, z: float) -> float:
        """Probability to get to the look at ``time`` and find the statistic above ``z`` there."""
        from scipy.special import ndtr

        step = time - self.time
        return float(self.mass @ ndtr((self.score + self.drift * step - z * math.sqrt(time)) / math.sqrt(step)))

    def below(self, time: float, z: float) -> float:
        """Probability to get to the look at ``time`` and find the statistic below ``z`` there."""
        from scipy.special import ndtr

        step = time - self.time
        return float(self.mass @ ndtr((z * math.sqrt(time) - self.score - self.drift * step) / math.sqrt(step)))

    def on(self, time: float, lower: float, upper: float, *, following: float) -> Path:
        """Go on to the next look with what stays between the bounds (z); ``following`` is the look after it."""
        step = time - self.time
        centre, width = self.drift * time, _FAR * math.sqrt(time)
        low = max(lower * math.sqrt(time), centre - width)
        high = min(upper * math.sqrt(time), centre + width)
        if high <= low:
            return Path(time, np.zeros(1), np.zeros(1), self.drift)
        width = 3 * min(math.sqrt(time), math.sqrt(max(following - time, 1e-9)))
        panels = min(max(4, math.ceil((high - low) / width)), 400)
        nodes, weights = _legendre()
        edges = np.linspace(low, high, panels + 1)
        half = (edges[1] - edges[0]) / 2
        score = ((edges[:-1] + half)[:, None] + half * nodes[None, :]).ravel()
        away = (score[:, None] - self.score[None, :] - self.drift * step) / math.sqrt(step)
        density = np.exp(-0.5 * away**2) @ self.mass / math.sqrt(2 * math.pi * step)
        return Path(time, score, density * np.tile(weights * half, panels), self.drift)


@cache
def _legendre() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(_NODES)


def check_times(times: Sequence[float]) -> tuple[float, ...]:
    """Check that information times rise from above 0 to at most 1.

    Raises:
        UsageError: If they do not.
    """
    found = tuple(float(each) for each in times)
    rising = all(low < high for low, high in zip((0.0, *found), found, strict=False))
    if not found or not rising or found[-1] > 1 + 1e-9:
        raise ArgumentValueError(
            "times",
            f"are {list(found)}: expected shares of the planned sample that rise from above 0 to at "
            "most 1, such as [0.25, 0.5, 1.0].",
        )
    return found


def exit_probabilities(
    times: Sequence[float], upper: Sequence[float], lower: Sequence[float] | None = None, *, drift: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Probability to cross the upper and the lower bound for the first time at each look.

    Args:
        times: Information at each look, rising, at most 1.
        upper: Upper bounds, of z.
        lower: Lower bounds, of z; none without them.
        drift: Mean of z at full information: 0 under the null hypothesis.

    Returns:
        Two arrays, shape (looks,).

    Raises:
        UsageError: If the times do not rise, or bounds are missing.

    Example:
        >>> up, down = exit_probabilities([0.5, 1.0], [1.96, 1.96], [-1.96, -1.96])
        >>> round(float(up.sum() + down.sum()), 4)  # two looks at 1.96
        0.0831
    """
    times = check_times(times)
    floor = [-math.inf] * len(times) if lower is None else list(lower)
    if len(upper) != len(times) or len(floor) != len(times):
        raise UsageError(
            f"there are {len(times)} looks, {len(upper)} upper and {len(floor)} lower bounds: expected as "
            "many bounds as looks."
        )
    path = Path.begin(drift)
    up, down = np.zeros(len(times)), np.zeros(len(times))
    for at, time in enumerate(times):
        up[at], down[at] = path.above(time, upper[at]), path.below(time, floor[at])
        if at + 1 < len(times):
            path = path.on(time, floor[at], upper[at], following=times[at + 1])
    return up, down


def peeking_error(looks: int, *, level: float = 0.95) -> float:
    """False positive rate of a fixed test repeated at equally spaced looks until it is significant.

    Source: Armitage, McPherson and Rowe (1969), table 2.

    Example:
        >>> [round(peeking_error(looks), 3) for looks in (1, 5, 10)]
        [0.05, 0.142, 0.193]
    """
    from scipy.special import ndtri

    bound = [float(ndtri(0.5 + level / 2))] * looks
    up, down = exit_probabilities([look / looks for look in range(1, looks + 1)], bound, [-each for each in bound])
    return float(up.sum() + down.sum())


def root_of(function: Callable[[float], float], low: float, high: float, *, tolerance: float = 1e-10) -> float:
    """Root of a function between two points of opposite sign."""
    from scipy.optimize import brentq

    return float(brentq(function, low, high, xtol=tolerance))  # pyright: ignore[reportArgumentType]
