"""Adding up what items bring to the groups that they belong to, user by user: the compiled loops of the audit."""

from __future__ import annotations

from typing import Any

from reclens.kernels import kernel

__all__ = ["add_lists", "add_rows"]


@kernel("void(int32[:,::1], float64[:,::1], int64[::1], int32[::1], float64[::1], float64[:,::1])")
def add_lists(items: Any, weights: Any, indptr: Any, groups: Any, shares: Any, out: Any) -> None:
    """out[user, group] += weight of the rank × share of its item in the group; items below 0 add nothing."""
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
    """out[i, group] += weight × share of each of the items of users[i], which stand compressed by rows."""
    for i in range(len(users)):
        for row in range(begins[users[i]], begins[users[i] + 1]):
            item, weight = items[row], weights[row]
            for at in range(indptr[item], indptr[item + 1]):
                out[i, groups[at]] += weight * shares[at]
