"""Always-valid intervals and p-values, for continuous monitoring; they are wider than fixed-sample ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from reclens.errors import ArgumentValuesError
from reclens.stats.estimate import Estimate

__all__ = ["always_valid_bounds", "always_valid_p", "confidence_sequence", "mixture_variance", "msprt"]


def mixture_variance(*, se: float, level: float = 0.95) -> float:
    """The variance of the mixture of the mSPRT that makes its interval tightest when the standard error is ``se``.

    The width² is proportional to (1 + x) / x · (2 ln(1/α) + ln(1 + x)) with x = τ² / se²; its minimum is at
    1 + x = −W₋₁(−α² / e). Source: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), appendix on tuning; Johari,
    Koomen, Pekelis and Walsh (2022), sec. 5.

    Example:
        >>> round(mixture_variance(se=1.0), 3)
        8.212
    """
    from scipy.special import lambertw

    alpha = 1 - level
    return float(-lambertw(-(alpha**2) / math.e, k=-1).real - 1) * se**2


def msprt(estimate: float, se: float, *, tau2: float, n: int, level: float = 0.95) -> tuple[Estimate, float]:
    """Interval and always-valid p-value of the mixture sequential probability ratio test with a normal mixture.

    Source: Johari, Koomen, Pekelis and Walsh (2022), eq. 7 and 10; Robbins (1970).

    Args:
        estimate: The effect so far.
        se: Its standard error so far.
        tau2: Variance of the mixture, fixed beforehand; see :func:`mixture_variance`.
        n: Units behind it.
        level: Confidence level.

    Returns:
        The interval, and the p-value at this look. The smallest p-value so far is valid too.

    Raises:
        UsageError: If se or tau2 is not above 0.

    Example:
        >>> interval, p = msprt(0.4, 0.1, tau2=mixture_variance(se=0.1), n=2000)
        >>> print(interval, round(p, 4))
        0.4 [0.09649, 0.7035] 0.0024
    """
    if not se > 0 or not tau2 > 0:
        raise ArgumentValuesError({"se": se, "tau2": tau2}, "both above 0")
    x = tau2 / se**2
    width = se * float(_bound(x, alpha=1 - level))
    return (
        Estimate(estimate, low=estimate - width, high=estimate + width, n=n, level=level, note="msprt"),
        always_valid_p(estimate / se, x),
    )


def confidence_sequence(
    estimate: float, se: float, *, n: int, tuning: float, level: float = 0.95
) -> tuple[Estimate, float]:
    """Interval of an asymptotic confidence sequence, and its always-valid p-value.

    Source: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), eq. 9 with the ρ of their eq. 161 (numbers of the
    preprint): what GrowthBook does.

    Args:
        estimate: The effect so far: a mean, a ratio, a relative lift, adjusted or not.
        se: Its standard error so far.
        n: Units so far, over both arms.
        tuning: Units at which the sequence is tightest, fixed beforehand.
        level: Confidence level.

    Raises:
        UsageError: If se, n or tuning is not above 0.

    Example:
        >>> interval, p = confidence_sequence(0.4, 0.1, n=2000, tuning=2000)
        >>> print(interval, round(p, 4))
        0.4 [0.09648, 0.7035] 0.0025
    """
    if not se > 0 or n < 1 or tuning <= 0:
        raise ArgumentValuesError({"se": se, "n": n, "tuning": tuning}, "all above 0")
    x = n * _rho2(tuning, 1 - level)
    width = se * float(_bound(x, alpha=1 - level))
    return (
        Estimate(estimate, low=estimate - width, high=estimate + width, n=n, level=level, note="confidence_sequence"),
        always_valid_p(estimate / se, x),
    )


def always_valid_p(z: float, x: float) -> float:
    """min(1, √(1 + x) · exp(−z² x / (2 (1 + x)))): the level at which the interval would just touch zero."""
    return float(min(1.0, math.sqrt(1 + x) * math.exp(-0.5 * z * z * x / (1 + x))))


def always_valid_bounds(
    times: Sequence[float], *, level: float = 0.95, tightest: float = 0.5, exact: bool = False
) -> np.ndarray:
    """Bounds of z that an always-valid method has at some information times.

    Args:
        times: Information, as shares of the planned sample.
        level: Confidence level.
        tightest: Information at which it is tightest.
        exact: Tuned exactly, as :func:`mixture_variance` does, or as :func:`confidence_sequence` approximates it.

    Returns:
        Shape (n,).

    Example:
        >>> always_valid_bounds([0.25, 0.5, 1.0]).round(3).tolist()
        [3.084, 3.035, 3.061]
    """
    alpha = 1 - level
    at_tightest = mixture_variance(se=1.0, level=level) if exact else _rho2(1.0, alpha)
    return _bound(np.asarray(times, float) / tightest * at_tightest, alpha=alpha)


def _bound(x: float | np.ndarray, *, alpha: float) -> np.ndarray:
    return np.sqrt((1 + x) / x * (2 * math.log(1 / alpha) + np.log1p(x)))


def _rho2(tuning: float, alpha: float) -> float:
    twice = -2 * math.log(alpha)
    return (twice + math.log(twice + 1)) / tuning
