"""A monitor of a small shop: seven weeks of days that went well, and the log of the days that come next."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from reclens.monitor.day import run_day
from reclens.monitor.project import Project
from reclens.monitor.records import SERIES

PAST = 52
"""Days that were run."""
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


def series_of(day: date, rng: np.random.Generator) -> pl.DataFrame:
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


def make_shop(folder: Path, first: date) -> Path:
    """A monitor whose past begins on a day: that day was run, and the others have what one like it would measure."""
    (folder / "log").mkdir(parents=True)
    (folder / "monitor.toml").write_text(SETTINGS)
    project, rng = Project(folder), np.random.default_rng(3)
    log_of(first).write_parquet(folder / "log" / f"{first}.parquet")
    gate = run_day(project, first).gate
    card = project.card(first)
    assert gate.state == "passed" and card is not None
    for at in range(PAST):
        day = first + timedelta(days=at)
        about = {**card, "day": day.isoformat()}
        project.write_day(day, {"series": series_of(day, rng)}, replace(gate, day=day), about)
    return folder
