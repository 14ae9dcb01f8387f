"""An exploration as an interactive map: what is known of each item, and the items that each finding is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import polars as pl

from reclens.errors import UsageError
from reclens.explore.neighbours import neighbour_graph
from reclens.explore.project import PointMap, pca_map
from reclens.explore.result import Exploration
from reclens.explore.space import EmbeddingSpace
from reclens.findings import Finding
from reclens.report._toolkit.format import count_of, whole
from reclens.report._toolkit.html import Document
from reclens.report._toolkit.point_map import MapColumn, MapFinding, MapLabel, MapView, map_page, pack_map
from reclens.report.explore.sentences import overall_sentence, quality_sentence
from reclens.report.explore.states import NEITHER, REASON_COLOURS, SHOWN, STATE_COLOURS, USER_COLOURS, states_of
from reclens.report.explore.words import FINDINGS, MODELS, REASONS, SEVERITIES

__all__ = [
    "attribute_columns",
    "build_exploration_map",
    "map_columns",
    "map_labels",
    "pack_exploration",
    "points_of",
    "texts_of",
    "titles_by_id",
    "titles_of",
]

_NEIGHBOURS: Final = 10
_CATEGORIES: Final = 2_000
"""Text with more different values than this is no category that one filters by."""
_TITLES: Final = ("title", "name")


def pack_exploration(
    found: Exploration,
    space: EmbeddingSpace,
    *,
    beside: Mapping[str, Exploration] | None = None,
    other: Mapping[str, PointMap] | None = None,
    user_columns: Mapping[str, pl.Series] | None = None,
    text: str | None = None,
    file: str = "map",
) -> bytes:
    """The map of an exploration with its findings, for a page or for :func:`build_exploration_map`.

    Args:
        found: The exploration.
        space: What it explored.
        beside: Other systems on the same space, by name: each becomes a second view, coloured by what it shows.
        other: Other arrangements of the same items, by name, such as the maps of other spaces, side by side.
        user_columns: Columns about one user or a segment, such as what is in the history and in the list.
        text: Column of texts; None takes one that was embedded.
        file: Name of the file of a download, without its end.

    Raises:
        UsageError: If the exploration is of another space.
    """
    if len(found.regions.fine) != len(space):
        raise UsageError(
            f"the exploration is of {whole(len(found.regions.fine))} items, and the space has {whole(len(space))}."
        )
    beside = beside or {}
    points = found.map.points if found.map is not None else pca_map(space).points
    columns = [
        *_about_users(user_columns),
        *map_columns(found),
        *(_state(each, f"shown by {name}") for name, each in beside.items() if each.coverage is not None),
    ]
    taken = {each.name for each in columns}
    columns += [
        replace(each, name=f"{each.name} (attribute)") if each.name in taken else each
        for each in attribute_columns(space, text)
    ]
    labels = map_labels(found, points)
    name = f"{space.name} by {found.map.method.upper() if found.map is not None else 'PCA'}" if other else ""
    views = [MapView(places=points, name=found.name if beside else name, labels=labels)]
    views += [
        MapView(places=points, name=each, labels=labels, colour=f"shown by {each}")
        for each, theirs in beside.items()
        if theirs.coverage is not None
    ]
    views += [
        MapView(places=each.points, name=f"{called} by {each.method.upper()}", labels=map_labels(found, each.points))
        for called, each in (other or {}).items()
    ]
    graph = neighbour_graph(space, k=min(_NEIGHBOURS, len(space) - 1)) if len(space) > 1 else None
    return pack_map(
        views,
        columns,
        colour=columns[0].name,
        titles=titles_of(space),
        details=texts_of(space, text),
        neighbours=None if graph is None else graph.rows,
        findings=[
            MapFinding(text=_finding_text(each, len(rows)), points=rows)
            for each in found.findings
            for rows in [points_of(found, space, each)]
            if len(rows)
        ],
        noun=space.entity,
        file=file,
    )


def build_exploration_map(
    found: Exploration, space: EmbeddingSpace, *, synthetic: bool = False, file: str = "map", **more: object
) -> Document:
    """The map as one file of HTML, which needs no network.

    Args:
        found: The exploration.
        space: What it explored.
        synthetic: Whether the data are synthetic, which a banner says.
        file: Name of the file of a download, without its end.
        more: As for :func:`pack_exploration`.
    """
    packed = pack_exploration(found, space, file=file, **more)  # type: ignore[arg-type]
    notes = (overall_sentence(found), quality_sentence(found))
    made_by = MODELS.get(space.card.model, space.card.model)
    subject = f"{count_of(len(space), space.entity)} · {made_by}, {whole(space.dimension)} dimensions"
    return map_page(packed, title=f"Map of {found.name}", subject=subject, notes=notes, synthetic=synthetic)


def points_of(found: Exploration, space: EmbeddingSpace, finding: Finding) -> np.ndarray:
    """Rows of the items that a finding is about; empty where it is about none, such as one on queries."""
    code, reach, coverage = finding.code, found.reach, found.coverage
    if code == "blind_spot" and coverage is not None:
        inside = found.regions.fine == finding.evidence[0]["region"]
        return np.flatnonzero(inside & ~coverage.shown)
    if finding.kind == "reach" and reach is not None:
        return reach.of(code)  # type: ignore[arg-type]
    if code == "dead_stock" and found.demand is not None:
        return np.sort(found.demand.dead_stock)
    if code == "near_duplicates":
        ids = [each for group in found.duplicates.groups for each in group.ids]
        return np.sort(space.rows(pl.Series(ids, dtype=space.ids.dtype)))
    if code == "hubs":
        return np.sort(found.hubness.strong)
    if code == "moved" and found.drift is not None:
        rows = space.rows(found.drift.ids.gather(found.drift.far))
        return np.sort(rows[rows >= 0])
    regions = [row["region"] for row in finding.evidence if "region" in row]
    return np.flatnonzero(np.isin(found.regions.fine, regions))


def _finding_text(finding: Finding, items: int) -> str:
    where = finding.evidence[0].get("name") if finding.code == "blind_spot" and finding.evidence else None
    what = f"{FINDINGS[finding.code]}: {where}" if where else FINDINGS[finding.code]
    return f"{what} ({SEVERITIES[finding.severity]}; {whole(items)} {'item' if items == 1 else 'items'})"


def _state(found: Exploration, name: str) -> MapColumn:
    about = "Shown: in the list of at least one user. Wanted: in the held-out interactions."
    return MapColumn(name=name, values=pl.Series(states_of(found)), about=about, grey=SHOWN, colours=STATE_COLOURS)


def map_columns(found: Exploration) -> list[MapColumn]:
    """What an exploration knows of each item: whether it is shown and wanted, why not, its region, its k-occurrence."""
    columns = []
    if found.coverage is not None:
        columns += [
            _state(found, "shown"),
            MapColumn(
                name="times shown", values=pl.Series(found.coverage.exposures), about="Lists that the item is in."
            ),
            MapColumn(
                name="times wanted",
                values=pl.Series(found.coverage.wants),
                about="Held-out interactions with it.",
            ),
            MapColumn(
                name="wanted less shown",
                values=_gaps(found),
                unit="points of %",
                about="Of the region: its share of what is wanted less its share of what is shown.",
            ),
        ]
    if found.reach is not None:
        reasons = np.full(len(found.regions.fine), SHOWN, object)
        reasons[found.reach.rows] = [REASONS[each] for each in found.reach.reasons]
        about = "Why an item is in no list: the first reason that holds."
        columns.append(
            MapColumn(
                name="why never shown",
                values=pl.Series(reasons, dtype=pl.String),
                about=about,
                grey=SHOWN,
                colours=REASON_COLOURS,
            )
        )
    if found.popularity is not None:
        counts = pl.Series(found.popularity).cast(pl.Int64)
        columns.append(MapColumn(name="popularity", values=counts, about="Training interactions with the item."))
    names = pl.Series([found.regions.name(at) for at in range(len(found.regions))], dtype=pl.String)
    return [
        *columns,
        MapColumn(name="region", values=names.gather(found.regions.fine), regions=True),
        MapColumn(
            name="k-occurrence",
            values=pl.Series(found.hubness.counts),
            about=f"Of how many items it is one of the {found.hubness.k} nearest. 0: anti-hub.",
        ),
    ]


def _gaps(found: Exploration) -> pl.Series:
    gaps = np.full(len(found.regions), np.nan)
    for each in () if found.coverage is None else found.coverage.regions:
        gaps[each.region] = 100 * each.gap.value
    return pl.Series(gaps[found.regions.fine])


def _about_users(columns: Mapping[str, pl.Series] | None) -> list[MapColumn]:
    return [
        MapColumn(name=name, values=values, grey=NEITHER, colours=USER_COLOURS)
        for name, values in (columns or {}).items()
    ]


def attribute_columns(space: EmbeddingSpace, text: str | None) -> list[MapColumn]:
    """The attributes that one can colour and filter by: numbers, and text with few values, of lists the first."""
    apart = {*_TITLES, *space.card.text_columns, text}
    found = []
    for name in space.attributes.columns:
        values = space.attributes[name]
        if name in apart:
            continue
        several = isinstance(values.dtype, pl.List) and values.dtype.inner == pl.String
        if several:  # such as genres
            values = values.list.first()
        if values.dtype.is_nested():
            continue
        if not values.dtype.is_numeric() and values.n_unique() > _CATEGORIES:
            continue
        found.append(MapColumn(name=name, values=values, about="The first of several." if several else ""))
    return found


def titles_of(space: EmbeddingSpace) -> pl.Series:
    """Titles of the items; their ids where they have none."""
    name = next((each for each in _TITLES if each in space.attributes.columns), None)
    ids = space.ids.cast(pl.String)
    return ids if name is None else space.attributes[name].cast(pl.String).fill_null(ids)


def titles_by_id(space: EmbeddingSpace) -> dict[str, str]:
    """Id, as text, -> title."""
    return dict(zip(space.ids.cast(pl.String), titles_of(space), strict=True))


def texts_of(space: EmbeddingSpace, text: str | None) -> pl.Series | None:
    """The text of each item: of a column, or of the first one that was embedded and is no title."""
    known = [text, *(each for each in space.card.text_columns if each not in _TITLES)]
    name = next((each for each in known if each in space.attributes.columns), None)
    return None if name is None else space.attributes[name].cast(pl.String)


def map_labels(found: Exploration, points: np.ndarray) -> Sequence[MapLabel]:
    """Names of the regions in the middle of their points, of the larger ones first."""
    regions = found.regions
    if not regions.names:
        return ()
    levels = ((regions.coarse[regions.fine], regions.coarse_names), (regions.fine, regions.names))
    labels = []
    for level, (groups, names) in enumerate(levels):
        sizes = np.bincount(groups, minlength=len(names))
        for at in np.argsort(-sizes, kind="stable")[: int((sizes > 0).sum())]:
            x, y = np.median(points[groups == at], axis=0).tolist()
            labels.append(MapLabel(text=names[at], x=x, y=y, level=level))
    return labels
