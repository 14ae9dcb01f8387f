"""Ids of one kind and their codes: every table is matched by small integers, and ids are looked at once.

Many ids are told apart by a 64-bit key - an integer is its own, a text has a hash - in a compiled table, and texts are
then compared with what they were taken for: equal keys of unequal texts are noticed, and matched by a slower join.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.errors import Advice, DataError, Setting
from reclens.kernels import kernel

__all__ = ["CODE_MISSING", "NumberedVocabulary", "Numbering", "Vocabulary", "id_keys", "number_ids"]

CODE_MISSING: Final = -1
"""The code of an id that a vocabulary does not hold."""

_MANY: Final = 100_000
"""Ids from which on the compiled table is worth loading."""
_FEW: Final = 128
"""Ids up to which they are looked up one by one: the smallest query takes as long as a request for one user may."""


CAST_SIDE: Final = Advice(
    "cast_side",
    (Setting("ids", "text"),),
    "Read both with {ids}, or cast one side, as by pl.col('item_id').cast(pl.String).",
)
"""What to do where ids are integers in one table and text in another."""


class Vocabulary:
    """The ids of one kind (users or items), sorted, and their codes 0 … n-1.

    Codes follow the sorted order of the ids, so that equal id sets give equal codes whatever the row order was.

    Args:
        ids: Ids, in any order, repeats allowed; integers or strings, without nulls.

    Raises:
        DataError: If ids are null, or neither integers nor strings.

    Example:
        >>> import polars as pl
        >>> words = Vocabulary(pl.Series(["b", "a", "b"]))
        >>> words.encode(pl.Series(["a", "z"])).tolist()
        [0, -1]
        >>> words.decode([1]).to_list()
        ['b']
    """

    def __init__(self, ids: pl.Series) -> None:
        ids = ids.cast(pl.Int64) if ids.dtype.is_integer() else ids
        if ids.dtype != pl.Int64 and ids.dtype != pl.String:
            raise DataError(
                f"ids are {ids.dtype}, expected integers or strings",
                column=ids.name or None,
                fix="Cast the column first.",
            )
        if ids.null_count():
            raise DataError(
                f"{ids.null_count():,} ids are null", column=ids.name or None, fix="Drop or fill those rows first."
            )
        self.ids: pl.Series = _distinct(ids)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def is_integer(self) -> bool:
        """Whether the ids are integers, and not text."""
        return self.ids.dtype == pl.Int64

    @cached_property
    def _dense(self) -> tuple[int, np.ndarray] | None:
        """A direct table id - low -> code, where the integers are dense enough to afford one."""
        if not self.is_integer or not len(self):
            return None
        low, high = int(self.ids[0]), int(self.ids[-1])
        if high - low > 8 * len(self) + 1_000_000:
            return None
        table = np.full(high - low + 1, CODE_MISSING, np.int32)
        table[self.ids.to_numpy() - low] = np.arange(len(self), dtype=np.int32)
        return low, table

    @cached_property
    def _hashed(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Keys by code and the table that finds them; None where two ids share a key."""
        keys = id_keys(self.ids)
        codes, _, table = _number_keys(keys)
        return None if len(keys) and int(codes.max()) + 1 < len(keys) else (keys, table)

    def encode(self, ids: pl.Series) -> np.ndarray:
        """Codes of ids.

        Args:
            ids: Any ids; shape (n,).

        Returns:
            int32 array, shape (n,); ``CODE_MISSING`` (-1) where an id is not in the vocabulary or null.

        Raises:
            DataError: If integers are looked up among strings or the other way round.
        """
        if ids.dtype.is_integer() != self.is_integer and len(ids) and len(self):
            raise DataError(
                f"ids are {ids.dtype} on one side and {self.ids.dtype} on the other, so that none can match",
                column=ids.name or None,
                fix=CAST_SIDE,
            )
        if not len(self) or not len(ids):
            return np.full(len(ids), CODE_MISSING, np.int32)
        if len(ids) <= _FEW and (len(self) <= _FEW or self._dense is None):
            return self._encode_few(ids)
        if not ids.null_count():
            if self._dense is not None:
                return self._encode_dense(ids, *self._dense)
            if len(ids) + len(self) >= _MANY and ids.dtype == self.ids.dtype and self._hashed is not None:
                codes = np.empty(len(ids), np.int32)
                _find(id_keys(ids), *self._hashed, codes)
                if self._are(ids, codes):
                    return codes
        right = self.ids.alias("id").to_frame().with_row_index("code")
        left = ids.cast(self.ids.dtype).alias("id").to_frame()
        codes = left.join(right, on="id", how="left", maintain_order="left")["code"]
        return codes.cast(pl.Int32).fill_null(CODE_MISSING).to_numpy()

    def _encode_few(self, ids: pl.Series) -> np.ndarray:
        """Codes by bisection: the order of texts by their UTF-8, as Polars sorts, is that of Python by code points."""
        values = (ids if ids.dtype.is_integer() else ids.cast(self.ids.dtype)).to_list()
        codes = {None: CODE_MISSING}
        for value in values:
            if value not in codes:
                place = bisect_left(self.ids, value)
                codes[value] = place if place < len(self) and self.ids[place] == value else CODE_MISSING
        return np.array([codes[value] for value in values], np.int32)

    def _encode_dense(self, ids: pl.Series, low: int, table: np.ndarray) -> np.ndarray:
        offset = ids.cast(pl.Int64).to_numpy() - low
        if offset.min() >= 0 and offset.max() < len(table):
            return table[offset]
        inside = (offset >= 0) & (offset < len(table))
        return np.where(inside, table[np.where(inside, offset, 0)], np.int32(CODE_MISSING))

    def _are(self, ids: pl.Series, codes: np.ndarray) -> bool:
        """Whether the texts that were found are the texts looked for; keys of integers are exact."""
        if self.is_integer:
            return True
        found = self.ids[np.maximum(codes, 0)] == ids
        return bool((found.to_numpy() | (codes < 0)).all())

    def decode(self, codes: Any) -> pl.Series:
        """Ids of codes; codes must lie in 0 … n-1."""
        return self.ids[np.asarray(codes, dtype=np.int64)]  # an index is no query, which gather is


