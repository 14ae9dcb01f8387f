"""The explorer: all diagnostics of one exploration, and stores of vectors beside each other in one run.

    python benchmarks/bench_explore.py diagnostics --items 50000 --users 6040
    python benchmarks/bench_explore.py stores --rows 200000 --dimension 384

Chroma and LanceDB are measured where they are installed. CPU seconds are those of all threads of the process: on a
machine that others use too they are the fair number beside the wall time.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from bench_vectors import made
from harness import machine

from reclens.explore import LocalStore, planted_space, run, top_k
from reclens.explore.approximate import sample_queries
from reclens.protocols import StoreCard, VectorStore, adapter

RESULTS = Path(__file__).resolve().parent / "results" / "explore.json"
K = 10


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


def stores(rows: int, dimension: int, queries: int) -> list[dict[str, Any]]:
    """Building and asking of each store, with its recall against exact search."""
    vectors = made(rows, dimension)
    asked = sample_queries(vectors, queries, seed=2000)
    ids = [str(at) for at in range(rows)]
    truth = top_k(asked, vectors, K)[0]

    def row(name: str, build: Callable[[], Any], ask: Callable[[Any], list[list[str]]]) -> dict[str, Any]:
        place, building = spent(build)
        ask(place)
        answers, asking = spent(lambda: ask(place))
        right = [len({int(one) for one in got} & set(own.tolist())) for got, own in zip(answers, truth, strict=True)]
        return {
            "store": name,
            "build_cpu_s": building["cpu_s"],
            "build_s": building["wall_s"],
            "recall": round(sum(right) / (K * queries), 4),
            "queries_per_s": round(queries / max(asking["wall_s"], 1e-3), 1),
            "query_cpu_ms": round(1_000 * asking["cpu_s"] / queries, 3),
        }

    def numpy_top(_: None) -> list[list[str]]:
        scores = asked @ vectors.T
        near = np.argpartition(-scores, K, axis=1)[:, :K]
        return [[ids[at] for at in each] for each in near]

    def kept(address: str | None, index: bool) -> Callable[[], VectorStore]:
        def build() -> VectorStore:
            folder = tempfile.mkdtemp()
            store: Any = LocalStore(folder) if address is None else adapter(f"{address}:{folder}#v", VectorStore)
            store.create(StoreCard(model="bench", revision="1", dimension=dimension))
            store.upsert(ids, vectors)
            if index:
                store.build_index(target=0.95)
            return store

        return build

    def ask(store: VectorStore) -> list[list[str]]:
        return store.query(asked, K)[0]

    found = [
        row("NumPy, exact", lambda: None, numpy_top),
        row("embedded, exact", kept(None, index=False), ask),
        row("embedded, index", kept(None, index=True), ask),
    ]
    if importlib.util.find_spec("lancedb"):
        found.append(row("LanceDB, flat", kept("lance", index=False), ask))
    if importlib.util.find_spec("chromadb"):
        found.append(row("Chroma, HNSW", lambda: chroma(ids, vectors), lambda each: of_chroma(each, asked)))
    ours = found[2]
    return [
        {
            "rows": rows,
            "dimension": dimension,
            **each,
            "query_cpu_of_ours": round(each["query_cpu_ms"] / ours["query_cpu_ms"], 1),
            "build_cpu_of_ours": round(each["build_cpu_s"] / ours["build_cpu_s"], 2),
        }
        for each in found
    ]


def chroma(ids: list[str], vectors: np.ndarray) -> Any:
    """A collection of Chroma with its own defaults, by cosine."""
    import chromadb
    from chromadb.config import Settings

    client = chromadb.PersistentClient(tempfile.mkdtemp(), settings=Settings(anonymized_telemetry=False))
    made = client.create_collection("vectors", metadata={"hnsw:space": "cosine"}, embedding_function=None)
    for at in range(0, len(ids), 5_000):
        made.add(ids=ids[at : at + 5_000], embeddings=vectors[at : at + 5_000])
    return made


def of_chroma(collection: Any, asked: np.ndarray) -> list[list[str]]:
    """The ids that it returns."""
    return collection.query(query_embeddings=asked, n_results=K, include=[])["ids"]


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("what", choices=["diagnostics", "stores"])
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--users", type=int, default=6_040)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--dimension", type=int)
    parser.add_argument("--queries", type=int, default=1_000)
    given = parser.parse_args()
    if given.what == "diagnostics":
        found: Any = diagnostics(given.items, given.users, given.dimension or 64)
    else:
        found = stores(given.rows, given.dimension or 384, given.queries)
    held = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps({**held, given.what: found, "machine": machine()}, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
