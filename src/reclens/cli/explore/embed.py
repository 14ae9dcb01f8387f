"""``reclens explore embed``: make a space from texts, a fitted model or a file of vectors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reclens.cli.bundles import OUTPUT, Output
from reclens.cli.registry import command
from reclens.cli.shared import WorkspaceOption
from reclens.cli.unused_options import refuse_unused

if TYPE_CHECKING:
    from reclens.data.dataset import Dataset
    from reclens.engine import Progress
    from reclens.explore.space import EmbeddingSpace
    from reclens.workspace import Workspace

__all__ = ["embed"]


@command("explore embed")
def embed(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the space in the workspace.")],
    texts: Annotated[str | None, typer.Option("--texts", help="Table with ids and texts: CSV, Parquet, JSON.")] = None,
    text: Annotated[
        list[str] | None, typer.Option("--text", help="Column of --texts to embed; can be repeated.")
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder", help="sentence-transformers:NAME or sentence-transformers:FOLDER; tf-idf and SVD if omitted."
        ),
    ] = None,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Folder of the cache of embedded texts; WORKSPACE/.cache if omitted.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="A fitted model of the workspace.")] = None,
    vectors: Annotated[
        str | None, typer.Option("--vectors", help="File of vectors: Parquet, npy or safetensors.")
    ] = None,
    ids: Annotated[str | None, typer.Option("--ids", help="Parquet file with the ids of --vectors.")] = None,
    id_column: Annotated[str, typer.Option("--id-column", help="Column of ids.")] = "item_id",
    vector_column: Annotated[
        str | None, typer.Option("--vector-column", help="Column of --vectors that has them, if it has several lists.")
    ] = None,
    tensor: Annotated[str | None, typer.Option("--tensor", help="Tensor of --vectors, if it has several.")] = None,
    invalid: Annotated[
        str, typer.Option("--invalid", help="Vectors of 0 or not finite in --vectors: refuse or leave_out.")
    ] = "refuse",
    dimension: Annotated[
        int | None, typer.Option("--dimension", min=1, help="Length of the vectors; 128 for texts, 64 for models.")
    ] = None,
    entity: Annotated[str, typer.Option("--entity", help="Kind of the ids: item, user or query.")] = "item",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing space of that name.")] = False,
    workspace: WorkspaceOption = Path("workspace"),
    output: Output = OUTPUT,
) -> None:
    """Create an embedding space from texts, a fitted model, or a file of vectors.

    The same command resumes a run that was killed: embedded texts are cached. For a model, the vectors of its users are
    saved as NAME-users. The attributes of items and users are those of the data that it learned from, where the
    workspace keeps them.

    Examples:
      reclens explore embed plots --texts titles.csv --id-column show_id --text title --text description

      reclens explore embed als --model als

      reclens explore embed clip --vectors clip.parquet
    """
    from reclens.cli.progress import progress_of
    from reclens.cli.shared import table_of
    from reclens.errors import UnknownNameError, UsageError
    from reclens.workspace import Workspace

    given = [option for option, value in (("--texts", texts), ("--model", model), ("--vectors", vectors)) if value]
    if len(given) != 1:
        raise UsageError("expected one of --texts, --model and --vectors: what is to be embedded.")
    if entity not in ("item", "user", "query"):
        raise UnknownNameError("--entity", entity, ("item", "user", "query"))
    if invalid not in ("refuse", "leave_out"):
        raise UnknownNameError("--invalid", invalid, ("refuse", "leave_out"))
    of_texts, of_files = ("text", "encoder", "cache"), ("ids", "vector_column", "tensor", "invalid")
    if vectors is None:
        refuse_unused(ctx, f"with {given[0]}", *of_files)
    if model is not None:
        refuse_unused(ctx, "with --model", "id_column", "entity")
    if texts is None:
        refuse_unused(ctx, f"with {given[0]}", *of_texts)
    elif encoder is None:
        refuse_unused(ctx, "without --encoder", "cache")
    if vectors is not None or encoder is not None:
        refuse_unused(ctx, "with --vectors and --encoder: they have one", "dimension")
    place = Workspace(workspace)
    place.expect_free("space", name, overwrite=overwrite)
    about: dict[str, Any] = {"id_column": id_column, "entity": entity, "name": name}
    with progress_of(quiet=output.quiet) as progress:
        if texts is not None:
            told = (texts, text or [], encoder, cache or Path(workspace) / ".cache", dimension or 128)
            made = {name: _of_texts(*told, progress=progress, about=about)}
        elif model is not None:
            made = _of_model(place, model, name, dimension or 64, progress)
        else:
            from reclens.explore.vector_files import read_vectors

            told = {"ids": ids, "vector_column": vector_column, "tensor": tensor, "invalid": invalid}
            made = {name: read_vectors(vectors, **told, **about)}
    for each, space in made.items():
        place.save(space, each, overwrite=overwrite)
    output.emit(table_of("Embedding spaces", [_row(each, space) for each, space in made.items()]))


def _row(name: str, space: EmbeddingSpace) -> dict[str, Any]:
    return {
        "space": name,
        "model": space.card.model,
        "revision": space.card.revision[:16],
        "vectors": len(space),
        "dimension": space.dimension,
        "left out": space.left_out.height,
    }


def _of_texts(
    path: str,
    columns: list[str],
    encoder: str | None,
    cache: Path,
    dimension: int,
    *,
    progress: Progress,
    about: dict[str, Any],
) -> EmbeddingSpace:
    from reclens.data.read.ids import infer_type
    from reclens.data.read.sources import load
    from reclens.explore.text_embedding import embed_texts
    from reclens.protocols import TextEncoder, adapter

    raw = load(path)
    # A file without types holds only text: infer numbers, except in the columns to be embedded.
    other = [name for name in raw.frame.columns if raw.text and name not in columns]
    frame = raw.frame.with_columns(infer_type(raw.frame[name], raw.decimal) for name in other)
    maker = None if encoder is None else adapter(encoder, TextEncoder)
    return embed_texts(
        frame,
        columns=columns,
        encoder=maker,
        dimension=dimension,
        cache=None if maker is None else cache,
        progress=progress,
        **about,
    )


def _of_model(place: Workspace, model: str, name: str, dimension: int, progress: Progress) -> dict[str, EmbeddingSpace]:
    from reclens.explore.embed_models import embed_model

    fitted = place.load("model", model)
    learned = _learned_from(place, fitted.train_["hash"])
    items, users = embed_model(
        fitted,
        dimension=dimension,
        items=None if learned is None else learned.items,
        users=None if learned is None else learned.users,
        name=name,
        progress=progress,
    )
    return {name: items, f"{name}-users": users}


def _learned_from(place: Workspace, fingerprint: str) -> Dataset | None:
    """Return the training data of a model, which have the attributes of its items, if they are in the workspace."""
    for each in (*place.list("split"), *place.list("dataset")):
        kept = place.load(each.kind, each.name)
        data: Dataset = kept.train if each.kind == "split" else kept
        if data.fingerprint == fingerprint:
            return data
    return None
