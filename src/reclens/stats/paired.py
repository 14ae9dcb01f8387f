"""Paired tests: the same units measured under two systems."""

from __future__ import annotations

import numpy as np

from reclens.errors import UsageError
from reclens.stats.resample import SIGN, weighted_sums

__all__ = ["bootstrap_p_value", "randomization_p_values", "smallest_detectable"]


def randomization_p_values(
    keys: np.ndarray,
    differences: np.ndarray,
    starts: np.ndarray,
    targets: np.ndarray,
    *,
    n_targets: int,
    flips: int,
    seed: int,
    threads: int | None = None,
) -> np.ndarray:
    """Two-sided paired randomisation test (Fisher's) that the mean difference is zero, for many cells at once.

    If the two systems were exchangeable for every unit, the sign of each unit's difference would be a coin toss. The
    p-value is the share of coin tosses, the observed one counted in, whose sum is at least as large. It needs no
    assumption on the shape of the differences. Its smallest value is 1 / (flips + 1).

    Args:
        keys: Key of each unit, uint64, shape (n,).
        differences: First system minus second, shape (n, columns); 0 where a unit has no value.
        starts: First unit of each block of units and the end, shape (blocks + 1,).
        targets: Cells that each block counts in, -1 for none, shape (blocks, t).
        n_targets: Number of cells.
        flips: Number of random sign vectors.
        seed: Seed of the signs.
        threads: Threads to use; the result does not depend on it.

    Returns:
        p-values, shape (n_targets, columns).

    References:
        Fisher (1935), The design of experiments, section 21; Smucker, Allan, Carterette (2007), A comparison of
        statistical significance tests for information retrieval evaluation; Phipson and Smyth (2010) for the +1.
    """
    if flips < 1:
        raise UsageError(f"flips is {flips}, expected 1 or more.")
    drawn = weighted_sums(
        keys, differences, starts, targets, n_targets=n_targets, draws=flips, seed=seed, scheme=SIGN, threads=threads
    )
    observed = np.zeros((n_targets, differences.shape[1]))
    for block, (start, stop) in enumerate(zip(starts[:-1], starts[1:], strict=True)):
        observed[targets[block][targets[block] >= 0]] += differences[start:stop].sum(axis=0)
    # Sums of the same numbers in another order differ in their last bits: those count as equal.
    slack = 1e-9 * np.maximum(np.abs(observed), 1e-300)
    extreme = (np.abs(drawn) >= (np.abs(observed) - slack)[:, :, None]).sum(axis=2)
    return (extreme + 1) / (flips + 1)


def bootstrap_p_value(replicates: np.ndarray, value: float) -> float:
    """Two-sided bootstrap test that a difference is zero: how often replicates stray from the estimate that far.

    Args:
        replicates: Bootstrap replicates of the difference, shape (B,); NaN ones are left out.
        value: The observed difference.

    Returns:
        The p-value, at least 1 / (B + 1); NaN without replicates.

    References:
        Efron and Tibshirani (1993), An introduction to the bootstrap, section 16.4; Hall and Wilson (1991) for
        resampling around the estimate and not around zero.
    """
    usable = replicates[~np.isnan(replicates)]
    if not len(usable):
        return float("nan")
    slack = 1e-12 * max(1.0, abs(value))
    return float((np.sum(np.abs(usable - value) >= abs(value) - slack) + 1) / (len(usable) + 1))


def smallest_detectable(standard_error: float, *, level: float = 0.95, power: float = 0.8) -> float:
    """The smallest true difference that a two-sided test would find with the given power.

    Args:
        standard_error: Of the difference.
        level: 1 - alpha of the test.
        power: Chance of finding it.

    Returns:
        (z of level + z of power) × standard error; normal approximation (Cohen 1988, chapter 2).

    Example:
        >>> round(smallest_detectable(0.01), 4)
        0.028
    """
    from scipy.special import ndtri

    return float((ndtri(1 - (1 - level) / 2) + ndtri(power)) * standard_error)
