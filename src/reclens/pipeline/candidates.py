"""From the lists of several retrievers to one set of candidates a user, each with where it came from."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from reclens.schema import ITEM, RANK, SCORE, USER, Recommendations

__all__ = ["FUSED", "FUSION", "merge", "sources"]

FUSED = "fused"
"""Reciprocal-rank fusion over the retrievers, Σ 1 / (60 + rank): the order of candidates that no ranker has seen."""

FUSION = "fusion"
"""What the order of the candidates is called where a ranker has a name."""

FUSION_CONSTANT = 60


def merge(retrieved: Mapping[str, Recommendations]) -> pl.DataFrame:
    """One row a user and candidate.

    Args:
        retrieved: The lists of each retriever, by label.

    Returns:
        ``user_id, item_id, fused`` and, for each retriever, ``rank:LABEL`` and ``score:LABEL``, null where it does not
        have the item. Sorted by user, ``fused`` falling, item.

    References:
        Cormack, Clarke, Büttcher (2009), Reciprocal rank fusion outperforms Condorcet and individual rank learning
        methods.
    """
    parts = [lists.table.with_columns(pl.lit(label).alias("label")) for label, lists in retrieved.items()]
    rows = pl.concat([part.select(USER, ITEM, RANK, SCORE, "label") for part in parts])
    columns = [pl.col(RANK).pipe(lambda rank: 1 / (FUSION_CONSTANT + rank)).sum().alias(FUSED)]
    for label in retrieved:
        mine = pl.col("label") == label
        columns += [
            pl.col(RANK).filter(mine).first().alias(f"rank:{label}"),
            pl.col(SCORE).filter(mine).first().alias(f"score:{label}"),
        ]
    found = rows.group_by(USER, ITEM).agg(columns)
    return found.sort([USER, FUSED, ITEM], descending=[False, True, False])


def sources(candidates: pl.DataFrame) -> pl.DataFrame:
    """``user_id, item_id, sources``: the labels of the retrievers that brought each candidate, ``a + b``."""
    labels = [name.removeprefix("rank:") for name in candidates.columns if name.startswith("rank:")]
    named = [pl.when(pl.col(f"rank:{label}").is_not_null()).then(pl.lit(label)) for label in labels]
    return candidates.select(USER, ITEM, pl.concat_str(named, separator=" + ", ignore_nulls=True).alias("sources"))
