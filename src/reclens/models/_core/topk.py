"""The k best of a row of scores: the loop that every recommender ends with.

A heap costs a badly predicted branch or two for each of the k·log(n/k) values that enter it. Here a floor comes first:
the row is cut into a few times k strided parts, and the k-th largest of their maxima is a bound that at least k values
reach. What reaches it, little more than k, is copied and sorted. Both the maxima and the last sort are plain loops
without branches, which fit vector registers.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from reclens.kernels import kernel

__all__ = ["top_of_row"]

_SEGMENT: Final = 64
"""Values that are passed over at once where none of them reaches the bound."""
_BLOCK: Final = 256
"""Keys that are sorted by counting, for each, those above it: quadratic, but eight comparisons an instruction."""

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
    """A bound that at least k values of the row reach, or minus infinity where the row is too short to find one."""
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
    # The k-th largest, bit by bit from the top; the last bits are not worth the time.
    bound = np.int64(-(2**31))
    for bit in range(31, 7, -1):
        higher = bound + (np.int64(1) << bit)
        limit, reach = np.int32(higher), np.int32(0)
        for part in range(parts):
            reach += np.int32(ordered[part] >= limit)
        if reach >= k:
            bound = higher
    if bound < _LOWEST:  # cut off from the bits of minus infinity, it would be NaN, which no value reaches
        return np.float32(-np.inf)
    ordered[0] = bound ^ ((bound >> 31) & 0x7FFFFFFF)
    return maxima[0]


@kernel("int64(float32[::1], int32[::1], float32, float32[::1], int32[::1], int64[::1])")
def top_of_row(row: Any, names: Any, min_score: Any, scores: Any, codes: Any, keys: Any) -> Any:
    """The best of a row into ``scores`` and ``codes``, best first; equal scores stand by code. Returns how many.

    ``names`` are the codes of the columns, all different, in any order. Only values above ``min_score`` count, and NaN
    never does. ``keys`` is room to work in, as long as the row. A key is the score in the upper half, its bits turned
    so that they are ordered as integers, and the code below it, so that one comparison of integers settles ties too.
    """
    k = len(scores)
    bound = _bound(row, k)
    bits = row.view(np.int32)
    size = 0
    # Which segments hold something is a loop of its own: together with what is done about it, it would not fit vector
    # registers. What is left over at the end counts as holding something.
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
