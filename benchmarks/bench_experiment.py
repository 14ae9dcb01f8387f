"""Experiments: 2 × 1,000,000 users × 5 metrics with CUPED from several sources, and 1,000 A/A tests of 10,000 users.

    python benchmarks/bench_experiment.py
    python benchmarks/bench_experiment.py --runs 3 --users 200000

Ours beside tea-tasting, each in its own environment, two threads each, from the same files. The statistics of all
metrics have to agree. tea-tasting does not look for users in two arms, so that ours does not either, but where it
says so.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness

SOURCES = ("Parquet", "Parquet, units checked", "DuckDB", "Polars")


def make(folder: Path, users: int, metrics: int) -> None:
    """Two arms of users with skewed outcomes and what they did before."""
    import duckdb
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(0)
    n = 2 * users
    columns: dict[str, object] = {"user": np.arange(n), "variant": np.repeat(["control", "treatment"], users)}
    for i in range(metrics):
        taste = rng.gamma(1, 1, n)
        columns[f"x{i}"] = taste + rng.exponential(1, n)
        columns[f"y{i}"] = taste * np.where(np.arange(n) < users, 1.0, 1.003) + rng.exponential(1, n)
    frame = pl.DataFrame(columns)
    frame = frame[rng.permutation(n)]
    frame.write_parquet(folder / "users.parquet")
    with duckdb.connect(str(folder / "users.duckdb")) as database:
        database.execute(f"CREATE TABLE users AS FROM '{folder / 'users.parquet'}'")
    frame[:10_000].write_parquet(folder / "small.parquet")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=1_000_000, help="users of an arm")
    parser.add_argument("--metrics", type=int, default=5)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peers", nargs="*", default=["tea_tasting"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, scripts = Path(name), harness.FOLDER / "peers"
        make(folder, options.users, options.metrics)
        arguments = (str(folder), str(options.metrics))
        workers = [harness.Worker("reclens", sys.executable, scripts / "reclens_experiment.py", *arguments)]
        for peer in options.peers:
            script = scripts / f"{peer}_experiment.py"
            workers.append(harness.Worker(peer, harness.environment(peer), script, *arguments))
        sections, notes = {}, []
        for source in SOURCES:
            print(source, file=sys.stderr)
            found = harness.race(workers, runs=options.runs, task=source)
            answers = {contestant: row.pop("answer") for contestant, row in found.items()}
            for peer in options.peers:
                gap = max(abs(a - b) for a, b in zip(answers["reclens"], answers[peer], strict=True))
                notes.append(f"{source}: the {options.metrics} statistics of {peer} differ from ours by {gap:.1e}")
            sections[f"2 × {options.users:,} users × {options.metrics} metrics with CUPED, {source}"] = found
        print("splits", file=sys.stderr)
        found = harness.race(workers, runs=min(options.runs, 3), task="splits")
        rates = {contestant: row.pop("answer")[0] for contestant, row in found.items()}
        notes += [f"A/A tests, {contestant}: {rate:.1%} significant at 5 %" for contestant, rate in rates.items()]
        sections["1,000 A/A tests of 10,000 users"] = found
        for worker in workers:
            worker.close()
    harness.report("experiment", "Experiments", sections, notes)


if __name__ == "__main__":
    main()
