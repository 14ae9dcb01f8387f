"""The compiled loop that answers given lists: one look and one choice each, and nothing changes."""

from __future__ import annotations

from typing import Any

import numpy as np

from reclens.kernels import kernel
from reclens.world._draws import mix
from reclens.world._kernels import _REQUEST, _weigh, choose

__all__ = ["answer"]


@kernel(
    "void(int64[::1], int32[:,::1], int64[::1], uint64, int64, uint64[::1], float64[::1], float32[:,::1], "
    "float64[::1], float32[:,::1], float32[:,::1], float32[::1], int32[::1], int32[::1], float32[:,::1], "
    "float32[:,::1])"
)
def answer(
    users: Any,
    lists: Any,
    requests: Any,
    seed: Any,
    day: Any,
    keys: Any,
    logs: Any,
    traits: Any,
    knobs: Any,
    tastes: Any,
    items: Any,
    appeal: Any,
    topics: Any,
    places: Any,
    examined: Any,
    clicked: Any,
) -> None:
    """What users choose from lists on a day, in their state of the first day: see ``reclens.world._kernels.choose``.

    Args:
        users: User of each list.
        lists: Items, -1 ends a list; shape (lists, k).
        requests: Number of each request of a user's day: other numbers, other luck.
        seed: Mixed with the key of a user and the day.
        day: Number of the day.
        keys: Stable key of each user.
        logs: Logarithms of the places.
        traits: As in ``live``.
        knobs: As in ``live``.
        tastes: Shape (users, d).
        items: Shape (items, d).
        appeal: Of the day.
        topics: Topic of each item.
        places: Place that was chosen, from 0, -1 for nothing; written.
        examined: Written, shape (lists, k).
        clicked: Probability of each place; written, shape (lists, k).
    """
    bored, nothing = np.zeros(256, np.float32), np.zeros(len(items) // 64 + 1, np.uint64)
    weights = np.empty(lists.shape[1])
    for row in range(len(users)):
        user, n = users[row], 0
        while n < lists.shape[1] and lists[row, n] >= 0:
            n += 1
        now = mix(mix(mix(seed, keys[user]), np.uint64(day)), _REQUEST + np.uint64(requests[row]))
        _weigh(lists[row], n, 0.0, tastes[user], items, appeal, topics, bored, nothing, knobs, weights)
        examined[row], clicked[row] = 0, 0
        none, exponent = np.exp(traits[user, 1]), traits[user, 2]
        places[row] = choose(lists[row], weights, n, none, exponent, logs, now, examined[row], clicked[row])
