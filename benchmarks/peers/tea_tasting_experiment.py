"""tea-tasting: see bench_experiment.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ibis
import polars as pl
import tea_tasting as tt
from harness import serve

folder, metrics = Path(sys.argv[1]), int(sys.argv[2])
frame = pl.read_parquet(folder / "users.parquet")
small = pl.read_parquet(folder / "small.parquet").to_arrow()
experiment = tt.Experiment({f"m{i}": tt.Mean(f"y{i}", f"x{i}") for i in range(metrics)})
plain = tt.Experiment({"y0": tt.Mean("y0")})


def read(table):
    found = experiment.analyze(table)
    return [found[f"m{i}"].statistic for i in range(metrics)]


def parquet():
    connection = ibis.duckdb.connect(threads=2)
    return read(connection.read_parquet(folder / "users.parquet"))


def database():
    connection = ibis.duckdb.connect(folder / "users.duckdb", read_only=True, threads=2)
    found = read(connection.table("users"))
    connection.disconnect()
    return found


def splits():
    found = plain.simulate(small, 1000, rng=1)
    p = [each["y0"].pvalue for each in found]
    return [sum(value <= 0.05 for value in p) / len(p)]


serve(
    {
        "Parquet": parquet,
        "Parquet, units checked": parquet,
        "DuckDB": database,
        "Polars": lambda: read(frame),
        "splits": splits,
    }
)
