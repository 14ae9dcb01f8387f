"""What an experiment is read from: sums by arm, day and segment, that add over days, partitions and machines.

The shape is plain enough for any engine that can group and add. One row a cell:

``arm, day, by, segment, n, sum:COLUMN …, product:COLUMN:COLUMN …, product:COLUMN:COLUMN:COLUMN …``

- A row sums up *units* (users, as a rule), each of which stands in one arm and on one day: that of its first exposure.
- ``by = 'overall'``, ``segment = 'all'`` is every unit of the arm and day; ``by = 'activity'``, ``segment = 'heavy'`` a
  part of them. ``day`` is null where days do not matter.
- ``sum:c`` is Σ(c - shift), ``product:a:b`` is Σ(a - shift)(b - shift), with one shift a column, which may be 0 and
  stands in ``shift:c``. Products are needed for pairs of columns of one metric; where arms differ in size, those of
  three columns let the tests allow for skewed values.

:meth:`Sums.of_rows` reads such rows, whoever made them; :func:`reclens.experiment.gather.gather` makes them by DuckDB.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any, Final, Literal, NotRequired, TypedDict

import numpy as np

from reclens.errors import IncomparableError, UnknownNameError, UsageError
from reclens.experiment.metrics import Metric
from reclens.experiment.tally import Coarser, Tally, added
from reclens.experiment.unknown import Unknown
from reclens.stats.arms import Quantity
from reclens.stats.moments import Moments

if TYPE_CHECKING:
    from reclens.experiment.tails import Tails

__all__ = ["LEFT_OUT", "OVERALL", "Cell", "Measure", "Rule", "RuleCode", "Sums", "capped", "complete", "effective",
           "measures", "missing", "there"]  # fmt: skip

Cell = tuple[str, str | None, str, str]
"""Arm, day (ISO date, or None), segmentation and segment."""

OVERALL = ("overall", "all")
"""The segmentation and segment of all units."""

RuleCode = Literal["two_arms", "unknown_arms", "missing_covariate", "one_unit", "no_variance"]

LEFT_OUT: Final[frozenset[RuleCode]] = frozenset({"two_arms", "unknown_arms"})
"""Codes of rules that leave units out."""


class Rule(TypedDict):
    """What was found or done on the way to the sums: codes for programs, words for readers."""

    code: RuleCode
    rule: str
    count: int
    detail: str
    arm: NotRequired[str]
    metric: NotRequired[str]


@dataclass(frozen=True)
class Measure:
    """Where a metric stands in the sums.

    Attributes:
        metric: The metric.
        of: Its column, or its numerator and denominator.
        covariates: Columns or pairs that adjust it.
    """

    metric: Metric
    of: Quantity
    covariates: tuple[Quantity, ...] = ()

    @property
    def counted(self) -> bool:
        """Whether it is a share of independent units, which is tested by its counts: they need not vary."""
        return self.metric.kind == "proportion" and isinstance(self.of, str) and not self.covariates

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column it needs, once."""
        parts = [name for each in (self.of, *self.covariates) for name in ((each,) if isinstance(each, str) else each)]
        return tuple(dict.fromkeys(parts))


def measures(
    metrics: Iterable[Metric], *, rows: str | None = None, indicators: Sequence[str] = ()
) -> dict[str, Measure]:
    """Where each metric stands in the sums; those of kinds that need more than sums are left out.

    Args:
        metrics: The metrics of a plan.
        rows: The column that counts rows where the unit of the sums is a cluster of them: means are then ratios.
        indicators: Covariate columns that are missing for some units. Where one is, it counts 0, and the share of the
            missing becomes a covariate of its own (``"COLUMN is missing"``), so that the adjustment stays unbiased.
            And columns of :func:`there` and :func:`complete`, of metrics whose own values are missing for some.
    """
    found: dict[str, Measure] = {}
    for metric in metrics:
        read = effective(metric, indicators)
        if read.value is None or read.kind not in ("mean", "proportion", "ratio"):
            continue
        value = read.value if metric.cap is None else capped(read.value, metric.cap)
        below = read.per if read.kind == "ratio" else rows
        of: Quantity = value if below is None else (value, below)
        adjusting: list[Quantity] = []
        for name in metric.covariates:
            top, _, bottom = (part.strip() for part in name.partition("/"))
            under = bottom or rows
            adjusting.append((top, under) if under else top)
            lacking = [missing(part) for part in (top, bottom) if part in indicators]
            adjusting += [(part, rows) if rows else part for part in lacking]
        found[metric.name] = Measure(metric, of, tuple(dict.fromkeys(adjusting)))
    return found


