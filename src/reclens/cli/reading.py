"""Options to read data, lists and truth, the same for every command, and the loaders that use them.

``@reads(data="path")`` gives a command ``--column``, ``--read``, ``--lists``, ``--ids``, ``--users`` and ``--items``,
and passes their values as a :class:`Reading`. In a TOML job, the same settings are in ``[data]``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from reclens.cli.bundles import with_parameters
from reclens.data.read.open import load_data, translated
from reclens.data.read.request import Reading
from reclens.errors import UsageError
from reclens.job.reading import load_lists

if TYPE_CHECKING:
    import polars as pl

    from reclens.data.dataset import Dataset
    from reclens.data.read.raw import Raw
    from reclens.workspace import Workspace

__all__ = [
    "NOTHING",
    "Reading",
    "load_lists",
    "load_raw",
    "load_rows",
    "load_training",
    "load_world_data",
    "reads",
    "rows_or_path",
]

_BUNDLE: Final[dict[str, Any]] = {
    "users": Annotated[str | None, typer.Option("--users", help="Attributes of the users: a file with user ids.")],
    "items": Annotated[str | None, typer.Option("--items", help="Attributes of the items: a file with item ids.")],
    "column": Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            "-c",
            help="Name of a column, as user_id=uid, or its index, as user_id=0; for one file, "
            "as TABLE:user_id=uid. Can be repeated.",
        ),
    ],
    "read": Annotated[
        list[str] | None,
        typer.Option(
            "--read",
            help="Setting for reading files, as encoding=latin-1, header=false or bad_rows=drop; for one "
            "file, as TABLE:encoding=latin-1. Can be repeated.",
        ),
    ],
    "lists": Annotated[
        list[str] | None,
        typer.Option("--lists", help="Attribute with several values, and their separator, as 'genres=|'."),
    ],
    "ids": Annotated[
        str | None,
        typer.Option(
            "--ids", help="text: read all ids as text, in all files. unpadded: also without leading zeros, 007 as 7."
        ),
    ],
}
NOTHING: Final = Reading()
"""The default of the parameter that :func:`reads` replaces."""

_NAMES: Final = {"lists": "lists_in"}
"""The options whose parameters have another name, as commands have an argument of that one."""


def reads(*, attributes: bool = True, ids: bool = True, **tables: str) -> Callable[[Callable[..., None]], Any]:
    """Replace the parameter ``reading`` of a command by the options of the readers.

    Args:
        attributes: Whether the command reads attributes of users and items.
        ids: Whether its tables hold ids of users and items, to which ``--ids text`` applies; other tables have
            different columns.
        **tables: The tables that the command reads: name of the table = name of the parameter with its path.
    """
    off = (() if attributes else ("users", "items", "lists")) + (() if ids else ("ids",))
    options = {name: kind for name, kind in _BUNDLE.items() if name not in off}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        bundle = [
            inspect.Parameter(
                _NAMES.get(name, name), inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=kind
            )
            for name, kind in options.items()
        ]
        parameters: list[inspect.Parameter] = []
        for each in own.parameters.values():
            parameters += bundle if each.name == "reading" else [each]

        def call(**values: Any) -> None:
            said = {name: values.pop(_NAMES.get(name, name)) for name in options}
            paths = {table: values[parameter] for table, parameter in tables.items()}
            paths |= {side: said[side] for side in ("users", "items") if side in said}
            with translated("options"):
                reading = Reading.from_options(
                    paths,
                    column=said["column"],
                    read=said["read"],
                    lists=said.get("lists"),
                    ids=said.get("ids"),
                    units=not ids,
                )
                command(**values, reading=reading)

        return with_parameters(call, command, parameters)

    return decorate


def load_training(place: Workspace, data: str | None, split: str | None, reading: Reading, *, seed: int) -> Dataset:
    """Load the training data: the training part of a split of the workspace, or data read by :func:`load_data`."""
    if split is None:
        return load_data(data, reading, seed=seed)
    if data is not None:
        raise UsageError("--data and --split are both given; give one of them.")
    reading.refuse_all("--split holds the data")
    return place.load("split", split).train


def load_world_data(data: str | None, reading: Reading, *, seed: int) -> Dataset | None:
    """Load the data that a world is fitted to; without --data, reader options are an error."""
    if data is None:
        reading.refuse_all("there is no --data to be read")
        return None
    return load_data(data, reading, seed=seed)


def load_rows(path: str, reading: Reading, *, table: str) -> pl.DataFrame:
    """Read a table with columns of any names, such as the units of an experiment."""
    from reclens.experiment.planning.history import read_columns

    with translated(reading.words, reading.prefix(table)):
        return read_columns(path, **reading.of(table))


def load_raw(path: str, reading: Reading, *, table: str) -> Raw:
    """Read a table like :func:`load_rows`, without changing the rows."""
    from reclens.data.read.naming import renamed
    from reclens.data.read.sources import load

    how = reading.of(table)
    columns = how.pop("columns", None)
    with translated(reading.words, reading.prefix(table)):
        return renamed(load(path, columns=columns, **how), columns, known=())[0]


def rows_or_path(path: str, reading: Reading, *, table: str) -> pl.DataFrame | str:
    """Return the path if DuckDB can read it directly, otherwise the rows."""
    from reclens.data.read.streams import is_stream

    plain = reading.kind(table) != "json" and not is_stream(path) and not path.lower().endswith((".bz2", ".xz"))
    return path if plain and not reading.of(table) else load_rows(path, reading, table=table)
