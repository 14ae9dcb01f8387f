"""Logs by day and the rows of their parts, for tests of splits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

import reclens as rl
from reclens.data.dataset import Dataset

Row = tuple[str, str, int]


TASKS = ("new_items", "with_repeats")


def read_log(rows: list[Row], **options: object) -> Dataset:
    """Events of (user, item, day of 2024), with a rating that is the day."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    columns = {
        "user_id": [user for user, _, _ in rows],
        "item_id": [item for _, item, _ in rows],
        "timestamp": [start + timedelta(days=day - 1) for *_, day in rows],
        "rating": [float(day) for *_, day in rows],
    }
    return rl.read(pl.DataFrame(columns), name="shop", **options)  # type: ignore[arg-type]


def pairs(table: pl.DataFrame) -> set[tuple[str, str]]:
    found = table.select("user_id", "item_id").rows()
    assert len(found) == len(set(found)), "a pair stands twice in one part"
    return set(found)


def days(table: pl.DataFrame) -> list[tuple[str, str, int]]:
    return sorted((u, i, t.timetuple().tm_yday) for u, i, t in table.select("user_id", "item_id", "timestamp").rows())
