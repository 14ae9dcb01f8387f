"""Measuring a chunk of lists: values by user, summaries of segments, exposure of items."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from reclens.data.read.lists import drop_repeated_items, run_starts
from reclens.errors import UsageError
from reclens.evaluation.chunks import Chunk
from reclens.evaluation.context import EvaluationContext
from reclens.evaluation.results import OVERALL
from reclens.memory import require_memory
from reclens.metrics.conventions import Convention
from reclens.metrics.exposure_counts import Exposure
from reclens.metrics.lists import Lists
from reclens.metrics.matching import has_repeats, match
from reclens.metrics.registry import MetricSpec
from reclens.schema import ITEM, RANK, USER
from reclens.stats.summary import Summary
from reclens.vocabulary import id_keys

__all__ = ["MeasuredPart", "MeasuringPlan", "measure_chunk", "measure_lists", "require_places"]


@dataclass(frozen=True, eq=False)
class MeasuringPlan:
    """What every chunk is measured with."""

    specs: tuple[MetricSpec, ...]
    convention: Convention
    ground: EvaluationContext
    depth: int
    replicates: int
    seed: int

    @property
    def user_metrics(self) -> list[MetricSpec]:
        """The metrics that have a value for each user."""
        return [spec for spec in self.specs if spec.info.kind == "user"]

    @property
    def cuts(self) -> list[int]:
        """The cut-offs at which exposure is counted."""
        asked = {spec.k for spec in self.specs if spec.info.kind == "catalogue" and spec.k is not None}
        return sorted(asked | {self.depth})


@dataclass(frozen=True, eq=False)
class MeasuredPart:
    """What a chunk gives; parts are reduced in order."""

    users: np.ndarray
    values: np.ndarray
    length: np.ndarray
    summary: Summary
    exposure: dict[tuple[int, str, str], Exposure]
    seen: int
    listed: int
    outside: int
    users_without_truth: int = 0
    rules: list[dict[str, Any]] = field(default_factory=list)


def measure_chunk(plan: MeasuringPlan, chunk: Chunk) -> MeasuredPart:
    """What the lists of a chunk come to; items that a list repeats are dropped and counted."""
    table, starts = chunk.table, chunk.starts
    codes = plan.ground.users.encode(table[USER].gather(starts))
    evaluated = codes >= 0
    length = np.minimum(np.diff(starts, append=table.height), plan.depth).astype(np.int32)
    listed = table[ITEM].filter(table[RANK] <= plan.depth)
    if not evaluated.all():
        listed, length = listed.filter(pl.Series(np.repeat(evaluated, length))), length[evaluated]
    rules: list[dict[str, Any]] = []
    if has_repeats(id_keys(listed), length):
        table = drop_repeated_items(table, starts, rules)
    if rules:
        part = measure_chunk(plan, Chunk(table, run_starts(table[USER])))
        return replace(part, rules=rules)
    require_places(len(length), plan.depth)
    items = np.full((len(length), plan.depth), -1, np.int32)
    items[np.arange(plan.depth) < length[:, None]] = plan.ground.items.encode(listed)
    part = measure_lists(plan, codes[evaluated].astype(np.int64), items, length)
    return replace(part, users_without_truth=int((~evaluated).sum()))


def require_places(n: int, depth: int) -> None:
    """Refuse lists that are cut so deep that their table does not fit: codes, gains and their likes."""
    require_memory(44 * n * depth, f"measuring {n:,} lists of {depth:,} places", advice="Measure at a smaller k.")


def measure_lists(plan: MeasuringPlan, users: np.ndarray, items: np.ndarray, length: np.ndarray) -> MeasuredPart:
    """What the lists of some users come to: item codes, shape (users, depth), and how many of them count."""
    ground = plan.ground
    profiles = ground.profiles
    lists = Lists(
        items=items,
        gains=match(items, users, ground.indptr, ground.relevant, ground.gains),
        length=length,
        n_relevant=ground.n_relevant[users],
        ideal=ground.ideal(users, plan.depth),
        catalogue=ground.catalogue,
        profiles=None if profiles is None else profiles.part(users),
    )
    columns = {spec.text: _user_values(spec, lists, plan.convention) for spec in plan.user_metrics}
    groups = {by: (labels, codes[users]) for by, (labels, codes) in ground.groups.items()}
    # The served column makes a summary of every cell, also where only metrics of the catalogue were asked for.
    summary = Summary.of(
        ground.keys[users],
        columns or {"": np.ones(len(users))},
        groups=groups,
        replicates=plan.replicates,
        seed=plan.seed,
        threads=1,
    )
    seen = 0
    if profiles is not None and len(users):
        ones = np.ones(len(profiles.items))
        seen = int(match(items, users, profiles.indptr, profiles.items, ones).sum())
    values = np.stack(list(columns.values()), axis=1) if columns else np.zeros((len(users), 0))
    exposure = _exposures(plan, lists, groups)
    outside = exposure[(plan.depth, *OVERALL)].outside
    return MeasuredPart(users, values, length, summary, exposure, seen, int(length.sum()), outside)


def _user_values(spec: MetricSpec, lists: Lists, convention: Convention) -> np.ndarray:
    values = np.asarray(spec.info.function(lists.cut(spec.k), convention), np.float64)
    if values.shape != lists.length.shape:
        raise UsageError(f"the metric '{spec.text}' returned shape {values.shape}, expected {lists.length.shape}.")
    rule = convention.missing_list_ndcg if spec.info.name == "ndcg" else convention.missing_list
    if "truth" in spec.info.needs and rule == "drop":
        values = np.where(lists.has_list, values, np.nan)
    return values


def _exposures(
    plan: MeasuringPlan, lists: Lists, groups: dict[str, tuple[list[str], np.ndarray]]
) -> dict[tuple[int, str, str], Exposure]:
    """Counts of the catalogue's items in each cell, for each cut-off."""
    n_items = plan.ground.catalogue.n_items
    places = plan.ground.catalogue.position[lists.items]
    found: dict[tuple[int, str, str], Exposure] = {}
    for k in plan.cuts:
        item, length = places[:, :k], np.minimum(lists.length, k)
        counts = np.bincount(item.ravel(), minlength=n_items + 1)[:n_items]
        found[(k, *OVERALL)] = Exposure(counts, int(length.sum() - counts.sum()))
        if k == plan.depth and not any(s.k == k and s.info.kind == "catalogue" for s in plan.specs):
            continue
        for by, (labels, codes) in groups.items():
            cell = codes[:, None] * (n_items + 1) + item
            shape = len(labels), n_items + 1
            table = np.bincount(cell.ravel(), minlength=shape[0] * shape[1]).reshape(shape)[:, :n_items]
            listed = np.bincount(codes, weights=length, minlength=len(labels))
            for label, shown, total in zip(labels, table, listed, strict=True):
                found[(k, by, label)] = Exposure(shown, int(total - shown.sum()))
    return found
