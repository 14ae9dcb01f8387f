"""The solver that SLIM had before: the same problem on a dense co-occurrence, every slack from scratch each round."""

from __future__ import annotations

import numpy as np

from reclens.kernels import kernel


@kernel("int64(float32[:,::1], float64[::1], float64[::1], float64, float64, int64)")
def settle(block, rest, weights, l2, bound, sweeps):
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
def elastic_net(target, gram, l1, l2, tolerance, sweeps, out):
    n = len(gram)
    slack = np.empty(n, np.float64)
    inside = np.zeros(n, np.bool_)
    active = np.empty(n, np.int64)
    weights = np.zeros(n, np.float64)
    size = used = 0
    bound = tolerance * gram[target, target]
    out[:] = 0
    while True:
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
        took = settle(block, rest, weights, l2, bound, sweeps - used)
        if took < 0:
            used = -1
            break
        used += took
    for p in range(size):
        out[active[p]] = weights[p]
    return used
