"""Two systems with hostile names and items, measured and compared."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl
import pytest

from reclens import models
from reclens.data import segments
from reclens.data import split as splits
from reclens.evaluation import Comparison, Evaluation, compare, evaluate

HOSTILE = '<script>alert("x")</script>'


@dataclass(frozen=True)
class Measured:
    results: dict[str, Evaluation]
    comparison: Comparison


@pytest.fixture(scope="session")
def measured(small_data) -> Measured:
    assert small_data.users is not None
    users = small_data.users.with_columns(town=pl.when(pl.col("age") < 30).then(pl.lit(HOSTILE)).otherwise(pl.lit("b")))
    split = splits.random(replace(small_data, users=users), rng=1)
    train = split.train.with_segments(
        age=segments.bins("age", [25, 45]),
        activity=segments.quantiles("n_interactions", ["light", "heavy"]),
        town="town",
    )
    metrics = ["ndcg@10", "recall@10", "diversity@10", "novelty@10", "coverage@10", "gini@10"]
    results = {}
    for name, model in {
        "popular": models.Popular(),
        "ease </b>": models.EASE(l2=100),
        HOSTILE: models.Random(),
    }.items():
        lists = model.fit(train).recommend(split.test_users)
        results[name] = evaluate(
            lists, split.test, train=train, metrics=metrics, by=["age", "activity", "town"], name=name
        )
    return Measured(results, compare(results, baseline="popular"))
