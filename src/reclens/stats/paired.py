"""Paired tests: the same units measured under two systems."""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import Any

import numpy as np

from reclens.errors import ArgumentValueError
from reclens.kernels import kernel
from reclens.stats.resample import SIGN, weighted_sums

__all__ = [
    "bootstrap_p_value",
    "paired_share_interval",
    "randomization_p_values",
    "sign_flip_p_value",
    "sign_flip_tail",
    "smallest_detectable",
]


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

    Under the null hypothesis the two systems are exchangeable for every unit, and the sign of each difference is
    random. The p-value is the share of sign vectors, including the observed one, whose sum is at least as large. The
    test makes no assumption on the distribution of the differences. If units or distinct differences are few, as for
    hit rate and precision, it is computed over all sign vectors (:func:`sign_flip_p_value`); otherwise sign vectors are
    drawn. If fewer than 100 of the drawn ones reach the observed sum, they are too few to resolve the small p-values
    that corrections need, and the saddlepoint approximation (:func:`sign_flip_tail`) is used.

    Args:
        keys: Key of each unit, uint64, shape (n,).
        differences: First system minus second, shape (n, columns); 0 where a unit has no value.
        starts: First unit of each block of units and the end, shape (blocks + 1,).
        targets: Cells of each block, -1 for none, shape (blocks, t).
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
        raise ArgumentValueError("flips", f"is {flips}, expected 1 or more")
    members = _members(starts, targets, n_targets)
    p_values = np.full((n_targets, differences.shape[1]), np.nan)
    for cell, rows in enumerate(members):
        for column in range(differences.shape[1]):
            exact = sign_flip_p_value(differences[rows, column])
            p_values[cell, column] = np.nan if exact is None else exact
    columns = np.flatnonzero(np.isnan(p_values).any(axis=0))
    if not len(columns):
        return p_values
    drawn = weighted_sums(
        keys,
        differences[:, columns],
        starts,
        targets,
        n_targets=n_targets,
        draws=flips,
        seed=seed,
        scheme=SIGN,
        threads=threads,
    )
    for at, column in enumerate(columns):
        for cell in np.flatnonzero(np.isnan(p_values[:, column])):
            own = differences[members[cell], column]
            # Sums of the same numbers in another order differ in their last bits: those count as equal.
            least = abs(own.sum()) - 1e-12 * np.abs(own).sum()
            reached = int((np.abs(drawn[cell, at]) >= least).sum())
            p_values[cell, column] = sign_flip_tail(own) if reached < _FEW else (reached + 1) / (flips + 1)
    return p_values


_FEW = 100  # draws that reach the observed sum
_ENUMERATED = 30  # differences: two halves of 2^15 sums each
_FEW_VALUES = 40
_FINEST = 4096  # steps of a lattice in the largest difference
_LONGEST = 2**15, 2**19  # points of the window that the distribution is computed on; points times sizes


def sign_flip_p_value(differences: np.ndarray) -> float | None:
    """Two-sided p-value of the paired randomisation test, if it can be computed without drawing signs.

    With up to 30 differences, all sign vectors are enumerated. With more, if the differences have few distinct sizes,
    as for hit rate and precision, the distribution of the sum is the convolution of one scaled binomial distribution
    per size. It is inverted from its characteristic function, tilted to the observed sum, so that the relative error is
    that of rounding even far in the tail. Sizes without a common step are rounded to a fine grid.

    Args:
        differences: First system minus second, shape (n,).

    Returns:
        The p-value; None for more than 30 differences of more than 40 sizes, for which :func:`sign_flip_tail` is
        accurate.

    Example:
        >>> sign_flip_p_value(np.repeat([1.0, -1.0], [12, 1]))  # 28 of 2^13 sign vectors
        0.00341796875

    References:
        Pagano and Tritchler (1983), On obtaining permutation distributions in polynomial time.
    """
    d = differences[differences != 0]
    if not len(d):
        return 1.0
    d = d / float(np.abs(d).max())
    if abs(d.sum()) <= 1e-12 * np.abs(d).sum():
        return 1.0
    if len(d) <= _ENUMERATED:
        return _enumerated(d)
    if len(np.unique(np.abs(d[:1000]).round(10))) > _FEW_VALUES:
        return None
    sizes, which, counts = np.unique(np.abs(d).round(10), return_inverse=True, return_counts=True)
    if len(sizes) > _FEW_VALUES:
        return None
    steps = _on_lattice(sizes, counts)
    if d.sum() < 0:
        d = -d
    positive = np.bincount(which[d > 0], minlength=len(sizes))
    return _convolved(steps, counts, positive)


