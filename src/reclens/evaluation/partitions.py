"""Evaluation by partitions: whole users each, one row of sums each. Names no engine.

An engine brings the rows of a user together (lists, truth, histories, attributes: :data:`PARTS`), calls
:func:`measure_partition` on the rows of a partition, and adds up what comes back; ``partition_totals`` makes the
evaluation of the total. What does not grow with users travels in the :class:`PartitionPlan`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.data.read.lists import run_starts
from reclens.engine import LocalEngine, quiet
from reclens.errors import DataError
from reclens.evaluation.context import EvaluationContext
from reclens.evaluation.groups import segments_table
from reclens.evaluation.measuring import MeasuringPlan, sum_lists
from reclens.evaluation.partition_context import SEGMENT, ItemFacts, context_of
from reclens.evaluation.partition_sums import PartitionSums
from reclens.evaluation.passes import CodedLists, measure_all
from reclens.evaluation.relevant import relevant_rows
from reclens.evaluation.source import Source, open_lists
from reclens.memory import require_memory
from reclens.metrics.conventions import Convention
from reclens.metrics.lists import Lists
from reclens.metrics.registry import MetricSpec
from reclens.schema import ITEM, RANK, SCORE, USER, stable_hash
from reclens.vocabulary import Vocabulary, number_ids

__all__ = [
    "NUMBER",
    "PART",
    "PARTS",
    "OpenPartition",
    "PartitionPlan",
    "measure_partition",
    "open_partition",
]

PART: Final = "part"
"""Column that says which table a row is of: its place in :data:`PARTS`."""
NUMBER: Final = "number"
"""Column with the rank or score of a row of the lists, and the relevance of a row of the truth."""
PARTS: Final = ("lists", "truth", "train", "history", "users")

_ROWS_A_CHECK: Final = 1_000_000


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
        source: Its lists.
        context: What they are held against.
        counts: What was counted on the way.
    """

    key: int
    source: Source
    context: EvaluationContext
    counts: Mapping[str, int]


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
    parts = _gathered(tables)
    if parts is None:
        return None
    _check_ids(parts)
    counts = {f"{name}_rows": table.height for name, table in parts.items()}
    held_out = parts["truth"].select(USER, ITEM, pl.col(NUMBER).alias(plan.relevance or NUMBER))
    pairs, left_out = relevant_rows(held_out, plan.relevance)
    source = open_lists(_in_order(plan, parts["lists"]), name="lists")
    source.where = "the lists"
    source.put_in_order()
    who = [pairs[USER]] if "truth" in plan.tables else []
    users = Vocabulary(pl.concat([*who, parts["lists"][USER]]) if listed or not who else who[0])
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
    own = context.keys if len(users) else stable_hash(pl.concat(table[USER] for table in parts.values()).unique())
    return OpenPartition(
        key=int(own.min()),
        source=source,
        context=context,
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
    total, values = _measured(plan, part.context, part.source)
    counts = {**part.counts, **total.counts}
    return replace(total, keys=(part.key,), counts=counts, rules=part.source.rules, values=values)


def _measured(
    plan: PartitionPlan, context: EvaluationContext, source: Any
) -> tuple[PartitionSums, pl.DataFrame | None]:
    """The sums of the lists and, where they are wanted, the values of each user."""
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
        part = PartitionSums(keys=(), summary=summary, exposure=exposure, counts=counts, rules=[])
        return part, values if plan.values else values[:0]

    passed = measure_all(measure, context, plan.depth, source=source, engine=LocalEngine(1), progress=quiet)
    if not passed:  # neither lists nor truth
        nobody, none = np.zeros((0, plan.depth), np.int32), np.zeros(0, np.int64)
        coded = CodedLists(users=none, items=nobody, length=none.astype(np.int32))
        passed = [(coded, measure(coded))]
    total = PartitionSums.total(part for _, (part, _) in passed)
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


def _gathered(tables: Iterable[pl.DataFrame]) -> dict[str, pl.DataFrame] | None:
    """The rows of a partition by table, with integer ids of 64 bits; refused before they fill the memory.

    Each table keeps the columns that it has values in. Most pieces that a shuffle hands over are of one table, and are
    taken as they are.
    """
    held: dict[str, list[pl.DataFrame]] = {name: [] for name in PARTS}
    columns: dict[str, list[str]] = {}
    size = rows = checked = 0
    for table in tables:
        columns = columns or {name: _own(name, table.columns) for name in PARTS}
        if not rows:
            for name, pieces in held.items():
                pieces[:] = [table.clear()[columns[name]]]
        places = table[PART]
        low, high = places.min(), places.max()
        if low is None or high is None:
            continue
        for place in range(int(low), int(high) + 1):  # pyright: ignore[reportArgumentType]
            mine = table if low == high else table.filter(places == place)
            held[PARTS[place]].append(mine[columns[PARTS[place]]])
        size, rows = size + int(table.estimated_size()), rows + table.height
        if rows - checked >= _ROWS_A_CHECK:
            checked = rows
            _require(size, rows)
    if not rows:
        return None
    _require(size, rows)
    return {name: _with_wide_ids(pl.concat(pieces)) for name, pieces in held.items()}


def _own(name: str, columns: Sequence[str]) -> list[str]:
    """The columns of one of :data:`PARTS`."""
    segments = [each for each in columns if each.startswith(SEGMENT)]
    return [USER, *segments] if name == "users" else [each for each in columns if each not in (PART, *segments)]


def _with_wide_ids(rows: pl.DataFrame) -> pl.DataFrame:
    ids = [name for name in (USER, ITEM) if name in rows.columns and rows.schema[name].is_integer()]
    return rows.cast(dict.fromkeys(ids, pl.Int64())) if ids else rows


def _require(size: int, rows: int) -> None:
    # The rows are copied once to be put in order, and codes of lists and truth take about as much again.
    require_memory(2 * size, f"a partition of {rows:,} rows or more", advice="Cut the users into more partitions.")


def _check_ids(parts: Mapping[str, pl.DataFrame]) -> None:
    """Refuse missing ids."""
    for column in (USER, ITEM):
        for part, rows in parts.items():
            if column in rows.columns and (bad := rows[column].null_count()):
                raise DataError(
                    f"{bad:,} ids or more are missing",
                    source="the lists" if part == "lists" else f"the table of {part}",
                    column=column,
                    fix="Drop those rows.",
                )


def _in_order(plan: PartitionPlan, rows: pl.DataFrame) -> pl.DataFrame:
    """The lists by user: an engine brings the rows of a user in any order, and in few runs for the most part.

    Equal ranks and scores are ordered by item, so that a task that is run again gives the same sums.
    """
    name, sign = (SCORE, -1.0) if plan.ordered_by == "score" else (RANK, 1.0)
    beside = [SCORE] if SCORE in rows.columns and name != SCORE else []
    rows = rows.select(USER, ITEM, pl.col(NUMBER).alias(name), *beside)
    starts = run_starts(rows[USER])
    distinct, users = number_ids(rows[USER].gather(starts))
    lengths = np.diff(starts, append=rows.height)
    numbers = sign * rows[name].to_numpy()
    if len(distinct) < len(starts):
        in_turn = np.lexsort((numbers[starts], users))
        starts, lengths, users = starts[in_turn], lengths[in_turn], users[in_turn]
        order = np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(rows.height)
        rows, numbers = rows[order], numbers[order]
    owner = np.repeat(users, lengths)
    same = owner[1:] == owner[:-1]
    if not (same & ~(numbers[1:] > numbers[:-1])).any():
        return rows
    order = np.lexsort((numbers, owner))
    held, owner = numbers[order], owner[order]
    if (same & (held[1:] == held[:-1])).any():
        order = np.lexsort((rows[ITEM].rank("dense").to_numpy(), numbers, owner))
    return rows[order]
