"""The compiled loops of SLIM: the sparse Gram matrix, and one item's non-negative elastic net over a row of it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from reclens.kernels import kernel
from reclens.models._core.co_counts import common_of_row

__all__ = ["block_net", "crowding", "list_net", "sparse_gram"]

_JOIN: Final = 0.5
"""Items whose slack is at least this share of the largest one join the active set together …"""
_LOOSER: Final = 0.1
"""… and before all have joined, its weights settle to this share of the largest slack."""
_ASKED: Final = 16
"""Candidates whose rows are looked at to see how crowded the others are."""


@kernel(
    "int64(int64, int64, int32[::1], int64[::1], int32[::1], int64[::1], int32[::1], int64[::1], int32[::1], "
    "int32[:,::1], int64, int32[::1], float32[::1], int64[::1])"
)
def sparse_gram(
    first: Any,
    stop: Any,
    order: Any,
    indptr: Any,
    indices: Any,
    ends: Any,
    places: Any,
    tail_ends: Any,
    tail: Any,
    counts: Any,
    head: Any,
    near: Any,
    common: Any,
    lengths: Any,
) -> Any:
    """The rows at places ``first`` to ``stop`` of the Gram matrix of a matrix of ones, without its zeros.

    Args from ``order`` to ``head``: see ``Pairs``. The places of a row go to ``near``, ascending, their counts to
    ``common``, row after row, and how many there are to ``lengths``.

    Returns:
        Cells written.
    """
    n = len(order)
    line, row = np.empty(n, np.uint16), np.empty(n, np.float32)
    at = 0
    for place in range(first, stop):
        common_of_row(place, order, indptr, indices, ends, places, tail_ends, tail, counts, head, line, row)
        began = at
        for j in range(n):
            # Written in any case, and kept where it is not 0: a branch would be guessed wrong every other time.
            near[at], common[at] = j, row[j]
            at += row[j] != 0
        lengths[place - first] = at - began
    return at


@kernel("int64(float32[:,::1], float64[::1], float64[::1], float64, float64, int64)")
def _settle(block: Any, rest: Any, weights: Any, l2: Any, bound: Any, sweeps: Any) -> Any:
    """Sweep over the weights of the active set until none moves the slack ``rest`` by more than ``bound``.

    Returns:
        Sweeps used, or -1 if ``sweeps`` were not enough.
    """
    for used in range(1, sweeps + 1):
        change = 0.0
        for p in range(len(block)):
            scale = block[p, p] + l2
            step = max(weights[p] + (rest[p] - l2 * weights[p]) / scale, 0.0) - weights[p]
            if step != 0:
                weights[p] += step
                change = max(change, abs(step) * scale)
                for q in range(len(block)):
                    rest[q] -= step * block[p, q]
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
    """The same by the lists of the rows of the active set, with the slack of every candidate."""
    for used in range(1, sweeps + 1):
        change = 0.0
        for p in range(len(ends) - 1):
            step = max(weights[p] + (slack[active[p]] - l2 * weights[p]) / scales[p], 0.0) - weights[p]
            if step != 0:
                weights[p] += step
                change = max(change, abs(step) * scales[p])
                for e in range(ends[p], ends[p + 1]):
                    # An unsigned index needs no test for a negative one.
                    slack[np.uint32(cells[e])] -= step * values[e]
        if change <= bound:
            return used
    return -1


@kernel("int64(float64[::1], boolean[::1], int64[::1], int64, float64)")
def _join(slack: Any, inside: Any, active: Any, size: Any, bound: Any) -> Any:
    """Add the items whose slack is above ``bound``, and not far below the largest, to the active set; its new size."""
    most = 0.0
    for i in range(len(slack)):
        if not inside[i] and slack[i] > most:
            most = slack[i]
    for i in range(len(slack)):
        if not inside[i] and slack[i] > bound and slack[i] >= _JOIN * most:
            active[size], inside[i] = i, True
            size += 1
    return size


@kernel("void(int64, int64[::1], int32[::1], float32[::1], int32[::1], float32[::1])")
def _gather(item: Any, indptr: Any, near: Any, common: Any, column: Any, line: Any) -> None:
    """A row of the Gram matrix over the candidates, dense."""
    line[:] = 0
    for e in range(indptr[item], indptr[item + 1]):
        q = column[near[e]]
        if q >= 0:
            line[q] = common[e]


@kernel("float32[:,::1](float32[:,::1], int64)")
def _higher(rows: Any, size: Any) -> Any:
    """The same rows with room for at least ``size`` of them, twice as many as there were."""
    found = np.empty((max(size, 2 * len(rows)), rows.shape[1]), np.float32)
    found[: len(rows)] = rows
    return found


@kernel("int32[::1](int32[::1], int64)", "float32[::1](float32[::1], int64)")
def _longer(values: Any, size: Any) -> Any:
    """The same values with room for at least ``size``, twice as many as there were."""
    found = np.empty(max(size, 2 * len(values)), values.dtype)
    found[: len(values)] = values
    return found


@kernel("int64(int64, int64[::1], int32[::1], float32[::1], float64, int32[::1], int32[::1], float64[::1])")
def _candidates(target: Any, indptr: Any, near: Any, common: Any, l1: Any, column: Any, items: Any, base: Any) -> Any:
    """The items that share more than ``l1`` users with the target, their slack at w = 0, and how many there are."""
    m = 0
    for p in range(indptr[target], indptr[target + 1]):
        if common[p] > l1 and near[p] != target:
            items[m], base[m], column[near[p]] = near[p], common[p] - l1, m
            m += 1
    return m


@kernel("int64(int64, int32[::1], int64[::1], float64[::1], int32[::1], float32[::1])")
def _give(size: Any, items: Any, active: Any, weights: Any, codes: Any, out: Any) -> Any:
    """Write the items of positive weights and these; how many there are."""
    kept = 0
    for p in range(size):
        if weights[p] > 0:
            codes[kept], out[kept] = items[active[p]], weights[p]
            kept += 1
    return kept


@kernel("float64(int64, int64[::1], int32[::1], float32[::1], float64, int32[::1])")
def crowding(target: Any, indptr: Any, near: Any, common: Any, l1: Any, column: Any) -> Any:
    """The share of the pairs of candidates of a target that have a user in common, from some of their rows."""
    most = indptr[target + 1] - indptr[target]
    items, base = np.empty(most, np.int32), np.empty(most, np.float64)
    m = _candidates(target, indptr, near, common, l1, column, items, base)
    rows = hits = 0
    for i in range(0, m, max(m // _ASKED, 1)):
        rows += 1
        for e in range(indptr[items[i]], indptr[items[i] + 1]):
            hits += column[near[e]] >= 0
    for i in range(m):
        column[items[i]] = -1
    return hits / max(rows * m, 1)


_NET = (
    "int64(int64, float64, {}int64[::1], int32[::1], float32[::1], float64, float64, float64, int64, int32[::1], "
    "int32[::1], float32[::1], int64[::1])"
)


@kernel(_NET.format("float32[:,::1], "))
def block_net(
    target: Any,
    users: Any,
    gram: Any,
    indptr: Any,
    near: Any,
    common: Any,
    l1: Any,
    l2: Any,
    tolerance: Any,
    sweeps: Any,
    column: Any,
    codes: Any,
    out: Any,
    found: Any,
) -> Any:
    """The same as :func:`list_net` where many pairs of candidates share a user: rows are dense.

    Where ``gram`` is not empty it is G, dense, and its rows are used as they lie; the sparse one is empty then.
    """
    whole = len(gram) > 0
    most_items = len(gram) if whole else indptr[target + 1] - indptr[target]
    items, base = np.empty(most_items, np.int32), np.empty(most_items, np.float64)
    if whole:
        m = len(gram)
        for i in range(m):
            items[i], base[i] = i, gram[target, i] - l1
        base[target] = -np.inf
    else:
        m = _candidates(target, indptr, near, common, l1, column, items, base)
    slack, inside, active = base[:m].copy(), np.zeros(m, np.bool_), np.empty(m, np.int64)
    weights, rest = np.zeros(m, np.float64), np.empty(m, np.float64)
    rows = np.empty((0, m) if whole else (min(m, 64), m), np.float32)
    size = used = 0
    bound = last = tolerance * users
    while True:
        before = size
        size = _join(slack, inside, active, size, bound)
        if size == before and last <= bound:
            break
        if not whole and len(rows) < size:
            rows = _higher(rows, size)
        most, block = 0.0, np.empty((size, size), np.float32)
        for p in range(size):
            rest[p] = slack[active[p]]
            most = max(most, rest[p]) if p >= before else most
            if p >= before and not whole:
                _gather(items[active[p]], indptr, near, common, column, rows[p])
            line = gram[active[p]] if whole else rows[p]
            for q in range(size):
                block[p, q] = line[active[q]]
        last = max(bound, _LOOSER * most)
        took = _settle(block, rest, weights, l2, last, sweeps - used)
        if took < 0:
            used = -1
            break
        used += took
        # From scratch each round, so that rounding does not add up.
        slack[:] = base[:m]
        for p in range(size):
            weight, line = weights[p], gram[active[p]] if whole else rows[p]
            if weight > 0:
                for i in range(m):
                    slack[i] -= weight * line[i]
    found[0] = _give(size, items, active, weights, codes, out)
    if not whole:
        for i in range(m):
            column[items[i]] = -1
    return used


@kernel(_NET.format(""))
def list_net(
    target: Any,
    users: Any,
    indptr: Any,
    near: Any,
    common: Any,
    l1: Any,
    l2: Any,
    tolerance: Any,
    sweeps: Any,
    column: Any,
    codes: Any,
    out: Any,
    found: Any,
) -> Any:
    """The weights w ≥ 0, 0 at ``target``, that minimise ½ wᵀGw - wᵀG[target] + ½ l2 |w|² + l1 Σw.

    The slack of an item, G[target] - l1 - Gw, is at most l2 × w at the solution, and equal where w > 0. Nothing in G
    or w is negative, so that no slack is ever larger than G[target] - l1: items that share no more than l1 users with
    the target are screened out for good, and the problem is that of the others, the candidates. In rounds, those with
    the largest slack outside the active set join it, and sweeps over it settle its weights from where they were. The
    part of a row of G that lies among the candidates is copied when its item joins, without its zeros.

    Args:
        target: The item that is predicted.
        users: How many have it.
        indptr: Rows of G …
        near: … their columns, ascending …
        common: … and their values.
        l1: Penalty on the sum of the weights.
        l2: Penalty on their squares.
        tolerance: How far the slack may be off, as a share of the users of the target.
        sweeps: Most sweeps.
        column: Column of each item among the candidates: -1 everywhere, and again at the end; shape (items,).
        codes: Where the items of positive weights go …
        out: … and their weights …
        found: … and how many there are.

    Returns:
        Sweeps used, or -1 if ``sweeps`` were not enough.
    """
    most_items = indptr[target + 1] - indptr[target]
    items, base = np.empty(most_items, np.int32), np.empty(most_items, np.float64)
    m = _candidates(target, indptr, near, common, l1, column, items, base)
    slack, inside, active = base[:m].copy(), np.zeros(m, np.bool_), np.empty(m, np.int64)
    weights, scales, ends = np.zeros(m, np.float64), np.empty(m, np.float64), np.zeros(m + 1, np.int64)
    cells, values = np.empty(16 * m, np.int32), np.empty(16 * m, np.float32)
    size = used = 0
    bound = last = tolerance * users
    while True:
        before = size
        size = _join(slack, inside, active, size, bound)
        if size == before and last <= bound:
            break
        most = 0.0
        for p in range(before, size):
            if len(cells) < ends[p] + m:
                cells, values = _longer(cells, ends[p] + m), _longer(values, ends[p] + m)
            most, item, at = max(most, slack[active[p]]), items[active[p]], ends[p]
            for e in range(indptr[item], indptr[item + 1]):
                q = column[near[e]]
                if q >= 0:
                    cells[at], values[at] = q, common[e]
                    at += 1
                    if q == active[p]:
                        scales[p] = common[e] + l2
            ends[p + 1] = at
        last = max(bound, _LOOSER * most)
        took = _settle_lists(cells, values, ends[: size + 1], scales, active, slack, weights, l2, last, sweeps - used)
        if took < 0:
            used = -1
            break
        used += took
        # From scratch each round, so that rounding does not add up.
        slack[:] = base[:m]
        for p in range(size):
            for e in range(ends[p], ends[p + 1]):
                slack[np.uint32(cells[e])] -= weights[p] * values[e]
    found[0] = _give(size, items, active, weights, codes, out)
    for i in range(m):
        column[items[i]] = -1
    return used
