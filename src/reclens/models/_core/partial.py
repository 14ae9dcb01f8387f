"""Incremental fits without the old data: merging of histories, and updates of pair counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.models._core.block import rows_of
from reclens.schema import Vocabulary

__all__ = ["Joined", "Together"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Joined:
    """Histories before and after an update, over the users and items of both.

    Attributes:
        users: Users of both.
        items: Items of both.
        before: Histories before; new users have an empty row.
        after: Histories after; a repeated pair counts once.
        old_items: Code of each item that was known, int32.
        changed: Rows that grew, int64.
    """

    users: Vocabulary
    items: Vocabulary
    before: UserItemMatrix
    after: UserItemMatrix
    old_items: np.ndarray
    changed: np.ndarray

    @classmethod
    def of(cls, users: Vocabulary, items: Vocabulary, seen: UserItemMatrix, more: Dataset) -> Joined:
        """Merge the training data with more interactions.

        Raises:
            DataError: If ids are integers on one side and text on the other.
        """
        new_users, new_items = more.user_vocabulary, more.item_vocabulary
        for known, new in ((users, new_users), (items, new_items)):
            known.encode(new.ids)  # raises an error for ids of another type
        all_users = Vocabulary(pl.concat([users.ids, new_users.ids]))
        all_items = Vocabulary(pl.concat([items.ids, new_items.ids]))
        old_items, shape = all_items.encode(items.ids), (len(all_users), len(all_items))
        old = _keys(seen, all_users.encode(users.ids), old_items, shape[1])
        new = _keys(more.matrix(), all_users.encode(new_users.ids), all_items.encode(new_items.ids), shape[1])
        both = np.union1d(old, new)
        before, after = _matrix(old, shape), _matrix(both, shape)
        changed = np.flatnonzero(np.diff(after.indptr) > np.diff(before.indptr))
        return cls(users=all_users, items=all_items, before=before, after=after, old_items=old_items, changed=changed)


@dataclass(frozen=True, eq=False)
class Together:
    """Co-occurrence counts of items.

    Attributes:
        counts: SciPy CSR array of int64, items × items; the diagonal is the number of users.
    """

    counts: Any

    @classmethod
    def of(cls, seen: UserItemMatrix) -> Together:
        """Count all pairs."""
        ones = _sparse(seen)
        return cls((ones.T @ ones).tocsr())

    def updated(self, joined: Joined) -> Together:
        """Counts after an update: subtracts the old histories that grew, and adds the new ones."""
        from scipy.sparse import coo_array, csr_array

        old: Any = self.counts.tocoo()
        rows, columns = joined.old_items[old.coords[0]], joined.old_items[old.coords[1]]
        n = len(joined.items)
        moved: Any = csr_array(coo_array((old.data, (rows, columns)), shape=(n, n)))
        without, with_ = (_sparse(rows_of(each, joined.changed)) for each in (joined.before, joined.after))
        return Together((moved + with_.T @ with_ - without.T @ without).tocsr())

    def by_item(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Counts as compressed rows: int64 pointers, int32 columns, float32 counts."""
        kept: Any = self.counts
        kept.sort_indices()
        return kept.indptr.astype(np.int64), kept.indices.astype(np.int32), kept.data.astype(np.float32)


def _keys(matrix: UserItemMatrix, users: np.ndarray, items: np.ndarray, width: int) -> np.ndarray:
    owners = np.repeat(users.astype(np.int64), np.diff(matrix.indptr))
    return np.sort(owners * width + items[matrix.indices])


def _matrix(keys: np.ndarray, shape: tuple[int, int]) -> UserItemMatrix:
    indptr = np.concatenate([[0], np.cumsum(np.bincount(keys // shape[1], minlength=shape[0]))]).astype(np.int64)
    return UserItemMatrix(indptr, (keys % shape[1]).astype(np.int32), np.ones(len(keys), np.float32), shape[1])


def _sparse(matrix: UserItemMatrix) -> Any:
    from scipy.sparse import csr_array

    ones = np.ones(len(matrix.indices), np.int64)
    return csr_array((ones, matrix.indices, matrix.indptr), shape=(matrix.n_rows, matrix.n_columns))
