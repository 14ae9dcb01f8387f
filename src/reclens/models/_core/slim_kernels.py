"""Compiled loops of SLIM: the sparse Gram matrix, and the non-negative elastic net of one item."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from reclens.kernels import kernel
from reclens.models._core.co_counts import PAIRS, common_of_row

__all__ = ["block_net", "near_net", "sparse_gram"]

_JOIN: Final = 0.25
"""Items with a slack of at least this share of the largest one join the active set together …"""
_LOOSER: Final = 0.1
"""… and until all have joined, weights are only optimised to this share of the largest slack."""
_IDLE: Final = 0.25
"""A weight is not updated if it would change by less than this share of the bound, as most do after a few sweeps."""
_SQUARE: Final = 4096
"""Number of candidates up to which their Gram matrix may be dense: 64 MB per thread."""
_CROWDED: Final = 0.15
_ROWS: Final = "Tuple((int64[::1], int32[::1], float32[::1]))"
"""The Gram matrix by rows: indptr, columns in ascending order, values."""
_ASKED: Final = 32
"""Number of candidates whose rows are sampled to estimate the density."""


@kernel(f"int64(int64, int64, {PAIRS}, int32[::1], float32[::1], int64[::1])")
def sparse_gram(first: Any, stop: Any, pairs: Any, near: Any, common: Any, lengths: Any) -> Any:
    """Compute rows ``first`` to ``stop`` of the sparse Gram matrix of a matrix of ones.

    ``pairs`` are the lists of ``Pairs``. The ascending places of each row are written to ``near``, their counts to
    ``common``, and their number to ``lengths``.

    Returns:
        The number of cells written.
    """
    n = len(pairs[0])
    line, row = np.empty(n, np.uint16), np.empty(n, np.float32)
    at = 0
    for place in range(first, stop):
        common_of_row(place, pairs, line, row)
        began = at
        for j in range(n):
            # Always written, and kept if it is not 0: a branch would be mispredicted half of the time.
            near[at], common[at] = j, row[j]
            at += row[j] != 0
        lengths[place - first] = at - began
    return at


@kernel("int64(float32[:,::1], float64[::1], float64[::1], float64, float64, int64)")
def _settle(block: Any, rest: Any, weights: Any, l2: Any, bound: Any, sweeps: Any) -> Any:
    """Sweep over the weights of the active set until none changes the slack ``rest`` by more than ``bound``.

    Returns:
        Sweeps used, or -1 if ``sweeps`` were not enough.
    """
    for used in range(1, sweeps + 1):
        change = 0.0
        for p in range(len(block)):
            scale = block[p, p] + l2
            step = max(weights[p] + (rest[p] - l2 * weights[p]) / scale, 0.0) - weights[p]
            moved = abs(step) * scale
            if moved > _IDLE * bound:
                weights[p] += step
                change = max(change, moved)
                line = block[p]
                for q in range(len(line)):
                    rest[q] -= step * line[q]
        if change <= bound:
            return used
    return -1


@kernel(
    "int64(int32[::1], float32[::1], int64[::1], float64[::1], int64[::1], float64[::1], float64[::1], float64, "
    "float64, int64)"
)
def _settle_lists(
    cells: Any,
    values: Any,
    ends: Any,
    scales: Any,
    active: Any,
    slack: Any,
    weights: Any,
    l2: Any,
    bound: Any,
    sweeps: Any,
) -> Any:
    """As :func:`_settle`, with sparse rows of the active set, and the slack of every candidate."""
    for used in range(1, sweeps + 1):
        change = 0.0
        for p in range(len(ends) - 1):
            step = max(weights[p] + (slack[active[p]] - l2 * weights[p]) / scales[p], 0.0) - weights[p]
            moved = abs(step) * scales[p]
            if moved > _IDLE * bound:
                weights[p] += step
                change = max(change, moved)
                for e in range(ends[p], ends[p + 1]):
                    # Unsigned indices need no check for negative ones.
                    slack[np.uint32(cells[e])] -= step * values[e]
        if change <= bound:
            return used
    return -1


@kernel("int64(float64[::1], boolean[::1], int64[::1], int64, float64)")
def _join(slack: Any, inside: Any, active: Any, size: Any, bound: Any) -> Any:
    """Add items with a slack above ``bound`` and near the largest one to the active set; returns its new size."""
    most = 0.0
    for i in range(len(slack)):
        if not inside[i] and slack[i] > most:
            most = slack[i]
    for i in range(len(slack)):
        if not inside[i] and slack[i] > bound and slack[i] >= _JOIN * most:
            active[size], inside[i] = i, True
            size += 1
    return size


@kernel("int32[::1](int32[::1], int64)", "float32[::1](float32[::1], int64)")
def _longer(values: Any, size: Any) -> Any:
    """Copy values into an array of at least ``size`` and at least double the length."""
    found = np.empty(max(size, 2 * len(values)), values.dtype)
    found[: len(values)] = values
    return found


@kernel("int64(int64, int64[::1], int32[::1], float32[::1], float64, int32[::1], int32[::1], float64[::1])")
def _candidates(target: Any, indptr: Any, near: Any, common: Any, l1: Any, column: Any, items: Any, base: Any) -> Any:
    """Items that share more than ``l1`` users with the target, their slack at w = 0, and their number."""
    m = 0
    for p in range(indptr[target], indptr[target + 1]):
        if common[p] > l1 and near[p] != target:
            items[m], base[m], column[near[p]] = near[p], common[p] - l1, m
            m += 1
    return m


@kernel("int64(int64, int32[::1], int64[::1], float64[::1], int32[::1], float32[::1])")
def _give(size: Any, items: Any, active: Any, weights: Any, codes: Any, out: Any) -> Any:
    """Write the items with positive weights, and the weights; returns their number."""
    kept = 0
    for p in range(size):
        if weights[p] > 0:
            codes[kept], out[kept] = items[active[p]], weights[p]
            kept += 1
    return kept


@kernel("float64(int64, int32[::1], int64[::1], int32[::1], int32[::1])")
def _crowding(m: Any, items: Any, indptr: Any, near: Any, column: Any) -> Any:
    """Estimate the share of candidate pairs with a common user from some of their rows.

    Only the part of a row before its diagonal is read; it is short where rows are long, because places are ordered by
    popularity.
    """
    hits = pairs = 0
    for i in range(m // (2 * _ASKED), m, max(m // _ASKED, 1)):
        e = indptr[items[i]]
        while near[e] < items[i]:
            hits += column[np.uint32(near[e])] >= 0
            e += 1
        pairs += i
    return hits / max(pairs, 1)


@kernel("void(int64, int32[::1], int64[::1], int32[::1], float32[::1], int32[::1], float32[:,::1])")
def _lay_out(m: Any, items: Any, indptr: Any, near: Any, common: Any, column: Any, square: Any) -> None:
    """Write the dense Gram matrix of the candidates; ``square`` is zero and has a spare row and column."""
    for i in range(m):
        e = indptr[items[i]]
        while near[e] < items[i]:
            j = column[np.uint32(near[e])]  # -1, the spare column, if it is not a candidate
            square[i, j] = common[e]
            e += 1
        square[i, i] = common[e]
    for i in range(m):
        for j in range(i):
            square[j, i] = square[i, j]


@kernel("int64(float32[:,::1], float64[::1], float64, float64, int64, int64[::1], float64[::1], int64[::1])")
def _by_rows(gram: Any, base: Any, bound: Any, l2: Any, sweeps: Any, active: Any, weights: Any, found: Any) -> Any:
    """Compute the weights from a dense Gram matrix; see :func:`near_net`.

    Args:
        gram: G among the candidates.
        base: Their slack at w = 0, shape (candidates,).
        bound: Tolerance of the slack.
        l2: Penalty on the squares of the weights.
        sweeps: Most sweeps.
        active: Output: the candidates of the active set …
        weights: … and their weights …
        found: … and their number.

    Returns:
        Sweeps used, or -1 if ``sweeps`` were not enough.
    """
    m = len(base)
    slack, inside, rest = base.copy(), np.zeros(m, np.bool_), np.empty(m, np.float64)
    size = used = 0
    last = bound
    while True:
        before = size
        size = _join(slack, inside, active, size, bound)
        if size == before and last <= bound:
            break
        most, block = 0.0, np.empty((size, size), np.float32)
        for p in range(size):
            rest[p] = slack[active[p]]
            most = max(most, rest[p]) if p >= before else most
            line = gram[active[p]]
            for q in range(size):
                block[p, q] = line[np.uint32(active[q])]
        last = max(bound, _LOOSER * most)
        took = _settle(block, rest, weights, l2, last, sweeps - used)
        if took < 0:
            used = -1
            break
        used += took
        # From scratch each round, so that rounding does not add up.
        slack[:] = base
        for p in range(size):
            # Hoisted out of the loop, where they would prevent vectorisation and double the time.
            weight, line = weights[p], gram[active[p]]
            if weight > 0:
                for i in range(m):
                    slack[i] -= weight * line[i]
    found[0] = size
    return used


@kernel("int64(int64, float64, float32[:,::1], float64, float64, float64, int64, int32[::1], float32[::1], int64[::1])")
def block_net(
    target: Any, users: Any, gram: Any, l1: Any, l2: Any, tolerance: Any, sweeps: Any, codes: Any, out: Any, found: Any
) -> Any:
    """As :func:`near_net` with a dense ``gram``: every item is a candidate."""
    n = len(gram)
    items, base = np.arange(n).astype(np.int32), np.empty(n, np.float64)
    for i in range(n):
        base[i] = gram[target, i] - l1
    base[target] = -np.inf
    active, weights = np.empty(n, np.int64), np.zeros(n, np.float64)
    used = _by_rows(gram, base, tolerance * users, l2, sweeps, active, weights, found)
    found[0] = _give(found[0], items, active, weights, codes, out)
    return used


@kernel(
    f"int64(int64, int32[::1], float64[::1], {_ROWS}, float64, float64, int64, int32[::1], int64[::1], float64[::1], "
    "int64[::1])"
)
def _by_lists(
    m: Any,
    items: Any,
    base: Any,
    rows: Any,
    bound: Any,
    l2: Any,
    sweeps: Any,
    column: Any,
    active: Any,
    weights: Any,
    found: Any,
) -> Any:
    """As :func:`_by_rows` with sparse rows of G, which are copied when their items join the active set."""
    indptr, near, common = rows
    slack, inside = base.copy(), np.zeros(m, np.bool_)
    scales, ends = np.empty(m, np.float64), np.zeros(m + 1, np.int64)
    cells, values = np.empty(16 * m + 1, np.int32), np.empty(16 * m + 1, np.float32)
    size = used = 0
    last = bound
    while True:
        before = size
        size = _join(slack, inside, active, size, bound)
        if size == before and last <= bound:
            break
        most = 0.0
        for p in range(before, size):
            if len(cells) <= ends[p] + m:
                cells, values = _longer(cells, ends[p] + m + 1), _longer(values, ends[p] + m + 1)
            most, item, at = max(most, slack[active[p]]), items[active[p]], ends[p]
            for e in range(indptr[item], indptr[item + 1]):
                # Always written, and kept if it is a candidate: a branch would be mispredicted too often.
                q = column[np.uint32(near[e])]
                cells[at], values[at] = q, common[e]
                at += q >= 0
                if near[e] == item:
                    scales[p] = common[e] + l2
            ends[p + 1] = at
        last = max(bound, _LOOSER * most)
        took = _settle_lists(cells, values, ends[: size + 1], scales, active, slack, weights, l2, last, sweeps - used)
        if took < 0:
            used = -1
            break
        used += took
        # From scratch each round, so that rounding does not add up.
        slack[:] = base
        for p in range(size):
            for e in range(ends[p], ends[p + 1]):
                slack[np.uint32(cells[e])] -= weights[p] * values[e]
    found[0] = size
    return used


@kernel(
    f"int64(int64, float64, float64, {_ROWS}, Tuple((float64, float64, float64, int64)), int32[::1], int32[::1], "
    "float32[::1], int64[::1])"
)
def near_net(
    target: Any,
    users: Any,
    crowded: Any,
    rows: Any,
    penalties: Any,
    column: Any,
    codes: Any,
    out: Any,
    found: Any,
) -> Any:
    """The weights w ≥ 0, 0 at ``target``, that minimise ½ wᵀGw - wᵀG[target] + ½ l2 |w|² + l1 Σw.

    The slack of an item, G[target] - l1 - Gw, is at most l2 × w at the solution, with equality where w > 0. G and w are
    not negative, so that no slack exceeds G[target] - l1: items that share at most l1 users with the target have a
    weight of 0, and only the others, the candidates, are optimised. In rounds, those with the largest slack outside the
    active set join it, and sweeps update its weights by coordinate descent. The Gram matrix of the candidates is dense
    if they are few and many of them have users in common, and sparse otherwise.

    Args:
        target: The item that is predicted.
        users: How many have it.
        crowded: Share of candidate pairs with a common user from which on the dense form is faster.
        rows: G by rows, places by popularity: indptr, columns in ascending order, values.
        penalties: ``l1`` on the sum of the weights, ``l2`` on their squares; ``tolerance`` of the slack as a share of
            the users of the target; ``sweeps``, their largest number.
        column: Work array: column of each item among the candidates; -1 before and after the call; shape (items,).
        codes: Output: the items with positive weights …
        out: … and their weights …
        found: … and their number.

    Returns:
        Sweeps used, or -1 if ``sweeps`` were not enough.
    """
    (indptr, near, common), (l1, l2, tolerance, sweeps) = rows, penalties
    most = indptr[target + 1] - indptr[target]
    items, base = np.empty(most, np.int32), np.empty(most, np.float64)
    m = _candidates(target, indptr, near, common, l1, column, items, base)
    base, bound = base[:m], tolerance * users
    active, weights = np.empty(m, np.int64), np.zeros(m, np.float64)
    if m <= _SQUARE and _crowding(m, items, indptr, near, column) >= crowded:
        square = np.zeros((m + 1, m + 1), np.float32)
        _lay_out(m, items, indptr, near, common, column, square)
        used = _by_rows(square, base, bound, l2, sweeps, active, weights, found)
    else:
        used = _by_lists(m, items, base, rows, bound, l2, sweeps, column, active, weights, found)
    found[0] = _give(found[0], items, active, weights, codes, out)
    for i in range(m):
        column[items[i]] = -1
    return used
