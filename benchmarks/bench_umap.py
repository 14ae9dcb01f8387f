"""The map by UMAP beside umap-learn's own defaults: quality, CPU seconds and wall time, in one run.

Both get the same vectors. Ours makes the exact graph of neighbours, which the other diagnostics need anyway, and starts
from principal components; the default makes its own graph and starts from a spectral layout. The first fit of each
compiles and is not counted: on 5,000 points, because umap-learn has another search for neighbours below 4,096. A
default that exceeds the limit of CPU time is stopped there: on a machine that others use too, wall time would say more
of them. ``--only ours`` leaves umap-learn out.

    python benchmarks/bench_umap.py --items 10000 --dimension 384
    python benchmarks/bench_umap.py --items 50000 --dimension 384 --limit 900
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from harness import machine

from reclens.explore import map_quality, neighbour_graph, planted_space, umap_map
from reclens.explore.layout import pair_weights
from reclens.explore.space import EmbeddingSpace

RESULTS = Path(__file__).resolve().parent / "results" / "umap.json"


def ours(space: EmbeddingSpace, seed: int | None) -> np.ndarray:
    """Our map, with the time of the graph."""
    return umap_map(space, neighbour_graph(space, k=15), seed=seed or 0).points


def default(space: EmbeddingSpace, seed: int | None) -> np.ndarray:
    """What ``UMAP(metric="cosine")`` makes."""
    import warnings

    import umap

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return umap.UMAP(metric="cosine", random_state=seed).fit_transform(space.unit)


def made(items: int, dimension: int) -> EmbeddingSpace:
    """The space that is drawn."""
    return planted_space(n_items=items, dimension=dimension, n_users=50).items


def measured(make: Callable[[EmbeddingSpace, int | None], np.ndarray], space: EmbeddingSpace, seed: int | None) -> Any:
    """Times and quality of one map."""
    cpu, wall = time.process_time(), time.perf_counter()
    points = make(space, seed)
    spent = {"cpu_s": round(time.process_time() - cpu, 2), "wall_s": round(time.perf_counter() - wall, 2)}
    quality = map_quality(space, np.asarray(points))
    return {**spent, **{name: round(value, 4) for name, value in quality.to_dicts()[0].items() if name != "k"}}


def _in_process(make: Any, items: int, dimension: int, seed: int | None, answer: Any) -> None:
    make(made(5_000, 32), seed)
    space = made(items, dimension)
    answer.send(None)
    answer.send(measured(make, space, seed))


def limited(make: Any, items: int, dimension: int, seed: int | None, limit: float) -> Any:
    """The same in a process of its own, which is stopped at the limit of CPU seconds."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    worker = multiprocessing.get_context("spawn").Process(
        target=_in_process, args=(make, items, dimension, seed, there), daemon=True
    )
    worker.start()
    here.recv()  # compiled, and the space is made
    began, wall = _cpu_of(worker.pid), time.perf_counter()
    while not here.poll(1) and _cpu_of(worker.pid) - began < limit:
        pass
    if here.poll():
        found = here.recv()
    else:
        spent, took = _cpu_of(worker.pid) - began, time.perf_counter() - wall
        found = {"stopped_after_cpu_s": round(spent, 1), "stopped_after_wall_s": round(took, 1)}
    worker.kill()
    worker.join()
    return found


def _cpu_of(process: int | None) -> float:
    """CPU seconds of a process, all threads."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def weights_differ(space: EmbeddingSpace) -> float:
    """The largest difference between our weights of pairs and umap-learn's, of the same graph."""
    from umap.umap_ import fuzzy_simplicial_set

    graph = neighbour_graph(space, k=15)
    near = np.hstack([np.arange(len(graph), dtype=np.int32)[:, None], graph.rows])
    apart = np.hstack([np.zeros((len(graph), 1), np.float32), np.maximum(1 - graph.similarities, 0)])
    theirs = fuzzy_simplicial_set(space.unit, 16, None, "cosine", knn_indices=near, knn_dists=apart)[0]
    return float(abs(theirs - pair_weights(graph)).max())


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--limit", type=float, default=900, help="CPU seconds of umap-learn")
    parser.add_argument("--only", choices=["ours"])
    given = parser.parse_args()
    found: dict[str, Any] = {"items": given.items, "dimension": given.dimension, "machine": machine()}
    peers = [] if given.only else [("umap-learn", default, None), ("umap-learn, seeded", default, 0)]
    for name, make, seed in [("ours", ours, 0), *peers]:
        found[name] = limited(make, given.items, given.dimension, seed, np.inf if make is ours else given.limit)
        print(name, found[name], flush=True)
        if "stopped_after_cpu_s" in found[name]:
            break
    for unit in ("cpu", "wall") if peers else ():
        theirs = found["umap-learn"]
        spent = theirs.get(f"{unit}_s") or theirs[f"stopped_after_{unit}_s"]  # of a stopped one it is a lower bound
        found[f"times_faster_{unit}"] = round(spent / found["ours"][f"{unit}_s"], 2)
    if peers and given.items <= 10_000:
        found["weights_differ"] = weights_differ(made(given.items, given.dimension))
    print({name: value for name, value in found.items() if name.startswith(("times", "weights"))})
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    kept[f"{given.items} x {given.dimension}"] = found
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
