"""Tables of a warehouse: a log of ratings, an experiment by unit and as a log, and impressions."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset

__all__ = ["DAY", "impressions", "kind_in_postgres", "ratings", "units", "visits"]

DAY = date(2026, 1, 5)


def ratings(data: Dataset) -> pl.DataFrame:
    """A log with repeats, without times of some rows, and with weights that floats hold exactly."""
    log = data.events.with_columns(
        pl.col("timestamp").dt.replace_time_zone(None),
        rating=pl.when(pl.int_range(pl.len()) % 7 > 0).then("rating"),
        weight=pl.col("rating") / 4,
    )
    again = log.head(80).with_columns(timestamp=None, rating=pl.lit(5.0))
    return pl.concat([log, again.cast(log.schema)]).select("user_id", "item_id", "timestamp", "rating", "weight")


def units() -> pl.DataFrame:
    """An experiment, a row a unit: metrics and covariates that some units lack."""
    rng = np.random.default_rng(0)
    n = 400
    spent, before = rng.lognormal(1, 1, n), rng.poisson(2, n)
    return pl.DataFrame(
        {
            "user_id": np.arange(n),
            "variant": rng.choice(["control", "new"], n),
            "clicks": rng.poisson(2, n),
            "views": rng.poisson(20, n) + 1,
            "bought": rng.integers(0, 2, n),
            "spent": [None if v % 9 == 0 else float(spent[v]) for v in range(n)],
            "clicks_before": [None if v % 5 == 0 else int(before[v]) for v in range(n)],
            "country": rng.choice(["de", "fr", "it's"], n),
            "first_day": [DAY + timedelta(days=int(v)) for v in rng.integers(0, 7, n)],
        }
    )


def visits(table: pl.DataFrame) -> pl.DataFrame:
    """The same as a log of events, a few of them twice, and some before the start."""
    rng = np.random.default_rng(1)
    n = 5 * table.height
    log = pl.DataFrame(
        {
            "user_id": rng.integers(0, table.height, n),
            "timestamp": [datetime(2026, 1, 3) + timedelta(hours=int(v)) for v in rng.integers(0, 200, n)],
            "clicks": rng.integers(0, 2, n),
            "bought": rng.integers(0, 2, n),
            "spent": [None if v % 9 == 0 else v / 7 for v in range(n)],
        }
    )
    return pl.concat([log, log.head(20)]).join(table.select("user_id", "variant", "country"), on="user_id")


def impressions() -> pl.DataFrame:
    """Two days of lists with what a log can lack: items, clicks, places, slices; with repeats and late rows."""
    rng = np.random.default_rng(2)
    n = 900
    request = np.sort(rng.integers(0, 220, n))
    start = datetime(2026, 1, 5)
    at = [start + timedelta(minutes=13 * int(v)) for v in request]
    return pl.DataFrame(
        {
            "timestamp": at,
            "user_id": [f"u{v % 40}" for v in request],
            "item_id": [None if v == 30 else f"i{v}" for v in rng.integers(0, 31, n)],
            "position": rng.integers(0, 6, n),
            "clicked": [[True, False, None][v] for v in rng.choice(3, n, p=[0.3, 0.6, 0.1])],
            "score": [None if v % 10 == 0 else v / 8 for v in range(n)],
            "model": [["a", "b"][v % 2] for v in request],
            "surface": [["home", "email", None][v % 3] for v in request],
            "request_id": [f"r{v}" for v in request],
            "received_at": [
                each + timedelta(minutes=int(v)) for each, v in zip(at, rng.integers(0, 90, n), strict=True)
            ],
            "latency_ms": [float(2 ** (v % 8)) for v in request],
        }
    )


def kind_in_postgres(kind: pl.DataType) -> str:
    """The type of a column."""
    names = {pl.Date: "DATE", pl.Datetime: "TIMESTAMP", pl.Boolean: "BOOLEAN", pl.List: "TEXT[]", pl.Float64: "FLOAT8"}
    return next((name for known, name in names.items() if kind == known), "BIGINT" if kind.is_integer() else "TEXT")
