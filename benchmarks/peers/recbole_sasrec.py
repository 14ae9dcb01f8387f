"""SASRec of RecBole: see bench_deep_speed.py. Its data set is made before the time is taken."""

import json
import logging
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from harness import serve
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.model.sequential_recommender import SASRec
from recbole.trainer import Trainer
from recbole.utils import init_seed
from recbole.utils.case_study import full_sort_scores

logging.disable(logging.CRITICAL)
folder, settings, prefixes = Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3])
os.chdir(folder)  # it writes logs where it runs


def prepared(name):
    """Its configuration and its data: the events of training, and after them the held-out one of each user."""
    with np.load(folder / f"{name}.npz") as file, np.load(folder / f"{name}_test.npz") as test:
        rows = [row for part in (file, test) for row in zip(part["users"], part["items"], part["times"], strict=True)]
        seen = list(zip(file["users"], file["items"], strict=True))
    place = folder / name
    place.mkdir()
    lines = ["user_id:token\titem_id:token\ttimestamp:float", *("\t".join(map(str, row)) for row in rows)]
    (place / f"{name}.inter").write_text("\n".join(lines) + "\n")
    config = Config(
        model="SASRec",
        dataset=name,
        config_dict={
            "data_path": str(folder),
            "checkpoint_dir": str(folder),
            "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
            "eval_args": {"split": {"LS": "test_only"}, "order": "TO", "group_by": "user", "mode": "full"},
            "train_neg_sample_args": None,
            "use_gpu": False,
            "show_progress": False,
            "loss_type": "CE",
            "hidden_size": settings["factors"],
            "inner_size": settings["factors"],
            "n_layers": settings["blocks"],
            "n_heads": settings["heads"],
            "hidden_act": "relu",
            "hidden_dropout_prob": settings["dropout"],
            "attn_dropout_prob": 0.0,
            "MAX_ITEM_LIST_LENGTH": settings["max_length"],
            "train_batch_size": prefixes,
            "learning_rate": settings["learning_rate"],
            "epochs": settings["epochs"],
        },
    )
    init_seed(0, True)
    torch.set_num_threads(1)
    dataset = create_dataset(config)
    return config, data_preparation(config, dataset), seen


def learn(name):
    config, (train, _, test), seen = ready[name]
    dataset = train.dataset
    model = SASRec(config, dataset)
    Trainer(config, model).fit(train, saved=False, verbose=False)
    users = np.unique([user for user, _ in seen])
    codes = dataset.token2id("user_id", users.astype(str))
    with torch.no_grad():
        scores = full_sort_scores(codes, model.eval(), test, device="cpu")
    row = {user: at for at, user in enumerate(users)}
    column = dataset.token2id("item_id", np.array([str(item) for _, item in seen]))
    scores[[row[user] for user, _ in seen], column] = -torch.inf
    scores[:, 0] = -torch.inf
    best = torch.topk(scores, 10).indices.numpy()
    items = dataset.id2token("item_id", best).astype(np.int64).ravel()
    np.savez(folder / f"{name}_recbole.npz", users=np.repeat(users, 10), items=items)


ready = {name: prepared(name) for name in ("warm", "few")}
serve({name: lambda name=name: learn(name) for name in ready})
