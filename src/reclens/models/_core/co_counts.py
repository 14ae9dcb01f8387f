"""How many columns each two rows of a sparse matrix of ones share: the work behind item-kNN, user-kNN and EASE.

Counting the pairs takes Σ over columns of (rows with that column)² additions at random addresses, nearly all of them
among the few most popular rows. So the rows are ordered by popularity and split in two:

- In the *head*, each row is a bit string, 64 columns a word, and the count of a pair is the population count of an AND.
  One vector instruction processes hundreds of columns, and each pair is counted once.
- Pairs with the *tail* are counted from lists: for a row, the rows of each of its columns, into one dense array of
  16-bit counts that stays in the cache. A row of the head only visits the tail of those lists.

Counts are integers, so that results do not depend on the order of summation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from reclens.data.dataset import UserItemMatrix, transpose
from reclens.engine import LocalEngine, Progress, chunk_ranges
from reclens.kernels import kernel
from reclens.memory import require_memory

__all__ = ["PAIRS", "Pairs", "common_of_row", "count_pairs", "products_of_row"]

_WORDS_AN_ADDITION: Final = 6
"""Words that are compared in the time of one addition at a random address: 7 to 13 with AVX-512, 3 without."""
_MOST: Final = 2**16 - 1
_HEAD: Final = 8192
"""Largest number of rows in the head: their counts take 256 MiB."""
_LANES: Final = 16
"""Words that the inner loop compares at once: the rest would be compared one by one, so that rows are filled up."""
_TILE: Final = 16
"""Rows of bits that are compared with four others while they all stay in the first-level cache …"""
_WORDS: Final = 128
"""… this many words at a time."""
PAIRS: Final = (
    "Tuple((int32[::1], int64[::1], int32[::1], int64[::1], int32[::1], int64[::1], int32[::1], int32[:,::1], int64))"
)
"""The type of :attr:`Pairs.lists`."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Pairs:
    """Data for :func:`common_of_row`. A *place* is the rank of a row by popularity; places below ``head`` are the head.

    Attributes:
        order: Row at each place, int32, shape (rows,).
        indptr: The matrix by rows, int64.
        indices: Its columns, int32.
        values: Its values, float32.
        ends: The lists of each column, int64.
        places: The places of the rows of each column, ascending, int32.
        cells: Their values, or empty where all are 1.
        tail_ends: The lists of each column without the head, int64 …
        tail: … and the places in them, packed, so that a popular row reads nearly in sequence; int32.
        counts: Columns that the rows of the head share, int32, shape (head, head) or a little more.
        head: Rows of the head; 0 for a matrix that is not all ones.
    """

    order: np.ndarray
    indptr: np.ndarray
    indices: np.ndarray
    values: np.ndarray
    ends: np.ndarray
    places: np.ndarray
    cells: np.ndarray
    tail_ends: np.ndarray
    tail: np.ndarray
    counts: np.ndarray
    head: int

    @property
    def lists(self) -> tuple[Any, ...]:
        """The argument of type ``PAIRS`` for the compiled loops."""
        head = np.int64(self.head)
        first = self.order, self.indptr, self.indices, self.ends, self.places
        return (*first, self.tail_ends, self.tail, self.counts, head)


