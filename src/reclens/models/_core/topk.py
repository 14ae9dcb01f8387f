"""Selection of the k largest scores of a row, which all recommenders use.

A heap costs one or two mispredicted branches for each of the k·log(n/k) values that enter it. Here a lower bound comes
first: the row is split into a few times k strided parts, and the k-th largest of their maxima is reached by at least k
values. The values that reach it, little more than k, are copied and sorted. The maxima and the final sort are loops
without branches, which vectorise.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from reclens.kernels import kernel

__all__ = ["top_of_row"]

_SEGMENT: Final = 64
"""Number of values that are skipped at once if none reaches the bound."""
_BLOCK: Final = 256
"""Number of keys up to which they are sorted by rank counting, which is quadratic but vectorised."""

_LOWEST: Final = -2_139_095_041
"""Minus infinity as an ordered integer."""


@kernel("void(int64[::1], int64, int64, int64)")
def _select(keys: Any, first: Any, stop: Any, k: Any) -> None:
    """Move the k largest of ``keys[first:stop]`` to its front (Hoare's FIND); the last of these is the smallest."""
    low, high, wanted = first, stop - 1, first + k - 1
    while low < high:
        pivot = keys[(low + high) >> 1]
        i, j = low, high
        while i <= j:
            while keys[i] > pivot:
                i += 1
            while keys[j] < pivot:
                j -= 1
            if i <= j:
                keys[i], keys[j] = keys[j], keys[i]
                i += 1
                j -= 1
        if wanted <= j:
            high = j
        elif wanted >= i:
            low = i
        else:
            return


@kernel("float32(float32[::1], int64)")
def _bound(row: Any, k: Any) -> Any:
    """A bound that at least k values of the row reach, or minus infinity if the row is too short."""
    parts = 64
    while parts < 2 * k:
        parts *= 2
    if len(row) < 4 * parts:
        return np.float32(-np.inf)
    maxima = np.full(parts, -np.inf, np.float32)
    for start in range(0, len(row), parts):
        segment = row[start : start + parts]
        for part in range(len(segment)):
            value = segment[part]
            maxima[part] = value if value > maxima[part] else maxima[part]
    ordered = maxima.view(np.int32)
    for part in range(parts):
        ordered[part] ^= (ordered[part] >> 31) & 0x7FFFFFFF
    # The k-th largest, bit by bit from the top; the last bits would not improve the bound much.
    bound = np.int64(-(2**31))
    for bit in range(31, 7, -1):
        higher = bound + (np.int64(1) << bit)
        limit, reach = np.int32(higher), np.int32(0)
        for part in range(parts):
            reach += np.int32(ordered[part] >= limit)
        if reach >= k:
            bound = higher
    if bound < _LOWEST:  # truncated below minus infinity, it would be NaN, which no value reaches
        return np.float32(-np.inf)
    ordered[0] = bound ^ ((bound >> 31) & 0x7FFFFFFF)
    return maxima[0]


@kernel("int64(float32[::1], int32[::1], float32, float32[::1], int32[::1], int64[::1])")
def top_of_row(row: Any, names: Any, min_score: Any, scores: Any, codes: Any, keys: Any) -> Any:
    """Write the best of a row to ``scores`` and ``codes``, best first, ties by code; returns their number.

    ``names`` are the distinct codes of the columns, in any order. Only values above ``min_score`` count, and NaN never
    does. ``keys`` is a work array of the length of the row. A key holds the score in the upper half, with its bits
    mapped so that integers have the same order, and the code in the lower half, so that one comparison breaks ties too.
    """
    k = len(scores)
    bound = _bound(row, k)
    bits = row.view(np.int32)
    size = 0
    # The test which segments reach the bound is a separate loop, because it would not vectorise together with the copy.
    # The remainder at the end is always copied.
    whole = len(row) // _SEGMENT
    counts = np.ones(whole + 1, np.int32)
    for part in range(whole):
        count = np.int32(0)
        for at in range(_SEGMENT):
            count += np.int32(row[part * _SEGMENT + at] >= bound)
        counts[part] = count
    for part in range(whole + 1):
        if counts[part] > 0:
            first = part * _SEGMENT
            segment = row[first : first + _SEGMENT]
            for at in range(len(segment)):
                if segment[at] >= bound and segment[at] > min_score:
                    ordered = np.int64(bits[first + at] ^ ((bits[first + at] >> 31) & 0x7FFFFFFF))
                    if segment[at] == 0:
                        ordered = np.int64(0)  # minus zero equals zero
                    keys[size] = (ordered << 32) | (0x7FFFFFFF - names[first + at])
                    size += 1
    found = min(size, k)
    if size > _BLOCK:
        _select(keys, 0, size, found)
        size = found
        step = _BLOCK
        while step < size:
            step *= 2
        while step > _BLOCK:
            step //= 2
            for start in range(0, size - step, 2 * step):
                _select(keys, start, min(start + 2 * step, size), step)
    out = scores.view(np.int32)
    for start in range(0, size, _BLOCK):
        block = keys[start : min(start + _BLOCK, size)]
        for at in range(len(block)):
            key = block[at]
            place = start
            for other in range(len(block)):
                place += block[other] > key
            if place < found:
                ordered = np.int32(key >> 32)
                out[place] = ordered ^ ((ordered >> 31) & 0x7FFFFFFF)
                codes[place] = 0x7FFFFFFF - np.int32(key & 0x7FFFFFFF)
    return found
