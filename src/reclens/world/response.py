"""Query a world: what would these users choose from these lists?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reclens.errors import UsageError
from reclens.world._answers import answer
from reclens.world._draws import mix
from reclens.world.population import World

__all__ = ["Response", "respond"]


@dataclass(frozen=True, eq=False)
class Response:
    """The choices from lists.

    Attributes:
        place: Place that was chosen, from 0; -1 for nothing; int32, shape (lists,).
        examined: Probability that each place was looked at; float32, shape (lists, k).
        expected: Probability that each place was chosen; float32, shape (lists, k).
    """

    place: np.ndarray
    examined: np.ndarray
    expected: np.ndarray

    @property
    def clicked(self) -> np.ndarray:
        """Whether each place was chosen; bool, shape (lists, k)."""
        return self.place[:, None] == np.arange(self.expected.shape[1])


def respond(
    world: World,
    users: np.ndarray,
    lists: np.ndarray,
    *,
    day: int = 0,
    requests: np.ndarray | None = None,
    seed: int = 0,
) -> Response:
    """Show lists to users in their state before the first day, without changing the state.

    It is what interleaving needs, and what any policy's true value is the mean of. With the seed of a run, the first
    list of a user's first day meets the same luck as there.

    Args:
        world: The simulated world.
        users: Code of the user of each list, shape (lists,).
        lists: Item codes, -1 where a list is shorter; shape (lists, k).
        day: The day: items that are not born then are never chosen.
        requests: Number of each list among those of its user; all 0 without.
        seed: Seed of the random numbers.

    Raises:
        UsageError: If shapes or codes do not fit.
    """
    users, lists = np.array(users, np.int64), np.array(lists, np.int32, order="C")
    n_users, n_items = world.users.height, world.items.height
    if lists.ndim != 2 or users.shape != (len(lists),):
        raise UsageError(f"lists has shape {lists.shape} and users {users.shape}: expected one list a user.")
    if len(users) and (users.min() < 0 or users.max() >= n_users or lists.max() >= n_items):
        raise UsageError(f"a code is out of range: there are {n_users:,} users and {n_items:,} items, counted from 0.")
    numbers = np.zeros(len(users), np.int64) if requests is None else np.array(requests, np.int64)
    places, shape = np.empty(len(users), np.int32), lists.shape
    examined, expected = np.empty(shape, np.float32), np.empty(shape, np.float32)
    answer(
        users,
        lists,
        numbers,
        np.uint64(mix(np.uint64(seed % 2**64), np.uint64(21))),
        day,
        np.log(np.arange(1.0, shape[1] + 1)),
        world.knobs(day),
        (world.keys, world.traits, world.tastes),
        (world.vectors, world.appeal_on(day), world.topics),
        (places, examined, expected),
    )
    return Response(places, examined, expected)
