"""Hold estimates to bounds: pass, fail or cannot tell, by the whole interval.

A rule passes if every value of the interval keeps the bound, and fails if none does. Where the interval holds values of
both kinds, the data cannot tell. A value that is exact is its own interval.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from reclens.errors import UsageError
from reclens.tabular import Tabular

__all__ = ["Bound", "GateOutcome", "GateReason", "GateResult", "GateRow", "decide"]

GateOutcome = Literal["pass", "fail", "cannot_tell"]

GateReason = Literal["interval", "exact", "not_measured", "no_interval", "few_units", "low_coverage"]
"""What an outcome rests on: an interval, an exact value; or why it cannot be told: there is no value, no honest
interval, too few units, or only an interval that is known to hold the truth less often than its level."""


@dataclass(frozen=True, kw_only=True)
class Bound:
    """Where a value has to lie.

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
                raise UsageError(f"{name} is {value}, expected a finite number.")
        if self.at_least is None and self.at_most is None:
            raise UsageError("a gate needs a bound: give at_least, at_most, or both.")
        if self.tolerance < 0:
            raise UsageError(f"tolerance is {self.tolerance:g}, expected 0 or more.")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise UsageError(f"at_least ({self.at_least:g}) is above at_most ({self.at_most:g}): nothing lies between.")

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
    """Hold one estimate to a bound.

    Args:
        bound: Where it has to lie.
        value: The point estimate.
        low: Lower end of its interval; None where there is none.
        high: Upper end.
        exact: Whether the value is not an estimate but a fact, such as the coverage of the lists that are measured.
        few: Whether it rests on too few units to conclude anything.
        narrow: Whether such intervals are known to hold the truth less often than their level. Nothing passes by them.

    Returns:
        The outcome and what it rests on.

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
    """What one rule came to.

    Attributes:
        system: What was measured.
        metric: The metric.
        of: ``"value"``, or ``"difference"`` from the baseline.
        by: The segmentation; ``"overall"`` for all units.
        segment: The segment; ``"all"`` for all units.
        at_least: Lower bound as asked for; None for none.
        at_most: Upper bound as asked for; None for none.
        tolerance: How far beyond a bound the value may lie.
        value: The point estimate; NaN if nothing could be measured.
        low: Lower end of its interval; None where there is none.
        high: Upper end.
        n: Units behind it.
        level: Confidence level of the interval.
        outcome: ``"pass"``, ``"fail"`` or ``"cannot_tell"``.
        reason: What the outcome rests on.
        stops: Whether the gate is closed by this row: it failed, or it cannot be told and the rule does not let that
            through.
    """

    system: str
    metric: str
    of: Literal["value", "difference"]
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


@dataclass(frozen=True)
class GateResult(Tabular):
    """What a gate came to.

    Attributes:
        rows: One row a rule, system and segment.
    """

    rows: tuple[GateRow, ...]

    @property
    def is_open(self) -> bool:
        """Whether no row closes it. All rows have to hold, so that no correction for their number is needed."""
        return not any(row.stops for row in self.rows)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row a rule, system and segment."""
        return [asdict(row) for row in self.rows]

    def count(self, outcome: GateOutcome) -> int:
        """How many rows came to an outcome."""
        return sum(row.outcome == outcome for row in self.rows)
