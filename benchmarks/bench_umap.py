"""The map by UMAP beside umap-learn's own defaults: quality, CPU seconds and wall time, in one run.

Both get the same vectors. Ours takes the exact graph of neighbours, which the other diagnostics need anyway, and starts
from principal components; the default makes its own graph and starts from a spectral layout. The first fit of each
compiles and is not counted: on 5,000 points, because umap-learn has another search for neighbours below 4,096.

    python benchmarks/bench_umap.py --items 10000 --dimension 384
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from harness import machine

from reclens.explore import map_quality, neighbour_graph, planted_space, umap_map
from reclens.explore.space import EmbeddingSpace

RESULTS = Path(__file__).resolve().parent / "results" / "umap.json"


def ours(space: EmbeddingSpace, seed: int | None) -> np.ndarray:
    """Our map, with the time of the graph."""
    return umap_map(space, neighbour_graph(space, k=15), seed=seed).points


def default(space: EmbeddingSpace, seed: int | None) -> np.ndarray:
    """What ``UMAP(metric="cosine")`` makes."""
    import warnings

    import umap

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return umap.UMAP(metric="cosine", random_state=seed).fit_transform(space.unit)


def measured(make: Callable[[EmbeddingSpace, int | None], np.ndarray], space: EmbeddingSpace, seed: int | None) -> Any:
    """Times and quality of one map."""
    cpu, wall = time.process_time(), time.perf_counter()
    points = make(space, seed)
    spent = {"cpu_s": round(time.process_time() - cpu, 1), "wall_s": round(time.perf_counter() - wall, 1)}
    quality = map_quality(space, np.asarray(points))
    return {**spent, **{name: round(value, 4) for name, value in quality.to_dicts()[0].items() if name != "k"}}


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--dimension", type=int, default=384)
    given = parser.parse_args()
    small = planted_space(n_items=5_000, dimension=32, n_users=50, clusters=6).items
    space = planted_space(n_items=given.items, dimension=given.dimension, n_users=50).items
    found: dict[str, Any] = {"items": given.items, "dimension": given.dimension, "machine": machine()}
    for name, make, seed in (
        ("ours, seeded", ours, 0),
        ("umap-learn, seeded", default, 0),
        ("umap-learn", default, None),
    ):
        make(small, seed)
        found[name] = measured(make, space, seed)
        print(name, found[name], flush=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
