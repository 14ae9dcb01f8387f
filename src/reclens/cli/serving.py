"""Options and input files of the commands that recommend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from reclens.cards import AppliedRule
from reclens.cli.unused_options import refuse_unused
from reclens.data.read.request import Reading
from reclens.errors import DataError, UnknownNameError

if TYPE_CHECKING:
    import polars as pl

    from reclens.data.split import Split
    from reclens.models import Recommender
    from reclens.pipeline import Pipeline

__all__ = [
    "CandidatesOption",
    "ColdUsersOption",
    "ExcludeOption",
    "HistoryModeOption",
    "HistoryOption",
    "is_typed",
    "told_and_limits",
    "wanted_users",
]

ExcludeOption = Annotated[
    str | None, typer.Option("--exclude", help="Items to exclude: item_id, and user_id if they differ by user.")
]
CandidatesOption = Annotated[
    str | None,
    typer.Option("--candidates", help="The only items to recommend: item_id, and user_id if they differ by user."),
]
HistoryOption = Annotated[
    str | None,
    typer.Option("--history", help="Interactions since the fit: user_id, item_id. Recommends to these users."),
]
HistoryModeOption = Annotated[
    str,
    typer.Option(
        "--history-mode",
        help="Whether --history is added to the training data of a user or replaces it: add or replace.",
    ),
]
ColdUsersOption = Annotated[
    str,
    typer.Option(
        "--cold-users",
        help="List of users that the model does not know: popular, or none for "
        "no list. With this option, --user accepts unknown users.",
    ),
]


def told_and_limits(
    ctx: typer.Context,
    fitted: Recommender | Pipeline,
    files: dict[str, str | None],
    made: Split | None,
    reading: Reading,
) -> tuple[pl.DataFrame | None, dict[str, pl.DataFrame], list[AppliedRule]]:
    """Return the histories of a request, its ``exclude`` and ``candidates``, and the rules used to read the files.

    Raises:
        UsageError: If an option would not be used.
        UnknownNameError: If a file has an unknown column: a misspelled ``user_id`` would apply the items of some
            users to all users.
    """
    from reclens.data.read.open import load_truth
    from reclens.schema import ITEM, USER

    given = {table: path for table, path in files.items() if path is not None}
    if "history" not in given:
        refuse_unused(ctx, "without --history", "history_mode")
    elif made is not None and made.fold_in is not None:
        refuse_unused(ctx, "with this --split, which holds the histories of its test users", "history")
    if not given:
        reading.refuse_all("no file is read without --exclude, --candidates or --history")
    frames: dict[str, pl.DataFrame] = {}
    rules: list[AppliedRule] = []
    for table, path in given.items():
        columns = reading.of(table).get("columns", {})
        for name in columns:
            if name not in (USER, ITEM):
                raise UnknownNameError(f"column of --{table}", name, (USER, ITEM))
        frame, applied, _ = load_truth(path, reading, table=table, by_user=table == "history")
        frame = frame.select(
            name for name in (USER, ITEM) if name in frame.columns and columns.get(name, name) is not None
        )
        frames[table] = _in_kind(frame, path, fitted, newcomers="history" in given)
        rules += [
            AppliedRule(code=each["code"], count=each["count"], facts={**each["facts"], "file": table})
            for each in applied
        ]
    told = frames.pop("history", None)
    return told if made is None or told is not None else made.fold_in, frames, rules


def _in_kind(frame: pl.DataFrame, path: str, fitted: Recommender | Pipeline, *, newcomers: bool) -> pl.DataFrame:
    """Cast ids to the id type of the model: a file may hold integers while the model has text.

    Args:
        frame: The rows.
        path: Their source file.
        fitted: The model.
        newcomers: Whether users may come from a history, with ids of any type.

    Raises:
        DataError: If the ids are text and those of the model are integers, so that none can match.
    """
    from reclens.schema import ITEM, USER

    for name, whole in ((ITEM, fitted.items_.is_integer), (USER, fitted.users_.is_integer)):
        if name not in frame.columns or frame[name].dtype.is_integer() == whole:
            continue
        if not whole:
            frame = frame.with_columns(frame[name].cast(str))
        elif name == ITEM or not newcomers:
            raise DataError(
                "ids are text, and those of the model are whole numbers, so that none can match",
                source=path,
                column=name,
                fix="Fit the model with --ids text.",
            )
    return frame


def wanted_users(typed: list[str] | None, users: pl.Series, told: pl.DataFrame | None, *, strangers: bool) -> Any:
    """Return the users of ``--user`` in the type of the known ids, or None if there are none."""
    from reclens.cli.unused_options import known_id
    from reclens.schema import USER

    if not typed:
        return None
    known = [users] if told is None else [users, told[USER]]
    # A column has one type: if the ids of a history are of another type, only its users can be requested.
    known = known[1:] if known[-1].dtype != users.dtype else known
    return [known_id("user", each, *known, needed=not strangers) for each in typed]


def is_typed(ctx: typer.Context, name: str) -> bool:
    """Return whether an option was given on the command line."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
