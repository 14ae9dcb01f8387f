"""``reclens explore report``: which items of a space a recommender reaches, which it never finds, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reclens.cli.bundles import STUDIED, Output, Studied
from reclens.cli.reading import NOTHING, reads
from reclens.cli.registry import command
from reclens.cli.shared import WorkspaceOption
from reclens.data.read.request import Reading

if TYPE_CHECKING:
    from reclens.explore.result import Exploration
    from reclens.explore.space import EmbeddingSpace
    from reclens.protocols import VectorStore

__all__ = ["report", "say_exploration"]


@command("explore report")
@reads(attributes=False, lists="lists", truth="truth", train="train")
def report(
    space: Annotated[str, typer.Argument(help="A space of the workspace.")],
    lists: Annotated[
        str | None, typer.Argument(help="Lists of any system: CSV, Parquet, a TREC .run, or a run of the workspace.")
    ] = None,
    truth: Annotated[
        str | None, typer.Option("--truth", "-t", help="Held-out interactions: CSV, Parquet or TREC .qrels.")
    ] = None,
    train: Annotated[
        str | None,
        typer.Option(
            "--train", help="Training interactions, for popularity, and for user vectors if --demand is omitted."
        ),
    ] = None,
    reading: Reading = NOTHING,
    demand: Annotated[
        str | None, typer.Option("--demand", help="A space of the workspace with vectors of users or queries.")
    ] = None,
    store: Annotated[str | None, typer.Option("--store", help="Index to measure, as SCHEME:REST.")] = None,
    before: Annotated[
        str | None, typer.Option("--before", help="Previous version of the space, in the workspace.")
    ] = None,
    map_by: Annotated[
        str, typer.Option("--map", help="none, pca or umap; the clusters of UMAP are then the regions.")
    ] = "none",
    label: Annotated[
        list[str] | None, typer.Option("--label", help="Column whose values name the regions; can be repeated.")
    ] = None,
    category: Annotated[
        str | None, typer.Option("--category", help="Column of labels, for the purity of the regions.")
    ] = None,
    price: Annotated[
        str | None, typer.Option("--price", help="Column of the price, a possible cause of blind spots.")
    ] = None,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Positions of a list that count as shown.")] = 10,
    gate: Annotated[
        Path | None,
        typer.Option("--gate", help=r"TOML file with \[\[gate]] rows: exit status 1 unless all hold."),
    ] = None,
    keep: Annotated[str | None, typer.Option("--keep", help="Keep the exploration in the workspace.")] = None,
    workspace: WorkspaceOption = Path("workspace"),
    output: Studied = STUDIED,
) -> None:
    """Report on a space: coverage, demand that is never shown and its causes, recall of the index, geometry.

    Only the space is required; each other input adds a part to the report.

    Examples:
      reclens explore report plots lists.csv --truth test.csv --train train.csv --report plots

      reclens explore report als lists.csv --demand als-users --store local:workspace/stores/als --gate gate.toml
    """
    from reclens.cli.progress import progress_of
    from reclens.cli.shared import heed
    from reclens.data.origin import says_synthetic
    from reclens.errors import UnknownNameError
    from reclens.explore.gate import explore_gate
    from reclens.explore.procedure import run
    from reclens.explore.settings import ExploreSettings
    from reclens.job.explore_gate import load_explore_gate
    from reclens.job.explore_map import MAPS, map_of
    from reclens.protocols import VectorStore, adapter
    from reclens.report.explore.document import build_exploration_report
    from reclens.workspace import Workspace

    if map_by not in ("none", *MAPS):
        raise UnknownNameError("--map", map_by, ("none", *MAPS))
    place = Workspace(workspace)
    if keep is not None:
        place.expect_free("exploration", keep, overwrite=True)
    rules = None if gate is None else load_explore_gate(gate)
    loaded: EmbeddingSpace = place.load("space", space)
    opened: VectorStore | None = None if store is None else adapter(store, VectorStore)
    if opened is not None:
        _check_store(loaded, opened, space)
    given = _tables(place, lists, truth, train, reading)
    settings = ExploreSettings(
        k=k, neighbours=max(15, k), labels=tuple(label or ()), category=category, price=price, seed=output.seed
    )
    with progress_of(quiet=output.quiet) as progress:
        found = run(
            loaded,
            given["lists"],
            given["truth"],
            train=given["train"],
            users=None if demand is None else place.load("space", demand),
            store=opened,
            before=None if before is None else place.load("space", before),
            point_map=None
            if map_by == "none"
            else map_of(loaded, map_by, workspace=place, seed=output.seed, progress=progress),
            settings=settings,
            progress=progress,
        )
    if keep is not None:
        place.save(found, keep, overwrite=True)
    held = None if rules is None else explore_gate(found, rules)
    say_exploration(found, loaded, output)
    made_up = says_synthetic(dict(found.card))
    output.save(lambda: build_exploration_report(found, space=loaded, gate=held, synthetic=made_up))
    heed(held, quiet=output.quiet)


def say_exploration(found: Exploration, space: EmbeddingSpace, output: Output) -> None:
    """Write the numbers, and print the findings that need action."""
    from reclens.data.origin import says_synthetic
    from reclens.report.explore.map_page import titles_by_id
    from reclens.report.explore.sentences import finding_sentence, overall_sentence
    from reclens.report.explore.tables import exploration_table

    output.emit(exploration_table(found), synthetic=says_synthetic(dict(found.card)))
    output.say(overall_sentence(found))
    titles = titles_by_id(space)
    for each in found.findings:
        if each.severity != "note":
            output.say(f"- {finding_sentence(found, each, titles)}")


def _tables(place: Any, lists: str | None, truth: str | None, train: str | None, reading: Reading) -> dict[str, Any]:
    from reclens.data.read.open import load_data, load_truth
    from reclens.job.reading import load_lists

    return {
        "lists": None if lists is None else load_lists(lists, reading, name=None, place=place),
        "truth": None if truth is None else load_truth(truth, reading)[0],
        "train": None if train is None else load_data(train, reading, table="train"),
    }


def _check_store(space: EmbeddingSpace, store: VectorStore, name: str) -> None:
    from reclens.errors import UsageError
    from reclens.explore.stores import card_of, check_same_card

    about = store.describe()
    if about.card is None:
        raise UsageError(f"the store {about.place} is empty. Run: reclens explore index {name}")
    check_same_card(about.card, card_of(space), about.place)
