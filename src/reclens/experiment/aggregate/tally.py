"""Faulty rows, counted in each arm, and whether the arms have as many of them as chance gives.

What is tested is the share of faulty rows of a unit: it lies between 0 and 1 however long the unit's log is, units are
independent, and it stays the same where an arm has more events of which as many are faulty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from reclens.stats.counts import mean_scores, sample_ratio
from reclens.tabular import Tabular

__all__ = ["Coarser", "Counted", "Tally", "TallyCode", "added"]

TallyCode = Literal["missing_events", "missing_units", "duplicate_rows", "extreme_units"]

Handled = Literal["left_out", "unsaid", "zero", "kept", "dropped", "not_checked"]
"""What was done: left out as the plan says; left out though it does not say; counted as 0; kept; dropped; nothing."""

_FEW = 20.0  # faulty units that an arm is expected to have, below which the test is the exact one


class Counted(NamedTuple):
    """Units of an arm, how many have a faulty row, faulty rows and all rows (or amounts), Σ and Σ² of their shares."""

    units: int
    faulty: int
    rows: float
    of_rows: float
    shares: float
    squares: float


@dataclass(frozen=True, kw_only=True)
class Tally(Tabular):
    """One kind of faulty rows or units, by arm.

    Attributes:
        code: What is wrong with them.
        column: The columns that it was looked for in, or what was counted.
        handled: What was done with them.
        arms: Arm -> counts; empty where there is none at all.
        limit: Value above which a unit is extreme.
    """

    code: TallyCode
    column: str
    handled: Handled
    arms: Mapping[str, Counted]
    limit: float | None = None

    @property
    def found(self) -> int:
        """Units with a faulty row, over all arms."""
        return sum(each.faulty for each in self.arms.values())

    @property
    def p_value(self) -> float:
        """p-value of equal shares in all arms: exact for few faulty units, else Pearson's chi-square of mean shares."""
        counted = [each for each in self.arms.values() if each.units]
        if not self.found or len(counted) < 2:
            return 1.0
        units = [each.units for each in counted]
        if self.found * min(units) / sum(units) < _FEW:
            return sample_ratio([each.faulty for each in counted], units).p_value
        return mean_scores(units, [each.shares for each in counted], [each.squares for each in counted]).p_value

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row an arm, for tables."""
        p = self.p_value
        return [
            {
                "code": self.code,
                "column": self.column,
                "handled": self.handled,
                "arm": arm,
                "units": each.units,
                "faulty_units": each.faulty,
                "rows": each.of_rows,
                "faulty_rows": each.rows,
                "share": each.rows / each.of_rows if each.of_rows else 0.0,
                "limit": self.limit,
                "p_value": p,
            }
            for arm, each in self.arms.items()
        ]

    def __add__(self, other: Tally) -> Tally:
        arms = dict(self.arms)
        for arm, each in other.arms.items():
            arms[arm] = _both(arms[arm], each) if arm in arms else each
        return replace(self, arms=arms)


def _both(a: Counted, b: Counted) -> Counted:
    return Counted(
        a.units + b.units,
        a.faulty + b.faulty,
        a.rows + b.rows,
        a.of_rows + b.of_rows,
        a.shares + b.shares,
        a.squares + b.squares,
    )


def added(first: tuple[Tally, ...], second: tuple[Tally, ...]) -> tuple[Tally, ...]:
    """The tallies of both sets of units; those of one kind and column are added up."""
    found = {(each.code, each.column): each for each in first}
    for each in second:
        key = each.code, each.column
        found[key] = found[key] + each if key in found else each
    return tuple(found.values())


@dataclass(frozen=True, kw_only=True)
class Coarser(Tabular):
    """A column of ids each of which has several units: was it that id that was randomised?

    Attributes:
        column: The column.
        groups: Ids with two units or more.
        one_arm: Those all of whose units stand in one arm.
        expected: As many of them as stand in one arm by chance where units are randomised one by one.
        p_value: Binomial p-value of so many or more.
    """

    column: str
    groups: int
    one_arm: int
    expected: float
    p_value: float

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [
            {
                "column": self.column,
                "ids": self.groups,
                "in_one_arm": self.one_arm,
                "expected": self.expected,
                "p_value": self.p_value,
            }
        ]
