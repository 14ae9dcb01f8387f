"""Tables of a warehouse: a log of ratings, experiments by unit and as a log, impressions; and what has to be equal."""

from __future__ import annotations

import functools
from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.experiment.aggregate.aggregates import Aggregates

__all__ = ["DAY", "assert_same_sums", "hard_units", "impressions", "kind_in_postgres", "ratings", "units", "visits"]

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


def hard_units(seed: int) -> pl.DataFrame:
    """Unequal arms; ties, zeros, heavy tails, means far from zero, and a segment of few units."""
    rng = np.random.default_rng([3, seed])
    n = 300 + 250 * seed
    heavy = rng.pareto(1.1, n) + 1
    return pl.DataFrame(
        {
            "user_id": rng.permutation(n),
            "variant": rng.choice(["control", "new"], n, p=[0.9, 0.1]),
            "tied": rng.choice([0.1, 0.2, 0.3], n),
            "zeros": np.where(rng.random(n) < 0.95, 0.0, rng.lognormal(2, 1.5, n)),
            "heavy": heavy,
            "far": 1e4 + rng.normal(0, 1, n),
            "before": heavy + rng.normal(0, 1, n),
            "few": np.where(np.arange(n) < 8, "rare", "usual"),
        }
    )


def assert_same_sums(found: Aggregates, known: Aggregates) -> None:
    """Counts are equal, and sums to 1e-12 of the largest of their kind."""
    assert (found.arms, found.columns, found.indicators) == (known.arms, known.columns, known.indicators)
    assert [replace(each, table=None) for each in found.rules] == [replace(each, table=None) for each in known.rules]
    assert set(found.cells) == set(known.cells) and found.ran == known.ran and found.coarser == known.coarser
    for key, ours in known.cells.items():
        theirs = found.cells[key]
        assert theirs.n == ours.n, key
        # Columns whose mean is more than 4 standard deviations from 0 are summed up about it.
        arm = known.arm(key[0])
        spread = np.sqrt(17 * np.diagonal(arm.cross) / max(arm.n - 1, 1) + 1e-20)
        np.testing.assert_allclose(theirs.mean / spread, ours.mean / spread, rtol=1e-12, atol=1e-12, err_msg=str(key))
        for name in ("cross", "third"):
            value, expected = getattr(theirs, name), getattr(ours, name)
            assert (value is None) == (expected is None)
            if expected is not None:
                np.testing.assert_array_equal(np.isnan(value), np.isnan(expected))
                scale = ours.n * functools.reduce(np.multiply.outer, [spread] * expected.ndim)
                np.testing.assert_allclose(value / scale, expected / scale, rtol=0, atol=1e-12, err_msg=f"{key} {name}")
    for ours, theirs in zip(known.tallies, found.tallies, strict=True):
        assert (ours.code, ours.column, ours.handled) == (theirs.code, theirs.column, theirs.handled)
        for arm, count in ours.arms.items():
            assert theirs.arms[arm].units == count.units and theirs.arms[arm].faulty == count.faulty
    assert (found.untriggered is None) == (known.untriggered is None)
    if found.untriggered is not None and known.untriggered is not None:
        assert_same_sums(found.untriggered, known.untriggered)


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
