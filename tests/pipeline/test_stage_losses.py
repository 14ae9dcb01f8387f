"""Losses of the stages: by hand, and that they add up."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from reclens.data.dataset import Dataset
from reclens.errors import UsageError
from reclens.evaluation import evaluate
from reclens.pipeline import Pipeline
from reclens.pipeline.latency import measure_latency
from reclens.pipeline.stage_losses import evaluate_stages


@pytest.fixture(scope="module")
def pipeline(by_activity) -> Pipeline:
    retrieve = {"item_knn": {"k": 25}, "popular": {"k": 15}}
    rerank = [{"kind": "mmr", "weight": 0.5}, {"kind": "calibrated", "weight": 0.3}]
    return Pipeline(retrieve=retrieve, rank={"model": "ease", "l2": 50.0, "keep": 20}, rerank=rerank).fit(
        by_activity[0]
    )


@pytest.fixture(scope="module")
def found(pipeline, by_activity):
    train, test, users = by_activity
    return evaluate_stages(pipeline.run(users, k=10), test, train=train, by=["activity"])


def test_by_hand() -> None:
    """Popularity a 5, b 4, c 3, d 2. Lists of one for two users who have nothing but e.

    u chooses b, which is retrieved and ranked second: lost by the ranker. v chooses d, which is not retrieved.
    """
    pairs = [(user, item) for item, n in zip("abcd", (5, 4, 3, 2), strict=True) for user in "lmnop"[:n]]
    train = Dataset(pl.DataFrame([*pairs, ("u", "e"), ("v", "e")], schema=["user_id", "item_id"], orient="row"))
    made = Pipeline(retrieve={"popular": {"k": 3}}).fit(train)
    truth = pl.DataFrame({"user_id": ["u", "v"], "item_id": ["b", "d"]})
    found = evaluate_stages(made.run(["u", "v"], k=1), truth, train=train, metrics=["recall@1"])
    retrieval, ranking = found.loss("retrieve", "recall@1"), found.loss("rank", "recall@1")
    assert (retrieval.before, retrieval.after, retrieval.loss.value) == (1.0, 0.5, 0.5)
    assert (ranking.before, ranking.after, ranking.loss.value) == (0.5, 0.0, 0.5)
    assert found.retrievers["popular"]["recall@3"].overall.value == 0.5


def test_graded_relevance_orders_the_ideal(by_activity) -> None:
    pairs = [(user, item) for item, n in zip("abc", (3, 2, 1), strict=True) for user in "lmn"[:n]]
    train = Dataset(pl.DataFrame([*pairs, ("u", "e")], schema=["user_id", "item_id"], orient="row"))
    made = Pipeline(retrieve={"popular": {"k": 3}}).fit(train)
    truth = pl.DataFrame({"user_id": ["u"] * 3, "item_id": ["a", "b", "c"], "rating": [0.0, 1.0, 3.0]})
    found = evaluate_stages(made.run(["u"], k=3), truth, train=train, metrics=["ndcg@3"], relevance="rating")
    assert found.loss("retrieve", "ndcg@3").after == pytest.approx(1.0)
    ideal, ranked = 3 + 1 / np.log2(3), 1 / np.log2(3) + 3 / 2
    assert found.loss("rank", "ndcg@3").after == pytest.approx(ranked / ideal)


def test_losses_add_up_in_every_segment(found, pipeline, by_activity) -> None:
    train, test, users = by_activity
    final = evaluate(
        pipeline.recommend(users, k=10), test, train=train, metrics=["ndcg@10", "recall@10"], by=["activity"]
    )
    for metric in ("ndcg@10", "recall@10"):
        for by, segment in (("overall", "all"), ("activity", "light"), ("activity", "heavy")):
            rows = [each for each in found.losses if (each.metric, each.by, each.segment) == (metric, by, segment)]
            assert [each.stage for each in rows] == ["retrieve", "rank", "1 mmr", "2 calibrated"]
            result = final[metric].overall if by == "overall" else final[metric].by[by][segment]
            assert rows[0].before - sum(each.loss.value for each in rows) == pytest.approx(result.value)
            assert rows[-1].after == pytest.approx(result.value)


def test_the_ceiling_is_what_a_perfect_ranker_reaches(found, pipeline, by_activity) -> None:
    _, test, users = by_activity
    candidates = pipeline.run(users, k=10).candidates
    hits = candidates.join(test, on=["user_id", "item_id"], how="semi").group_by("user_id").len("hits")
    per_user = test.group_by("user_id").len("relevant").join(hits, on="user_id", how="left").fill_null(0)
    recall = (per_user["hits"].clip(upper_bound=10) / per_user["relevant"]).mean()
    assert found.loss("retrieve", "recall@10").after == pytest.approx(recall)
    for before, after in (("perfect", "retrieval ceiling"), ("retrieval ceiling", "ranked")):
        better, worse = (found.stages[name].per_user.sort("user_id")["ndcg@10"] for name in (before, after))
        assert (better >= worse - 1e-12).all()


def test_intervals_pair_user_by_user(found) -> None:
    """A paired interval is about as wide as that of the mean of the differences: Student's t over users."""
    loss = found.loss("rank", "ndcg@10").loss
    before, after = (
        found.stages[name].per_user.sort("user_id")["ndcg@10"].to_numpy() for name in ("retrieval ceiling", "ranked")
    )
    half = 1.976 * (before - after).std(ddof=1) / np.sqrt(len(before))
    assert loss.high - loss.low == pytest.approx(2 * half, rel=0.12)


def test_other_metrics_are_shown_and_not_called_losses(pipeline, by_activity) -> None:
    train, test, users = by_activity
    found = evaluate_stages(pipeline.run(users, k=10), test, train=train, metrics=["ndcg@10", "diversity@10"])
    assert {each.metric for each in found.losses} == {"ndcg@10"}
    ranked, mmr = (found.stages[name]["diversity@10"].overall.value for name in ("ranked", "1 mmr"))
    assert mmr > ranked
    with pytest.raises(UsageError, match="no loss of 'rank' by diversity@10"):
        found.loss("rank", "diversity@10")


def test_latency_tells_stages_and_segments_apart(pipeline, by_activity) -> None:
    train, _, users = by_activity
    rows = measure_latency(pipeline, users, n=12, segments=train.segments, by=["activity"])
    overall = [each for each in rows if each.by == "overall"]
    labels = ["item_knn", "popular", "candidates", "ease", "1 mmr", "2 calibrated", "whole request"]
    assert [each.label for each in overall] == labels
    assert all(each.median.n == 12 and each.median.value > 0 and each.p95.low is None for each in overall)
    assert sum(each.median.n for each in rows if each.by == "activity" and each.label == "ease") == 12
    slowest = overall[-1].median.value
    assert slowest >= max(each.median.value for each in overall[:-1])