def _enumerated(d: np.ndarray) -> float:
    """The share of all sign vectors whose sum is at least as large, from the sums of two halves."""
    halves = []
    for half in (d[::2], d[1::2]):
        sums = np.zeros(1)
        for size in np.abs(half):
            sums = np.concatenate([sums - size, sums + size])
        halves.append(sums)
    one, other = halves[0], np.sort(halves[1])
    least = abs(d.sum()) - 1e-12 * np.abs(d).sum()
    reached = len(one) * len(other) - int(np.searchsorted(other, least - one).sum())
    return min(2 * reached / 2 ** len(d), 1.0)


def _on_lattice(sizes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The sizes in whole steps: those of their lattice, or of a step so fine that rounding does not matter."""
    spread = float(np.sqrt(counts @ sizes**2))
    points = max(_LONGEST[0], _LONGEST[1] // len(sizes))
    finest = int(np.clip(points / (_WINDOW * spread), 2, _FINEST))
    steps = np.arange(1, finest + 1)
    scaled = sizes[:, None] * steps
    off = np.abs(scaled - scaled.round())
    exact = np.flatnonzero(off.max(axis=0) <= 1e-6)
    if len(exact):
        best = int(exact[0])
    else:
        worst = np.sqrt(counts @ off**2) / steps
        best = finest // 2 + int(np.argmin(worst[finest // 2 :]))
    return scaled[:, best].round()


_NOTHING = 1e-52  # the square of what is next to 0 beside 1
_WINDOW = 9.0  # root sums of squares: by Hoeffding's inequality all but 5e-18 of the tilted distribution lies inside


def _convolved(steps: np.ndarray, counts: np.ndarray, positive: np.ndarray) -> float:
    """P(|Σ ± steps| ≥ the observed sum): ``counts`` differences of each size, ``positive`` of them above zero."""
    observed = float(steps @ (2 * positive - counts))
    if observed <= 0:
        return 1.0
    smallest = 2.0 ** max(1 - int(counts[steps > 0].sum()), -1000)
    if observed >= counts @ steps:
        return smallest
    t = _tilt(steps, counts, observed)
    up = 1 / (1 + np.exp(-2 * np.minimum(t * steps, 300)))
    n = _fast_length(int(2 * _WINDOW * np.sqrt(counts @ steps**2) / 2 + 16))
    order = np.argsort(-counts * up * (1 - up) * steps**2)  # what spreads the sum most comes first
    real, imaginary = np.zeros((2, n // 2 + 1))
    _characteristic(
        steps[order].astype(np.int64) % n,
        counts[order].astype(np.int64),
        up[order],
        int(steps @ positive) % n,
        *_turns(n),
        real,
        imaginary,
    )
    transform = real - 1j * imaginary
    beyond = int(min(n // 2, 30 / t + 2))  # sums that count: the weight of the next is below 1e-26
    above = np.fft.irfft(transform, n)[:beyond]  # tilted chances of the observed sum and of those beyond
    weights = np.exp(-2 * t * np.arange(beyond))
    log_scale = float(counts @ _log_cosh(t * steps)) - t * observed
    return float(np.clip(2 * np.exp(log_scale) * (weights @ above), smallest, 1.0))


def _fast_length(least: int) -> int:
    """An even number from ``least`` on, at most an eighth more, whose Fourier transform is quick."""
    unit = 2 ** max(least.bit_length() - 4, 1)
    return -(-least // unit) * unit


@lru_cache(maxsize=8)
def _turns(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine of all angles 2π k / n; lengths repeat."""
    angles = 2 * np.pi / n * np.arange(n)
    return np.cos(angles), np.sin(angles)


@kernel("void(int64[::1], int64[::1], float64[::1], int64, float64[::1], float64[::1], float64[::1], float64[::1])")
def _characteristic(
    steps: Any, counts: Any, up: Any, shift: Any, cosines: Any, sines: Any, real: Any, imaginary: Any
) -> None:
    """The characteristic function of Σ counts · steps · (a sign is up), less ``shift``, at all angles 2π k / n.

    It is a product of whole powers, by repeated squaring. Where it has become next to 0 it is left at 0.
    """
    n, block = len(cosines), 64  # angles at a time: loops over them are in vector registers
    a, b, c, d = np.empty(block), np.empty(block), np.empty(block), np.empty(block)
    for first in range(0, len(real), block):
        size = min(block, len(real) - first)
        place = (n - shift) * first % n
        for i in range(size):
            a[i], b[i] = cosines[place], sines[place]
            place = (place + n - shift) % n
        for j in range(len(steps)):
            place, p = steps[j] * first % n, up[j]
            for i in range(size):
                c[i], d[i] = 1 - p + p * cosines[place], p * sines[place]
                place += steps[j]
                if place >= n:
                    place -= n
            power = counts[j]
            while power:
                if power & 1:
                    for i in range(size):
                        a[i], b[i] = a[i] * c[i] - b[i] * d[i], a[i] * d[i] + b[i] * c[i]
                power >>= 1
                if power:
                    for i in range(size):
                        c[i], d[i] = c[i] * c[i] - d[i] * d[i], 2 * c[i] * d[i]
            largest = 0.0
            for i in range(size):
                largest = max(largest, a[i] * a[i] + b[i] * b[i])
            if largest < _NOTHING:
                break
        else:
            for i in range(size):
                real[first + i], imaginary[first + i] = a[i], b[i]


def _log_cosh(x: np.ndarray) -> np.ndarray:
    return x + np.log1p(np.exp(-2 * x)) - np.log(2)


def _tilt(sizes: np.ndarray, counts: np.ndarray, x: float) -> float:
    """The t at which the sum with tilted signs has the mean x: K'(t) = Σ counts · sizes · tanh(t sizes) = x."""
    t = x / float(counts @ sizes**2)
    for _ in range(100):  # Newton; K' is concave for t > 0, so that it approaches from below
        slope = float(counts @ (sizes / np.cosh(np.minimum(t * sizes, 300))) ** 2)
        step = (x - float(counts @ (sizes * np.tanh(t * sizes)))) / max(slope, 1e-300)
        t += step
        if abs(step) <= 1e-12 * abs(t):
            break
    return t


def sign_flip_tail(differences: np.ndarray) -> float:
    """Probability that random signs give a sum at least as large as the observed one, for many different sizes.

    The sum of s·d over random signs s has the cumulant generating function K(t) = Σ ln cosh(t d); Lugannani and Rice's
    formula turns it into a tail probability with a small relative error even far in the tail. The formula is for
    continuous sums; for few sizes use :func:`sign_flip_p_value`.

    Args:
        differences: Shape (n,).

    Returns:
        The two-sided p-value, at least the smallest possible one, 2^(1 - m) for m differences that are not zero.

    References:
        Lugannani and Rice (1980), Saddle point approximation for the distribution of the sum of independent random
        variables; Robinson (1982), Saddlepoint approximations for permutation tests and confidence intervals.
    """
    from scipy.special import ndtr

    d = np.abs(differences[differences != 0])
    smallest = 2.0 ** max(1 - len(d), -1000)
    if not len(d):
        return 1.0
    x = abs(float(differences.sum())) / float(d.max())
    d = d / d.max()
    if x >= d.sum() * (1 - 1e-12):
        return smallest
    t = _tilt(d, np.ones(len(d)), x)
    curvature = float(((d / np.cosh(np.minimum(t * d, 300))) ** 2).sum())
    w, u = np.sqrt(max(2 * (t * x - float(_log_cosh(t * d).sum())), 0.0)), t * np.sqrt(curvature)
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
    """Two-sided bootstrap test that a difference is zero: the share of replicates at least as far from the estimate.

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
    return float((np.sum(np.abs(usable - value) >= abs(value) * (1 - 1e-9)) + 1) / (len(usable) + 1))


def paired_share_interval(wins: int, losses: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Score interval of the difference of two shares of the same units.

    Args:
        wins: Successes under the first system only.
        losses: Successes under the second system only.
        n: All units, including those with a success under both or neither.
        level: Confidence level.

    Returns:
        Lower and upper end: the differences that the score test does not reject.

    Example:
        >>> [round(end, 4) for end in paired_share_interval(12, 1, 100)]
        [0.0475, 0.19]

    References:
        Tango (1998), Equivalence test and confidence interval for the difference in proportions for the paired-sample
        design.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtri

    z = float(ndtri(0.5 + level / 2))

    def score(difference: float) -> float:
        b = -(wins + losses) + (2 * n - wins + losses) * difference
        c = -losses * difference * (1 - difference)
        share = (np.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)  # of losses, most likely under that difference
        variance = n * (2 * share + difference * (1 - difference))
        return (wins - losses - n * difference) / np.sqrt(max(variance, 1e-300))

    estimate, edge = (wins - losses) / n, 1 - 1e-12
    low: Any = -1.0 if losses == n else brentq(lambda at: score(at) - z, -edge, estimate)
    high: Any = 1.0 if wins == n else brentq(lambda at: score(at) + z, estimate, edge)
    return float(low), float(high)


def smallest_detectable(standard_error: float, *, level: float = 0.95, power: float = 0.8) -> float:
    """The smallest true difference that a two-sided test detects with the given power.

    Args:
        standard_error: Of the difference.
        level: 1 - alpha of the test.
        power: Probability of detecting it.

    Returns:
        (z of level + z of power) × standard error; normal approximation (Cohen 1988, chapter 2).

    Example:
        >>> round(smallest_detectable(0.01), 4)
        0.028
    """
    from scipy.special import ndtri

    return float((ndtri(1 - (1 - level) / 2) + ndtri(power)) * standard_error)
