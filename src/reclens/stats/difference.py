"""The difference between two arms: the common result of all tests."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from reclens.errors import ArgumentValueError, UnknownNameError
from reclens.stats.estimate import Estimate, EstimateNote
from reclens.stats.method import Method
from reclens.stats.pivot import Pivot, TPivot, hall, t_quantile
from reclens.tabular import Tabular

__all__ = [
    "RELATIVE",
    "Difference",
    "Relative",
    "Spread",
    "Untestable",
    "difference_of",
    "normal_quantile",
    "two_sided",
    "untestable",
]

Relative = Literal["delta", "log", "fieller"]
RELATIVE: Final = ("delta", "log", "fieller")
"""How the interval of a relative lift can be made.

``delta``: the delta method, symmetric about the lift. ``log``: the delta method on the logarithm of the ratio,
symmetric in factors; it needs positive means. ``fieller``: Fieller's theorem, the lifts that the test of the difference
does not reject, so that it excludes zero where p says so; right even where the control is not far from zero.
"""

Untestable = Literal["too_few", "no_variation", "one_value", "too_few_rows"]
"""Why there is no test: an arm has too few units; nothing varies within the arms; a quantile lies within one value; an
arm showed too few rows."""

_FAR = 5.0  # standard errors between the control and zero from which on the delta method is as good as Fieller


@dataclass(frozen=True, kw_only=True)
class Difference(Tabular):
    """Treatment minus control, absolute and relative, and how it was tested.

    Attributes:
        control: Value of the control arm; adjusted where the method says so.
        treatment: Value of the treated arm.
        absolute: Treatment minus control, with its interval.
        relative: (treatment - control) ÷ |control|, with its interval.
        se: Standard error of the absolute difference.
        relative_se: Standard error of the relative difference by the delta method.
        statistic: Absolute difference ÷ standard error of the test.
        df: Degrees of freedom; infinite for the normal distribution.
        p_value: Two-sided p-value of no difference; NaN without a test.
        n_control: Units of the control arm.
        n_treatment: Units of the treated arm.
        method: How it was computed.
        notes: What to keep in mind, as codes.
        pivot: Tests of all other differences, for intervals at any quantile; None without a test.
        details: Further numbers of the method, such as the coefficients of an adjustment.
        skew: Skewness of the estimate, which the test corrects for: that of the values × imbalance of the arms ÷ √n.
        reason: Code of the reason for a missing test; None with a test.
    """

    control: float
    treatment: float
    absolute: Estimate
    relative: Estimate
    se: float
    relative_se: float
    statistic: float
    df: float
    p_value: float
    n_control: int
    n_treatment: int
    method: Method
    notes: tuple[EstimateNote, ...] = ()
    pivot: Pivot | None = None
    details: tuple[tuple[str, float], ...] = ()
    skew: float = 0.0
    reason: Untestable | None = None

    @property
    def relative_p_value(self) -> float:
        """Two-sided p-value of the relative difference ÷ its delta-method standard error.

        It tests the same hypothesis as ``p_value``; some tools report this one.
        """
        return two_sided(self.relative.value / self.relative_se, self.df) if self.relative_se > 0 else math.nan

    @property
    def testable(self) -> bool:
        """Whether there is a test."""
        return self.pivot is not None

    @property
    def z(self) -> float:
        """The test of no difference as a normal deviate, above 0 if the treatment is higher; NaN without a test."""
        return self.z_at(0.0)

    def z_at(self, bound: float, *, relative: bool = False) -> float:
        """The test of "the difference is ``bound``" as a normal deviate; NaN without a test.

        Args:
            bound: The bound, in units of the metric; or as a share of |control|, such as -0.02.
            relative: Whether it is a share.
        """
        return math.nan if self.pivot is None else self.pivot.z_at(bound, relative=relative)

    def p_above(self, bound: float, *, relative: bool = False) -> float:
        """One-sided p-value against "the difference is at most ``bound``": small means that it is above."""
        return _upper(self.z_at(bound, relative=relative))

    def p_below(self, bound: float, *, relative: bool = False) -> float:
        """One-sided p-value against "the difference is at least ``bound``": small means that it is below."""
        return _upper(-self.z_at(bound, relative=relative))

    def within(
        self, below: float, above: float | None = None, *, relative: bool = False
    ) -> tuple[float | None, float | None]:
        """The differences whose test lies between ``-above`` and ``below`` normal deviates.

        The interval excludes a difference if and only if its test at the same quantile rejects it: zero, if the
        estimate is more than ``below`` deviates above zero.

        Args:
            below: Normal deviate at the lower end, such as 1.96.
            above: Minus the normal deviate at the upper end; None for the value of ``below``.
            relative: Whether the differences are lifts; lifts over a control near zero are unbounded.

        Returns:
            Lower and upper end; None if unbounded or without a test.
        """
        if self.pivot is None:
            return None, None
        return self.pivot.within(below, below if above is None else above, relative=relative)

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        row: dict[str, Any] = {"control": self.control, "treatment": self.treatment}
        for name, estimate in (("difference", self.absolute), ("lift", self.relative)):
            row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        row |= {
            "level": self.absolute.level,
            "se": self.se,
            "statistic": self.statistic,
            "df": self.df,
            "p_value": self.p_value,
            "n_control": self.n_control,
            "n_treatment": self.n_treatment,
            "method": self.method.code,
            "reason": self.reason,
            "notes": " ".join(self.notes),
        }
        return [row]


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Variances of a difference, and their degrees of freedom.

    Attributes:
        gap: Variance of treatment minus control.
        control: Variance of the control.
        covariance: Of gap and control: minus the variance of the control where the arms are independent.
        df: Degrees of freedom; infinite for the normal distribution.
        relative_df: Degrees of freedom of the lift, in which the control has more weight; None for ``df``.
        test: Variance of the gap under no difference, if the test uses another one than the interval (a pooled one).
    """

    gap: float
    control: float
    covariance: float
    df: float = math.inf
    relative_df: float | None = None
    test: float | None = None


