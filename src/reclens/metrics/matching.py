"""Finding items among a user's own items: the loops of the metrics that are compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from reclens.kernels import kernel

__all__ = ["count_shared", "has_repeats", "match"]


def match(items: np.ndarray, rows: np.ndarray, indptr: np.ndarray, own: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The value of each list item among its user's own items.

    Args:
        items: Item codes of the lists, int32, shape (n, d); negative codes match nothing.
        rows: Row of each list's user in the compressed table, int64, shape (n,).
        indptr: int64, shape (users + 1,).
        own: Item codes, ascending within a user, int32, shape (nnz,).
        values: Value of each own item, float64, shape (nnz,).

    Returns:
        float64 array, shape (n, d); 0 where an item is not among the user's own.
    """
    found = np.zeros(items.shape)
    if items.size and own.size:
        place = np.zeros(int(items.max()) + 1, np.int32)
        _match(np.ascontiguousarray(items), rows, indptr, own, values, place, found)
    return found


@kernel("void(int32[:,::1], int64[::1], int64[::1], int32[::1], float64[::1], int32[::1], float64[:,::1])")
def _match(items: Any, rows: Any, indptr: Any, own: Any, values: Any, place: Any, found: Any) -> None:
    # place says where an item stands among the user's own. What it says of other items is left from users before, and
    # looking there shows that it is not so.
    for i in range(items.shape[0]):
        begin, end = indptr[rows[i]], indptr[rows[i] + 1]
        for at in range(begin, end):
            if own[at] < len(place):
                place[own[at]] = at - begin
        for j in range(items.shape[1]):
            item = items[i, j]
            if item >= 0:
                at = begin + place[item]
                if at < end and own[at] == item:
                    found[i, j] = values[at]


def count_shared(indptr: np.ndarray, items: np.ndarray, other_indptr: np.ndarray, others: np.ndarray) -> int:
    """How many cells two tables that are compressed by the same rows have in common.

    Args:
        indptr: Of the first table, int64, shape (users + 1,).
        items: Its items, ascending within a user, int32.
        other_indptr: Of the second table, int64, shape (users + 1,).
        others: Its items, ascending within a user, int32.
    """
    return int(_count_shared(indptr, items, other_indptr, others))


@kernel("int64(int64[::1], int32[::1], int64[::1], int32[::1])")
def _count_shared(indptr: Any, items: Any, other_indptr: Any, others: Any) -> Any:
    shared = 0
    for user in range(len(indptr) - 1):
        at, end = other_indptr[user], other_indptr[user + 1]
        for i in range(indptr[user], indptr[user + 1]):
            while at < end and others[at] < items[i]:
                at += 1
            if at < end and others[at] == items[i]:
                shared += 1
    return shared


def has_repeats(keys: np.ndarray, length: np.ndarray) -> bool:
    """Whether any list holds an item twice.

    Args:
        keys: A 64-bit key of each item, uint64, one list after the other, shape (Σ length,).
        length: Items of each list, int32, shape (n,).
    """
    return bool(_has_repeats(keys, length))


@kernel("int64(Array(uint64, 1, 'C', readonly=True), int32[::1])")
def _has_repeats(keys: Any, length: Any) -> Any:
    # Lists are short: comparing all pairs is faster than sorting or hashing up to about 100 places.
    begin = 0
    for i in range(len(length)):
        for j in range(begin + 1, begin + length[i]):
            for earlier in range(begin, j):
                if keys[j] == keys[earlier]:
                    return 1
        begin += length[i]
    return 0
