"""Score test and exact test of two shares, for any difference or lift under the null hypothesis.

Both use the maximum-likelihood shares under the null hypothesis instead of the observed ones, so an arm with few
successes, or none, has a test and an interval. The error rate of each tail is controlled, so they test margins of
non-inferiority as well as differences, for arms of any sizes.

References: Miettinen and Nurminen (1985), Comparative analysis of two rates; Gart and Nam (1990), Approximate interval
estimation of the difference in binomial parameters, and Laud (2017), Equal-tailed confidence intervals for comparison
of rates, for the correction for skewness; Storer and Kim (1990), Exact properties of some exact test statistics for
comparing two binomial proportions, and Kang and Chen (2000), An approximate unconditional test of non-inferiority
between two proportions, for exact tails at the estimated shares.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from reclens.stats.method import MethodCode
from reclens.stats.pivot import End, invert

__all__ = ["ExactPivot", "ScorePivot", "pivot_of", "shares_at"]

Counts = tuple[int, int]
"""Units that count, and all units."""

_FEW: Final = 5  # successes or failures expected in an arm below which their chances are added up
_FARTHEST: Final = 37.0  # normal deviates beyond have no tail probability in floating point
_TIE: Final = 1e-9  # outcomes are whole numbers: a root so near to one is that one


def pivot_of(control: Counts, treatment: Counts, *, exact: bool | None = None) -> ExactPivot | ScorePivot:
    """Choose the test of two shares by the expected counts.

    Args:
        control: Units that count, and all units.
        treatment: Likewise.
        exact: Whether to use the exact test; None: if fewer than five successes or failures are expected in an arm.
    """
    pooled = (control[0] + treatment[0]) / (control[1] + treatment[1])
    few = min(control[1], treatment[1]) * min(pooled, 1 - pooled) < _FEW
    return ExactPivot(control, treatment) if (few if exact is None else exact) else ScorePivot(control, treatment)


def shares_at(
    control: tuple[float, float], treatment: tuple[float, float], bound: float, *, relative: bool = False
) -> tuple[float, float]:
    """Maximum-likelihood shares of control and treatment under a given difference or lift.

    Args:
        control: Units that count, and all units; they need not be whole.
        treatment: Likewise.
        bound: Difference of the shares, -1 … 1; or the lift over control, -1 or more.
        relative: Whether it is a lift.

    Example:
        >>> [round(share, 4) for share in shares_at((48, 80), (56, 70), 0.1)]
        [0.6515, 0.7515]

    References:
        Miettinen and Nurminen (1985), appendix I; Farrington and Manning (1990), appendix.
    """
    (x, n), (y, m) = control, treatment
    if not relative:
        share = _by_difference(x, n, y, m, bound)
        return share, min(max(share + bound, 0.0), 1.0)
    # The root of a quadratic equation, in the form that does not cancel.
    ratio = 1 + bound
    half = ratio * (m + x) + n + y
    apart = ratio * (m + x) - n - y
    below = half + math.sqrt(apart * apart + 4 * ratio * (n - x) * (m - y))  # half² - 4 φ (n + m) (x + y)
    share = min(2 * (x + y) / below, 1.0)
    return share, min(ratio * share, 1.0)


def _by_difference(x: float, n: float, y: float, m: float, delta: float) -> float:
    """Where the likelihood of (p, p + delta) is largest: the zero of its slope, which falls."""
    low, high = max(0.0, -delta), min(1.0, 1.0 - delta)
    counts = (x, y, n - x, m - y)

    def parts(p: float) -> tuple[float, float]:
        slope = curve = 0.0
        for count, at, sign in zip(counts, (p, p + delta, 1 - p, 1 - p - delta), (1, 1, -1, -1), strict=True):
            if count > 0:
                pull = count / at if at > 0 else math.inf
                slope, curve = slope + sign * pull, curve + pull * pull / count
        return slope, curve

    if low >= high or parts(low)[0] <= 0:
        return low
    if parts(high)[0] >= 0:
        return high
    p = min(max(_cubic_root(x, n, y, m, delta), low), high)
    for _ in range(100):  # Newton's steps, by halving where they leave the bracket
        slope, curve = parts(p)
        low, high = (p, high) if slope > 0 else (low, p)
        step = p + slope / curve if math.isfinite(curve) and curve > 0 else math.nan
        after = step if low < step < high else (low + high) / 2
        if abs(after - p) <= 1e-15 * p or slope == 0:
            return after if slope else p
        p = after
    return p


def _cubic_root(x: float, n: float, y: float, m: float, delta: float) -> float:
    """The closed form of Farrington and Manning (1990), to start from: it loses digits where shares are small."""
    theta = n / m
    p, q = y / m, x / n
    a, b = 1 + theta, -(1 + theta + p + theta * q + delta * (theta + 2))
    c, d = delta * delta + delta * (2 * p + theta + 1) + p + theta * q, -p * delta * (1 + delta)
    v = b**3 / (27 * a**3) - b * c / (6 * a * a) + d / (2 * a)
    u = math.copysign(math.sqrt(max(b * b / (9 * a * a) - c / (3 * a), 0.0)), v)
    turn = math.acos(min(max(v / u**3, -1.0), 1.0)) if u else 0.0
    return 2 * u * math.cos((math.pi + turn) / 3) - b / (3 * a) - delta


@dataclass(frozen=True)
class _Shares:
    """Two counts, and how tests of them are turned into intervals.

    Attributes:
        control: Units that count, and all units.
        treatment: Likewise.
    """

    control: Counts
    treatment: Counts

    def z_at(self, bound: float, *, relative: bool = False) -> float:
        """As :meth:`~reclens.stats.pivot.Pivot.z_at`."""
        raise NotImplementedError

    def within(self, below: float, above: float, *, relative: bool = False) -> tuple[End, End]:
        """As :meth:`~reclens.stats.pivot.Pivot.within`; lifts over a control share of 0 have no upper end."""
        (x, n), (y, m) = self.control, self.treatment
        p, q = (x + 0.5) / (n + 1), (y + 0.5) / (m + 1)  # where the search starts, which needs a width
        if relative:
            start, limits = q / p - 1, (-1.0, math.inf)
            step = q / p * math.sqrt((1 - p) / (n * p) + (1 - q) / (m * q))
        else:
            start, limits = q - p, (-1.0, 1.0)
            step = math.sqrt(p * (1 - p) / n + q * (1 - q) / m)
        at: Callable[[float], float] = lambda bound: self.z_at(bound, relative=relative)  # noqa: E731
        low = invert(at, below, start=start, step=step, limits=limits)
        return low, None if relative and not x else invert(at, -above, start=start, step=step, limits=limits)


@dataclass(frozen=True)
class ScorePivot(_Shares):
    """The score test of Miettinen and Nurminen, corrected for skewness.

    (q̂ - p̂ - b) ÷ its standard error at the most likely shares with the difference b, likewise q̂ - φp̂ for a ratio φ. At
    zero both are the z test of equal shares with the pooled variance, times √((N - 1)/N).

    Attributes:
        control: Units that count, and all units.
        treatment: Likewise.
        skewness: Whether the statistic is corrected for its skewness, which is large for rare successes in unequal
            arms, so that the error rate of each tail is controlled. Without it, the test is that of Miettinen and
            Nurminen (1985).
        unbiased: Whether variances are multiplied with N/(N - 1); without it, the intervals of Mee (1984) for
            differences and of Koopman (1984) for ratios.

    Example:
        >>> plain = ScorePivot((48, 80), (56, 70), skewness=False)
        >>> [round(end, 4) for end in plain.within(1.96, 1.96)]  # Newcombe (1998), table II (a), method 6
        [0.0528, 0.3382]
    """

    code: ClassVar[MethodCode] = "score"

    skewness: bool = True
    unbiased: bool = True

    def z_at(self, bound: float, *, relative: bool = False) -> float:
        """As :meth:`~reclens.stats.pivot.Pivot.z_at`."""
        if bound < -1 or (bound > 1 and not relative):
            return math.copysign(_FARTHEST, -bound)
        (x, n), (y, m) = self.control, self.treatment
        p, q = shares_at(self.control, self.treatment, bound, relative=relative)
        ratio, shift = (1 + bound, 0.0) if relative else (1.0, bound)
        away = y / m - ratio * x / n - shift
        of_control, of_treatment = ratio * ratio * p * (1 - p) / n, q * (1 - q) / m
        variance = (of_control + of_treatment) * ((n + m) / (n + m - 1) if self.unbiased else 1.0)
        if not variance > 0:
            return 0.0 if abs(away) < _TIE else math.copysign(_FARTHEST, away)
        t = away / math.sqrt(variance)
        if not self.skewness:
            return t
        third = of_treatment * (1 - 2 * q) / m - ratio * of_control * (1 - 2 * p) / n
        return _without_skewness(t, third / (6 * variance**1.5))


def _without_skewness(t: float, g: float) -> float:
    """The z with t = z + g (z² - 1): the first terms of Cornish and Fisher, g a sixth of the skewness.

    Beyond the vertex of the parabola, where the expansion says nothing, it goes on along a line.
    """
    if abs(g) < 1e-9:
        return t - g * (t * t - 1)
    inside = 1 + 4 * g * (t + g)
    if inside < 0:
        return -1 / (2 * g) + inside / (4 * g)
    return 2 * (t + g) / (1 + math.sqrt(inside))


@dataclass(frozen=True)
class ExactPivot(_Shares):
    """Exact probability of outcomes at least as extreme, at the maximum-likelihood shares under the null hypothesis.

    Outcomes are ordered by the score test of equal shares. Binomial probabilities are summed at the maximum-likelihood
    shares under the tested difference or lift. As it rises, the share of control falls and that of the treatment rises,
    so the tail probability is monotone and each test has one interval. Each tail includes the full probability of the
    observed outcome; if neither tail is below one half, the deviate is 0.

    Example:
        >>> ExactPivot((0, 10), (0, 90)).z_at(0.0)
        0.0
        >>> [round(end, 4) for end in ExactPivot((0, 10), (0, 90)).within(1.96, 1.96)]
        [-0.3085, 0.0402]
    """

    code: ClassVar[MethodCode] = "exact_score"

    def z_at(self, bound: float, *, relative: bool = False) -> float:
        """As :meth:`~reclens.stats.pivot.Pivot.z_at`."""
        from scipy.special import ndtri

        if bound < -1 or (bound > 1 and not relative):
            return math.copysign(_FARTHEST, -bound)
        shares = shares_at(self.control, self.treatment, bound, relative=relative)
        for side in (1, -1):
            tail = self._tail(*shares, side)
            if tail < 0.5:
                return -side * max(float(ndtri(tail)), -_FARTHEST)
        return 0.0

    def _tail(self, p: float, q: float, side: int) -> float:
        """Chance that the score is at least (side 1) or at most (side -1) the one seen, at some shares."""
        (x, n), (y, m) = self.control, self.treatment
        pooled = (x + y) / (n + m)
        spread = math.sqrt(pooled * (1 - pooled))
        gap = (y / m - x / n) / spread if spread > 0 else 0.0
        # Add up over the arm whose count varies less; the other's tail is in closed form.
        if n * p * (1 - p) <= m * q * (1 - q):
            return _summed(n, p, m, q, gap, side)
        return _summed(m, q, n, p, -gap, -side)


def _summed(n: int, p: float, m: int, q: float, gap: float, side: int) -> float:
    """Σ P(X = x) P(Y on the far side of the boundary at x), X of n with p and Y of m with q.

    The boundary are the y where (y/m - x/n) ÷ √(s(1-s)) is the gap, s = (x + y)/(n + m): Wilson's bounds for x/n.
    """
    from scipy.special import betainc, gammaln, xlog1py, xlogy

    width = 9 * math.sqrt(n * p * (1 - p)) + 25
    x = np.arange(max(math.floor(n * p - width), 0), min(math.ceil(n * p + width), n) + 1, dtype=np.float64)
    chance = np.exp(gammaln(n + 1) - gammaln(x + 1) - gammaln(n - x + 1) + xlogy(x, p) + xlog1py(n - x, -p))
    k, own = gap * m / (n + m), x / n
    s = (own + k * k / 2 + k * np.sqrt(own * (1 - own) + k * k / 4)) / (1 + k * k)
    # Where nobody or everybody of X counts, the score has one sign, and the other is never reached.
    y = np.where((x == 0) & (k < 0), -1.0, np.where((x == n) & (k > 0), m + 1.0, (n + m) * s - x))
    if side > 0:
        least = np.ceil(y - _TIE)
        beyond = np.where(least <= 0, 1.0, betainc(np.maximum(least, 1), np.maximum(m - least + 1, 1), q))
        beyond = np.where(least > m, 0.0, beyond)
    else:
        most = np.floor(y + _TIE)
        beyond = np.where(most >= m, 1.0, betainc(np.maximum(m - most, 1), np.maximum(most + 1, 1), 1 - q))
        beyond = np.where(most < 0, 0.0, beyond)
    return float(chance @ beyond)
