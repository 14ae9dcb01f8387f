"""The input of an external mart engine: the log of a day as read, and the known facts about its users and items.

::

    state/landed/days/2026-01-05.parquet          how long its lists should be, and whether it passed its data gate
    state/landed/events/2026-01-05.parquet        the log in the names and types of the schema
    state/landed/user_facts/2026-01-05.parquet    segment of each user of the day, and whether it is new
    state/landed/item_facts/2026-01-05.parquet    category of each item of the day, whether it is new, …

Each has a column ``day``. Facts about users and items depend on the previous days and their data gates. They are
stored with the day, so that reruns use the same input.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

import polars as pl

from reclens.data.quoting import constant
from reclens.errors import WorkspaceError, first_line
from reclens.files import made_folder
from reclens.monitor.duck import frame, rows, run
from reclens.monitor.project import Project

if TYPE_CHECKING:
    import duckdb

__all__ = ["LANDED", "Marts", "clear_day", "land_day", "landed_folder", "outline"]

LANDED: Final = ("days", "events", "user_facts", "item_facts", "retriever_log", "stage_log", "click_log")
"""Tables that are landed; the last three where the settings name them."""

_ADDED: Final = "late, segment, new_user, category, new_item, fresh_item, information"


@runtime_checkable
class Marts(Protocol):
    """Makes marts in an external engine from landed days."""

    def build(self, project: Project, days: Sequence[date]) -> None:
        """Make the marts of days and replace existing ones.

        Args:
            project: The monitor.
            days: The days, consecutive and in order.

        Raises:
            WorkspaceError: If they cannot be made; the next build replaces partial results.
        """
        ...

    def read(self, day: date) -> dict[str, pl.DataFrame]:
        """The marts of a day, by the names of their queries, without the column of the day."""
        ...


def landed_folder(project: Project) -> Path:
    """Folder of the landed days."""
    return project.state / "landed"


def land_day(connection: duckdb.DuckDBPyConnection, project: Project, day: date) -> None:
    """Write the tables of a day, each atomically.

    Raises:
        WorkspaceError: If they cannot be written.
    """
    import duckdb

    clear_day(project, day)
    there = {name for (name,) in rows(connection, "SELECT table_name FROM information_schema.tables")}
    for name in LANDED:
        if name not in there:
            continue
        source = f"SELECT * EXCLUDE ({_ADDED}) FROM impressions" if name == "events" else f"SELECT * FROM {name}"
        place = made_folder(landed_folder(project) / name) / f"{day}.parquet"
        draft = place.with_name(f".{day}.draft")
        try:
            run(connection, f"COPY ({source}) TO {constant(str(draft))} (FORMAT parquet, COMPRESSION zstd)")
            draft.replace(place)
        except (duckdb.Error, OSError) as error:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise WorkspaceError(f"{place} cannot be written: {first_line(error)}") from error


def clear_day(project: Project, day: date) -> None:
    """Remove the tables of a day: it has no rows, or they are rewritten.

    Raises:
        WorkspaceError: If they cannot be removed.
    """
    for name in LANDED:
        place = landed_folder(project) / name / f"{day}.parquet"
        try:
            place.unlink(missing_ok=True)
        except OSError as error:
            raise WorkspaceError(f"{place} cannot be removed: {error.strerror or error}.") from error


def outline(connection: duckdb.DuckDBPyConnection) -> dict[str, pl.DataFrame]:
    """Facts that later days need of a day whose marts are pending: ids, versions, and clicks of items."""
    return {
        "users": frame(connection, "SELECT DISTINCT user_id::VARCHAR AS user_id FROM user_facts"),
        "items": frame(
            connection,
            "SELECT item_id::VARCHAR AS item_id, 'overall' AS dimension, 'all' AS slice, count(*) AS shown, "
            "count(*) FILTER (WHERE clicked) AS clicks FROM impressions WHERE item_id IS NOT NULL GROUP BY ALL",
        ),
        "cells": frame(connection, "SELECT DISTINCT model_version FROM impressions WHERE item_id IS NOT NULL"),
    }
