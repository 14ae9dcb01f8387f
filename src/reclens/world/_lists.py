"""The compiled loops of one list: its items, and the chosen one."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from reclens.kernels import kernel
from reclens.world._draws import (
    CHOICE,
    DEPTH,
    EXPLORE,
    NOTHING,
    ORDER,
    uniform,
)

__all__ = ["GREEDY", "SOFTMAX", "UNIFORM", "choose", "place"]


GREEDY: Final = 0
UNIFORM: Final = 1
SOFTMAX: Final = 2


@kernel(
    "int64(int32[::1], int64, int64, float64, float64[::1], uint64, int64[::1], float64[::1], int32[::1], float32[::1])"
)
def place(
    pool: Any,
    n: Any,
    kind: Any,
    epsilon: Any,
    weights: Any,
    state: Any,
    order: Any,
    race: Any,
    shown: Any,
    propensity: Any,
) -> Any:
    """Fill a list from a pool that is sorted best first, and compute the propensity of each place.

    ``GREEDY`` shows the first ones. ``UNIFORM`` does so too, but with probability ``epsilon`` draws the whole list from
    the pool in random order; the propensity is that of the item at its place: (1 - ε) [the greedy item] + ε / n.
    ``SOFTMAX`` draws place by place without replacement with a weight for each rank (Plackett-Luce, by the exponential
    race: Efraimidis and Spirakis 2006); the propensity is conditional on the places above, so that the product is the
    probability of the list.

    Args:
        pool: Item codes, best first.
        n: Number of items in the pool.
        kind: One of the three.
        epsilon: Share of lists that explore.
        weights: Of each rank, for ``SOFTMAX``.
        state: Of the request.
        order: Buffer for places in the pool.
        race: Buffer for arrival times.
        shown: The list, written here.
        propensity: Of each place, written here.

    Returns:
        The length of the list.
    """
    size = min(n, len(shown))
    random = kind == SOFTMAX or (kind == UNIFORM and uniform(state, EXPLORE) < epsilon)
    for at in range(n):
        order[at] = at
        if random:
            race[at] = -np.log(uniform(state, ORDER + np.uint64(pool[at])))
            if kind == SOFTMAX:
                race[at] /= weights[at]
    left = 0.0
    if kind == SOFTMAX:
        for at in range(n):
            left += weights[at]
    for position in range(size):
        if random:
            best = position
            for at in range(position + 1, n):
                if race[order[at]] < race[order[best]]:
                    best = at
            order[position], order[best] = order[best], order[position]
        at = order[position]
        shown[position] = pool[at]
        if kind == SOFTMAX:
            propensity[position] = weights[at] / left
            left = max(left - weights[at], 1e-300)
        elif kind == UNIFORM:
            propensity[position] = epsilon / n + (1 - epsilon) * (at == position)
        else:
            propensity[position] = 1.0
    return size


@kernel("int64(int32[::1], float64[::1], int64, float64, float64, float64[::1], uint64, float32[::1], float32[::1])")
def choose(
    shown: Any, weights: Any, n: Any, none: Any, exponent: Any, logs: Any, state: Any, examined: Any, clicked: Any
) -> Any:
    """Examine a list down to some place, and choose at most one of the examined items.

    Place p is looked at with probability p^-exponent (they go down the list and stop somewhere); among the places
    1 … D that were seen item j is chosen with probability w_j / (w_0 + w_1 + … + w_D): multinomial logit with nothing
    as an option (McFadden 1974).

    Args:
        shown: Item codes.
        weights: exp(utility) of each place.
        n: Length of the list.
        none: exp(utility) of choosing nothing, w_0.
        exponent: How fast examination falls.
        logs: Logarithms of the places, log 1, log 2 …
        state: Of the request.
        examined: Probability that each place is seen, written here.
        clicked: Probability that each place is chosen, over what is seen and what is chosen; written here.

    Returns:
        The place that was chosen, from 0; -1 for nothing.
    """
    luck = uniform(state, DEPTH)
    best, place = -np.log(uniform(state, NOTHING)) / none, -1
    total = none
    for at in range(n):
        seen = np.exp(-exponent * logs[at])
        examined[at] = seen
        total += weights[at]
        clicked[at] = 1.0 / total
        if luck < seen:
            arrival = -np.log(uniform(state, CHOICE + np.uint64(shown[at]))) / weights[at]
            if arrival < best:
                best, place = arrival, at
    tail, below = 0.0, 0.0
    for at in range(n - 1, -1, -1):
        tail += (examined[at] - below) * clicked[at]
        below = examined[at]
        clicked[at] = weights[at] * tail
    return place
