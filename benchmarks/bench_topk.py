"""The 100 best of 27,000 items for 138,000 users, by vectors of 128 dimensions: beside the product alone.

    python benchmarks/bench_topk.py

The floor is 2 × users × items × dimensions operations at the rate that BLAS reaches for square matrices of 4,096 on the
same machine in the same run. Ours also masks what was seen, picks the best, and makes a data frame of ids. Memory is
bounded by the block of scores, not by users × items.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name, default in (("users", 138_000), ("items", 27_000), ("factors", 128), ("k", 100), ("runs", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    sizes = [str(each) for each in (options.users, options.items, options.factors, options.k)]
    worker = harness.Worker("reclens", sys.executable, harness.FOLDER / "peers" / "reclens_topk.py", *sizes)
    blas = worker.turn("blas")["answer"]
    turns: dict[str, list[dict[str, float]]] = {"product": [], "top": []}
    for run in range(options.runs + 1):  # in turns: a machine that drifts slows both
        for task, seen in turns.items():
            turn = worker.turn(task)
            if run:
                seen.append(turn)
    names = {"product": "sgemm, as many operations", "top": "reclens"}
    found = {names[task]: harness.medians(seen) for task, seen in turns.items()}
    for row in found.values():
        row.pop("answer")
    worker.close()
    work = 2 * options.users * options.items * options.factors
    rates = {name: work / row["median_s"] / 1e9 for name, row in found.items()}
    scores = options.users * options.items * 4 / 2**30
    alone, ours = rates["sgemm, as many operations"], rates["reclens"]
    notes = [
        f"sgemm: {alone:.1f} GFLOP/s ({blas}); the whole job: {ours:.1f}, {ours / alone:.0%} of it",
        f"all scores at once would take {scores:.1f} GiB",
    ]
    title = f"{options.users:,} users × {options.items:,} items × {options.factors} dimensions, top {options.k}"
    harness.report("topk", "The best items from factors", {title: found}, notes)


if __name__ == "__main__":
    main()
