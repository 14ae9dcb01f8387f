"""How the commands read data, lists and truth: from whatever kind of file it is, with the options of the readers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from reclens.cli.shared import pairs
from reclens.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    import polars as pl

    from reclens.data.dataset import Dataset
    from reclens.schema import Recommendations

__all__ = [
    "ColumnOption",
    "ReadOption",
    "as_options",
    "holds_open_bandit",
    "load_data",
    "load_lists",
    "load_truth",
    "reading",
]

ColumnOption = Annotated[
    list[str] | None, typer.Option("--column", "-c", help="Name a column, as user_id=uid; repeat it.")
]
ReadOption = Annotated[
    list[str] | None,
    typer.Option("--read", help="How to read files, as encoding=latin-1, bad_rows=drop, table=NAME; repeat it."),
]

_OPTIONS: Final = ("bad_rows", "delimiter", "duplicates", "encoding", "query", "table", "timestamp_format")
_OF_INTERACTIONS: Final = ("duplicates", "timestamp_format")
_RUNS: Final = (".run", ".trec")


def reading(column: list[str] | None, read: list[str] | None) -> dict[str, Any]:
    """The arguments of a reader from ``--column`` and ``--read``; ``-c rating=`` leaves a column out.

    Raises:
        UsageError: If one has no ``=``, or is no option of the readers.
    """
    options: dict[str, Any] = dict(pairs(read, option="--read"))
    for name in options:
        if name not in _OPTIONS:
            raise UnknownNameError("option --read", name, _OPTIONS)
    if "delimiter" in options:
        options["delimiter"] = options["delimiter"].replace("\\t", "\t") or " "
    columns = {ours: theirs or None for ours, theirs in pairs(column, option="--column").items()}
    return options | ({"columns": columns} if columns else {})


def as_options(message: str) -> str:
    """An error's advice in the words of the command line: ``bad_rows='drop'`` is ``--read bad_rows=drop`` here.

    >>> as_options("Name it: columns={'user_id': 'customer'}.")
    'Name it: --column user_id=customer.'
    >>> as_options("or pass bad_rows='drop' to leave them out")
    'or pass --read bad_rows=drop to leave them out'
    """
    message = re.sub(r"columns=\{'(\w+)': (?:'([^']*)'|None)\}", lambda m: f"--column {m[1]}={m[2] or ''}", message)
    return re.sub(rf"\b({'|'.join(_OPTIONS)})=(?:'([^']*)')?", lambda m: f"--read {m[1]}={m[2] or '…'}", message)


def load_data(
    path: str | None, *, options: Mapping[str, Any] | None = None, users: str | None = None, items: str | None = None,
    seed: int = 0,
) -> Dataset:  # fmt: skip
    """Read a data set from wherever it is: MovieLens, RecBole, a table; synthetic without a path."""
    given = dict(options or {})
    if path is None and "query" not in given:
        from reclens.data.synthetic import synthetic_movielens

        return synthetic_movielens(rng=seed)
    from reclens.data.movielens import read_movielens
    from reclens.data.tables import read

    kind = "table" if path is None else _kind(Path(path))
    if kind == "table" and path is not None and not given and holds_open_bandit(path):
        raise UsageError(
            f"{path} is the Open Bandit Dataset, a log of what was shown and no set of interactions. Use it with "
            "'reclens experiment off-policy', or rl.read_open_bandit(path) in Python."
        )
    if kind == "movielens":
        if given:
            raise UsageError(f"{path} is a MovieLens data set, whose layout is known: it takes no {', '.join(given)}.")
        return read_movielens(str(path))
    if kind == "recbole":
        from reclens.data.recbole import read_recbole

        odd = set(given) - {"columns", "duplicates", "bad_rows"}
        if odd:
            raise UsageError(f"{path} holds RecBole files: they take no {', '.join(sorted(odd))}.")
        return read_recbole(str(path), **given)
    return read(path, users=users, items=items, **given)


def load_lists(path: str, *, options: Mapping[str, Any], name: str | None) -> Recommendations:
    """Read the lists of a system; a file that ends in ``.run`` or ``.trec`` is a TREC run."""
    if _ending(path) in _RUNS:
        from reclens.data.trec import read_run

        return read_run(path, name=name, encoding=options.get("encoding", "utf-8"))
    from reclens.data.tables import read_recommendations

    return read_recommendations(path, name=name, **_without(options, _OF_INTERACTIONS))


def load_truth(path: str, *, options: Mapping[str, Any]) -> tuple[pl.DataFrame, list[dict[str, Any]], bool]:
    """Read held-out interactions; a file that ends in ``.qrels`` is of TREC.

    Returns:
        The rows, the rules that were applied to them, and whether they are graded.
    """
    if _ending(path) == ".qrels":
        from reclens.data.trec import read_qrels

        return read_qrels(path, encoding=options.get("encoding", "utf-8")), [], True
    from reclens.data.tables import read_table_and_rules

    return *read_table_and_rules(path, **_without(options, ("duplicates",))), False


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


def _without(options: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in names}


def _ending(path: str) -> str:
    return Path(path.removesuffix(".gz")).suffix.lower()


def _kind(path: Path) -> str:
    """What a zip or a folder holds, told by the names of its files."""
    from reclens.data.zips import open_members

    if not path.is_dir() and path.suffix.lower() != ".zip":
        return "recbole" if path.suffix == ".inter" else "table"
    with open_members(path) as members:
        names = {name.rpartition("/")[2] for name in members.names}
    if names & {"u.data", "ratings.dat", "ratings.csv"}:
        return "movielens"
    return "recbole" if path.is_dir() and any(name.endswith(".inter") for name in names) else "table"
