"""Spark: evaluation of tables where they lie, in classic sessions, over Spark Connect, and on Sail.

Lists, truth, histories and attributes meet by one shuffle on the user; ``mapInArrow`` turns a partition into one row
of sums, and the driver adds. Nothing that grows with the number of users reaches the driver. No SparkContext, no RDD
and no broadcast variable is asked for: Spark Connect has none of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil, prod, sqrt
from typing import Any, Final

import polars as pl

from reclens.data.dataset import Dataset
from reclens.edges._spark_frames import (
    check_kinds,
    frame_of,
    functions,
    is_spark_frame,
    lists_of,
    pairs_of,
    relevant_pairs,
    segments_of,
    some_ids,
    together,
)
from reclens.edges._spark_rows import COLUMNS, add_sums, measure, own_columns, polars_of, unpacked
from reclens.edges._spark_session import check_version, spark_session, translated, watched
from reclens.engine import Progress
from reclens.errors import ArgumentValueError, UsageError
from reclens.evaluation.against_split import measured_against
from reclens.evaluation.argument_checks import check_asked, check_needs, check_seed, with_segments_of
from reclens.evaluation.groups import named_parts
from reclens.evaluation.partition_context import ItemFacts, facts_of
from reclens.evaluation.partition_totals import ROW, Measured, evaluation_of, total_of
from reclens.evaluation.partitions import PartitionPlan, PartitionSums
from reclens.evaluation.results import Evaluation
from reclens.metrics.conventions import convention_named
from reclens.metrics.registry import MetricSpec
from reclens.schema import ITEM, USER, Recommendations

__all__ = ["Spark", "SparkTables", "connect"]

_CARRIED: Final = 1_000_000
"""Items up to which the facts of all items travel to every task; more are joined to the rows."""
_ADDED_AT_ONCE: Final = 1_000
_FETCHED: Final = 256_000_000
"""Partitions, and bytes of their sums, that the driver adds by itself; more are added on executors first."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SparkTables:
    """Training data in Spark: what lists are held against beside the truth.

    Attributes:
        interactions: A frame ``user_id, item_id``.
        users: A frame ``user_id`` and attributes, one row a user, whose columns are segmentations as they are.
        items: A frame ``item_id`` and attributes, one row an item, such as ``genres``; it is read to the driver.
    """

    interactions: Any = None
    users: Any = None
    items: Any = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Spark:
    """A session, and how tables are cut in it. A :class:`~reclens.engine.TableEngine`.

    Attributes:
        session: The session; None takes that of the frames.
        partitions: Partitions that the users are cut into; None takes ``spark.sql.shuffle.partitions``.
        values: Folder, as Spark writes it, for the values of each user: Parquet under ``part=users``, written by the
            executors. None keeps none.
    """

    session: Any = None
    partitions: int | None = None
    values: str | None = None

    def table(self, name: str) -> Any:
        """The frame of a table of the session, or of a Parquet path.

        Raises:
            DataError: If there is none.
        """
        session = self.session or spark_session()
        with translated(name):
            frame = session.read.parquet(name) if "/" in name else session.table(name)
            frame.schema  # noqa: B018 - Spark Connect looks a table up when its columns are asked for
            return frame

    def evaluate(self, recommendations: Any, truth: Any = None, *, progress: Progress, **how: Any) -> Evaluation:
        """As :func:`reclens.evaluate`; tables are frames of Spark, or such that fit in the memory of the driver.

        Args:
            recommendations: A frame ``user_id, item_id`` and ``rank`` or ``score``.
            truth: A frame ``user_id, item_id``, or a split.
            progress: Callback for the progress.
            **how: The other arguments; ``train`` may be a frame of interactions or :class:`SparkTables`.

        Returns:
            The evaluation, without the values of single users.
        """
        check_version()
        session = self.session or _session_of(recommendations, truth, how.get("train"))
        work = _Work(engine=replace(self, session=session), progress=progress, asked=_Question(**how))
        with watched(session, "evaluate on Spark", progress):
            return work.evaluation(recommendations, truth)


def connect(rest: str) -> Spark:
    """The engine of an address: ``spark:local[2]``, ``spark:sc://host:port``, ``spark:`` for that of the frames."""
    return Spark(session=spark_session(rest) if rest else None)


