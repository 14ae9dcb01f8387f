"""The SQL that sums an experiment up: one pass over a table with a row a unit, or over events grouped by unit first.

Identifiers are quoted, values are bound (``$start``); the text keeps to grouping, adding and ``GROUPING SETS``, so that
other engines can run it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import combinations_with_replacement
from typing import Any

from reclens.data.quoting import constant, quoted
from reclens.experiment.aggregate.metric_columns import MetricColumns, capped, effective, missing
from reclens.experiment.planning.metric import Metric

__all__ = ["Layout", "Window", "arm_query", "layout", "missing_query", "per_unit", "sums_query"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Columns of the sums, and how they are made from columns of the table.

    Attributes:
        expressions: Column of the sums -> SQL over the table.
        products: Pairs whose products are gathered; threes too, where the skewness of values counts.
        needed: Columns of the table that may not be missing.
        covariates: Columns of the table that may.
        counts: Columns of the table that may not be negative.
        shares: Columns of the table that must be 0 or 1.
        shifts: Column of the sums -> arm -> number taken off before squaring.
    """

    expressions: Mapping[str, str]
    products: tuple[tuple[str, ...], ...]
    needed: tuple[str, ...]
    covariates: tuple[str, ...]
    counts: tuple[str, ...]
    shares: tuple[str, ...]
    shifts: Mapping[str, Mapping[str, float]]

    @property
    def bounded(self) -> tuple[str, ...]:
        """Columns whose smallest and largest value is asked for."""
        return tuple(dict.fromkeys((*self.counts, *self.shares)))

    @property
    def first_sum(self) -> int:
        """Where the sums begin in a row of the answer."""
        return 6 + 2 * len(self.bounded) + len(self.shares)


def layout(
    metrics: Sequence[Metric],
    found: Mapping[str, MetricColumns],
    *,
    counts: Sequence[str] = (),
    indicators: Sequence[str] = (),
    rows: str | None = None,
    shifts: Mapping[str, Mapping[str, float]] | None = None,
    whole: Collection[str] = (),
    skewness: bool = False,
) -> Layout:
    """Which columns and products the metrics need; numerators that are ``whole`` numbers are counts too.

    With ``skewness`` the products of three columns are gathered too; see :attr:`Plan.uneven`.
    """
    plain: dict[str, str] = {}
    needed: list[str] = [] if rows is None else [rows]
    covariates: list[str] = []
    asked = [metric for metric in metrics if metric.name in found]
    used = [effective(metric, indicators) for metric in asked]
    for metric in used:
        assert metric.value is not None
        before = [part.strip() for name in metric.covariates for part in name.split("/")]
        covariates += before
        needed += [metric.value, *([metric.per] if metric.per else [])]
        if metric.cap is not None:
            plain[capped(metric.value, metric.cap)] = f"least({_number(metric.value)}, {metric.cap!r}::DOUBLE)"
    indicators = [name for name in indicators if name in covariates]
    optional = [name for name in dict.fromkeys(covariates) if name not in needed]
    for name in dict.fromkeys([*needed, *covariates]):
        plain.setdefault(name, f"coalesce({_number(name)}, 0)" if name in indicators else _number(name))
    for name in indicators:
        plain[missing(name)] = f"({quoted(name)} IS NULL)::INTEGER::DOUBLE"
    columns = list(dict.fromkeys(name for each in found.values() for name in each.columns))
    products = dict.fromkeys(
        tuple(sorted(names, key=columns.index))
        for size in ((2, 3) if skewness else (2,))
        for each in found.values()
        for names in combinations_with_replacement(each.columns, size)
    )
    below = [metric.per for metric in asked if metric.per]
    below += [metric.value for metric in asked if metric.per and metric.value and metric.value in whole]
    return Layout(
        expressions={name: plain[name] for name in columns},
        products=tuple(products),
        needed=tuple(dict.fromkeys(needed)),
        covariates=tuple(optional),
        counts=tuple(dict.fromkeys([*below, *counts])),
        shares=tuple(dict.fromkeys(m.value for m in asked if m.kind == "proportion" and m.value and rows is None)),
        shifts=dict(shifts or {}),
    )


