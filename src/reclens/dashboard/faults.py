"""Locate the fault of an upload by file and row, so that the message is shown beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from reclens.dashboard.advice import said_on_page
from reclens.dashboard.uploads import MissingColumnError
from reclens.data.read.raw import Raw
from reclens.errors import DataError, RecLensError, UnmatchedIdsError

__all__ = ["Fault", "fault_of"]


@dataclass(frozen=True, eq=False)
class Fault:
    """Why files could not be used.

    Attributes:
        text: The message in the words of the page.
        kind: The kind of the faulty file; None if it is not a single file.
        row: The faulty row as written in the file; None if it is not a single row.
    """

    text: str
    kind: str | None = None
    row: pl.DataFrame | None = None


def fault_of(error: RecLensError, tables: Mapping[str, Raw]) -> Fault:
    """Locate an error among the uploaded files.

    Args:
        error: The error.
        tables: Kind of file -> its rows.
    """
    text = said_on_page(error)
    if isinstance(error, MissingColumnError):
        return Fault(text, error.kind)
    if isinstance(error, UnmatchedIdsError):  # of two tables, one of which is the lists
        return Fault(text, "lists")
    if not isinstance(error, DataError) or error.source is None:
        return Fault(text)
    kind = next((kind for kind, raw in tables.items() if raw.where == error.source), None)
    if kind is None or error.row is None:
        return Fault(text, kind)
    return Fault(text, kind, tables[kind].frame.slice(error.row - 1, 1))
