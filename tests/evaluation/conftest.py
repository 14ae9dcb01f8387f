"""A small world: training data with segments, truth and the lists of two systems, all at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from reclens.data.dataset import Dataset
from reclens.evaluation import Evaluation, evaluate


@dataclass(frozen=True)
class World:
    train: Dataset
    truth: pl.DataFrame
    lists: dict[str, pl.DataFrame]


@pytest.fixture(scope="session")
def world() -> World:
    rng = np.random.default_rng(4)
    n_users, n_items = 240, 60
    rows, truth = [], []
    lists: dict[str, list[tuple[str, str, int, float]]] = {"good": [], "poor": []}
    for user in range(n_users):
        order = rng.permutation(n_items)
        own, held = order[: rng.integers(5, 20)], order[20 : 20 + rng.integers(1, 8)]
        rows += [(f"u{user}", f"i{item}") for item in own]
        truth += [(f"u{user}", f"i{item}") for item in held]
        for name, luck in (("good", 0.5), ("poor", 0.2)):
            score = rng.random(n_items) + luck * np.isin(np.arange(n_items), held)
            score[own] = -1
            if user % 20 or name == "good":  # the poor system serves one user in twenty not at all
                best = np.argsort(-score)[: rng.integers(5, 21)]
                lists[name] += [(f"u{user}", f"i{item}", rank, score[item]) for rank, item in enumerate(best, 1)]
    train = Dataset(
        pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row"),
        users=pl.DataFrame(
            {
                "user_id": [f"u{u}" for u in range(n_users)],
                "age": rng.integers(15, 60, n_users),
            }
        ),
        items=pl.DataFrame(
            {
                "item_id": [f"i{i}" for i in range(n_items)],
                "genres": [
                    rng.choice(["drama", "comedy", "crime", "war"], rng.integers(1, 3), replace=False).tolist()
                    for _ in range(n_items)
                ],
            }
        ),
        segments=pl.DataFrame(
            {
                "user_id": [f"u{u}" for u in range(n_users)],
                "age": pl.Series(
                    [["young", "old", None][u % 12 // 5] for u in range(n_users)], dtype=pl.Enum(["young", "old"])
                ),
                "half": ["left" if u < 120 else "right" for u in range(n_users)],
                "tiny": ["few" if u < 5 else "many" for u in range(n_users)],
            }
        ),
        name="world",
    )
    frames = {
        name: pl.DataFrame(listed, schema=["user_id", "item_id", "rank", "score"], orient="row")
        for name, listed in lists.items()
    }
    return World(train, pl.DataFrame(truth, schema=["user_id", "item_id"], orient="row"), frames)


@pytest.fixture(scope="session")
def results(world) -> dict[str, Evaluation]:
    """Both systems of the world, measured alike."""
    metrics = ["ndcg@10", "recall@10", "coverage@10", "diversity@10"]
    return {
        name: evaluate(
            world.lists[name], world.truth, train=world.train, metrics=metrics, by=["age", "tiny"], name=name
        )
        for name in ("poor", "good")
    }
