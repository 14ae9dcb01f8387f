"""The compiled loop that simulates choices from given lists without changing the state."""

from __future__ import annotations

from typing import Any

import numpy as np

from reclens.kernels import kernel
from reclens.world._draws import REQUEST, mix
from reclens.world._kernels import weigh
from reclens.world._lists import choose

__all__ = ["answer"]


@kernel(
    "void(int64[::1], int32[:,::1], int64[::1], uint64, int64, float64[::1], float64[::1], "
    "Tuple((uint64[::1], float32[:,::1], float32[:,::1])), Tuple((float32[:,::1], float32[::1], int32[::1])), "
    "Tuple((int32[::1], float32[:,::1], float32[:,::1])))"
)
def answer(
    users: Any,
    lists: Any,
    requests: Any,
    seed: Any,
    day: Any,
    logs: Any,
    knobs: Any,
    people: Any,
    catalogue: Any,
    answers: Any,
) -> None:
    """What users choose from lists on a day, in their state of the first day: see ``reclens.world._lists.choose``.

    Args:
        users: User of each list.
        lists: Items, -1 ends a list; shape (lists, k).
        requests: Number of each request of a user's day: different numbers give different draws.
        seed: Mixed with the key of a user and the day.
        day: Number of the day.
        logs: Logarithms of the places.
        knobs: See ``live``.
        people: The users: stable key; ``TRAITS``, shape (users, 5); tastes, shape (users, d).
        catalogue: The items: vectors, shape (items, d); appeal of the day; topics.
        answers: Output. Place that was chosen, from 0, -1 for nothing; probability that each place is examined, and
            that it is chosen, shape (lists, k).
    """
    (keys, traits, tastes), (items, appeal, topics), (places, examined, clicked) = people, catalogue, answers
    bored, nothing = np.zeros(256, np.float32), np.zeros(len(items) // 64 + 1, np.uint64)
    weights = np.empty(lists.shape[1])
    for row in range(len(users)):
        user, n = users[row], 0
        while n < lists.shape[1] and lists[row, n] >= 0:
            n += 1
        now = mix(mix(mix(seed, keys[user]), np.uint64(day)), REQUEST + np.uint64(requests[row]))
        weigh(lists[row], n, 0.0, tastes[user], items, appeal, topics, bored, nothing, knobs, weights)
        examined[row], clicked[row] = 0, 0
        none, exponent = np.exp(traits[user, 1]), traits[user, 2]
        places[row] = choose(lists[row], weights, n, none, exponent, logs, now, examined[row], clicked[row])