def effective(metric: Metric, indicators: Sequence[str]) -> Metric:
    """The metric as it is summed up: where values are missing and left out, a mean is one over the units with a value.

    That is the ratio of two sums over all units, so that every metric keeps to one n and its interval is the delta
    method's. A ratio takes both of its sums over the rows that have both.
    """
    if metric.value is None or metric.missing == "zero":
        return metric
    if metric.per and complete(metric.per, metric.name) in indicators:
        both = {"value": complete(metric.value, metric.name), "per": complete(metric.per, metric.name)}
        return metric.model_copy(update=both)
    if metric.kind in ("mean", "proportion") and there(metric.value) in indicators:
        return metric.model_copy(update={"kind": "ratio", "per": there(metric.value)})
    return metric


def there(column: str) -> str:
    """The name of the column that counts the units which have a value of another.

    >>> there("clicks")
    'units with clicks'
    """
    return f"units with {column}"


def complete(column: str, metric: str) -> str:
    """The name of a column of a ratio, summed over the rows that have both of its columns.

    >>> complete("views", "click-through rate")
    'views in complete rows of click-through rate'
    """
    return f"{column} in complete rows of {metric}"


def capped(column: str, cap: float) -> str:
    """The name of a column whose values are cut off.

    >>> capped("rounds", 500.0)
    'rounds up to 500'
    """
    return f"{column} up to {cap:g}"


def missing(column: str) -> str:
    """The name of the column that is 1 where another is missing.

    >>> missing("clicks_before")
    'clicks_before is missing'
    """
    return f"{column} is missing"


@dataclass(frozen=True, eq=False)
class Sums:
    """Moments by arm, day and segment. Add two of disjoint units with ``+``.

    Attributes:
        arms: The arms, in the order of the plan.
        columns: The columns.
        cells: Moments of each cell.
        rules: What was found and done on the way.
        indicators: Covariates that are missing for some units, and the columns that count units with a value.
        rows: The column that counts rows, where the unit of the sums is a cluster; else None.
        tails: The largest values, if they were asked for; they do not add up, and ``+`` leaves them out.
        tallies: Faulty rows, by arm.
        coarser: Ids that several units each share, which may be what was randomised.
        untriggered: Sums of the other units, where these are of triggered ones.
        unknown: What the table that they were made from cannot tell.
        ran: First and last day of a log (ISO dates): from the start to its last event, whoever came in first then.
    """

    arms: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[Cell, Moments]
    rules: tuple[Rule, ...] = ()
    indicators: tuple[str, ...] = ()
    rows: str | None = None
    tails: Tails | None = None
    tallies: tuple[Tally, ...] = ()
    coarser: tuple[Coarser, ...] = ()
    untriggered: Sums | None = None
    ran: tuple[str, str] | None = None
    unknown: tuple[Unknown, ...] = ()

    @classmethod
    def of_rows(
        cls, rows: Iterable[Mapping[str, Any]], *, arms: Sequence[str], indicators: Sequence[str] = (),
        counts_rows: str | None = None,
    ) -> Sums:  # fmt: skip
        """Read sums from rows of the shape that the module describes, from any engine.

        Raises:
            UsageError: If a row lacks ``arm``, ``n`` or every sum, or there is no row.

        Example:
            >>> rows = [{"arm": "old", "n": 2, "sum:y": 3.0, "product:y:y": 5.0},
            ...         {"arm": "new", "n": 2, "sum:y": 4.0, "product:y:y": 10.0}]
            >>> Sums.of_rows(rows, arms=["old", "new"]).arm("new").value("y")
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
            at = (str(row["arm"]), None if day is None else str(day), str(row.get("by") or OVERALL[0]),
                  str(row.get("segment") or OVERALL[1]))  # fmt: skip
            part = Moments.of_sums(int(row["n"]), filled, products, shifts=shifts)
            cells[at] = cells[at] + part if at in cells else part
            columns = part.columns
        if not cells:
            raise UsageError("there are no rows of sums; expected one an arm at least.")
        return cls(tuple(arms), columns, cells, (), tuple(indicators), counts_rows)

    def __add__(self, other: Sums) -> Sums:
        """The sums over both sets of units; the caller sees to it that no unit stands in both.

        Raises:
            IncomparableError: If arms or columns differ.
        """
        for name in ("arms", "columns", "rows"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise IncomparableError(
                    f"sums differ in {name} ({mine} and {theirs}), so that they cannot be added. Gather both by one "
                    "plan; indicators=True keeps the columns alike where covariates are missing in one of them, and "
                    'missing = "leave_out" of a metric where its values are.'
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
            {"arm": arm, "day": day, "by": by, "segment": segment, "n": moments.n, "column": column,
             "mean": moments.value(column), "sd": moments.variance(column) ** 0.5}
            for (arm, day, by, segment), moments in self.cells.items()
            for column in moments.columns
        ]  # fmt: skip


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
