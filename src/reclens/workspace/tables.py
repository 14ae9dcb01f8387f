"""The SQL tables of a workspace: their columns, and queries over them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from reclens.workspace.artefact import Artefact, Key, Stamp
from reclens.workspace.consistent_reads import read_whole
from reclens.workspace.naming import file_inside, tables_of
from reclens.workspace.query import Answer, ask
from reclens.workspace.sandbox import named_in

__all__ = ["answer_query", "columns_of"]


def answer_query(
    folder: Path,
    artefacts: Sequence[Artefact],
    find: Callable[[str, str], Stamp],
    query: str,
    *,
    limit: int | None,
    seconds: float | None,
) -> Answer:
    """Run a query on consistent tables, each written by a single save, also while other processes write.

    Args:
        folder: The workspace.
        artefacts: Its artefacts.
        find: Returns the stamp of an artefact, or raises if it is unknown.
        query: One SELECT statement.
        limit: Maximum number of rows.
        seconds: Time limit for all attempts together.
    """
    tables = tables_of(folder, artefacts)
    files = {name: file for name, (_, file) in tables.items()}
    named = named_in(query, files)
    began: float | None = None

    def answer(places: Mapping[Key, Path]) -> Answer:
        nonlocal began
        left = seconds if seconds is None or began is None else max(seconds + began - time.monotonic(), 1e-3)
        began = began or time.monotonic()
        read = dict(files)
        for name in named:
            kind, owner, table = tables[name][0]
            read[name] = file_inside(folder, places[kind, owner] / f"{table}.parquet") or files[name]
        return ask(read, query, limit=limit, seconds=left)

    keys = sorted({tables[name][0][:2] for name in named})
    made = {(each.kind, each.name) for each in artefacts if each.synthetic}
    return replace(read_whole(folder, keys, find, answer), synthetic=not made.isdisjoint(keys))


def columns_of(files: Mapping[str, Path]) -> dict[str, dict[str, str]]:
    """Return the columns of each table with their types; unreadable tables are left out."""
    found: dict[str, dict[str, str]] = {}
    for name, file in sorted(files.items()):
        try:
            schema = pl.scan_parquet(file, glob=False, hive_partitioning=False).collect_schema()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
            continue
        found[name] = {column: str(kind) for column, kind in schema.items()}
    return found
