"""Why an item is in no list: the first applicable reason of an ordered set of reasons.

An item that the store does not hold cannot be found, so its place in the space need not be looked at; one that the
index cannot return need not be asked whether users are near to it; and so on to items that could be shown and are
outranked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
import polars as pl

from reclens.engine import Progress, chunk_ranges, quiet
from reclens.errors import UsageError
from reclens.explore.demand import SupplyDemand
from reclens.explore.exact import top_k
from reclens.explore.neighbours import rows_of_answers
from reclens.explore.space import EmbeddingSpace
from reclens.explore.structure import MOST_EXACT, StructuralReach, structural_reach
from reclens.protocols import VectorStore
from reclens.tabular import Tabular

__all__ = ["IndexProbe", "Reach", "Reason", "probe_index", "reach_ladder", "stored_rows"]

Reason = Literal[
    "not_in_index",
    "index_unreachable",
    "anti_hub",
    "demand_orphan",
    "structurally_unreachable",
    "not_decided",
    "outranked",
    "in_reach",
]
"""Why an item is in no list, the first that holds.

``not_in_index``: the store does not hold it. ``index_unreachable``: the index does not return it to queries that it
should be returned to. ``anti_hub``: it is among the nearest neighbours of no item and in the top k of no user.
``demand_orphan``: no user vector is near. ``structurally_unreachable``: no user vector at all, present or not, could
bring it into the top k. ``not_decided``: whether one could was not told. ``outranked``: it could be shown, and others
come first for every user. ``in_reach``: by these vectors it stands in the top k of a user, so that what made the lists
left it out: a filter, a re-ranker, another model, or items that the user knows.
"""

_DEPTH: Final = 100
"""An item that is among the first so many of a query has to be found at this depth."""
_BY_CHANCE: Final = 1e-3
"""Chance of being missed by all queries, at the index's own recall, below which an item counts as unreachable."""
_BATCH: Final = 512
_BLOCKERS: Final = 5


