"""What the lists of one partition are held against: its users, and the items of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.errors import DataError
from reclens.evaluation.context import (
    EvaluationContext,
    Features,
    compress_pairs,
    feature_matrix,
    feature_table,
    item_vocabulary,
    pair_hashes,
)
from reclens.evaluation.groups import groups_of
from reclens.metrics.lists import Catalogue, Profiles
from reclens.metrics.matching import count_shared
from reclens.schema import ITEM, USER, stable_hash, total_of_hashes, total_of_rows
from reclens.vocabulary import Vocabulary

__all__ = ["FACTS", "SEGMENT", "CatalogueSlice", "ItemFacts", "context_of", "facts_of"]

FACTS: Final = ("offered", "popularity", "popularity_rank", "in_tail")
"""Columns of a row's item, where the items are too many to travel with the work of a partition."""
SEGMENT: Final = "segment "
"""How the columns with the segments of a user begin."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ItemFacts:
    """What is known of all items: those of the training data, of the catalogue and of the features.

    Attributes:
        ids: The items, sorted.
        offered: Whether each can be recommended, bool.
        popularity: Training users of each, int64.
        n_users: Users of the training data.
        features: A vector of each, or None.
        distributions: Its shares, or None.
    """

    ids: pl.Series
    offered: np.ndarray
    popularity: np.ndarray
    n_users: int
    features: np.ndarray | None = None
    distributions: np.ndarray | None = None

    def catalogue(self, items: Vocabulary | None = None) -> Catalogue:
        """The same by the codes of a vocabulary that holds all of the items; None for their own."""
        code = np.arange(len(self.ids)) if items is None else items.encode(self.ids)
        n = len(self.ids) if items is None else len(items)
        return Catalogue(
            popularity=_spread(self.popularity, code, n),
            n_users=self.n_users,
            in_catalogue=_spread(self.offered, code, n),
            features=None if self.features is None else _spread(self.features, code, n),
            distributions=None if self.distributions is None else _spread(self.distributions, code, n),
        )

    def table(self) -> pl.DataFrame:
        """``item_id`` and :data:`FACTS`, for an engine to join with the rows."""
        whole = self.catalogue()
        columns = (whole.in_catalogue, whole.popularity, whole.popularity_rank, whole.long_tail)
        return pl.DataFrame({ITEM: self.ids, **dict(zip(FACTS, columns, strict=True))})


def facts_of(
    learned: pl.DataFrame | None,
    n_users: int,
    *,
    offered: pl.Series | None,
    features: Features | None,
    attributes: pl.DataFrame | None,
    relevant: pl.Series | None,
) -> ItemFacts:
    """What is known of all items.

    Args:
        learned: ``item_id, popularity, in_train``: the items of the training data and of histories; None without.
        n_users: Users of the training data and of histories.
        offered: The items that can be recommended; by default those of the training data.
        features: As of ``evaluate``.
        attributes: Attributes of the items.
        relevant: The items of the truth: those that can be recommended, where nothing else says which.
    """
    vectors = feature_table(features, attributes)
    trained = None if learned is None else learned.filter("in_train")[ITEM]
    first, *others = [ids for ids in (offered, trained, relevant, vectors and vectors[0]) if ids is not None]
    items = item_vocabulary(first, list(others))[0]
    popularity, in_catalogue = np.zeros(len(items), np.int64), np.zeros(len(items), bool)
    if learned is not None:
        code = items.encode(learned[ITEM])
        popularity[code[code >= 0]] = learned["popularity"].to_numpy()[code >= 0]
    known = next(ids for ids in (offered, trained, relevant) if ids is not None)
    in_catalogue[items.encode(known)] = True
    matrix, shares = feature_matrix(vectors, items)
    return ItemFacts(
        ids=items.ids,
        offered=in_catalogue,
        popularity=popularity,
        n_users=n_users,
        features=matrix,
        distributions=shares,
    )


def _spread(values: np.ndarray, code: np.ndarray, n: int) -> np.ndarray:
    whole = np.zeros((n, *values.shape[1:]), values.dtype)
    whole[code] = values
    return whole


@dataclass(frozen=True, eq=False, kw_only=True)
class CatalogueSlice(Catalogue):
    """Some items of a catalogue, with what was worked out over all of it.

    Attributes:
        size: Items of the whole catalogue that can be recommended.
        ranks: Place of each item by popularity, int64.
        tail: Whether each is in the long tail.
    """

    size: int
    ranks: np.ndarray
    tail: np.ndarray

    @property
    def n_items(self) -> int:
        """Items that can be recommended, in the whole catalogue."""
        return self.size

    @cached_property
    def popularity_rank(self) -> np.ndarray:
        """As of the whole catalogue."""
        return self.ranks

    @cached_property
    def long_tail(self) -> np.ndarray:
        """As of the whole catalogue."""
        return self.tail


def context_of(
    parts: Mapping[str, pl.DataFrame],
    pairs: pl.DataFrame,
    users: Vocabulary,
    *,
    facts: ItemFacts | None,
    n_items: int,
    n_users: int,
    has_train: bool,
    has_history: bool,
    has_catalogue: bool,
    labels: Mapping[str, Sequence[str]],
    by: Sequence[str | tuple[str, str]],
) -> tuple[EvaluationContext, dict[str, int]]:
    """What the lists of a partition are held against, and what of it is counted.

    Args:
        parts: Table -> its rows.
        pairs: The relevant pairs of the truth, ``user_id, item_id, gain?``.
        users: The evaluated users.
        facts: The items; None where the rows have :data:`FACTS`.
        n_items: Items that can be recommended.
        n_users: Users of the training data.
        has_train: Whether there is training data.
        has_history: Whether there are histories that came with the question.
        has_catalogue: Whether it is known which items can be recommended.
        labels: Segmentation -> its segments, in the order shown.
        by: The segmentations that are asked for, and products of them.
    """
    table = _joined(parts) if facts is None else None
    items, codes = item_vocabulary(pairs[ITEM], [facts.ids if facts is not None else table[ITEM]])  # pyright: ignore
    owners, runs = users.encode(pairs[USER]), np.ones(pairs.height, np.int64)
    indptr, relevant, gains = compress_pairs(owners, runs, codes, pairs, (len(users), len(items)))
    keys = stable_hash(users.ids)
    catalogue = facts.catalogue(items) if table is None and facts else _slice(table, items, n_items, n_users)
    hashes = pair_hashes(keys, items, indptr, relevant)
    counts = {
        "users": len(users),
        "truth_pairs": len(relevant),
        "truth_duplicates": pairs.height - len(relevant),
        "truth_hash": total_of_hashes(hashes),
        "truth_graded_hash": total_of_hashes(hashes ^ gains.view(np.uint64)),
        "truth_graded": int((gains != 1).sum()),
        "truth_outside_catalogue": int((~catalogue.in_catalogue[relevant]).sum()),
    }
    profiles = None
    if has_train:
        both = pl.concat([parts["train"].select(USER, ITEM), parts["history"].select(USER, ITEM)])
        profiles = _profiles(both, users, items)
        counts["truth_in_training"] = count_shared(indptr, relevant, profiles.indptr, profiles.items)
        counts |= _known(parts, users, items, has_history=has_history)
    context = EvaluationContext(
        users=users,
        keys=keys,
        items=items,
        indptr=indptr,
        relevant=relevant,
        gains=gains,
        profiles=profiles,
        catalogue=catalogue,
        has_catalogue=has_catalogue,
        groups=groups_of(_segments(parts["users"], labels), users, by),
        card={},  # pyright: ignore[reportArgumentType]  # made from the counts of all partitions
    )
    return context, counts


def _joined(parts: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The items of the rows, each once, with what was joined to them."""
    rows = pl.concat([parts[name].select(ITEM, *FACTS) for name in ("lists", "truth", "train", "history")])
    return rows.drop_nulls().unique(ITEM)


