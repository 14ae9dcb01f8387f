"""Views of an evaluation: crossing two segmentations is what evaluating by their product gives."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reclens import models
from reclens.data import segments
from reclens.data import split as splits
from reclens.errors import UnknownNameError, UsageError
from reclens.evaluation import compare, evaluate
from reclens.evaluation.results import Gap
from reclens.evaluation.views import crossed

METRICS = ["ndcg@10", "novelty@10", "coverage@10"]


@pytest.fixture(scope="module")
def train_test(small_data):
    split = splits.random(small_data, rng=1)
    age, gender = segments.bins("age", [25, 45]), segments.column("gender")
    train = split.train.with_segments(age=age, gender=gender, both=segments.product(age, gender))
    return split, train


@pytest.fixture(scope="module")
def measured(train_test):
    split, train = train_test
    return {
        name: evaluate(
            model.fit(train).recommend(split.test_users),
            split.test,
            train=train,
            metrics=METRICS,
            by=["age", "gender", "both"],
            replicates=200,
            name=name,
        )
        for name, model in {"popular": models.Popular(), "ease": models.EASE(l2=50)}.items()
    }


def test_crossing_equals_evaluating_by_the_product(measured) -> None:
    result = measured["ease"]
    found = crossed(result, "age", "gender")
    for metric in ("ndcg@10", "novelty@10"):
        expected, got = result[metric].by["both"], found[metric].by["age × gender"]
        assert {name: each.n for name, each in got.items()} == {name: each.n for name, each in expected.items()}
        for name, each in expected.items():
            assert got[name].value == pytest.approx(each.value, rel=1e-12)
            assert (got[name].low, got[name].high) == pytest.approx((each.low, each.high), rel=1e-9)
        assert found[metric].overall.value == pytest.approx(result[metric].overall.value, rel=1e-12)


def test_crossed_evaluations_compare_as_their_product_does(measured) -> None:
    results = {name: crossed(each, "age", "gender") for name, each in measured.items()}
    got = compare(results, baseline="popular", metrics=["ndcg@10"], by=["age × gender"])
    expected = compare(measured, baseline="popular", metrics=["ndcg@10"], by=["both"])
    for row in expected.differences:
        by = "age × gender" if row.by == "both" else row.by
        other = got.find("ease", "ndcg@10", by=by, segment=row.segment)
        assert (other.wins, other.losses, other.n) == (row.wins, row.losses, row.n)
        assert other.difference == pytest.approx(row.difference, abs=1e-12)


def test_metrics_of_all_lists_are_left_out(measured) -> None:
    assert crossed(measured["ease"], "age", "gender").metrics == ("ndcg@10", "novelty@10")


def test_wrong_names(measured) -> None:
    with pytest.raises(UnknownNameError, match="agee"):
        crossed(measured["ease"], "agee", "gender")
    with pytest.raises(UsageError, match="twice"):
        crossed(measured["ease"], "age", "age")


def test_a_gap_prints_as_a_sentence() -> None:
    gap = Gap(
        metric="ndcg@10",
        by="age",
        highest="<25",
        lowest="45+",
        value=0.125,
        low=-0.0125,
        high=0.2625,
        level=0.95,
        n_pairs=3,
        conclusive=False,
    )
    assert str(gap) == "ndcg@10 by age: <25 - 45+ = 0.125 [-0.0125, 0.2625], not conclusive"
    found = replace(gap, low=0.025, high=0.225, conclusive=True)
    assert str(found) == "ndcg@10 by age: <25 - 45+ = 0.125 [0.025, 0.225]"
