"""Missing values of metrics: which rows have none, what the plan says that means, and how many there are by arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from reclens.data.quoting import quoted
from reclens.errors import DataError
from reclens.experiment.aggregate.metric_columns import complete, there
from reclens.experiment.aggregate.query import Window
from reclens.experiment.aggregate.source import Table, run
from reclens.experiment.aggregate.tally import Counted, Tally
from reclens.experiment.planning.metric import Metric
from reclens.experiment.planning.plan import Plan

__all__ = [
    "COUNTED",
    "Gap",
    "gap_tallies",
    "gaps_of_log",
    "known",
    "made_of",
    "markers_of",
    "tally_of",
    "with_gaps_filled",
]

COUNTED = ("events", "units")
"""Columns that are counted from the rows, and never missing."""


@dataclass(frozen=True)
class Gap:
    """Columns of a metric that some rows may lack.

    Attributes:
        metrics: The metrics that read just these columns.
        columns: The columns.
        whole: SQL of a row: whether it has all of them.
        handled: What happens to rows without.
    """

    metrics: tuple[Metric, ...]
    columns: tuple[str, ...]
    whole: str
    handled: Literal["left_out", "unsaid", "zero"]

    @property
    def label(self) -> str:
        """The columns, for readers."""
        return ", ".join(self.columns)

    @property
    def count(self) -> str:
        """The column that counts a unit's rows without."""
        return f"rows without {self.label}"


def gaps_of_log(rows: Table, plan: Plan, window: Window) -> tuple[tuple[Gap, ...], tuple[Tally, ...]]:
    """Gaps that have to be dealt with, and tallies without a count of those that no event has.

    Raises:
        DataError: If events lack a value that the plan does not allow to be missing.
    """
    possible = _possible(plan.metrics)
    if not possible:
        return (), ()
    counts = ", ".join(f"count(*) FILTER ({window.sql} AND NOT {gap.whole})" for gap in possible)
    found = run(rows, f"SELECT {counts} FROM {rows.sql}", window.params)[0]
    gaps: list[Gap] = []
    none: list[Tally] = []
    for gap, count in zip(possible, found, strict=True):
        if count and any(metric.missing == "error" for metric in gap.metrics):
            raise DataError(
                f"{count:,} events have no value",
                source=rows.where,
                column=gap.label,
                fix='The plan says missing = "error": mend the log, or say "zero" or "leave_out".',
            )
        if count or any(metric.missing == "leave_out" for metric in gap.metrics):
            gaps.append(gap)
        else:
            none.append(Tally(code="missing_events", column=gap.label, handled=gap.handled, arms={}))
    return tuple(gaps), tuple(none)


def _possible(metrics: Sequence[Metric]) -> tuple[Gap, ...]:
    """Columns of metrics that may be missing, once each."""
    by_columns: dict[tuple[str, ...], list[Metric]] = {}
    for metric in metrics:
        if metric.kind in ("mean", "proportion", "ratio", "quantile"):
            columns = tuple(name for name in dict.fromkeys((metric.value, metric.per)) if name not in (None, *COUNTED))
            if columns:
                by_columns.setdefault(tuple(name for name in columns if name), []).append(metric)
    found = []
    for columns, read in by_columns.items():
        said = read[0].missing
        handled = (
            "zero" if said == "zero" else "left_out" if said or all(m.kind == "quantile" for m in read) else ("unsaid")
        )
        whole = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in columns)
        if all(metric.kind == "quantile" for metric in read):
            whole = f"coalesce(abs(CAST({quoted(columns[0])} AS DOUBLE)) <= 1.7976931348623157e308, FALSE)"
        found.append(Gap(tuple(read), columns, f"({whole})", handled))
    return tuple(found)


def markers_of(gaps: Sequence[Gap]) -> tuple[str, ...]:
    """Names for ``Aggregates.indicators``: the metrics that are summed up over what has a value."""
    names = [
        complete(metric.per, metric.name) if metric.per else there(metric.value)
        for gap in gaps
        if gap.handled != "zero"
        for metric in gap.metrics
        if metric.value and metric.kind != "quantile"
    ]
    return tuple(dict.fromkeys(names))


