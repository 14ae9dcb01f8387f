"""Recommend by requirements, without a history."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reclens.cli.given import known_id, refuse_unused
from reclens.cli.reading import NOTHING, reads
from reclens.cli.registry import command
from reclens.cli.shared import Format, FormatOption, OutOption, QuietOption, SeedOption, WorkspaceOption
from reclens.data.read.request import Reading

if TYPE_CHECKING:
    from reclens.models import Knowledge

__all__ = ["ask", "columns", "critique", "relax"]

DataOption = Annotated[str | None, typer.Option("--data", "-d", help="Interactions; synthetic without it.")]
ModelOption = Annotated[str | None, typer.Option("--model", "-m", help="A fitted model instead of --data.")]
RequireOption = Annotated[
    list[str] | None, typer.Option("--require", "-r", help="What items have to meet, as 'year >= 1990'; repeat it.")
]
PreferOption = Annotated[
    list[str] | None,
    typer.Option("--prefer", "-p", help="What ranks them, as 'price low' or '2 * price low'; repeat it."),
]
UserOption = Annotated[str | None, typer.Option("--user", "-u", help="Leave out the items that this user has.")]
ItemArgument = Annotated[str, typer.Argument(help="Id of the item.")]
KOption = Annotated[int, typer.Option("--k", "-k", min=1, help="Items to show.")]


@command("knowledge ask")
@reads(data="data")
def ask(
    ctx: typer.Context,
    require: RequireOption = None,
    prefer: PreferOption = None,
    user: UserOption = None,
    k: KOption = 10,
    data: DataOption = None,
    reading: Reading = NOTHING,
    model: ModelOption = None,
    workspace: WorkspaceOption = Path("workspace"),
    seed: SeedOption = 0,
    format: FormatOption = Format.table,
    out: OutOption = None,
    quiet: QuietOption = False,
) -> None:
    """Recommend the items that meet all requirements, best first, with the reasons.

    When none does, the requirements that are dropped are said.

    Example:
      reclens knowledge ask --data ml-100k.zip -r "genres includes Comedy" -r "year >= 1990" -p "year high"
    """
    from reclens.cli.shared import emit, say, table_of

    asked = _knowledge(ctx, data, reading, model, workspace, seed, require, prefer, quiet)
    for note in asked.notes():
        say(note, quiet=quiet)
    rows = _described(asked, asked.best(user=_user(user, asked), k=k).to_dicts())
    rows = [row | {"why": asked.explain(None, row["item_id"]).sentence} for row in rows]
    emit(table_of(f"{len(rows)} of {int((asked.scores_ > 0).sum()):,} items", rows), format=format, out=out)


@command("knowledge relax")
@reads(data="data")
def relax(
    ctx: typer.Context,
    require: RequireOption = None,
    user: UserOption = None,
    data: DataOption = None,
    reading: Reading = NOTHING,
    model: ModelOption = None,
    workspace: WorkspaceOption = Path("workspace"),
    seed: SeedOption = 0,
    format: FormatOption = Format.table,
    out: OutOption = None,
    quiet: QuietOption = False,
) -> None:
    """Say which requirements to drop when no item meets them all: every smallest choice, ranked.

    Example:
      reclens knowledge relax --data ml-100k.zip -r "genres includes War" -r "genres includes Children's"
    """
    from reclens.cli.shared import emit, say, table_of

    asked = _knowledge(ctx, data, reading, model, workspace, seed, require, None, quiet)
    found = asked.relaxations(user=_user(user, asked))
    if found.n_fit:
        say(f"{found.n_fit:,} items meet all requirements: nothing has to be dropped.", quiet=quiet)
    for conflict in found.conflicts:
        say(f"no item meets together: {'; '.join(conflict)}", quiet=quiet)
    heads = ["rank", "drop", "items", "instead", "for example"]
    emit(table_of("What to drop", found.to_dicts(), columns=heads), format=format, out=out)


@command("knowledge critique")
@reads(data="data")
def critique(
    ctx: typer.Context,
    item: ItemArgument,
    critique: Annotated[
        str | None, typer.Argument(help="As 'cheaper', 'newer, other genres'; without it, what can be said.")
    ] = None,
    require: RequireOption = None,
    prefer: PreferOption = None,
    user: UserOption = None,
    k: KOption = 10,
    data: DataOption = None,
    reading: Reading = NOTHING,
    model: ModelOption = None,
    workspace: WorkspaceOption = Path("workspace"),
    seed: SeedOption = 0,
    format: FormatOption = Format.table,
    out: OutOption = None,
    quiet: QuietOption = False,
) -> None:
    """Criticise an item, and get those that answer it; without a critique, list those that the item allows.

    Examples:
      reclens knowledge critique 50 --data ml-100k.zip

      reclens knowledge critique 50 "newer, like genres" --data ml-100k.zip
    """
    from reclens.cli.shared import emit, say, table_of

    asked = _knowledge(ctx, data, reading, model, workspace, seed, require, prefer, quiet)
    known, who = known_id("item", item, asked.items_.ids), _user(user, asked)
    if critique is None:
        rows = asked.possible(known, user=who).to_dicts()
        emit(
            table_of(f"What can be said of {item}", rows, columns=["critique", "size", "items"]), format=format, out=out
        )
        return
    found = asked.critique(known, critique, user=who, k=k)
    say(f"{found.n_items:,} items meet: {'; '.join(found.require)}", quiet=quiet)
    emit(table_of(f"{critique} than {item}", _described(asked, found.to_dicts())), format=format, out=out)


@command("knowledge columns")
@reads(data="data")
def columns(
    ctx: typer.Context,
    data: DataOption = None,
    reading: Reading = NOTHING,
    model: ModelOption = None,
    workspace: WorkspaceOption = Path("workspace"),
    seed: SeedOption = 0,
    format: FormatOption = Format.table,
    out: OutOption = None,
    quiet: QuietOption = False,
) -> None:
    """List the attributes that requirements can be about, and the operators that each takes."""
    from reclens.cli.shared import emit, table_of
    from reclens.models._knowledge.requirements import OPERATORS

    asked = _knowledge(ctx, data, reading, model, workspace, seed, None, None, quiet)
    rows = [
        {"column": name, "holds": kind, "operators": ", ".join(OPERATORS[kind])}
        for name, kind in asked.attributes_.kinds.items()
    ]
    emit(table_of("Attributes of the items", rows, columns=["column", "holds", "operators"]), format=format, out=out)


def _knowledge(
    ctx: typer.Context,
    data: str | None,
    reading: Reading,
    model: str | None,
    workspace: Path,
    seed: int,
    require: list[str] | None,
    prefer: list[str] | None,
    quiet: bool,
) -> Knowledge:
    """A fitted model that is asked what the options say; a model's own requirements hold where they say nothing."""
    from reclens.cli.shared import progress_of
    from reclens.data.read.open import load_data
    from reclens.errors import UsageError
    from reclens.models import Knowledge
    from reclens.workspace import Workspace

    if model is not None:
        refuse_unused(ctx, "with --model, which is fitted already", "data", "seed")
        reading.refuse_all("--model is fitted already")
        fitted = Workspace(workspace).load("model", model)
        if not isinstance(fitted, Knowledge):
            raise UsageError(f"the model '{model}' is a '{fitted.name}', not a 'knowledge'.")
    else:
        with progress_of(quiet=quiet) as progress:
            train = load_data(data, reading, seed=seed)
            fitted = Knowledge().fit(train, progress=progress)
    wishes = None if prefer is None else dict(map(_weighed, prefer))
    return fitted.asked(require=require, prefer=wishes)


def _weighed(text: str) -> tuple[str, float]:
    """A preference and its weight, from ``2 * price low``."""
    weight, star, wish = text.partition("*")
    try:
        return (wish.strip(), float(weight)) if star else (text, 1.0)
    except ValueError:
        return text, 1.0


def _user(text: str | None, asked: Knowledge) -> Any:
    """The user whose items are left out."""
    return None if text is None else known_id("user", text, asked.users_.ids)


def _described(asked: Knowledge, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with the title of the item, where items have one."""
    table = asked.attributes_.table
    if "title" not in table.columns:
        return rows
    titles = dict(table.select("item_id", "title").iter_rows())
    return [{"item_id": row["item_id"], "title": titles[row["item_id"]], **row} for row in rows]
