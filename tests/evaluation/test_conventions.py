"""One toy run, the answers of the libraries, each reproduced under its preset.

The answers were measured with trec_eval's family (ranx 0.3.21, ir_measures 0.4.3), RecTools 0.19.0, RePlay 0.22.0,
Microsoft Recommenders 1.2.1, RecBole 1.2.1 and LensKit 2025.8.1: five users, k = 5. A: 7 relevant items, hits at 1, 3
and 5. B: 1 relevant, hit at 2. C: no hit. D: 2 relevant, a list of 3, hits at 1 and 2. E: 1 relevant, no list.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from reclens.data.dataset import Dataset
from reclens.evaluation import evaluate
from reclens.metrics import CONVENTIONS, describe, names

LISTS = {"A": "a1 x1 a2 x2 a3", "B": "x1 b1 x2 x3 x4", "C": "x1 x2 x3 x4 x5", "D": "d1 d2 x1"}
TRUTH = {"A": "a1 a2 a3 a4 a5 a6 a7", "B": "b1", "C": "c1", "D": "d1 d2", "E": "e1"}

ANSWERS = {
    "trec": {"precision": 0.240, "recall": 0.486, "ndcg": 0.454, "map": 0.365, "mrr": 0.500},
    "rectools": {"precision": 0.240, "recall": 0.486, "ndcg": 0.281, "map": 0.365, "mrr": 0.500},
    "replay": {"precision": 0.240, "recall": 0.486, "ndcg": 0.454, "map": 0.391, "mrr": 0.500},
    "recommenders": {"precision": 0.300, "recall": 0.607, "ndcg": 0.454, "map": 0.456},
    "recbole": {"precision": 0.300, "recall": 0.607, "ndcg": 0.568, "map": 0.488, "mrr": 0.625},
    "lenskit": {"precision": 0.367, "recall": 0.650, "ndcg": 0.645, "map": 0.488, "mrr": 0.625},
}


def toy() -> tuple[pl.DataFrame, pl.DataFrame]:
    rows = [(u, item, rank) for u, items in LISTS.items() for rank, item in enumerate(items.split(), 1)]
    truth = [(u, item) for u, items in TRUTH.items() for item in items.split()]
    return (
        pl.DataFrame(rows, schema=["user_id", "item_id", "rank"], orient="row"),
        pl.DataFrame(truth, schema=["user_id", "item_id"], orient="row"),
    )


@pytest.mark.parametrize("convention", ANSWERS)
def test_preset_reproduces_its_library(convention: str) -> None:
    lists, truth = toy()
    metrics = [f"{name}@5" for name in ANSWERS[convention]]
    result = evaluate(lists, truth, metrics=metrics, convention=convention, replicates=100)
    got = {name: round(result[f"{name}@5"].overall.value, 3) for name in ANSWERS[convention]}
    assert got == ANSWERS[convention]


def test_vae_cf_divides_recall_by_what_can_be_reached() -> None:
    # By hand: A 3 / min(5, 7), B 1, C 0, D 1, E 0; NDCG as under trec, whose ideal list is min(k, relevant) too.
    lists, truth = toy()
    result = evaluate(lists, truth, metrics=["recall@5", "ndcg@5"], convention="vae_cf", replicates=100)
    assert result["recall@5"].overall.value == pytest.approx((3 / 5 + 1 + 0 + 1 + 0) / 5)
    assert round(result["ndcg@5"].overall.value, 3) == 0.454


def test_users_without_a_list_are_counted() -> None:
    lists, truth = toy()
    card = evaluate(lists, truth, metrics=["ndcg@5"], replicates=100).card
    assert (card["n_users"], card["users_without_list"], card["users_with_short_list"]) == (5, 1, 1)


def graded_world() -> tuple[pl.DataFrame, pl.DataFrame, Dataset]:
    """20 users: lists of 0 to 12 of 18 items, grades 1 to 4; the last 5 items are in truth and lists alone."""
    rng = np.random.default_rng(8)
    lists, truth, train = [], [], []
    for user in range(20):
        order, top = rng.permutation(18), rng.integers(1, 5)
        train += [(user, int(item)) for item in order[:3] if item < 13]
        lists += [(user, int(item), rank) for rank, item in enumerate(order[3 : 3 + rng.integers(0, 13)], 1)]
        liked = rng.choice(order[3:], rng.integers(1, 8), replace=False)
        truth += [(user, int(item), int(rng.integers(1, top + 1))) for item in liked]
    train += [(99, item) for item in range(13)]
    items = pl.DataFrame(
        {
            "item_id": range(18),
            "genres": [["abcd"[item % 4], "abcd"[item % 3]] for item in range(18)],
        }
    )
    pairs = ["user_id", "item_id"]
    return (
        pl.DataFrame(lists, [*pairs, "rank"], orient="row"),
        pl.DataFrame(truth, [*pairs, "grade"], orient="row"),
        Dataset(pl.DataFrame(train, pairs, orient="row"), items=items),
    )


EVERY = [
    name if not describe(name).cut else f"{name}@10"
    for name in names()
    if describe(name).kind == "user" and "requests" not in describe(name).needs
]


@pytest.mark.parametrize("relevance", [None, "grade"])
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_user_has_the_same_values_alone_and_in_any_chunk(
    convention: str, relevance: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists, truth, train = graded_world()
    asked = {"train": train, "metrics": EVERY, "convention": convention, "relevance": relevance, "replicates": 0}
    together = evaluate(lists, truth, **asked).per_user
    for rows in (1, 13, 50):
        monkeypatch.setattr("reclens.evaluation.chunks.ROWS_A_CHUNK", rows)
        assert evaluate(lists, truth, **asked).per_user.equals(together, null_equal=True)
    users = truth["user_id"].unique().sort()
    own = [pl.col("user_id") == user for user in users]
    alone = [evaluate(lists.filter(each), truth.filter(each), **asked).per_user for each in own]
    assert pl.concat(alone).equals(together, null_equal=True)
