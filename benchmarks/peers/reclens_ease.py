"""Ours, and the machine's own rates: see bench_ease.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl
from harness import serve

from reclens.data.dataset import Dataset
from reclens.models import EASE

n_users, n_items, per_user = map(int, sys.argv[1:])
rng = np.random.default_rng(3)
weights = np.cumsum(1 / np.arange(1, n_items + 1) ** 0.8)
items = np.searchsorted(weights, rng.random(n_users * per_user) * weights[-1], side="right")
items[:n_items] = np.arange(n_items)  # every item is somebody's
users = np.repeat(np.arange(n_users), per_user)
data = Dataset(pl.DataFrame({"user_id": users, "item_id": items}).unique())


def fit() -> str:
    model = EASE(l2=500.0).fit(data)
    return f"{model.precision_}, residual {model.residual_:.1e}"


def sgemm() -> float:
    """GFLOP/s of a product of two square matrices."""
    import time

    n = 4096
    left, right = (rng.normal(size=(n, n)).astype(np.float32) for _ in range(2))
    left @ right
    started = time.perf_counter()
    left @ right
    return 2 * n**3 / (time.perf_counter() - started) / 1e9


def blas() -> str:
    about = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{about['name']} {about['version']}"


serve({"fit": fit, "sgemm": sgemm, "blas": blas})
