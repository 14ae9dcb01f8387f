"""Recall of a store against exact search: by region, by filter, and by parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.engine import Progress, chunk_ranges, quiet
from reclens.errors import ArgumentValueError, UnknownNameError, UsageError
from reclens.explore.exact import top_k
from reclens.explore.neighbours import rows_of_answers
from reclens.explore.space import EmbeddingSpace
from reclens.protocols import VectorStore, Where
from reclens.stats.estimate import Estimate, mean_estimate
from reclens.tabular import Tabular

__all__ = ["FilterRecall", "IndexChoice", "RegionRecall", "RetrievalRecall", "choose_setting", "retrieval_recall"]

_BATCH: Final = 512
_WORST: Final = 0.05
_FEWEST: Final = 5
"""Queries that a region needs for a number of its own."""


@dataclass(frozen=True)
class RegionRecall:
    """Recall of the queries of one region.

    Attributes:
        region: Its number.
        name: Its label.
        recall: Mean recall of its queries, with an interval.
    """

    region: int
    name: str
    recall: Estimate


@dataclass(frozen=True, kw_only=True)
class FilterRecall:
    """Recall under a filter.

    Attributes:
        where: The filter.
        items: Items that pass it.
        selectivity: Their share of the catalogue.
        recall: Mean recall among them.
        short: Share of the queries that got fewer than the k items that there are.
    """

    where: Where
    items: int
    selectivity: float
    recall: Estimate
    short: float


@dataclass(frozen=True, eq=False, kw_only=True)
class RetrievalRecall(Tabular):
    """Recall of a store against exact search.

    Attributes:
        k: Items of an answer.
        recall: Mean over the queries.
        per_query: Recall of each query, shape (q,), in [0, 1].
        worst: Mean of the worst 5 % of the regions; NaN where there are none.
        below_half: Share of the queries that miss more than half.
        regions: By region of the query's nearest item, the worst first.
        filters: By filter, the narrowest first.
    """

    k: int
    recall: Estimate
    per_query: np.ndarray
    worst: float
    below_half: float
    regions: tuple[RegionRecall, ...]
    filters: tuple[FilterRecall, ...]

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per region."""
        return [{"region": each.region, "name": each.name, **asdict(each.recall)} for each in self.regions]


