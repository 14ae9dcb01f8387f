"""Intervals by test inversion: a family of tests, one for each possible true difference.

A :class:`Pivot` tests "the true difference is b" for every b, and gives a normal deviate. The p-value is the test at
zero, a margin of non-inferiority or equivalence is tested at the margin, and an interval collects the b that are not
rejected: at the quantile of one look, or at the bound of a sequential one. Test and interval therefore always agree,
for any test: a t test, a score test of shares, a test corrected for skewness.

Statistics that are not normal are transformed to the normal deviate of the same tail probability. A group-sequential
bound for normal statistics is then valid for t statistics too: each look spends its planned probability, for any number
of units (Jennison and Turnbull 2000, Group sequential methods, section 3.8; Wassmer and Brannath 2016, section 2.3: the
significance-level approach).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

__all__ = [
    "End",
    "Pivot",
    "TPivot",
    "fieller",
    "hall",
    "hall_inverse",
    "imbalance",
    "invert",
    "normal_deviate",
    "t_quantile",
]

End = float | None
"""An end of an interval; None where it has no bound."""

_FARTHEST = 37.0  # normal deviates beyond have no tail probability in floating point


class Pivot(Protocol):
    """A family of tests of the difference between treatment and control."""

    def z_at(self, bound: float, *, relative: bool = False) -> float:
        """The test of "the true difference is ``bound``", as a normal deviate.

        Args:
            bound: A difference in units of the metric; or a lift, as a share of |control|.
            relative: Whether it is a lift.

        Returns:
            The deviate: above 0 if the estimate is above the bound, and decreasing in the bound.
        """
        ...

    def within(self, below: float, above: float, *, relative: bool = False) -> tuple[End, End]:
        """The differences that are not rejected: all b with -above ≤ z_at(b) ≤ below.

        Args:
            below: Normal deviate at the lower end.
            above: Minus the normal deviate at the upper end.
            relative: Whether of lifts.

        Returns:
            Lower and upper end; None where there is no bound.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class TPivot:
    """Student's t, or the normal distribution, about an estimate: (gap - b) ÷ its standard error.

    The test of a lift r is that of gap - r·control = 0, and its interval that of Fieller (1954), which is valid for any
    uncertainty of the control.

    With skewed values in arms of unequal size, the statistic is skewed too, because the estimate and its standard error
    are correlated. Hall's transformation removes the skewness before the statistic is compared with Student's
    distribution.

    Attributes:
        control: Estimate of the control.
        gap: Treatment minus control.
        variances: Variance of the gap, variance of the control, and their covariance.
        df: Degrees of freedom; infinite for the normal distribution.
        skew: Third cumulant of the gap ÷ its variance^1.5, see :func:`hall`; 0 where it is symmetric.
    """

    control: float
    gap: float
    variances: tuple[float, float, float]
    df: float = math.inf
    skew: float = 0.0

    def t_at(self, bound: float, *, relative: bool = False) -> float:
        """The t statistic at a bound; NaN where it has no variance."""
        variance, of_control, covariance = self.variances
        away = self.gap - bound
        if relative:
            sign = -1.0 if self.control < 0 else 1.0
            away = self.gap - sign * bound * self.control
            variance = variance - 2 * sign * bound * covariance + bound**2 * of_control
        return away / math.sqrt(variance) if variance > 0 else math.nan

    def z_at(self, bound: float, *, relative: bool = False) -> float:
        """As :meth:`Pivot.z_at`."""
        return normal_deviate(hall(self.t_at(bound, relative=relative), self.skew), self.df)

    def within(self, below: float, above: float, *, relative: bool = False) -> tuple[End, End]:
        """As :meth:`Pivot.within`, in closed form."""
        low = float(hall_inverse(t_quantile(below, self.df), self.skew))
        high = -float(hall_inverse(-t_quantile(above, self.df), self.skew))
        if not relative:
            se = math.sqrt(self.variances[0])
            return self.gap - low * se, self.gap + high * se
        ends = [fieller(self.control, self.gap, self.variances, abs(critical_value)) for critical_value in (low, high)]
        first, last = ends
        return (
            None if first is None else first[0] if low >= 0 else first[1],
            None if last is None else last[1] if high >= 0 else last[0],
        )


