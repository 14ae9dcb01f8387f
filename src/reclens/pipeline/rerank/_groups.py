"""Groups of items for the re-rankers that look after groups: the long tail, what meets a requirement, an attribute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from reclens.data.dataset import Dataset
from reclens.errors import UnknownNameError, UsageError
from reclens.pipeline.rerank._base import named_labels
from reclens.pipeline.rerank._where import items_where
from reclens.schema import Vocabulary

__all__ = [
    "POPULARITY",
    "UNKNOWN",
    "Groups",
    "check_head_share",
    "groups_of",
    "long_tail",
    "protected_items",
    "target_shares",
    "training_users",
]

POPULARITY: Final = "popularity"
"""The attribute that is made from the training data: head and tail."""
UNKNOWN: Final = "(unknown)"
"""The group of items without a label."""


@dataclass(frozen=True, eq=False)
class Groups:
    """Which share of each item belongs to which group.

    Attributes:
        labels: Names of the groups; ``(unknown)`` last, where there are items without a label.
        shares: float32, shape (items, groups); an item with several labels gives each an equal share. Rows add up to 1.
    """

    labels: tuple[str, ...]
    shares: np.ndarray

    def single(self, kind: str, attribute: str) -> np.ndarray:
        """The group of each item, int32, shape (items,).

        Raises:
            UsageError: If an item has several.
        """
        n = int(((self.shares > 0).sum(axis=1) > 1).sum())
        if n:
            raise UsageError(
                f"{kind}: {n:,} items have several values of '{attribute}', and an item may be of one group only. Name "
                "an attribute with one value an item, or use dual_prices, which shares an item among its groups."
            )
        return self.shares.argmax(axis=1).astype(np.int32)


def check_head_share(kind: str, head_share: float) -> None:
    """Raise UsageError unless the share of the head lies between 0 and 1."""
    if not 0 < head_share < 1:
        raise UsageError(f"{kind}: head_share is {head_share}, expected a number between 0 and 1, such as 0.8.")


def training_users(train: Dataset, items: Vocabulary) -> np.ndarray:
    """How many training users each item has, int64, shape (items,)."""
    counts, known = np.zeros(len(items), np.int64), train.matrix()
    codes = items.encode(train.item_vocabulary.ids)
    inside = codes >= 0
    counts[codes[inside]] = np.bincount(known.indices, minlength=known.n_columns)[inside]
    return counts


def long_tail(counts: np.ndarray, head_share: float) -> np.ndarray:
    """Which items are not in the smallest set of most popular ones that holds a share of all interactions, bool."""
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    tail = np.empty(len(counts), bool)
    tail[order] = before >= head_share * counts.sum()
    return tail


def protected_items(
    kind: str, where: str | Sequence[str], head_share: float, train: Dataset, items: Vocabulary
) -> np.ndarray:
    """The items that meet ``where``; the long tail where nothing is required. bool, shape (items,).

    Raises:
        UsageError: If a requirement cannot be read, or all items are protected, or none is.
    """
    found = items_where(kind, where, train, items) if where else long_tail(training_users(train, items), head_share)
    if found.all() or not found.any():
        raise UsageError(
            f"{kind}: {int(found.sum()):,} of {len(found):,} items are protected; there are no two groups."
        )
    return found


def groups_of(kind: str, attribute: str, head_share: float, train: Dataset, items: Vocabulary) -> Groups:
    """The groups of an attribute of the items; of ``"popularity"`` they are head and tail.

    Raises:
        UnknownNameError: If there is no such attribute.
        UsageError: If all items are of one group.
    """
    if attribute == POPULARITY and (train.items is None or attribute not in train.items.columns):
        tail = long_tail(training_users(train, items), head_share)
        labels, found = ["head", "tail"], np.stack([~tail, tail], axis=1).astype(np.float32)
    else:
        labels, found = named_labels(kind, train, items, attribute)
        without = found.sum(axis=1) == 0
        if without.any():
            labels, found = [*labels, UNKNOWN], np.column_stack([found, without.astype(np.float32)])
        found /= found.sum(axis=1, keepdims=True)
    if len(labels) < 2:
        raise UsageError(f"{kind}: all items have one value of '{attribute}': there are no groups.")
    return Groups(tuple(labels), np.ascontiguousarray(found))


def target_shares(
    kind: str, target: str | Mapping[str, float], groups: Groups, train: Dataset, items: Vocabulary
) -> np.ndarray:
    """The share that each group should have, float64, shape (groups,); NaN where nothing is asked for.

    Args:
        kind: Who asks, for messages.
        target: ``"catalogue"``, the share of the items; ``"history"``, of the training interactions; or label -> share.
        groups: The groups.
        train: The training part.
        items: The items.

    Raises:
        UnknownNameError: If there is no such target or group.
        UsageError: If a share does not lie between 0 and 1, or they add up to more than 1.
    """
    if isinstance(target, str):
        if target not in ("catalogue", "history"):
            raise UnknownNameError(f"target of {kind}", target, ("catalogue", "history"))
        weights = training_users(train, items) if target == "history" else np.ones(len(items))
        return weights.astype(np.float64) @ groups.shares.astype(np.float64) / weights.sum()
    found = np.full(len(groups.labels), np.nan)
    for label, share in target.items():
        if label not in groups.labels:
            raise UnknownNameError(f"group of {kind}", label, groups.labels)
        if not 0 <= share <= 1:
            raise UsageError(f"{kind}: the target of '{label}' is {share}, expected a share from 0 to 1.")
        found[groups.labels.index(label)] = share
    if np.nansum(found) > 1 + 1e-9:
        raise UsageError(f"{kind}: the targets add up to {np.nansum(found):.6g}, expected 1 at most.")
    return found
