"""The sums of an experiment by partitions of whole units, of a table with one row a unit. Names no engine."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce
from operator import add
from typing import Any, Final

import polars as pl

from reclens.errors import DataError, UnknownNameError, UsageError
from reclens.evaluation.partition_sums import ROW, once
from reclens.experiment.aggregate.aggregates import Aggregates, Rule
from reclens.experiment.aggregate.metric_columns import metric_columns_of, missing
from reclens.experiment.aggregate.query import Window
from reclens.experiment.aggregate.source import opened
from reclens.experiment.aggregate.summing import Summing, flags_of, summed
from reclens.experiment.aggregate.tally import Counted, Tally
from reclens.experiment.aggregate.triggered import list_triggered, of_triggered
from reclens.experiment.aggregate.unknown import Unknown
from reclens.experiment.planning.metric import OF_ARM
from reclens.experiment.planning.plan import Plan
from reclens.records import revived
from reclens.schema import stable_hash

__all__ = ["ExperimentPlan", "ExperimentSums", "refuse_absent", "refuse_rows"]

_UNKNOWN: Final = (Unknown("shared_ids"), Unknown("extreme_units"), Unknown("outliers"))
"""What sums alone do not tell."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ExperimentSums:
    """The sums of the units of one or several partitions.

    Attributes:
        keys: What tells partitions apart: the least hash of a unit of each.
        found: The sums.
    """

    keys: tuple[int, ...]
    found: Aggregates

    def to_row(self) -> dict[str, Any]:
        """The sums as one row: text alone."""
        found = self.found
        rest = None if found.untriggered is None else ExperimentSums(keys=(), found=found.untriggered).to_row()[ROW[0]]
        header = {
            "keys": self.keys,
            "arms": found.arms,
            "columns": found.columns,
            "rows": found.to_rows(),
            "rules": [asdict(each) for each in found.rules],
            "tallies": [asdict(each) for each in found.tallies],
            "indicators": found.indicators,
            "untriggered": rest,
        }
        return dict(zip(ROW, (json.dumps(header), b"", b""), strict=True))

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> ExperimentSums:
        """The inverse of :meth:`to_row`."""
        known = json.loads(row[ROW[0]])
        named = {"arms": known["arms"], "indicators": known["indicators"]}
        rules = revived(tuple[Rule, ...], known["rules"])
        tallies = tuple(_tally(each) for each in known["tallies"])
        if known["rows"]:
            found = Aggregates.of_rows(known["rows"], **named)
        else:
            arms, columns, indicators = (tuple(known[name]) for name in ("arms", "columns", "indicators"))
            found = Aggregates(arms=arms, columns=columns, cells={}, indicators=indicators)
        rest = None if known["untriggered"] is None else cls.of_row({ROW[0]: known["untriggered"]}).found
        return cls(keys=tuple(known["keys"]), found=replace(found, rules=rules, tallies=tallies, untriggered=rest))

    @classmethod
    def total(cls, parts: Iterable[ExperimentSums]) -> ExperimentSums:
        """The sums of one or several; a partition that is in two of them counts once."""
        kept = once(parts)
        found = reduce(add, (part.found for part in kept))
        others = [part.found.untriggered for part in kept if part.found.untriggered is not None]
        rest = reduce(add, others) if others else None
        found = replace(found, rules=_merged(found.rules), untriggered=rest)
        return cls(keys=tuple(key for part in kept for key in part.keys), found=found)

    def __add__(self, other: ExperimentSums) -> ExperimentSums:
        return ExperimentSums.total([self, other])


