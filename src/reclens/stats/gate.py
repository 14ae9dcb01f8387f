"""Check estimates against bounds: pass, fail or cannot tell, by the whole interval.

A rule passes if all values of the interval are within the bound, and fails if none is. If the interval contains both
kinds of values, the data cannot tell. An exact value is its own interval.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from reclens.errors import ArgumentValueError, ArgumentValuesError, UsageError
from reclens.stats.estimate import Estimate
from reclens.tabular import Tabular

__all__ = ["Bound", "GateOutcome", "GateReason", "GateResult", "GateRow", "decide", "judge"]

GateOutcome = Literal["pass", "fail", "cannot_tell"]

GateReason = Literal["interval", "exact", "not_measured", "no_interval", "few_units", "low_coverage"]
"""What an outcome rests on: an interval, an exact value; or why it cannot be told: there is no value, no honest
interval, too few units, or only an interval that is known to hold the truth less often than its level."""


@dataclass(frozen=True, kw_only=True)
class Bound:
    """Bounds of a value.

    Attributes:
        at_least: Lower bound, in the unit of the value; None for none.
        at_most: Upper bound; None for none.
        tolerance: How far beyond a bound the value may lie, in its unit.

    Raises:
        UsageError: If there is no bound, a number is not finite, the tolerance is negative, or the bounds cross.
    """

    at_least: float | None = None
    at_most: float | None = None
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        given = {"at_least": self.at_least, "at_most": self.at_most, "tolerance": self.tolerance}
        for name, value in given.items():
            if value is not None and not math.isfinite(value):
                raise ArgumentValueError(name, f"is {value}, expected a finite number.")
        if self.at_least is None and self.at_most is None:
            raise UsageError("a gate needs a bound: give at_least, at_most, or both.")
        if self.tolerance < 0:
            raise ArgumentValueError("tolerance", f"is {self.tolerance:g}, expected 0 or more")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ArgumentValuesError(
                {"at_least": self.at_least, "at_most": self.at_most}, "a bound below and one above it"
            )

    @property
    def low(self) -> float:
        """The smallest value that is let through; -inf for no bound."""
        return -math.inf if self.at_least is None else self.at_least - self.tolerance - self._rounding

    @property
    def high(self) -> float:
        """The largest value that is let through; inf for no bound."""
        return math.inf if self.at_most is None else self.at_most + self.tolerance + self._rounding

    @property
    def _rounding(self) -> float:
        # 0.2 - 0.05 is 0.15000000000000002, and a value of 0.15 keeps the bound.
        return 1e-12 * (max(abs(self.at_least or 0.0), abs(self.at_most or 0.0)) + self.tolerance)


def decide(
    bound: Bound,
    value: float,
    low: float | None,
    high: float | None,
    *,
    exact: bool = False,
    few: bool = False,
    narrow: bool = False,
) -> tuple[GateOutcome, GateReason]:
    """Check one estimate against a bound.

    Args:
        bound: The bounds.
        value: The point estimate.
        low: Lower end of its interval, or None.
        high: Upper end.
        exact: Whether the value is exact and not an estimate, such as the coverage of the evaluated lists.
        few: Whether there are too few units for a conclusion.
        narrow: Whether the coverage of such intervals is known to be below their level. Nothing passes by them.

    Returns:
        The outcome and its reason.

    Example:
        >>> decide(Bound(at_least=0.25, tolerance=0.01), 0.26, 0.245, 0.275)
        ('pass', 'interval')
        >>> decide(Bound(at_least=0.25), 0.26, 0.245, 0.275)
        ('cannot_tell', 'interval')
    """
    if math.isnan(value):
        return "cannot_tell", "not_measured"
    if few:
        return "cannot_tell", "few_units"
    if exact:
        return ("pass" if bound.low <= value <= bound.high else "fail"), "exact"
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return "cannot_tell", "no_interval"
    if bound.low <= low and high <= bound.high:
        return ("cannot_tell", "low_coverage") if narrow else ("pass", "interval")
    return ("fail" if high < bound.low or low > bound.high else "cannot_tell"), "interval"


@dataclass(frozen=True, kw_only=True)
class GateRow:
    """The result of one rule.

    Attributes:
        system: The evaluated system.
        metric: The metric.
        of: ``"value"``; ``"difference"`` from the baseline; of an audit also the ``"ratio"`` to the reference, or the
            ``"impact"``: the ratio with harm below 1.
        by: The segmentation; ``"overall"`` for all units.
        segment: The segment; ``"all"`` for all units.
        at_least: Lower bound of the rule, or None.
        at_most: Upper bound of the rule, or None.
        tolerance: How far beyond a bound the value may lie.
        value: The point estimate; NaN if nothing could be measured.
        low: Lower end of its interval, or None.
        high: Upper end.
        n: Units behind it.
        level: Confidence level of the interval.
        outcome: ``"pass"``, ``"fail"`` or ``"cannot_tell"``.
        reason: The reason of the outcome.
        stops: Whether this row closes the gate: it failed, or it cannot be decided and the rule does not accept that.
    """

    system: str
    metric: str
    of: Literal["value", "difference", "ratio", "impact"]
    by: str
    segment: str
    at_least: float | None
    at_most: float | None
    tolerance: float
    value: float
    low: float | None
    high: float | None
    n: int
    level: float
    outcome: GateOutcome
    reason: GateReason
    stops: bool


def judge(
    bound: Bound,
    found: Estimate,
    *,
    system: str,
    metric: str,
    of: Literal["value", "difference", "ratio", "impact"],
    by: str,
    segment: str,
    unsure: Literal["fail", "pass"],
    n: int | None = None,
    exact: bool = False,
    few: bool = False,
    narrow: bool = False,
) -> GateRow:
    """The row of one rule and one estimate.

    Args:
        bound: Where the estimate has to lie.
        found: The estimate.
        system: See :class:`GateRow`, as are the next four.
        metric: What was measured.
        of: Which number of it.
        by: The segmentation.
        segment: The segment.
        unsure: What becomes of the gate if this cannot be told.
        n: Units behind it; None for those of the estimate.
        exact: As for :func:`decide`.
        few: As for :func:`decide`.
        narrow: As for :func:`decide`.
    """
    outcome, reason = decide(bound, found.value, found.low, found.high, exact=exact, few=few, narrow=narrow)
    return GateRow(
        system=system,
        metric=metric,
        of=of,
        by=by,
        segment=segment,
        at_least=bound.at_least,
        at_most=bound.at_most,
        tolerance=bound.tolerance,
        value=found.value,
        low=found.low,
        high=found.high,
        n=found.n if n is None else n,
        level=found.level,
        outcome=outcome,
        reason=reason,
        stops=outcome == "fail" or (outcome == "cannot_tell" and unsure == "fail"),
    )


@dataclass(frozen=True)
class GateResult(Tabular):
    """The result of a gate.

    Attributes:
        rows: One row per rule, system and segment.
    """

    rows: tuple[GateRow, ...]

    @property
    def is_open(self) -> bool:
        """Whether no row closes the gate. All rows have to pass, so that no correction for multiple tests is needed."""
        return not any(row.stops for row in self.rows)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per rule, system and segment."""
        return [asdict(row) for row in self.rows]

    def count(self, outcome: GateOutcome) -> int:
        """Number of rows with an outcome."""
        return sum(row.outcome == outcome for row in self.rows)
