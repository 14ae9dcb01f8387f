"""Recommend by requirements, without a history."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from reclens.cli.bundles import OUTPUT, Output
from reclens.cli.reading import NOTHING, reads
from reclens.cli.registry import command
from reclens.cli.shared import SeedOption, WorkspaceOption
from reclens.cli.unused_options import known_id, refuse_unused
from reclens.data.read.request import Reading
from reclens.report._toolkit.format import whole

if TYPE_CHECKING:
    from reclens.models import Knowledge

__all__ = ["SOURCE", "Source", "ask", "columns", "critique", "relax"]


@dataclass(frozen=True)
class Source:
    """The knowledge model: from the workspace, or fitted to data."""

    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Fitted model of the workspace, instead of --data.")
    ] = None
    workspace: WorkspaceOption = Path("workspace")
    seed: SeedOption = 0


SOURCE: Final = Source()

DataOption = Annotated[str | None, typer.Option("--data", "-d", help="Interactions; synthetic data if omitted.")]
RequireOption = Annotated[
    list[str] | None, typer.Option("--require", "-r", help="Requirement, as 'year >= 1990'; can be repeated.")
]
PreferOption = Annotated[
    list[str] | None,
    typer.Option("--prefer", "-p", help="Preference, as 'price low' or '2 * price low'; can be repeated."),
]
UserOption = Annotated[str | None, typer.Option("--user", "-u", help="Leave out the items of this user's history.")]
ItemArgument = Annotated[str, typer.Argument(help="Id of the item.")]
KOption = Annotated[int, typer.Option("--k", "-k", min=1, help="Number of items.")]


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
    source: Source = SOURCE,
    output: Output = OUTPUT,
) -> None:
    """Recommend the items that meet all requirements, best first, with the reasons.

    If no item meets them, the command shows which requirements were dropped.

    Example:
      reclens knowledge ask --data ml-100k.zip -r "genres includes Comedy" -r "year >= 1990" -p "year high"
    """
    from reclens.cli.shared import table_of

    asked = _knowledge(ctx, data, reading, source, require, prefer, output.quiet)
    from reclens.report import explanation_text
    from reclens.report.data.words import rule_line

    for note in asked.notes():
        output.say(rule_line(note))
    rows = _described(asked, asked.best(user=_user(user, asked), k=k).to_dicts())
    rows = [row | {"why": explanation_text(asked.explain(None, row["item_id"]))} for row in rows]
    shown = table_of(f"{len(rows)} of {whole(int((asked.scores_ > 0).sum()))} items", rows)
    output.emit(shown, synthetic=asked.train_["synthetic"])


@command("knowledge relax")
@reads(data="data")
def relax(
    ctx: typer.Context,
    require: RequireOption = None,
    user: UserOption = None,
    data: DataOption = None,
    reading: Reading = NOTHING,
    source: Source = SOURCE,
    output: Output = OUTPUT,
) -> None:
    """Show which requirements to drop if no item meets them all: every smallest set, ranked.

    Example:
      reclens knowledge relax --data ml-100k.zip -r "genres includes War" -r "genres includes Children's"
    """
    from reclens.cli.shared import table_of

    asked = _knowledge(ctx, data, reading, source, require, None, output.quiet)
    found = asked.relaxations(user=_user(user, asked))
    if found.n_fit:
        output.say(f"{whole(found.n_fit)} items meet all requirements: nothing has to be dropped.")
    for conflict in found.conflicts:
        output.say(f"no item meets together: {'; '.join(conflict)}")
    heads = ["rank", "drop", "items", "instead", "for example"]
    output.emit(table_of("What to drop", found.to_dicts(), columns=heads), synthetic=asked.train_["synthetic"])


@command("knowledge critique")
@reads(data="data")
def critique(
    ctx: typer.Context,
    item: ItemArgument,
    critique: Annotated[
        str | None,
        typer.Argument(
            help="Critique, as 'cheaper' or 'newer, other genres'; if omitted, the possible critiques are listed."
        ),
    ] = None,
    require: RequireOption = None,
    prefer: PreferOption = None,
    user: UserOption = None,
    k: KOption = 10,
    data: DataOption = None,
    reading: Reading = NOTHING,
    source: Source = SOURCE,
    output: Output = OUTPUT,
) -> None:
    """Refine a request relative to an item; without a critique, list the possible critiques of the item.

    Examples:
      reclens knowledge critique 50 --data ml-100k.zip

      reclens knowledge critique 50 "newer, like genres" --data ml-100k.zip
    """
    from reclens.cli.shared import table_of

    asked = _knowledge(ctx, data, reading, source, require, prefer, output.quiet)
    known, who = known_id("item", item, asked.items_.ids), _user(user, asked)
    if critique is None:
        rows = asked.possible(known, user=who).to_dicts()
        shown = table_of(f"What can be said of {item}", rows, columns=["critique", "size", "items"])
        output.emit(shown, synthetic=asked.train_["synthetic"])
        return
    found = asked.critique(known, critique, user=who, k=k)
    output.say(f"{whole(found.n_items)} items meet: {'; '.join(found.require)}")
    shown = table_of(f"{critique} than {item}", _described(asked, found.to_dicts()))
    output.emit(shown, synthetic=asked.train_["synthetic"])


@command("knowledge columns")
@reads(data="data")
def columns(
    ctx: typer.Context,
    data: DataOption = None,
    reading: Reading = NOTHING,
    source: Source = SOURCE,
    output: Output = OUTPUT,
) -> None:
    """List the attributes that requirements can use, and the operators of each."""
    from reclens.cli.shared import table_of
    from reclens.models._knowledge.requirements import OPERATORS

    asked = _knowledge(ctx, data, reading, source, None, None, output.quiet)
    rows = [
        {"column": name, "holds": kind, "operators": ", ".join(OPERATORS[kind])}
        for name, kind in asked.attributes_.kinds.items()
    ]
    shown = table_of("Attributes of the items", rows, columns=["column", "holds", "operators"])
    output.emit(shown, synthetic=asked.train_["synthetic"])


def _knowledge(
    ctx: typer.Context,
    data: str | None,
    reading: Reading,
    source: Source,
    require: list[str] | None,
    prefer: list[str] | None,
    quiet: bool,
) -> Knowledge:
    """Return the fitted model with the requirements of the options; without an option, the model's are kept."""
    from reclens.cli.shared import progress_of
    from reclens.data.read.open import load_data
    from reclens.errors import UsageError
    from reclens.models import Knowledge
    from reclens.workspace import Workspace

    if source.model is not None:
        refuse_unused(ctx, "with --model, which is fitted already", "data", "seed")
        reading.refuse_all("--model is fitted already")
        fitted = Workspace(source.workspace).load("model", source.model)
        if not isinstance(fitted, Knowledge):
            raise UsageError(f"the model '{source.model}' is a '{fitted.name}', not a 'knowledge'.")
    else:
        with progress_of(quiet=quiet) as progress:
            train = load_data(data, reading, seed=source.seed)
            fitted = Knowledge().fit(train, progress=progress)
    wishes = None if prefer is None else dict(map(_weighed, prefer))
    return fitted.asked(require=require, prefer=wishes)


def _weighed(text: str) -> tuple[str, float]:
    """Parse a preference and its weight, as ``2 * price low``."""
    weight, star, wish = text.partition("*")
    try:
        return (wish.strip(), float(weight)) if star else (text, 1.0)
    except ValueError:
        return text, 1.0


def _user(text: str | None, asked: Knowledge) -> Any:
    """Return the user whose items are left out."""
    return None if text is None else known_id("user", text, asked.users_.ids)


def _described(asked: Knowledge, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with the title of the item, if items have titles."""
    table = asked.attributes_.table
    if "title" not in table.columns:
        return rows
    titles = dict(table.select("item_id", "title").iter_rows())
    return [{"item_id": row["item_id"], "title": titles[row["item_id"]], **row} for row in rows]
