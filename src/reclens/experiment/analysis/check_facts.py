"""What trust checks measured: one typed record for each kind of check."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reclens.experiment.aggregate.aggregates import Rule
from reclens.experiment.aggregate.tally import Coarser, Tally
from reclens.experiment.aggregate.unknown import Unknown
from reclens.experiment.analysis.effect_facts import Outliers, Power, Skewness, UnknownSkewness
from reclens.experiment.analysis.interim import InterimAnalysis
from reclens.stats.difference import Difference
from reclens.tabular import Tabular

__all__ = [
    "CheckFacts",
    "Compared",
    "ComparedArm",
    "FaultCode",
    "NotKnown",
    "Progress",
    "RatioPart",
    "RowFault",
    "RowFaults",
    "RowRules",
    "SampleRatio",
    "SharedIds",
    "Weeks",
]


@dataclass(frozen=True, kw_only=True)
class RatioPart:
    """Units of each arm in one part of an experiment, against the planned shares.

    Attributes:
        by: The segmentation; ``day``, or ``overall``.
        segment: The segment or day.
        counts: Arm -> units.
        p_value: Of the planned shares.
        p_adjusted: The same, adjusted over all days and segments (Holm).
    """

    by: str
    segment: str
    counts: Mapping[str, int]
    p_value: float
    p_adjusted: float


@dataclass(frozen=True, kw_only=True)
class SampleRatio(Tabular):
    """Units of each arm, overall, by day and by segment.

    Attributes:
        shares: Arm -> planned share.
        overall: All units.
        parts: Days and segments.
        off: Those that differ beyond chance, the least likely first.
    """

    shares: Mapping[str, float]
    overall: RatioPart
    parts: tuple[RatioPart, ...] = ()
    off: tuple[RatioPart, ...] = ()

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row a part, for tables."""
        return [
            {
                "by": each.by,
                "segment": each.segment,
                **each.counts,
                "p_value": each.p_value,
                "p_adjusted": each.p_adjusted,
            }
            for each in (self.overall, *self.parts)
        ]


@dataclass(frozen=True, kw_only=True)
class ComparedArm:
    """A metric or a covariate of an arm against control, where treatment cannot have changed it.

    Attributes:
        name: The metric or covariate.
        arm: The treated arm.
        found: The difference, in the unit of the metric.
        p_adjusted: Its p-value, adjusted over all that were compared (Holm).
    """

    name: str
    arm: str
    found: Difference
    p_adjusted: float

    @property
    def standardised(self) -> float:
        """The difference in standard deviations, from its error: d / (se · √(1/n + 1/n))."""
        found = self.found
        spread = found.se / math.sqrt(1 / found.n_control + 1 / found.n_treatment) if found.se > 0 else math.nan
        return float(found.absolute.value / spread)


@dataclass(frozen=True, kw_only=True)
class Compared(Tabular):
    """What has to be alike in all arms.

    Attributes:
        of: ``metric`` of units that were not triggered, or ``covariate`` measured before.
        arms: What was compared.
    """

    of: Literal["metric", "covariate"]
    arms: tuple[ComparedArm, ...] = ()

    @property
    def worst(self) -> ComparedArm | None:
        """The least likely difference; None where nothing could be tested."""
        tested = [each for each in self.arms if not math.isnan(each.p_adjusted)]
        return min(tested, key=lambda each: each.p_adjusted, default=None)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row a comparison, for tables."""
        more = self.of == "covariate"
        return [
            {
                self.of: each.name,
                "arm": each.arm,
                **each.found.to_dicts()[0],
                **({"standardised": each.standardised} if more else {}),
                "p_adjusted": each.p_adjusted,
            }
            for each in self.arms
        ]


@dataclass(frozen=True)
class RowRules(Tabular):
    """What was found and done on the way to the sums."""

    rules: tuple[Rule, ...] = ()

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row a rule, for tables."""
        return [row for each in self.rules for row in each.to_dicts()]


FaultCode = Literal[
    "none",
    "not_checked",
    "lost_unevenly",
    "meaning_unsaid",
    "counted_as_zero",
    "left_out",
    "repeated_unevenly",
    "counted_once",
    "counted_every_time",
    "extreme_unevenly",
    "extreme",
]
"""What was found of one kind of faulty rows, and what was done with them."""


@dataclass(frozen=True, kw_only=True)
class RowFault:
    """One kind of faulty rows.

    Attributes:
        code: What was found.
        status: What it means for the check.
        tally: The rows, counted by arm.
        p_adjusted: Of equal shares in all arms, adjusted over the tallies of the check (Holm).
        uneven: Whether the arms differ beyond chance.
    """

    code: FaultCode
    status: Literal["pass", "warn", "fail", "skipped"]
    tally: Tally
    p_adjusted: float
    uneven: bool


@dataclass(frozen=True)
class RowFaults(Tabular):
    """Missing, duplicated or extreme rows."""

    faults: tuple[RowFault, ...] = ()

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row a fault and arm, for tables."""
        return [{**row, "p_adjusted": each.p_adjusted} for each in self.faults for row in each.tally.to_dicts()]


@dataclass(frozen=True)
class SharedIds(Tabular):
    """Ids that several units share.

    Attributes:
        ids: The columns of such ids.
        together: Those whose units stand in one arm more often than chance.
    """

    ids: tuple[Coarser, ...]
    together: tuple[Coarser, ...] = ()

    @property
    def worst(self) -> Coarser:
        """The id whose units stand together most."""
        return min(self.together, key=lambda each: each.expected / each.groups)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row an id, for tables."""
        return [row for each in self.ids for row in each.to_dicts()]


@dataclass(frozen=True)
class Progress(Tabular):
    """How far the experiment is, as its interim analysis has it."""

    interim: InterimAnalysis

    def to_dicts(self) -> list[dict[str, Any]]:
        """No row: the readout shows the interim analysis by itself."""
        return []


@dataclass(frozen=True)
class Weeks(Tabular):
    """Days of the experiment.

    Attributes:
        days: From the first to the last, both counted; 0 where they were not gathered.
        of_log: Whether they are those of a log; else those on which units came in.
    """

    days: int
    of_log: bool = False

    def to_dicts(self) -> list[dict[str, Any]]:
        """No row: the days stand in the sentence."""
        return []


@dataclass(frozen=True)
class NotKnown(Tabular):
    """What the table cannot tell, so that the check was skipped."""

    unknown: tuple[Unknown, ...]

    def to_dicts(self) -> list[dict[str, Any]]:
        """No row: the readout lists what is not known by itself."""
        return []


CheckFacts = (
    SampleRatio
    | Compared
    | RowRules
    | RowFaults
    | SharedIds
    | Outliers
    | Skewness
    | UnknownSkewness
    | Progress
    | Power
    | Weeks
    | NotKnown
)
"""What a check measured; which kind it is follows from the code of the check, but for :class:`NotKnown`."""