def difference_of(
    control: float,
    gap: float,
    *,
    spread: Spread,
    n: tuple[int, int],
    method: Method,
    level: float = 0.95,
    relative: Relative = "delta",
    pivot: Pivot | None = None,
    skew: float = 0.0,
    notes: tuple[EstimateNote, ...] = (),
    details: tuple[tuple[str, float], ...] = (),
) -> Difference:
    """A difference from an estimate and the variances of its parts.

    Args:
        control: Estimate of the control.
        gap: Treatment minus control.
        spread: Variances of the estimate, and their degrees of freedom.
        n: Units of control and treatment.
        method: In words.
        level: Confidence level.
        relative: One of ``RELATIVE``.
        pivot: The test, if not Student's t about the estimate; it then gives the p-value and both intervals.
        skew: Third cumulant of the gap ÷ its variance^1.5, for the correction of Student's test.
        notes: What to keep in mind, as codes.
        details: Further numbers.

    Raises:
        UsageError: If the level is not between 0 and 1.
        UnknownNameError: If there is no such way to a relative interval.
    """
    if not 0 < level < 1:
        raise ArgumentValueError("level", f"is {level}, expected a number between 0 and 1 such as 0.95")
    if relative not in RELATIVE:
        raise UnknownNameError("way to a relative interval", relative, RELATIVE)
    if pivot is None and not spread.gap > 0:
        few = min(n) < 2
        made = untestable(
            control,
            gap,
            n=n,
            level=level,
            method=method,
            reason="too_few" if few else "no_variation",
            note="too_few_units" if few else "no_variation",
            notes=notes,
        )
        return replace(made, df=spread.df, details=details)
    variances, z = (spread.gap, spread.control, spread.covariance), normal_quantile(level)
    se, q = math.sqrt(spread.gap), t_quantile(z, spread.df if spread.relative_df is None else spread.relative_df)
    lift, lift_se = _relative(control, gap, variances, q, relative, sum(n), level)
    inverted = pivot is not None or relative == "fieller"
    if pivot is None:
        pivot = TPivot(control=control, gap=gap, variances=variances, df=spread.df, skew=skew)
        statistic = gap / math.sqrt(spread.test if spread.test is not None and spread.test > 0 else spread.gap)
        p_value = two_sided(hall(statistic, skew), spread.df)
    else:
        statistic = pivot.z_at(0.0)
        p_value = two_sided(statistic)
    if inverted and lift.value == lift.value:  # the interval of the lift inverts the test of the difference
        low, high = pivot.within(z, z, relative=True)
        lift = replace(lift, low=low, high=high, note="control_reaches_zero" if low is None or high is None else None)
    low, high = pivot.within(z, z)
    return Difference(
        control=control,
        treatment=control + gap,
        absolute=Estimate(gap, low=low, high=high, n=sum(n), level=level),
        relative=lift,
        se=se,
        relative_se=lift_se,
        statistic=statistic,
        df=spread.df,
        p_value=p_value,
        n_control=n[0],
        n_treatment=n[1],
        method=method,
        notes=(*notes, *((lift.note,) if lift.note else ())),
        pivot=pivot,
        details=details,
        skew=skew,
    )


