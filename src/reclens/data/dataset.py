"""One data set: who did what with which item, and what is known of users and items."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from reclens.cards import DatasetCard
from reclens.data import _kernels
from reclens.data.read.adopt import adopt, is_settled
from reclens.data.read.duplicates import merge_repeats
from reclens.data.read.frames import is_frame
from reclens.data.read.ids import IdForm, ids_as
from reclens.errors import ArgumentTypeError, ArgumentValueError, UnknownNameError
from reclens.schema import ITEM, RATING, TIMESTAMP, USER, WEIGHT, Vocabulary, fingerprint

__all__ = ["Dataset", "Segmenter", "UserItemMatrix", "as_dataset", "group_runs", "transpose"]


@dataclass(frozen=True, eq=False)
class UserItemMatrix:
    """The user-item matrix, compressed by rows (CSR); columns ascend within a row.

    Attributes:
        indptr: int64, shape (n_rows + 1,).
        indices: int32 column codes, shape (nnz,).
        values: float32, shape (nnz,).
        n_columns: Number of columns.
    """

    indptr: np.ndarray
    indices: np.ndarray
    values: np.ndarray
    n_columns: int

    def __repr__(self) -> str:
        return f"UserItemMatrix({self.n_rows:,} × {self.n_columns:,}: {len(self.indices):,} cells)"

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.indptr) - 1

    @cached_property
    def transposed(self) -> UserItemMatrix:
        """The item-user matrix."""
        cells = np.empty_like(self.values)
        indptr, rows = transpose(self.indptr, self.indices, self.n_columns, values=self.values, cells=cells)
        return UserItemMatrix(indptr, rows, cells, self.n_rows)

    def to_scipy(self) -> Any:
        """The matrix as a ``scipy.sparse.csr_array`` of shape (n_rows, n_columns) that shares its memory.

        Example:
            >>> import polars as pl
            >>> data = Dataset(pl.DataFrame({"user_id": [1, 1, 2], "item_id": [7, 8, 8]}))
            >>> data.matrix().to_scipy().toarray().tolist()
            [[1.0, 1.0], [0.0, 1.0]]
        """
        from scipy.sparse import csr_array

        return csr_array((self.values, self.indices, self.indptr), shape=(self.n_rows, self.n_columns))


Segmenter = Callable[["Dataset"], pl.DataFrame]
"""Computes one segment label a user: a frame ``user_id, label`` with label of type Enum (its order is the order shown)
or String; a user that cannot be placed has a null label or no row. See ``reclens.data.segments``."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Interactions with the attributes of users and items. Immutable; every change is a new data set.

    The tables may be frames of any library (Polars, pandas, PyArrow, a mapping of columns). Columns are recognised by
    the spellings that :func:`reclens.read` knows. Ids of all tables are joined by one rule: integers of any width
    become 64-bit ones, and where one table has integers and another text, both are compared as text, which the card
    counts. Repeats of a pair stay as they are; ``reclens.read`` merges them and keeps the log.

    Example:
        >>> data = Dataset({"userId": [1, 1, 2], "movieId": ["a", "b", "a"]}, users={"user": ["1"], "age": [31]})
        >>> data
        Dataset('data': 3 interactions of 2 users with 2 items)
        >>> data.card["rules"]
        [{'code': 'integer_ids_as_text', 'count': 3, 'facts': {'column': 'user_id', 'tables': ['interactions']}}]

    Attributes:
        interactions: Polars frame ``user_id, item_id, timestamp?, rating?, weight?``, one row a (user, item) pair:
            what models learn from. Readers merge repeated pairs, and ``card["duplicates"]`` says how.
        users: Polars frame ``user_id, …attributes``, one row a user, or None.
        items: Polars frame ``item_id, …attributes``, one row an item, or None. A list-valued attribute (such as
            genres) is a ``List(String)`` column.
        name: What to call it in tables and reports.
        card: Where it came from, and which rules were applied to it, each with its row count.
        segments: Polars frame ``user_id, one column a segmentation``, made by :meth:`with_segments`; or None.
        log: The same columns, one row an event, where users came back to items; None where ``interactions`` is the
            whole log. Read it by :attr:`events`.
    """

    interactions: pl.DataFrame
    _: KW_ONLY
    users: pl.DataFrame | None = None
    items: pl.DataFrame | None = None
    name: str = "data"
    card: DatasetCard = field(default_factory=DatasetCard)
    segments: pl.DataFrame | None = None
    log: pl.DataFrame | None = None

    def __post_init__(self) -> None:
        names = ("interactions", "users", "items", "segments", "log")
        given = {name: table for name in names if (table := getattr(self, name)) is not None}
        if is_settled(given):
            return
        tables, rules = adopt(given)
        card = {**self.card, "rules": [*self.card.get("rules", []), *rules]} if rules else self.card
        for name, value in (*tables.items(), ("card", card)):
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        merged = "" if self.log is None else f" ({self.log.height:,} events)"
        return (
            f"Dataset('{self.name}': {self.interactions.height:,} interactions{merged} of "
            f"{len(self.user_vocabulary):,} users with {len(self.item_vocabulary):,} items)"
        )

    @property
    def events(self) -> pl.DataFrame:
        """The log: every event, with all repeats of a pair. Splits, SQL, the profile and segments are made from it."""
        return self.interactions if self.log is None else self.log

    @property
    def is_merged(self) -> bool:
        """Whether it is known, without looking, that no pair is repeated in :attr:`events`."""
        return self.log is None and self.card.get("duplicates") is not None

    def with_events(self, events: pl.DataFrame) -> Dataset:
        """The data set of some of its events: where it keeps a log, repeats of a pair are merged anew among them.

        They are merged as ``card["duplicates"]`` says, by the latest row where it says nothing. Segments stay; leave
        them out (``replace(…, segments=None)``) where they were computed from events that are gone.

        Example:
            >>> from reclens.data.read.tables import read
            >>> data = read({"user": [1, 1, 1], "item": ["tea", "jam", "tea"], "timestamp": [3, 7, 11]})
            >>> data
            Dataset('data': 2 interactions (3 events) of 1 users with 2 items)
            >>> data.with_events(data.events.head(2)).interactions["item_id"].to_list()
            ['tea', 'jam']
        """
        if self.log is None:
            return replace(self, interactions=events)
        merged = merge_repeats(events, self.card.get("duplicates") or "last")
        return replace(self, interactions=merged, log=None if merged is events else events)

    def with_ids(self, form: IdForm | None) -> Dataset:
        """The data set with ids of users and items that are text, so that it can be held against others that are.

        Example:
            >>> from reclens.data.read.tables import read
            >>> read({"user": [1], "item": [7]}).with_ids("text").interactions.rows()
            [('1', '7')]
        """
        tables = {name: getattr(self, name) for name in ("interactions", "users", "items", "segments", "log")}
        return replace(self, **{name: ids_as(table, form) for name, table in tables.items() if table is not None})

    @cached_property
    def user_vocabulary(self) -> Vocabulary:
        """The users that have an interaction."""
        return Vocabulary(self.interactions[USER])

    @cached_property
    def item_vocabulary(self) -> Vocabulary:
        """The items that have an interaction."""
        return Vocabulary(self.interactions[ITEM])

    @cached_property
    def fingerprint(self) -> str:
        """Content hash of the interactions: equal data, equal hash, on any machine."""
        return fingerprint(self.interactions)

    def matrix(self, values: str | None = None) -> UserItemMatrix:
        """The user-item matrix over ``user_vocabulary`` × ``item_vocabulary``.

        Args:
            values: ``"rating"`` or ``"weight"`` to take the cells from that column (repeated pairs are added up);
                None for ones.

        Raises:
            UsageError: If that column does not exist.
        """
        if values is None:
            return self._ones
        if values not in self.interactions.columns:
            raise ArgumentValueError("values", f"is '{values}': the interactions have no column '{values}'")
        key = self._keys()
        order = np.argsort(key, kind="stable")
        key, column = key[order], self.interactions[values].cast(pl.Float64).to_numpy()[order]
        first = np.flatnonzero(np.append(True, key[1:] != key[:-1])[: len(key)])
        cells = np.add.reduceat(column, first) if len(first) else column
        return self._compress(key[first], cells.astype(np.float32))

    @cached_property
    def _ones(self) -> UserItemMatrix:
        n_users, n_items = len(self.user_vocabulary), len(self.item_vocabulary)
        users = np.require(self.user_vocabulary.encode(self.interactions[USER]), requirements="W")
        items = np.require(self.item_vocabulary.encode(self.interactions[ITEM]), requirements="W")
        # Two counting sorts, by item and then by user: the items of a user ascend, and repeats stand side by side.
        ends = _ends(items, n_items)
        by_item = np.empty_like(users)
        _kernels.bucket(items, users, ends[:-1].copy(), by_item)
        indptr, indices = transpose(ends, by_item, n_users)
        first = np.append(True, indices[1:] != indices[:-1])[: len(indices)]
        first[indptr[:-1]] = True
        if not first.all():
            indptr = np.concatenate([[0], np.cumsum(np.add.reduceat(first, indptr[:-1], dtype=np.int64))])
            indices = indices[first]
        return UserItemMatrix(indptr, indices, np.ones(len(indices), np.float32), n_items)

    def _keys(self) -> np.ndarray:
        """The cell of each interaction: user code × items + item code."""
        users = self.user_vocabulary.encode(self.interactions[USER]).astype(np.int64)
        return users * len(self.item_vocabulary) + self.item_vocabulary.encode(self.interactions[ITEM])

    def _compress(self, key: np.ndarray, cells: np.ndarray) -> UserItemMatrix:
        n_users, n_items = len(self.user_vocabulary), len(self.item_vocabulary)
        rows = key // max(n_items, 1)
        indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n_users))]).astype(np.int64)
        return UserItemMatrix(indptr, (key - rows * n_items).astype(np.int32), cells, n_items)

    def with_segments(self, **segmenters: Segmenter | str) -> Dataset:
        """Name groups of users, computed from this data set alone (give it the training part).

        Args:
            **segmenters: Name of the segmentation = how to compute it: one of ``reclens.segments``, any function of a
                data set that returns ``user_id, label``, or the name of a column of ``users``.

        Returns:
            The data set with one more column a segmentation in ``segments``; users that could not be placed have null.

        Example:
            >>> from reclens.data.synthetic import synthetic_movielens
            >>> data = synthetic_movielens(n_users=50, n_items=40, n_ratings=900, rng=1)
            >>> data.with_segments(sex="gender").segments.columns
            ['user_id', 'sex']
        """
        known = [self.interactions[USER].unique()] + ([self.users[USER]] if self.users is not None else [])
        frame = self.segments if self.segments is not None else pl.concat(known).unique().sort().to_frame()
        for name, segmenter in segmenters.items():
            if isinstance(segmenter, str):
                labels = self._column_segment(segmenter)
            else:
                labels = segmenter(self)
            labels = labels.select(pl.col(USER), pl.col(labels.columns[-1]).alias(name))
            frame = frame.drop(name, strict=False).join(labels, on=USER, how="left", maintain_order="left")
        return replace(self, segments=frame)

    def _column_segment(self, column: str) -> pl.DataFrame:
        attributes = [c for c in self.users.columns if c != USER] if self.users is not None else []
        if self.users is None or column not in attributes:
            raise UnknownNameError("user attribute", column, attributes)
        return self.users.select(pl.col(USER), pl.col(column).cast(pl.String))

    @property
    def has_timestamps(self) -> bool:
        """Whether the interactions have times."""
        return TIMESTAMP in self.interactions.columns

    @property
    def has_ratings(self) -> bool:
        """Whether the interactions have ratings."""
        return RATING in self.interactions.columns

    @property
    def has_weights(self) -> bool:
        """Whether the interactions have weights."""
        return WEIGHT in self.interactions.columns


def as_dataset(data: Any, *, argument: str = "data") -> Dataset:
    """A data set of what was given in its place: one, or any frame of interactions.

    Args:
        data: A data set, or a frame of any library.
        argument: What it is called, for the message.

    Raises:
        ArgumentTypeError: If it is neither.
        DataError: If the frame holds no interactions.
    """
    if isinstance(data, Dataset):
        return data
    if is_frame(data):
        return Dataset(data)
    parts = hasattr(data, "train") and hasattr(data, "test")
    raise ArgumentTypeError(
        argument,
        data,
        expected="a data set or a frame of interactions",
        fix="Pass its training part: split.train." if parts else "A file is read by reclens.load(path).",
    )


def _ends(codes: np.ndarray, n: int) -> np.ndarray:
    """Where the list of each code begins and ends once sorted; int64, shape (n + 1,)."""
    ends = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(codes, minlength=n), out=ends[1:])
    return ends


def group_runs(
    owners: np.ndarray, lengths: np.ndarray, items: np.ndarray, n_owners: int
) -> tuple[np.ndarray, np.ndarray]:
    """The items of each owner, ascending and each once: where they begin and end, and the items.

    Args:
        owners: Owner of each run of rows, shape (runs,); an owner may have several.
        lengths: Rows of each run.
        items: Item of each row, shape (Σ lengths,).
        n_owners: Number of owners.
    """
    sizes = np.bincount(owners, lengths, n_owners).astype(np.int64)
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    own = np.empty(len(items), np.int32)
    rows, found = (np.require(each, np.int32, ["C", "W"]) for each in (owners, items))
    _kernels.group_runs(rows, np.require(lengths, np.int64, ["C", "W"]), found, indptr[:-1].copy(), indptr, own)
    first = np.append(True, own[1:] != own[:-1])[: len(own)]
    first[indptr[:-1][sizes > 0]] = True
    if first.all():
        return indptr, own
    return np.concatenate([[0], np.cumsum(first)])[indptr], own[first]


_NOTHING = np.zeros(0, np.float32)


def transpose(
    indptr: np.ndarray,
    indices: np.ndarray,
    n_columns: int,
    *,
    order: np.ndarray | None = None,
    values: np.ndarray = _NOTHING,
    cells: np.ndarray = _NOTHING,
) -> tuple[np.ndarray, np.ndarray]:
    """A sparse matrix by column: where the list of each column begins and ends, and the rows in it, ascending.

    Args:
        indptr: The matrix by row, int64, shape (rows + 1,).
        indices: Its columns, int32, shape (nnz,).
        n_columns: Number of columns.
        order: Rows in another order: the lists then hold places in it. int64, shape (rows,).
        values: Values to be carried along, float32, shape (nnz,) …
        cells: … and where to write them.
    """
    ends = _ends(indices, n_columns)
    rows = np.empty_like(indices)
    order = np.arange(len(indptr) - 1) if order is None else order
    _kernels.transpose(indptr, indices, values, order, ends[:-1].copy(), rows, cells)
    return ends, rows
