"""Loading of data sets, held-out rows and ready-made splits from any source, whose format is detected."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reclens.data.read.request import ADVICE_TEXTS, Reading, Words, is_about_reading, named_by
from reclens.errors import Advice, ArgumentTypeError, RecLensError, Setting, UsageError

if TYPE_CHECKING:
    import polars as pl

    from reclens.cards import AppliedRule
    from reclens.data.dataset import Dataset
    from reclens.data.read.clean import Cleaner
    from reclens.data.read.columns import Columns
    from reclens.data.split import Split

__all__ = ["holds_open_bandit", "load", "load_data", "load_split", "load_truth", "translated"]


_TABLES: Final = ("data", "users", "items")


@contextmanager
def translated(words: Words, table: str = "") -> Generator[None]:
    """Write the advice of errors in the terms of the caller: see :func:`reclens.data.read.request.named_by`."""
    try:
        yield
    except RecLensError as error:
        if error.advice is not None and error.advice.settings and is_about_reading(error.advice):
            texts = {} if words == "python" else ADVICE_TEXTS
            error.args, error.advice = (error.said(named_by(words, table), texts),), None
        raise


def load(
    source: Any = None,
    *,
    columns: Columns | None = None,
    users: Any = None,
    items: Any = None,
    lists: Mapping[str, str] | None = None,
    name: str | None = None,
    **how: Any,
) -> Dataset:
    """Load interactions from any source: MovieLens, the Complete Journey, RecBole, a table in a file, a frame, a query.

    The format of a file is detected from its content, as on the command line: ``rl.load("ml-1m.zip")`` is what
    ``--data ml-1m.zip`` reads.

    Args:
        source: A path; or anything that :func:`reclens.read` takes.
        columns: Names that are not recognised, ours to theirs; see :func:`reclens.read`.
        users: Attributes of users: a file or a frame.
        items: Attributes of items.
        lists: Attributes with several values in a text, and their separators: ``{"genres": "|"}``.
        name: What to call the data; by default the file's name.
        **how: How the source is read, as for :func:`reclens.read`.

    Returns:
        The data set.

    Raises:
        ArgumentTypeError: If the source is nothing that can be read.
        DataError: If it cannot be read or used; it names file, column, row and what to do.
        UsageError: If the arguments contradict each other, or are of no use to this source.

    Example:
        >>> load({"user": [1, 1, 2], "item": ["a", "b", "a"]})
        Dataset('data': 3 interactions of 2 users with 2 items)
    """
    if source is None and "query" not in how:
        raise ArgumentTypeError("source", None, expected="a file, a frame or a query", fix="Write load('ml-1m.zip').")
    on_disk = [given is None or isinstance(given, str | Path) for given in (source, users, items)]
    if source is None or not all(on_disk):
        from reclens.data.read.tables import read

        return read(source, columns=columns, users=users, items=items, lists=lists, name=name, **how)
    given = zip(_TABLES, (source, users, items), strict=True)
    paths = {table: None if each is None else str(each) for table, each in given}
    reading = Reading.of_settings(
        paths, columns=columns or {}, read=how, lists=lists or {}, ids=how.pop("ids", None), words="python"
    )
    data = load_data(str(source), reading)
    return data if name is None else replace(data, name=name)


_BANDIT: Final = Advice("read_bandit", text="Read it by rl.read_open_bandit(path).")


def load_data(path: str | None, reading: Reading, *, table: str = "data", seed: int = 0) -> Dataset:
    """Read a data set: a published one, RecBole's files or a table; a synthetic one without a path."""
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
    if kind in ("movielens", "complete_journey", "recbole"):
        sides = [reading.label(side) for side in ("users", "items") if reading.paths.get(side) is not None]
        if sides or reading.lists:
            odd = ", ".join(sides) or reading.label("lists")
            raise UsageError(f"{path} brings attributes of its own: leave {odd} out.")
    if kind == "movielens":
        from reclens.data.read.movielens import read_movielens

        return read_movielens(str(path))
    if kind == "complete_journey":
        from reclens.data.read.complete_journey import read_complete_journey

        return read_complete_journey(str(path))
    if kind == "recbole":
        from reclens.data.read.recbole import read_recbole

        return read_recbole(str(path), **how)
    if path is not None and not how and holds_open_bandit(path):
        raise UsageError(
            f"{path} is the Open Bandit Dataset, a log of what was shown and no set of interactions", advice=_BANDIT
        )
    from reclens.data.read.attributes import check_lists
    from reclens.data.read.columns import INTERACTIONS
    from reclens.data.read.sources import load
    from reclens.data.read.tables import make_dataset
    from reclens.data.split.given import with_layout, with_movielens

    how = how if path is None else with_layout(path, how)
    of_rows = {name: how.pop(name) for name in ("duplicates", "bad_rows", "timestamp_format") if name in how}
    columns = how.pop("columns", None)
    raw = load(path, columns=columns, wanted=INTERACTIONS, **how)
    if table in ("test", "validation"):  # attributes are read with the training data
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
        raise UsageError(
            "the split was made elsewhere, and rows are not to be filtered from it",
            advice=Advice(
                "filter_before",
                (Setting("min_rating"), Setting("k_core")),
                "Leave {min_rating} and {k_core} out, or filter the files before.",
            ),
        )
    parts = {"data": path, "test": test, "validation": validation}
    found = {table: None if each is None else load_data(each, reading, table=table) for table, each in parts.items()}
    return given(found["data"], found["test"], validation=found["validation"], task=task)