def untestable(
    control: float,
    gap: float,
    *,
    n: tuple[int, int],
    method: Method,
    reason: Untestable,
    note: EstimateNote,
    level: float = 0.95,
    notes: tuple[EstimateNote, ...] = (),
) -> Difference:
    """A difference without interval and test.

    Args:
        control: Estimate of the control.
        gap: Treatment minus control.
        n: Units of control and treatment.
        method: In words.
        reason: Code of the reason.
        note: Code of the reason, for the notes of its estimates.
        level: Requested confidence level.
        notes: Codes of further caveats.
    """
    missing = Estimate(gap, low=None, high=None, n=sum(n), level=level, note=note)
    lift = replace(missing, value=gap / abs(control) if control else math.nan)
    nan = math.nan
    return Difference(
        control=control,
        treatment=control + gap,
        absolute=missing,
        relative=lift,
        se=nan,
        relative_se=nan,
        statistic=nan,
        df=math.inf,
        p_value=nan,
        n_control=n[0],
        n_treatment=n[1],
        method=method,
        notes=(*notes, note),
        reason=reason,
    )


def two_sided(statistic: float, df: float = math.inf) -> float:
    """Two-sided p-value of a t statistic; of a normal one where df is infinite."""
    return 2.0 * _upper(abs(statistic), df)


def _upper(statistic: float, df: float = math.inf) -> float:
    from scipy.special import ndtr, stdtr

    return float(ndtr(-statistic) if math.isinf(df) else stdtr(df, -statistic))


def normal_quantile(level: float) -> float:
    """The two-sided normal quantile of a level: 1.96 at 0.95."""
    from scipy.special import ndtri

    return float(ndtri(0.5 + level / 2))


def _relative(
    control: float,
    gap: float,
    variances: tuple[float, float, float],
    q: float,
    how: Relative,
    units: int,
    level: float,
) -> tuple[Estimate, float]:
    """The relative lift and its standard error.

    Delta method: Var(d/c) = V(d)/c² - 2 d C(d,c)/c³ + d² V(c)/c⁴ (Casella and Berger 2002, section 5.5.4). Fieller: all
    r with (d - r c)² ≤ q² (V(d) - 2 r C(d,c) + r² V(c)) (Fieller 1954, Some problems in interval estimation).
    """
    if control == 0:
        return Estimate(math.nan, low=None, high=None, n=units, level=level, note="control_is_zero"), math.nan
    spread, of_control, shared = variances
    negative = control < 0
    if negative:  # relative to |control|, so that up stays up
        control, shared = -control, -shared
    lift = gap / control
    se = math.sqrt(max(spread - 2 * lift * shared + lift**2 * of_control, 0.0)) / control
    distance = control / math.sqrt(of_control) if of_control > 0 else math.inf
    note: EstimateNote | None = None
    low, high = lift - q * se, lift + q * se
    if how == "fieller":
        return Estimate(lift, low=None, high=None, n=units, level=level), se  # inverts the test
    if how == "log":
        ratio = 1 + lift
        if negative or ratio <= 0:
            return Estimate(lift, low=None, high=None, n=units, level=level, note="mean_not_positive"), se
        width = q * se / ratio
        low, high = ratio * math.exp(-width) - 1, ratio * math.exp(width) - 1
    elif distance < q:
        note = "control_reaches_zero"
        low = high = None
    elif distance < _FAR:
        note = "control_near_zero"
    return Estimate(lift, low=low, high=high, n=units, level=level, note=note), se