@dataclass(frozen=True, eq=False, kw_only=True)
class IndexProbe(Tabular):
    """Whether an index returns items that an exact search returns.

    Attributes:
        recall: Share of what exact search returns that the index returns too, of the queries.
        expected: Queries that have each item among their first 100, shape (n,).
        found: Those for which the index returned it.
        self_found: Whether the index returns it for its own vector; 1 and 0, -1 where it was not asked.
        unreachable: Rows that the index does not reach.
        queries: Number of queries by kind.
    """

    recall: float
    expected: np.ndarray
    found: np.ndarray
    self_found: np.ndarray
    unreachable: np.ndarray
    queries: Mapping[str, int]

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per item that is not reached."""
        return [
            {"row": int(row), "expected": int(self.expected[row]), "found": int(self.found[row])}
            for row in self.unreachable
        ]


def stored_rows(space: EmbeddingSpace, store: VectorStore) -> np.ndarray:
    """Whether a store holds each item of a space, shape (n,), bool."""
    held = np.zeros(len(space), bool)
    for page in store.list_ids():
        found = rows_of_answers(space, [list(page)], len(page))[0] if page else np.zeros(0, np.int32)
        held[found[found >= 0]] = True
    return held


def probe_index(
    space: EmbeddingSpace,
    store: VectorStore,
    probes: Mapping[str, np.ndarray],
    *,
    rows: np.ndarray | None = None,
    depth: int = _DEPTH,
    threads: int | None = None,
    progress: Progress = quiet,
) -> IndexProbe:
    """Compare an index with exact search for held-out queries, novel texts, and items' own vectors.

    An item's own vector is the easiest of all queries: an index may return an item to that and to nothing that people
    ask. So queries count first. An item is unreachable where none of the queries that should return it does, and this
    has a chance below 0.1 % at the recall that the index has over all items; with fewer such queries than that takes,
    where it is not even returned for its own vector.

    Args:
        space: The items.
        store: The index.
        probes: Kind of query -> vectors, shape (q, d): ``{"held_out": ..., "novel_texts": ...}``.
        rows: Items that are asked for by their own vector; None for all.
        depth: An item that exact search has among the first so many has to be found.
        threads: Number of threads.
        progress: Called to report progress.

    Raises:
        UsageError: If there is no query.
    """
    given = [np.asarray(each, np.float32) for each in probes.values() if len(each)]
    if not given:
        raise UsageError("no query is given: probe with held-out queries, texts or user vectors.")
    queries = np.concatenate(given)
    depth = min(depth, len(space))
    expected, found = np.zeros(len(space), np.int64), np.zeros(len(space), np.int64)
    parts = chunk_ranges(len(queries), _BATCH)
    held = stored_rows(space, store)
    for done, part in enumerate(parts):
        mine = queries[part.start : part.stop]
        wanted = top_k(mine, space.unit, depth, threads=threads)[0]
        got = rows_of_answers(space, store.query(mine, depth)[0], depth)
        expected += np.bincount(wanted.ravel(), minlength=len(space))
        for line, answer in zip(wanted, got, strict=True):
            found[np.intersect1d(line, answer[answer >= 0], assume_unique=True)] += 1
        progress("probe the index", done + 1, len(parts))
    asked = np.arange(len(space)) if rows is None else np.asarray(rows, np.int64)
    self_found = np.full(len(space), -1, np.int8)
    for part in chunk_ranges(len(asked), _BATCH):
        mine = asked[part.start : part.stop]
        got = rows_of_answers(space, store.query(space.unit[mine], depth)[0], depth)
        self_found[mine] = (got == mine[:, None]).any(axis=1)
    recall = float(found[held].sum() / max(expected[held].sum(), 1))
    with np.errstate(divide="ignore"):
        by_chance = expected * np.log(max(1 - recall, 1e-12)) > np.log(_BY_CHANCE)
    lost = (found == 0) & np.where(by_chance, self_found == 0, True)
    return IndexProbe(
        recall=recall,
        expected=expected,
        found=found,
        self_found=self_found,
        unreachable=np.flatnonzero(lost & held),
        queries={name: len(each) for name, each in probes.items()},
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Reach(Tabular):
    """Every item that is in no list, with the reason.

    Attributes:
        rows: The items, shape (m,), int64.
        reasons: The first reason of each that holds, see :data:`Reason`.
        best_share: What each item's best product with a user is of the product that the k-th place took, shape (m,);
            1 or more is in the top k; NaN where it was not computed.
        best_user: Row of that user, -1 where there is none.
        best_rank: Place of the item for that user, from 1; 0 where it was not computed.
        blockers: Items that stand before outranked ones for their best users, the most frequent first.
        structure: Whether any user vector could reach what no present one does; None where it was not asked.
        probe: What the index returned; None where there was none.
        ids: Ids by row of the space.
        items: Items of the space.
    """

    rows: np.ndarray
    reasons: tuple[Reason, ...]
    best_share: np.ndarray
    best_user: np.ndarray
    best_rank: np.ndarray
    blockers: tuple[tuple[Any, int], ...]
    structure: StructuralReach | None
    probe: IndexProbe | None
    ids: pl.Series
    items: int

    def counts(self) -> dict[Reason, int]:
        """Items by reason, in the order of the ladder."""
        return {reason: sum(each == reason for each in self.reasons) for reason in get_args(Reason)}

    def of(self, reason: Reason) -> np.ndarray:
        """Rows of the items with a reason."""
        return self.rows[np.array([each == reason for each in self.reasons], bool)]

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per item."""
        return self.to_frame().to_dicts()

    def to_frame(self) -> pl.DataFrame:
        """One row per item: ``id``, ``reason``, ``best_share``, ``best_rank``."""
        return pl.DataFrame(
            {
                "id": self.ids.gather(self.rows),
                "reason": pl.Series(list(self.reasons), dtype=pl.String),
                "best_share": self.best_share,
                "best_rank": self.best_rank,
            }
        )

    def _about(self) -> str:
        return f"Reach of {len(self.rows):,} items that are in no list, of {self.items:,}"


