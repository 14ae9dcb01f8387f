"""EASE at 20,000 items: the whole fit, beside the floor of its arithmetic at the machine's own rate.

    python benchmarks/bench_ease.py

The inverse of a symmetric matrix of n items by Cholesky is n³ operations (n³/3 to factorise, 2n³/3 to invert); a
general inverse is 2n³. The floor is that number at the rate of a product of two matrices, which no factorisation
reaches. Rates and the ratio are of CPU time, so that others on the machine do not count.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name, default in (("users", 60_000), ("items", 20_000), ("per-user", 50), ("runs", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    sizes = [str(each) for each in (options.users, options.items, options.per_user)]
    worker = harness.Worker("reclens", sys.executable, harness.FOLDER / "peers" / "reclens_ease.py", *sizes)
    blas, rate, factorise = (worker.turn(task)["answer"] for task in ("blas", "sgemm", "potrf"))
    worker.turns = [worker.turn("fit") for _ in range(options.runs)]
    times = sorted(turn["seconds"] for turn in worker.turns)
    row = {
        "median_s": times[len(times) // 2],
        "min_s": times[0],
        "max_s": times[-1],
        "cpu_s": worker.turns[-1]["cpu"],
        "peak_gib": worker.turns[-1]["peak_gib"],
    }
    answer = worker.turns[-1]["answer"]
    worker.close()
    floor = options.items**3 / rate / 1e9
    ours = f"ours, with the counts and the check of the error, takes {row['cpu_s'] / floor:.2f} times that"
    notes = [
        f"BLAS: {blas}",
        f"float32 or float64, and the residual of random probes: {answer}",
        f"in a second of one core, this machine does {rate:.0f} GFLOP of sgemm, {factorise:.0f} of potrf",
        f"n³ operations at the rate of sgemm take {floor:.0f} s of one core; {ours}",
        f"one dense matrix of items × items in float32 is {options.items**2 * 4 / 2**30:.1f} GiB",
    ]
    harness.report("ease", "EASE", {f"{options.items:,} items, {options.users:,} users": {"reclens": row}}, notes)


if __name__ == "__main__":
    main()
