"""Quantiles: of one sample by order statistics, and of the arms of an experiment, with or without ties.

A sample quantile of counts or rounded seconds is one of few values: it stays where it is when the distribution moves a
little, and jumps when it moves a little more. Neither a standard error nor a bootstrap describes that. The
mid-distribution function, P(X < x) + ½ P(X = x) at the values that occur and linear in between, moves with every row.
Its inverse, the mid-quantile, is the ordinary quantile to within the distance of neighbouring values where nothing is
tied, and lies between the values of a lattice (Parzen 2004; Ma, Genton and Parzen 2011).

At a fixed cut the function is a mean over rows, of 1 below the cut, 0 above it and a part of 1 at the two values beside
it. So "the quantile is at the cut" is a test of a mean, with a variance that clusters of rows widen; no density is
estimated. Two quantiles are compared by a cut of the control and one of the treatment, apart by the difference in
question.

References: Parzen (2004), Quantile probability and statistical data modeling; Ma, Genton and Parzen (2011), Asymptotic
properties of sample quantiles of discrete distributions; Woodruff (1952), Confidence intervals for medians and other
position measures; Deng, Knoblich and Lu (2018), Applying the delta method in metric analytics, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from reclens.errors import ArgumentValueError, UsageError
from reclens.stats.difference import (
    Difference,
    Relative,
    Spread,
    Untestable,
    difference_of,
    normal_quantile,
    untestable,
)
from reclens.stats.estimate import Estimate, EstimateNote
from reclens.stats.method import Method
from reclens.stats.pivot import End, invert

__all__ = ["MidQuantile", "QuantilePivot", "mid_quantiles", "quantile", "quantile_difference"]

_NEAR: Final = 20_000
"""Order statistics on each side of the quantile that are kept one by one; farther off, so many over the whole range."""

_UNEVEN: Final = 10.0
"""A value so many times as frequent as its neighbour leaves nothing to interpolate between them."""

_EXPECTED: Final = 4.0
"""Rows, or as many clustered ones as tell as much, that have to be expected beyond the quantile in each arm."""


def quantile(values: np.ndarray, q: float, *, level: float = 0.95) -> Estimate:
    """A sample quantile, with an interval between two order statistics.

    The number of values below the true quantile is binomial(n, q); the interval ends at the order statistics that cut
    off at most (1 - level) ÷ 2 of that distribution on each side, so that it covers with at least ``level``.

    Args:
        values: Independent values, shape (n,); NaN is left out.
        q: The quantile, between 0 and 1.
        level: Confidence level.

    Returns:
        The sample quantile (linear interpolation, Hyndman and Fan's type 7). Without an interval if n is too small: 2
        values cannot bound a median, nor 50 values a 95 % quantile.

    Raises:
        UsageError: If q or level lies outside 0 … 1.

    Example:
        >>> print(quantile(np.arange(1.0, 101.0), 0.5))
        50.5 [40, 61]

    References:
        Conover (1999), Practical nonparametric statistics, section 3.2; Hahn and Meeker (1991), Statistical intervals.
    """
    from scipy.stats import binom

    _check(q=q, level=level)
    ordered = np.sort(values[~np.isnan(values)])
    n, tail = len(ordered), (1 - level) / 2
    if not n:
        return Estimate(float("nan"), low=None, high=None, n=0, level=level, note="no_value")
    value = float(np.quantile(ordered, q))
    # P(count < low) <= tail and P(count >= high) <= tail, for the count of values below the quantile.
    low, high = int(binom.ppf(tail, n, q)), int(binom.isf(tail, n, q)) + 1
    if low < 1 or high > n:
        return Estimate(value, low=None, high=None, n=n, level=level, note="quantile_too_few")
    return Estimate(value, low=float(ordered[low - 1]), high=float(ordered[high - 1]), n=n, level=level)


@dataclass(frozen=True, eq=False, kw_only=True)
class MidQuantile:
    """The mid-quantile of one arm, and the mid-distribution function around it.

    Attributes:
        q: Which quantile.
        value: The mid-quantile.
        support: Values at which the function is known, ascending, alike in all arms that are compared; shape (s,).
        below: The function at them: share of rows below, and half of the share at the value; shape (s,).
        se: Standard error of ``below`` at the mid-quantile, a share of rows.
        n: Clusters; rows where each is its own.
        uneven: Share of the rows, over all arms, with a value near the quantile whose neighbouring value has hardly any
            rows, so that interpolation is not possible there. 0 if the counts are even.
    """

    q: float
    value: float
    support: np.ndarray
    below: np.ndarray
    se: float
    n: int
    uneven: float = 0.0

    def share_below(self, cuts: np.ndarray) -> np.ndarray:
        """The mid-distribution function, shape of ``cuts``."""
        return np.interp(cuts, self.support, self.below, left=0.0, right=1.0)

    def ends(self, level: float) -> tuple[End, End]:
        """Cuts that a test at a level does not reject as the quantile; None if they are outside the data."""
        half_width = normal_quantile(level) * self.se
        levels = self.q - half_width, self.q + half_width
        low, high = np.interp(levels, self.below, self.support).tolist()
        return (low if levels[0] > self.below[0] else None), (high if levels[1] < self.below[-1] else None)

    def estimate(self, level: float = 0.95) -> Estimate:
        """The mid-quantile with its interval; without one if :meth:`untestable` gives a reason."""
        reason, note = self.untestable(level)
        low, high = (None, None) if reason else self.ends(level)
        return Estimate(self.value, low=low, high=high, n=self.n, level=level, note=note)

    def spread(self, level: float = 0.95) -> float:
        """The standard error in units of the values: width of the interval ÷ that of a standard normal; NaN without."""
        low, high = self.ends(level)
        return math.nan if low is None or high is None else (high - low) / (2 * normal_quantile(level))

    def untestable(self, level: float = 0.95) -> tuple[Untestable, EstimateNote] | tuple[None, None]:
        """Reason for a missing interval and test, as a code and as a note; two None otherwise."""
        if self.n < 2 / min(self.q, 1 - self.q):
            return "too_few", "quantile_too_few"
        if not self.se > 0 or not self.support[0] < self.value < self.support[-1]:
            return "one_value", "quantile_at_end"
        # Of as many independent rows as would have this standard error.
        beyond = min(self.q, 1 - self.q) * self.q * (1 - self.q) / self.se**2
        low, high = self.ends(level)
        if beyond < _EXPECTED or low is None or high is None:
            return "too_few", "quantile_too_few"
        if self.uneven > 2 * normal_quantile(level) * self.se:
            return "one_value", "quantile_coarse"
        return None, None


def mid_quantiles(
    values: Sequence[np.ndarray], q: float, *, clusters: Sequence[np.ndarray | None] | None = None
) -> list[MidQuantile]:
    """Mid-quantiles of the arms to compare, over the values that occur in any of them.

    Args:
        values: For each arm, one finite value per row.
        q: Which quantile.
        clusters: For each arm, the cluster of each row (integers or names), such as the user of a page load; None if
            rows are independent.

    Returns:
        One per arm.

    Raises:
        UsageError: If q lies outside 0 … 1 or lengths differ.

    Example:
        >>> found = mid_quantiles([np.array([0.0, 1, 1, 2, 2, 2, 3, 3, 3, 4])], 0.5)[0]
        >>> round(found.value, 6)  # a share of .45 lies below 2 or is half of it, .75 for 3
        2.166667
    """
    _check(q=q)
    given = clusters if clusters is not None else [None] * len(values)
    rows = [np.asarray(each, np.float64) for each in values]
    for each, who in zip(rows, given, strict=True):
        if who is not None and len(who) != len(each):
            raise UsageError(f"{len(each):,} values and {len(who):,} clusters; expected one cluster a row.")
    ordered = [np.sort(each) for each in rows]
    support = np.unique(np.concatenate([each[_kept(len(each), q)] for each in ordered]))
    if len(support) < 2:  # a single value, or none: nothing to test
        value = float(support[0]) if len(support) else math.nan
        return [
            MidQuantile(q=q, value=value, support=support, below=np.full(len(support), 0.5), se=0.0, n=len(each))
            for each in rows
        ]
    sides = [
        [np.searchsorted(each, support, side) / max(len(each), 1) for side in ("left", "right")] for each in ordered
    ]
    atoms = np.mean([high - low for low, high in sides], axis=0)
    return [
        _mid_quantile(each, who, q, support, (low + high) / 2, atoms)
        for each, who, (low, high) in zip(rows, given, sides, strict=True)
    ]


def _kept(n: int, q: float) -> np.ndarray:
    """Positions of the order statistics that are kept: all about the quantile, and some over the whole range."""
    if n <= 4 * _NEAR:
        return np.arange(n)
    middle = round(q * n)
    near = np.arange(max(middle - _NEAR, 0), min(middle + _NEAR, n))
    return np.union1d(near, np.linspace(0, n - 1, _NEAR).astype(np.int64))


def _mid_quantile(
    rows: np.ndarray, clusters: np.ndarray | None, q: float, support: np.ndarray, below: np.ndarray, atoms: np.ndarray
) -> MidQuantile:
    if not len(rows):
        return MidQuantile(q=q, value=math.nan, support=support, below=below, se=0.0, n=0)
    value = float(np.interp(q, below, support))
    at = min(max(int(np.searchsorted(support, value, "right")) - 1, 0), len(support) - 2)
    low, high = support[at], support[at + 1]
    part = (value - low) / (high - low)
    # Its mean is q: the variance is that under the null hypothesis too.
    inside = (rows < low) + (rows == low) * (0.5 + 0.5 * part) + (rows > low) * (rows < high) * part
    inside = inside + (rows == high) * (0.5 * part)
    size = np.ones(len(rows))
    if clusters is not None:
        codes = np.unique(clusters, return_inverse=True)[1]
        inside, size = np.bincount(codes, inside), np.bincount(codes).astype(np.float64)
    n = len(size)
    left = inside - q * size
    variance = n / (n - 1) * float(left @ left) / len(rows) ** 2 if n > 1 else math.inf
    pair = atoms[at : at + 2]
    uneven = float(pair.max()) if pair.max() > _UNEVEN * pair.min() else 0.0
    return MidQuantile(q=q, value=value, support=support, below=below, se=math.sqrt(variance), n=n, uneven=uneven)


@dataclass(frozen=True, eq=False)
class QuantilePivot:
    """Tests of the difference of two quantiles, by the shares of rows below two cuts.

    If the quantile of the treatment is that of the control plus b, some cut c is the quantile of the control and c + b
    that of the treatment. With u and v the distances of the two shares from q in standard errors, the statistic is the
    least √(u² + v²) over c. For a lift r the second cut is c · (1 + r).

    The minimum is at u ÷ s + v ÷ t = 0, with s and t the standard errors of the two quantiles: a function that
    increases in c. A direct minimum over the cuts would overfit single rows and be too small.

    Attributes:
        control: Its mid-quantile.
        treatment: Likewise, over the same support.
        spreads: s and t.
    """

    control: MidQuantile
    treatment: MidQuantile
    spreads: tuple[float, float]

    def z_at(self, bound: float, *, relative: bool = False) -> float:
        """As :meth:`~reclens.stats.pivot.Pivot.z_at`."""
        base, value = self.control.value, self.treatment.value
        sign = -1.0 if base < 0 else 1.0
        factor, shift = (1 + sign * bound, 0.0) if relative else (1.0, bound)
        away = value - (factor * base + shift)
        if away == 0:
            return 0.0
        if factor <= 0:  # a lift of -100 % or less: the cut of the control cannot make up for it
            u, v = 0.0, self._distance(self.treatment, np.array([factor * base + shift]))[0]
        else:
            u, v = self._least(factor, shift)
        return math.copysign(math.hypot(u, float(v)), away)

    def _least(self, factor: float, shift: float) -> tuple[float, float]:
        """U and v at the cut where u ÷ s + v ÷ t = 0."""
        base, other = self.control.value, (self.treatment.value - shift) / factor
        weights = 1 / self.spreads[0], factor / self.spreads[1]
        cuts = np.linspace(min(base, other), max(base, other), 33)
        for _ in range(4):
            total = weights[0] * self._distance(self.control, cuts)
            total += weights[1] * self._distance(self.treatment, factor * cuts + shift)
            at = min(max(int(np.searchsorted(total, 0.0)) - 1, 0), 31)
            cuts = np.linspace(cuts[at], cuts[at + 1], 33)
        ends = cuts[[0, -1]]
        u, v = self._distance(self.control, ends), self._distance(self.treatment, factor * ends + shift)
        first, last = (weights[0] * u + weights[1] * v).tolist()
        part = min(max(-first / (last - first), 0.0), 1.0) if last > first else 0.5
        return float(u[0] + part * (u[1] - u[0])), float(v[0] + part * (v[1] - v[0]))

    @staticmethod
    def _distance(arm: MidQuantile, cuts: np.ndarray) -> np.ndarray:
        return (arm.share_below(cuts) - arm.q) / arm.se

    def within(self, below: float, above: float, *, relative: bool = False) -> tuple[End, End]:
        """As :meth:`~reclens.stats.pivot.Pivot.within`."""
        gap, scale = self.treatment.value - self.control.value, abs(self.control.value)
        step = math.hypot(*self.spreads) / 4
        if relative:
            if not scale:
                return None, None
            gap, step = gap / scale, step / scale

        def end(z: float) -> End:
            return invert(lambda bound: self.z_at(bound, relative=relative), z, start=gap, step=step)

        return end(below), end(-above)


def quantile_difference(
    control: MidQuantile, treatment: MidQuantile, *, level: float = 0.95, relative: Relative = "fieller"
) -> Difference:
    """The difference of the quantiles of two arms, by :class:`QuantilePivot`.

    Args:
        control: From :func:`mid_quantiles`.
        treatment: From the same call.
        level: Confidence level.
        relative: How the standard error of the lift is stated; its interval is that of the test.

    Returns:
        The difference; without a test if :meth:`MidQuantile.untestable` gives a reason for an arm.

    Raises:
        UsageError: If the arms are of different quantiles or were not summed up together.
    """
    if control.q != treatment.q or control.support is not treatment.support:
        raise UsageError("the arms have different quantiles or supports; expected both from one call of mid_quantiles.")
    gap, n = treatment.value - control.value, (control.n, treatment.n)
    method = Method(code="mid_quantiles", quantile=control.q)
    for arm in (control, treatment):
        reason, note = arm.untestable(level)
        if reason is not None and note is not None:
            return untestable(control.value, gap, n=n, level=level, method=method, reason=reason, note=note)
    spreads = control.spread(level), treatment.spread(level)
    return difference_of(
        control.value,
        gap,
        spread=Spread(gap=spreads[0] ** 2 + spreads[1] ** 2, control=spreads[0] ** 2, covariance=-(spreads[0] ** 2)),
        n=n,
        level=level,
        relative=relative,
        method=method,
        pivot=QuantilePivot(control, treatment, spreads),
    )


def _check(**shares: float) -> None:
    for name, value in shares.items():
        if not 0 < value < 1:
            raise ArgumentValueError(name, f"is {value}, expected a number between 0 and 1.")
