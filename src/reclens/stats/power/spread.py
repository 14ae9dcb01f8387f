"""Inputs of a sample size, such as the standard deviation of a unit, from data before the experiment."""

from __future__ import annotations

import math

import numpy as np

from reclens.errors import ArgumentValueError, DataError
from reclens.stats.quantiles import mid_quantiles

__all__ = ["coefficient_of_determination", "intraclass_correlation", "quantile_sd", "ratio_sd"]


def ratio_sd(numerator: np.ndarray, denominator: np.ndarray) -> tuple[float, float]:
    """A ratio of sums, and the standard deviation of a unit for it: sd(x − R·y) / mean(y), by the delta method.

    Source: Deng, Knoblich and Lu (2018), eq. 3.

    Args:
        numerator: Of each unit, shape (n,).
        denominator: Of each unit, shape (n,).

    Raises:
        DataError: If the denominators add up to 0.

    Example:
        >>> ratio_sd(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0]))
        (0.5, 0.0)
    """
    x, y = np.asarray(numerator, float), np.asarray(denominator, float)
    if y.mean() == 0:
        raise DataError("the denominator of the ratio adds up to 0", fix="Use a denominator that counts something.")
    ratio = float(x.mean() / y.mean())
    return ratio, float(np.std(x - ratio * y, ddof=1) / abs(y.mean()))


def quantile_sd(values: np.ndarray, q: float, *, units: np.ndarray | None = None) -> tuple[float, float]:
    """A mid-quantile of rows, and the standard deviation of a unit for it, so that its standard error is sd / √units.

    It is the standard error that the readout tests quantiles with; see :mod:`reclens.stats.quantiles`.

    Args:
        values: Of each row, shape (n,).
        q: The quantile, between 0 and 1.
        units: The unit of each row, shape (n,); each row is a unit by default.

    Raises:
        UsageError: If q is not between 0 and 1.
        DataError: If such a quantile cannot be tested: one value holds it, or the units are too few.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> value, sd = quantile_sd(rng.normal(size=100_000), 0.5)
        >>> 1.2 < sd < 1.3  # √(π / 2) = 1.25 for the median of a normal
        True
    """
    if not 0 < q < 1:
        raise ArgumentValueError("q", f"is {q}, expected a quantile between 0 and 1, such as 0.9")
    found = mid_quantiles([np.asarray(values, float)], q, clusters=[units])[0]
    reason, _ = found.untestable()
    if reason is not None:
        seen = (
            f"{found.n:,} units are too few to bound the {q:g} quantile"
            if reason == "too_few"
            else f"one value holds the {q:g} quantile"
        )
        raise DataError(seen, fix="Take a share above a cut or a mean, or give more units.")
    return found.value, found.spread() * math.sqrt(found.n)


def coefficient_of_determination(target: np.ndarray, covariates: np.ndarray) -> float:
    """R² of a linear regression: the share of the variance that CUPED with these covariates removes.

    Source: Deng, Xu, Kohavi and Walker (2013), eq. 5, for several covariates at once; adjusted for their number, so
    that covariates of pure noise do not inflate it.

    Args:
        target: The metric of each unit, shape (n,).
        covariates: Covariates from before the experiment, shape (n, c).

    Returns:
        Between 0 and 1.

    Example:
        >>> x = np.arange(100.0)
        >>> round(coefficient_of_determination(2 * x + 1, x[:, None]), 6)
        1.0
    """
    y, x = np.asarray(target, float), np.asarray(covariates, float)
    n, count = x.shape
    total = float(((y - y.mean()) ** 2).sum())
    if total == 0 or n <= count + 1:
        return 0.0
    centred = x - x.mean(axis=0)
    weights, *_ = np.linalg.lstsq(centred, y - y.mean(), rcond=None)
    left = float(((y - y.mean() - centred @ weights) ** 2).sum())
    return float(np.clip(1 - left / (n - count - 1) * (n - 1) / total, 0.0, 1.0))


def intraclass_correlation(values: np.ndarray, clusters: np.ndarray) -> tuple[float, float, float]:
    """Intra-cluster correlation and cluster sizes.

    Source: Donner (1986), the estimator of the analysis of variance with unequal sizes; negative values are set to 0.

    Args:
        values: The metric of each unit, shape (n,).
        clusters: The cluster of each unit, shape (n,).

    Returns:
        Intra-cluster correlation, mean size of a cluster, coefficient of variation of the sizes.

    Raises:
        DataError: If there is one cluster only, or every unit is its own.

    Example:
        >>> intraclass_correlation(np.array([1.0, 1.0, 5.0, 5.0]), np.array(["a", "a", "b", "b"]))
        (1.0, 2.0, 0.0)
    """
    y = np.asarray(values, float)
    codes = np.unique(clusters, return_inverse=True)[1]
    sizes = np.bincount(codes).astype(float)
    n, k = len(y), len(sizes)
    if k < 2 or k == n:
        raise DataError(f"there are {k:,} clusters of {n:,} units", fix="Give two clusters or more, of several units.")
    means = np.bincount(codes, weights=y) / sizes
    between = float((sizes * (means - y.mean()) ** 2).sum()) / (k - 1)
    within = float(((y - means[codes]) ** 2).sum()) / (n - k)
    typical = (n - float((sizes**2).sum()) / n) / (k - 1)
    spread = between + (typical - 1) * within
    icc = 0.0 if spread == 0 else float(np.clip((between - within) / spread, 0.0, 1.0))
    return icc, float(sizes.mean()), float(sizes.std() / sizes.mean())
