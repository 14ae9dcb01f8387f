"""Two kinds of systems held against each other, beside the paired comparison and means by hand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.errors import UsageError
from reclens.evaluation import Evaluation
from reclens.evaluation.architectures import contrasts

METRICS = ["ndcg@10", "novelty@10"]


@pytest.fixture(scope="module")
def results() -> Mapping[str, Evaluation]:
    """Four systems on one split, by segment."""
    data = rl.synthetic_movielens(n_users=80, n_items=60, n_ratings=2_400, rng=5)
    split = rl.split.last_n(data, n=3)
    train = split.train.with_segments(activity=rl.segments.quantiles("n_interactions", ["light", "heavy"]))
    models = {
        "ease": rl.models.EASE(l2=50.0),
        "knn": rl.models.ItemKNN(neighbors=20),
        "svd": rl.models.PureSVD(factors=4),
        "popular": rl.models.Popular(),
    }
    lists = {name: model.fit(train).recommend(split.test_users, k=10) for name, model in models.items()}
    return {
        name: rl.evaluate(each, split.test, train=train, metrics=METRICS, by=["activity"], name=name, replicates=300)
        for name, each in lists.items()
    }


def test_one_system_of_each_kind_is_the_paired_comparison(results: Mapping[str, Evaluation]) -> None:
    pair = {name: results[name] for name in ("ease", "popular")}
    compared = rl.compare(pair, baseline="popular")
    found = contrasts({"ease": pair["ease"]}, {"popular": pair["popular"]}, metrics=METRICS, by=["activity"])
    assert len(found) == len(METRICS) * 3
    for row in found:
        wanted = compared.find("ease", row.metric, by=row.by, segment=row.segment)
        assert (row.difference.value, row.difference.n) == (pytest.approx(wanted.difference), wanted.n)
        assert (row.difference.low, row.difference.high) == (pytest.approx(wanted.low), pytest.approx(wanted.high))
        assert (row.first, row.second) == (pytest.approx(wanted.value), pytest.approx(wanted.baseline_value))


def test_several_systems_are_averaged_user_by_user(results: Mapping[str, Evaluation]) -> None:
    first, second = ({name: results[name] for name in names} for names in (("ease", "svd"), ("knn", "popular")))
    found = contrasts(first, second, metrics=METRICS, by=["activity"])
    columns = {name: each.per_user.sort("user_id")["ndcg@10"].to_numpy() for name, each in results.items()}
    by_hand = (columns["ease"] + columns["svd"] - columns["knn"] - columns["popular"]) / 2
    assert found[0].metric == "ndcg@10" and found[0].by == "overall"
    assert found[0].difference.value == pytest.approx(np.nanmean(by_hand))
    spread = np.nanstd(by_hand, ddof=1) / np.sqrt(np.isfinite(by_hand).sum())
    width = found[0].difference.high - found[0].difference.low
    assert width == pytest.approx(2 * 1.99 * spread, rel=0.15), "Student's interval of the same differences"
    heavy = results["ease"].segments.sort("user_id")["activity"] == "heavy"
    row = next(each for each in found if (each.metric, each.segment) == ("ndcg@10", "heavy"))
    assert row.difference.value == pytest.approx(np.nanmean(by_hand[heavy.to_numpy()]))
    assert row.difference.n == int(heavy.sum())
    assert row.conclusive == (row.difference.low > 0 or row.difference.high < 0)
    assert row.to_dicts()[0]["value"] == row.difference.value


def test_a_kind_without_systems(results: Mapping[str, Evaluation]) -> None:
    with pytest.raises(UsageError, match="no two kinds"):
        contrasts(results, {}, metrics=METRICS)


def test_a_user_without_a_value_under_one_system_is_left_out(results: Mapping[str, Evaluation]) -> None:
    from dataclasses import replace

    ease = results["ease"]
    absent = ease.per_user.with_columns(pl.when(pl.int_range(pl.len()) > 0).then(pl.col("ndcg@10")).alias("ndcg@10"))
    found = contrasts({"ease": replace(ease, per_user=absent)}, {"knn": results["knn"]}, metrics=["ndcg@10"])
    assert found[0].difference.n == ease.per_user.height - 1
