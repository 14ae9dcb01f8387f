"""Intervals of rank correlations over few pairs, by inverting the distribution of the statistic."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final, Literal

import numpy as np

from reclens.errors import UsageError

__all__ = ["rank_interval"]

_DRAWS: Final = 8_000
_STEPS: Final = 37
_MOST: Final = 30
"""Pairs up to which the distribution is simulated (``benchmarks/rates_rank_correlation.py``)."""
_SEED: Final = 1_945


def rank_interval(
    statistic: Literal["spearman", "kendall"], value: float, n: int, *, level: float = 0.95
) -> tuple[float, float]:
    """Confidence interval of Spearman's ρ or Kendall's τ over n independent pairs.

    The interval holds the correlations under which the observed value is in neither tail (Clopper and Pearson's way to
    an interval), for normal pairs with any monotone transformation of both sides. Their distribution is simulated, with
    the same draws for all correlations. So the interval ends at 1 and not beyond, and has a lower end where all pairs
    agree; Fisher's z covers .80 to .93 near 1 with 14 pairs. Above 30 pairs it is Fisher's z with the errors of Bonett
    and Wright (2000) and of Fieller, Hartley and Pearson (1957), but where all pairs agree: then that of 30 pairs.

    Args:
        statistic: ``spearman`` or ``kendall``.
        value: The observed correlation.
        n: Pairs, 4 or more.
        level: Confidence level.

    Returns:
        Lower and upper end.

    Raises:
        UsageError: If there are fewer than four pairs, or a number is out of range.

    Example:
        >>> low, high = rank_interval("spearman", 0.95, 14)
        >>> round(low, 2), round(high, 2)
        (0.83, 1.0)
    """
    if n < 4 or not -1 - 1e-9 <= value <= 1 + 1e-9 or not 0 < level < 1:
        raise UsageError(f"n is {n}, value {value} and level {level}: expected 4 or more pairs, a correlation, and a "
                         "level between 0 and 1.")  # fmt: skip
    if n > _MOST and abs(value) < 1 - 1e-9:
        return _fisher(statistic, value, n, level)
    n = min(n, _MOST)  # where all pairs agree, so do any 30 of them, and Fisher's z has no width
    of_normal, table = _table(n)
    drawn = table[statistic]
    # Values of the lattice that are equal but for rounding count on both sides: coverage is never below the level.
    above, below = (drawn >= value - 1e-9).mean(axis=1), (drawn <= value + 1e-9).mean(axis=1)
    low = _crossing(of_normal, above, (1 - level) / 2)
    high = -_crossing(-of_normal[::-1], below[::-1], (1 - level) / 2)
    ends = [_of_ranks(statistic, r) for r in (low, high)]
    return min(ends[0], value), max(ends[1], value)


def _of_ranks(statistic: str, r: float) -> float:
    """The rank correlation of normal pairs whose correlation is r (Pearson 1907; Greiner 1909)."""
    return 6 / math.pi * math.asin(r / 2) if statistic == "spearman" else 2 / math.pi * math.asin(r)


def _crossing(grid: np.ndarray, tail: np.ndarray, target: float) -> float:
    """Where a tail that rises along the grid reaches the target, by its logarithm; -1 if it begins above."""
    rising = np.maximum.accumulate(tail)
    at = int(np.searchsorted(rising, target))
    if at == 0:
        return -1.0
    if at == len(grid):
        return float(grid[-1])
    before, after = np.log(np.maximum(rising[at - 1 : at + 1], 0.5 / _DRAWS))
    share = (math.log(target) - before) / max(after - before, 1e-12)
    ends = np.arctanh(grid[at - 1 : at + 1])
    return float(np.tanh(ends[0] + min(share, 1.0) * (ends[1] - ends[0])))


@lru_cache(maxsize=32)
def _table(n: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Correlations of normal pairs, and draws of both statistics under each; shape (correlations, draws)."""
    rng = np.random.default_rng([_SEED, n])
    first, noise = rng.normal(size=(2, _DRAWS, n))
    half = np.tanh(np.linspace(0, 4.5, _STEPS))
    drawn: dict[str, list[np.ndarray]] = {"spearman": [], "kendall": []}
    ranks, signs = _ranks(first), _signs(first)
    for r in half:
        second = r * first + math.sqrt(1 - r * r) * noise
        gaps = ranks - _ranks(second)
        drawn["spearman"].append(1 - 6 * (gaps**2).sum(axis=1) / (n * (n * n - 1)))
        drawn["kendall"].append((signs * _signs(second)).mean(axis=1, dtype=np.float64))
    grid = np.concatenate([-half[:0:-1], half])
    mirrored = {name: np.stack([*(-each for each in rows[:0:-1]), *rows]) for name, rows in drawn.items()}
    return grid, mirrored


def _ranks(values: np.ndarray) -> np.ndarray:
    return values.argsort(axis=1).argsort(axis=1)


def _signs(values: np.ndarray) -> np.ndarray:
    """Which of each pair of columns is larger: 1 or -1; int8, shape (rows, pairs)."""
    first, second = np.triu_indices(values.shape[1], 1)
    return np.where(values[:, second] > values[:, first], 1, -1).astype(np.int8)


def _fisher(statistic: str, value: float, n: int, level: float) -> tuple[float, float]:
    from scipy.special import ndtri

    error = math.sqrt((1 + value**2 / 2) / (n - 3) if statistic == "spearman" else 0.437 / (n - 4))
    middle, half = math.atanh(max(min(value, 1 - 1e-9), 1e-9 - 1)), float(ndtri((1 + level) / 2)) * error
    return min(math.tanh(middle - half), value), max(math.tanh(middle + half), value)