def _side(reading: Reading, side: str, key: str) -> tuple[pl.DataFrame, Cleaner] | None:
    """Read attributes of users or items, with the options of their table or else those of all tables."""
    from reclens.data.read.attributes import attributes_beside, read_attributes

    path = reading.paths.get(side)
    if path is None:
        return None
    how = reading.of(side)
    with translated(reading.words, reading.prefix(side)):
        if reading.own(side):
            return read_attributes(path, key, lists=reading.lists, **how)
        columns, bad_rows = how.get("columns"), how.get("bad_rows", "error")
        return attributes_beside(path, key, columns=columns, bad_rows=bad_rows, lists=reading.lists, how=how)  # type: ignore[arg-type]


def load_truth(
    path: str, reading: Reading, *, table: str = "truth", by_user: bool = True
) -> tuple[pl.DataFrame, list[AppliedRule], bool]:
    """Read held-out interactions, or other pairs of a user and an item; a file that ends in ``.qrels`` is of TREC.

    Args:
        path: The file.
        reading: How it is read.
        table: What it is called.
        by_user: Whether it has to have users; the items may be for everybody otherwise.

    Returns:
        The rows, the rules that were applied to them, and whether they are graded.
    """
    from reclens.data.read.ids import ids_as
    from reclens.schema import ITEM, USER

    how, needed = reading.of(table), (USER, ITEM) if by_user else (ITEM,)
    with translated(reading.words, reading.prefix(table)):
        if reading.kind(table) == "trec":
            from reclens.data.read.trec import read_qrels

            rows, rules, graded = read_qrels(path, encoding=how.get("encoding", "utf-8")), [], True
        else:
            from reclens.data.read.tables import read_table_and_rules

            rows, rules, graded = *read_table_and_rules(path, required=needed, **how), False
    return ids_as(rows, reading.ids), rules, graded


def holds_open_bandit(path: str) -> bool:
    """Whether a zip or a folder is the Open Bandit Dataset, told by the names of its files."""
    from reclens.data.read.zips import open_members

    place = Path(path).expanduser()
    if place.is_dir():
        return any((place / above / "item_context.csv").exists() for above in _campaigns(place))
    if place.suffix.lower() != ".zip":
        return False
    with open_members(place) as members:
        return any(name.rpartition("/")[2] == "item_context.csv" for name in members.names)


def _campaigns(folder: Path) -> list[Path]:
    """Where the logs of the Open Bandit Dataset stand below a folder."""
    return [
        Path(above) / policy / campaign
        for above in (".", "obd")
        for policy in ("random", "bts")
        for campaign in ("all", "men", "women")
        if (folder / above / policy).is_dir()
    ]
