"""Compiled loop of BPR: stochastic gradient steps over one block of the user-item matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from reclens.kernels import kernel

__all__ = ["descend"]

_TRIES = 20


@kernel("uint64(uint64)")
def _mix(state: Any) -> Any:
    """The finaliser of splitmix64 (Steele, Lea, Flood 2014)."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


@kernel("int64(uint64, uint64, float64[::1])")
def _draw(bits: Any, n: Any, sums: Any) -> Any:
    """Draw one of n indices by 32 random bits: uniformly, or in proportion to weights whose cumulative sums are given.

    An index with weight 2 is drawn by the same bits as an index that is listed twice.
    """
    if len(sums) == 0:
        return np.int64((bits * n) >> np.uint64(32))
    aim = np.float64(bits) * sums[-1] * 2.0**-32
    low, high = 0, len(sums) - 1
    while low < high:
        middle = (low + high) // 2
        if sums[middle] > aim:
            high = middle
        else:
            low = middle + 1
    return np.int64(low)


@kernel("boolean(int32[::1], int64, int64, int32)")
def _has(indices: Any, begin: Any, end: Any, item: Any) -> Any:
    """Whether a sorted slice contains an item."""
    size = end - begin
    while size > 1:  # branch-free: a branch on the data would be mispredicted half of the time
        half = size // 2
        begin += half * (indices[begin + half] <= item)
        size -= half
    return indices[begin] == item


@kernel(
    "void(int32[::1], float64[::1], int32[::1], int64[::1], int32[::1], int32[::1], boolean, float32[:,::1], "
    "float32[:,::1], float32, float32, uint64)",
    fast=True,
)
def descend(
    cell: Any,
    sums: Any,
    rows: Any,
    indptr: Any,
    indices: Any,
    choice: Any,
    popular: Any,
    users: Any,
    items: Any,
    rate: Any,
    l2: Any,
    seed: Any,
) -> None:
    """Take one gradient step per interaction of a block, or per unit of weight, with one negative item each.

    Args:
        cell: Indices of the block's interactions.
        sums: Cumulative sums of their weights: an interaction is drawn in proportion to its weight. Empty if all are
            drawn with equal probability.
        rows: User of each interaction, of all cells.
        indptr: Of the user-item matrix.
        indices: Of the user-item matrix; ascending in a row.
        choice: Items that negatives are drawn from.
        popular: Draw the item of another interaction of the block as the negative instead.
        users: Vectors, shape (users, d + 1); the last entry is fixed at 1.
        items: Vectors, shape (items, d + 1); the last entry is the bias.
        rate: Learning rate.
        l2: Weight of the ridge penalty.
        seed: Of the draws.
    """
    n, d = np.uint64(len(cell)), users.shape[1] - 1
    m = n if popular else np.uint64(len(choice))
    half, golden = np.uint64(32), np.uint64(0x9E3779B97F4A7C15)
    state, one = seed, np.float32(1)
    steps = np.int64(sums[-1] + 0.5) if len(sums) else len(cell)
    for _ in range(steps):
        state += golden
        at = cell[_draw(_mix(state) >> half, n, sums)]
        row, liked = rows[at], indices[at]
        other = liked
        for _ in range(_TRIES):
            state += golden
            if popular:
                other = indices[cell[_draw(_mix(state) >> half, m, sums)]]
            else:
                other = choice[np.int64(((_mix(state) >> half) * m) >> half)]
            if not _has(indices, indptr[row], indptr[row + 1], other):
                break
            other = liked
        if other == liked:
            continue
        user, up, down = users[row], items[liked], items[other]
        margin = up[d] - down[d]
        for f in range(d):
            margin += user[f] * (up[f] - down[f])
        step, kept = rate / (one + np.exp(margin)), one - rate * l2
        for f in range(d):
            a, b, c = user[f], up[f], down[f]
            user[f] = kept * a + step * (b - c)
            up[f] = kept * b + step * a
            down[f] = kept * c - step * a
        up[d] = kept * up[d] + step
        down[d] = kept * down[d] - step
