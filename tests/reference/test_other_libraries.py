"""Equality with ranx and ir_measures (trec_eval) on random runs with short lists, missing users and graded truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from reclens.evaluation import evaluate

SHARED = ("precision", "recall", "ndcg", "map", "mrr", "hit_rate")


def random_run(seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """120 users: lists of 0 to 15 items, 1 to 12 relevant items of grade 1 to 4."""
    rng = np.random.default_rng(seed)
    lists, truth = [], []
    for user in range(120):
        order = rng.permutation(40)
        length = 0 if user % 11 == 0 else rng.integers(1, 16)
        # Distinct scores: with equal ones trec_eval orders by document id, and ranx by its sort.
        for rank, (item, score) in enumerate(zip(order[:length], -np.sort(-rng.random(length)), strict=True), 1):
            lists.append((f"u{user}", f"i{item}", rank, float(score)))
        liked = rng.choice(40, rng.integers(1, 13), replace=False)
        truth += [
            (f"u{user}", f"i{item}", int(grade))
            for item, grade in zip(liked, rng.integers(1, 5, len(liked)), strict=True)
        ]
    schema = ["user_id", "item_id", "rank", "score"]
    return pl.DataFrame(lists, schema, orient="row"), pl.DataFrame(truth, ["user_id", "item_id", "grade"], orient="row")


@pytest.mark.parametrize("k", [1, 5, 10, 20])
@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_trec_eval_by_ir_measures(seed: int, graded: bool, k: int) -> None:
    ir_measures = pytest.importorskip("ir_measures", reason="needs ir_measures, of requirements/test.txt")
    lists, truth = random_run(seed)
    metrics = [*(f"{name}@{k}" for name in SHARED), "r_precision"]
    ours = evaluate(lists, truth, metrics=metrics, relevance="grade" if graded else None, replicates=0)
    theirs = [
        ir_measures.parse_measure(text)
        for text in (f"P@{k}", f"R@{k}", f"nDCG@{k}", f"AP@{k}", f"RR@{k}", f"Success@{k}", "Rprec")
    ]
    grades = truth["grade"] if graded else [1] * truth.height
    qrels = [ir_measures.Qrel(u, i, g) for u, i, g in zip(truth["user_id"], truth["item_id"], grades, strict=True)]
    run = [ir_measures.ScoredDoc(u, i, s) for u, i, _, s in lists.rows()]
    values = {(value.query_id, value.measure): value.value for value in ir_measures.iter_calc(theirs, qrels, run)}
    for name, measure in zip(metrics, theirs, strict=True):
        expected = [values.get((user, measure), 0.0) for user in ours.per_user["user_id"]]
        np.testing.assert_allclose(ours.per_user[name], expected, atol=1e-6, err_msg=f"{name} against {measure}")


STORED = json.loads((Path(__file__).parent / "stored" / "ranx.json").read_text())


@pytest.mark.parametrize("case", STORED["values"])
def test_ranx(case: str) -> None:
    # Stored, because ranx takes a minute to compile: scripts/make_ranx_values.py made them, ranx.json has the versions.
    relevance, cut = case.split("@")
    lists, truth = random_run(3)
    metrics = [f"{name}@{cut}" for name in SHARED]
    ours = evaluate(lists, truth, metrics=metrics, relevance="grade" if relevance == "graded" else None, replicates=0)
    for name, expected in STORED["values"][case].items():
        assert ours[name].overall.value == pytest.approx(expected, abs=1e-9), name
