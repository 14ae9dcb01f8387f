"""Finding list items among a user's own items: the one loop of the metrics that is compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from reclens.kernels import kernel

__all__ = ["has_repeats", "match"]


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
        _match(np.ascontiguousarray(items), rows, indptr, own, values, found)
    return found


@kernel("void(int32[:,::1], int64[::1], int64[::1], int32[::1], float64[::1], float64[:,::1])")
def _match(items: Any, rows: Any, indptr: Any, own: Any, values: Any, found: Any) -> None:
    for i in range(items.shape[0]):
        begin, end = indptr[rows[i]], indptr[rows[i] + 1]
        if begin == end:
            continue
        for j in range(items.shape[1]):
            item = items[i, j]
            if item < 0:
                continue
            low, high = begin, end
            while low < high:
                middle = (low + high) >> 1
                if own[middle] < item:
                    low = middle + 1
                else:
                    high = middle
            if low < end and own[low] == item:
                found[i, j] = values[low]


def has_repeats(items: np.ndarray, length: np.ndarray) -> bool:
    """Whether any list holds an item twice.

    Args:
        items: One 64-bit number an item, shape (n, d).
        length: Items of each list, int32, shape (n,).
    """
    return bool(_has_repeats(np.ascontiguousarray(items), length)) if items.size else False


@kernel("int64(uint64[:,::1], int32[::1])")
def _has_repeats(items: Any, length: Any) -> Any:
    # Lists are short: comparing all pairs is faster than sorting or hashing up to about 100 places.
    for i in range(items.shape[0]):
        for j in range(1, length[i]):
            for earlier in range(j):
                if items[i, j] == items[i, earlier]:
                    return 1
    return 0
