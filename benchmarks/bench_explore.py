"""The explorer: all diagnostics of one exploration, and stores of vectors beside each other in one run.

    python benchmarks/bench_explore.py diagnostics --items 50000 --users 6040
    python benchmarks/bench_explore.py stores --rows 200000 --dimension 384

Each store works in a process of its own, peers in environments of their own (``requirements/chroma.txt``,
``requirements/lancedb.txt``), and of its settings the cheapest with a recall of 0.95 counts. CPU seconds are those of
all threads of the process: on a machine that others use too they are the fair number beside the wall time.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from bench_vectors import made
from harness import FOLDER, Worker, environment, machine

from reclens.explore import planted_space, run, top_k
from reclens.explore.approximate import sample_queries

RESULTS = Path(__file__).resolve().parent / "results" / "explore.json"
K = 10
RECALL = 0.95
STORES = (
    ("NumPy, exact", "numpy", ""),
    ("reclens, exact", "reclens", "exact"),
    ("reclens, index", "reclens", "index"),
    ("LanceDB, exact", "lancedb", "exact"),
    ("LanceDB, IVF_HNSW_SQ", "lancedb", "index"),
    ("Chroma, HNSW", "chroma", ""),
)
"""What it is called, the script and environment, and what is asked of it."""


def spent(call: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """What a call gives, and its seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    found = call()
    return found, {"cpu_s": round(time.process_time() - cpu, 2), "wall_s": round(time.perf_counter() - wall, 2)}


def diagnostics(items: int, users: int, dimension: int) -> dict[str, Any]:
    """All diagnostics, with lists, truth, users, an index and a later version; no map, which is measured elsewhere."""
    world = planted_space("unreachable", strength=0.01, n_items=items, n_users=users, dimension=dimension, seed=1000)
    small = planted_space("none", n_items=500, n_users=60, clusters=5)
    run(small.items, small.lists, small.truth, users=small.users, store=small.store, before=small.later)  # compiles
    steps: list[tuple[str, float]] = []

    def note(step: str, done: int, of: int) -> None:
        if not steps or steps[-1][0] != step:
            steps.append((step, time.process_time()))

    found, times = spent(
        lambda: run(
            world.items,
            world.lists,
            world.truth,
            users=world.users,
            store=world.store,
            before=world.later,
            category="topic",
            progress=note,
        )
    )
    parts = {name: round(after[1] - began, 2) for (name, began), after in pairwise(steps)}
    codes = sorted({each.code for each in found.findings if each.severity != "note"})
    return {"items": items, "users": users, "dimension": dimension, **times, "parts": parts, "found": codes}


def stores(rows: int, dimension: int, queries: int, only: list[str] | None) -> list[dict[str, Any]]:
    """Building and asking of each store, with its recall against exact search; kept after each, for runs that end."""
    vectors = made(rows, dimension)
    asked = sample_queries(vectors, queries, seed=2000)
    truth = top_k(asked, vectors, K)[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "vectors.npy", vectors)
        np.save(folder / "queries.npy", asked)
        del vectors
        for each in STORES:
            if only is None or each[0] in only:
                keep_store({"rows": rows, "dimension": dimension, **_store(*each, folder, truth), "machine": machine()})
    return [row for row in _held().get("stores", []) if (row["rows"], row["dimension"]) == (rows, dimension)]


def keep_store(row: dict[str, Any]) -> None:
    """Put the row of a store beside the others, and say what it takes of ours."""
    held = _held()
    kept = [each for each in held.get("stores", []) if _size(each) != _size(row) or each["store"] != row["store"]]
    kept.append(row)
    ours = {_size(each): each for each in kept if each["store"] == "reclens, index"}
    for each in kept:
        if _size(each) in ours:
            for what in ("query_cpu_ms", "build_cpu_s"):
                each[f"{what.rsplit('_', 1)[0]}_of_ours"] = round(each[what] / ours[_size(each)][what], 2)
    order = [called for called, _, _ in STORES]
    kept.sort(key=lambda each: (each["rows"], order.index(each["store"]) if each["store"] in order else -1))
    _keep({**held, "stores": kept})


def _size(row: dict[str, Any]) -> tuple[int, int]:
    return row["rows"], row["dimension"]


def _held() -> dict[str, Any]:
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def _keep(held: dict[str, Any]) -> None:
    RESULTS.write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")


def _store(called: str, peer: str, kind: str, folder: Path, truth: np.ndarray) -> dict[str, Any]:
    """One store in a process of its own: the cheapest of its settings with a recall of 0.95, or the last."""
    python: Any = sys.executable if peer in ("reclens", "numpy") else environment(peer)
    worker = Worker(called, python, FOLDER / "peers" / f"{peer}_vectors.py", str(folder), str(K), kind)
    building = worker.turn("build")
    for setting in worker.turn("settings")["answer"]:
        worker.turn(f"ask {setting}")  # what was built may still be written, or read for the first time
        asking = worker.turn(f"ask {setting}")
        lists = asking["answer"]
        right = [len(set(got) & set(own)) for got, own in zip(lists, truth.tolist(), strict=False)]
        recall = sum(right) / (K * len(lists))
        if recall >= RECALL:
            break
    worker.close()
    row = {
        "store": called,
        "setting": setting or None,
        "build_cpu_s": round(building["cpu"], 2),
        "build_s": round(building["seconds"], 2),
        "recall": round(recall, 4),
        "queries_per_s": round(len(lists) / asking["seconds"], 1),
        "query_cpu_ms": round(1_000 * asking["cpu"] / len(lists), 3),
        "peak_gib": round(asking["peak_gib"], 2),
    }
    print(json.dumps(row), flush=True)
    return row


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("what", choices=["diagnostics", "stores"])
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--users", type=int, default=6_040)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--dimension", type=int)
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--only", nargs="*", help="names of stores, such as 'Chroma, HNSW'")
    given = parser.parse_args()
    if given.what == "diagnostics":
        found: Any = diagnostics(given.items, given.users, given.dimension or 64)
        _keep({**_held(), "diagnostics": {**found, "machine": machine()}})
    else:
        found = stores(given.rows, given.dimension or 384, given.queries, given.only)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
