"""Ours: see bench_knn.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl
from harness import serve

from reclens import models
from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.engine import LocalEngine, quiet
from reclens.models._core.co_counts import count_pairs

pairs = np.load(sys.argv[1])
frame = pl.DataFrame({"user_id": pairs["users"], "item_id": pairs["items"].astype(np.int64)})


def item() -> float:
    # A new data set each time: its codes and its matrix are part of the job.
    model = models.ItemKNN(neighbors=100, neighbors_of="history", shrinkage=0).fit(Dataset(frame))
    return float(model.recommend(k=100).table["score"].cast(pl.Float64).sum())


def user() -> float:
    model = models.UserKNN(neighbors=100, shrinkage=0).fit(Dataset(frame))
    return float(model.recommend(k=100).table["score"].cast(pl.Float64).sum())


def work(matrix: UserItemMatrix, scoring: np.ndarray) -> list[float]:
    """Words of bits that are compared, additions that count pairs, and additions that score, in billions."""
    pairs = count_pairs(matrix, engine=LocalEngine(), progress=quiet, what="count")
    lengths, tails = np.diff(pairs.ends).astype(float), np.diff(pairs.tail_ends).astype(float)
    words = pairs.head**2 / 2 * -(-matrix.n_columns // 64)
    additions = ((lengths - tails) * tails + tails * lengths).sum()
    return [words / 1e9, additions / 1e9, float(scoring.sum()) / 1e9]


def item_work() -> list[float]:
    model = models.ItemKNN(neighbors=100, neighbors_of="history", shrinkage=0).fit(Dataset(frame))
    return work(model.seen_.transposed, np.diff(model.neighbors_.indptr)[model.seen_.indices])


def user_work() -> list[float]:
    model = models.UserKNN(neighbors=100, shrinkage=0).fit(Dataset(frame))
    return work(model.seen_, np.diff(model.seen_.indptr)[model.neighbors_.codes])


serve({"item": item, "user": user, "item_work": item_work, "user_work": user_work})
