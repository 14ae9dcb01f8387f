"""Projects of a monitor over logs that are small enough to count by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from reclens.monitor.project import Project

FIRST = date(2026, 1, 5)

HEADER = """
system = "shop"

[log]
path = "log"
list_length = 3
hit_at = 1
cold_days = 1

[tables]
users = "users.parquet"
items = "items.parquet"
"""


def hand_log(day: date = FIRST) -> pl.DataFrame:
    """Four lists of a day: three items, three with one twice, none, two; three clicks."""
    start = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    rows = [
        # request, user, item, position, clicked, converted, surface, version, retriever, latency, device
        (1, 1, "a", 1, 0, 0, "home", "v1", "cf", 10.0, "mobile"),
        (1, 1, "b", 2, 1, 1, "home", "v1", "cf", 10.0, "mobile"),
        (1, 1, "c", 3, 0, 0, "home", "v1", "popular", 10.0, "mobile"),
        (2, 2, "a", 1, 1, 0, "home", "v2", "cf", 20.0, "mobile"),
        (2, 2, "a", 2, 0, 0, "home", "v2", "popular", 20.0, "mobile"),
        (2, 2, "d", 3, 1, 0, "home", "v2", "cf", 20.0, "mobile"),
        (3, 3, None, None, None, None, "email", "v1", None, 30.0, None),
        (4, 1, "a", 1, 0, 0, "email", "v1", "cf", 40.0, "desktop"),
        (4, 1, "b", 2, 0, 0, "email", "v1", "cf", 40.0, "desktop"),
    ]
    names = "request_id user_id item_id position clicked converted surface model_version retriever latency_ms"
    frame = pl.DataFrame(rows, schema=[*names.split(), "feature.device"], orient="row")
    hours = pl.col("request_id") * pl.duration(hours=1)
    return frame.with_columns(
        timestamp=pl.lit(start).cast(pl.Datetime("us", "UTC")) + hours,
        predicted=pl.lit(0.25),
        score=1.0 / pl.col("position"),
    ).with_columns(
        received_at=pl.col("timestamp")
        + pl.when((pl.col("request_id") == 4) & (pl.col("item_id") == "b"))
        .then(pl.duration(hours=2))
        .otherwise(pl.duration(minutes=30))
    )


def write_log(folder: Path, day: date, frame: pl.DataFrame) -> None:
    (folder / "log").mkdir(parents=True, exist_ok=True)
    frame.write_parquet(folder / "log" / f"{day}.parquet")


@pytest.fixture
def make_project(tmp_path: Path) -> Callable[..., Project]:
    """A project with users (1, 2 light; 3 heavy), items a to h (a released lately), and settings."""

    def make(settings: str = HEADER, *, folder: Path = tmp_path) -> Project:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "monitor.toml").write_text(settings, encoding="utf-8")
        pl.DataFrame({"user_id": [1, 2, 3], "segment": ["light", "light", "heavy"]}).write_parquet(
            folder / "users.parquet"
        )
        pl.DataFrame(
            {
                "item_id": list("abcdefgh"),
                "category": ["x", "y", "x", "y", "x", "x", "x", "x"],
                "released": [FIRST - timedelta(days=3), *[date(2020, 1, 1)] * 7],
            }
        ).write_parquet(folder / "items.parquet")
        return Project(folder)

    return make


@pytest.fixture
def hand_project(make_project: Callable[..., Project], tmp_path: Path) -> Project:
    """A project whose first day is :func:`hand_log`."""
    write_log(tmp_path, FIRST, hand_log())
    return make_project()


@pytest.fixture(name="hand_log")
def hand_log_fixture() -> Callable[..., pl.DataFrame]:
    """The log of one day, to change."""
    return hand_log


@pytest.fixture(name="write_log")
def write_log_fixture() -> Callable[[Path, date, pl.DataFrame], None]:
    """Writes the log of a day."""
    return write_log
