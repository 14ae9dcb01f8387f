"""Errors for given options that would not be used, so that no option is silently ignored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from reclens.errors import UnknownNameError, UsageError, WorkspaceError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["expect_workspace", "known_id", "refuse_unused"]

_SILENT = {"out", "format", "quiet", "workspace"}
"""How something is written or where it lies: a shell alias may give these always."""


def refuse_unused(ctx: typer.Context, why: str, *names: str, besides: tuple[str, ...] | None = None) -> None:
    """Raise an error for given options that the command would not use.

    Args:
        ctx: The command's context.
        why: The condition, as the end of a sentence: ``"with --example"``.
        names: The unused parameters of the command.
        besides: Instead of names: all options except these and the output options.

    Raises:
        UsageError: With the names of the given options.
    """
    typed: list[str] = []
    for each in ctx.command.params:
        name = each.name or ""
        unused = name in names if besides is None else name not in {*besides, *_SILENT}
        source = ctx.get_parameter_source(name)
        if unused and source is not None and source.name == "COMMANDLINE":
            typed.append(each.opts[0] if each.param_type_name == "option" else name.upper())
    if typed:
        raise UsageError(
            f"{', '.join(typed)} would not be used {why}. Leave {'it' if len(typed) == 1 else 'them'} out."
        )


def expect_workspace(folder: Path) -> None:
    """Raise an error if the workspace does not exist, for example because its name is misspelled.

    Raises:
        WorkspaceError: If there is no such folder.
    """
    if not folder.is_dir():
        what = "it is a file" if folder.exists() else "there is no such folder"
        raise WorkspaceError(f"{folder} is no workspace: {what}. Check the path, or run reclens demo to make one.")


def known_id(what: str, text: str, *known: pl.Series, needed: bool = True) -> Any:
    """Cast a given id to the type of the known ids.

    Args:
        what: The kind of id: user or item.
        text: The id as given.
        known: The known ids.
        needed: Whether an unknown id raises an error.

    Raises:
        UnknownNameError: If it is unknown, or is text although ids are integers.
    """
    integer = known[0].dtype.is_integer()
    whole = text.removeprefix("-").isdecimal()
    value: Any = int(text) if integer and whole else text
    there = (not integer or whole) and any(bool((each == value).any()) for each in known)
    if not there and (needed or (integer and not whole)):
        raise UnknownNameError(what, text, [str(each) for each in known[0].head(1_000)])
    return value
