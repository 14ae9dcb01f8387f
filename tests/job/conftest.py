"""A monitor of a small shop: seven weeks of days that went well, and the log of the days that come next."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from reclens.monitor.day import run_day
from reclens.monitor.project import Project
from reclens.monitor.records import SERIES

FIRST, PAST = date(2026, 1, 5), 52
"""A Monday, and the days that were run: the day after them is a Thursday."""
SETTINGS = """system = "shop"
[log]
path = "log"
[dimensions]
names = ["surface"]
[detect]
least_rows = 0
[notify]
to = ["file:notices.jsonl"]
[report]
week_ends = "thursday"
[indicators.ctr]
owner = "ranking team"
"""
SURFACES = {"home": 2_400, "search": 1_600}


def log_of(day: date, *, rate: float = 0.05, rows: int = 4_000) -> pl.DataFrame:
    """A day of impressions; clicks are spread evenly, so that the rate is what was asked for."""
    at = np.arange(rows)
    return pl.DataFrame(
        {
            "timestamp": [datetime.combine(day, datetime.min.time(), UTC) + timedelta(seconds=int(s)) for s in at * 20],
            "request_id": at // 4,
            "user_id": at // 4 % 500,
            "item_id": at * 7 % 211,
            "position": at % 4 + 1,
            "clicked": (np.floor((at + 1) * rate) - np.floor(at * rate)).astype(np.int8),
            "surface": np.where(at < rows * 0.6, "home", "search"),
        }
    )


def _series(day: date, rng: np.random.Generator) -> pl.DataFrame:
    """What a day of 4,000 impressions measures."""
    rows = []
    clicks = {name: int(rng.binomial(n, 0.05)) for name, n in SURFACES.items()}
    for dimension, name, hits, n in (
        ("overall", "all", sum(clicks.values()), 4_000),
        *(("surface", name, clicks[name], n) for name, n in SURFACES.items()),
    ):
        value = hits / n
        error = (value * (1 - value) / n) ** 0.5
        parts = {"numerator": float(hits), "denominator": float(n), "n": n}
        key = {"day": day, "indicator": "ctr", "dimension": dimension, "slice": name}
        rows.append({**key, "value": value, "error": error, **parts})
    return pl.DataFrame(rows, schema=dict(SERIES))


@pytest.fixture(scope="session")
def _shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("watched") / "monitor"
    (folder / "log").mkdir(parents=True)
    (folder / "monitor.toml").write_text(SETTINGS)
    project, rng = Project(folder), np.random.default_rng(3)
    log_of(FIRST).write_parquet(folder / "log" / f"{FIRST}.parquet")
    gate = run_day(project, FIRST).gate
    card = project.card(FIRST)
    assert gate.state == "passed" and card is not None
    for at in range(PAST):
        day = FIRST + timedelta(days=at)
        about = {**card, "day": day.isoformat()}
        project.write_day(day, {"series": _series(day, rng)}, replace(gate, day=day), about)
    return folder


@pytest.fixture
def today() -> date:
    """The first day that was not run yet."""
    return FIRST + timedelta(days=PAST)


@pytest.fixture
def shop(_shop: Path, tmp_path: Path) -> Path:
    """A copy of the monitor, in a workspace of its own."""
    shutil.copytree(_shop, tmp_path / "workspace" / "monitor")
    return tmp_path / "workspace" / "monitor"


@pytest.fixture(scope="session")
def impressions() -> Callable[..., pl.DataFrame]:
    return log_of
