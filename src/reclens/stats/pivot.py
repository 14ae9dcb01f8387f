"""From a test to its interval: one family of tests, a test for each difference that may be true.

A :class:`Pivot` tests "the true difference is b" for every b, and gives a normal deviate. The p-value is the test at
zero, a margin of non-inferiority or equivalence is tested at the margin, and an interval collects the b that are not
rejected: at the quantile of one look, or at the bound of a sequential one. Test and interval then never disagree,
whatever the test is: a t test, a score test of shares, a test corrected for skewness.

Statistics that are not normal are turned into the normal deviate of the same tail probability. A group-sequential bound
for normal statistics then holds for t statistics too: each look spends the probability it was planned to spend, however
few units it has (Jennison and Turnbull 2000, Group sequential methods, section 3.8; Wassmer and Brannath 2016, section
2.3: the significance-level approach).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["End", "Pivot", "TPivot", "fieller", "invert", "normal_deviate", "t_quantile"]

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
            Above 0 where the estimate lies above the bound; it falls as the bound rises.
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


@dataclass(frozen=True)
class TPivot:
    """Student's t, or the normal distribution, about an estimate: (gap - b) ÷ its standard error.

    The test of a lift r is that of gap - r·control = 0, and its interval that of Fieller (1954), which is right however
    uncertain the control is.

    Attributes:
        control: Estimate of the control.
        gap: Treatment minus control.
        variances: Variance of the gap, variance of the control, and their covariance.
        df: Degrees of freedom; infinite for the normal distribution.
    """

    control: float
    gap: float
    variances: tuple[float, float, float]
    df: float = math.inf

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
        return normal_deviate(self.t_at(bound, relative=relative), self.df)

    def within(self, below: float, above: float, *, relative: bool = False) -> tuple[End, End]:
        """As :meth:`Pivot.within`, in closed form."""
        low, high = t_quantile(below, self.df), t_quantile(above, self.df)
        if not relative:
            se = math.sqrt(self.variances[0])
            return self.gap - low * se, self.gap + high * se
        ends = [fieller(self.control, self.gap, self.variances, abs(reach)) for reach in (low, high)]
        first, last = ends
        return (
            None if first is None else first[0] if low >= 0 else first[1],
            None if last is None else last[1] if high >= 0 else last[0],
        )


def fieller(control: float, gap: float, variances: tuple[float, float, float], q: float) -> tuple[float, float] | None:
    """Ends of the lifts r with (d - r c)² ≤ q² (V(d) - 2 r C(d,c) + r² V(c)); None where they have no bound.

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
    return math.copysign(-float(stdtrit(df, ndtr(-min(abs(z), _FARTHEST)))), z)


def invert(z_at: Callable[[float], float], z: float, *, start: float, step: float,
           limits: tuple[float, float] = (-math.inf, math.inf)) -> End:  # fmt: skip
    """The bound at which a falling family of tests has a given deviate, for pivots without a closed form.

    Args:
        z_at: The test as a function of the bound; it falls.
        z: The deviate.
        start: Where to begin, such as the estimate.
        step: A first width of the search, such as the standard error.
        limits: The smallest and largest bound there can be; their end is returned where the test does not reach ``z``
            before.

    Returns:
        The bound; None where the deviate is not reached although there is no limit.
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
