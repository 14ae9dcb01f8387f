"""What trust checks measured of the effects: outliers, skewness and power."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from reclens.tabular import Tabular

__all__ = [
    "OutlierEffect",
    "Outliers",
    "Power",
    "PowerOfEffect",
    "SkewOfEffect",
    "Skewness",
    "ToleratedSkew",
    "UnknownSkewness",
]


@dataclass(frozen=True, kw_only=True)
class OutlierEffect:
    """An effect with the largest values, and without.

    Attributes:
        metric: The metric.
        arm: The treated arm.
        largest: Largest value of a unit in the arm ``where``.
        held_by_one: Share of the arm's sum that this unit holds.
        where: The arm in which one unit holds most.
        cap: Value at which values are cut off for comparison.
        per: Denominator of a ratio.
        cap_per: Value at which the denominator is cut off.
        difference: Difference of the arms, in the unit of the metric.
        difference_cut: The same with values cut off.
        p_value: p-value that holds at this look.
        p_value_cut: The same with values cut off.
        moved_se: How far the difference moved, in standard errors.
        flips: Whether significance changes.
    """

    metric: str
    arm: str
    largest: float
    held_by_one: float
    where: str
    cap: float
    per: str | None
    cap_per: float | None
    difference: float
    difference_cut: float
    p_value: float
    p_value_cut: float
    moved_se: float
    flips: bool


@dataclass(frozen=True, kw_only=True)
class Outliers(Tabular):
    """Effects with and without the largest values.

    Attributes:
        effects: Every effect that was looked at.
        notable: Those in which a unit holds much, or that change without the largest values.
    """

    effects: tuple[OutlierEffect, ...] = ()
    notable: tuple[OutlierEffect, ...] = ()

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row an effect, for tables."""
        return [
            {name: value for name, value in asdict(each).items() if name not in ("per", "cap_per", "flips")}
            for each in self.effects
        ]


@dataclass(frozen=True, kw_only=True)
class SkewOfEffect:
    """Skewness of one difference: that of the values × imbalance of the arms ÷ √n."""

    metric: str
    arm: str
    role: str
    skewness: float
    n_control: int
    n_treatment: int


@dataclass(frozen=True, kw_only=True)
class Skewness(Tabular):
    """Skewness of the differences.

    Attributes:
        limit: Skewness up to which the test allows for it.
        effects: Skewness of each difference.
    """

    limit: float
    effects: tuple[SkewOfEffect, ...] = ()

    @property
    def worst(self) -> SkewOfEffect:
        """The most skewed difference."""
        return max(self.effects, key=lambda each: abs(each.skewness))

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row an effect, for tables."""
        return [asdict(each) for each in self.effects]


@dataclass(frozen=True, kw_only=True)
class ToleratedSkew:
    """How skewed the values of a metric may be, where the table does not tell how skewed they are.

    Attributes:
        metric: The metric.
        arm: The treated arm.
        role: Its role.
        tolerated_skewness: Skewness of the values up to which the test holds its level.
        assumed_skewness: Skewness that such values may have.
        n_control: Units of control.
        n_treatment: Units of the treated arm.
    """

    metric: str
    arm: str
    role: str
    tolerated_skewness: float
    assumed_skewness: float
    n_control: int
    n_treatment: int


@dataclass(frozen=True)
class UnknownSkewness(Tabular):
    """How skewed values may be, of metrics whose skewness is not known."""

    effects: tuple[ToleratedSkew, ...]

    @property
    def worst(self) -> ToleratedSkew:
        """The metric and arm whose test stands the least skewness."""
        return min(self.effects, key=lambda each: each.tolerated_skewness)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row an effect, for tables."""
        return [asdict(each) for each in self.effects]


@dataclass(frozen=True, kw_only=True)
class PowerOfEffect:
    """Power for a planned effect on a primary metric.

    Attributes:
        metric: The metric.
        arm: The treated arm.
        planned_effect: Smallest relative effect worth finding; None where the plan names none.
        power: Chance that it is found; NaN without one.
        detectable: Smallest relative effect that is found with the planned power.
    """

    metric: str
    arm: str
    planned_effect: float | None
    power: float
    detectable: float


@dataclass(frozen=True, kw_only=True)
class Power(Tabular):
    """Power for the planned effects.

    Attributes:
        planned: The planned power.
        at_planned_sample: Whether the sample is not yet in, so that the power is that of the planned sample.
        effects: Power of each primary metric and arm.
        more_units: Whether more units are the way out, as a later look can still decide.
    """

    planned: float
    at_planned_sample: bool
    effects: tuple[PowerOfEffect, ...] = ()
    more_units: bool = False

    @property
    def weakest(self) -> PowerOfEffect | None:
        """The effect with the least power; None where the plan names none."""
        known = [each for each in self.effects if not math.isnan(each.power)]
        return min(known, key=lambda each: each.power, default=None)

    @property
    def detectable(self) -> float | None:
        """The largest of the smallest effects that are found; None where nothing is known."""
        seen = [each.detectable for each in self.effects if not math.isnan(each.detectable)]
        return max(seen, default=None)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row an effect, for tables."""
        return [asdict(each) for each in self.effects]