def count_pairs(matrix: UserItemMatrix, *, engine: LocalEngine, progress: Progress, what: str) -> Pairs:
    """Order the rows by popularity, choose the head and count its pairs."""
    ones = bool((matrix.values == 1).all())
    sizes = np.diff(matrix.indptr)
    order = np.argsort(-sizes, kind="stable")
    cells = np.zeros(0 if ones else len(matrix.values), np.float32)
    ends, places = transpose(
        matrix.indptr,
        matrix.indices,
        matrix.n_columns,
        order=order,
        values=matrix.values if len(cells) else cells,
        cells=cells,
    )
    words = -(-matrix.n_columns // (64 * _LANES)) * _LANES
    # Counts of the tail have to fit into 16 bits.
    head = max(_head(ends, places, len(order), words), int((sizes > _MOST).sum())) if ones else 0
    square = -(-head // 4) * 4  # padded with empty rows, because four are compared at once
    require_memory(
        8 * square * words + 4 * square**2,
        f"{what}: the pairs of the {head:,} most popular rows",
        advice="Use a smaller catalogue or fewer users.",
    )
    bits = np.zeros((square, words), np.uint64)
    tail_ends, tail = np.zeros_like(ends), np.empty(int(sizes[order[head:]].sum()) if ones else 0, np.int32)
    if ones:
        _split(ends, places, bits[:head], tail_ends, tail)
    counts = np.empty((len(bits), len(bits)), np.int32)
    parts = chunk_ranges(len(bits), _TILE)
    for done, _ in enumerate(engine.map(lambda part: _count(part.start, part.stop, bits, counts), parts), 1):
        progress(f"{what}: popular pairs", done, len(parts))
    return Pairs(
        order=order.astype(np.int32),
        indptr=matrix.indptr,
        indices=matrix.indices,
        values=matrix.values,
        ends=ends,
        places=places,
        cells=cells,
        tail_ends=tail_ends,
        tail=tail,
        counts=counts,
        head=head,
    )


def _head(ends: np.ndarray, places: np.ndarray, n: int, words: int) -> int:
    """The cheapest number of rows in the head.

    In the head, a row of place i saves two additions for each row before it that shares a column with it, and costs i
    comparisons of bit strings.
    """
    gain = np.zeros(n, np.int64)
    _positions(ends, places, gain)
    sizes = np.arange(1, n + 1)
    saved = 2 * np.cumsum(gain) * float(_WORDS_AN_ADDITION) - 0.5 * words * sizes.astype(np.float64) ** 2
    best = int(np.argmax(saved[:_HEAD]))
    return best + 1 if saved[best] > 0 else 0


@kernel("void(int64[::1], int32[::1], int64[::1])")
def _positions(ends: Any, places: Any, gain: Any) -> None:
    """For each place, the number of smaller places before it, summed over all lists."""
    for column in range(len(ends) - 1):
        for p in range(ends[column], ends[column + 1]):
            gain[places[p]] += p - ends[column]


@kernel("void(int64[::1], int32[::1], uint64[:,::1], int64[::1], int32[::1])")
def _split(ends: Any, places: Any, bits: Any, tail_ends: Any, tail: Any) -> None:
    """Set the bit of each column in the rows of the head, and pack the rest of its list."""
    at = 0
    for column in range(len(ends) - 1):
        for p in range(ends[column], ends[column + 1]):
            if places[p] < len(bits):
                bits[places[p], column >> 6] |= np.uint64(1) << np.uint64(column & 63)
            else:
                tail[at] = places[p]
                at += 1
        tail_ends[column + 1] = at


@kernel("uint64(uint64)")
def _ones(x: Any) -> Any:
    """Population count of a word; the compiler recognises this form and emits the machine instruction."""
    x -= (x >> np.uint64(1)) & np.uint64(0x5555555555555555)
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (x * np.uint64(0x0101010101010101)) >> np.uint64(56)


@kernel("void(int64, int64, uint64[:,::1], int32[:,::1])")
def _count(first: Any, stop: Any, bits: Any, counts: Any) -> None:
    """Count common ones of rows ``first`` to ``stop`` with all later rows; fills both triangles."""
    n, words = bits.shape
    for start in range(0, words, _WORDS):
        end = min(start + _WORDS, words)
        for j in range(first, n, 4):
            b0, b1, b2, b3 = bits[j, start:end], bits[j + 1, start:end], bits[j + 2, start:end], bits[j + 3, start:end]
            for i in range(first, stop):
                a = bits[i, start:end]
                n0 = n1 = n2 = n3 = np.uint64(0)
                for word in range(len(a)):
                    n0 += _ones(a[word] & b0[word])
                    n1 += _ones(a[word] & b1[word])
                    n2 += _ones(a[word] & b2[word])
                    n3 += _ones(a[word] & b3[word])
                if start:
                    n0 += np.uint64(counts[i, j])
                    n1 += np.uint64(counts[i, j + 1])
                    n2 += np.uint64(counts[i, j + 2])
                    n3 += np.uint64(counts[i, j + 3])
                counts[i, j] = n0
                counts[i, j + 1] = n1
                counts[i, j + 2] = n2
                counts[i, j + 3] = n3
    for j in range(first, n):
        for i in range(first, stop):
            counts[j, i] = counts[i, j]


@kernel(f"void(int64, {PAIRS}, uint16[::1], float32[::1])")
def common_of_row(place: Any, pairs: Any, line: Any, row: Any) -> None:
    """Count the columns that the row at a place shares with every row, into ``row``; ``line`` is a work array."""
    order, indptr, indices, ends, places, tail_ends, tail, counts, head = pairs
    for column in range(len(line)):
        line[column] = 0
    if place < head:
        ends, places = tail_ends, tail
    for p in range(indptr[order[place]], indptr[order[place] + 1]):
        found = places[ends[indices[p]] : ends[indices[p] + 1]]
        for q in range(len(found)):
            # Unsigned indices need no check for negative ones: see kernels.py.
            line[np.uint32(found[q])] += 1
    for column in range(len(line)):
        row[column] = line[column]
    if place < head:
        for column in range(head):
            row[column] = counts[place, column]


@kernel("void(int64, int64[::1], int32[::1], float32[::1], int64[::1], int32[::1], float32[::1], float32[::1])")
def products_of_row(
    row: Any, indptr: Any, indices: Any, values: Any, ends: Any, places: Any, cells: Any, line: Any
) -> None:
    """Dot products of a row of arbitrary values with every row, into ``line``."""
    for place in range(len(line)):
        line[place] = 0
    for p in range(indptr[row], indptr[row + 1]):
        column, value = indices[p], values[p]
        found, added = places[ends[column] : ends[column + 1]], cells[ends[column] : ends[column + 1]]
        for q in range(len(found)):
            line[np.uint32(found[q])] += value * added[q]
