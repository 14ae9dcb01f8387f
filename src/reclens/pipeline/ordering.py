"""The two stages that give candidates an order: the ranker, and a re-ranker."""

from __future__ import annotations

import numpy as np
import polars as pl

from reclens.data.dataset import UserItemMatrix
from reclens.engine import LocalEngine, chunk_ranges
from reclens.models import Recommender
from reclens.pipeline import rerank as rerankers
from reclens.pipeline.boosted import BoostedRanker
from reclens.pipeline.candidates import FUSED
from reclens.pipeline.requests import Known, Request
from reclens.schema import ITEM, RANK, SCORE, USER, Vocabulary

__all__ = ["rank_candidates", "rerank_lists"]

_LISTS_AT_A_TIME = 256


def rank_candidates(
    ranker: Recommender | BoostedRanker | None,
    candidates: pl.DataFrame,
    keep: int,
    threads: int | None,
    unscored: list[int],
    request: Request,
    known: Known,
) -> pl.DataFrame:
    """The best candidates of each user: ``user_id, item_id, rank, score``; those without a score come last.

    How many are without a score goes to ``unscored``.
    """
    pairs = candidates.select(USER, ITEM, FUSED)
    if ranker is None:
        scored = pairs.with_columns(pl.col(FUSED).cast(pl.Float32).alias(SCORE))
    elif isinstance(ranker, BoostedRanker):
        told = None if request.history is None else known
        scores = ranker.score(candidates, told=told, threads=LocalEngine(threads).threads)
        scored = pairs.with_columns(pl.Series(SCORE, scores))
    else:
        scored = ranker.score(pairs, threads=threads, **request.of_rankers())
    unscored.append(scored[SCORE].null_count())
    scored = scored.sort([USER, SCORE, FUSED, ITEM], descending=[False, True, True, False], nulls_last=True)
    scored = scored.with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over(USER).alias(RANK))
    return scored.filter(pl.col(RANK) <= keep).select(USER, ITEM, RANK, SCORE)


def rerank_lists(
    reranker: rerankers.Reranker,
    table: pl.DataFrame,
    k: int,
    *,
    users: Vocabulary,
    items: Vocabulary,
    seen: UserItemMatrix,
) -> pl.DataFrame:
    """The lists in the order of a re-ranker; ``seen`` has the histories by the codes of ``users`` and ``items``."""
    listed = table[USER].unique(maintain_order=True)
    row = Vocabulary(listed).encode(table[USER])
    place = table[RANK].to_numpy() - 1
    depth = int(place.max(initial=-1)) + 1
    codes = np.full((len(listed), depth), -1, np.int32)
    scores = np.full((len(listed), depth), np.nan, np.float32)
    codes[row, place] = items.encode(table[ITEM])
    scores[row, place] = table[SCORE].fill_null(float("nan")).to_numpy()
    listed = Vocabulary(listed).ids
    owners = users.encode(listed).astype(np.int64)
    # Items that the ranker does not know stand at the end of their list: they are worth what its last known one is.
    scores = _fill_right(scores)
    parts: list[pl.DataFrame] = []
    for part in chunk_ranges(len(listed), max(len(listed), 1) if reranker.together else _LISTS_AT_A_TIME):
        at = slice(part.start, part.stop)
        lists = rerankers.RankedLists(users=owners[at], items=codes[at], scores=scores[at], seen=seen, k=k)
        found = reranker.rerank(lists)
        filled = found.items >= 0
        parts.append(
            pl.DataFrame(
                {
                    USER: listed[part.start : part.stop].gather(np.nonzero(filled)[0]),
                    ITEM: items.decode(found.items[filled]),
                    RANK: (np.cumsum(filled, axis=1)[filled]).astype(np.int32),
                    SCORE: found.scores[filled],
                }
            )
        )
    return pl.concat(parts) if parts else table


def _fill_right(scores: np.ndarray) -> np.ndarray:
    """Each row with its NaNs replaced by the last number before them; 0 where there is none."""
    known = ~np.isnan(scores)
    at = np.maximum.accumulate(np.where(known, np.arange(scores.shape[1]), 0), axis=1)
    return np.nan_to_num(np.take_along_axis(scores, at, axis=1))
