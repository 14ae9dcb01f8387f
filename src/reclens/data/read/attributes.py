"""Tables of attributes, with one row per user or per item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import polars as pl

from reclens.data.read.clean import BadRows, Cleaner
from reclens.data.read.columns import Columns
from reclens.data.read.ids import clean_ids, infer_type
from reclens.data.read.naming import columns_of, renamed
from reclens.data.read.options import ReadOptions
from reclens.data.read.raw import Raw
from reclens.data.read.sources import load
from reclens.errors import UnknownNameError

__all__ = ["attributes_beside", "check_lists", "clean_attributes", "read_attributes"]


def read_attributes(
    source: Any,
    key: str,
    *,
    columns: Columns | None = None,
    bad_rows: BadRows = "error",
    lists: Mapping[str, str] | None = None,
    **how: Unpack[ReadOptions],
) -> tuple[pl.DataFrame, Cleaner]:
    """Attributes of users or items, one row an id, and what was done to them.

    Args:
        source: As for :func:`reclens.data.read.tables.read`.
        key: ``"user_id"`` or ``"item_id"``.
        columns: As for :func:`reclens.data.read.tables.read_table`.
        bad_rows: As for :func:`reclens.data.read.tables.read`.
        lists: As for :func:`reclens.data.read.tables.read`.
        **how: As for :func:`reclens.data.read.tables.read`.

    Raises:
        DataError: If the source cannot be read or used.
    """
    raw, known = renamed(load(source, columns=columns, wanted=(key,), **how), columns)
    given = {key: known[key]} if known.get(key) else {}
    return clean_attributes(raw, key, columns=given, bad_rows=bad_rows, lists=lists, strict=True)


def attributes_beside(
    source: Any,
    key: str,
    *,
    columns: Columns | None,
    bad_rows: BadRows,
    lists: Mapping[str, str] | None,
    how: ReadOptions,
) -> tuple[pl.DataFrame, Cleaner]:
    """Read attributes next to interactions, with the options of the interactions that apply to every text."""
    text = isinstance(source, str | bytes | Path)
    raw = load(source, wanted=(key,), encoding=how.get("encoding") if text else None)
    if text and how.get("decimal") is not None:
        raw = replace(raw, decimal=how.get("decimal"))
    named = (columns or {}).get(key)
    given = {key: named} if isinstance(named, str) else {}
    return clean_attributes(raw, key, columns=given, bad_rows=bad_rows, lists=lists)


def check_lists(lists: Mapping[str, str] | None, *tables: pl.DataFrame | None) -> None:
    """Check that every list-valued attribute is a column of some table.

    Raises:
        UnknownNameError: If one is not.
    """
    known = {name for table in tables if table is not None for name in table.columns}
    for name in lists or ():
        if name not in known:
            raise UnknownNameError("attribute, whose lists are to be split,", name, known)


def clean_attributes(
    raw: Raw,
    key: str,
    *,
    columns: Columns | None = None,
    bad_rows: BadRows = "error",
    lists: Mapping[str, str] | None = None,
    strict: bool = False,
) -> tuple[pl.DataFrame, Cleaner]:
    """Clean a table of attributes: the id first, one row an id (of several the first, counted).

    Args:
        raw: The rows.
        key: ``"user_id"`` or ``"item_id"``.
        columns: The name of its column, as for :func:`reclens.data.read.columns.find_columns`; others are not
            looked at.
        bad_rows: As for :func:`reclens.data.read.tables.read`.
        lists: As for :func:`reclens.data.read.tables.read`.
        strict: Whether a name that is not there is an error; if not, the known names are tried.

    Raises:
        DataError: If there is no column of ids, or they cannot be used.
    """
    given = {ours: theirs for ours, theirs in (columns or {}).items() if ours == key and isinstance(theirs, str)}
    found = columns_of(raw, (key,), (key,), given, strict=strict)
    cleaner = Cleaner(raw.where, bad_rows)
    made = [clean_ids(raw.frame[found[key]], cleaner, column=found[key], text=raw.text).alias(key)]
    for name in raw.frame.columns:
        if name == found[key]:
            continue
        values = raw.frame[name]
        if values.dtype == pl.Object:
            values = pl.Series(name, [None if v is None else str(v) for v in values.to_list()], pl.String)
        if lists and name in lists and values.dtype == pl.String:
            values = _split_lists(values, lists[name])
        made.append(infer_type(values, raw.decimal) if raw.text else values)
    frame = cleaner.apply(pl.DataFrame(made))
    kept = frame.unique(key, keep="first", maintain_order=True)
    cleaner.note("repeated_attributes", frame.height - kept.height, table=raw.where)
    return kept, cleaner


def _split_lists(values: pl.Series, separator: str) -> pl.Series:
    return values.fill_null("").str.split(separator).list.eval(pl.element().filter(pl.element() != ""))