def made_of(gaps: Sequence[Gap]) -> dict[str, str]:
    """Columns of a unit -> aggregates over its events: rows without a value, and sums over the rows that have all."""
    made: dict[str, str] = {}
    for gap in gaps:
        made[gap.count] = f"sum(CASE WHEN {gap.whole} THEN 0 ELSE 1 END)"
        for metric in gap.metrics:
            if metric.value is None or metric.kind == "quantile" or gap.handled == "zero":
                continue
            if metric.per is None:
                made[there(metric.value)] = f"max(CASE WHEN {gap.whole} THEN 1 ELSE 0 END)"
                continue
            for name in (metric.value, metric.per):
                of = "1" if name == "events" else f"CAST({quoted(name)} AS DOUBLE)"
                how = "max(CASE WHEN {} THEN 1 ELSE 0 END)" if name == "units" else f"sum(CASE WHEN {{}} THEN {of} END)"
                made[complete(name, metric.name)] = how.format(gap.whole)
    return made


def gap_tallies(units: Table, gaps: Sequence[Gap]) -> tuple[Tally, ...]:
    """Events without a value, and units none of whose events has one, by arm of the grouped log."""
    found: list[Tally] = []
    for gap in gaps:
        lacking = quoted(gap.count)
        found.append(
            tally_of(
                units, Tally(code="missing_events", column=gap.label, handled=gap.handled, arms={}), lacking, "events"
            )
        )
        empty = f"CASE WHEN {lacking} >= events THEN 1 ELSE 0 END"
        found.append(
            tally_of(units, Tally(code="missing_units", column=gap.label, handled=gap.handled, arms={}), empty, "1")
        )
    return tuple(found)


def tally_of(units: Table, empty: Tally, faulty: str, of: str, *, arm: str = "arm_low") -> Tally:
    """Count by arm: faulty rows of each unit, and all its rows, as SQL of a table with one row a unit."""
    low = f"CAST({quoted(arm)} AS VARCHAR)"
    inner = f"SELECT {low} AS arm_, CAST({faulty} AS DOUBLE) AS x, CAST({of} AS DOUBLE) AS n FROM {units.sql}"
    crossed = " WHERE arm_low = arm_high" if "arm_high" in units.columns else ""
    answer = run(
        units,
        "SELECT arm_, count(*), count(*) FILTER (x > 0), sum(x), sum(n), sum(least(x / nullif(n, 0), 1)), "
        f"sum(least(x / nullif(n, 0), 1) ** 2) FROM ({inner}{crossed}) GROUP BY arm_ ORDER BY arm_",
    )
    arms = {
        str(name): Counted(int(n), int(some), float(x), float(rows), float(share), float(square))
        for name, n, some, x, rows, share, square in answer
        if name is not None
    }
    return replace(empty, arms=arms)


def with_gaps_filled(rows: Table, plan: Plan, arm: str) -> tuple[Table, tuple[str, ...], tuple[Tally, ...]]:
    """A table with one row a unit, its missing values dealt with as the plan says; markers and tallies.

    Metrics of which the plan says nothing are left as they are, for the pass to refuse; quantiles leave rows out.
    """
    gaps = [gap for gap in _possible(plan.metrics) if gap.handled != "unsaid"]
    gaps = [gap for gap in gaps if all(metric.missing != "error" for metric in gap.metrics)]
    if not gaps:
        return rows, (), ()
    tallies = tuple(
        tally_of(
            rows,
            Tally(code="missing_units", column=gap.label, handled=gap.handled, arms={}),
            f"(NOT {gap.whole})::INTEGER",
            "1",
            arm=arm,
        )
        for gap in gaps
    )
    asked = [gap for gap in gaps if any(metric.kind != "quantile" for metric in gap.metrics)]
    filled = {name: f"coalesce(CAST({quoted(name)} AS DOUBLE), 0)" for gap in asked for name in gap.columns}
    made = {name: _of_row(sql) for name, sql in made_of(asked).items()}
    sql = rows.sql
    if filled:
        same = {name: quoted(name) for name in rows.columns}
        listed = ", ".join(f"{expression} AS {quoted(name)}" for name, expression in (same | filled | made).items())
        sql = f"(SELECT {listed} FROM {rows.sql})"
    return replace(rows, sql=sql, columns=(*rows.columns, *made)), markers_of(asked), known(tallies, plan.arms)


def _of_row(aggregate: str) -> str:
    """The aggregate of one row is its argument; a row that has nothing adds nothing."""
    return f"coalesce({aggregate[4:-1]}, 0)"


def known(tallies: Sequence[Tally], arms: Mapping[str, float]) -> tuple[Tally, ...]:
    """Tallies of the plan's arms alone."""
    return tuple(
        replace(each, arms={arm: count for arm, count in each.arms.items() if arm in arms}) for each in tallies
    )
