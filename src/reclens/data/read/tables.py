"""Readers of your own tables: interactions, attributes and recommendation lists from any source of rows.

Sources: a CSV file (any delimiter; gz, bz2, xz, zst), JSON (lines or an array), Parquet (file, folder, glob), standard
input or a pipe, a table of a DuckDB file or connection, a query that DuckDB runs, a member of a zip, a mapping of
columns, and every frame with an Arrow C stream (Polars, pandas, PyArrow, DuckDB relations; Spark by ``.toArrow()``).

The rules, each counted in ``card["rules"]`` when it changed something:

- The first line of a text names its columns. A first line that looks like a row, or a row that looks like names where
  columns are named by place, is an error that says what to pass.
- Ids become 64-bit integers or stay text. Text becomes integers only if all of it is written as integers are; leading
  zeros keep a column text. Mixed integers and strings become text; whole decimals (``17.0``) become integers.
- Numbers of time are seconds since 1970; above 1e11 milliseconds, above 1e14 microseconds, above 1e17 nanoseconds.
  Times without a zone are UTC.
- A row with a missing id, a missing or infinite rating or weight, or a missing or negative time is an error that names
  the row - or, with ``bad_rows="drop"``, left out and counted.
- A pair of user and item that is repeated is merged as ``duplicates=`` says; the log keeps every row, and what is about
  time (splits, above all) is made from it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import polars as pl

from reclens.cards import AppliedRule, DatasetCard, ListsCard
from reclens.data.dataset import Dataset
from reclens.data.read.attributes import attributes_beside, check_lists
from reclens.data.read.clean import BadRows, Cleaner
from reclens.data.read.clean_columns import clean_columns
from reclens.data.read.columns import INTERACTIONS, LISTS, TABLE, Columns
from reclens.data.read.duplicates import Duplicates, merge_duplicates
from reclens.data.read.ids import ids_as, same_kind
from reclens.data.read.lists import normalize_recommendations
from reclens.data.read.naming import columns_of, renamed
from reclens.data.read.options import ReadOptions
from reclens.data.read.raw import Raw
from reclens.data.read.sources import load
from reclens.data.rules import DROPPING
from reclens.errors import Advice, DataError, Setting
from reclens.schema import ITEM, RANK, SCORE, USER, Recommendations

__all__ = [
    "Columns",
    "DroppedRowsWarning",
    "make_dataset",
    "read",
    "read_recommendations",
    "read_table",
    "read_table_and_rules",
]


class DroppedRowsWarning(UserWarning):
    """Rows were dropped from a table that has no card to record the count."""


def read(
    source: Any = None,
    *,
    columns: Columns | None = None,
    users: Any = None,
    items: Any = None,
    name: str | None = None,
    duplicates: Duplicates = "last",
    bad_rows: BadRows = "error",
    timestamp_format: str | None = None,
    lists: Mapping[str, str] | None = None,
    **how: Unpack[ReadOptions],
) -> Dataset:
    """Read interactions, with or without attributes of users and items.

    The rules that are applied stand at the top of this module.

    Args:
        source: Path, glob, folder, ``"-"`` for standard input, frame, DuckDB connection or mapping of columns. With
            ``query=`` it may be left out; a DuckDB file is then what the query runs on, and any other source is its
            table ``source``.
        columns: Names that are not recognised, ours to theirs, such as ``{"user_id": "CustomerID"}``; places (from 0)
            for a file without a header; None for a column that is not to be used.
        users: Attributes of users: any source again, with a column of user ids. A file that is written otherwise than
            ``source`` is read by :func:`read_table` first.
        items: Attributes of items.
        name: What to call the data; by default the file's name.
        duplicates: How ``interactions`` gets one row a pair: ``"last"`` keeps the latest row (of equal times the later
            row), ``"sum"`` adds up weights (1 a row if there are none), ``"error"`` refuses. ``events`` keeps all rows,
            and a split merges anew within each of its parts.
        bad_rows: ``"error"``, or ``"drop"`` to leave rows out that cannot be used, and count them.
        timestamp_format: The form of times that are not year first, as for ``strptime``.
        lists: Attributes with several values in a text, and their separators: ``{"genres": "|"}``.
        **how: How the source is read: ``delimiter``, ``quote``, ``escape``, ``decimal``, ``encoding``, ``header``,
            ``ids``, ``form``, ``between``, ``table``, ``query``, ``params``; see
            :class:`reclens.data.read.options.ReadOptions`. Encoding, decimal mark and ids are those of ``users`` and
            ``items`` too.

    Returns:
        The data set; its card tells source, columns, what was not used, and the rules that were applied.

    Raises:
        DataError: If the source cannot be read or used; it names file, column, row and what to do.
        UsageError: If the arguments contradict each other.

    Example:
        >>> rows = {"userId": [1, 1, 2], "movieId": ["a", "b", "a"], "rating": [5, 3, 4]}
        >>> data = read(rows)
        >>> data
        Dataset('data': 3 interactions of 2 users with 2 items)
        >>> data.card["columns"]
        {'user_id': 'userId', 'item_id': 'movieId', 'rating': 'rating'}
    """
    raw = load(source, columns=columns, wanted=INTERACTIONS, **how)
    sides = {
        key: None
        if given is None
        else attributes_beside(given, key, columns=columns, bad_rows=bad_rows, lists=lists, how=how)
        for key, given in ((USER, users), (ITEM, items))
    }
    check_lists(lists, *(None if side is None else side[0] for side in sides.values()))
    data = make_dataset(
        raw,
        users=sides[USER],
        items=sides[ITEM],
        columns=columns,
        name=name,
        duplicates=duplicates,
        bad_rows=bad_rows,
        timestamp_format=timestamp_format,
    )
    return data.with_ids(how.get("ids"))


def make_dataset(
    raw: Raw,
    *,
    users: tuple[pl.DataFrame, Cleaner] | None = None,
    items: tuple[pl.DataFrame, Cleaner] | None = None,
    columns: Columns | None = None,
    name: str | None = None,
    duplicates: Duplicates = "last",
    bad_rows: BadRows = "error",
    timestamp_format: str | None = None,
    card: DatasetCard | None = None,
) -> Dataset:
    """Clean rows and make a data set of them; every reader of interactions calls this.

    Args:
        raw: The rows.
        users: Clean attributes of users, and what was done to them.
        items: Clean attributes of items.
        columns: As for :func:`read`.
        name: As for :func:`read`.
        duplicates: As for :func:`read`.
        bad_rows: As for :func:`read`.
        timestamp_format: As for :func:`read`.
        card: Further entries of the card.

    Raises:
        DataError: As for :func:`read`.
    """
    cleaner = Cleaner(raw.where, bad_rows)
    cleaner.rules.extend(raw.rules)
    found = columns_of(raw, INTERACTIONS, (USER, ITEM), columns)
    _refuse_empty(raw)
    frame = clean_columns(raw, found, cleaner, timestamp_format)
    if not frame.height:
        raise DataError(
            "no row is left",
            source=raw.where,
            fix=Advice("look_at_dropped", (Setting("bad_rows", "drop"),), "Look at what {bad_rows} left out."),
        )
    tables: dict[str, pl.DataFrame | None] = {USER: None, ITEM: None}
    without = DatasetCard()
    for key, given in ((USER, users), (ITEM, items)):
        if given is None:
            continue
        attributes, own = given
        cleaner.rules.extend(own.rules)
        ids, others = same_kind(frame[key], attributes[key], cleaner, column=key)
        frame, attributes = frame.with_columns(ids), attributes.with_columns(others)
        tables[key] = attributes
        absent = frame.select(pl.col(key).unique()).join(attributes, on=key, how="anti").height
        if absent:
            without.update(
                {"users_without_attributes": absent} if key == USER else {"items_without_attributes": absent}
            )
    log, merged = merge_duplicates(frame.rechunk(), duplicates, cleaner)
    made: DatasetCard = {
        "source": raw.where,
        "rows_read": raw.frame.height,
        "columns": found,
        "columns_not_used": [c for c in raw.frame.columns if c not in found.values()],
        "duplicates": duplicates,
        "rules": cleaner.rules,
    }
    made.update(without)
    made.update(card or {})
    return Dataset(
        merged,
        users=tables[USER],
        items=tables[ITEM],
        name=name or raw.name,
        card=made,
        log=None if merged is log else log,
    )


def read_recommendations(
    source: Any = None,
    *,
    columns: Columns | None = None,
    name: str | None = None,
    bad_rows: BadRows = "error",
    **how: Unpack[ReadOptions],
) -> Recommendations:
    """Read the lists of any system: a row a user and item, with a rank or a score.

    Lists are sorted by rank, or by falling score where there is no rank (equal scores: the order of the rows); gaps in
    the ranks are closed; an item that stands in a list twice keeps its best rank; two items at one rank are put in
    order by their scores, and are an error without. Each rule is counted in ``card["rules"]``.

    Args:
        source: As for :func:`read`.
        columns: As for :func:`read`; ours are ``user_id, item_id, rank, score``.
        name: Name of the system; by default the file's.
        bad_rows: As for :func:`read`, for missing ids and for scores that are not numbers.
        **how: As for :func:`read`.

    Returns:
        The lists, ranks from 1.

    Raises:
        DataError: If the source cannot be read or used; it names file, column, row and what to do.

    Example:
        >>> lists = read_recommendations({"user": [1, 1], "item": ["a", "b"], "score": [0.1, 0.7]}, name="mine")
        >>> lists.table.rows()
        [(1, 'b', 1, 0.7), (1, 'a', 2, 0.1)]
    """
    raw = load(source, columns=columns, wanted=LISTS, **how)
    cleaner = Cleaner(raw.where, bad_rows)
    cleaner.rules.extend(raw.rules)
    found = columns_of(raw, LISTS, (USER, ITEM), columns)
    if RANK not in found and SCORE not in found:
        _refuse_cells(raw, found[ITEM])
        _ = columns_of(raw, LISTS, (RANK,), columns)
    _refuse_empty(raw)
    frame, rules = normalize_recommendations(clean_columns(raw, found, cleaner, None), raw.where)
    frame = ids_as(frame, how.get("ids"))
    card: ListsCard = {
        "source": raw.where,
        "rows_read": raw.frame.height,
        "columns": found,
        "columns_not_used": [c for c in raw.frame.columns if c not in found.values()],
        "rules": [*cleaner.rules, *rules],
    }
    return Recommendations(frame, name or (raw.name if raw.name != "data" else "system"), card)


def read_table(
    source: Any = None,
    *,
    columns: Columns | None = None,
    bad_rows: BadRows = "error",
    timestamp_format: str | None = None,
    **how: Unpack[ReadOptions],
) -> pl.DataFrame:
    r"""Read any table: known columns are renamed and cleaned, the others are unchanged.

    Rows are neither merged nor reordered; with ``bad_rows="drop"`` those that cannot be used are left out, with a
    warning that counts them.

    Args:
        source: As for :func:`read`.
        columns: As for :func:`read`; ours also include ``rank, score, relevance``. Any other name is one that a column
            gets, such as ``{"user_id": 0, "age": 1}`` for a file without a header.
        bad_rows: As for :func:`read`.
        timestamp_format: As for :func:`read`.
        **how: As for :func:`read`.

    Returns:
        The rows.

    Raises:
        DataError: If the source cannot be read or used.

    Warns:
        DroppedRowsWarning: If rows were left out.

    Example:
        >>> read_table(b"uid;iid;relevance;shelf\n007;a;1;03\n").rows(named=True)
        [{'user_id': '007', 'item_id': 'a', 'relevance': 1.0, 'shelf': '03'}]
    """
    frame, rules = read_table_and_rules(
        source, columns=columns, bad_rows=bad_rows, timestamp_format=timestamp_format, **how
    )
    for each in rules:
        if each["code"] in DROPPING:
            where = f"'{each['facts']['column']}'" if "column" in each["facts"] else each["facts"].get("table")
            warnings.warn(
                f"{each['count']:,} rows were left out: {each['code'].replace('_', ' ')} ({where})",
                DroppedRowsWarning,
                stacklevel=2,
            )
    return frame


def read_table_and_rules(
    source: Any = None,
    *,
    columns: Columns | None = None,
    required: Sequence[str] = (),
    bad_rows: BadRows = "error",
    timestamp_format: str | None = None,
    **how: Unpack[ReadOptions],
) -> tuple[pl.DataFrame, list[AppliedRule]]:
    """As :func:`read_table`, and the rules that were applied, each a :class:`reclens.data.rules.AppliedRule`.

    Columns of ours that are ``required`` have to be there.
    """
    raw = load(source, columns=columns, wanted=TABLE, **how)
    raw, known = renamed(raw, columns)
    found = columns_of(raw, TABLE, required, known)
    theirs = {name: ours for ours, name in found.items()}
    others = [name for name in raw.frame.columns if name not in theirs]
    clash = [name for name in others if name in found]
    if clash:
        raise DataError(
            f"'{clash[0]}' is there, and another column is named for it",
            source=raw.where,
            column=clash[0],
            fix="Rename one of the two.",
        )
    cleaner = Cleaner(raw.where, bad_rows)
    cleaner.rules.extend(raw.rules)
    frame = clean_columns(raw, found, cleaner, timestamp_format, others=others)
    frame = frame.select(theirs.get(name, name) for name in raw.frame.columns)
    return ids_as(frame, how.get("ids")), cleaner.rules


def _refuse_cells(raw: Raw, column: str) -> None:
    """Raise an error for cells that seem to hold several ids, unless the caller said so."""
    ids = raw.frame[column]
    if ids.dtype == pl.String and len(ids) and ids.str.strip_chars().str.contains(r"\s|[|;,]").mean() > 0.5:  # type: ignore[operator]
        raise DataError(
            f"a cell holds several ids: {ids.drop_nulls()[0][:60]!r}",
            source=raw.where,
            column=column,
            fix=Advice(
                "items_in_cells", (Setting("form", "cell"),), "Pass {form} to read them as a list in its order."
            ),
        )


def _refuse_empty(raw: Raw) -> None:
    if not raw.frame.height:
        raise DataError("there are no rows", source=raw.where, fix="Expected at least one row below the column names.")
