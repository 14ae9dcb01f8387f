"""How long a request for one user takes, with a million users and 100,000 items.

    python benchmarks/bench_serve.py

What was learned is drawn at random, and not fitted: the time of a request depends on the sizes and not on the values.
Histories follow a Pareto popularity. Dense EASE at 100,000 items would take 37 GiB, so it is measured at 20,000. Each
request is made in Python as a caller would, a data frame comes back, and requests are for users drawn at random, so
that their histories are not in the cache. Wall time counts what else the machine does; CPU time does not.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness
import numpy as np
import polars as pl

import reclens as rl
from reclens.data.dataset import UserItemMatrix
from reclens.schema import Vocabulary

NEIGHBORS = 100
WARM_UP = 20
GOALS = {"item_knn": 2, "ease": 2, "als": 5}
"""Milliseconds of CPU that a request for one user may take."""
RESOLVED = {"shrinkage": 20.0, "unobserved": 0.01, "l2": 0.01, "epochs": 30}
"""What the rules of the defaults would have given."""


def histories(n_users: int, n_items: int, per_user: int, rng: np.random.Generator) -> UserItemMatrix:
    """Histories of one length, items by a Pareto popularity."""
    shares = np.cumsum(rng.pareto(1.1, n_items) + 1)
    cells = np.searchsorted(shares / shares[-1], rng.random((n_users, per_user))).astype(np.int32)
    cells = np.sort(np.minimum(cells, n_items - 1), axis=1).ravel()
    indptr = np.arange(n_users + 1, dtype=np.int64) * per_user
    return UserItemMatrix(indptr, cells, np.ones(len(cells), np.float32), n_items)


def learned(
    options: argparse.Namespace, rng: np.random.Generator
) -> Iterator[tuple[str, rl.models.Recommender, pl.Series]]:
    """The models, with what they would have learned, and their items."""
    users = Vocabulary(pl.Series([f"customer-{at:08d}" for at in range(options.users)]))
    for name, n_items in (
        ("item_knn", options.items),
        ("als", options.items),
        ("bpr", options.items),
        ("ease", options.ease_items),
        ("popular", options.items),
    ):
        items = Vocabulary(pl.Series([f"sku-{at:07d}" for at in range(n_items)]))
        model: Any = rl.models.build(name)
        model.users_, model.items_, model.train_ = users, items, {"name": "random"}
        model.resolved_ = {key: RESOLVED[key] for key in model.automatic}
        model.seen_ = histories(options.users, n_items, options.history, rng)
        if name == "item_knn":
            near = np.sort(rng.integers(0, n_items, (n_items, NEIGHBORS), np.int32), axis=1).ravel()
            indptr = np.arange(n_items + 1, dtype=np.int64) * NEIGHBORS
            model.neighbors_ = UserItemMatrix(indptr, near, rng.random(len(near), np.float32), n_items)
            model.values_ = model.seen_.values
        elif name == "ease":
            model.weights_ = rng.standard_normal((n_items, n_items), np.float32)
            model.precision_, model.residual_ = "float32", 0.0
        elif name == "popular":
            model.counts_ = np.bincount(model.seen_.indices, minlength=n_items).astype(np.float32)
        else:
            width = model.factors + (name == "bpr")
            model.item_factors_ = rng.standard_normal((n_items, width), np.float32)
            model.user_factors_ = rng.standard_normal((options.users, width), np.float32)
        yield f"{name}, {n_items:,} items", model, items.ids


def requests(model: rl.models.Recommender, items: pl.Series, rng: np.random.Generator) -> dict[str, Callable[[], Any]]:
    """The kinds of request; each call is one for another user."""
    n = len(model.users_)

    def user() -> str:
        return str(model.users_.ids[int(rng.integers(n))])

    def told() -> rl.Recommendations:
        who = user()
        new = pl.DataFrame({"user_id": [who] * 3, "item_id": items.gather(rng.integers(0, len(items), 3))})
        return model.recommend([who], history=new, threads=1)

    def limited() -> rl.Recommendations:
        return model.recommend([user()], exclude=items.gather(rng.integers(0, len(items), 100)), threads=1)

    return {
        "a known user": lambda: model.recommend([user()], threads=1),
        "with 3 new items": told,
        "100 items excluded": limited,
        "a stranger": lambda: model.recommend(["nobody"], threads=1),
    }


def measure(request: Callable[[], Any], n: int) -> dict[str, float]:
    """Percentiles of wall and CPU milliseconds, after a warm-up."""
    wall, cpu = np.empty(n), np.empty(n)
    for at in range(-WARM_UP, n):
        started, busy = time.perf_counter(), time.process_time()
        request()
        if at >= 0:
            wall[at], cpu[at] = time.perf_counter() - started, time.process_time() - busy
    found = {f"p{share}": float(np.percentile(wall, share)) * 1e3 for share in (50, 95, 99)}
    return found | {f"cpu p{share}": float(np.percentile(cpu, share)) * 1e3 for share in (50, 95)}


def notes(options: argparse.Namespace, rows: list[dict[str, Any]], memory: float) -> list[str]:
    """What has to be known to read the table."""
    dense = 4 * options.items**2 / 2**30
    room = f" of {memory} GiB" if dense > memory else ""
    found = [
        f"EASE is dense and was measured at {options.ease_items:,} items: {options.items:,} take {dense:.0f} GiB{room}."
    ]
    for name, goal in GOALS.items():
        slowest = max((row for row in rows if row["model"].startswith(name)), key=lambda row: row["cpu p50"])
        relation = "within" if slowest["cpu p50"] <= goal else "beyond"
        found.append(
            f"{name}: {slowest['cpu p50']:.2f} ms of CPU in the median of its slowest kind of request "
            f"({slowest['request']}), {relation} the {goal} ms that are the goal."
        )
    return [f"- {each}" for each in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    for name, default in (
        ("users", 1_000_000),
        ("items", 100_000),
        ("ease-items", 20_000),
        ("history", 20),
        ("requests", 300),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    rng, rows, loads = np.random.default_rng(0), [], [os.getloadavg()[0]]
    for name, model, items in learned(options, rng):
        for kind, request in requests(model, items, rng).items():
            rows.append({"model": name, "request": kind, **measure(request, options.requests)})
            loads.append(os.getloadavg()[0])
            print(rows[-1], file=sys.stderr)
    made = harness.machine()
    (harness.FOLDER / "results" / "serve.json").write_text(
        json.dumps({"machine": made, "load": loads, "options": vars(options), "rows": rows}, indent=1) + "\n"
    )
    about = (
        f"Measured on {made['processor']}, {made['cores']} cores, {made['memory_gib']} GiB, Python {made['python']}, "
        f"{made['date']}, while the load average was {min(loads):.1f} to {max(loads):.1f}. One thread; "
        f"{options.users:,} users with {options.history} items each, text ids, lists of 10; {options.requests} "
        f"requests of each kind after {WARM_UP} to warm up. What was learned is drawn at random: see `bench_serve.py`."
    )
    head = ["| | request | wall p50 | p95 | p99 | CPU p50 | p95 |", "|---|---|--:|--:|--:|--:|--:|"]
    lines = ["# One user at a time", "", about, "", "Milliseconds:", "", *head]
    for row in rows:
        values = " | ".join(f"{row[name]:.2f}" for name in ("p50", "p95", "p99", "cpu p50", "cpu p95"))
        lines.append(f"| {row['model']} | {row['request']} | {values} |")
    text = "\n".join([*lines, "", *notes(options, rows, made["memory_gib"]), ""])
    (harness.FOLDER / "results" / "serve.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