@dataclass(frozen=True, eq=False, kw_only=True)
class ExperimentPlan:
    """What every partition of a table with one row a unit is summed up by.

    Attributes:
        plan: The plan of the experiment.
        summing: The columns, and what happens where they are not as they have to be.
        names: The columns of the pieces of a partition, in their order, as the table names them.
    """

    plan: Plan
    summing: Summing
    names: Sequence[str]

    def measure(self, tables: Iterable[pl.DataFrame]) -> ExperimentSums | None:
        """The work of a partition: all rows of some units."""
        held = [table for table in tables if table.height]
        if not held:
            return None
        rows = pl.concat(held)
        rows.columns = list(self.names)
        plan = self.plan
        with opened(rows) as table:
            if plan.triggered is None:
                found = summed(table, plan, self.summing)
            else:
                list_triggered(table, plan, Window())
                others = summed(of_triggered(table, plan, triggered=False), plan, self._of_others)
                found = replace(summed(of_triggered(table, plan), plan, self.summing), untriggered=others)
        # Whether an arm has one unit, or a metric no variance, is told from the sums of all.
        found = replace(found, rules=tuple(each for each in found.rules if each.arm is None))
        keys = rows[plan.unit].cast(pl.String).fill_null("").unique()
        return ExperimentSums(keys=(int(stable_hash(keys).min()),), found=found)  # pyright: ignore[reportArgumentType]

    @property
    def _of_others(self) -> Summing:
        return self.summing.of_others

    def aggregates(self, sums: ExperimentSums | None) -> Aggregates:
        """The sums of all partitions, with the columns that one machine has.

        Raises:
            DataError: If an arm has no unit.
        """
        there = set() if sums is None else {arm for arm, *_ in sums.found.cells}
        empty = [arm for arm in self.plan.arms if arm not in there]
        if sums is None or empty:
            raise DataError(
                f"there are no units in the arm {', '.join(empty)}; expected some in every arm of the plan",
                source="the table",
                fix="Check the names of the arms in the plan and in the column.",
            )
        found = self._without_idle(sums.found)
        columns = metric_columns_of(self.plan.metrics, rows=found.rows, indicators=found.indicators)
        others = found.untriggered
        rest = self._without_idle(others) if others is not None and others.cells else None
        return replace(found, rules=(*found.rules, *flags_of(found, columns)), unknown=_UNKNOWN, untriggered=rest)

    def _without_idle(self, found: Aggregates) -> Aggregates:
        """The sums without the columns that count missing values of covariates that none are missing of."""
        listed = [name for metric in self.plan.metrics for name in metric.covariates]
        before = {part.strip() for name in listed for part in name.split("/")}
        idle = before - {each.column for each in found.rules if each.code == "missing_covariate"}
        return _without(found, idle & set(found.indicators))


def refuse_absent(asked: ExperimentPlan, columns: Sequence[str]) -> None:
    """Refuse what cannot be summed up by partitions, and columns that are not there.

    Raises:
        UsageError: If the plan randomises clusters, or lists triggered units by a query.
        UnknownNameError: If a column is absent.
    """
    plan, of = asked.plan, asked.summing
    if plan.cluster or plan.triggered_by_query:
        raise UsageError("a table of an engine has a row a unit, and triggered units in a column. Sum it up by unit.")
    wanted = [of.arm, plan.unit, *([of.day] if of.day else []), *of.segments, *plan.columns, *of.counts]
    for name in (*wanted, *([plan.triggered] if plan.triggered else [])):
        if name not in columns:
            raise UnknownNameError("column of the table", name, columns)


def refuse_rows(plan: Plan, *, events: bool, ids: bool) -> None:
    """Refuse what sums of one row a unit do not give.

    Raises:
        UsageError: If the table is a log, or has no ids, or a metric is a quantile or one of exposure.
    """
    beyond = [each.name for each in plan.metrics if each.kind in ("quantile", *OF_ARM)]
    if events or not ids or beyond:
        what = f"'{beyond[0]}'" if beyond else "a log of events" if events else "a table without ids"
        raise UsageError(f"{what} takes the rows of one machine. In Spark, sum the table up by unit before.")


def _tally(known: Mapping[str, Any]) -> Tally:
    arms = {arm: Counted(*counts) for arm, counts in known["arms"].items()}
    fields: dict[str, Any] = {**known, "arms": arms}
    return Tally(**fields)


def _merged(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """Rules with the counts of all partitions."""
    found: dict[tuple[Any, ...], Rule] = {}
    for each in rules:
        key = each.code, each.arm, each.metric, each.column, each.table
        old = found.get(key)
        if old is not None:
            arms = {arm: old.arms.get(arm, 0) + each.arms.get(arm, 0) for arm in {**old.arms, **each.arms}}
            each = replace(old, count=old.count + each.count, arms=dict(sorted(arms.items())))
        found[key] = each
    return tuple(found.values())


def _without(found: Aggregates, idle: Collection[str]) -> Aggregates:
    """The sums without the columns that count missing values of some covariates."""
    gone = {missing(name) for name in idle}
    kept = [column for column in found.columns if column not in gone]
    at = [found.columns.index(column) for column in kept]
    cells = {
        cell: replace(
            each,
            columns=tuple(kept),
            mean=each.mean[at],
            cross=each.cross[at][:, at],
            third=None if each.third is None else each.third[at][:, at][:, :, at],
        )
        for cell, each in found.cells.items()
    }
    indicators = tuple(name for name in found.indicators if name not in idle)
    return replace(found, columns=tuple(kept), cells=cells, indicators=indicators)
