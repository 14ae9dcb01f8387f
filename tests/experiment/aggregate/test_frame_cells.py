"""Sums of a frame in memory are those of the same rows in a file, whatever its columns are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from reclens.errors import DataError
from reclens.experiment import Plan
from reclens.experiment.aggregate.frame_cells import cells_of_frame
from reclens.experiment.aggregate.gather import gather
from reclens.experiment.aggregate.metric_columns import metric_columns_of
from reclens.experiment.aggregate.query import layout

METRICS: tuple[dict[str, Any], ...] = (
    {"name": "spend", "value": "spend", "covariates": ("before",)},
    {"name": "capped", "value": "spend", "cap": 3.0, "role": "secondary"},
    {"name": "ctr", "kind": "ratio", "value": "clicks", "per": "views", "role": "secondary"},
    {"name": "kept", "kind": "proportion", "value": "kept", "role": "secondary"},
    {"name": "far", "value": "far", "role": "secondary"},
)
N = 3_000


def plan(**more: Any) -> Plan:
    return Plan(**({"name": "t", "unit": "user", "arms": {"a": 0.4, "b": 0.6}, "metrics": METRICS} | more))


@pytest.fixture(scope="module")
def units() -> pl.DataFrame:
    """Numbers of every kind, covariates that are missing, and a column that stands far from 0."""
    rng = np.random.default_rng(5)
    return pl.DataFrame(
        {
            "user": np.arange(N),
            "variant": rng.choice(["a", "b"], N),
            "spend": rng.gamma(1, 2, N).astype(np.float32),
            "before": pl.Series(rng.normal(size=N)).set(pl.Series(rng.random(N) < 0.1), None),
            "clicks": rng.integers(0, 3, N).astype(np.int16),
            "views": rng.integers(3, 9, N).astype(np.uint8),
            "kept": rng.random(N) < 0.3,
            "far": 1e6 + rng.normal(size=N),
        }
    )


def is_by_polars(frame: pl.DataFrame, arm: str = "variant") -> bool:
    asked = layout(plan().metrics, metric_columns_of(plan().metrics))
    return cells_of_frame(frame, asked, plan(), arm) is not None


def assert_alike(frame: pl.DataFrame, folder: Path, **more: Any) -> None:
    file = folder / "units.parquet"
    frame.write_parquet(file)
    ours, theirs = (gather(source, plan(**more), unknown_arms="drop") for source in (frame, file))
    assert ours.cells.keys() == theirs.cells.keys() and ours.columns == theirs.columns
    assert ours.rules == theirs.rules and ours.indicators == theirs.indicators
    for cell, moments in theirs.cells.items():
        size = np.sqrt(np.outer(np.diag(moments.cross), np.diag(moments.cross)))
        assert ours.cells[cell].n == moments.n
        np.testing.assert_allclose(ours.cells[cell].mean, moments.mean, rtol=1e-12)
        np.testing.assert_allclose(ours.cells[cell].cross / size, moments.cross / size, atol=1e-12)


@pytest.mark.parametrize("kind", [pl.String, pl.Categorical, pl.Enum(["b", "a", "c"])], ids=str)
def test_names_of_arms_of_every_kind(units: pl.DataFrame, tmp_path: Path, kind: Any) -> None:
    frame = units.with_columns(pl.col("variant").cast(kind))
    assert is_by_polars(frame)
    assert_alike(frame, tmp_path)


def test_what_is_left_to_duckdb(units: pl.DataFrame, tmp_path: Path) -> None:
    strange = units.with_columns(variant=pl.when(pl.col("user") == 7).then(None).otherwise("variant"))
    decimal = units.with_columns(pl.col("spend").cast(pl.Decimal(12, 4)))
    for frame in (strange, decimal):
        assert is_by_polars(units) and not is_by_polars(frame)
        assert_alike(frame, tmp_path)
    assert not is_by_polars(units.with_columns(variant=pl.lit(1)))


def test_third_moments_and_gaps_that_are_filled(units: pl.DataFrame, tmp_path: Path) -> None:
    uneven = plan(arms={"a": 0.1, "b": 0.9})
    assert uneven.uneven
    assert_alike(units, tmp_path, arms={"a": 0.1, "b": 0.9})
    lacking = units.with_columns(spend=pl.when(pl.col("user") % 9 > 0).then("spend"))
    metric = {"name": "spend", "value": "spend", "missing": "leave_out"}
    assert_alike(lacking, tmp_path, metrics=(metric,))


@pytest.mark.parametrize(
    ("column", "value"),
    [("spend", None), ("spend", float("nan")), ("spend", float("inf")), ("views", -1), ("kept", 2), ("kept", None)],
)
def test_what_is_wrong_is_refused_in_the_same_words(
    units: pl.DataFrame, tmp_path: Path, column: str, value: float | None
) -> None:
    wrong = units.with_columns(pl.col(column).cast(pl.Float64))
    wrong = wrong.with_columns(
        pl.when(pl.col("user") == 7).then(pl.lit(value, pl.Float64)).otherwise(column).alias(column)
    )
    assert is_by_polars(wrong)
    wrong.write_parquet(tmp_path / "units.parquet")
    said = []
    for source in (wrong, tmp_path / "units.parquet"):
        with pytest.raises(DataError) as caught:
            gather(source, plan())
        said.append(str(caught.value).replace(str(source), "the DataFrame"))
    assert said[0] == said[1] and column in said[0]


def test_an_arm_without_units_is_missed(units: pl.DataFrame) -> None:
    with pytest.raises(DataError, match="no units in the arm b"):
        gather(units.filter(variant="a"), plan())
