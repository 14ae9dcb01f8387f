"""Ours: see bench_knn.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl
from harness import serve

from reclens import models
from reclens.data.dataset import Dataset

pairs = np.load(sys.argv[1])
frame = pl.DataFrame({"user_id": pairs["users"], "item_id": pairs["items"].astype(np.int64)})


def item() -> float:
    # A new data set each time: its codes and its matrix are part of the job.
    model = models.ItemKNN(neighbors=100, neighbors_of="history").fit(Dataset(frame))
    return float(model.recommend(k=100).table["score"].cast(pl.Float64).sum())


def user() -> float:
    model = models.UserKNN(neighbors=100).fit(Dataset(frame))
    return float(model.recommend(k=100).table["score"].cast(pl.Float64).sum())


serve({"item": item, "user": user})
