"""``reclens explore map``: write an exploration as a map in one file, as a picture, or for Embedding Atlas."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reclens.cli.bundles import OUTPUT, Output
from reclens.cli.registry import command
from reclens.cli.shared import SeedOption, WorkspaceOption, writable
from reclens.report._toolkit.format import whole

if TYPE_CHECKING:
    from reclens.explore.project import PointMap
    from reclens.explore.result import Exploration
    from reclens.explore.space import EmbeddingSpace
    from reclens.workspace import Workspace

__all__ = ["draw_map"]


@command("explore map")
def draw_map(
    space: Annotated[str, typer.Argument(help="A space of the workspace.")],
    exploration: Annotated[
        str | None,
        typer.Option("--exploration", help="An exploration of the workspace; the space alone is explored if omitted."),
    ] = None,
    beside: Annotated[
        list[str] | None,
        typer.Option("--beside", help="Another exploration of this space, as a second view; can be repeated."),
    ] = None,
    other: Annotated[
        str | None, typer.Option("--other", help="Another space with the same items, as a second view.")
    ] = None,
    map_by: Annotated[
        str | None, typer.Option("--map", help="pca or umap; as in the exploration, or pca, if omitted.")
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option("--page", callback=writable, help="The file; WORKSPACE/reports/SPACE-map.html if omitted."),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", callback=writable, help="Write all points as a picture, PNG.")
    ] = None,
    atlas: Annotated[
        Path | None, typer.Option("--atlas", callback=writable, help="Write a Parquet file for Embedding Atlas.")
    ] = None,
    workspace: WorkspaceOption = Path("workspace"),
    seed: SeedOption = 0,
    output: Output = OUTPUT,
) -> None:
    """Draw the map of a space as one HTML file that needs no network.

    Two recommenders, or two spaces, are shown side by side. Above 2,000,000 points only the picture is written.

    Examples:
      reclens explore map films --map umap

      reclens explore map films --exploration ease --beside popular --picture films.png
    """
    from reclens.cli.progress import progress_of
    from reclens.cli.shared import table_of
    from reclens.data.origin import says_synthetic
    from reclens.edges.embedding_atlas import atlas_command, write_atlas
    from reclens.errors import UnknownNameError
    from reclens.files import write_bytes
    from reclens.job.explore_map import LARGEST_MAP, MAPS, arranged_like, map_of, mapped
    from reclens.report.explore.charts import map_picture
    from reclens.report.explore.map_page import build_exploration_map
    from reclens.workspace import Workspace

    if map_by is not None and map_by not in MAPS:
        raise UnknownNameError("--map", map_by, MAPS)
    place = Workspace(workspace)
    loaded: EmbeddingSpace = place.load("space", space)
    with progress_of(quiet=output.quiet) as progress:
        found = mapped(loaded, _kept(place, exploration, loaded), map_by, workspace=place, seed=seed, progress=progress)
        assert found.map is not None
        views = {name: _kept(place, name, loaded) for name in beside or ()}
        second: dict[str, PointMap] = {}
        if other is not None:
            method = "pca" if found.map.method == "pca" else "umap"
            theirs = map_of(place.load("space", other), method, workspace=place, seed=seed, progress=progress)
            second[other], lacking = arranged_like(found.map, loaded, theirs)
            if lacking:
                output.say(f"{whole(lacking)} items are not in '{other}': they stand beside their neighbours")
    synthetic = says_synthetic(dict(found.card))
    written: list[dict[str, str]] = []
    if len(loaded) <= LARGEST_MAP:
        file = page or place.folder / "reports" / f"{space}-map.html"
        made = build_exploration_map(found, loaded, synthetic=synthetic, file=file.stem, beside=views, other=second)
        written.append({"what": "map", "file": str(made.save(file))})
    else:
        picture = picture or place.folder / "reports" / f"{space}-map.png"
        output.say(f"{whole(len(loaded))} points are more than a page can hold: a picture is written")
    if picture is not None:
        write_bytes(picture, map_picture(found))
        written.append({"what": "picture", "file": str(picture)})
    if atlas is not None:
        files = write_atlas(found, loaded, atlas)
        written += [{"what": what, "file": str(each)} for what, each in zip(("items", "labels"), files, strict=True)]
        output.say(f"open it by: {atlas_command(*files, text='text' in _columns(files[0]))}")
    output.emit(table_of("Map", written))


def _columns(file: Path) -> list[str]:
    import polars as pl

    return list(pl.read_parquet_schema(file))


def _kept(place: Workspace, name: str | None, space: EmbeddingSpace) -> Exploration | None:
    """Load an exploration from the workspace, which must belong to exactly this space."""
    from reclens.errors import IncomparableError

    if name is None:
        return None
    found: Exploration = place.load("exploration", name)
    if found.card["revision"] != space.revision:
        raise IncomparableError(
            f"the exploration '{name}' is of '{found.card['space']}' in revision {found.card['revision']}, and "
            f"'{space.name}' has revision {space.revision}. Explore it again: reclens explore report … --keep {name}"
        )
    return found