class NumberedVocabulary(Vocabulary):
    """A vocabulary that is asked for ids by the numbers that they were given before.

    Args:
        whole: The vocabulary.
        ids: The ids by their numbers.

    Example:
        >>> import polars as pl
        >>> letters = NumberedVocabulary(Vocabulary(pl.Series(["a", "b"])), pl.Series(["z", "b"]))
        >>> letters.encode(pl.Series([1, 0, 1])).tolist()
        [1, -1, 1]
    """

    def __init__(self, whole: Vocabulary, ids: pl.Series) -> None:
        self.ids: pl.Series = whole.ids
        self._code_of = whole.encode(ids)

    def encode(self, ids: pl.Series) -> np.ndarray:
        """Codes of the ids with some numbers."""
        return self._code_of[ids.to_numpy()]


class Numbering:
    """Numbers for ids that come in pieces, in the order of first appearance: what is kept of a row is four bytes.

    Example:
        >>> import polars as pl
        >>> numbering = Numbering()
        >>> numbering.number(pl.Series(["b", "a"])).tolist(), numbering.number(pl.Series(["c", "b"])).tolist()
        ([0, 1], [2, 0])
        >>> numbering.ids.to_list()
        ['b', 'a', 'c']
    """

    def __init__(self) -> None:
        self.ids: pl.Series | None = None
        self._count = 0
        self._table, self._known = np.full(1 << 12, -1, np.int32), np.empty(1 << 11, np.uint64)
        self._alike: dict[str, int] = {}
        """Texts whose key another text has."""

    def number(self, ids: pl.Series) -> np.ndarray:
        """The numbers of some ids, int32; ids without nulls, all pieces of one type."""
        keys, places = id_keys(ids), np.empty(len(ids), np.int32)
        while 2 * (self._count + len(keys)) > len(self._table):
            self._grow()
        first_rows = np.empty(len(self._known), np.int64)
        before, self._count = self._count, _number(keys, self._table, self._known, first_rows, places, self._count)
        new = ids[first_rows[before : self._count]]
        self.ids = new if self.ids is None else self.ids.extend(new) if len(new) else self.ids
        if ids.dtype == pl.String:
            self._tell_apart(ids, places)
        return places

    def _grow(self) -> None:
        known, n = self._known, self._count
        self._table, self._known = np.full(2 * len(self._table), -1, np.int32), np.empty(2 * len(known), np.uint64)
        _number(known[:n], self._table, self._known, np.empty(len(self._known), np.int64), np.empty(n, np.int32), 0)

    def _tell_apart(self, ids: pl.Series, places: np.ndarray) -> None:
        """Numbers of their own for texts that share a key with another."""
        assert self.ids is not None
        for row in np.flatnonzero((self.ids[places] != ids).to_numpy()).tolist():
            text = ids[row]
            if text not in self._alike:
                free, spare = np.array([self._count], np.uint64), np.empty(len(self._known), np.int64)
                while (self._known[: self._count] == free).any():
                    free += np.uint64(1)
                self._alike[text] = self._count
                self._count = _number(free, self._table, self._known, spare, np.empty(1, np.int32), self._count)
                self.ids = self.ids.extend(ids.slice(row, 1))
            places[row] = self._alike[text]


