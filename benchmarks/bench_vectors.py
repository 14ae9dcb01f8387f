"""Exact search, the index and the reopening of the embedded store at 200,000 × 384, beside sgemm and FAISS' flat index.

    python benchmarks/bench_vectors.py --rows 200000 --dimension 384

Each number is the best of several turns: the machine is shared. Unset OPENBLAS_CORETYPE, if the machine sets it.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from reclens.explore import LocalStore, top_k
from reclens.explore.approximate import measure_recall, sample_queries
from reclens.explore.vectors import unit_vectors
from reclens.protocols import StoreCard


def best(call, turns: int = 3) -> float:
    """Seconds of the fastest turn."""
    found = []
    for _ in range(turns):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return min(found)


def made(rows: int, dimension: int) -> np.ndarray:
    """Vectors around 400 centres, in groups of unequal size."""
    rng = np.random.default_rng(1000)
    centres = rng.standard_normal((400, dimension), np.float32)
    sizes = rng.dirichlet(np.ones(400))
    chosen = rng.choice(400, rows, p=sizes)
    return unit_vectors(centres[chosen] + 0.9 * rng.standard_normal((rows, dimension), np.float32))


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, default=200_000)
    options.add_argument("--dimension", type=int, default=384)
    options.add_argument("--queries", type=int, default=1024)
    options.add_argument("--out", type=Path)
    asked = options.parse_args()
    vectors = made(asked.rows, asked.dimension)
    queries = sample_queries(vectors, asked.queries, seed=2000)
    work = 2.0 * asked.queries * asked.rows * asked.dimension
    told: dict[str, object] = {"rows": asked.rows, "dimension": asked.dimension, "queries": asked.queries}
    a, b = np.ascontiguousarray(queries[:512]), np.ascontiguousarray(vectors[:20_000])
    sgemm = 2.0 * len(a) * len(b) * asked.dimension / best(lambda: a @ b.T, 7) / 1e9
    exact = work / best(lambda: top_k(queries, vectors, 10)) / 1e9
    told |= {"sgemm_gflops": sgemm, "exact_gflops": exact, "exact_share_of_sgemm": exact / sgemm}
    told["exact_queries_per_second"] = exact * 1e9 / (2.0 * asked.rows * asked.dimension)
    import faiss

    flat = faiss.IndexFlatIP(asked.dimension)
    flat.add(vectors)
    told["faiss_flat_share_of_sgemm"] = work / best(lambda: flat.search(queries, 10), 2) / 1e9 / sgemm
    folder = tempfile.mkdtemp()
    store = LocalStore(folder)
    store.create(StoreCard(model="bench", revision="1", dimension=asked.dimension))
    began = time.perf_counter()
    store.upsert([str(n) for n in range(asked.rows)], vectors)
    told["write_seconds"] = time.perf_counter() - began
    began, cpu = time.perf_counter(), time.process_time()
    plan = store.build_index(target=0.95)
    told["index_seconds"], told["index_cpu_seconds"] = time.perf_counter() - began, time.process_time() - cpu
    if plan is not None:
        told |= {"lists": plan.lists, "probes": plan.probes, "stated_recall": plan.recall.value}
    truth = top_k(queries, vectors, 10)[0]
    lists, _ = store.query(queries, 10)
    told["recall"] = measure_recall(np.array([[int(one) for one in each] for each in lists]), truth).value
    told["index_queries_per_second"] = asked.queries / best(lambda: store.query(queries, 10), 5)
    began = time.perf_counter()
    LocalStore(folder).count()
    told["reopen_seconds"] = time.perf_counter() - began
    began = time.perf_counter()
    LocalStore(folder).query(queries[:1], 10)
    told["reopen_and_query_seconds"] = time.perf_counter() - began
    told["index_bytes"] = sum(file.stat().st_size for file in Path(folder).rglob("index.faiss"))
    shutil.rmtree(folder)
    told |= {"machine": platform.processor() or platform.machine(), "faiss": faiss.__version__}
    short = {name: round(value, 4) if isinstance(value, float) else value for name, value in told.items()}
    text = json.dumps(short, indent=1)
    if asked.out:
        asked.out.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
