"""P, R, NDCG, MAP and MRR at 10 from a data frame of lists: ours beside RecTools and ranx.

    python benchmarks/bench_metrics.py                       # 138,000 users × 100, integer and string ids
    python benchmarks/bench_metrics.py --users 6040 --peers  # ours alone

Everybody starts from a data frame in memory, in its own environment; matching ids, conversion and the values of every
user are part of the time. Ours also counts bad input, exposure and seen items, and its time is given with and without
1,000 bootstrap replicates in 9 segments.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness

PEERS = ("rectools", "ranx")


def make_files(folder: Path, *, users: int, items: int, k: int, strings: bool) -> None:
    """Lists and truth: Zipf-like items, 20 held-out items a user, a third of them in the list of a hit user."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(7)
    weight = 1 / np.arange(1, items + 1) ** 0.8
    cumulative = np.cumsum(weight / weight.sum())
    listed = np.empty((users, k), np.int64)
    liked = np.empty((users, 20), np.int64)
    for user in range(users):
        drawn = np.unique(np.searchsorted(cumulative, rng.random(4 * k + 80)))
        rng.shuffle(drawn)
        while len(drawn) < k + 14:
            drawn = np.unique(np.concatenate([drawn, rng.integers(0, items, k)]))
            rng.shuffle(drawn)
        listed[user] = drawn[:k]
        liked[user] = np.concatenate([drawn[rng.choice(k, 6, replace=False)], drawn[k : k + 14]])
    lists = pl.DataFrame(
        {
            "user_id": np.repeat(np.arange(users), k),
            "item_id": listed.ravel(),
            "rank": np.tile(np.arange(1, k + 1), users),
        }
    ).with_columns(score=1.0 / pl.col("rank"))
    truth = pl.DataFrame({"user_id": np.repeat(np.arange(users), 20), "item_id": liked.ravel()})
    if strings:
        to_text = [pl.format("user-{}", "user_id").alias("user_id"), pl.format("item-{}", "item_id").alias("item_id")]
        lists, truth = lists.with_columns(to_text), truth.with_columns(to_text)
    lists.write_parquet(folder / "lists.parquet")
    truth.write_parquet(folder / "truth.parquet")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=138_000)
    parser.add_argument("--items", type=int, default=27_000)
    parser.add_argument("--k", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", nargs="*", default=list(PEERS))
    parser.add_argument("--ids", nargs="*", default=["integer", "string"])
    options = parser.parse_args()
    sections, notes = {}, []
    for ids in options.ids:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            make_files(folder, users=options.users, items=options.items, k=options.k, strings=ids == "string")
            script = harness.FOLDER / "peers" / "reclens_metrics.py"
            workers = [harness.Worker("reclens", sys.executable, script, str(folder))]
            # The peers take minutes on strings as on integers: they run once, on integers.
            for peer in options.peers if ids == "integer" else ():
                script = harness.FOLDER / "peers" / f"{peer}_metrics.py"
                workers.append(harness.Worker(peer, harness.environment(peer), script, str(folder)))
            print(f"{ids} ids", file=sys.stderr)
            found = harness.race(workers, runs=options.runs)
            ours = workers[0]
            for task, label in (("intervals", "reclens, 1,000 replicates in 9 segments"),):
                found[label] = harness.race([ours], runs=options.runs, task=task)["reclens"]
            for worker in workers:
                worker.close()
        values = {name: row.pop("answer") for name, row in found.items()}
        for peer in options.peers if ids == "integer" else ():
            worst = max(abs(values[peer][key] - values["reclens"][key]) for key in values[peer])
            notes.append(f"{peer}: largest difference of a value from ours {worst:.1e}")
        sections[f"{options.users:,} users × {options.k}, {ids} ids"] = found
    harness.report("metrics", "Metrics", sections, notes)


if __name__ == "__main__":
    main()
