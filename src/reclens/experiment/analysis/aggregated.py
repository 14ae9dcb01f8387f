"""An experiment whose table holds counts instead of units: arm, n and successes, or arm, n, mean and sd.

Such a table has one row an arm, or an arm and day (of first exposure), or these and segments. Its columns are ``n``,
the units, and for each metric of the plan

- a proportion: ``VALUE_successes``, the units whose value is 1;
- a mean: ``VALUE_mean`` and ``VALUE_sd``, with the divisor n - 1, and, if it is known, ``VALUE_skewness``: the mean of
  (x - mean)³ ÷ the 1.5th power of that of (x - mean)²,

where VALUE is the metric's column in a table of units. The metric that is the only one of its kind may drop the
``VALUE_``. Shares are read as from units: their counts are all that the score test, its intervals and its looks need.
Means are read by Welch's t test, which in arms of unequal size has to know how skewed the values are: where the table
does not tell, the trust check ``skewness`` blocks arms that are too small for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final

from reclens.data.quoting import quoted
from reclens.errors import Advice, ArgumentValueError, DataError, Setting, UnknownNameError, UsageError
from reclens.experiment.aggregate.aggregates import OVERALL, Aggregates, Cell, Rule
from reclens.experiment.aggregate.arm_column import arm_column
from reclens.experiment.aggregate.metric_columns import capped, metric_columns_of
from reclens.experiment.aggregate.source import Table, opened, present, run
from reclens.experiment.aggregate.summing import flags_of
from reclens.experiment.aggregate.units import OnFault, strangers_left_out
from reclens.experiment.aggregate.unknown import Unknown
from reclens.experiment.analysis.effects import Intervals, Others
from reclens.experiment.analysis.readout import Readout, read_sums
from reclens.experiment.planning.metric import OF_ARM, Metric
from reclens.experiment.planning.plan import Plan
from reclens.stats.moments import Moments

__all__ = ["columns_of_counts", "gather_aggregated", "read_aggregated"]


def read_aggregated(
    plan: Plan,
    source: Any,
    *,
    arm: str = "variant",
    day: str | None = None,
    columns: Mapping[str, str] | None = None,
    table: str | None = None,
    unknown_arms: OnFault = "error",
    others: Others | None = None,
    planned_units: float | None = None,
    days: int | None = None,
    looks_taken: Sequence[float] = (),
    stratify: str | None = None,
    intervals: Intervals = "each",
) -> Readout:
    """Analyse a table of aggregated counts; ``unknown`` of the readout lists what cannot be derived from it.

    Args:
        plan: The plan.
        source: As in :func:`gather_aggregated`, as are ``arm``, ``day``, ``columns``, ``table``, ``unknown_arms``.
        arm: Column of the arm.
        day: Column of the day of first exposure.
        columns: Our column -> theirs.
        table: Table of a DuckDB file or connection.
        unknown_arms: What happens to rows of arms that the plan does not have.
        others: As in :func:`~reclens.experiment.analysis.readout.read_sums`, as are the following.
        planned_units: Units that were planned over all arms.
        days: Days that have run, where the table has none.
        looks_taken: Information at the looks before this one.
        stratify: A segmentation that effects are post-stratified by.
        intervals: ``"each"`` or ``"simultaneous"``.

    Raises:
        DataError: If a column is absent or holds what cannot be.
        UsageError: If the plan randomises clusters or analyses triggered units, which counts do not support.

    Example:
        >>> import polars as pl
        >>> plan = Plan(name="button", arms={"old": 0.5, "new": 0.5},
        ...             metrics=({"name": "clicked", "kind": "proportion", "value": "clicked"},))
        >>> counts = pl.DataFrame({"variant": ["old", "new"], "n": [1000, 1000], "successes": [100, 140]})
        >>> found = read_aggregated(plan, counts)
        >>> found.decisions[0].code, round(found.effects[0].p_value, 4)
        ('ship', 0.0059)
        >>> [each.code for each in found.unknown]
        ['repeated_units', 'crossed_units', 'shared_ids', 'missing_values']
    """
    sums = gather_aggregated(source, plan, arm=arm, day=day, columns=columns, table=table, unknown_arms=unknown_arms)
    return read_sums(
        _readable(plan),
        sums,
        others=others,
        planned_units=planned_units,
        days=days,
        looks_taken=looks_taken,
        stratify=stratify,
        intervals=intervals,
    )


def gather_aggregated(
    source: Any,
    plan: Plan,
    *,
    arm: str = "variant",
    day: str | None = None,
    columns: Mapping[str, str] | None = None,
    table: str | None = None,
    unknown_arms: OnFault = "error",
) -> Aggregates:
    """The sums of a table of aggregated counts, whose columns the module names.

    Args:
        source: A path, a frame or a DuckDB connection.
        plan: The plan. Its segments are read where the table has columns of them.
        arm: Column of the arm.
        day: Column of the day of first exposure, so that units are counted once.
        columns: Our column (``n``, ``VALUE_successes``, ``VALUE_mean``, ``VALUE_sd``, ``VALUE_skewness``) -> theirs.
        table: Table of a DuckDB file or connection.
        unknown_arms: What happens to rows of arms that the plan does not have: ``"error"``, or ``"drop"``, counted.

    Returns:
        The sums, with what the table cannot tell in ``unknown``.

    Raises:
        DataError: If a column is absent, a count is none, there are more successes than units, or two rows are of one
            arm, day and segment.
        UsageError: If the plan randomises clusters or reads triggered units.
    """
    if unknown_arms not in ("error", "drop"):
        raise ArgumentValueError("unknown_arms", f"is '{unknown_arms}', expected 'error' or 'drop'.")
    for what, value in (("cluster", plan.cluster), ("triggered", plan.triggered)):
        if value is not None:
            raise UsageError(
                f'the plan has {what} = "{value}", and counts of arms do not tell which units those '
                "are. Read a table of units, or leave it out of the plan."
            )
    ratio = next((m for m in plan.metrics if m.kind == "ratio" and m.role != "secondary"), None)
    if ratio is not None:
        raise UsageError(
            f"'{ratio.name}', which the decision rests on, is a ratio: its error needs both of its sums "
            "of each unit. Read a table of units."
        )
    with opened(source, table=table) as rows:
        arm_column(rows, plan, arm)
        names = _Names(rows, plan, columns or {})
        segments = tuple(name for name in plan.segments if name in rows.columns)
        present(rows, [names.n, *([day] if day else [])])
        listed = [arm, names.n, *([day] if day else []), *segments, *names.columns]
        typed = ", ".join(f"CAST({quoted(name)} AS {_type(name, arm, day, segments)})" for name in listed)
        answer = run(rows, f"SELECT {typed} FROM {rows.sql}")
        cells, rules = _cells(
            rows,
            plan,
            names,
            [dict(zip(listed, row, strict=True)) for row in answer],
            arm=arm,
            day=day,
            segments=segments,
            unknown_arms=unknown_arms,
        )
    found = Aggregates(
        arms=tuple(plan.arms), columns=names.sums, cells=cells, rules=rules, unknown=_unknown(plan, names, segments)
    )
    return _flagged(found, plan)


def _readable(plan: Plan) -> Plan:
    """The plan without the adjustments and the ratios that counts do not allow."""
    kept = tuple(m.model_copy(update={"covariates": ()}) for m in plan.metrics if m.kind != "ratio")
    return plan.model_copy(update={"metrics": kept})


def _type(name: str, arm: str, day: str | None, segments: Sequence[str]) -> str:
    return "DATE" if name == day else "VARCHAR" if name == arm or name in segments else "DOUBLE"


_PARTS: Final = {"proportion": ("successes",), "mean": ("mean", "sd", "skewness")}
"""What a table gives for a metric of each kind."""


def columns_of_counts(plan: Plan) -> tuple[str, ...]:
    """The columns that a table of aggregated counts may have for a plan.

    Example:
        >>> columns_of_counts(Plan(name="p", arms={"a": 0.5, "b": 0.5}, metrics=({"name": "m", "value": "spent"},)))
        ('n', 'spent_mean', 'spent_sd', 'spent_skewness')
    """
    found = [
        f"{m.value}_{part}" for kind, parts in _PARTS.items() for m in plan.metrics if m.kind == kind for part in parts
    ]
    return tuple(dict.fromkeys(("n", *found)))


class _Names:
    """Which columns of the table hold what, and which metrics it gives."""

    def __init__(self, rows: Table, plan: Plan, columns: Mapping[str, str]) -> None:
        self.shares = [m for m in plan.metrics if m.kind == "proportion"]
        self.means = [m for m in plan.metrics if m.kind == "mean"]
        kinds = ((self.shares, _PARTS["proportion"]), (self.means, _PARTS["mean"]))
        ours = columns_of_counts(plan)
        for name in columns:
            if name not in ours:
                raise UnknownNameError("column of aggregated counts", name, ours)
        self.n = columns.get("n", "n")
        self.theirs: dict[str, str] = {}
        for listed, parts in kinds:
            only = len({m.value for m in listed}) == 1
            for name in dict.fromkeys(f"{m.value}_{part}" for m in listed for part in parts):
                part = name.rpartition("_")[2]
                given = columns.get(name, part if only and name not in rows.columns else name)
                if part == "skewness" and name not in columns and given not in rows.columns:
                    continue
                if given not in rows.columns:
                    short = f", or '{part}'" if only and name not in columns else ""
                    raise DataError(
                        f"there is no column '{given}'; expected '{name}'{short} beside n for each arm, among "
                        f"{', '.join(rows.columns)}",
                        source=rows.where,
                        fix=Advice(
                            "name_counted",
                            (Setting("columns", {name: "your name"}),),
                            "Name it by {columns}, or leave the metric out of the plan.",
                        ),
                    )
                self.theirs[name] = given
        self.sums = tuple(dict.fromkeys(_column(m) for m in (*self.shares, *self.means)))
        if not self.sums:
            raise UsageError(
                "the plan has no metric that counts or means and standard deviations give: expected a "
                "proportion or a mean. Read a table of units."
            )

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.theirs.values()))


def _column(metric: Metric) -> str:
    assert metric.value is not None
    return metric.value if metric.cap is None else capped(metric.value, metric.cap)


def _cells(
    rows: Table,
    plan: Plan,
    names: _Names,
    answer: Sequence[Mapping[str, Any]],
    *,
    arm: str,
    day: str | None,
    segments: Sequence[str],
    unknown_arms: OnFault,
) -> tuple[dict[Cell, Moments], tuple[Rule, ...]]:
    cells: dict[Cell, Moments] = {}
    seen: set[tuple[Any, ...]] = set()
    strangers: dict[str, int] = {}
    for number, row in enumerate(answer, start=1):
        n = _whole(row[names.n], rows, names.n, number)
        if row[arm] not in plan.arms:
            name = "" if row[arm] is None else str(row[arm])
            strangers[name] = strangers.get(name, 0) + n
            continue
        at = None if day is None else _day(row[day], rows, day, number)
        key = (row[arm], at, *(row[name] for name in segments))
        if key in seen:
            what = ", ".join(str(each) for each in key if each is not None)
            one = "an arm" + (", day" if day else "") + (" and segment" if segments else "")
            raise DataError(
                f"it is the second row of {what}; expected one {one}",
                source=rows.where,
                row=number,
                fix=Advice("name_day", (Setting("day"),), "Add such rows up, or name the day by {day}."),
            )
        seen.add(key)
        part = _moments(plan, names, row, n, rows, number)
        for by, segment in (OVERALL, *((name, row[name] or "(none)") for name in segments)):
            cell: Cell = (str(row[arm]), at, by, str(segment))
            cells[cell] = cells[cell] + part if cell in cells else part
    rules = strangers_left_out(strangers, plan, rows.where, unknown_arms)
    empty = [name for name in plan.arms if not sum(each.n for cell, each in cells.items() if cell[0] == name)]
    if empty:
        raise DataError(
            f"there are no units in the arm {', '.join(empty)}; expected some in every arm of the plan",
            source=rows.where,
            fix="Check the names of the arms in the plan and in the column.",
        )
    return cells, rules


def _moments(plan: Plan, names: _Names, row: Mapping[str, Any], n: int, rows: Table, number: int) -> Moments:
    """The moments of one row: those of 0 and 1 follow from the count, those of others from mean and sd."""
    sums: dict[str, float] = {}
    products: dict[tuple[str, ...], float] = {}
    shifts: dict[str, float] = {}
    for metric in names.shares:
        theirs, column = names.theirs[f"{metric.value}_successes"], _column(metric)
        hits = _whole(row[theirs], rows, theirs, number)
        if hits > n:
            raise DataError(
                f"there are {hits:,} successes of {n:,} units",
                source=rows.where,
                column=theirs,
                row=number,
                fix="Count each unit once.",
            )
        sums[column] = products[column, column] = float(hits)
        if plan.uneven:
            products[column, column, column] = float(hits)
    for metric in names.means:
        mean, sd = (names.theirs[f"{metric.value}_{part}"] for part in ("mean", "sd"))
        column = _column(metric)
        if n and (row[mean] is None or not math.isfinite(row[mean])):
            raise DataError(f"the mean of {n:,} units is not a number", source=rows.where, column=mean, row=number)
        spread = 0.0 if n < 2 and row[sd] is None else row[sd]
        if n and (spread is None or not 0 <= spread < math.inf):
            raise DataError(
                f"the standard deviation of {n:,} units is {spread}; expected a number, 0 or more",
                source=rows.where,
                column=sd,
                row=number,
            )
        sums[column], shifts[column] = 0.0, float(row[mean] or 0.0)
        products[column, column] = max(n - 1, 0) * float(spread or 0.0) ** 2
        skewness = names.theirs.get(f"{metric.value}_skewness")
        if skewness is not None:
            shape = _shape(row[skewness], n, float(spread or 0.0), rows, skewness, number)
            products[column, column, column] = shape * n * (products[column, column] / max(n, 1)) ** 1.5
    return Moments.of_sums(n, sums, products, shifts=shifts)


def _shape(value: float | None, n: int, spread: float, rows: Table, column: str, number: int) -> float:
    """The skewness of one row; 0 where nothing varies, of which there is none."""
    if value is None and (n < 2 or not spread):
        return 0.0
    if value is None or not abs(value) <= math.sqrt(n) * (1 + 1e-9):
        raise DataError(
            f"the skewness of {n:,} units is {value}; expected a number within ± √n",
            source=rows.where,
            column=column,
            row=number,
            fix="Give the mean of (x - mean)³ ÷ the 1.5th power of that of (x - mean)², or leave the column out.",
        )
    return value


def _whole(value: float | None, rows: Table, column: str, number: int) -> int:
    if value is None or not 0 <= value < 2**53 or value != int(value):
        raise DataError(
            f"there is the value {value}; expected a count: a whole number, 0 or more",
            source=rows.where,
            column=column,
            row=number,
            fix="Give counts, not shares or percents.",
        )
    return int(value)


def _day(value: date | datetime | None, rows: Table, column: str, number: int) -> str:
    if value is None:
        raise DataError(
            "there is no day",
            source=rows.where,
            column=column,
            row=number,
            fix="Leave the day out of all rows, or name it in each.",
        )
    return f"{value:%Y-%m-%d}"


def _unknown(plan: Plan, names: _Names, segments: Sequence[str]) -> tuple[Unknown, ...]:
    means = tuple(m.name for m in names.means)
    said = [Unknown("repeated_units"), Unknown("crossed_units"), Unknown("shared_ids"), Unknown("missing_values")]
    if means:
        said += [Unknown("extreme_units", means), Unknown("outliers", means)]
        untold = tuple(m.name for m in names.means if f"{m.value}_skewness" not in names.theirs)
        said += [Unknown("skewness", untold)] if plan.uneven and untold else []
    lists: tuple[tuple[Any, tuple[str, ...]], ...] = (
        ("covariates", tuple(m.name for m in plan.metrics if m.covariates)),
        ("cap", tuple(m.name for m in plan.metrics if m.cap is not None)),
        ("segments", tuple(name for name in plan.segments if name not in segments)),
        ("unread_metrics", tuple(m.name for m in plan.metrics if m.kind in ("ratio", "quantile", *OF_ARM))),
    )
    return (*said, *(Unknown(code, of) for code, of in lists if of))


def _flagged(sums: Aggregates, plan: Plan) -> Aggregates:
    return replace(sums, rules=(*sums.rules, *flags_of(sums, metric_columns_of(_readable(plan).metrics))))
