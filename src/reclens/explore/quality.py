"""Quality of a map: trustworthiness and continuity of its neighbourhoods."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from reclens.errors import ArgumentValueError, UsageError
from reclens.explore.space import EmbeddingSpace
from reclens.tabular import Tabular

__all__ = ["MapQuality", "map_quality"]

_SAMPLE: Final = 1_000


@dataclass(frozen=True, eq=False, kw_only=True)
class MapQuality(Tabular):
    """How faithful a map is to the neighbourhoods of the space.

    Attributes:
        k: Number of neighbours.
        trustworthiness: 1 where what is near on the map is near in the space, lower the farther off intruders are.
        continuity: 1 where what is near in the space is near on the map.
        kept: Share of the k nearest neighbours in the space that are among the k nearest on the map.
        rows: The examined points, shape (m,).
        trust: Trustworthiness of each of these, shape (m,): low where the map should not be believed.
        kept_of: Share of its neighbours that each keeps, shape (m,).
    """

    k: int
    trustworthiness: float
    continuity: float
    kept: float
    rows: np.ndarray
    trust: np.ndarray
    kept_of: np.ndarray

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row."""
        numbers = asdict(self)
        return [{name: numbers[name] for name in ("k", "trustworthiness", "continuity", "kept")}]


def map_quality(
    space: EmbeddingSpace, points: np.ndarray, *, k: int = 15, sample: int | None = _SAMPLE, rng: int = 0
) -> MapQuality:
    """Trustworthiness, continuity and neighbours kept, of a sample of points against all others.

    Args:
        space: The vectors; neighbours in the space are by cosine.
        points: Their places on the map, shape (n, 2).
        k: Neighbours that count, fewer than half of the points.
        sample: Points that are looked at; None for all.
        rng: Seed of the sample.

    Raises:
        UsageError: If k is not below half of the points, or the map has other points than the space.

    References:
        Venna and Kaski (2001), Neighborhood preservation in nonlinear projection methods.
    """
    n = len(space)
    if len(points) != n:
        raise UsageError(f"the map has {len(points):,} points and the space {n:,} vectors.")
    if not 1 <= k < n / 2:
        raise ArgumentValueError("k", f"is {k}, expected 1 or more and fewer than half of the {n:,} points")
    rows = np.arange(n)
    if sample is not None and sample < n:
        rows = np.sort(np.random.default_rng(rng).choice(n, sample, replace=False))
    trust, continuity, kept = (np.empty(len(rows)) for _ in range(3))
    flat = np.ascontiguousarray(points, np.float64)
    scale = 2 / (k * (2 * n - 3 * k - 1))
    for at, row in enumerate(rows.tolist()):
        far = -(space.unit @ space.unit[row]).astype(np.float64)
        shift = flat - flat[row]
        near = np.einsum("ij,ij->i", shift, shift)
        in_space, on_map = _ranks(far, row), _ranks(near, row)
        first_map, first_space = on_map <= k, in_space <= k
        first_map[row] = first_space[row] = False
        trust[at] = 1 - scale * np.maximum(in_space[first_map] - k, 0).sum()
        continuity[at] = 1 - scale * np.maximum(on_map[first_space] - k, 0).sum()
        kept[at] = (first_map & first_space).sum() / k
    return MapQuality(
        k=k,
        trustworthiness=float(trust.mean()),
        continuity=float(continuity.mean()),
        kept=float(kept.mean()),
        rows=rows,
        trust=trust,
        kept_of=kept,
    )


def _ranks(distances: np.ndarray, row: int) -> np.ndarray:
    """Ranks of all others from 1; ties are ordered by row."""
    distances[row] = -np.inf
    ranks = np.empty(len(distances), np.int64)
    ranks[np.argsort(distances, kind="stable")] = np.arange(len(distances))
    return ranks
