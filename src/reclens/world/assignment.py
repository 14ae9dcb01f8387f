"""Assign users to arms: individually, or in clusters of similar users."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reclens.errors import ArgumentValueError
from reclens.world._draws import uniforms
from reclens.world.population import World

__all__ = ["assign_arms", "taste_clusters"]

_SAMPLE = 20_000


def assign_arms(
    world: World,
    shares: Sequence[float],
    *,
    clusters: int | None = None,
    assignment: np.ndarray | None = None,
    seed: int = 0,
) -> np.ndarray:
    """The arm of each user; int8, shape (users,).

    A user's arm depends on the seed and their id alone, so that it does not change when others come; with clusters, on
    the seed and their cluster.

    Raises:
        UsageError: If the assignment does not fit the users and arms, or there are fewer clusters than arms.
    """
    if assignment is not None:
        given = np.asarray(assignment)
        if given.shape != (world.users.height,) or given.min() < 0 or given.max() >= len(shares):
            raise ArgumentValueError(
                "assignment",
                f"has shape {given.shape}: expected an arm 0 … {len(shares) - 1} for each of "
                f"{world.users.height:,} users.",
            )
        return given.astype(np.int8)
    edges = np.cumsum(shares)[:-1] / np.sum(shares)
    if clusters is None:
        luck = uniforms(world.keys, seed)
        return np.searchsorted(edges, luck, side="right").astype(np.int8)
    if clusters < len(shares):
        raise ArgumentValueError("clusters", f"is {clusters}, expected at least one for each of {len(shares)} arms")
    labels = taste_clusters(world, clusters, seed=seed)
    # Clusters in random order are dealt out by their share, so that no arm stays empty.
    order = np.argsort(uniforms(np.arange(clusters, dtype=np.uint64), seed), kind="stable")
    place = np.empty(clusters, np.int64)
    place[order] = np.arange(clusters)
    return np.searchsorted(edges, (place[labels] + 0.5) / clusters, side="right").astype(np.int8)


def taste_clusters(world: World, n: int, *, seed: int = 0) -> np.ndarray:
    """Group users by the direction of their tastes: spherical k-means; int64, shape (users,)."""
    rng = np.random.default_rng([seed, 5])
    length = np.linalg.norm(world.tastes, axis=1, keepdims=True)
    points = world.tastes / np.maximum(length, 1e-9)
    n_users = len(points)
    if n > n_users:
        raise ArgumentValueError("clusters", f"is {n} for {n_users:,} users: expected at most as many")
    some = points[rng.choice(n_users, min(n_users, max(_SAMPLE, n)), replace=False)]
    centres = some[:n].copy()
    for _ in range(15):
        labels = np.argmax(some @ centres.T, axis=1)
        sums = np.zeros_like(centres)
        np.add.at(sums, labels, some)
        size = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(size > 0, sums / np.maximum(size, 1e-9), centres)
    found = [np.argmax(points[at : at + _SAMPLE] @ centres.T, axis=1) for at in range(0, n_users, _SAMPLE)]
    return np.concatenate(found)