def _distinct(ids: pl.Series) -> pl.Series:
    """Each id once, sorted; dense integers by a table of flags, which is read in order."""
    if len(ids) <= _FEW:
        return pl.Series(ids.name, sorted(set(ids.to_list())), ids.dtype)
    if ids.dtype == pl.Int64 and len(ids) >= _MANY:
        values = ids.to_numpy()
        low, high = int(values.min()), int(values.max())
        if high - low <= 8 * len(ids) + 1_000_000:
            there = np.zeros(high - low + 1, bool)
            there[values - low] = True
            return pl.Series(ids.name, np.flatnonzero(there) + low)
    return (ids.unique() if len(ids) < _MANY else number_ids(ids)[0]).sort()


def number_ids(ids: pl.Series) -> tuple[pl.Series, np.ndarray]:
    """Each id once, in the order of first appearance, and the place of every row among them.

    Args:
        ids: 64-bit integers or strings without nulls, shape (n,).

    Returns:
        The distinct ids; int32 array, shape (n,).

    Example:
        >>> import polars as pl
        >>> distinct, places = number_ids(pl.Series(["b", "a", "b"]))
        >>> distinct.to_list(), places.tolist()
        (['b', 'a'], [0, 1, 0])
    """
    if len(ids) >= _MANY:
        places, first_rows, _ = _number_keys(id_keys(ids))
        distinct = ids.gather(first_rows)
        if ids.dtype != pl.String or (distinct.gather(places) == ids).all():
            return distinct, places
    distinct = ids.unique(maintain_order=True)
    right = distinct.alias("id").to_frame().with_row_index("place")
    places = ids.alias("id").to_frame().join(right, on="id", how="left", maintain_order="left")["place"]
    return distinct, places.cast(pl.Int32).to_numpy()


def id_keys(ids: pl.Series) -> np.ndarray:
    """A 64-bit key of each id, uint64, shape (n,): equal for equal ids; only texts may, once in 10¹⁹ pairs, share one.

    Keys of texts are valid in this process alone.
    """
    if ids.dtype.is_integer():
        return ids.cast(pl.Int64).to_numpy().view(np.uint64)
    return ids.hash().to_numpy()


def _number_keys(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The place of each key among the distinct ones, the first row of each of those, and the table that finds them."""
    places = np.empty(len(keys), np.int32)
    size = 1 << 16
    while True:  # a table that turns out too small is found out early
        table, known, first_rows = np.full(size, -1, np.int32), np.empty(size // 2, np.uint64), np.empty(size // 2, int)
        count = _number(keys, table, known, first_rows, places, 0)
        if count >= 0:
            return places, first_rows[:count], table
        size *= 8


# Arrays that come from Polars are read-only, which a signature has to allow.
@kernel("int64(Array(uint64, 1, 'C', readonly=True), int32[::1], uint64[::1], int64[::1], int32[::1], int64)")
def _number(keys: Any, table: Any, known: Any, first_rows: Any, places: Any, count: Any) -> Any:
    # Keys are numbered from a count on: the table holds those before. Open addressing; Fibonacci hashing takes the high
    # bits of a product, so that runs of integers spread.
    mask = len(table) - 1
    shift = np.uint64(64 - int(np.log2(len(table))))
    for row in range(len(keys)):
        key = keys[row]
        slot = np.int64((key * np.uint64(0x9E3779B97F4A7C15)) >> shift)
        while table[slot] >= 0 and known[table[slot]] != key:
            slot = (slot + 1) & mask
        if table[slot] < 0:
            if count == len(known):
                return -1
            table[slot], known[count], first_rows[count] = count, key, row
            count += 1
        places[row] = table[slot]
    return count


@kernel("void(Array(uint64, 1, 'C', readonly=True), Array(uint64, 1, 'C', readonly=True), int32[::1], int32[::1])")
def _find(keys: Any, known: Any, table: Any, codes: Any) -> None:
    mask = len(table) - 1
    shift = np.uint64(64 - int(np.log2(len(table))))
    for row in range(len(keys)):
        slot = np.int64((keys[row] * np.uint64(0x9E3779B97F4A7C15)) >> shift)
        while table[slot] >= 0 and known[table[slot]] != keys[row]:
            slot = (slot + 1) & mask
        codes[row] = table[slot]
