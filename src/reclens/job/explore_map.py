"""Maps of spaces, cached in the workspace, and the alignment of two maps."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal

import numpy as np

from reclens.engine import Progress, quiet
from reclens.errors import DataError
from reclens.explore.drift import align
from reclens.explore.labels import label_columns
from reclens.explore.neighbours import neighbour_graph
from reclens.explore.procedure import run as explore
from reclens.explore.project import PointMap, extend_map, kept_map, pca_map
from reclens.explore.quality import map_quality
from reclens.explore.result import Exploration
from reclens.explore.space import EmbeddingSpace
from reclens.report._toolkit.format import whole
from reclens.workspace import Workspace

__all__ = ["LARGEST_MAP", "MAPS", "MapBy", "arranged_like", "map_of", "mapped"]

MapBy = Literal["pca", "umap"]
MAPS: Final[tuple[MapBy, ...]] = ("pca", "umap")
LARGEST_MAP: Final = 2_000_000
"""Points up to which a page holds them all; more of them are a picture."""
_NEIGHBOURS: Final = 15
_FEWEST: Final = 3


def map_of(
    space: EmbeddingSpace, method: MapBy, *, workspace: Workspace, seed: int = 0, progress: Progress = quiet
) -> PointMap:
    """The map of a space; that of UMAP is kept in the cache of the workspace.

    Args:
        space: The space.
        method: Principal components or UMAP.
        workspace: Workspace that caches the maps.
        seed: Seed of UMAP.
        progress: Called to report progress.
    """
    if method == "pca":
        return pca_map(space)
    graph = neighbour_graph(space, k=max(1, min(_NEIGHBOURS, len(space) - 1)), progress=progress)
    return kept_map(workspace.folder / ".cache" / "maps", space, graph, seed=seed, progress=progress)


def mapped(
    space: EmbeddingSpace,
    found: Exploration | None,
    method: MapBy | None,
    *,
    workspace: Workspace,
    seed: int = 0,
    progress: Progress = quiet,
) -> Exploration:
    """An exploration with the requested map, which is computed if it is missing.

    Args:
        space: The space.
        found: An exploration of it; None explores the space alone.
        method: How the map is made; None for that of the exploration, or principal components.
        workspace: Workspace that caches the maps.
        seed: Seed of UMAP.
        progress: Called to report progress.
    """
    if found is not None and found.map is not None and method in (None, found.map.method):
        return found
    made = map_of(space, method or "pca", workspace=workspace, seed=seed, progress=progress)
    if found is None:
        return explore(space, point_map=made, labels=label_columns(space), seed=seed, progress=progress)
    k = max(1, min(_NEIGHBOURS, (len(space) - 1) // 2))
    return replace(found, map=made, quality=map_quality(space, made.points, k=k))


def arranged_like(first: PointMap, space: EmbeddingSpace, other: PointMap) -> tuple[PointMap, int]:
    """Another map of the items of a space, turned so that the items of both lie alike.

    Axes of a map have no meaning, so that it may be rotated and mirrored. Items that the other map
    lacks are put beside their neighbours in the space.

    Args:
        first: The map of the space.
        space: The space.
        other: The map of another space with items of the same ids.

    Returns:
        The other map, in the order of the space, and how many items it lacked.

    Raises:
        DataError: If fewer than three items are on both.
    """
    same_kind = other.ids.dtype.is_integer() == space.ids.dtype.is_integer()
    known = space.ids.is_in(other.ids.implode()).to_numpy() if same_kind else np.zeros(len(space), bool)
    if known.sum() < _FEWEST:
        raise DataError(
            f"{whole(known.sum())} items are in both spaces, expected {_FEWEST} or more",
            fix="Name spaces of the same items.",
        )
    extended = extend_map(other, space)
    here, there = (each.points[known] - each.points[known].mean(axis=0) for each in (first, extended))
    points = (extended.points - extended.points[known].mean(axis=0)) @ align(here, there)
    turned = PointMap(
        ids=space.ids,
        points=points.astype(np.float32),
        method=other.method,
        revision=other.revision,
        settings=other.settings,
    )
    return turned, int((~known).sum())
