"""What an experiment is read from: sums by arm, day and segment, that add over days, partitions and machines.

The shape is plain enough for any engine that can group and add. One row a cell:

``arm, day, by, segment, n, sum:COLUMN …, product:COLUMN:COLUMN …``

- A row sums up *units* (users, as a rule), each of which stands in one arm and on one day: that of its first exposure.
- ``by = 'overall'``, ``segment = 'all'`` is every unit of the arm and day; ``by = 'activity'``, ``segment = 'heavy'`` a
  part of them. ``day`` is null where days do not matter.
- ``sum:c`` is Σ(c - shift), ``product:a:b`` is Σ(a - shift)(b - shift), with one shift a column, which may be 0 and
  stands in ``shift:c``. Products are needed for pairs of columns of one metric.

:meth:`Sums.of_rows` reads such rows, whoever made them; :func:`reclens.experiment.gather.gather` makes them by DuckDB.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from reclens.errors import IncomparableError, UnknownNameError, UsageError
from reclens.experiment.metrics import Metric
from reclens.stats.arms import Quantity
from reclens.stats.moments import Moments

if TYPE_CHECKING:
    from reclens.experiment.tails import Tails

__all__ = ["OVERALL", "Cell", "Measure", "Sums", "capped", "measures", "missing"]

Cell = tuple[str, str | None, str, str]
"""Arm, day (ISO date, or None), segmentation and segment."""

OVERALL = ("overall", "all")
"""The segmentation and segment of all units."""


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
    """
    found: dict[str, Measure] = {}
    for metric in metrics:
        if metric.value is None or metric.kind not in ("mean", "proportion", "ratio"):
            continue
        value = metric.value if metric.cap is None else capped(metric.value, metric.cap)
        below = metric.per if metric.kind == "ratio" else rows
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
        rules: What was found and done on the way, each ``{"rule", "count", "detail"}``.
        indicators: Covariates that are missing for some units.
        rows: The column that counts rows, where the unit of the sums is a cluster; else None.
        tails: The largest values, if they were asked for; they do not add up, and ``+`` leaves them out.
    """

    arms: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[Cell, Moments]
    rules: tuple[dict[str, Any], ...] = ()
    indicators: tuple[str, ...] = ()
    rows: str | None = None
    tails: Tails | None = None

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
                _pair(key.removeprefix("product:"), sums): value
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
                    "plan; indicators=True keeps the columns alike where covariates are missing in one of them."
                )
        cells = dict(self.cells)
        for cell, moments in other.cells.items():
            cells[cell] = cells[cell] + moments if cell in cells else moments
        indicators = tuple(dict.fromkeys((*self.indicators, *other.indicators)))
        return replace(self, cells=cells, rules=(*self.rules, *other.rules), indicators=indicators, tails=None)

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


def _pair(text: str, columns: Mapping[str, Any]) -> tuple[str, str]:
    """The two columns of ``product:a:b``; names may hold colons themselves."""
    for first in columns:
        if text.startswith(f"{first}:") and text[len(first) + 1 :] in columns:
            return first, text[len(first) + 1 :]
    raise UsageError(f"'product:{text}' names no two of the columns {', '.join(columns)}.")
