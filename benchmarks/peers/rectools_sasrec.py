"""SASRec of RecTools: see bench_deep_speed.py."""

import json
import logging
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd
import torch
from harness import serve
from pytorch_lightning import seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

warnings.filterwarnings("ignore")
logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
torch.set_num_threads(1)
folder, settings = Path(sys.argv[1]), json.loads(sys.argv[2])


def learn(name):
    seed_everything(0)
    with np.load(folder / f"{name}.npz") as file:
        table = pd.DataFrame(
            {
                Columns.User: file["users"],
                Columns.Item: file["items"],
                Columns.Weight: 1.0,
                Columns.Datetime: pd.to_datetime(file["times"], unit="s"),
            }
        )
    dataset = Dataset.construct(table)
    model = SASRecModel(
        n_factors=settings["factors"],
        n_blocks=settings["blocks"],
        n_heads=settings["heads"],
        dropout_rate=settings["dropout"],
        session_max_len=settings["max_length"],
        batch_size=settings["batch_size"],
        lr=settings["learning_rate"],
        epochs=settings["epochs"],
        loss="softmax",
    )
    model.fit(dataset)
    lists = model.recommend(table[Columns.User].unique(), dataset, k=10, filter_viewed=True)
    np.savez(folder / f"{name}_rectools.npz", users=lists[Columns.User], items=lists[Columns.Item])


serve({name: lambda name=name: learn(name) for name in ("warm", "few", "many")})