def reach_ladder(
    space: EmbeddingSpace,
    shown: np.ndarray,
    *,
    k: int = 10,
    users: EmbeddingSpace | None = None,
    occurrences: np.ndarray | None = None,
    demand: SupplyDemand | None = None,
    held: np.ndarray | None = None,
    probe: IndexProbe | None = None,
    most_exact: int = MOST_EXACT,
    rng: int = 0,
    progress: Progress = quiet,
) -> Reach:
    """Assign the first applicable reason to every item that is in no list.

    Args:
        space: The items.
        shown: Whether each item is in a list, shape (n,), bool.
        k: Length of the lists.
        users: Vectors of users; they are compared with items as the card of the items says.
        occurrences: Of how many items each is a near neighbour, from :func:`~reclens.explore.hubness.hubness`.
        demand: Distances to users.
        held: Whether a store holds each item, from :func:`stored_rows`.
        probe: What the index returns.
        most_exact: Items that are tested exactly for structural reachability, at most.
        rng: Seed of that sample.
        progress: Called to report progress.
    """
    rows = np.flatnonzero(~np.asarray(shown, bool))
    reasons = np.full(len(rows), "outranked", object)
    # From the last rung to the first: an earlier reason overwrites a later one.
    by_dot = space.card.similarity == "dot"
    vectors = space.vectors if by_dot else space.unit
    people = None if users is None else (users.vectors if by_dot else users.unit)
    share = np.full(len(rows), np.nan)
    best_user, best_rank = np.full(len(rows), -1, np.int64), np.zeros(len(rows), np.int64)
    if people is not None:
        share, best_user = _best_users(vectors, people, rows, k, progress)
        best_rank = _ranks(vectors, people, rows, best_user)
    inside = (best_rank > 0) & (best_rank <= k)
    reasons[inside] = "in_reach"
    structure = None
    if by_dot:
        structure = structural_reach(vectors, rows[~inside], k=k, most_exact=most_exact, rng=rng, progress=progress)
        status = np.array(structure.status, object)
        reasons[np.flatnonzero(~inside)[status == "not_decided"]] = "not_decided"
        reasons[np.flatnonzero(~inside)[status == "unreachable"]] = "structurally_unreachable"
    if demand is not None:
        reasons[np.isin(rows, demand.dead_stock)] = "demand_orphan"
    if occurrences is not None:
        reasons[(occurrences[rows] == 0) & ~inside] = "anti_hub"
    if probe is not None:
        reasons[np.isin(rows, probe.unreachable)] = "index_unreachable"
    if held is not None:
        reasons[~held[rows]] = "not_in_index"
    outranked = np.flatnonzero((reasons == "outranked") & (best_user >= 0))
    blockers = _blockers(vectors, people, rows[outranked], best_user[outranked], k) if people is not None else []
    return Reach(
        rows=rows,
        reasons=tuple(reasons.tolist()),
        best_share=share,
        best_user=best_user,
        best_rank=best_rank,
        blockers=tuple((space.ids[row], count) for row, count in blockers),
        structure=structure,
        probe=probe,
        ids=space.ids,
        items=len(space),
    )


def _best_users(
    vectors: np.ndarray, people: np.ndarray, rows: np.ndarray, k: int, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """The largest share of the k-th product that an item has with any user, and that user."""
    n = len(vectors)
    share, user = np.full(len(rows), -np.inf), np.full(len(rows), -1, np.int64)
    step = max(1, 8_000_000 // max(n, 1))
    parts = chunk_ranges(len(people), step)
    for done, part in enumerate(parts):
        products = people[part.start : part.stop] @ vectors.T
        mine = products[:, rows]
        kth = np.partition(products, n - k, axis=1)[:, n - k, None] if k <= n else np.full((len(products), 1), -np.inf)
        found = np.where(kth > 0, mine / np.where(kth > 0, kth, 1), np.where(mine >= kth, 1.0, -np.inf))
        best = found.argmax(axis=0)
        value = found[best, np.arange(len(rows))]
        better = value > share
        share[better], user[better] = value[better], best[better] + part.start
        progress("users near items", done + 1, len(parts))
    return np.where(np.isfinite(share), share, np.nan), user


def _ranks(vectors: np.ndarray, people: np.ndarray, rows: np.ndarray, user: np.ndarray) -> np.ndarray:
    """The place of each item for its best user: ties are ordered by row, as in the lists of exact search."""
    rank = np.zeros(len(rows), np.int64)
    known = np.flatnonzero(user >= 0)
    for part in chunk_ranges(len(known), 512):
        at = known[part.start : part.stop]
        products = people[user[at]] @ vectors.T
        mine = products[np.arange(len(at)), rows[at]][:, None]
        before = np.arange(len(vectors))[None, :] < rows[at][:, None]
        rank[at] = 1 + (products > mine).sum(axis=1) + ((products == mine) & before).sum(axis=1)
    return rank


def _blockers(
    vectors: np.ndarray, people: np.ndarray, rows: np.ndarray, user: np.ndarray, k: int
) -> Sequence[tuple[int, int]]:
    """The items that fill the lists of the users that outranked items come nearest to."""
    if not len(rows):
        return []
    asking, times = np.unique(user, return_counts=True)
    ahead = top_k(people[asking], vectors, min(k, len(vectors)))[0]
    counts = np.bincount(ahead.ravel(), weights=np.repeat(times, ahead.shape[1]), minlength=len(vectors))
    order = np.lexsort((np.arange(len(counts)), -counts))[:_BLOCKERS]
    return [(int(row), int(counts[row])) for row in order if counts[row]]
