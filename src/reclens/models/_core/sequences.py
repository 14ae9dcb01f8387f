"""What users did in the order of time, for models that learn from sequences."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.errors import DataError
from reclens.schema import ITEM, TIMESTAMP, USER, Vocabulary

__all__ = ["Sequences", "seconds_of"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Sequences:
    """The items of users, oldest first: those of a user-item matrix in another order, with the same row pointers.

    Equal times keep the order of the rows. An item counts once for each user, at its last event.

    Attributes:
        indptr: Where the items of each user begin and end; int64, shape (users + 1,).
        items: Item codes; int32, shape (cells,).
        times: Seconds since 1970; float64, shape (cells,); None where they are not known.
    """

    indptr: np.ndarray
    items: np.ndarray
    times: np.ndarray | None

    @classmethod
    def of_training(cls, train: Dataset, users: Vocabulary, items: Vocabulary) -> Sequences:
        """The sequences of the training data, which has timestamps."""
        table = train.interactions
        times = seconds_of(table[TIMESTAMP], "the interactions")
        return cls._sorted(users.encode(table[USER]), items.encode(table[ITEM]), times, len(users), len(items))

    @classmethod
    def of_history(
        cls,
        history: pl.DataFrame,
        rows: np.ndarray,
        columns: np.ndarray,
        *,
        n_rows: int,
        n_items: int,
        before: tuple[Sequences, np.ndarray] | None,
    ) -> Sequences:
        """The sequences of a request: by their timestamps, or in the order of the rows where it has none.

        Args:
            history: The rows of the request whose item is known.
            rows: The user of each row, int64.
            columns: The item of each row, int64.
            n_rows: Number of users.
            n_items: Number of items.
            before: The sequences of the training data, and the row of each user there, -1 for none. Items that are in
                them stay where they are, and what is new follows.
        """
        times = seconds_of(history[TIMESTAMP], "history") if TIMESTAMP in history.columns else None
        fresh = cls._sorted(rows, columns, times, n_rows, n_items)
        if before is None:
            return fresh
        trained, places = before
        lengths = np.where(places >= 0, trained.indptr[places + 1] - trained.indptr[places], 0)
        owners = np.repeat(np.arange(n_rows), lengths)
        cells = np.arange(len(owners)) + np.repeat(trained.indptr[places] - np.cumsum(lengths) + lengths, lengths)
        old, own = trained.items[cells], np.repeat(np.arange(n_rows), np.diff(fresh.indptr))
        new = ~np.isin(own * n_items + fresh.items, owners * n_items + old)
        order = np.argsort(np.concatenate([owners, own[new]]), kind="stable")
        both = None
        if fresh.times is not None and trained.times is not None:
            both = np.concatenate([trained.times[cells], fresh.times[new]])[order]
        counts = np.bincount(np.concatenate([owners, own[new]]), minlength=n_rows)
        return cls(
            indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            items=np.concatenate([old, fresh.items[new]])[order],
            times=both,
        )

    @classmethod
    def _sorted(
        cls, rows: np.ndarray, columns: np.ndarray, times: np.ndarray | None, n_rows: int, n_items: int
    ) -> Sequences:
        """Sort events by user and, stably, by time; of repeats of a pair the last one counts."""
        order = np.argsort(rows, kind="stable") if times is None else np.lexsort((times, rows))
        cells = rows[order].astype(np.int64) * n_items + columns[order]
        _, from_end = np.unique(cells[::-1], return_index=True)
        order = order[np.sort(len(cells) - 1 - from_end)]
        counts = np.bincount(rows[order], minlength=n_rows)
        return cls(
            indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            items=columns[order].astype(np.int32),
            times=None if times is None else times[order],
        )

    def without_last(self, users: np.ndarray) -> tuple[Sequences, np.ndarray]:
        """The sequences without the last event of some users, and that event's item, int32, shape (n,)."""
        last = self.indptr[users + 1] - 1
        kept = np.ones(len(self.items), bool)
        kept[last] = False
        counts = np.diff(self.indptr)
        counts[users] -= 1
        rest = replace(
            self,
            indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            items=self.items[kept],
            times=None if self.times is None else self.times[kept],
        )
        return rest, self.items[last]

    def matrix(self, users: np.ndarray, n_items: int) -> UserItemMatrix:
        """The user-item matrix of some users, one row each."""
        lengths = np.diff(self.indptr)[users]
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        cells = np.arange(indptr[-1]) + np.repeat(self.indptr[users] - indptr[:-1], lengths)
        rows = np.repeat(np.arange(len(users)), lengths)
        indices = np.sort(rows * n_items + self.items[cells]) - rows * n_items
        return UserItemMatrix(indptr, indices.astype(np.int32), np.ones(len(indices), np.float32), n_items)


def seconds_of(times: pl.Series, source: str) -> np.ndarray:
    """Times as seconds since 1970, float64; where one is missing, the earliest of all."""
    if times.dtype == pl.Datetime or times.dtype == pl.Date:
        times = times.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64) / 1e6
    if not times.dtype.is_numeric():
        raise DataError(
            f"is of type {times.dtype}, expected times or seconds since 1970", source=source, column=TIMESTAMP
        )
    times = times.cast(pl.Float64)
    return times.fill_null(times.min() or 0.0).to_numpy()  # type: ignore[arg-type]
