"""What an experiment is read from: sums by arm, day and segment, that add over days, partitions and machines.

The shape is plain enough for any engine that can group and add. One row a cell:

``arm, day, by, segment, n, sum:COLUMN …, product:COLUMN:COLUMN …, product:COLUMN:COLUMN:COLUMN …``

- A row sums up *units* (users, as a rule), each of which stands in one arm and on one day: that of its first exposure.
- ``by = 'overall'``, ``segment = 'all'`` is every unit of the arm and day; ``by = 'activity'``, ``segment = 'heavy'`` a
  part of them. ``day`` is null where days do not matter.
- ``sum:c`` is Σ(c - shift), ``product:a:b`` is Σ(a - shift)(b - shift), with one shift a column, which may be 0 and
  stands in ``shift:c``. Products are needed for pairs of columns of one metric; where arms differ in size, those of
  three columns let the tests allow for skewed values.

:meth:`Aggregates.of_rows` reads such rows, whoever made them;
:func:`reclens.experiment.aggregate.gather.gather` makes them by DuckDB.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from itertools import combinations_with_replacement
from typing import Any, Final, Literal

import numpy as np

from reclens.errors import Advice, IncomparableError, Setting, UnknownNameError, UsageError
from reclens.experiment.aggregate.metric_columns import MetricColumns
from reclens.experiment.aggregate.tally import Coarser, Tally, added
from reclens.experiment.aggregate.unknown import Unknown
from reclens.stats.moments import Moments
from reclens.tabular import Tabular

__all__ = ["LEFT_OUT", "OVERALL", "Aggregates", "Cell", "OutlierSummary", "Rule", "RuleCode"]

Cell = tuple[str, str | None, str, str]
"""Arm, day (ISO date, or None), segmentation and segment."""

OVERALL = ("overall", "all")
"""The segmentation and segment of all units."""

RuleCode = Literal["two_arms", "unknown_arms", "missing_covariate", "one_unit", "no_variance"]

LEFT_OUT: Final[frozenset[RuleCode]] = frozenset({"two_arms", "unknown_arms"})
"""Codes of rules that leave units out."""


_GATHER_ALIKE: Final = Advice(
    "gather_alike",
    (Setting("indicators", True),),
    "Gather both by one plan; {indicators} keeps the columns alike where covariates are missing in one of them, and "
    'missing = "leave_out" of a metric where its values are.',
)


@dataclass(frozen=True, kw_only=True)
class Rule(Tabular):
    """What was found or done on the way to the sums.

    Attributes:
        code: What it is: units in two arms or of unknown arms left out, missing covariates counted as 0 with an
            indicator, an arm of one unit, or a metric without variance.
        count: Units that it is about.
        arm: The arm, where it is about one.
        metric: The metric, where it is about one.
        column: The column, where it is about one.
        table: The table, where it is about one.
        arms: Unknown arm -> its units; an empty name stands for a missing one.
    """

    code: RuleCode
    count: int
    arm: str | None = None
    metric: str | None = None
    column: str | None = None
    table: str | None = None
    arms: Mapping[str, int] = field(default_factory=dict)

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [
            {
                "code": self.code,
                "count": self.count,
                "arm": self.arm,
                "metric": self.metric,
                "column": self.column,
                "table": self.table,
                "arms": ", ".join(self.arms) or None,
            }
        ]


@dataclass(frozen=True, eq=False, kw_only=True)
class OutlierSummary:
    """The largest values of metrics that are sums or amounts.

    Attributes:
        caps: Metric -> value at the 99.9 % quantile over all arms, or the fence of extreme values where that is lower:
            more than one unit in a thousand may be a bot.
        largest: Metric and arm -> largest value of a user in the arm.
        top10_sum: Metric and arm -> sum of the ten largest.
        metric_columns: Metric -> its columns in ``arms``.
        arms: Arm -> moments with the values cut off.
        below: Ratio -> value at which its denominator is cut off: cut off above alone, a busy unit would seem to fail.
        extremes: Units with extreme values of a metric or an extreme number of events, by arm.
    """

    caps: Mapping[str, float]
    largest: Mapping[tuple[str, str], float]
    top10_sum: Mapping[tuple[str, str], float]
    metric_columns: Mapping[str, MetricColumns]
    arms: Mapping[str, Moments]
    below: Mapping[str, float]
    extremes: tuple[Tally, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Aggregates(Tabular):
    """Moments by arm, day and segment. Add two of disjoint units with ``+``.

    Attributes:
        arms: The arms, in the order of the plan.
        columns: The columns.
        cells: Moments of each cell.
        rules: What was found and done on the way.
        indicators: Covariates that are missing for some units, and the columns that count units with a value.
        rows: The column that counts rows, if the unit of the aggregates is a cluster; otherwise None.
        tails: The largest values, if they were collected; they are not additive, and ``+`` leaves them out.
        tallies: Faulty rows, by arm.
        coarser: Ids that several units share, and that may be the randomised unit.
        untriggered: Sums of the other units, where these are of triggered ones.
        unknown: Codes of what cannot be derived from the table.
        ran: First and last day of a log (ISO dates): from the start to its last event, whoever came in first then.
    """

    arms: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[Cell, Moments]
    rules: tuple[Rule, ...] = ()
    indicators: tuple[str, ...] = ()
    rows: str | None = None
    tails: OutlierSummary | None = None
    tallies: tuple[Tally, ...] = ()
    coarser: tuple[Coarser, ...] = ()
    untriggered: Aggregates | None = None
    ran: tuple[str, str] | None = None
    unknown: tuple[Unknown, ...] = ()

    @classmethod
    def of_rows(
        cls,
        rows: Iterable[Mapping[str, Any]],
        *,
        arms: Sequence[str],
        indicators: Sequence[str] = (),
        counts_rows: str | None = None,
    ) -> Aggregates:
        """Read sums from rows of the shape that the module describes, from any engine.

        Raises:
            UsageError: If a row lacks ``arm``, ``n`` or every sum, or there is no row.

        Example:
            >>> rows = [{"arm": "old", "n": 2, "sum:y": 3.0, "product:y:y": 5.0},
            ...         {"arm": "new", "n": 2, "sum:y": 4.0, "product:y:y": 10.0}]
            >>> Aggregates.of_rows(rows, arms=["old", "new"]).arm("new").value("y")
            2.0
        """
        cells: dict[Cell, Moments] = {}
        columns: tuple[str, ...] = ()
        for row in rows:
            sums = {key.removeprefix("sum:"): value for key, value in row.items() if key.startswith("sum:")}
            if "arm" not in row or "n" not in row or not sums:
                raise UsageError(f"a row has the columns {', '.join(row)}; expected arm, n, sum:COLUMN and product:…")
            products = {
                _factors(key.removeprefix("product:"), sums): value
                for key, value in row.items()
                if key.startswith("product:") and value is not None
            }
            shifts = {key.removeprefix("shift:"): float(value) for key, value in row.items() if key[:6] == "shift:"}
            filled = {name: 0.0 if value is None else float(value) for name, value in sums.items()}
            day = row.get("day")
            at = (
                str(row["arm"]),
                None if day is None else str(day),
                str(row.get("by") or OVERALL[0]),
                str(row.get("segment") or OVERALL[1]),
            )
            part = Moments.of_sums(int(row["n"]), filled, products, shifts=shifts)
            cells[at] = cells[at] + part if at in cells else part
            columns = part.columns
        if not cells:
            raise UsageError("there are no rows of sums; expected one an arm at least.")
        return cls(
            arms=tuple(arms), columns=columns, cells=cells, rules=(), indicators=tuple(indicators), rows=counts_rows
        )

    def __add__(self, other: Aggregates) -> Aggregates:
        """The sums over both sets of units; the caller sees to it that no unit stands in both.

        Raises:
            IncomparableError: If arms or columns differ.
        """
        for name in ("arms", "columns", "rows"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise IncomparableError(
                    f"sums differ in {name} ({mine} and {theirs}), so that they cannot be added", advice=_GATHER_ALIKE
                )
        cells = dict(self.cells)
        for cell, moments in other.cells.items():
            cells[cell] = cells[cell] + moments if cell in cells else moments
        indicators = tuple(dict.fromkeys((*self.indicators, *other.indicators)))
        spans = [each for each in (self.ran, other.ran) if each is not None]
        ran = (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None
        return replace(
            self,
            cells=cells,
            rules=(*self.rules, *other.rules),
            indicators=indicators,
            tails=None,
            ran=ran,
            tallies=added(self.tallies, other.tallies),
            coarser=(*self.coarser, *other.coarser),
            unknown=tuple(dict.fromkeys((*self.unknown, *other.unknown))),
        )

    @cached_property
    def _parts(self) -> Mapping[tuple[str, str, str], Sequence[tuple[str | None, Moments]]]:
        """Arm, segmentation and segment -> days and moments: a thousand segments are not walked for each of them."""
        found: dict[tuple[str, str, str], list[tuple[str | None, Moments]]] = {}
        for (arm, day, by, segment), moments in self.cells.items():
            found.setdefault((arm, by, segment), []).append((day, moments))
        return found

    @property
    def days(self) -> tuple[str, ...]:
        """The days of first exposure, in order; empty where days were not gathered."""
        return tuple(sorted({day for _, day, _, _ in self.cells if day is not None}))

    @property
    def length(self) -> int:
        """Days from the first to the last, both counted: of the log, or else of first exposure; 0 without days."""
        span = self.ran or ((self.days[0], self.days[-1]) if self.days else None)
        return 0 if span is None else (date.fromisoformat(span[1]) - date.fromisoformat(span[0])).days + 1

    @property
    def segmentations(self) -> tuple[str, ...]:
        """The segmentations."""
        return tuple(dict.fromkeys(by for _, by, _ in self._parts if by != OVERALL[0]))

    def segments(self, by: str) -> tuple[str, ...]:
        """The segments of a segmentation, sorted.

        Raises:
            UnknownNameError: If it was not gathered.
        """
        if by not in self.segmentations:
            raise UnknownNameError("segmentation of the sums", by, self.segmentations)
        return tuple(sorted({segment for _, name, segment in self._parts if name == by}))

    def arm(
        self, arm: str, *, by: str = OVERALL[0], segment: str = OVERALL[1], days: Sequence[str] | None = None
    ) -> Moments:
        """Moments of an arm, added over days.

        Args:
            arm: The arm.
            by: A segmentation; all units by default.
            segment: One of its segments.
            days: Days to add up; None for all of them.

        Returns:
            The moments; of no unit where the cell is empty.

        Raises:
            UnknownNameError: If there is no such arm.
        """
        if arm not in self.arms:
            raise UnknownNameError("arm", arm, self.arms)
        listed = self._parts.get((arm, by, segment), ())
        parts = [moments for day, moments in listed if days is None or day in days]
        return Moments.total(parts) if parts else Moments.nothing(self.columns)

    def to_rows(self) -> list[dict[str, Any]]:
        """The rows that :meth:`of_rows` reads, with the means as shifts: nothing is lost on the way."""
        found = []
        for (arm, day, by, segment), moments in sorted(self.cells.items(), key=lambda pair: str(pair[0])):
            row: dict[str, Any] = {"arm": arm, "day": day, "by": by, "segment": segment, "n": moments.n}
            for i, column in enumerate(moments.columns):
                row |= {f"sum:{column}": 0.0, f"shift:{column}": float(moments.mean[i])}
            for i, j in np.argwhere(np.triu(~np.isnan(moments.cross))):
                row[f"product:{moments.columns[i]}:{moments.columns[j]}"] = float(moments.cross[i, j])
            if moments.third is not None:
                for at in combinations_with_replacement(range(len(moments.columns)), 3):
                    if not np.isnan(moments.third[at]):
                        names = ":".join(moments.columns[i] for i in at)
                        row[f"product:{names}"] = float(moments.third[at])
            found.append(row)
        return found

    def to_dicts(self) -> list[dict[str, Any]]:
        """Units, means and standard deviations, one row a cell and column, for tables."""
        return [
            {
                "arm": arm,
                "day": day,
                "by": by,
                "segment": segment,
                "n": moments.n,
                "column": column,
                "mean": moments.value(column),
                "sd": moments.variance(column) ** 0.5,
            }
            for (arm, day, by, segment), moments in self.cells.items()
            for column in moments.columns
        ]


def _factors(text: str, columns: Mapping[str, Any]) -> tuple[str, ...]:
    """The two or three columns of ``product:a:b``; names may hold colons themselves."""
    for first in columns:
        rest = text[len(first) + 1 :]
        if not text.startswith(f"{first}:"):
            continue
        if rest in columns:
            return first, rest
        for second in columns:
            if rest.startswith(f"{second}:") and rest[len(second) + 1 :] in columns:
                return first, second, rest[len(second) + 1 :]
    raise UsageError(f"'product:{text}' names no two or three of the columns {', '.join(columns)}.")
