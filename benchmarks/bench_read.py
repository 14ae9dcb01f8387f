"""How long a table takes to be read and profiled, beside one parse of its text by Polars: the floor.

    python benchmarks/bench_read.py                 # 5 million rows; --rows 500000 for a quick look

``data info`` reads a file, cleans ids, ratings and times, merges repeated pairs and describes the whole. The floor is
``polars.read_csv`` of the same file, which gives none of that. Both run in one process, taking turns; what is compared
are seconds by the wall and seconds of the processor, which other work on the machine disturbs less. The rows are drawn:
users of lognormal activity, items by a power law, a tenth of the pairs repeated, two columns that nobody uses.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness
import numpy as np
import polars as pl


def write_rows(path: Path, rows: int) -> None:
    """A log of a shop: user, item, rating, time, session and device."""
    rng = np.random.default_rng(1)
    weight = rng.lognormal(size=200_000)
    pl.DataFrame(
        {
            "user_id": rng.choice(len(weight), rows, p=weight / weight.sum()),
            "item_id": (60_000 * rng.random(rows) ** 3).astype(int),
            "rating": rng.integers(1, 11, rows) / 2,
            "timestamp": 1_600_000_000 + rng.integers(0, 60_000_000, rows),
            "session": pl.Series(rng.integers(0, 10**9, rows)).cast(pl.String) + "-abcdefgh",
            "device": rng.choice(["phone", "desktop", "tablet"], rows),
        }
    ).write_csv(path)


def measured(step: Callable[[], Any]) -> tuple[float, float]:
    """Seconds by the wall and of the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    step()
    return time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    """Measure, print, and write ``results/read.json`` and ``results/read.md``."""
    import reclens as rl

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--out", type=Path, default=harness.RESULTS / "read")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.csv"
        write_rows(path, asked.rows)
        steps: dict[str, Callable[[], Any]] = {
            "one parse by Polars": lambda: pl.read_csv(path),
            "read": lambda: rl.read(str(path)),
            "read and profile": lambda: rl.profile(rl.read(str(path))),
        }
        for step in steps.values():  # loops are loaded and the file is in memory before anything is timed
            step()
        taken = {name: [] for name in steps}
        for _ in range(asked.turns):
            for name, step in steps.items():
                taken[name].append(measured(step))
        size = path.stat().st_size
    found = {name: [statistics.median(each) for each in zip(*times, strict=True)] for name, times in taken.items()}
    floor = found["one parse by Polars"]
    load, memory = os.getloadavg()[0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    rows = [
        f"| {name} | {wall:.2f} | {wall / floor[0]:.1f} | {processor:.2f} | {processor / floor[1]:.1f} |"
        for name, (wall, processor) in found.items()
    ]
    about = harness.machine()
    file = f"{asked.rows:,} rows, {size / 2**20:.0f} MiB of CSV; medians of {asked.turns} turns"
    where = f"{about['cores']} cores, load {load:.1f} with other work; {about['date']}"
    seen = f"{file}; {where}. At most {memory:.1f} GiB of memory."
    text = "\n".join(
        [
            "# Reading a table",
            "",
            seen,
            "",
            "| | s | × floor | s of the processor | × floor |",
            "|---|--:|--:|--:|--:|",
            *rows,
            "",
            "Made by `python benchmarks/bench_read.py`.",
            "",
        ]
    )
    print(text)
    asked.out.with_suffix(".md").write_text(text, encoding="utf-8")
    kept = {"rows": asked.rows, "bytes": size, "machine": about, "load": load, "seconds": found, "memory_gib": memory}
    asked.out.with_suffix(".json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