def _slice(table: pl.DataFrame | None, items: Vocabulary, n_items: int, n_users: int) -> CatalogueSlice:
    assert table is not None
    code = items.encode(table[ITEM])
    offered, popularity, ranks, tail = (_spread(table[name].to_numpy(), code, len(items)) for name in FACTS)
    return CatalogueSlice(
        popularity=popularity.astype(np.int64),
        n_users=n_users,
        in_catalogue=offered,
        size=n_items,
        ranks=ranks.astype(np.int64),
        tail=tail,
    )


def _profiles(pairs: pl.DataFrame, users: Vocabulary, items: Vocabulary) -> Profiles:
    """The items that the evaluated users are known to have had, each once."""
    row, code = users.encode(pairs[USER]).astype(np.int64), items.encode(pairs[ITEM]).astype(np.int64)
    known = (row >= 0) & (code >= 0)
    width = max(len(items), 1)
    key = np.unique(row[known] * width + code[known])
    sizes = np.bincount(key // width, minlength=len(users))
    return Profiles(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), (key % width).astype(np.int32))


def _known(
    parts: Mapping[str, pl.DataFrame], users: Vocabulary, items: Vocabulary, *, has_history: bool
) -> dict[str, int]:
    """Counts and totals of the training data and of the histories."""
    train, told = parts["train"].select(USER, ITEM), parts["history"].select(USER, ITEM)
    known = Vocabulary(pl.concat([train[USER], told[USER]]))
    counts = {
        "train_hash": total_of_rows(train),
        "users_without_history": len(users) - int((users.encode(known.ids) >= 0).sum()) if len(known) else len(users),
    }
    if has_history:
        pairs = told.unique()
        counts |= {
            "history_users": pairs[USER].n_unique(),
            "history_pairs": pairs.height,
            "history_hash": total_of_rows(pairs),
            "history_unknown": int((items.encode(pairs[ITEM]) < 0).sum()),
        }
    return counts


def _segments(rows: pl.DataFrame, labels: Mapping[str, Sequence[str]]) -> pl.DataFrame | None:
    """``user_id`` and a column a segmentation, whose segments keep the order of all partitions."""
    if not labels:
        return None
    if rows[USER].n_unique() < rows.height:
        user: Any = rows.filter(pl.col(USER).is_duplicated())[USER][0]
        raise DataError(
            f"user {user!r} has two rows or more, expected one a user",
            source="the table of users",
            column=USER,
            fix="Keep one row a user.",
        )
    kinds = {name: pl.Enum(list(own)) for name, own in labels.items()}
    return rows.select(USER, *[pl.col(SEGMENT + name).cast(kind).alias(name) for name, kind in kinds.items()])
