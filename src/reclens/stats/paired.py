"""Paired tests: the same units measured under two systems."""

from __future__ import annotations

import itertools

import numpy as np

from reclens.errors import UsageError
from reclens.stats.resample import SIGN, weighted_sums

__all__ = ["bootstrap_p_value", "randomization_p_values", "sign_flip_tail", "smallest_detectable"]


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
    assumption on the shape of the differences. Where fewer than 100 of the tosses reach the observed sum, they cannot
    tell a small p-value from a tiny one, which corrections need: it then comes from the saddlepoint approximation of
    the same distribution (:func:`sign_flip_tail`).

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
    members = _members(starts, targets, n_targets)
    observed = np.stack([differences[rows].sum(axis=0) for rows in members])
    # Sums of the same numbers in another order differ in their last bits: those count as equal.
    slack = 1e-9 * np.maximum(np.abs(observed), 1e-300)
    reached = (np.abs(drawn) >= (np.abs(observed) - slack)[:, :, None]).sum(axis=2)
    p_values = (reached + 1) / (flips + 1)
    for cell, column in np.argwhere(reached < _FEW):
        p_values[cell, column] = sign_flip_tail(differences[members[cell], column])
    return p_values


_FEW = 100


def sign_flip_tail(differences: np.ndarray) -> float:
    """Chance that random signs make a sum at least as large as the observed one, in the tail.

    The sum of s·d over random signs s has the cumulant generating function K(t) = Σ ln cosh(t d); Lugannani and Rice's
    formula turns it into a tail probability whose relative error stays small however far out it is.

    Args:
        differences: Shape (n,).

    Returns:
        The two-sided p-value, at least 2^(1 - m) with m differences that are not zero, the smallest there can be.

    References:
        Lugannani and Rice (1980), Saddle point approximation for the distribution of the sum of independent random
        variables; Robinson (1982), Saddlepoint approximations for permutation tests and confidence intervals.
    """
    from scipy.special import ndtr

    d = np.abs(differences[differences != 0])
    smallest = 2.0 ** max(1 - len(d), -1000)
    x = abs(float(differences.sum()))
    if not len(d):
        return 1.0
    d = d / d.max()
    x = x / float(np.abs(differences).max())
    if x >= d.sum() * (1 - 1e-12):
        return smallest
    t = x / float((d**2).sum())
    for _ in range(100):  # Newton on K'(t) = x; K' is concave for t > 0, so that it approaches from below
        slope = float(d / np.cosh(np.minimum(t * d, 300)) ** 2 @ d)
        step = (x - float(d @ np.tanh(t * d))) / max(slope, 1e-300)
        t += step
        if abs(step) <= 1e-12 * abs(t):
            break
    curvature = float(d / np.cosh(np.minimum(t * d, 300)) ** 2 @ d)
    k = float((t * d + np.log1p(np.exp(-2 * t * d)) - np.log(2)).sum())
    w, u = np.sqrt(max(2 * (t * x - k), 0.0)), t * np.sqrt(curvature)
    if w < 1e-3:
        return 1.0
    density = np.exp(-(w**2) / 2) / np.sqrt(2 * np.pi)
    return float(np.clip(2 * (ndtr(-w) + density * (1 / u - 1 / w)), smallest, 1.0))


def _members(starts: np.ndarray, targets: np.ndarray, n_targets: int) -> list[np.ndarray]:
    """The units of each cell."""
    ranges = [np.arange(start, stop) for start, stop in itertools.pairwise(starts)]
    found: list[list[np.ndarray]] = [[] for _ in range(n_targets)]
    for block, cells in zip(ranges, targets, strict=True):
        for cell in cells[cells >= 0]:
            found[cell].append(block)
    return [np.concatenate(parts) if parts else np.zeros(0, np.int64) for parts in found]


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
