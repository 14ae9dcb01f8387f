"""Evaluation on Spark, step by step: what is asked, the facts of the items, the plan, and the sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any, Final

import polars as pl

from reclens.data.dataset import Dataset
from reclens.edges._spark_frames import (
    SparkTables,
    check_kinds,
    frame_of,
    functions,
    in_backticks,
    is_spark_frame,
    lists_of,
    pairs_of,
    relevant_pairs,
    segments_of,
    some_ids,
    together,
)
from reclens.edges._spark_rows import COLUMNS, measure, own_columns, polars_of
from reclens.edges._spark_sums import added, collected, partitions_of
from reclens.engine import Progress
from reclens.errors import UsageError
from reclens.evaluation.against_split import measured_against
from reclens.evaluation.argument_checks import check_asked, check_needs, check_seed, with_segments_of
from reclens.evaluation.groups import named_parts
from reclens.evaluation.partition_context import ItemFacts, facts_of
from reclens.evaluation.partition_sums import PartitionSums
from reclens.evaluation.partition_totals import Measured, evaluation_of
from reclens.evaluation.partitions import PartitionPlan
from reclens.evaluation.results import Evaluation
from reclens.metrics.conventions import convention_named
from reclens.metrics.registry import MetricSpec
from reclens.schema import ITEM, USER, Recommendations

__all__ = ["CARRIED", "Question", "Work", "tables_of"]

CARRIED: Final = 1_000_000
"""Items up to which the facts of all items travel to every task; more are joined to the rows."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Question:
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
class Work:
    """One evaluation."""

    engine: Any
    progress: Progress
    asked: Question

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
            tables = tables_of(learned)
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
        if len(facts.ids) > CARRIED:
            plan, rows = self.joined(plan, rows, facts)
        aliases = {text: spec.text for text, spec in metrics.items() if text != spec.text}
        measured = self.measured(recommendations, frames, facts, asked.level, learned, aliases)
        return evaluation_of(plan, self.total(plan, rows), measured)

    def measured(
        self,
        recommendations: Any,
        frames: Mapping[str, Any],
        facts: ItemFacts,
        level: float,
        train: Dataset | None,
        aliases: Mapping[str, str],
    ) -> Measured:
        """What the result says beside its sums."""
        made = recommendations if isinstance(recommendations, Recommendations) else None
        lists = frames["lists"]
        return Measured(
            name=self.asked.name or (made.name if made is not None else "system"),
            lists_card={} if made is None else {name: made.card[name] for name in made.card if name != "rules"},
            level=level,
            facts=facts,
            train=train,
            aliases=aliases,
            ids=lambda name: (some_ids(lists, name), some_ids(frames.get("truth", lists), name)),
        )

    def in_memory(self, items: Any) -> pl.DataFrame | None:
        """The attributes of the items, in the memory of the driver."""
        if items is None or isinstance(items, pl.DataFrame):
            return items
        return polars_of(frame_of(self.engine, items, "the items", ITEM))

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
        attributes = self.in_memory(items)
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
            too_many = f"{len(facts.ids):,} items are more than {CARRIED:,}"
            raise UsageError(f"{featured[0]} takes the features of all items to every task, and {too_many}.")
        items = frame_of(self.engine, facts.table(), "the items")
        return replace(plan, facts=None), rows.join(fn.broadcast(items), ITEM, "left")

    def total(self, plan: PartitionPlan, rows: Any) -> PartitionSums | None:
        """The sums of all partitions, from one shuffle on the user."""
        if not plan.values:
            return collected(self.engine, plan, PartitionSums, rows, by=USER, row_size=_row_size(plan))
        own = own_columns(plan, integer=dict(rows.dtypes)[USER] == "bigint")
        columns = ", ".join(f"{in_backticks(name)} {kind}" for name, kind in own.items())
        cut = rows.repartition(partitions_of(self.engine), USER)
        kept = cut.mapInArrow(partial(measure, plan, own), f"part string, {COLUMNS}, {columns}")
        kept.write.partitionBy("part").parquet(self.engine.values)
        return added(PartitionSums, self.engine.session.read.parquet(f"{self.engine.values}/part=sums"))


def _row_size(plan: PartitionPlan) -> int:
    """Bytes of a row of sums: two numbers a replicate, metric and cell."""
    sizes = {name: len(labels) + 1 for name, labels in plan.labels.items()}
    cells = 1 + sum(prod(sizes[part] for part in named_parts(by)) for by in plan.by)
    return 16 * cells * plan.width * plan.replicates


def tables_of(train: Dataset | None) -> SparkTables:
    """Training data in memory as tables, which go to the executors."""
    if train is None:
        return SparkTables()
    people = train.users if train.segments is None else train.segments
    return SparkTables(interactions=train.interactions.select(USER, ITEM), users=people, items=train.items)
