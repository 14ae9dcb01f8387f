"""The compiled loops of tastes: utility of an item, drift, and organic discovery."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from reclens.kernels import kernel
from reclens.world._draws import (
    MEET,
    WANDER,
    mix,
    uniform,
)

__all__ = ["consume", "dot", "has", "meet", "remember", "towards", "wander"]


_TAU: Final = 6.283185307179586


@kernel("float32(float32[::1], float32[::1])", fast=True)
def dot(taste: Any, item: Any) -> Any:
    """The dot product of a taste and the vector of an item."""
    dot = np.float32(0)
    for f in range(len(taste)):
        dot += taste[f] * item[f]
    return dot


@kernel("boolean(uint64[::1], int64)")
def has(consumed: Any, item: Any) -> Any:
    """Whether the bit of an item is set."""
    return (consumed[item >> 6] >> np.uint64(item & 63)) & np.uint64(1) != np.uint64(0)


@kernel("void(float32[::1], float32[::1], float64, float64)")
def towards(taste: Any, item: Any, share: Any, norm: Any) -> None:
    """Move a taste towards an item, and bring it back to its length."""
    length, square = 0.0, 0.0
    for f in range(len(taste)):
        length += item[f] * item[f]
    pull = share * norm / max(np.sqrt(length), 1e-9)
    for f in range(len(taste)):
        taste[f] = (1 - share) * taste[f] + pull * item[f]
        square += taste[f] * taste[f]
    scale = norm / max(np.sqrt(square), 1e-9)
    for f in range(len(taste)):
        taste[f] *= scale


@kernel("void(float32[::1], float64, float64, uint64)")
def wander(taste: Any, step: Any, norm: Any, state: Any) -> None:
    """Move a taste at random by a share of its length, and bring it back to it (Box-Muller, two normals a pair)."""
    d, square = len(taste), 0.0
    size = step * norm / np.sqrt(d)
    for f in range(0, d, 2):
        radius = size * np.sqrt(-2.0 * np.log(uniform(state, WANDER + np.uint64(f))))
        angle = _TAU * uniform(state, WANDER + np.uint64(f + 1))
        taste[f] += radius * np.cos(angle)
        if f + 1 < d:
            taste[f + 1] += radius * np.sin(angle)
    for f in range(d):
        square += taste[f] * taste[f]
    scale = norm / max(np.sqrt(square), 1e-9)
    for f in range(d):
        taste[f] *= scale


@kernel("int64(int32[::1], int64, float32[:,::1], float32[::1], uint64[::1], float64, uint64)")
def meet(table: Any, browse: Any, items: Any, taste: Any, consumed: Any, repeat: Any, state: Any) -> Any:
    """What a user finds without help among some items met by their appeal, by taste; -1 if there are none."""
    best, found = np.inf, -1
    for at in range(browse):
        item = table[mix(state, MEET + np.uint64(at)) >> np.uint64(48)]
        if item >= 0:
            value = dot(taste, items[item]) - (repeat if has(consumed, item) else 0.0)
            arrival = -np.log(uniform(state, MEET + np.uint64(browse + at))) * np.exp(-value)
            if arrival < best:
                best, found = arrival, item
    return found


@kernel("void(int64, float32[::1], float32[:,::1], float64, int32[::1], float32[::1], uint64[::1], float64)")
def consume(item: Any, taste: Any, items: Any, norm: Any, topics: Any, bored: Any, consumed: Any, drift: Any) -> None:
    """Update the state for a consumed item: mark it, satiate its topic, and move the taste towards it."""
    consumed[item >> 6] |= np.uint64(1) << np.uint64(item & 63)
    bored[topics[item]] += np.float32(1)
    if drift > 0:
        towards(taste, items[item], drift, norm)


@kernel(
    "void(int64, int64, uint64, uint64[::1], int64[::1], int32[::1], int64, float32[:,::1], float32[:,::1], "
    "uint64[:,::1], int32[::1])"
)
def remember(
    first: Any,
    stop: Any,
    seed: Any,
    keys: Any,
    ends: Any,
    table: Any,
    browse: Any,
    items: Any,
    tastes: Any,
    consumed: Any,
    found: Any,
) -> None:
    """The organic history of users before the first day, without repeated items.

    Args:
        first: First user.
        stop: The one after the last.
        seed: Mixed with the key of a user.
        keys: Stable key of each user.
        ends: Where the rows of each user begin and end, shape (users + 1,).
        table: Items in proportion to exp(appeal), 65,536 of them.
        browse: Items met each time.
        items: Shape (items, d).
        tastes: Shape (users, d).
        consumed: One bit an item, shape (users, words); changed.
        found: Item of each row, -1 where they found nothing new; written.
    """
    for user in range(first, stop):
        state = mix(seed, keys[user])
        for row in range(ends[user], ends[user + 1]):
            now = mix(state, np.uint64(row - ends[user]))
            item = meet(table, browse, items, tastes[user], consumed[user], 1e4, now)
            if item >= 0 and has(consumed[user], item):
                item = -1
            if item >= 0:
                consumed[user, item >> 6] |= np.uint64(1) << np.uint64(item & 63)
            found[row] = item
