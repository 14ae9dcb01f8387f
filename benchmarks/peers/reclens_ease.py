"""Ours, and the machine's own rates: see bench_ease.py."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
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
    """GFLOP in a second of one core: a product of two square matrices."""
    left, right = (rng.normal(size=(4096, 4096)).astype(np.float32) for _ in range(2))
    return 2 * 4096**3 / seconds(lambda: left @ right) / 1e9


def potrf() -> float:
    """The same of a Cholesky factorisation."""
    from scipy.linalg.lapack import spotrf

    n = 8192
    matrix = np.asfortranarray(np.eye(n, dtype=np.float32) * n + 1)
    return n**3 / 3 / seconds(lambda: spotrf(matrix, lower=True)) / 1e9


def seconds(task: Callable[[], object]) -> float:
    """CPU time, which other users of the machine change least; the shortest of three."""
    found = []
    for _ in range(3):
        started = time.process_time()
        task()
        found.append(time.process_time() - started)
    return min(found)


def blas() -> str:
    """The libraries that run the product and the factorisation, and for which processor their loops are."""
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info

    found = [each for each in threadpool_info() if each["user_api"] == "blas"]
    return "; ".join(
        f"{x['internal_api']} {x['version']} ({x['architecture']}, {x['num_threads']} threads)" for x in found
    )


serve({"fit": fit, "sgemm": sgemm, "potrf": potrf, "blas": blas})