@dataclass(frozen=True)
class IndexChoice(Tabular):
    """The setting of an index that reaches a recall.

    Attributes:
        setting: The first one whose whole interval reaches the target; None if none does.
        target: The recall.
        curve: Setting and recall, in the order given.
    """

    setting: Any
    target: float
    curve: tuple[tuple[Any, Estimate], ...]

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per setting."""
        return [{"setting": setting, **asdict(found)} for setting, found in self.curve]


def retrieval_recall(
    space: EmbeddingSpace,
    store: VectorStore,
    queries: np.ndarray,
    *,
    k: int = 10,
    regions: np.ndarray | None = None,
    names: Sequence[str] | None = None,
    filters: Sequence[Where] = (),
    level: float = 0.95,
    threads: int | None = None,
    progress: Progress = quiet,
) -> RetrievalRecall:
    """Recall@k of a store against exact search, of any backend.

    An answer counts by its cosine too: where several items are exactly as near as the k-th, any of them is right.

    Args:
        space: The items, as the store should hold them.
        store: The store.
        queries: Shape (q, d).
        k: Items of an answer.
        regions: Region of each item, shape (n,), -1 for none; a query belongs to that of its nearest item.
        names: Label of each region.
        filters: Filters by attributes of the space; recall is measured under each, so that a filter that thins answers
            is seen.
        level: Confidence level.
        threads: How many.
        progress: Called as work goes on.

    Raises:
        UnknownNameError: If a filter names an attribute that the space does not have.
        UsageError: If there is no query.
    """
    queries = np.asarray(queries, np.float32)
    if not len(queries):
        raise UsageError("no query is given: recall is measured on queries.")
    k = min(k, len(space))
    recall, nearest = _recalls(space, store, queries, k, threads=threads, progress=progress)
    by_region: list[RegionRecall] = []
    if regions is not None:
        of_query = regions[nearest]
        for region in np.unique(of_query[of_query >= 0]):
            mine = recall[of_query == region]
            if len(mine) >= _FEWEST:
                name = names[int(region)] if names else str(region)
                by_region.append(RegionRecall(int(region), name, _mean_share(mine, level)))
    by_region.sort(key=lambda each: each.recall.value)
    worst = by_region[: max(1, round(_WORST * len(by_region)))]
    held = [_filtered(space, store, queries, k, where, level, threads) for where in filters]
    return RetrievalRecall(
        k=k,
        recall=_mean_share(recall, level),
        per_query=recall,
        worst=float(np.mean([each.recall.value for each in worst])) if worst else float("nan"),
        below_half=float((recall < 0.5).mean()),
        regions=tuple(by_region),
        filters=tuple(sorted(held, key=lambda each: each.items)),
    )


def choose_setting(
    space: EmbeddingSpace,
    stores: Mapping[Any, VectorStore],
    queries: np.ndarray,
    *,
    target: float = 0.95,
    k: int = 10,
    level: float = 0.95,
) -> IndexChoice:
    """The first setting of an index whose recall reaches a target with its whole interval.

    Args:
        space: The items.
        stores: Setting -> a store opened with it, the cheapest first: ``{4: ..., 8: ..., 16: ...}`` for ``nprobe``.
        queries: Shape (q, d): real ones, not those that the index was tuned on.
        target: Recall to reach, in (0, 1].
        k: Items of an answer.
        level: Confidence level.

    Raises:
        UsageError: If the target is out of range.
    """
    if not 0 < target <= 1:
        raise ArgumentValueError("target", f"is {target:g}, expected a recall in (0, 1]")
    curve = tuple(
        (setting, retrieval_recall(space, store, queries, k=k, level=level).recall) for setting, store in stores.items()
    )
    reached = (setting for setting, found in curve if (found.value if found.low is None else found.low) >= target)
    return IndexChoice(next(reached, None), target, curve)


def _mean_share(values: np.ndarray, level: float) -> Estimate:
    """A mean of shares: its interval ends at 0 and 1."""
    found = mean_estimate(values, level=level)
    if found.low is None or found.high is None:
        return found
    return Estimate(
        found.value, low=max(found.low, 0.0), high=min(found.high, 1.0), n=found.n, level=level, note=found.note
    )


def _recalls(
    space: EmbeddingSpace,
    store: VectorStore,
    queries: np.ndarray,
    k: int,
    *,
    threads: int | None,
    progress: Progress = quiet,
    where: Where | None = None,
    among: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Recall of each query, and its nearest item."""
    unit = space.unit if among is None else space.unit[among]
    depth = min(k, len(unit))
    lengths = np.maximum(np.linalg.norm(queries.astype(np.float64), axis=1), 1e-30)
    recall, nearest = np.empty(len(queries)), np.empty(len(queries), np.int64)
    parts = chunk_ranges(len(queries), _BATCH)
    for done, part in enumerate(parts):
        mine = (queries[part.start : part.stop] / lengths[part.start : part.stop, None]).astype(np.float32)
        rows, cosines = top_k(mine, unit, depth, threads=threads)
        nearest[part.start : part.stop] = rows[:, 0] if among is None else among[rows[:, 0]]
        got = rows_of_answers(space, store.query(mine, depth, where=where)[0], depth)
        reached = np.einsum("ijk,ik->ij", space.unit[np.maximum(got, 0)], mine)
        right = (got >= 0) & (reached >= cosines[:, -1:] - 1e-5)
        if among is not None:
            right &= np.isin(got, among)
        recall[part.start : part.stop] = right.sum(axis=1) / depth
        progress("recall of the store", done + 1, len(parts))
    return recall, nearest


def _filtered(
    space: EmbeddingSpace,
    store: VectorStore,
    queries: np.ndarray,
    k: int,
    where: Where,
    level: float,
    threads: int | None,
) -> FilterRecall:
    among = np.flatnonzero(_passes(space.attributes, where))
    if not len(among):
        return FilterRecall(
            where=where,
            items=0,
            selectivity=0.0,
            recall=Estimate(float("nan"), low=None, high=None, n=0, level=level, note="no_value"),
            short=0.0,
        )
    recall, _ = _recalls(space, store, queries, k, threads=threads, where=where, among=among)
    depth = min(k, len(among))
    answers = [
        each for part in chunk_ranges(len(queries), _BATCH) for each in _lengths(store, queries, part, depth, where)
    ]
    short = float(np.mean(np.array(answers) < depth))
    return FilterRecall(
        where=where,
        items=len(among),
        selectivity=len(among) / len(space),
        recall=_mean_share(recall, level),
        short=short,
    )


def _lengths(store: VectorStore, queries: np.ndarray, part: range, depth: int, where: Where) -> list[int]:
    return [len(each) for each in store.query(queries[part.start : part.stop], depth, where=where)[0]]


def _passes(attributes: pl.DataFrame, where: Where) -> np.ndarray:
    """The rows that pass a filter, as :data:`~reclens.protocols.Where` defines it."""
    keep = np.ones(attributes.height, bool)
    for name, wanted in where.items():
        if name not in attributes.columns:
            raise UnknownNameError("attribute of the filter", name, attributes.columns)
        column = attributes[name]
        if isinstance(wanted, Mapping):
            for sign, bound in wanted.items():
                compared = {"gt": column > bound, "gte": column >= bound, "lt": column < bound, "lte": column <= bound}
                keep &= compared[sign].fill_null(value=False).to_numpy()
            continue
        values = list(wanted) if isinstance(wanted, list | tuple) else [wanted]
        if isinstance(column.dtype, pl.List):
            hit = column.list.eval(pl.element().is_in(values)).list.any()
        else:
            hit = column.is_in(values)
        keep &= hit.fill_null(value=False).to_numpy()
    return keep
