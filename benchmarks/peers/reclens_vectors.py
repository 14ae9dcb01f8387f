"""Ours: see bench_explore.py. The embedded store, exact or with an index for a recall of 0.95."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from harness import serve

from reclens.explore import LocalStore
from reclens.protocols import StoreCard

folder, k, index = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "index"
vectors, queries = np.load(folder / "vectors.npy"), np.load(folder / "queries.npy")
store = LocalStore(tempfile.mkdtemp(dir=folder))


def build() -> None:
    store.create(StoreCard(model="bench", revision="1", dimension=vectors.shape[1]))
    store.upsert([str(at) for at in range(len(vectors))], vectors)
    if index:
        store.build_index(target=0.95)


def ask() -> list[list[int]]:
    return [[int(one) for one in each] for each in store.query(queries, k)[0]]


serve({"build": build, "settings": lambda: [0], "ask 0": ask})