def hall(t: Any, skew: Any) -> Any:
    """Remove the skewness of a t statistic of skewed values: t + a t²/3 + a² t³/27 + a/6.

    It increases with t, so it can be inverted. The error in either tail is of the order of 1/n, instead of 1/√n for t
    itself.

    Args:
        t: Estimate minus the truth, ÷ its standard error; a number or an array.
        skew: a, the third cumulant of the estimate ÷ its variance^1.5: skewness ÷ √n for a mean; like ``t``.

    References:
        Hall (1992), On the removal of skewness by transformation; Johnson (1978), Modified t tests and confidence
        intervals for asymmetrical populations; Zhou and Dinh (2005), Nonparametric confidence intervals for the one-
        and two-sample problems.

    Example:
        >>> round(hall(-2.0, 0.3), 3), round(hall(2.0, 0.3), 3)
        (-1.577, 2.477)
    """
    return t + skew * t * t / 3 + skew * skew * t**3 / 27 + skew / 6


def imbalance(n_control: Any, n_treatment: Any) -> Any:
    """Factor from the skewness of values to that of a difference: (1/m² - 1/n²) ÷ (1/m + 1/n)^1.5.

    Args:
        n_control: n, units of the control arm; a number or an array.
        n_treatment: m, units of the treated arm.

    Example:
        >>> imbalance(500, 500), round(imbalance(900, 100), 4)
        (0.0, 0.0843)
    """
    return (1 / n_treatment**2 - 1 / n_control**2) / (1 / n_control + 1 / n_treatment) ** 1.5


def hall_inverse(z: Any, skew: Any) -> Any:
    """Inverse of :func:`hall`: the t statistic for ``z``; numbers or arrays."""
    near = np.abs(skew) < 1e-9
    a = np.where(near, 1.0, skew)
    return np.where(near, z, 3 / a * (np.cbrt(1 + a * (z - a / 6)) - 1))[()]


def fieller(control: float, gap: float, variances: tuple[float, float, float], q: float) -> tuple[float, float] | None:
    """Ends of the lifts r with (d - r c)² ≤ q² (V(d) - 2 r C(d,c) + r² V(c)); None if unbounded.

    Args:
        control: c, the estimate of the control.
        gap: d, treatment minus control.
        variances: V(d), V(c) and C(d,c).
        q: Quantile of the statistic.

    References:
        Fieller (1954), Some problems in interval estimation.
    """
    spread, of_control, shared = variances
    if control < 0:  # relative to |control|, so that up stays up
        control, shared = -control, -shared
    a = control**2 - q**2 * of_control
    if not a > 0:
        return None
    b, c = gap * control - q**2 * shared, gap**2 - q**2 * spread
    root = math.sqrt(max(b * b - a * c, 0.0))
    return (b - root) / a, (b + root) / a


def normal_deviate(statistic: float, df: float = math.inf) -> float:
    """The normal deviate with the tail probability of a t statistic, kept within ± 37.

    Example:
        >>> round(normal_deviate(2.228, df=10), 3)
        1.96
    """
    from scipy.special import ndtri, stdtr

    if statistic != statistic or math.isinf(df):
        return statistic
    tail = float(ndtri(stdtr(df, -abs(statistic))))
    return math.copysign(min(-tail, _FARTHEST), statistic)


def t_quantile(z: float, df: float = math.inf) -> float:
    """The t statistic with the tail probability of a normal deviate: the inverse of :func:`normal_deviate`."""
    from scipy.special import ndtr, stdtrit

    if math.isinf(df):
        return z
    return math.copysign(float(stdtrit(df, ndtr(-min(abs(z), _FARTHEST)))), z)


def invert(
    z_at: Callable[[float], float],
    z: float,
    *,
    start: float,
    step: float,
    limits: tuple[float, float] = (-math.inf, math.inf),
) -> End:
    """The bound at which a decreasing family of tests has a given deviate, for pivots without a closed form.

    Args:
        z_at: The test as a decreasing function of the bound.
        z: The deviate.
        start: Start of the search, such as the estimate.
        step: Initial width of the search, such as the standard error.
        limits: The smallest and largest possible bound, returned if the test does not reach ``z`` before.

    Returns:
        The bound; None if the deviate is not reached and there is no limit.
    """
    from scipy.optimize import brentq

    away = z_at(start) - z
    if away == 0:
        return start
    side = 1.0 if away > 0 else -1.0
    near, far, width = start, start, step
    for _ in range(200):
        far = min(max(start + side * width, limits[0]), limits[1])
        if (z_at(far) - z) * side <= 0:
            root: Any = brentq(lambda bound: z_at(bound) - z, near, far, xtol=1e-15)
            return float(root)
        if far in limits:
            return far
        near, width = far, 2 * width
    return None
