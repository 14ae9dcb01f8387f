"""Standard errors of indicators against the spread over replicates: each replicate is one slice of one summary."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import polars as pl
import pytest

from reclens.monitor.indicators.registry import compute
from reclens.monitor.summary import Past, Summary

RUNS = 1000
DAY = date(2026, 1, 5)
NAMES = [f"{at:04d}" for at in range(RUNS)]
SLICES = {"surface": NAMES, **dict.fromkeys(("model", "model_version", "variant", "segment"), [None] * RUNS)}


def cells(**columns: np.ndarray) -> pl.DataFrame:
    known = "impressions judged clicks clicks_followed conversions"
    frame = pl.DataFrame({**SLICES, "position": [None] * RUNS, "retriever": [None] * RUNS, **columns})
    return frame.with_columns(pl.lit(0).alias(name) for name in known.split() if name not in columns)


def series_of(indicator: str, tables: dict[str, pl.DataFrame], past: pl.DataFrame | None = None) -> pl.DataFrame:
    if "cells" not in tables:
        tables = {**tables, "cells": cells(impressions=np.ones(RUNS, int))}
    summary = Summary(days=(DAY,), tables=tables, dimensions=("surface",), most=RUNS, past=Past((DAY,), past))
    return compute(summary, only=(indicator,)).filter(dimension="surface").sort("slice")


@pytest.mark.parametrize(("p", "n"), [(0.05, 2000), (0.5, 50), (0.002, 4000)])
def test_a_rate_leaves_its_band_as_often_as_stated(p: float, n: int, rate_error: Callable[[float, int], float]) -> None:
    clicks = np.random.default_rng(1).binomial(n, p, RUNS)
    found = series_of("ctr", {"cells": cells(impressions=np.full(RUNS, n), judged=np.full(RUNS, n), clicks=clicks)})
    missed = float(((found["value"] - p).abs() > 1.959964 * found["error"]).mean())
    # Clicks are whole: the rate of a lattice is near 5 %, not 5 % itself.
    assert abs(missed - 0.05) < rate_error(0.05, RUNS) + 0.02


def test_a_rate_without_any_click_still_has_noise() -> None:
    none = np.zeros(RUNS, int)
    found = series_of("ctr", {"cells": cells(impressions=np.full(RUNS, 30), judged=np.full(RUNS, 30), clicks=none)})
    assert found["value"].max() == 0 and float(found["error"].min()) > 0.01  # type: ignore[arg-type]


def bins(column: str, counts: np.ndarray, clicks: np.ndarray | None = None, total: np.ndarray | None = None):
    runs, width = counts.shape
    repeated = {name: np.repeat(np.array(values, object), width).tolist() for name, values in SLICES.items()}
    zeros = np.zeros(runs * width)
    return pl.DataFrame(
        {
            "column": [column] * (runs * width),
            **repeated,
            "bin": np.tile(np.arange(width), runs),
            "n": counts.ravel(),
            "clicks": (zeros.astype(int) if clicks is None else clicks.ravel()),
            "total": zeros if total is None else total.ravel(),
        },
        schema_overrides=dict.fromkeys(("model", "model_version", "variant", "segment"), pl.String),
    )


@pytest.mark.parametrize("shares", [[0.1] * 10, [0.6, 0.3, 0.08, 0.02], [0.7, 0.3]], ids=["even", "uneven", "two"])
def test_psi_without_drift_is_noise_of_the_stated_size(shares: list[float]) -> None:
    rng, n, m = np.random.default_rng(2), 3000, 8000
    new, old = (bins("score", rng.multinomial(size, shares, RUNS)) for size in (n, m))
    found = series_of("score_drift", {"bins": new}, old)
    center = (len(shares) - 1) * (1 / n + 1 / m)
    values = found["value"].to_numpy()
    assert values.mean() == pytest.approx(center, rel=0.1)
    assert values.std() == pytest.approx(found["error"].mean(), rel=0.12)


def test_errors_of_calibration_and_of_ece() -> None:
    rng = np.random.default_rng(3)
    n, p = np.full((RUNS, 4), 2000), np.array([0.01, 0.03, 0.1, 0.4])
    clicks = rng.binomial(n, p)
    table = {"bins": bins("predicted", n, clicks, n * p)}
    ratio, ece = series_of("calibration", table), series_of("ece", table)
    assert ratio["value"].mean() == pytest.approx(1, abs=0.002)
    assert ratio["value"].std() == pytest.approx(ratio["error"].mean(), rel=0.08)
    # What the docstring states of a model that is right.
    floor = np.sqrt(2 * 2000 * p * (1 - p) / np.pi).sum() / 8000
    assert ece["value"].mean() == pytest.approx(floor, rel=0.03)
    assert ece["value"].std() == pytest.approx(ece["error"].mean(), rel=0.08)


def test_the_error_of_a_mean_of_unequal_lists() -> None:
    rng = np.random.default_rng(4)
    sizes = rng.integers(20, 400, RUNS)
    draws = [
        np.where(rng.random(size) < 0.7, 0.0, rng.exponential(1, size)) for size in sizes
    ]  # mostly zeros, and skewed
    sums = {"diverse": sizes, "diversity": [d.sum() for d in draws], "diversity_squared": [(d**2).sum() for d in draws]}
    table = pl.DataFrame({**SLICES, "requests": sizes, **sums})
    found = series_of("diversity", {"lists": table})
    z = (found["value"] - 0.3) / found["error"]
    assert found["value"].to_list() == pytest.approx([float(d.mean()) for d in draws])
    assert found["error"].to_list() == pytest.approx([float(d.std(ddof=1) / np.sqrt(len(d))) for d in draws])
    assert float(z.abs().gt(1.959964).mean()) < 0.10
