"""The compiled loop of SLIM: one item's non-negative elastic net, by coordinate descent on the Gram matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from reclens.kernels import kernel

__all__ = ["elastic_net"]


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


@kernel("int64(int64, float32[:,::1], float64, float64, float64, int64, float32[::1])")
def elastic_net(target: Any, gram: Any, l1: Any, l2: Any, tolerance: Any, sweeps: Any, out: Any) -> Any:
    """The weights w ≥ 0, 0 at ``target``, that minimise ½ wᵀGw - wᵀG[target] + ½ l2 |w|² + l1 Σw, into ``out``.

    The slack of an item, G[target] - l1 - Gw, is at most l2 × w at the solution, and equal where w > 0. In rounds, the
    items outside the active set with the largest slack join it, and sweeps over it settle its weights; its part of the
    Gram matrix is copied together, to stay in the cache. No slack is ever larger than G[target] - l1, so that items
    that share no more than l1 users with the target are never looked at.

    Returns:
        Sweeps used, or -1 if ``sweeps`` were not enough.
    """
    n = len(gram)
    slack = np.empty(n, np.float64)
    inside = np.zeros(n, np.bool_)
    active = np.empty(n, np.int64)
    weights = np.zeros(n, np.float64)
    size = used = 0
    bound = tolerance * gram[target, target]
    out[:] = 0
    while True:
        # From scratch each round, so that rounding does not add up.
        for i in range(n):
            slack[i] = gram[target, i] - l1
        for p in range(size):
            weight, line = weights[p], gram[active[p]]
            if weight > 0:
                for i in range(n):
                    slack[i] -= weight * line[i]
        most = 0.0
        for i in range(n):
            if i != target and not inside[i] and slack[i] > most:
                most = slack[i]
        if most <= bound:
            break
        for i in range(n):
            if i != target and not inside[i] and slack[i] > bound and slack[i] >= 0.5 * most:
                active[size] = i
                inside[i] = True
                size += 1
        block = np.empty((size, size), np.float32)
        rest = np.empty(size, np.float64)
        for p in range(size):
            rest[p] = slack[active[p]]
            for q in range(size):
                block[p, q] = gram[active[p], active[q]]
        took = _settle(block, rest, weights, l2, bound, sweeps - used)
        if took < 0:
            used = -1
            break
        used += took
    for p in range(size):
        out[active[p]] = weights[p]
    return used
