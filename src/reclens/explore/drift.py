"""Two versions of a space: the distance that each item moved after alignment, and the neighbours that it lost."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.engine import Progress, quiet
from reclens.errors import DataError
from reclens.explore.demand import far_fence
from reclens.explore.exact import top_k
from reclens.explore.space import EmbeddingSpace
from reclens.stats.estimate import Estimate, mean_estimate
from reclens.tabular import Tabular

__all__ = ["Drift", "RegionDrift", "align", "drift_between"]

_FEWEST: Final = 3
_ROUNDS: Final = 3
_TRUSTED: Final = 0.8
"""Share of the items that the rotation is fitted on after the first round: those that fit best."""


@dataclass(frozen=True, kw_only=True)
class RegionDrift:
    """Drift of the items of a region.

    Attributes:
        region: Its number.
        name: Its label.
        items: Number of its items that are in both versions.
        moved: Mean distance that they moved.
        lost: Mean share of their neighbours that they lost.
        share_moved: Share of them that moved far.
        changed: Whether at least half of them did.
    """

    region: int
    name: str
    items: int
    moved: Estimate
    lost: float
    share_moved: float
    changed: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class Drift(Tabular):
    """What changed from one version of a space to the next, of the items in both.

    Attributes:
        ids: The items in both.
        moved: Cosine distance of each from where it was, after the alignment, shape (m,), in [0, 2].
        lost: Share of each one's k nearest neighbours that are new, 1 - Jaccard, shape (m,), in [0, 1].
        fence: Beyond this distance an item moved far, beside the others.
        far: Places in ``ids`` of the items that moved far, the farthest first.
        rotated: Whether the later version had to be turned: mean distance before the alignment less that after it.
        regions: By region, those that changed first.
        added: Items of the later version alone.
        removed: Items of the earlier version alone.
        k: Neighbours that count.
    """

    ids: pl.Series
    moved: np.ndarray
    lost: np.ndarray
    fence: float
    far: np.ndarray
    rotated: float
    regions: tuple[RegionDrift, ...]
    added: int
    removed: int
    k: int

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per item that moved far, the farthest first."""
        return [
            {"id": self.ids[int(at)], "moved": float(self.moved[at]), "lost": float(self.lost[at])} for at in self.far
        ]

    def region_dicts(self) -> list[dict[str, Any]]:
        """One row per region."""
        return [asdict(each) for each in self.regions]


def align(before: np.ndarray, after: np.ndarray, *, weights: np.ndarray | None = None) -> np.ndarray:
    """The rotation (or reflection) of ``after`` that brings it nearest to ``before`` in the least-squares sense.

    Args:
        before: Shape (n, d).
        after: Shape (n, d).
        weights: Of the rows, shape (n,).

    Returns:
        Orthogonal, shape (d, d), float64: ``after @ rotation`` is nearest to ``before``.

    Example:
        >>> turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
        >>> bool(np.allclose(align(np.eye(2), np.eye(2) @ turn), turn.T))
        True

    References:
        Schönemann (1966), A generalized solution of the orthogonal Procrustes problem.
    """
    left = after.astype(np.float64)
    if weights is not None:
        left = left * weights[:, None]
    u, _, vt = np.linalg.svd(left.T @ before.astype(np.float64))
    return u @ vt


def drift_between(
    before: EmbeddingSpace,
    after: EmbeddingSpace,
    *,
    k: int = 10,
    regions: np.ndarray | None = None,
    names: tuple[str, ...] | None = None,
    level: float = 0.95,
    threads: int | None = None,
    progress: Progress = quiet,
) -> Drift:
    """Compare two versions of a space by the items that are in both.

    The later version is turned onto the earlier one, and turned anew by the four fifths that fit best, so that items
    which moved do not pull the others along. Two spaces of different dimensions are compared in the larger one: the
    vectors of the smaller are filled up with zeros.

    Args:
        before: The earlier version.
        after: The later one.
        k: Neighbours that count.
        regions: Region of each item of the earlier version, shape (n,), -1 for none.
        names: Label of each region.
        level: Confidence level of the means.
        threads: How many.
        progress: Called as work goes on.

    Raises:
        DataError: If fewer than three items are in both.
    """
    places = after.rows(before.ids)
    common = np.flatnonzero(places >= 0)
    if len(common) < _FEWEST:
        raise DataError(
            f"{len(common):,} items are in both versions, expected {_FEWEST} or more", fix="Give both the same ids."
        )
    first, second = before.unit[common], after.unit[places[common]]
    first, second = _same_width(first, second)
    turned, weights = second, None
    for _ in range(_ROUNDS):
        turned = second @ align(first, second, weights=weights).astype(np.float32)
        apart = _apart(first, turned)
        weights = (apart <= np.quantile(apart, _TRUSTED)).astype(np.float64)
    moved = _apart(first, turned)
    lost = _lost(first, second, min(k, len(common) - 1), threads, progress)
    fence = max(1 - far_fence(1 - moved), 1e-6)
    far = np.flatnonzero(moved > fence)
    return Drift(
        ids=before.ids.gather(common),
        moved=moved,
        lost=lost,
        fence=fence,
        far=far[np.argsort(-moved[far], kind="stable")],
        rotated=float(_apart(first, second).mean() - moved.mean()),
        regions=() if regions is None else _by_region(regions[common], moved, lost, fence, names, level),
        added=len(after) - len(common),
        removed=len(before) - len(common),
        k=k,
    )


def _same_width(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    width = max(first.shape[1], second.shape[1])
    pad = [np.pad(each, ((0, 0), (0, width - each.shape[1]))) for each in (first, second)]
    return pad[0], pad[1]


def _apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosine distances, by the squared difference: exact where vectors are nearly the same."""
    difference = first.astype(np.float64) - second
    return np.einsum("ij,ij->i", difference, difference) / 2


def _lost(first: np.ndarray, second: np.ndarray, k: int, threads: int | None, progress: Progress) -> np.ndarray:
    """1 - Jaccard of the neighbours, which no rotation changes."""
    own = np.arange(len(first), dtype=np.int32)
    near = [
        np.sort(top_k(each, each, k, skip=own, threads=threads, progress=progress)[0], axis=1)
        for each in (first, second)
    ]
    shared = np.zeros(len(first), np.int64)
    for column in range(k):
        shared += (near[1] == near[0][:, column : column + 1]).any(axis=1)
    return 1 - shared / (2 * k - shared)


def _by_region(
    regions: np.ndarray, moved: np.ndarray, lost: np.ndarray, fence: float, names: tuple[str, ...] | None, level: float
) -> tuple[RegionDrift, ...]:
    found: list[RegionDrift] = []
    for region in np.unique(regions[regions >= 0]):
        mine = regions == region
        share = float((moved[mine] > fence).mean())
        found.append(
            RegionDrift(
                region=int(region),
                name=names[int(region)] if names else str(region),
                items=int(mine.sum()),
                moved=mean_estimate(moved[mine], level=level),
                lost=float(lost[mine].mean()),
                share_moved=share,
                changed=share >= 0.5,
            )
        )
    return tuple(sorted(found, key=lambda each: (-each.share_moved, -each.moved.value)))