def sums_query(source: str, plan: Layout, *, arm: str, day: str | None = None, segments: Sequence[str] = ()) -> str:
    """One row a cell: arm, day, by, segment, n, then the checks and the sums, by position.

    Args:
        source: What stands after FROM.
        plan: The columns.
        arm: Column of the arm.
        day: Column of the day of first exposure.
        segments: Columns of segments.

    Returns:
        SQL whose columns are ``arm, day, by, segment, n``; the number of units with a missing value; smallest and
        largest value of each column that must lie within bounds; of each share a value that is neither 0 nor 1; then
        the sums of the columns and of the products.
    """
    keys = ["arm_", *(["day_"] if day else [])]
    inner = [f"CAST({quoted(arm)} AS VARCHAR) AS arm_"]
    inner += [f"CAST(CAST({quoted(day)} AS DATE) AS VARCHAR) AS day_"] if day else []
    inner += [f"coalesce(CAST({quoted(name)} AS VARCHAR), '(none)') AS g{i}" for i, name in enumerate(segments)]
    inner += _columns(plan, arm)
    head, grouping = "'overall' AS by_, 'all' AS segment_", ", ".join(keys)
    if segments:
        by = " ".join(f"WHEN grouping(g{i}) = 0 THEN {constant(name)}" for i, name in enumerate(segments))
        parts = " ".join(f"WHEN grouping(g{i}) = 0 THEN g{i}" for i in range(len(segments)))
        head = f"CASE {by} ELSE 'overall' END AS by_, CASE {parts} ELSE 'all' END AS segment_"
        sets = ", ".join(f"({', '.join([*keys, *more])})" for more in [[], *([f"g{i}"] for i in range(len(segments)))])
        grouping = f"GROUPING SETS ({sets})"
    # A key of a grouping costs as much as ten sums, even where it is null in every row.
    at_day = "day_" if day else "CAST(NULL AS VARCHAR) AS day_"
    listed = ", ".join(["arm_", at_day, head, "count(*)", *_sums(plan)])
    # Cells in a fixed order, so that what is added to what does not depend on the engine's threads.
    return f"SELECT {listed}\nFROM (SELECT {', '.join(inner)} FROM {source})\nGROUP BY {grouping}\nORDER BY 1, 2, 3, 4"


def arm_query(source: str, plan: Layout, *, arm: str) -> str:
    """The row of :func:`sums_query` of a table that has one arm only, for engines whose groupings are slow.

    Args:
        source: What stands after FROM.
        plan: The columns.
        arm: Column of the arm.

    Returns:
        SQL whose columns are those of :func:`sums_query` from ``n`` on, each by a name of its own.
    """
    listed = ", ".join(f"{sql} AS s{i}" for i, sql in enumerate(["count(*)", *_sums(plan)]))
    return f"SELECT {listed}\nFROM (SELECT {', '.join(_columns(plan, arm))} FROM {source})"


def _columns(plan: Layout, arm: str) -> list[str]:
    """The columns of the sums, with what is taken off before squaring, and those that must lie within bounds."""
    found = []
    # Products are over shifted columns; the shift is 0 unless a first pass found a mean of an arm far from it.
    for i, (name, sql) in enumerate(plan.expressions.items()):
        shifts = " ".join(f"WHEN {constant(each)} THEN {value!r}" for each, value in plan.shifts.get(name, {}).items())
        taken = f" - CASE CAST({quoted(arm)} AS VARCHAR) {shifts} ELSE 0 END::DOUBLE" if shifts else ""
        found.append(f"{sql}{taken} AS c{i}")
    return found + [f"{_number(name)} AS b{i}" for i, name in enumerate(plan.bounded)]


def _sums(plan: Layout) -> list[str]:
    """The aggregates of a cell: the checks, then the sums of columns and of products."""
    at = {name: f"c{i}" for i, name in enumerate(plan.expressions)}
    # Null plus anything is null: one count tells whether any column has a missing value; `missing_query` tells which.
    checks = [f"count(*) - count({' + '.join(at.values())})"]
    checks += [f"{end}(b{i})" for i in range(len(plan.bounded)) for end in ("min", "max")]
    checks += [
        f"max(CASE WHEN b{i} NOT IN (0, 1) THEN b{i} END)" for i, name in enumerate(plan.bounded) if name in plan.shares
    ]
    products = [f"sum({' * '.join(at[name] for name in names)})" for names in plan.products]
    return [*checks, *(f"sum({column})" for column in at.values()), *products]


