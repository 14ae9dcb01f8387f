"""Lists in Parquet larger than what is read at once: seconds and peak memory as the file grows.

    python benchmarks/bench_stream.py                    # 10, 30 and 100 million rows
    python benchmarks/bench_stream.py --millions 5 10
    python benchmarks/bench_stream.py --audit            # an audit of the same lists; results/stream_audit.md

Five metrics at 10 with 1,000 bootstrap replicates; ten relevant items a user. Memory is flat in the lists: what grows
is the truth and the values of each user, which are kept.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness

AUDIT = """
import json, resource, sys, time
import numpy as np
import polars as pl
import reclens as rl
folder = sys.argv[1]
truth = pl.read_parquet(folder + "/truth.parquet")
users = truth.select("user_id").unique().sort("user_id").with_columns(group=(pl.col("user_id") % 10).cast(pl.String))
items = pl.DataFrame({"item_id": np.arange(27_000), "brand": [f"b{item % 10}" for item in range(27_000)]})
started, worked = time.perf_counter(), time.process_time()
lists = pl.scan_parquet(folder + "/lists/*.parquet")
found = rl.audit.run(lists, truth, users=users, items=items, by="group", attributes=["brand"])
seconds, cpu = time.perf_counter() - started, time.process_time() - worked
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak, "rows": len(found.rows)}))
"""

WORKER = """
import json, resource, sys, time
import polars as pl
from reclens.evaluation import evaluate
folder = sys.argv[1]
truth = pl.read_parquet(folder + "/truth.parquet")
started, worked = time.perf_counter(), time.process_time()
metrics = ["precision@10", "recall@10", "ndcg@10", "map@10", "mrr@10"]
result = evaluate(pl.scan_parquet(folder + "/lists/*.parquet"), truth, metrics=metrics)
seconds, cpu = time.perf_counter() - started, time.process_time() - worked
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak, "recall": result["recall@10"].overall.value}))
"""


def make(folder: Path, users: int) -> None:
    """100 distinct items of 27,000 a user; ten relevant ones, two of them in the first ten places."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(3)
    (folder / "lists").mkdir()
    truth = []
    for number, start in enumerate(range(0, users, 50_000)):
        ids = np.arange(start, min(start + 50_000, users))
        first = rng.integers(0, 27_000, len(ids))[:, None]
        items = (first + np.arange(100) * 257) % 27_000  # 257 and 27,000 share no factor: no item twice
        lists = pl.DataFrame(
            {"user_id": ids.repeat(100), "item_id": items.ravel(), "rank": np.tile(np.arange(1, 101), len(ids))}
        )
        lists.write_parquet(folder / "lists" / f"{number:04}.parquet", row_group_size=500_000)
        liked = np.hstack([items[:, [0, 6]], (first + 1 + np.arange(8) * 257) % 27_000])
        truth.append(pl.DataFrame({"user_id": ids.repeat(10), "item_id": liked.ravel()}))
    pl.concat(truth).write_parquet(folder / "truth.parquet")


def main() -> None:
    import json

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--millions", type=int, nargs="*", default=[10, 30, 100])
    parser.add_argument("--audit", action="store_true", help="audit the lists")
    given, rows = parser.parse_args(), {}
    worker = AUDIT if given.audit else WORKER
    for millions in given.millions:
        with tempfile.TemporaryDirectory() as name:
            make(Path(name), millions * 10_000)
            command = [sys.executable, "-c", worker, name]
            answer = subprocess.run(command, check=True, capture_output=True, text=True, env=harness.our_environment())
        found = json.loads(answer.stdout)
        rows[f"{millions:,} million rows"] = found
        print(millions, found, file=sys.stderr)
    about = harness.machine()
    lines = [
        f"# {'An audit of lists' if given.audit else 'Lists'} larger than memory",
        "",
        f"Measured on {harness.describe(about)}.",
        "",
        "| lists | s | CPU s | peak GiB |",
        "|---|--:|--:|--:|",
    ]
    lines += [f"| {name} | {row['seconds']:.1f} | {row['cpu']:.1f} | {row['peak']:.2f} |" for name, row in rows.items()]
    harness.write("stream_audit" if given.audit else "stream", lines, {"machine": about, "results": rows})


if __name__ == "__main__":
    main()
