"""Evaluation by partitions: whole users each, one row of sums each. Names no engine.

An engine brings the rows of a user together (lists, truth, histories, attributes: :data:`PARTS`), calls
:func:`measure_partition` on the rows of a partition, and adds up what comes back; ``partition_totals`` makes the
evaluation of the total. What does not grow with users travels in the :class:`PartitionPlan`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import numpy as np
import polars as pl

from reclens.engine import LocalEngine, quiet
from reclens.evaluation.context import EvaluationContext
from reclens.evaluation.groups import segments_table
from reclens.evaluation.measuring import MeasuringPlan, sum_lists
from reclens.evaluation.partition_context import ItemFacts, context_of
from reclens.evaluation.partition_rows import NUMBER, PART, PARTS, TURNS, PartitionRows, gathered
from reclens.evaluation.partition_sums import PartitionSums
from reclens.evaluation.passes import CodedLists, measure_all
from reclens.evaluation.relevant import relevant_rows
from reclens.evaluation.source import Source
from reclens.metrics.conventions import Convention
from reclens.metrics.lists import Lists
from reclens.metrics.registry import MetricSpec
from reclens.schema import ITEM, USER, stable_hash
from reclens.vocabulary import NumberedVocabulary, Vocabulary

__all__ = [
    "NUMBER",
    "PART",
    "PARTS",
    "OpenPartition",
    "PartitionPlan",
    "measure_partition",
    "open_partition",
]

Part = TypeVar("Part")


@dataclass(frozen=True, eq=False, kw_only=True)
class PartitionPlan:
    """What every partition is measured with.

    Attributes:
        specs: The metrics.
        convention: The convention.
        depth: The deepest rank that is looked at.
        replicates: Bootstrap replicates.
        seed: Of the replicates.
        ordered_by: Whether the lists have ranks or scores.
        relevance: The column of the truth that its relevances have; None where every row counts alike.
        tables: The tables that there are, of :data:`PARTS`.
        has_catalogue: Whether it is known which items can be recommended.
        facts: The items; None where they stand in the rows.
        n_items: Items that can be recommended.
        n_users: Users of the training data.
        labels: Segmentation -> its segments in the order shown.
        by: The segmentations that are asked for, and products of them.
        values: Whether the values of each user are wanted.
    """

    specs: tuple[MetricSpec, ...]
    convention: Convention
    depth: int
    replicates: int
    seed: int
    ordered_by: Literal["rank", "score"]
    relevance: str | None
    tables: frozenset[str]
    has_catalogue: bool
    facts: ItemFacts | None
    n_items: int
    n_users: int
    labels: Mapping[str, Sequence[str]]
    by: Sequence[str | tuple[str, str]]
    values: bool = False

    @property
    def user_metrics(self) -> list[str]:
        """The metrics that have a value for each user."""
        return [spec.text for spec in self.specs if spec.info.kind == "user"]

    @property
    def width(self) -> int:
        """Columns of the sums."""
        return max(len(self.user_metrics), 1)

    def measure(self, tables: Iterable[pl.DataFrame]) -> PartitionSums | None:
        """The work of a partition."""
        return measure_partition(self, tables)

    @property
    def cuts(self) -> dict[int, bool]:
        """The cut-offs at which exposure is counted, and whether it is by segment."""
        asked = {spec.k or self.depth for spec in self.specs if spec.info.kind == "catalogue"}
        return {k: k in asked for k in sorted(asked | {self.depth})}


@dataclass(frozen=True, eq=False, kw_only=True)
class OpenPartition:
    """The rows of a partition, ready to be measured.

    Attributes:
        key: What tells it from others.
        source: Its lists, by the numbers of users and items.
        context: What they are held against.
        numbered: The same, for the numbers of the lists.
        counts: What was counted on the way.
    """

    key: int
    source: Source
    context: EvaluationContext
    numbered: EvaluationContext
    counts: Mapping[str, int]

    def passed(
        self, measure: Callable[[CodedLists], Part], depth: int, *, scores: bool = False
    ) -> list[tuple[CodedLists, Part]]:
        """What the lists give, as :func:`reclens.evaluation.passes.measure_all`; one part, where there are no users."""
        how: dict[str, Any] = {"engine": LocalEngine(1), "progress": quiet, "scores": scores}
        with TURNS:
            found = measure_all(measure, self.numbered, depth, source=self.source, **how)
        if found:
            return found
        nobody, none = np.zeros((0, depth), np.int32), np.zeros(0, np.int64)
        coded = CodedLists(users=none, items=nobody, length=none.astype(np.int32))
        return [(coded, measure(coded))]


def open_partition(
    plan: PartitionPlan, tables: Iterable[pl.DataFrame], *, listed: bool = False
) -> OpenPartition | None:
    """Code the rows of a partition.

    Args:
        plan: What is measured.
        tables: ``part, user_id, item_id, number`` and a column a segmentation (``segment NAME``), in pieces; all rows
            of a user are here.
        listed: Whether users with a list count who have no relevant item.

    Returns:
        The partition; None for an empty one.

    Raises:
        DataError: If ids are missing, or the lists are none.
        NotEnoughMemoryError: If the partition does not fit in memory.
    """
    rows = gathered(tables)
    if rows is None:
        return None
    with TURNS:
        return _opened(plan, rows, listed)


def _opened(plan: PartitionPlan, rows: PartitionRows, listed: bool) -> OpenPartition:
    lists, parts = rows.lists, rows.parts
    counts = {f"{name}_rows": n for name, n in rows.counts.items()}
    held_out = parts["truth"].select(USER, ITEM, pl.col(NUMBER).alias(plan.relevance or NUMBER))
    pairs, left_out = relevant_rows(held_out, plan.relevance)
    source = lists.source(plan.ordered_by)
    who = [pairs[USER]] if "truth" in plan.tables else []
    users = Vocabulary(pl.concat([*who, lists.users]) if listed or not who else who[0])
    context, found = context_of(
        parts,
        pairs,
        users,
        facts=plan.facts,
        n_items=plan.n_items,
        n_users=plan.n_users,
        has_train="train" in plan.tables,
        has_history="history" in plan.tables,
        has_catalogue=plan.has_catalogue,
        labels=plan.labels,
        by=plan.by,
    )
    every: dict[str, Any] = {**counts, **left_out, **found, "integer_users": int(users.is_integer and len(users) > 0)}
    own = context.keys if len(users) else stable_hash(rows.users.unique())
    by_number = {
        "users": NumberedVocabulary(users, lists.users),
        "items": NumberedVocabulary(context.items, lists.items[ITEM]),
    }
    return OpenPartition(
        key=int(own.min()),
        source=source,
        context=context,
        numbered=replace(context, **by_number),
        counts=every,
    )


def measure_partition(plan: PartitionPlan, tables: Iterable[pl.DataFrame]) -> PartitionSums | None:
    """Measure the users of a partition: the whole work of an executor.

    Args:
        plan: What is measured.
        tables: As of :func:`open_partition`.

    Returns:
        The sums; None for an empty partition.

    Raises:
        DataError: If ids are missing, or the lists are none.
        NotEnoughMemoryError: If the partition does not fit in memory.
    """
    part = open_partition(plan, tables)
    if part is None:
        return None
    total, values = _measured(plan, part)
    counts = {**part.counts, **total.counts}
    return replace(total, keys=(part.key,), counts=counts, rules=part.source.rules, values=values)


def _measured(plan: PartitionPlan, part: OpenPartition) -> tuple[PartitionSums, pl.DataFrame | None]:
    """The sums of the lists and, where they are wanted, the values of each user."""
    context = part.context
    measuring = MeasuringPlan(
        specs=plan.specs,
        convention=plan.convention,
        context=context,
        depth=plan.depth,
        replicates=plan.replicates,
        seed=plan.seed,
    )

    def measure(coded: CodedLists) -> tuple[PartitionSums, np.ndarray]:
        lists, values, summary, seen = sum_lists(measuring, coded)
        exposure = _exposure(plan, context, lists, coded.users)
        length = coded.length
        counts = {
            "seen": seen,
            "listed": int(length.sum()),
            "strangers": coded.strangers,
            "without_list": int((length == 0).sum()),
            "short_list": int(((length > 0) & (length < plan.depth)).sum()),
            "inside": int(exposure.filter(k=plan.depth, cell=0)["count"].sum()),
        }
        sums = PartitionSums(keys=(), summary=summary, exposure=exposure, counts=counts, rules=[])
        return sums, values if plan.values else values[:0]

    passed = part.passed(measure, plan.depth)
    total = PartitionSums.total(sums for _, (sums, _) in passed)
    if not plan.values:
        return total, None
    users = np.concatenate([coded.users for coded, _ in passed])
    order = np.argsort(users, kind="stable")
    values = np.concatenate([own for _, (_, own) in passed])[order]
    length = np.concatenate([coded.length for coded, _ in passed])[order]
    columns = {USER: context.users.ids, "n_relevant": context.n_relevant, "list_length": length.astype(np.int64)}
    table = pl.DataFrame(columns | {name: values[:, at] for at, name in enumerate(plan.user_metrics)})
    return total, table.with_columns(segments_table(context.users.ids, context.groups).drop(USER))


def _exposure(plan: PartitionPlan, context: EvaluationContext, lists: Lists, users: np.ndarray) -> pl.DataFrame:
    """How often each item of the catalogue was shown, ``k, cell, item_id, count``, at each cut-off in each cell."""
    n_items = max(len(context.items), 1)
    shown = (lists.items >= 0) & context.catalogue.in_catalogue[lists.items] if len(context.items) else lists.items >= 0
    cells = [np.zeros(len(users), np.int64)]
    first = 1
    for labels, codes in context.groups.values():
        cells.append(codes[users] + first)
        first += len(labels)
    found: list[pl.DataFrame] = []
    for k, by_segment in plan.cuts.items():
        places = np.nonzero(shown[:, :k])
        item = lists.items[:, :k][places].astype(np.int64)
        for cell in cells if by_segment else cells[:1]:
            key, count = np.unique(cell[places[0]] * n_items + item, return_counts=True)
            ids = context.items.decode(key % n_items).alias(ITEM)
            row = {"k": np.full(len(key), k, np.int32), "cell": (key // n_items).astype(np.int32)}
            found.append(pl.DataFrame({**row, ITEM: ids, "count": count.astype(np.int64)}))
    return pl.concat(found)
