"""``reclens explore index``, ``search`` and ``move``: spaces in vector stores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reclens.cli.bundles import OUTPUT, Output
from reclens.cli.registry import command
from reclens.cli.shared import WorkspaceOption

if TYPE_CHECKING:
    import numpy as np

    from reclens.explore.space import EmbeddingSpace
    from reclens.protocols import VectorStore

__all__ = ["index", "move", "search"]

SpaceArgument = Annotated[str, typer.Argument(help="A space of the workspace, or a store as SCHEME:REST.")]
StoreOption = Annotated[str | None, typer.Option("--store", help="The store; local:WORKSPACE/stores/SPACE if omitted.")]


@command("explore index")
def index(
    space: Annotated[str, typer.Argument(help="A space of the workspace.")],
    recall: Annotated[
        float, typer.Option("--recall", min=0.01, max=1, help="Target recall at 10 of the index.")
    ] = 0.95,
    again: Annotated[bool, typer.Option("--again", help="Also write vectors that are already in the store.")] = False,
    workspace: WorkspaceOption = Path("workspace"),
    output: Output = OUTPUT,
) -> None:
    """Write a space into the embedded store, and build an index if it has more than 50,000 vectors.

    The number of probes is chosen by the recall on a sample, compared with exact search. The recall is measured on
    another sample.

    Example:
      reclens explore index plots --recall 0.98
    """
    from reclens.cli.progress import progress_of
    from reclens.cli.shared import table_of
    from reclens.explore.local_store import LocalStore
    from reclens.explore.transfer import move as moved
    from reclens.workspace import Workspace

    loaded = Workspace(workspace).load("space", space)
    place = _own_folder(workspace, space)
    store = LocalStore(place)
    with progress_of(quiet=output.quiet) as progress:
        found = moved(loaded, store, again=again, progress=progress)
        plan = store.build_index(target=recall, progress=progress)
    row: dict[str, Any] = {"store": f"local:{place}", "vectors": found.vectors, "search": "exact"}
    if plan is not None:
        row |= {"search": f"{plan.probes} of {plan.lists} lists", "recall@10": f"{plan.recall}"}
    output.emit(table_of("Index", [row]))


@command("explore move")
def move(
    source: SpaceArgument,
    to: Annotated[
        str,
        typer.Option(
            "--to", help="The store: local:FOLDER, lance:FOLDER, pgvector:TABLE, pinecone:INDEX, weaviate:COLLECTION."
        ),
    ],
    again: Annotated[bool, typer.Option("--again", help="Also write vectors that are already there.")] = False,
    workspace: WorkspaceOption = Path("workspace"),
    output: Output = OUTPUT,
) -> None:
    """Copy a space into a store, or one store into another.

    The same command resumes a copy that was killed. At the end, both sides must have the same number of vectors, and a
    sample is read back and compared. Addresses and keys of services come from the environment.

    Examples:
      reclens explore move plots --to pinecone:films

      reclens explore move lance:films --to pgvector:films
    """
    from reclens.cli.progress import progress_of
    from reclens.cli.shared import table_of
    from reclens.explore.transfer import move as moved
    from reclens.protocols import VectorStore, adapter
    from reclens.workspace import Workspace

    target = adapter(to, VectorStore)
    origin = adapter(source, VectorStore) if ":" in source else Workspace(workspace).load("space", source)
    with progress_of(quiet=output.quiet) as progress:
        found = moved(origin, target, again=again, progress=progress)
    output.emit(table_of("Moved", found.to_dicts()))


@command("explore search")
def search(
    space: Annotated[str, typer.Argument(help="A space of the workspace.")],
    text: Annotated[str | None, typer.Option("--text", help="Search by text, in a space made of texts.")] = None,
    like: Annotated[
        list[str] | None, typer.Option("--like", help="Search by the mean vector of these ids; can be repeated.")
    ] = None,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Number of results.")] = 10,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", help="Filter, as ATTRIBUTE=VALUE; can be repeated. JSON for lists and ranges."),
    ] = None,
    store: StoreOption = None,
    workspace: WorkspaceOption = Path("workspace"),
    output: Output = OUTPUT,
) -> None:
    """Find the nearest neighbours of a text or of examples.

    Examples:
      reclens explore search plots --text "a shark attacks a beach town"

      reclens explore search plots --like s1 --where type=Movie --where 'release_year={"gte": 2000}'
    """
    from reclens.cli.shared import table_of
    from reclens.errors import UsageError
    from reclens.explore.local_store import LocalStore
    from reclens.explore.stores import card_of, check_same_card
    from reclens.protocols import VectorStore, adapter
    from reclens.workspace import Workspace

    if (text is None) == (not like):
        raise UsageError("expected one of --text and --like: what to search by.")
    place = Workspace(workspace)
    loaded: EmbeddingSpace = place.load("space", space)
    opened: VectorStore = LocalStore(_own_folder(workspace, space)) if store is None else adapter(store, VectorStore)
    card = opened.describe().card
    if card is None:
        raise UsageError(f"there is no store of '{space}' yet. Run: reclens explore index {space}")
    check_same_card(card, card_of(loaded), opened.describe().place)
    vector = _of_text(loaded, text) if text is not None else _of_examples(loaded, like or [])
    asked = dict(_condition(each, card.attributes) for each in where or [])
    own = set(like or [])
    lists, cosines = opened.query(vector, k + len(own), where=asked or None)
    found = [(one, float(cosine)) for one, cosine in zip(lists[0], cosines[0], strict=False) if one not in own][:k]
    about = opened.fetch([one for one, _ in found]).attributes.to_dicts() or [{} for _ in found]
    rows = [
        {"rank": rank, "id": one, "cosine": round(cosine, 4), **known}
        for rank, ((one, cosine), known) in enumerate(zip(found, about, strict=True), 1)
    ]
    output.emit(table_of("Nearest", rows, columns=["rank", "id", "cosine", *card.attributes]))


def _own_folder(workspace: Path, space: str) -> Path:
    return Path(workspace) / "stores" / space


def _of_text(space: EmbeddingSpace, text: str) -> np.ndarray:
    from reclens.errors import UsageError
    from reclens.explore.query_text import encoder_of

    vector = encoder_of(space).encode([text])
    if not vector.any():
        raise UsageError(f"no word of {text!r} is known to '{space.name}'. Search by other words.")
    return vector


def _of_examples(space: EmbeddingSpace, ids: list[str]) -> np.ndarray:
    import polars as pl

    from reclens.errors import UnknownNameError

    known = pl.DataFrame({"id": space.ids.cast(pl.String)}).with_row_index("row")
    rows = pl.DataFrame({"id": ids}).join(known, on="id", how="left", maintain_order="left")
    unknown = rows.filter(pl.col("row").is_null())["id"].to_list()
    if unknown:
        raise UnknownNameError("id", unknown[0], known["id"].head(200).to_list())
    return space.unit[rows["row"].to_numpy()].mean(axis=0, keepdims=True)


def _condition(written: str, kinds: Any) -> tuple[str, Any]:
    """Parse ``year={"gte": 1990}`` or ``language=en`` as an entry of a filter."""
    from reclens.errors import UsageError

    name, sign, value = written.partition("=")
    if not sign:
        raise UsageError(f"--where {written!r} is no condition. Expected ATTRIBUTE=VALUE.")
    if kinds.get(name) in ("text", "texts") and not value.startswith(("[", "{")):
        return name, value
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
