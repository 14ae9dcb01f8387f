"""Explore: a map of the items, which of them are shown, which are wanted but never shown, and why."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from reclens.dashboard import seen, spaces, store
from reclens.dashboard.advice import said_on_page
from reclens.dashboard.chart_cache import draw
from reclens.dashboard.isolated_parts import drawn_alone
from reclens.dashboard.navigation import Page
from reclens.dashboard.point_map import show_map
from reclens.dashboard.scene import kept_runs
from reclens.dashboard.widgets import bullets, chart, choose, choose_view, download, empty, filters, frame, plain, table
from reclens.errors import DataError, MissingExtraError
from reclens.explore.project import PointMap
from reclens.explore.result import Exploration
from reclens.explore.space import EmbeddingSpace
from reclens.report._toolkit.format import whole
from reclens.report.explore import charts
from reclens.report.explore.document import build_exploration_report
from reclens.report.explore.map_page import build_exploration_map, titles_by_id
from reclens.report.explore.sentences import (
    finding_sentence,
    overall_sentence,
    quality_sentence,
    unexplored_sentence,
)
from reclens.report.explore.tables import exploration_table, missing_table, reason_table, region_table
from reclens.workspace import Workspace

__all__ = ["PAGE", "show"]

_NONE, _ONE, _ALL = "Without lists", "One space", "All users"
_VIEWS = ("Map", "Findings", "Regions", "Why never shown", "Numbers")


def show(workspace: Workspace) -> None:
    """Draw the page."""
    st.title("Explore")
    st.caption("What the recommender shows of its catalogue, what it never finds, and why.")
    kept, splits = store.names(workspace, "space"), store.names(workspace, "split")
    if not kept and not splits:
        empty(
            "No space yet",
            "`reclens explore embed` makes vectors of items from texts, a model or a file and keeps them here; "
            "a split is enough to learn some from it: `reclens run job.toml` makes one.",
            ":material/map:",
        )
        return
    chosen = _chosen(workspace, kept, splits)
    outline = st.empty()
    try:
        found, beside, space = _found(workspace, chosen, outline)
    except MissingExtraError as error:
        empty("A package is missing", str(error), ":material/extension_off:")
        return
    outline.empty()
    titles = titles_by_id(space)
    sentences = [finding_sentence(found, each, titles) for each in found.findings]
    seen.text("findings", [overall_sentence(found), *sentences])
    st.markdown(f"**{plain(overall_sentence(found))}**")

    def draw_part() -> None:
        view = choose_view(_VIEWS, key="part", label="Part")
        if view == "Map":
            _map(workspace, chosen, found, beside, space)
        elif view == "Findings":
            bullets(sentences or ["Nothing needs action, by what was given."])
        else:
            _part(view, found)

    drawn_alone(workspace, draw_part)
    _downloads(found, space, chosen["space"])


def _chosen(workspace: Workspace, kept: list[str], splits: list[str]) -> dict[str, Any]:
    """Return the chosen space, split, lists, other lists, second space and method."""
    runs = store.names(workspace, "run")
    asked = kept_runs(runs) if runs else []
    with filters("space, split, lists, map"):
        names = [*kept, *([spaces.LEARNED] if splits else [])]
        space = choose("Space", names, key="space") or names[0]
        fitting = store.split_of(workspace, asked[:1]) if asked else None
        split = (choose("Split", splits, key="split", start=fitting) or splits[0]) if splits else ""
        near = [name for name in runs if split and name in store.fitting(workspace, split)]
        system = (choose("Lists", [*near, _NONE], key="lists") or near[0]) if near else _NONE
        others = [name for name in near if name != system]
        other = choose("Beside", [_NONE, *others], key="beside") if others and system != _NONE else None
        twins = [name for name in kept if name != space]
        second = choose("Second space", [_ONE, *twins], key="second") if twins else None
        chosen = None if system == _NONE else system
        held = spaces.kept_of(workspace, spaces.space_of(workspace, space, split), chosen)
        methods = [*([spaces.KEPT] if held is not None else []), "PCA", "UMAP"]
        method = choose("Map by", methods, key="map") or methods[0]
    return {
        "space": space,
        "split": split,
        "system": None if system == _NONE else system,
        "other": None if other in (None, _NONE) else other,
        "second": None if second in (None, _ONE) else second,
        "method": method,
        "held": held if method == spaces.KEPT else None,
    }


def _found(
    workspace: Workspace, chosen: dict[str, Any], outline: DeltaGenerator
) -> tuple[Exploration, dict[str, Exploration], EmbeddingSpace]:
    space = spaces.space_of(workspace, chosen["space"], chosen["split"])
    drawn = f"map by UMAP of {space.revision}"
    if chosen["method"] == "UMAP" and drawn not in st.session_state:
        with outline.container():
            st.caption("By principal components, while UMAP is computed.")
            show_map(spaces.outline(space), key="outline")
        spaces.placed(space, "UMAP")
        st.session_state[drawn] = True

    held: Exploration | None = chosen.pop("held")
    places = None if held is None else held.map

    def of(system: str | None) -> Exploration:
        return spaces.explored(workspace, space, chosen["split"], system, chosen["method"], places)

    beside = {chosen["other"]: of(chosen["other"])} if chosen["other"] else {}
    return held or of(chosen["system"]), beside, space


def _map(
    workspace: Workspace,
    chosen: dict[str, Any],
    found: Exploration,
    beside: dict[str, Exploration],
    space: EmbeddingSpace,
) -> None:
    st.caption(quality_sentence(found))
    user = _of_users(workspace, chosen, found, space) if chosen["system"] else {}
    second = _second(workspace, chosen["second"], found, space)
    key = (space.revision, *map(str, chosen.values()), *user, *(each.revision for each in second.values()))
    rows = show_map(spaces.packed(found, space, beside, user, second, key), key="map-of-points")
    if rows:
        about = space.attributes[rows] if space.attributes.width else pl.DataFrame()
        with st.expander(f"The {whole(len(rows))} selected as a table"):
            frame(pl.DataFrame({space.entity: space.ids.gather(rows).cast(pl.String)}).hstack(about), key="selected")


def _of_users(
    workspace: Workspace, chosen: dict[str, Any], found: Exploration, space: EmbeddingSpace
) -> dict[str, pl.Series]:
    """What one user has and is shown, and what is shown to one segment, as columns of the map."""
    columns: dict[str, pl.Series] = {}
    about = (chosen["split"], chosen["system"])
    asked = st.text_input("Stand at a user", key="user", bind="query-params", placeholder="an id, such as 42")
    if asked:
        try:
            columns[f"user {asked}"], nearby = spaces.at_user(workspace, space, found, *about, asked)
            st.caption(plain(unexplored_sentence(found, nearby)))
        except DataError as error:
            st.warning(plain(said_on_page(error)), icon=":material/person_off:")
    segments = spaces.segments_of(workspace, chosen["split"])
    if segments:
        segment = choose("Shown to", [_ALL, *segments], key="segment")
        if segment in segments:
            columns[f"times shown to {segment}"] = spaces.shown_to(workspace, space, *about, segments[segment])
    return columns


def _second(workspace: Workspace, name: str | None, found: Exploration, space: EmbeddingSpace) -> dict[str, PointMap]:
    """The map of the second space, turned onto the first one; none where it has other items."""
    if name is None or found.map is None:
        return {}
    try:
        turned, lacking = spaces.second_map(workspace, name, found.map, space)
    except DataError as error:
        st.warning(plain(said_on_page(error)), icon=":material/compare:")
        return {}
    if lacking:
        st.caption(plain(f"{whole(lacking)} items are not in {name}: they stand beside their neighbours."))
    return {name: turned}


def _part(view: str, found: Exploration) -> None:
    drawn: dict[str, list[tuple[Any, str]]] = {
        "Regions": [
            (draw(charts.wanted_chart, found), "Wanted against shown, by region"),
            (draw(charts.curve_chart, found), "Items shown, by number of users"),
        ],
        "Why never shown": [(draw(charts.reason_chart, found), "Why items are in no list")],
        "Numbers": [(draw(charts.recall_chart, found), "Recall of the index, by region")],
    }
    tables = {
        "Regions": [region_table(found)],
        "Why never shown": [reason_table(found)],
        "Numbers": [exploration_table(found), missing_table(found)],
    }
    for at, (figure, caption) in enumerate(drawn[view]):
        if figure is not None:
            chart(figure, caption, key=f"{view}-{at}")
    shown = [each for each in tables[view] if each is not None]
    for at, each in enumerate(shown):
        table(each, key=f"{view}-table-{at}")
    if not shown:
        st.caption("This part needs lists: choose some above.")


def _downloads(found: Exploration, space: EmbeddingSpace, name: str) -> None:
    synthetic = store.synthetic_shown()
    left, right = st.columns(2)
    stem = "explore" if name == spaces.LEARNED else name
    with left:
        download(
            "Map as one file of HTML",
            lambda: build_exploration_map(found, space, synthetic=synthetic, file=f"{stem}-map").html,
            f"{stem}-map.html",
            "text/html",
            key="download-map",
        )
    with right:
        download(
            "Report as HTML",
            lambda: build_exploration_report(found, space=space, synthetic=synthetic).html.html,
            f"{stem}-report.html",
            "text/html",
            key="download-report",
        )


PAGE = Page(title="Explore", icon=":material/map:", section="Explore", order=55, show=show, path="explore")
