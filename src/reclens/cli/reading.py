"""How the commands read data, lists and truth: one bundle of options, the same on every command, and its loaders.

``@reads(data="path")`` gives a command ``--column``, ``--read``, ``--lists``, ``--ids``, ``--users`` and ``--items``,
and hands it what they say as a :class:`Reading`. A job of TOML says the same in ``[data]``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from reclens.cli.asked import Reading, Words, in_words_of
from reclens.errors import RecLensError, UsageError

if TYPE_CHECKING:
    import polars as pl

    from reclens.data.clean import Cleaner
    from reclens.data.dataset import Dataset
    from reclens.data.sources import Raw
    from reclens.data.split import Split
    from reclens.schema import Recommendations
    from reclens.settings import JobSettings
    from reclens.workspace import Workspace

__all__ = [
    "NOTHING",
    "Reading",
    "holds_open_bandit",
    "load_data",
    "load_lists",
    "load_raw",
    "load_rows",
    "load_split",
    "load_training",
    "load_truth",
    "reading_of",
    "reads",
    "rows_or_path",
    "translated",
]

_BUNDLE: Final[dict[str, Any]] = {
    "users": Annotated[str | None, typer.Option("--users", help="Attributes of the users: a file with user ids.")],
    "items": Annotated[str | None, typer.Option("--items", help="Attributes of the items: a file with item ids.")],
    "column": Annotated[
        list[str] | None,
        typer.Option("--column", "-c", help="Name a column, as user_id=uid, or its place, as user_id=0; of one file, "
                                            "as TABLE:user_id=uid. Repeat it."),
    ],
    "read": Annotated[
        list[str] | None,
        typer.Option("--read", help="How to read files, as encoding=latin-1, header=false or bad_rows=drop; of one "
                                    "file, as TABLE:encoding=latin-1. Repeat it."),
    ],
    "lists": Annotated[
        list[str] | None,
        typer.Option("--lists", help="An attribute of several values, and what is between them, as 'genres=|'."),
    ],
    "ids": Annotated[str | None, typer.Option("--ids", help="text: take all ids as text, on every side. unpadded: "
                                          "and without leading zeros, 007 as 7.")],
}  # fmt: skip
NOTHING: Final = Reading()
"""The default of the parameter that :func:`reads` replaces."""

_NAMES: Final = {"lists": "lists_in"}
"""The options whose parameters have another name, as commands have an argument of that one."""


def reads(*, attributes: bool = True, ids: bool = True, **tables: str) -> Callable[[Callable[..., None]], Any]:
    """Give a command the options of the readers in place of its parameter ``reading``.

    Args:
        attributes: Whether it takes attributes of users and items.
        ids: Whether its tables hold ids of users and items, which ``--ids text`` is about; others have columns of
            their own.
        **tables: What the command reads: name of the table = name of the parameter that has its path.
    """
    off = ((() if attributes else ("users", "items", "lists")) + (() if ids else ("ids",)))  # fmt: skip
    options = {name: kind for name, kind in _BUNDLE.items() if name not in off}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        bundle = [inspect.Parameter(_NAMES.get(name, name), inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None,
                                    annotation=kind) for name, kind in options.items()]  # fmt: skip
        parameters: list[inspect.Parameter] = []
        for each in own.parameters.values():
            parameters += bundle if each.name == "reading" else [each]

        @functools.wraps(command)
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

        del call.__wrapped__  # pyright: ignore[reportAttributeAccessIssue] - its signature is not that of the command
        call.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        call.__annotations__ = {each.name: each.annotation for each in parameters}
        return call

    return decorate


def reading_of(settings: JobSettings) -> Reading:
    """What a job says in ``[data]``, which the parts of a ready-made split are read by too.

    Raises:
        UsageError: If a key is of no use to any file.
    """
    about, parts = settings.data, settings.split
    read = {**about.read, **({"duplicates": about.duplicates} if "duplicates" in about.model_fields_set else {})}
    paths = {
        "data": about.path,
        "users": about.users,
        "items": about.items,
        "test": parts.test,
        "validation": parts.validation,
    }
    return Reading.of_settings(paths, columns=about.columns, read=read, lists=about.lists, ids=about.ids, words="toml")


@contextmanager
def translated(words: Words, table: str = "") -> Generator[None]:
    """Give the advice of errors in the words of those who read it; see :func:`reclens.cli.asked.in_words_of`."""
    try:
        yield
    except RecLensError as error:
        error.args = (in_words_of(words, str(error), table),)
        raise


def load_data(path: str | None, reading: Reading, *, table: str = "data", seed: int = 0) -> Dataset:
    """Read a data set from wherever it is: MovieLens, RecBole, a table; synthetic without a path."""
    how = reading.of(table)
    if path is None and "query" not in how:
        from reclens.data.synthetic import synthetic_movielens

        reading.refuse_all("no file is named, and the synthetic data is not read from one")
        return synthetic_movielens(rng=seed)
    with translated(reading.words, reading.prefix(table)):
        data = _load_data(path, how, reading, table)
    return data.with_ids(reading.ids)


def _load_data(path: str | None, how: dict[str, Any], reading: Reading, table: str) -> Dataset:
    kind = "table" if path is None else reading.kind(table)
    if kind in ("movielens", "recbole"):
        sides = [f"--{side}" for side in ("users", "items") if reading.paths.get(side) is not None]
        if sides or reading.lists:
            raise UsageError(f"{path} brings attributes of its own: leave {', '.join(sides) or '--lists'} out.")
    if kind == "movielens":
        from reclens.data.movielens import read_movielens

        return read_movielens(str(path))
    if kind == "recbole":
        from reclens.data.recbole import read_recbole

        return read_recbole(str(path), **how)
    if path is not None and not how and holds_open_bandit(path):
        raise UsageError(
            f"{path} is the Open Bandit Dataset, a log of what was shown and no set of interactions. Use it with "
            "'reclens experiment off-policy', or rl.read_open_bandit(path) in Python."
        )
    from reclens.data.attributes import check_lists
    from reclens.data.columns import INTERACTIONS
    from reclens.data.sources import load
    from reclens.data.split.given import with_layout, with_movielens
    from reclens.data.tables import make_dataset

    how = how if path is None else with_layout(path, how)
    of_rows = {name: how.pop(name) for name in ("duplicates", "bad_rows", "timestamp_format") if name in how}
    columns = how.pop("columns", None)
    raw = load(path, columns=columns, wanted=INTERACTIONS, **how)
    if table in ("test", "validation"):  # attributes come with what is learned from
        return make_dataset(raw, columns=columns, **of_rows)
    users, items = (_side(reading, side, f"{side.removesuffix('s')}_id") for side in ("users", "items"))
    check_lists(reading.lists, *(None if side is None else side[0] for side in (users, items)))
    data = make_dataset(raw, users=users, items=items, columns=columns, **of_rows)
    return data if path is None or users is not None or items is not None else with_movielens(data, path)


def load_split(path: str, reading: Reading, *, test: str, validation: str | None, task: Any, filtered: bool) -> Split:
    """Read a split that was made elsewhere: the tables ``data``, ``test`` and ``validation``.

    Raises:
        UsageError: If rows are to be filtered: what is left out of one part alone would make another split.
    """
    from reclens.data.split import given

    if filtered:
        raise UsageError("the split was made elsewhere, and rows are not to be filtered from it: leave min_rating and "
                         "k_core out, or filter the files before.")  # fmt: skip
    parts = {"data": path, "test": test, "validation": validation}
    found = {table: None if each is None else load_data(each, reading, table=table) for table, each in parts.items()}
    return given(found["data"], found["test"], validation=found["validation"], task=task)


def _side(reading: Reading, side: str, key: str) -> tuple[pl.DataFrame, Cleaner] | None:
    """Attributes of users or items, by what is said of their table, or else of all."""
    from reclens.data.attributes import attributes_beside, read_attributes

    path = reading.paths.get(side)
    if path is None:
        return None
    how = reading.of(side)
    with translated(reading.words, reading.prefix(side)):
        if reading.own(side):
            return read_attributes(path, key, lists=reading.lists, **how)
        columns, bad_rows = how.get("columns"), how.get("bad_rows", "error")
        return attributes_beside(path, key, columns=columns, bad_rows=bad_rows, lists=reading.lists, how=how)  # type: ignore[arg-type]


def load_training(place: Workspace, data: str | None, split: str | None, reading: Reading, *, seed: int) -> Dataset:
    """What to learn from: the training part of a split of the workspace, or data as :func:`load_data` reads them."""
    if split is None:
        return load_data(data, reading, seed=seed)
    if data is not None:
        raise UsageError("--data and --split are both given; give one of them.")
    reading.refuse_all("--split holds the data")
    return place.load("split", split).train


def load_lists(path: str, reading: Reading, *, name: str | None, place: Workspace) -> Recommendations:
    """The lists of a system: a run of the workspace, or a file (TREC where it ends in ``.run`` or ``.trec``)."""
    from reclens.data.ids import ids_as

    how = reading.of("lists")
    with translated(reading.words, reading.prefix("lists")):
        if path in {each.name for each in place.list("run")}:
            if reading.own("lists"):
                raise UsageError(f"'{path}' is a run of the workspace: nothing has to be said to read it.")
            found = place.load("run", path)
        elif reading.kind("lists") == "trec":
            from reclens.data.trec import read_run

            found = read_run(path, name=name, encoding=how.get("encoding", "utf-8"))
        else:
            from reclens.data.tables import read_recommendations

            found = read_recommendations(path, name=name, **how)
    return replace(found, table=ids_as(found.table, reading.ids))


def load_truth(
    path: str, reading: Reading, *, table: str = "truth", by_user: bool = True
) -> tuple[pl.DataFrame, list[dict[str, Any]], bool]:
    """Read held-out interactions, or other pairs of a user and an item; a file that ends in ``.qrels`` is of TREC.

    Args:
        path: The file.
        reading: How it is read.
        table: What it is called.
        by_user: Whether it has to have users; the items may be for everybody otherwise.

    Returns:
        The rows, the rules that were applied to them, and whether they are graded.
    """
    from reclens.data.ids import ids_as
    from reclens.schema import ITEM, USER

    how, needed = reading.of(table), (USER, ITEM) if by_user else (ITEM,)
    with translated(reading.words, reading.prefix(table)):
        if reading.kind(table) == "trec":
            from reclens.data.trec import read_qrels

            rows, rules, graded = read_qrels(path, encoding=how.get("encoding", "utf-8")), [], True
        else:
            from reclens.data.tables import read_table_and_rules

            rows, rules, graded = *read_table_and_rules(path, required=needed, **how), False
    return ids_as(rows, reading.ids), rules, graded


def load_rows(path: str, reading: Reading, *, table: str) -> pl.DataFrame:
    """Read a table whose columns have names of their own, such as units of an experiment."""
    from reclens.experiment.history import read_columns

    with translated(reading.words, reading.prefix(table)):
        return read_columns(path, **reading.of(table))


def load_raw(path: str, reading: Reading, *, table: str) -> Raw:
    """As :func:`load_rows`, as they were found."""
    from reclens.data.naming import renamed
    from reclens.data.sources import load

    how = reading.of(table)
    columns = how.pop("columns", None)
    with translated(reading.words, reading.prefix(table)):
        return renamed(load(path, columns=columns, **how), columns, known=())[0]


def rows_or_path(path: str, reading: Reading, *, table: str) -> pl.DataFrame | str:
    """A path that DuckDB can read as it is, or else its rows."""
    from reclens.data.streams import is_stream

    plain = reading.kind(table) != "json" and not is_stream(path) and not path.lower().endswith((".bz2", ".xz"))
    return path if plain and not reading.of(table) else load_rows(path, reading, table=table)


def holds_open_bandit(path: str) -> bool:
    """Whether a zip or a folder is the Open Bandit Dataset, told by the names of its files."""
    from reclens.data.zips import open_members

    place = Path(path).expanduser()
    if place.is_dir():
        return any((place / above / "item_context.csv").exists() for above in _campaigns(place))
    if place.suffix.lower() != ".zip":
        return False
    with open_members(place) as members:
        return any(name.rpartition("/")[2] == "item_context.csv" for name in members.names)


def _campaigns(folder: Path) -> list[Path]:
    """Where the logs of the Open Bandit Dataset stand below a folder."""
    return [Path(above) / policy / campaign for above in (".", "obd") for policy in ("random", "bts")
            for campaign in ("all", "men", "women") if (folder / above / policy).is_dir()]  # fmt: skip
