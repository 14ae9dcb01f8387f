"""Geometry of a space: near-duplicates, uniformity, dimension, and alignment of pairs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from reclens.concentration import effective_number
from reclens.errors import ArgumentValueError, DataError
from reclens.explore.neighbours import NeighbourGraph
from reclens.explore.space import EmbeddingSpace
from reclens.stats.estimate import Estimate, mean_estimate
from reclens.tabular import Tabular

__all__ = [
    "DuplicateGroup",
    "Duplicates",
    "SpaceShape",
    "alignment",
    "intrinsic_dimension",
    "near_duplicates",
    "space_shape",
    "uniformity",
]

_NEAR: Final = 0.95
"""Cosine from which two items are near-duplicates."""
_PAIRS: Final = 200_000


@dataclass(frozen=True)
class DuplicateGroup:
    """Items that are near-duplicates of each other, directly or by way of others.

    Attributes:
        ids: The items, the most popular first where popularity is known, else in the order of the space.
        least: Smallest cosine of a pair that ties the group together.
    """

    ids: tuple[Any, ...]
    least: float


@dataclass(frozen=True)
class Duplicates(Tabular):
    """Groups of near-duplicates, the largest first.

    Attributes:
        groups: The groups.
        threshold: Cosine from which two items are near-duplicates.
        items: Items in a group.
        share: Share of the catalogue in a group.
    """

    groups: tuple[DuplicateGroup, ...]
    threshold: float
    items: int
    share: float

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per group."""
        return [{"items": len(group.ids), "least": group.least, "ids": list(group.ids)} for group in self.groups]


def near_duplicates(
    space: EmbeddingSpace, graph: NeighbourGraph, *, threshold: float = _NEAR, popularity: np.ndarray | None = None
) -> Duplicates:
    """Connected components of the pairs with a cosine of at least ``threshold``.

    Pairs are those of the graph. An item whose k neighbours are all nearer than the threshold is tied to them, so that
    a group is missed in part only where more than k items are alike and fall into two halves.

    Args:
        space: The vectors.
        graph: Their neighbours.
        threshold: Cosine from which two items are near-duplicates, in (0, 1].
        popularity: Shape (n,); the most popular item of a group represents it.

    Raises:
        UsageError: If the threshold is out of range.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if not 0 < threshold <= 1:
        raise ArgumentValueError("threshold", f"is {threshold:g}, expected a cosine in (0, 1]")
    # Equal vectors must not be separated by float32 rounding.
    row, place = np.nonzero(graph.similarities >= threshold - 1e-6)
    column = graph.rows[row, place]
    n = len(space)
    _, label = connected_components(coo_matrix((np.ones(len(row), bool), (row, column)), (n, n)), directed=False)
    sizes = np.bincount(label, minlength=1)
    least = np.full(len(sizes), np.inf)
    np.minimum.at(least, label[row], graph.similarities[row, place])
    wanted = np.flatnonzero(sizes > 1)
    worth = np.zeros(n) if popularity is None else np.asarray(popularity, np.float64)
    order = np.lexsort((np.arange(n), -worth, label))
    starts = np.searchsorted(label[order], wanted)
    groups = [
        DuplicateGroup(tuple(space.ids.gather(order[start : start + sizes[each]]).to_list()), float(least[each]))
        for each, start in zip(wanted, starts, strict=True)
    ]
    groups.sort(key=lambda group: (-len(group.ids), str(group.ids[0])))
    items = int(sizes[wanted].sum())
    return Duplicates(tuple(groups), threshold, items, items / n if n else 0.0)


@dataclass(frozen=True, kw_only=True)
class SpaceShape(Tabular):
    """Global measures of a space of unit vectors.

    Attributes:
        uniformity: log E exp(-2 |x - y|²) over pairs: the lower, the more evenly directions are used.
        mean_cosine: Mean cosine of pairs: 0 where directions balance, near 1 where all lie in a narrow cone.
        first_direction: Share of the variance along the first principal direction.
        effective_rank: Directions that would carry this variance if all carried alike.
        intrinsic_dimension: Dimension of the surface that the vectors lie on, as their neighbours see it.
        dimension: Length of the vectors.
    """

    uniformity: float
    mean_cosine: float
    first_direction: float
    effective_rank: float
    intrinsic_dimension: float
    dimension: int

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row."""
        return [asdict(self)]


