"""The compiled loops of the re-rankers that look after groups of items."""

from __future__ import annotations

from typing import Any

import numpy as np

from reclens.kernels import kernel

__all__ = ["amortised_places", "best_by_group", "constrained_places", "priced_places"]


@kernel("void(boolean[:,::1], int32[:,::1], int64[:,::1], int64[:,::1])")
def best_by_group(listed: Any, groups: Any, heads: Any, after: Any) -> None:
    """The queue of each group in each list.

    Args:
        listed: Which places hold an item, shape (n, depth).
        groups: Group of each place, shape (n, depth).
        heads: Where the first place of each group goes, shape (n, groups); ``depth`` where there is none.
        after: Where the place behind each one in its queue goes, shape (n, depth); ``depth`` at the end.
    """
    n, depth = listed.shape
    for row in range(n):
        heads[row] = depth
        for back in range(depth):
            place = depth - 1 - back
            if listed[row, place]:
                after[row, place] = heads[row, groups[row, place]]
                heads[row, groups[row, place]] = place


@kernel(
    "void(int64[:,::1], int64[:,::1], float64[:,::1], float64[::1], float64[::1], float64[::1], int64, int64[:,::1])"
)
def priced_places(
    heads: Any,
    after: Any,
    relevance: Any,
    prices: Any,
    weights: Any,
    exposure: Any,
    width: Any,
    order: Any,
) -> None:
    """The places with the highest relevance + price of the group, and what exposure they give to the groups.

    Args:
        heads: The first place of each group, shape (n, groups); see :func:`best_by_group`.
        after: The next place of the same group, shape (n, depth).
        relevance: Of each place, shape (n, depth).
        prices: Of each group, shape (groups,).
        weights: Position weights, shape (width,).
        exposure: The exposure of each group is added here, shape (groups,).
        width: Places to choose.
        order: Where the places go, -1 where a list has run out; shape (n, depth).
    """
    n, depth = after.shape
    n_groups = heads.shape[1]
    own, first = np.empty(n_groups, np.int64), np.empty(n_groups, np.int64)
    worth = np.empty(n_groups)
    for row in range(n):
        m = 0
        for group in range(n_groups):
            if heads[row, group] < depth:
                own[m], first[m] = group, heads[row, group]
                worth[m] = relevance[row, first[m]] + prices[group]
                m += 1
        for place in range(width):
            best = -1
            for i in range(m):
                if first[i] < depth and (
                    best < 0 or worth[i] > worth[best] or (worth[i] == worth[best] and first[i] < first[best])
                ):
                    best = i
            if best < 0:
                order[row, place] = -1
                continue
            order[row, place] = first[best]
            exposure[own[best]] += weights[place]
            first[best] = after[row, first[best]]
            if first[best] < depth:
                worth[best] = relevance[row, first[best]] + prices[own[best]]


@kernel("void(int64[:,::1], int64[:,::1], float64[:,::1], int64, int64, int64[:,::1])")
def constrained_places(heads: Any, after: Any, shares: Any, method: Any, width: Any, order: Any) -> None:
    """DetGreedy (0), DetCons (1) and DetRelaxed (2) of Geyik, Ambler, Kenthapadi (2019), algorithms 1 and 2.

    Args:
        heads: The first place of each group, shape (n, groups); see :func:`best_by_group`.
        after: The next place of the same group, shape (n, depth).
        shares: Share that each group should have of each list, shape (n, groups).
        method: Which one.
        width: Places to choose.
        order: Where the places go, -1 where a list has run out; shape (n, depth).
    """
    n, depth = after.shape
    n_groups = heads.shape[1]
    first, count = np.empty(n_groups, np.int64), np.empty(n_groups, np.int64)
    for row in range(n):
        first[:] = heads[row]
        count[:] = 0
        for place in range(width):
            due = best = spare = -1
            least = np.inf
            for group in range(n_groups):
                if first[group] == depth:
                    continue
                if spare < 0 or first[group] < first[spare]:
                    spare = group
                # A share such as 0.3 × 10 must not fall short of 3, or pass it, by a rounding error.
                wanted = shares[row, group] * (place + 1)
                low, high = np.floor(wanted + 1e-9), np.ceil(wanted - 1e-9)
                if count[group] < low:
                    if due < 0 or first[group] < first[due]:
                        due = group
                elif count[group] < high:
                    soon = 0.0
                    if method == 1:
                        soon = high / shares[row, group]
                    elif method == 2:
                        soon = np.ceil(high / shares[row, group] - 1e-9)
                    if best < 0 or soon < least - 1e-9 or (soon <= least + 1e-9 and first[group] < first[best]):
                        best, least = group, soon
            chosen = due if due >= 0 else (best if best >= 0 else spare)
            if chosen < 0:
                order[row, place] = -1
                continue
            order[row, place] = first[chosen]
            first[chosen] = after[row, first[chosen]]
            count[chosen] += 1


@kernel("void(boolean[:,::1], int32[:,::1], float64[:,::1], float64[::1], float64[::1], float64, int64, int64[:,::1])")
def amortised_places(
    listed: Any, accounts: Any, relevance: Any, attention: Any, deficit: Any, weight: Any, width: Any, order: Any
) -> None:
    """List after list: the highest (1 - weight) × relevance + weight × deficit, which is then brought up to date.

    Args:
        listed: Which places hold an item, shape (n, depth).
        accounts: Account of the item of each place, shape (n, depth).
        relevance: Relevance of each place, 0 … 1.
        attention: Attention that each place gets, shape (width,); together 1.
        deficit: Relevance less attention of each account so far, in lists; changed in place.
        weight: Weight of the deficit.
        width: Places to choose.
        order: Where the places go, -1 where a list has run out; shape (n, depth).
    """
    n, depth = listed.shape
    worth, free = np.empty(depth), np.empty(depth, np.bool_)
    for row in range(n):
        total = 0.0
        n_listed = 0
        for place in range(depth):
            free[place] = listed[row, place]
            if listed[row, place]:
                total += relevance[row, place]
                n_listed += 1
        for place in range(depth):
            if listed[row, place]:
                # Relevance of 0 throughout: all are alike.
                deficit[accounts[row, place]] += relevance[row, place] / total if total > 0 else 1 / n_listed
        for place in range(depth):
            if listed[row, place]:
                # A deficit of one first place, or more, counts as much as all relevance that there is.
                owed = min(max(deficit[accounts[row, place]] / attention[0], -1.0), 1.0)
                worth[place] = (1 - weight) * relevance[row, place] + weight * owed
        for at in range(width):
            best = -1
            for place in range(depth):
                if free[place] and (best < 0 or worth[place] > worth[best]):
                    best = place
            order[row, at] = best
            if best >= 0:
                free[best] = False
                deficit[accounts[row, best]] -= attention[at]
