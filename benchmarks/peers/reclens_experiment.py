"""Ours: see bench_experiment.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl
from harness import serve

from reclens.experiment import Plan
from reclens.experiment.aggregate.gather import gather
from reclens.experiment.analysis.effects import effects_of
from reclens.experiment.analysis.interim import interim_analysis
from reclens.stats.aa import aa_tests

folder, metrics = Path(sys.argv[1]), int(sys.argv[2])
plan = Plan(
    name="benchmark",
    arms={"control": 0.5, "treatment": 0.5},
    unit="user",
    metrics=tuple({"name": f"m{i}", "value": f"y{i}", "covariates": (f"x{i}",)} for i in range(metrics)),
)
frame = pl.read_parquet(folder / "users.parquet")
values = pl.read_parquet(folder / "small.parquet")["y0"].to_numpy()


def read(source: object, *, check: bool = False, **options: object) -> list[float]:
    sums = gather(source, plan, check_units=check, threads=2, **options)
    return [effect.found.statistic for effect in effects_of(plan, sums, interim_analysis(plan, sums))]


def splits() -> list[float]:
    found = aa_tests({"y0": values}, ["y0"], splits=1000, rng=np.random.default_rng(1))
    return [found.false_positives("y0").value]


serve(
    {
        "Parquet": lambda: read(folder / "users.parquet"),
        "Parquet, units checked": lambda: read(folder / "users.parquet", check=True),
        "DuckDB": lambda: read(folder / "users.duckdb", table="users"),
        "Polars": lambda: read(frame),
        "splits": splits,
    }
)
