"""Ours, and the machine's own rate: see bench_topk.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl
from harness import serve

from reclens.data.dataset import Dataset
from reclens.models import ALS

n_users, n_items, d, k = map(int, sys.argv[1:])
rng = np.random.default_rng(0)
# A model as if it had been fitted: what is timed is serving. Each user has seen twenty items.
pairs = np.stack([np.repeat(np.arange(n_users), 20), rng.integers(0, n_items, 20 * n_users)])
pairs[1, :n_items] = np.arange(n_items)  # every item is somebody's
data = Dataset(pl.DataFrame({"user_id": pairs[0], "item_id": pairs[1]}))
model = ALS(factors=d, unobserved=0.1, l2=0.01)
model.users_, model.items_, model.seen_ = data.user_vocabulary, data.item_vocabulary, data.matrix()
model.train_, model.resolved_ = {}, {}
model.user_factors_ = rng.normal(size=(n_users, d)).astype(np.float32)
model.item_factors_ = rng.normal(size=(n_items, d)).astype(np.float32)


def top() -> float:
    return float(model.recommend(k=k).table["score"].cast(pl.Float64).sum())


SIDE = 4096
left, right = (rng.normal(size=(SIDE, SIDE)).astype(np.float32) for _ in range(2))


def product() -> float:
    """A product of two square matrices with as many operations, in a size that suits BLAS: the machine's rate."""
    total, done = 0.0, 0
    while done < 2 * n_users * n_items * d:
        total += float((left @ right)[0, 0])
        done += 2 * SIDE**3
    return total


def blas() -> str:
    about = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{about['name']} {about['version']}"


serve({"top": top, "product": product, "blas": blas})
