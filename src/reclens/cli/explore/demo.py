"""``reclens explore demo``: explore a text catalogue with the items that a recommender shows and never finds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reclens.cli.bundles import OUTPUT, Output
from reclens.cli.reading import NOTHING, reads
from reclens.cli.registry import command
from reclens.cli.shared import SeedOption, WorkspaceOption
from reclens.data.read.request import Reading

__all__ = ["demo"]


@command("explore demo")
@reads(attributes=False, ratings="ratings")
def demo(
    data: Annotated[
        str | None,
        typer.Option("--data", "-d", help="Catalogue with ids and texts: CSV, Parquet, JSON; synthetic if omitted."),
    ] = None,
    ratings: Annotated[
        str | None,
        typer.Option("--ratings", help="Interactions with the items of --data, such as ml-1m.zip."),
    ] = None,
    reading: Reading = NOTHING,
    map_by: Annotated[
        str | None, typer.Option("--map", help="pca or umap; umap if scikit-learn is installed and this is omitted.")
    ] = None,
    workspace: WorkspaceOption = Path("workspace"),
    seed: SeedOption = 0,
    output: Output = OUTPUT,
) -> None:
    """Embed a catalogue, recommend from it by EASE, and explore what is shown, wanted and never found.

    Without [bold]--data[/bold] the catalogue is synthetic, with titles and plots from a grammar, and clearly labelled.
    Without [bold]--ratings[/bold], a catalogue of your own is explored without lists. Space, store, lists, exploration,
    map and report are kept in the workspace.

    Examples:
      reclens explore demo

      reclens explore demo --data netflix_titles.csv.gz

      reclens explore demo --data ml-1m_plots.csv.gz --ratings ml-1m.zip
    """
    from importlib.util import find_spec

    from reclens.cli.explore.report import say_exploration
    from reclens.cli.shared import prepare, progress_of
    from reclens.data.read.open import load_data
    from reclens.errors import UnknownNameError, UsageError
    from reclens.job.explore_demo import DEMO, read_catalogue, run_demo, synthetic_catalogue
    from reclens.job.explore_map import MAPS
    from reclens.workspace import Workspace

    if data is None and ratings is not None:
        raise UsageError("--ratings is given without --data: name the catalogue that they are about.")
    if ratings is None:
        reading.refuse_all("no --ratings are read")
    chosen = map_by or ("umap" if find_spec("sklearn") else "pca")
    if chosen not in MAPS:
        raise UnknownNameError("--map", chosen, MAPS)
    place = Workspace(workspace)
    place.expect_free("space", DEMO, overwrite=True)
    with progress_of(quiet=output.quiet) as progress:
        prepare(progress, "data", "models", "explore", quiet=output.quiet)
        known = None if ratings is None else load_data(ratings, reading, table="ratings")
        if data is None:
            catalogue, known = synthetic_catalogue(seed=seed)
        else:
            catalogue = read_catalogue(data)
        done = run_demo(place, catalogue, known, map_by=chosen, seed=seed, progress=progress, say=output.say)
    say_exploration(done.found, done.space, output)
    output.say(f"search for '{done.query}': {'; '.join(done.answers)}")
    output.say(f"map: {done.written[0]}; report: {', '.join(map(str, done.written[1:]))}")
