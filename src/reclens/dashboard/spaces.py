"""Spaces, maps and explorations of the Explore page, computed once for each content and cached."""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl
import streamlit as st

from reclens.dashboard import store
from reclens.dashboard.isolated_parts import readable
from reclens.errors import DataError
from reclens.explore import run as explore
from reclens.explore.embed_models import embed_model
from reclens.explore.labels import label_columns
from reclens.explore.neighbours import neighbour_graph
from reclens.explore.project import PointMap, pca_map, umap_map
from reclens.explore.result import Exploration
from reclens.explore.space import EmbeddingSpace
from reclens.explore.users import unexplored_regions
from reclens.job.explore_map import arranged_like
from reclens.models import PureSVD
from reclens.report._toolkit.point_map import MapView, pack_map
from reclens.report.explore.map_page import attribute_columns, pack_exploration, titles_of
from reclens.report.explore.states import HISTORY, LATER, LISTED, NEARBY, NEITHER
from reclens.schema import ITEM, USER
from reclens.workspace import Workspace

__all__ = [
    "KEPT",
    "LEARNED",
    "MapMethod",
    "at_user",
    "explored",
    "kept_of",
    "outline",
    "packed",
    "placed",
    "second_map",
    "segments_of",
    "shown_to",
    "space_of",
]

LEARNED = "Learned from the split (PureSVD)"
"""The space of a workspace that holds none: vectors of the items of a split."""
KEPT = "As in the kept exploration"
"""The map, and the findings, of the exploration that the workspace keeps."""
MapMethod = Literal["PCA", "UMAP"]
_FACTORS = 32


def space_of(workspace: Workspace, name: str, split: str) -> EmbeddingSpace:
    """Return the space of a name, or the one learned from a split."""
    if name != LEARNED:
        return store.load(workspace, "space", name)
    return _learned(workspace, split, _stamp(workspace, ("split", split)))


def placed(space: EmbeddingSpace, method: MapMethod) -> PointMap:
    """Return the positions of a space's items on a map."""
    return _placed(space, method, space.revision)


def explored(
    workspace: Workspace,
    space: EmbeddingSpace,
    split: str,
    system: str | None,
    method: MapMethod,
    places: PointMap | None = None,
) -> Exploration:
    """Explore a space with the lists of a system, or without lists and truth.

    Args:
        workspace: The workspace of the split and the lists.
        space: The space.
        split: Name of the split.
        system: Name of the lists, or None.
        method: Method of the map if ``places`` is None.
        places: The map of a stored exploration.
    """
    kept = [("exploration", name) for name in store.names(workspace, "exploration")] if places is not None else []
    stamp = _stamp(workspace, ("split", split), ("run", system or ""), *kept)
    drawn = placed(space, method) if places is None else places
    return _explored(workspace, space, drawn, split, system, (space.revision, method, *stamp))


def kept_of(workspace: Workspace, space: EmbeddingSpace, system: str | None) -> Exploration | None:
    """Return the stored exploration of exactly this space with the lists of a system, if it has a map.

    The page then shows the findings of the command on the map they refer to.
    """
    if system is None:
        return None
    lists = store.load(workspace, "run", system)
    for name in readable(workspace, "exploration", store.names(workspace, "exploration")):
        found: Exploration = store.load(workspace, "exploration", name)
        same = found.card["revision"] == space.revision and found.name == lists.name
        if same and found.coverage is not None and found.map is not None:
            return found
    return None


def second_map(workspace: Workspace, name: str, first: PointMap, space: EmbeddingSpace) -> tuple[PointMap, int]:
    """Return the map of a second space turned onto the first, and the number of items that it lacks.

    Raises:
        DataError: If fewer than three items are in both.
    """
    theirs = placed(space_of(workspace, name, ""), "PCA" if first.method == "pca" else "UMAP")
    return arranged_like(first, space, theirs)


def packed(
    found: Exploration,
    space: EmbeddingSpace,
    beside: dict[str, Exploration],
    user: dict[str, pl.Series],
    second: dict[str, PointMap],
    key: tuple,
) -> bytes:
    """Return the map in the format of the component; ``key`` identifies its sources."""
    return _packed(found, space, beside, user, second, key)


