"""Histories that came with the question (fold-in): what a system was told counts as known, like training data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.errors import Advice, DataError, Setting, UsageError
from reclens.evaluation.cards import ToldHistory
from reclens.metrics.lists import Profiles
from reclens.schema import ITEM, USER, fingerprint
from reclens.vocabulary import Vocabulary

__all__ = ["NAME_SEGMENTS", "PASS_TRAIN", "Told", "tell"]

PASS_TRAIN: Final = Advice("pass_train", (Setting("train"),), "Pass {train}.")
"""The advice where training data is missing."""
NAME_SEGMENTS: Final = Advice("name_segments", text="train.with_segments(…) names segmentations.")
"""The advice where a segmentation is not known."""


@dataclass(frozen=True, eq=False)
class Told:
    """What is known with the told rows.

    Attributes:
        popularity: Users of each item, in the training data or the history; int64, shape (items,).
        profiles: Items of each evaluated user, of both.
        users: The users of both.
        card: Rows and users of the history, its hash, and the rows of items that nothing else knows.
    """

    popularity: np.ndarray
    profiles: Profiles
    users: Vocabulary
    card: ToldHistory


def tell(
    history: pl.DataFrame,
    train: Dataset | None,
    users: Vocabulary,
    items: Vocabulary,
    popularity: np.ndarray,
    profiles: Profiles | None,
) -> Told:
    """Add told rows to what the training data says.

    A pair that stands in both, or twice in the history, counts once.

    Args:
        history: ``user_id, item_id``.
        train: The training part.
        users: The evaluated users.
        items: Every known item.
        popularity: Training users of each item.
        profiles: Training items of each evaluated user.

    Raises:
        UsageError: If there is no training data.
        DataError: If a column is missing, holds nulls, or has ids of another type.
    """
    if train is None or profiles is None:
        raise UsageError("histories add to the training data, and there is none", advice=PASS_TRAIN)
    absent = [column for column in (USER, ITEM) if column not in history.columns]
    if absent:
        raise DataError(
            f"the history lacks {', '.join(absent)}; it has {', '.join(history.columns)}",
            source="history",
            fix="Rename its columns.",
        )
    pairs = history.select(USER, ITEM).unique(maintain_order=True)
    everybody = Vocabulary(pl.concat([train.user_vocabulary.ids, _like(train.user_vocabulary, pairs[USER])]))
    code = items.encode(pairs[ITEM])
    known = code >= 0
    card: ToldHistory = {
        "rows": history.height,
        "users": pairs[USER].n_unique(),
        "hash": fingerprint(pairs.sort(USER, ITEM)),
        "rows_of_unknown_items": int((~known).sum()),
    }
    code, owner = code[known].astype(np.int64), pairs[USER].filter(pl.Series(known))
    # A pair that training holds is no news for the popularity.
    matrix, width = train.matrix(), len(items)
    learned = np.repeat(everybody.encode(train.user_vocabulary.ids).astype(np.int64), np.diff(matrix.indptr)) * width
    learned += items.encode(train.item_vocabulary.ids)[matrix.indices]
    news = ~np.isin(everybody.encode(owner).astype(np.int64) * width + code, learned)
    popularity = popularity + np.bincount(code[news], minlength=width)
    row = users.encode(owner).astype(np.int64)
    mine = news & (row >= 0)
    both = np.concatenate([profiles.owners * width + profiles.items, row[mine] * width + code[mine]])
    both.sort()
    sizes = np.bincount(both // width, minlength=len(users))
    whole = Profiles(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), (both % width).astype(np.int32))
    return Told(popularity, whole, everybody, card)


def _like(vocabulary: Vocabulary, ids: pl.Series) -> pl.Series:
    """Ids in the type of a vocabulary.

    Raises:
        DataError: If one side is text and the other numbers, or ids are null.
    """
    vocabulary.encode(ids)
    return Vocabulary(ids).ids
