"""Intervals of means and ratios over units: users, each with several decisions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Literal

import numpy as np

from reclens.errors import UsageError
from reclens.stats.bootstrap import interval
from reclens.stats.estimate import Estimate
from reclens.stats.resample import POISSON, weighted_sums

__all__ = ["Method", "Ratio", "ratio_estimates"]

Method = Literal["bootstrap", "normal"]
Ratio = tuple[np.ndarray, np.ndarray]
"""Numerator and denominator of each decision: the estimate is the ratio of their sums."""

_FEW: Final = 2


def ratio_estimates(
    ratios: Mapping[str, Ratio], units: np.ndarray, *, level: float = 0.95, method: Method = "bootstrap",
    replicates: int = 2_000, rng: int = 0,
) -> dict[str, Estimate]:  # fmt: skip
    """Σ numerator ÷ Σ denominator of each, with an interval over units.

    ``normal``: linearised by unit, e_u = Σ (numerator - value · denominator), variance
    U/(U - 1) Σ e² ÷ (Σ denominator)² (delta method: Deng et al. 2018), with Student's quantiles.
    ``bootstrap``: units weighted by Poisson draws, the BCa interval (Efron 1987), which follows the skewness of
    weights; better where rewards are rare.

    Args:
        ratios: By name.
        units: Code of the unit of each decision, from 0.
        level: Confidence level.
        method: One of the two.
        replicates: Of the bootstrap.
        rng: Seed of the bootstrap.

    Raises:
        UsageError: If level or method is not one.
    """
    if not 0 < level < 1:
        raise UsageError(f"level is {level}, expected a number between 0 and 1 such as 0.95.")
    if method not in ("bootstrap", "normal"):
        raise UsageError(f"method is {method!r}, expected 'bootstrap' or 'normal'.")
    n = int(units.max()) + 1
    sums = np.stack([np.bincount(units, column, n) for pair in ratios.values() for column in pair], axis=1)
    draws = None
    if method == "bootstrap" and n >= _FEW:
        every = np.array([0, n], np.int64)
        draws = weighted_sums(np.arange(n, dtype=np.uint64), sums, every, np.zeros((1, 1), np.int32), n_targets=1,
                              draws=replicates, seed=rng, scheme=POISSON)[0]  # fmt: skip
    found: dict[str, Estimate] = {}
    for at, name in enumerate(ratios):
        pair = sums[:, 2 * at : 2 * at + 2]
        drawn = None if draws is None else draws[2 * at : 2 * at + 2]
        found[name] = _estimate(pair[:, 0], pair[:, 1], drawn, level)
    return found


def _estimate(top: np.ndarray, bottom: np.ndarray, drawn: np.ndarray | None, level: float) -> Estimate:
    from scipy.special import stdtrit

    n, under = len(top), float(bottom.sum())
    if under == 0:
        return Estimate(math.nan, None, None, n, level, "every weight is 0: the log never did what the target would do")
    value = float(top.sum()) / under
    if n < _FEW:
        return Estimate(value, None, None, n, level, "a single user has no interval")
    errors = top - value * bottom
    spread = float((errors**2).sum())
    if spread <= 1e-24 * max(1.0, float((top**2).sum())):
        return Estimate(value, None, None, n, level, "nothing varies between users: there is no interval")
    if drawn is not None:
        acceleration = float((errors**3).sum()) / spread**1.5 / 6
        replicates = np.divide(drawn[0], drawn[1], out=np.full(drawn.shape[1], np.nan), where=drawn[1] != 0)
        ends = interval(replicates, value, n=n, level=level, acceleration=acceleration)
        if ends is not None:
            return Estimate(value, *ends, n, level)
    se = math.sqrt(n / (n - 1) * spread) / abs(under)
    half = float(stdtrit(n - 1, 0.5 + level / 2)) * se
    return Estimate(value, value - half, value + half, n, level)
