"""Groups of items: the values of an attribute, and the head, middle and tail of popularity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from reclens.audit._kernels import add_lists, add_rows
from reclens.data.bands import in_order
from reclens.errors import ArgumentValuesError, UnknownNameError, UsageError
from reclens.schema import ITEM
from reclens.vocabulary import Vocabulary

__all__ = ["OTHER", "TIERS", "UNKNOWN", "ItemGroups", "item_groups", "popularity_tiers"]

UNKNOWN: Final = "(unknown)"
"""The group of items without a value."""
OTHER: Final = "(other)"
"""The group of the values beyond the largest ones."""
TIERS: Final = ("head", "middle", "tail")
MOST_GROUPS: Final = 30
"""Values of an attribute that stand for themselves; the smaller ones are one group."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ItemGroups:
    """The groups of each item of the catalogue. An item with several labels gives each an equal share.

    Attributes:
        name: The attribute.
        labels: The groups, in the order shown; G of them.
        sizes: Items of each group, shares counted, float64, shape (G,); together they are the catalogue.
        indptr: int64, shape (items + 1,): start of the groups of each item code. Items outside the catalogue have
            none.
        groups: Group codes, int32, shape (nnz,).
        shares: Share of the item in the group, float64, shape (nnz,); they add up to 1 for an item.
        folded: Values merged into ``(other)``.
    """

    name: str
    labels: tuple[str, ...]
    sizes: np.ndarray
    indptr: np.ndarray
    groups: np.ndarray
    shares: np.ndarray
    folded: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    def of_lists(self, items: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Σ weight × share in the group over the places of each list.

        Args:
            items: Item codes, int32, shape (n, depth); -1 adds nothing.
            weights: Shape (n, depth), or (depth,) for the same in every list.

        Returns:
            float64, shape (n, G).
        """
        out = np.zeros((len(items), len(self)))
        places = np.ones(items.shape) * weights
        add_lists(np.ascontiguousarray(items), places, self.indptr, self.groups, self.shares, out)
        return out

    def of_rows(self, users: np.ndarray, indptr: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Items of each group among the items of some users, shares counted.

        Args:
            users: Rows to take, int64, shape (n,).
            indptr: int64, shape (users + 1,): start of the items of each row.
            items: Item codes, int32.

        Returns:
            float64, shape (n, G).
        """
        out = np.zeros((len(users), len(self)))
        add_rows(users, indptr, items, np.ones(len(items)), self.indptr, self.groups, self.shares, out)
        return out


def item_groups(
    name: str, table: pl.DataFrame | None, items: Vocabulary, in_catalogue: np.ndarray, *, most: int = MOST_GROUPS
) -> ItemGroups:
    """The groups of an attribute.

    Args:
        name: A column of the table: one label an item, or a list of them.
        table: Attributes of the items, with ``item_id``.
        items: The known items.
        in_catalogue: Which of them can be recommended, shape (items,).
        most: Number of most frequent values that are kept.

    Raises:
        UnknownNameError: If the attribute does not exist.
        UsageError: If every item has a value of its own, or all have one: there are no groups to compare.
    """
    known = [] if table is None else [column for column in table.columns if column != ITEM]
    if table is None or name not in known:
        raise UnknownNameError("item attribute", name, known)
    labels = _labels(table, name, items, in_catalogue)
    kept, folded = _largest(labels, most)
    n_items = int(in_catalogue.sum())
    if labels["label"].n_unique() < 2 and labels["code"].n_unique() == n_items:
        raise UsageError(f"all items have one value of '{name}': there are no groups to compare.")
    if len(kept) + folded >= n_items > 1:
        raise UsageError(f"every item has a value of '{name}' of its own: there are no groups to compare.")
    names = [*in_order(kept), *([OTHER] if folded else [])]
    codes = {label: at for at, label in enumerate(names)}
    pairs = labels.select("code", pl.col("label").replace_strict(codes, default=len(kept), return_dtype=pl.Int32))
    missing = np.setdiff1d(np.flatnonzero(in_catalogue), pairs["code"].unique().to_numpy())
    if len(missing):
        names.append(UNKNOWN)
        unknown = pl.DataFrame(
            {"code": missing, "label": pl.Series([len(names) - 1], dtype=pl.Int32).gather([0] * len(missing))}
        )
        pairs = pl.concat([pairs, unknown.cast(pairs.schema)])
    return _compressed(name, tuple(names), pairs.sort("code", "label"), len(items), folded)


def popularity_tiers(
    popularity: np.ndarray, in_catalogue: np.ndarray, *, head: float = 0.2, tail: float = 0.2
) -> ItemGroups:
    """Head, middle and tail: the most popular items that have a share of all interactions, the least popular, the rest.

    Items are ordered by popularity, ties by code. The head is the smallest set of the first ones that holds at least
    ``head`` of the interactions; the tail the largest set of the last ones that holds at most ``tail`` of them.

    Args:
        popularity: Training users of each item, shape (items,).
        in_catalogue: Which items can be recommended, shape (items,).
        head: Share of the interactions.
        tail: Share of the interactions.

    Raises:
        UsageError: If the shares are not above 0 with a sum below 1, or nothing was consumed.

    References:
        Abdollahpouri, Mansoury, Burke, Mobasher, Malthouse (2021), User-centered evaluation of popularity bias in
        recommender systems.
    """
    if not (head > 0 and tail > 0 and head + tail < 1):
        raise ArgumentValuesError({"head": head, "tail": tail}, "shares above 0 with a sum below 1")
    codes = np.flatnonzero(in_catalogue)
    order = codes[np.lexsort((codes, -popularity[codes]))]
    counts = popularity[order]
    total = counts.sum()
    if not total:
        raise UsageError("no item of the catalogue was consumed in the training data, so that none is popular.")
    before = np.cumsum(counts) - counts
    after = total - before  # interactions of this item and of the less popular ones
    tier = np.where(before < head * total * (1 - 1e-12), 0, np.where(after <= tail * total * (1 + 1e-12), 2, 1))
    pairs = pl.DataFrame({"code": order, "label": tier.astype(np.int32)}).sort("code")
    return _compressed("popularity", TIERS, pairs, len(popularity), 0)


def _labels(table: pl.DataFrame, name: str, items: Vocabulary, in_catalogue: np.ndarray) -> pl.DataFrame:
    """Pairs of item code and label of the catalogue, each once."""
    listed = isinstance(table.schema[name], pl.List)
    column = table[name].cast(pl.List(pl.String) if listed else pl.String)
    pairs = pl.DataFrame({"code": items.encode(table[ITEM]).astype(np.int64), "label": column})
    pairs = pairs.filter((pl.col("code") >= 0) & pl.Series(np.append(in_catalogue, False)[pairs["code"].to_numpy()]))
    return (pairs.explode("label") if listed else pairs).drop_nulls().unique()


def _largest(labels: pl.DataFrame, most: int) -> tuple[list[str], int]:
    """The values with the most items, and how many others there are."""
    counts = labels["label"].value_counts().sort(["count", "label"], descending=[True, False])
    return counts["label"].head(most).to_list(), max(counts.height - most, 0)


def _compressed(name: str, labels: tuple[str, ...], pairs: pl.DataFrame, n_items: int, folded: int) -> ItemGroups:
    """Groups from pairs in the order of their item codes; duplicate pairs count twice, within (other)."""
    codes, groups = pairs["code"].to_numpy(), pairs["label"].to_numpy().astype(np.int32)
    sizes = np.bincount(codes, minlength=n_items)
    indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    shares = 1.0 / sizes[codes]
    return ItemGroups(
        name=name,
        labels=labels,
        sizes=np.bincount(groups, shares, minlength=len(labels)),
        indptr=indptr,
        groups=np.ascontiguousarray(groups),
        shares=shares,
        folded=folded,
    )