def missing_query(source: str, plan: Layout) -> str:
    """One row: how often each column that is needed is missing, then each covariate."""
    counts = ", ".join(f"count(*) - count({quoted(name)})" for name in (*plan.needed, *plan.covariates))
    return f"SELECT {counts} FROM {source}"


@dataclass(frozen=True)
class Window:
    """The rows that belong to the experiment: those from its start on, where it has one.

    Attributes:
        time: Column of the time; None where every row belongs to it.
        start: When it began, bound as ``$start``; None takes every row.
    """

    time: str | None = None
    start: date | datetime | None = None

    @property
    def sql(self) -> str:
        """The condition of a row."""
        return f"{quoted(self.time)} >= $start" if self.time and self.start is not None else "TRUE"

    @property
    def params(self) -> dict[str, Any] | None:
        """What has to be bound."""
        return {"start": self.start} if self.time and self.start is not None else None


def per_unit(
    source: str,
    *,
    unit: str,
    arm: str,
    sums: Sequence[str],
    largest: Sequence[str] = (),
    before: Mapping[str, str] | None = None,
    made: Mapping[str, str] | None = None,
    segments: Sequence[str] = (),
    window: Window | None = None,
    cluster: str | None = None,
) -> str:
    """Events grouped by unit: one row a unit, with ``arm_low`` and ``arm_high`` to find those in two arms.

    ``events`` counts the events of the experiment. Where clusters are randomised, units are summed up by cluster then,
    and ``units`` counts them.

    Args:
        source: What stands after FROM.
        unit: Column of the unit.
        arm: Column of the arm.
        sums: Columns to add up over the events of the experiment.
        largest: Columns of which the largest counts, such as whether a user ever returned.
        before: Name -> column to add up over the events before ``$start``; ``"*"`` counts them.
        made: Name -> aggregate over the events of the experiment, without its filter, such as ``count("clicks")``.
        segments: Columns that a unit has one value of (the smallest, if it has several).
        window: Which events belong to the experiment; all of them by default.
        cluster: Column of the cluster that the unit belongs to.
    """
    window = window or Window()
    only = f"FILTER ({window.sql})"
    keys = [quoted(name) for name in (cluster, unit) if name]
    listed = list(keys)
    listed += [
        f"{end}(CAST({quoted(arm)} AS VARCHAR)) {only} AS arm_{name}" for end, name in (("min", "low"), ("max", "high"))
    ]
    if window.time:
        listed.append(f"CAST(min({quoted(window.time)}) {only} AS DATE) AS day_")
    listed.append(f"count(*) {only} AS events")
    listed += [f"coalesce(sum({_number(name)}) {only}, 0) AS {quoted(name)}" for name in sums]
    listed += [f"coalesce(max({_number(name)}) {only}, 0) AS {quoted(name)}" for name in largest]
    listed += [f"coalesce({sql} {only}, 0) AS {quoted(name)}" for name, sql in (made or {}).items()]
    for name, column in (before or {}).items():
        what = "count(*)" if column == "*" else f"sum({_number(column)})"
        listed.append(f"coalesce({what} FILTER (NOT ({window.sql})), 0) AS {quoted(name)}")
    listed += [f"min({quoted(name)}) AS {quoted(name)}" for name in segments]
    having = f"\nHAVING count(*) {only} > 0" if window.params else ""
    grouped = f"SELECT {', '.join(listed)}\nFROM {source}\nGROUP BY {', '.join(keys)}{having}"
    if cluster is None:
        return grouped
    whole = [quoted(cluster), "min(arm_low) AS arm_low", "max(arm_high) AS arm_high", "count(*) AS units"]
    whole += [f"min({name}) AS {name}" for name in [*(["day_"] if window.time else []), *map(quoted, segments)]]
    added = [*sums, *largest, *(made or {}), *(before or {})]
    whole += [f"sum({name}) AS {name}" for name in ["events", *map(quoted, added)]]
    return f"SELECT {', '.join(whole)}\nFROM ({grouped})\nGROUP BY {quoted(cluster)}"


def _number(column: str) -> str:
    return f"CAST({quoted(column)} AS DOUBLE)"
