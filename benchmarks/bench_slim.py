"""SLIM at 1,000 to 20,000 items: the fit, beside the solver that it had before, wall and processor seconds.

    python benchmarks/bench_slim.py
    python benchmarks/bench_slim.py --every 1   # the former solver on all items, and not on every 20th

Three sets of data, drawn anew each time from a seed. The shop: 40,000 users with 9 events on average, 20,000 items in
60 departments. One has the shape of MovieLens-1M: 6,000 users, 3,500 items, 900,000 interactions, half of all pairs of
items with a common user; and one is small, with 1,500 users, 1,000 items and 60,000 interactions. The former solver is
dense; it is measured on every 20th item of the catalogue and multiplied, and its weights are compared with ours for
these items. No library that is a peer here solves the non-negative problem item by item on a sparse matrix in
reasonable time: scikit-learn's ElasticNet(positive=True), which RecBole uses, gives the stored values of the tests.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness
import numpy as np
import polars as pl
import slim_before
from bench_knn_large import draw

from reclens import models
from reclens.data.dataset import Dataset
from reclens.engine import LocalEngine, chunk_ranges, quiet
from reclens.models._core import slim_kernels
from reclens.models._core.co_occurrence import co_occurrence

PENALTIES = [(3.0, 300.0), (0.5, 20.0)]
DEPARTMENTS = 60


def draw_shop(n_users: int, n_items: int, mean: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """User and item codes, each pair once: events by a geometric law, seven in ten from the user's department."""
    rng = np.random.default_rng(seed)
    users = np.repeat(np.arange(n_users), rng.geometric(1 / mean, n_users))
    popularity = 1 / (np.arange(n_items) + 0.004 * n_items) ** 0.9
    of_item, of_user = rng.integers(0, DEPARTMENTS, n_items), rng.integers(0, DEPARTMENTS, n_users)
    chosen = np.where(rng.random(len(users)) < 0.7, of_user[users], DEPARTMENTS)
    items = np.empty(len(users), np.int64)
    for department in range(DEPARTMENTS + 1):
        at = np.flatnonzero(chosen == department)
        ends = np.cumsum(popularity if department == DEPARTMENTS else popularity * (of_item == department))
        items[at] = np.searchsorted(ends, rng.random(len(at)) * ends[-1], side="right")
    everything = rng.integers(0, n_users, n_items) * n_items + np.arange(n_items)
    pairs = np.unique(np.concatenate([users * n_items + items, everything]))
    return pairs // n_items, pairs % n_items


def former(data: Dataset, l1: float, l2: float, every: int) -> tuple[float, float, np.ndarray, np.ndarray]:
    """Wall and processor seconds of the co-occurrence and of all items, from some; and the weights of these."""
    engine = LocalEngine(None)
    wall, cpu = time.perf_counter(), time.process_time()
    gram = co_occurrence(data.matrix(), engine=engine, progress=quiet, what="before")
    counted = time.perf_counter() - wall, time.process_time() - cpu
    out = np.zeros((len(range(0, len(gram), every)), len(gram)), np.float32)
    used = np.zeros(len(out), np.int64)
    wall, cpu = time.perf_counter(), time.process_time()

    def task(part: range) -> None:
        for row in part:
            used[row] = slim_before.elastic_net(row * every, gram, l1, l2, 1e-4, 1000, out[row])

    for _ in engine.map(task, chunk_ranges(len(out), 16)):
        pass
    solved = time.perf_counter() - wall, time.process_time() - cpu
    return *(a + b * every for a, b in zip(counted, solved, strict=True)), used < 0, out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--every", type=int, default=20)
    every = parser.parse_args().every
    sets = {
        "shop": draw_shop(40_000, 20_000, 9, seed=1),
        "like MovieLens-1M": draw(6_000, 3_500, 900_000, seed=2),
        "small": draw(1_500, 1_000, 60_000, seed=3),
    }
    rows = []
    for name, (users, items) in sets.items():
        data = Dataset(pl.DataFrame({"user_id": users, "item_id": items}))
        data.matrix()
        tiny = Dataset(pl.DataFrame({"user_id": [0, 0, 1, 1], "item_id": [0, 1, 0, 1]}))
        for l1, l2 in PENALTIES:
            model = models.SLIM(l1=l1, l2=l2)
            models.SLIM().fit(tiny), former(tiny, 1.0, 1.0, 1)  # compiled loops are loaded
            for kernel in (slim_kernels.near_net, slim_kernels.block_net):
                kernel.compile()
            wall, cpu = time.perf_counter(), time.process_time()
            model.fit(data)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            before_wall, before_cpu, failed, expected = former(data, l1, l2, every)
            weights = model.weights_
            got = np.zeros_like(expected)
            asked = weights.indices % every == 0
            row = np.repeat(np.arange(weights.n_rows), np.diff(weights.indptr))[asked]
            got[weights.indices[asked] // every, row] = weights.values[asked]
            found = {
                "data": name,
                "interactions": len(users),
                "users": int(users.max()) + 1,
                "items": model.seen_.n_columns,
                "l1": l1,
                "l2": l2,
                "weights": len(weights.values),
                "wall": wall,
                "cpu": cpu,
                "before_wall": before_wall,
                "before_cpu": before_cpu,
                "every": every,
                "largest_difference": float(np.abs(got - expected)[~failed].max()),
                "unsettled": model.unsettled_,
                "before_unsettled": int(failed.sum()) * every,
            }
            print(json.dumps(found), flush=True)
            rows.append(found)
    folder = harness.FOLDER / "results"
    machine = harness.machine()
    (folder / "slim.json").write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")
    (folder / "slim.md").write_text(table(machine, rows, every))


def table(machine: dict, rows: list[dict], every: int) -> str:
    columns = ["data", "interactions", "items", "l1", "l2", "weights"]
    columns += [f"{when}{what}" for when in ("", "before: ") for what in ("wall s", "CPU s", "unsettled")]
    heading = f"| {' | '.join(columns)} |"
    lines = [
        "# SLIM: the fit, beside its former solver",
        "",
        heading,
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row['data']} | {row['interactions']:,} | {row['items']:,} | {row['l1']:g} | {row['l2']:g} | "
        f"{row['weights']:,} | {row['wall']:.2f} | {row['cpu']:.2f} | {row['unsettled']} | "
        f"{row['before_wall']:.2f} | {row['before_cpu']:.2f} | {row['before_unsettled']} |"
        for row in rows
    ]
    place = f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}"
    most = max(row["largest_difference"] for row in rows)
    lines += [
        "",
        (
            f"Before: the dense solver on every {every}th item, multiplied, and its dense co-occurrence. The largest "
            f"difference between a weight of both is {most:.1e}, where the former settled within 1,000 sweeps."
        ),
        "",
        f"{place}, Python {machine['python']}, {machine['date']}.",
        "Other work ran on the machine meanwhile: processor seconds are what to compare.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
