"""Models of clicks on MovieLens 1M in RecBole's protocol: AUC and log loss, with intervals over users.

    python benchmarks/bench_clicks.py --seeds 1000:1001 fm wide_deep deep_fm

Ratings of 3 are dropped, those of 4 and 5 are positives: 739,012 rows, split 8:1:1 by lot. Fields: the ids, age, gender
and occupation of users, year and genres of items; vectors of 16 values. The published numbers are RecBole's
(``benchmark/hyper/context/*-ml-1m_context.md`` at 5ebaece5). Every row of ``benchmarks/results/clicks.jsonl`` is one
model and one seed, which decides both the split and the training; a row that is there is not run again. A run goes on
from its checkpoint in ``benchmarks/.deep``. Data: ``ml-1m.zip`` of ``RECLENS_SHARED_DATA`` or ``../shared/data``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from harness import FOLDER, machine

import reclens as rl

SHARED = Path(os.environ.get("RECLENS_SHARED_DATA") or FOLDER.parents[1] / "shared" / "data")
COMMON: dict[str, Any] = {"positive_from": 4.0, "factors": 16, "epochs": 50, "patience": 3, "batch_size": 2048}
MODELS: dict[str, dict[str, Any]] = {
    "fm": {"options": {"learning_rate": 0.001}, "published": [0.8935, 0.3262]},
    "wide_deep": {
        "options": {"learning_rate": 0.005, "dropout": 0.2, "hidden": (256, 256, 256)},
        "published": [0.8987, 0.3155],
    },
    "deep_fm": {
        "options": {"learning_rate": 0.005, "dropout": 0.1, "hidden": (256, 256, 256)},
        "published": [0.8997, 0.3150],
    },
}
RESULTS = FOLDER / "results" / "clicks.jsonl"


def parts_of(seed: int) -> tuple[Any, Any]:
    """Nine tenths of the rows, of which the model holds out a ninth for early stopping, and the last tenth."""
    data = rl.read_movielens(SHARED / "movielens" / "ml-1m.zip")
    rows = data.interactions.filter(pl.col("rating") != 3)
    lot = np.random.default_rng(seed).permutation(rows.height)
    tenth = rows.height // 10
    parts = rows[np.sort(lot[tenth:])], rows[np.sort(lot[:tenth])]
    return tuple(replace(data, interactions=each) for each in parts)  # type: ignore[return-value]


def run(name: str, seed: int, threads: int) -> None:
    about = MODELS[name]
    train, test = parts_of(seed)
    options = COMMON | about["options"]
    model = rl.models.get(name)(**options, seed=seed)
    started, busy = time.perf_counter(), time.process_time()

    def progress(what: str, done: int, total: int) -> None:
        if " · " in what:
            print(f"{name} {seed}: {done}/{total} {what.partition(' · ')[2]}", file=sys.stderr, flush=True)

    model.fit(train, checkpoint=FOLDER / ".deep" / f"{name}-{seed}", progress=progress, threads=threads)
    cpu, wall = time.process_time() - busy, time.perf_counter() - started
    found = model.quality(test)
    row = {
        "model": name,
        "seed": seed,
        "auc": found.auc._asdict(),
        "log_loss": found.log_loss._asdict(),
        "rows": found.n,
        "published": about["published"],
        "epochs": model.curves_.height,
        "best_epoch": model.best_epoch_,
        "options": options,
        "cpu_seconds": round(cpu, 1),
        "seconds": round(wall, 1),
        "threads": threads,
        "machine": machine(),
    }
    with RESULTS.open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(json.dumps({key: row[key] for key in ("model", "seed", "auc", "log_loss", "epochs", "cpu_seconds")}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *MODELS], metavar="NAME")
    parser.add_argument("--seeds", default="1000:1001", help="FROM:TO")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    done = set()
    if RESULTS.exists():
        done = {(row["model"], row["seed"]) for row in map(json.loads, RESULTS.read_text().splitlines())}
    first, last = map(int, given.seeds.split(":"))
    for seed in range(first, last):
        for name in given.names or MODELS:
            if (name, seed) not in done:
                run(name, seed, given.threads)


if __name__ == "__main__":
    main()
