"""The compiled loops of the audit: sums over the groups of items, user by user."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from reclens.kernels import kernel

__all__ = ["add_lists", "add_rows", "prefix_divergence"]


@kernel("void(int32[:,::1], float64[:,::1], int64[::1], int32[::1], float64[::1], float64[:,::1])")
def add_lists(items: Any, weights: Any, indptr: Any, groups: Any, shares: Any, out: Any) -> None:
    """out[user, group] += weight of the rank × share of its item in the group; negative codes add nothing."""
    for user in range(items.shape[0]):
        for rank in range(items.shape[1]):
            item, weight = items[user, rank], weights[user, rank]
            if item >= 0 and weight != 0.0:
                for at in range(indptr[item], indptr[item + 1]):
                    out[user, groups[at]] += weight * shares[at]


@kernel("void(int64[::1], int64[::1], int32[::1], float64[::1], int64[::1], int32[::1], float64[::1], float64[:,::1])")
def add_rows(
    users: Any, begins: Any, items: Any, weights: Any, indptr: Any, groups: Any, shares: Any, out: Any
) -> None:
    """out[i, group] += weight × share of each of the items of users[i], in compressed row format."""
    for i in range(len(users)):
        for row in range(begins[users[i]], begins[users[i] + 1]):
            item, weight = items[row], weights[row]
            for at in range(indptr[item], indptr[item + 1]):
                out[i, groups[at]] += weight * shares[at]


@kernel("void(int32[:,::1], int64[::1], int32[::1], float64[::1], float64[::1], float64[::1])")
def prefix_divergence(items: Any, indptr: Any, groups: Any, shares: Any, target: Any, out: Any) -> None:
    """out[user] = mean over the places with an item, discounted by rank, of the divergence of the groups up to there.

    Σ p ln(p / q) with q the target is (Σ n ln(n / q)) / N - ln N for the n of each group and N = Σ n; places before the
    first item of the catalogue do not count, and lists without one are NaN.
    """
    running = np.zeros(len(target))
    for user in range(items.shape[0]):
        running[:] = 0.0
        whole, total, norm = 0.0, 0.0, 0.0
        for rank in range(items.shape[1]):
            item = items[user, rank]
            if item < 0:
                continue
            for at in range(indptr[item], indptr[item + 1]):
                running[groups[at]] += shares[at]
                whole += shares[at]
            if whole > 0.0:
                apart = 0.0
                for group in range(len(target)):
                    if running[group] > 0.0 and target[group] > 0.0:
                        apart += running[group] * math.log(running[group] / target[group])
                discount = 1.0 / math.log2(rank + 2.0)
                total += discount * (apart / whole - math.log(whole))
                norm += discount
        out[user] = total / norm if norm > 0.0 else math.nan