def space_shape(space: EmbeddingSpace, graph: NeighbourGraph, *, rng: int = 0) -> SpaceShape:
    """Uniformity, anisotropy and dimension of a space.

    Args:
        space: The vectors.
        graph: Their neighbours.
        rng: Seed of the pairs that uniformity is measured on, 200,000 of them.

    References:
        Wang and Isola (2020), Understanding contrastive representation learning through alignment and uniformity;
        Ethayarajh (2019), How contextual are contextualized word representations?, for the mean cosine; Roy and
        Vetterli (2007), The effective rank.
    """
    unit = space.unit
    n = len(unit)
    if n < 2:
        raise DataError("the space has one vector: shapes are about pairs", fix="Give at least two.")
    total = unit.sum(axis=0, dtype=np.float64)
    cosine = (float(total @ total) - n) / (n * (n - 1))  # of all pairs, by the square of the sum
    centred = np.cov(unit.T.astype(np.float64)) if unit.shape[1] > 1 else np.atleast_2d(np.var(unit))
    values = np.maximum(np.linalg.eigvalsh(np.atleast_2d(centred)), 0.0)
    values = values if values.any() else np.ones(1)
    return SpaceShape(
        uniformity=uniformity(unit, rng=rng),
        mean_cosine=cosine,
        first_direction=float(values.max() / values.sum()),
        effective_rank=float(effective_number(values)),
        intrinsic_dimension=intrinsic_dimension(graph),
        dimension=space.dimension,
    )


def uniformity(unit: np.ndarray, *, rng: int = 0) -> float:
    """Logarithm of E exp(-2 |x - y|²) over pairs of different vectors of length 1; all pairs where there are few.

    Args:
        unit: Shape (n, d), of length 1.
        rng: Seed of the pairs.

    Example:
        >>> round(uniformity(np.array([[1.0, 0.0], [0.0, 1.0]])), 6)
        -4.0
    """
    n = len(unit)
    if n * (n - 1) // 2 <= _PAIRS:
        first, second = np.triu_indices(n, 1)
    else:
        draw = np.random.default_rng(rng)
        first = draw.integers(0, n, _PAIRS)
        second = (first + draw.integers(1, n, _PAIRS)) % n
    cosines = np.concatenate(
        [
            np.einsum("ij,ij->i", unit[first[at : at + 20_000]], unit[second[at : at + 20_000]], dtype=np.float64)
            for at in range(0, len(first), 20_000)
        ]
    )
    return float(np.log(np.exp(-4 * (1 - cosines)).mean()))


def alignment(
    first: np.ndarray, second: np.ndarray, *, owners: np.ndarray | None = None, level: float = 0.95
) -> Estimate:
    """E |x - y|² over pairs that belong together, such as a user and a held-out item: 0 where they coincide.

    Args:
        first: Shape (n, d), of length 1.
        second: Their partners, same shape.
        owners: Whom each pair belongs to, shape (n,), integers. The pairs of one user are not independent: each counts
            once, by the mean of the pairs.
        level: Confidence level of the mean.

    Example:
        >>> alignment(np.eye(2), np.array([[1.0, 0.0], [1.0, 0.0]])).value
        1.0

    References:
        Wang and Isola (2020), Understanding contrastive representation learning.
    """
    difference = first.astype(np.float64) - second
    apart = np.einsum("ij,ij->i", difference, difference)
    if owners is not None and len(apart):
        code = np.unique(owners, return_inverse=True)[1]
        apart = np.bincount(code, weights=apart) / np.bincount(code)
    return mean_estimate(apart, level=level)


def intrinsic_dimension(graph: NeighbourGraph) -> float:
    """The maximum-likelihood dimension from the distances to neighbours, its inverse averaged over vectors.

    Distances are the angles to the neighbours. Vectors with a neighbour at distance 0 are uninformative and left
    out.

    Returns:
        NaN where fewer than three neighbours are known.

    References:
        Levina and Bickel (2004), Maximum likelihood estimation of intrinsic dimension, with the mean of MacKay and
        Ghahramani (2005).
    """
    angles = np.arccos(np.clip(graph.similarities.astype(np.float64), -1.0, 1.0))
    usable = angles[np.isfinite(angles).all(axis=1) & (angles[:, 0] > 1e-4)]
    k = angles.shape[1]
    if not len(usable) or k < 3:
        return float("nan")
    logs = np.log(usable[:, -1:] / usable[:, :-1])
    inverse = logs.sum(axis=1) / (k - 2)
    return float(1 / inverse.mean()) if inverse.mean() > 0 else float("nan")