def _session_of(*tables: Any) -> Any:
    for table in tables:
        own: Any = getattr(table, "interactions", None)
        for each in (table, own):
            if is_spark_frame(each):
                return each.sparkSession
    return spark_session()


@dataclass(frozen=True, eq=False, kw_only=True)
class _Question:
    """The arguments of an evaluation, as of :func:`reclens.evaluate`."""

    train: Any = None
    history: Any = None
    metrics: Any = None
    by: Any = None
    relevance: str | None = None
    catalogue: Any = None
    features: Any = None
    convention: Any = "trec"
    level: float = 0.95
    replicates: int = 1000
    rng: int = 0
    name: str | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class _Work:
    """One evaluation."""

    engine: Spark
    progress: Progress
    asked: _Question

    def evaluation(self, recommendations: Any, truth: Any) -> Evaluation:
        """Plan, measure, add."""
        asked = self.asked
        tables = SparkTables(interactions=asked.train) if is_spark_frame(asked.train) else asked.train
        memory = None if isinstance(tables, SparkTables) else tables
        given = measured_against(truth, train=memory, history=asked.history, metrics=asked.metrics, by=asked.by)
        metrics = check_asked(given.metrics, convention=asked.convention, level=asked.level)
        check_seed(asked.rng)
        learned = with_segments_of(given.train, given.by)
        if not isinstance(tables, SparkTables):
            tables = _tables_of(learned)
        made = recommendations if isinstance(recommendations, Recommendations) else None
        lists, ordered_by = lists_of(self.engine, recommendations)
        others = pairs_of(self.engine, given.truth, tables.interactions, given.history, asked.relevance)
        labels, people = segments_of(self.engine, tables.users, given.by)
        frames = {"lists": lists, **others, **({} if people is None else {"users": people})}
        check_kinds(frames)
        facts = self.facts(frames, tables.items)
        specs = tuple(dict.fromkeys(metrics.values()))
        self.check(specs, frames, facts)
        plan = PartitionPlan(
            specs=specs,
            convention=convention_named(asked.convention),
            depth=self.depth(specs, frames),
            replicates=asked.replicates,
            seed=asked.rng,
            ordered_by=ordered_by,
            relevance=asked.relevance,
            tables=frozenset(frames),
            has_catalogue=self.has_catalogue(frames),
            facts=facts,
            n_items=int(facts.offered.sum()),
            n_users=facts.n_users,
            labels=labels,
            by=given.by,
            values=self.engine.values is not None,
        )
        rows = together(frames, labels)
        if len(facts.ids) > _CARRIED:
            plan, rows = self.joined(plan, rows, facts)
        measured = Measured(
            name=asked.name or (made.name if made is not None else "system"),
            lists_card={} if made is None else {name: made.card[name] for name in made.card if name != "rules"},
            level=asked.level,
            facts=facts,
            train=learned,
            aliases={text: spec.text for text, spec in metrics.items() if text != spec.text},
            ids=lambda name: (some_ids(lists, name), some_ids(frames.get("truth", lists), name)),
        )
        return evaluation_of(plan, self.total(plan, rows), measured)

    def has_catalogue(self, frames: Mapping[str, Any]) -> bool:
        """Whether it is known which items can be recommended."""
        return "train" in frames or self.asked.catalogue is not None

    def check(self, specs: Sequence[MetricSpec], frames: Mapping[str, Any], facts: ItemFacts) -> None:
        """Refuse metrics that need what was not given."""
        check_needs(
            specs,
            truth="truth" in frames,
            profiles="train" in frames,
            catalogue=int(facts.offered.sum()) if self.has_catalogue(frames) else None,
            features=facts.features is not None,
            distributions=facts.distributions is not None,
        )

    def facts(self, frames: Mapping[str, Any], items: Any) -> ItemFacts:
        """What is known of all items; as many rows as there are items come to the driver."""
        fn = functions()
        self.progress("count items and segments", 0, 0)
        offered = None if self.asked.catalogue is None else pl.Series(ITEM, self.asked.catalogue)
        attributes = None
        if items is not None:
            held = isinstance(items, pl.DataFrame)
            attributes = items if held else polars_of(frame_of(self.engine, items, "the items", ITEM))
        learned, n_users, relevant = None, 0, None
        if "train" in frames:
            pairs = frames["train"].select(USER, ITEM, fn.lit(True).alias("in_train"))
            if "history" in frames:
                pairs = pairs.unionByName(frames["history"].select(USER, ITEM, fn.lit(False).alias("in_train")))
            n_users = int(pairs.select(USER).distinct().count())
            single = pairs.groupBy(USER, ITEM).agg(fn.max("in_train").alias("in_train"))
            counted = single.groupBy(ITEM).agg(fn.count("*").alias("popularity"), fn.max("in_train").alias("in_train"))
            learned = polars_of(counted)
        if "history" in frames or ("train" not in frames and offered is None):
            held = (
                relevant_pairs(frames["truth"], self.asked.relevance) if "truth" in frames else frames["lists"].limit(0)
            )
            relevant = polars_of(held.select(ITEM).dropna().distinct())[ITEM]
        return facts_of(
            learned,
            n_users,
            offered=offered,
            features=self.asked.features,
            attributes=attributes,
            relevant=relevant,
        )

    def depth(self, specs: Sequence[MetricSpec], frames: Mapping[str, Any]) -> int:
        """The largest cut-off of the metrics; where one has none, the most relevant items of any user."""
        whole = 1
        if any(spec.k is None for spec in specs) and "truth" in frames:
            pairs = relevant_pairs(frames["truth"], self.asked.relevance).select(USER, ITEM).distinct()
            most = pairs.groupBy(USER).count().agg({"count": "max"}).collect()[0][0]
            whole = int(most or 1)
        return max(spec.k if spec.k is not None else whole for spec in specs)

    def joined(self, plan: PartitionPlan, rows: Any, facts: ItemFacts) -> tuple[PartitionPlan, Any]:
        """Facts of the items as columns of the rows, by a broadcast join: too many to travel with every task."""
        fn = functions()
        featured = [spec.text for spec in plan.specs if {"features", "distributions"} & set(spec.info.needs)]
        if featured:
            too_many = f"{len(facts.ids):,} items are more than {_CARRIED:,}"
            raise UsageError(f"{featured[0]} takes the features of all items to every task, and {too_many}.")
        items = frame_of(self.engine, facts.table(), "the items")
        return replace(plan, facts=None), rows.join(fn.broadcast(items), ITEM, "left")

    def total(self, plan: PartitionPlan, rows: Any) -> PartitionSums | None:
        """The sums of all partitions, from one shuffle on the user."""
        wanted = self.engine.partitions
        if wanted is not None and wanted < 1:
            raise ArgumentValueError("partitions", f"is {wanted}, expected 1 or more, or None for the session's")
        n = wanted or int(self.engine.session.conf.get("spark.sql.shuffle.partitions") or 200)
        cut = rows.repartition(n, USER)
        if plan.values:
            own = own_columns(plan, integer=dict(rows.dtypes)[USER] == "bigint")
            columns = ", ".join(f"`{name}` {kind}" for name, kind in own.items())
            kept = cut.mapInArrow(partial(measure, plan, own), f"part string, {COLUMNS}, {columns}")
            kept.write.partitionBy("part").parquet(self.engine.values)
            found = self.engine.session.read.parquet(f"{self.engine.values}/part=sums")
        else:
            found = cut.mapInArrow(partial(measure, plan, {}), COLUMNS)
            if n > _ADDED_AT_ONCE or n * _row_size(plan) > _FETCHED:
                found = found.repartition(ceil(sqrt(n)), ROW[0]).mapInArrow(add_sums, COLUMNS)
        return total_of(unpacked(polars_of(found.select(*ROW, "error"))))


def _row_size(plan: PartitionPlan) -> int:
    """Bytes of a row of sums: two numbers a replicate, metric and cell."""
    sizes = {name: len(labels) + 1 for name, labels in plan.labels.items()}
    cells = 1 + sum(prod(sizes[part] for part in named_parts(by)) for by in plan.by)
    return 16 * cells * max(len(plan.user_metrics), 1) * plan.replicates


def _tables_of(train: Dataset | None) -> SparkTables:
    """Training data in memory as tables, which go to the executors."""
    if train is None:
        return SparkTables()
    people = train.users if train.segments is None else train.segments
    return SparkTables(interactions=train.interactions.select(USER, ITEM), users=people, items=train.items)