def at_user(
    workspace: Workspace, space: EmbeddingSpace, found: Exploration, split: str, system: str, user: str
) -> tuple[pl.Series, list[int]]:
    """Label each item for one user, and name the regions near the user that hold nothing of the history or the list.

    Raises:
        DataError: If no user in the split has that id.
    """
    parts = store.load(workspace, "split", split)
    tables = {
        HISTORY: parts.train.interactions,
        LISTED: store.load(workspace, "run", system).table,
        LATER: parts.test,
    }
    rows = {}
    for what, table in tables.items():
        ids = table.filter(pl.col(USER).cast(pl.String) == user)[ITEM]
        found_rows = space.rows(ids.cast(space.ids.dtype, strict=False).drop_nulls())
        rows[what] = found_rows[found_rows >= 0]
    if not any(map(len, rows.values())):
        raise DataError(f"user {user} has no history and no list with items of this space", fix="Choose another user.")
    nearby = unexplored_regions(space, found.regions.fine, rows[HISTORY], rows[LISTED]).tolist()
    state = np.full(len(space), NEITHER, object)
    state[np.isin(found.regions.fine, nearby)] = NEARBY
    for what in reversed(tables):  # of two that hold for an item the first is told
        state[rows[what]] = what
    return pl.Series(state, dtype=pl.String), nearby


def segments_of(workspace: Workspace, split: str) -> dict[str, tuple[str, str]]:
    """Return each segment of the users of a split as it is called on the page -> its column and label."""
    segments = store.load(workspace, "split", split).train.segments
    if segments is None:
        return {}
    return {
        f"{column}: {label}": (column, label)
        for column in segments.columns
        if column != USER
        for label in sorted(segments[column].cast(pl.String).drop_nulls().unique())
    }


def shown_to(
    workspace: Workspace, space: EmbeddingSpace, split: str, system: str, segment: tuple[str, str]
) -> pl.Series:
    """Return the number of lists of users of a segment, given as its column and label, that each item is in."""
    column, label = segment
    segments = store.load(workspace, "split", split).train.segments
    users = segments.filter(pl.col(column).cast(pl.String) == label)[USER]
    lists = store.load(workspace, "run", system).table
    rows = space.rows(lists.filter(pl.col(USER).is_in(users.implode()))[ITEM])
    return pl.Series(np.bincount(rows[rows >= 0], minlength=len(space)))


def outline(space: EmbeddingSpace) -> bytes:
    """Return the items by their principal components, which are there at once, in the format of the component."""
    return pack_map([MapView(places=pca_map(space).points)], attribute_columns(space, None), titles=titles_of(space))


def _stamp(workspace: Workspace, *wanted: tuple[str, str]) -> tuple[str, ...]:
    return tuple(each.created.isoformat() for each in store.listing(workspace) if (each.kind, each.name) in wanted)


@st.cache_resource(show_spinner="Learning vectors of the items …", max_entries=4)
def _learned(_workspace: Workspace, split: str, stamp: tuple[str, ...]) -> EmbeddingSpace:
    del stamp
    train = store.load(_workspace, "split", split).train
    users, items = (train.interactions[name].n_unique() for name in (USER, ITEM))
    factors = max(1, min(_FACTORS, users - 1, items - 1))
    return embed_model(PureSVD(factors=factors).fit(train), items=train.items, name=split).items


@st.cache_resource(show_spinner="Drawing the map …", max_entries=4)
def _placed(_space: EmbeddingSpace, method: MapMethod, revision: str) -> PointMap:
    del revision
    return pca_map(_space) if method == "PCA" else umap_map(_space, neighbour_graph(_space))


@st.cache_resource(show_spinner="Exploring the space …", max_entries=8)
def _explored(
    _workspace: Workspace,
    _space: EmbeddingSpace,
    _map: PointMap,
    split: str,
    system: str | None,
    key: tuple[str, ...],
) -> Exploration:
    del key
    if system is None:
        return explore(_space, point_map=_map, labels=label_columns(_space))
    parts = store.load(_workspace, "split", split)
    lists = store.load(_workspace, "run", system)
    return explore(_space, lists, parts.test, train=parts.train, point_map=_map, labels=label_columns(_space))


@st.cache_resource(show_spinner="Preparing the map …", max_entries=4)
def _packed(
    _found: Exploration,
    _space: EmbeddingSpace,
    _beside: dict[str, Exploration],
    _user: dict[str, pl.Series],
    _second: dict[str, PointMap],
    key: tuple,
) -> bytes:
    del key
    return pack_exploration(_found, _space, beside=_beside, other=_second, user_columns=_user, file="map")
