"""Evaluating lists of any system: populations, segments, rules, streams and threads."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import reclens as rl
from reclens.errors import (
    ArgumentTypeError,
    DataError,
    NotEnoughMemoryError,
    UnknownNameError,
    UnmatchedIdsError,
    UsageError,
)
from reclens.evaluation import Evaluation, TaskWarning, evaluate
from reclens.metrics import describe, names
from reclens.schema import Recommendations

EVERY = [f"{name}@10" if describe(name).cut else name for name in names() if "requests" not in describe(name).needs]


def run(world, name: str = "good", **options) -> Evaluation:
    settings = {"train": world.train, "metrics": EVERY, "replicates": 200} | options
    return evaluate(world.lists[name], world.truth, **settings)


def test_every_metric_comes_out_by_segment(world) -> None:
    result = run(world, by=["age", "half"])
    rows = result.to_dicts()
    assert {row["metric"] for row in rows} == set(EVERY)
    assert [row["segment"] for row in rows if row["metric"] == "ndcg@10"] == [
        "all",
        "young",
        "old",
        "(unknown)",
        "left",
        "right",
    ]


def test_segments_are_means_over_their_users(world) -> None:
    result = run(world, by=["half"])
    values = result.per_user.join(world.train.segments, on="user_id")
    for segment in ("left", "right"):
        mean = values.filter(pl.col("half") == segment)["ndcg@10"].mean()
        assert result["ndcg@10"].by["half"][segment].value == pytest.approx(mean)


def test_products_of_segments(world) -> None:
    crossed = run(world, by=["age × half"])["ndcg@10"].by["age × half"]
    assert list(crossed)[:2] == ["young × left", "young × right"]
    assert sum(found.n for found in crossed.values()) == 240
    assert crossed == run(world, by=[("age", "half")])["ndcg@10"].by["age × half"]
    assert crossed == run(world, by=["age*half"])["ndcg@10"].by["age × half"]


def test_small_segments_are_shown_and_marked(world) -> None:
    rows = [row for row in run(world, by=["tiny"]).to_dicts() if row["metric"] == "ndcg@10"]
    assert [(row["segment"], row["n"], row["small"]) for row in rows] == [
        ("all", 240, False),
        ("few", 5, True),
        ("many", 235, False),
    ]


def test_catalogue_metrics_have_no_interval_and_say_why(world) -> None:
    found = run(world, by=["half"])["coverage@10"]
    assert found.overall.low is None and found.overall.note == "catalogue_metric"
    left = world.lists["good"].filter((pl.col("rank") <= 10) & pl.col("user_id").str.slice(1).cast(int).lt(120))
    train_items = world.train.interactions["item_id"].n_unique()
    assert found.by["half"]["left"].value == pytest.approx(left["item_id"].n_unique() / train_items)
    assert found.gaps == {}


def test_exposure_is_counted_down_to_each_cut() -> None:
    # Two users, lists of three: the first place shows item 1 twice, the first two 1, 2 and 3.
    lists = pl.DataFrame({"user_id": [1, 1, 1, 2, 2, 2], "item_id": [1, 2, 4, 1, 3, 4], "rank": [1, 2, 3] * 2})
    truth = pl.DataFrame({"user_id": [1, 2], "item_id": [5, 5]})
    asked = [f"{name}@{k}" for name in ("coverage", "entropy") for k in (1, 2, 3)]
    found = evaluate(lists, truth, catalogue=[1, 2, 3, 4, 5], metrics=asked, replicates=0)
    # Counts 2; 2, 1, 1; 2, 1, 1, 2.
    thirds = 2 * np.log2(3) / 3 + np.log2(6) / 3
    assert [found[name].overall.value for name in asked] == pytest.approx([0.2, 0.6, 0.8, 0.0, 1.5, thirds])


def test_threads_and_chunks_do_not_change_a_number(world, monkeypatch: pytest.MonkeyPatch) -> None:
    one = run(world, by=["age"], threads=1)
    two = run(world, by=["age"], threads=2)
    assert one.to_dicts() == two.to_dicts()
    monkeypatch.setattr("reclens.evaluation.chunks.ROWS_A_CHUNK", 100)
    parts = run(world, by=["age"], threads=2)
    for name, array in one.summary.arrays().items():
        np.testing.assert_allclose(parts.summary.arrays()[name], array, rtol=1e-12, atol=1e-12)
    assert parts.per_user.equals(one.per_user, null_equal=True) and parts.exposure.equals(one.exposure)


def test_a_stream_gives_the_numbers_of_the_frame(world, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world.lists["good"].write_parquet(tmp_path / "lists.parquet", row_group_size=64)
    whole = run(world, by=["age"])
    monkeypatch.setattr("reclens.evaluation.chunks.ROWS_A_CHUNK", 150)
    monkeypatch.setattr("reclens.evaluation.source.ROWS_A_BATCH", 70)
    stream = evaluate(
        pl.scan_parquet(tmp_path / "lists.parquet"),
        world.truth,
        train=world.train,
        metrics=EVERY,
        by=["age"],
        replicates=200,
    )
    np.testing.assert_allclose(stream.summary.sums, whole.summary.sums, rtol=1e-12, atol=1e-12)
    assert stream.per_user.equals(whole.per_user, null_equal=True)


def test_a_stream_that_is_not_sorted_by_user_is_sorted(world, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(world)
    monkeypatch.setattr("reclens.evaluation.chunks.ROWS_A_CHUNK", 150)
    monkeypatch.setattr("reclens.evaluation.source.ROWS_A_BATCH", 70)
    turned = world.lists["good"].sample(fraction=1, shuffle=True, seed=1)
    stream = evaluate(turned.lazy(), world.truth, train=world.train, metrics=EVERY, replicates=200)
    assert_frame_equal(stream.per_user, whole.per_user, check_exact=True)
    assert "lists_sorted" in {rule["code"] for rule in stream.card["rules"]}


def test_rows_in_any_order_give_the_same_numbers(world) -> None:
    turned = world.lists["good"].sample(fraction=1, shuffle=True, seed=1)
    result = evaluate(turned, world.truth, train=world.train, metrics=EVERY, replicates=200)
    assert result.per_user.equals(run(world).per_user, null_equal=True)


def test_lists_by_score_are_lists_by_rank(world) -> None:
    by_score = evaluate(world.lists["good"].drop("rank"), world.truth, train=world.train, metrics=EVERY, replicates=200)
    assert by_score.per_user.equals(run(world).per_user, null_equal=True)


def test_what_was_odd_about_the_lists_is_counted() -> None:
    lists = pl.DataFrame(
        {
            "user_id": [1, 1, 1, 1, 2, 9],
            "item_id": [10, 11, 10, 77, 10, 10],
            "rank": [1, 3, 4, 6, 1, 1],
        }
    )
    truth = pl.DataFrame({"user_id": [1, 1, 2, 3, 3], "item_id": [11, 12, 12, 10, 10]})
    train = pl.DataFrame({"user_id": [1, 2, 3], "item_id": [12, 10, 11]})
    from reclens.data.dataset import Dataset

    with pytest.warns(TaskWarning, match=r"1 of 4 pairs of the truth \(25.0%\) stand in the training data"):
        result = evaluate(lists, truth, train=Dataset(train), metrics=["mrr@3", "coverage@3"], replicates=100)
    # User 1 has 10, 11, 77 once ranks are closed and the second 10 is gone; 11 is relevant: 1/2.
    assert dict(zip(result.per_user["user_id"], result.per_user["mrr@3"], strict=True)) == {1: 0.5, 2: 0.0, 3: 0.0}
    assert {rule["code"]: rule["count"] for rule in result.card["rules"]} == {
        "rank_gaps_closed": 3,
        "repeated_items": 1,
    }
    found = {
        key: result.card[key]
        for key in (
            "users_without_list",
            "lists_of_users_without_truth",
            "recommendations_outside_catalogue",
            "recommendations_seen_in_training",
            "truth_duplicates",
            "truth_pairs_in_training",
            "seen_items",
            "task",
            "task_problems",
        )
    }
    assert found == {
        "users_without_list": 1,
        "lists_of_users_without_truth": 1,
        "recommendations_outside_catalogue": 1,
        "recommendations_seen_in_training": 1,
        "truth_duplicates": 1,
        "truth_pairs_in_training": 1,
        "seen_items": "included",
        "task": None,
        "task_problems": ["truth_in_training"],
    }


def test_graded_relevance_is_used_when_asked_for() -> None:
    lists = pl.DataFrame({"user_id": [1, 1], "item_id": [5, 6], "rank": [1, 2]})
    truth = pl.DataFrame({"user_id": [1, 1, 1], "item_id": [5, 6, 7], "rating": [1.0, 3.0, 0.0]})
    graded = evaluate(lists, truth, metrics=["ndcg@2", "recall@2"], relevance="rating", replicates=100)
    assert graded["ndcg@2"].overall.value == pytest.approx((1 + 3 / np.log2(3)) / (3 + 1 / np.log2(3)))
    assert graded["recall@2"].overall.value == 1.0
    assert graded.card["truth_rows_without_relevance"] == 1


def test_lists_without_truth_can_be_described(world) -> None:
    result = evaluate(world.lists["poor"], train=world.train, metrics=["novelty@10", "coverage@10"], replicates=100)
    assert result["novelty@10"].overall.n == 228
    with pytest.raises(UsageError, match="needs truth"):
        evaluate(world.lists["poor"], train=world.train, metrics=["ndcg@10"])


def test_an_attribute_of_one_label_counts_as_a_list_of_one(world) -> None:
    items = world.train.items.with_columns(pl.col("genres").list.first().alias("genre"))
    listed = items.with_columns(pl.concat_list("genre"))
    metrics = ["diversity@10", "coverage@10"]
    found = [
        evaluate(
            world.lists["poor"],
            world.truth,
            train=replace(world.train, items=table),
            metrics=metrics,
            features="genre",
            replicates=100,
        ).per_user
        for table in (items, listed)
    ]
    assert found[0].equals(found[1], null_equal=True) and found[0]["diversity@10"].n_unique() > 3


def test_an_evaluation_survives_being_saved(world, tmp_path: Path) -> None:
    result = run(world, by=["age", "half"])
    result.save(tmp_path)
    again = Evaluation.load(tmp_path)
    assert again.to_dicts() == result.to_dicts()
    assert again.per_user.equals(result.per_user) and again.card["truth"] == result.card["truth"]
    (tmp_path / "summary.npz").unlink()
    with pytest.raises(DataError, match="not a whole evaluation"):
        Evaluation.load(tmp_path)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"metrics": ["ncdg@10"]}, UnknownNameError, "Did you mean 'ndcg'"),
        ({"metrics": []}, UsageError, "metrics is empty"),
        ({"by": ["ages"]}, UnknownNameError, "Did you mean 'age'"),
        ({"convention": "trek"}, UnknownNameError, "Did you mean 'trec'"),
        ({"features": "genre"}, UnknownNameError, "Did you mean 'genres'"),
        ({"relevance": "stars"}, DataError, "no column 'stars'"),
        ({"rng": None}, UsageError, "whole number"),
        ({"train": None, "metrics": ["novelty@10"]}, UsageError, "needs the training data"),
        ({"train": None, "metrics": ["coverage@10"]}, UsageError, "catalogue"),
        ({"train": None, "metrics": ["auc@10"]}, UsageError, "catalogue"),
        ({"train": None, "metrics": ["diversity@10"]}, UsageError, "item features"),
        ({"level": 95}, UsageError, "between 0 and 1"),
    ],
)
def test_wrong_use_is_explained(world, options: dict, error: type, says: str) -> None:
    with pytest.raises(error, match=says):
        run(world, **options)


@pytest.mark.parametrize(
    ("column", "values", "says"),
    [
        ("item_id", ["x", None], r"truth, column 'item_id', row 2: the value is None"),
        ("grade", [1.0, float("nan")], r"truth, column 'grade', row 2: the value is nan"),
        ("grade", [float("inf"), 1.0], r"truth, column 'grade', row 1: the value is inf"),
        ("grade", ["high", "2"], r"truth, column 'grade', row 1: the value is 'high'; there are 1 such rows"),
    ],
)
def test_truth_that_cannot_be_used_is_named_by_row(column: str, values: list, says: str) -> None:
    lists = pl.DataFrame({"user_id": [1, 2], "item_id": ["x", "y"], "rank": [1, 1]})
    truth = pl.DataFrame({"user_id": [1, 2], "item_id": ["x", "y"], "grade": [1.0, 2.0]})
    truth = truth.with_columns(pl.Series(column, values))
    with pytest.raises(DataError, match=says):
        evaluate(lists, truth, metrics=["ndcg@10"], relevance="grade")


def test_train_is_a_data_set_or_a_frame(world) -> None:
    metrics = ["ndcg@10", "novelty@10", "coverage@10"]
    frame, data = world.train.interactions, replace(world.train, segments=None)
    asked = {"metrics": metrics, "by": ()}
    assert run(world, train=frame, **asked).to_dicts() == run(world, train=data, **asked).to_dicts()
    with pytest.raises(ArgumentTypeError, match=r"train is a str, expected a data set or a frame .*reclens\.load"):
        run(world, train="train.csv")


def test_integer_and_text_ids_do_not_silently_miss_each_other() -> None:
    lists = pl.DataFrame({"user_id": [1], "item_id": ["7"], "rank": [1]})
    truth = pl.DataFrame({"user_id": [1], "item_id": [7]})
    with pytest.raises(UnmatchedIdsError, match=r"7' in the lists and 7 in the truth.*ids=.text"):
        evaluate(lists, truth, metrics=["ndcg@10"])


def test_the_name_of_the_system_comes_from_the_lists(world) -> None:
    lists = Recommendations(world.lists["good"], "my system", {"model": "mine"})
    result = evaluate(lists, world.truth, metrics=["ndcg@10"], replicates=0)
    assert (result.system, result.card["lists"]["model"]) == ("my system", "mine")
    assert evaluate(lists, world.truth, metrics=["ndcg@10"], name="other", replicates=0).system == "other"


@pytest.mark.parametrize("known", ["train", "catalogue"])
def test_a_cut_off_beyond_the_catalogue_is_refused_with_the_largest_useful_one(known: str) -> None:
    items = [f"i{at:04}" for at in range(1_500)]
    lists = pl.DataFrame({"user_id": "u", "item_id": items, "rank": range(1, 1_501)})
    truth = pl.DataFrame({"user_id": ["u"], "item_id": [items[-1]]})

    def measure(k: int, n_items: int) -> float:
        log = pl.DataFrame({"user_id": "v", "item_id": items[:n_items]})
        what: dict[str, Any] = {"train": rl.read(log)} if known == "train" else {"catalogue": items[:n_items]}
        return evaluate(lists, truth, metrics=[f"precision@{k}"], replicates=0, **what)[f"precision@{k}"].overall.value

    assert measure(1_500, 1_500) == pytest.approx(1 / 1_500)
    with pytest.raises(UsageError, match=r"precision@1501 looks beyond the catalogue of 1,500 items: .* is 1,500; up"):
        measure(1_501, 1_500)
    # Up to 1,000 places are measured on any catalogue: precision divides by k, here by 1,000 and not by the 2 items.
    assert measure(1_000, 1_500) == 0
    truth = pl.DataFrame({"user_id": ["u"], "item_id": [items[0]]})
    assert measure(1_000, 2) == pytest.approx(1 / 1_000)
    with pytest.raises(UsageError, match=r"catalogue of 2 items: .* is 2; up to 1,000 are measured on any"):
        measure(1_001, 2)


def test_places_without_items_are_counted_before_they_are_allocated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists and truth alone: no catalogue says that a million places are too many, their 44 bytes each do."""
    lists = pl.DataFrame({"user_id": ["a", "b"], "item_id": ["x", "y"], "rank": [1, 1]})
    monkeypatch.setattr("reclens.memory.available_memory", lambda: 80_000_000)
    with pytest.raises(NotEnoughMemoryError, match=r"measuring 2 lists of 1,000,000 places takes 88\.0 MB .*smaller k"):
        evaluate(lists, lists.drop("rank"), metrics=["ndcg@1000000"], replicates=0)


@pytest.mark.parametrize("metrics", [["ndcg"], ["map"], ["novelty"], ["aplt"], ["precision", "gini"]])
def test_what_is_stated_for_places_is_what_they_take(metrics: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    n, k, asked = 50, 1_000, []
    users, ranks = np.repeat(np.arange(n), 5), np.tile(np.arange(5), n)
    lists = pl.DataFrame({"user_id": users, "item_id": ranks + users % 7, "rank": ranks + 1})
    train = rl.read(pl.DataFrame({"user_id": users, "item_id": (ranks + users % 7 + 5) % 11}))
    monkeypatch.setattr("reclens.evaluation.passes.require_memory", lambda size, what, **_: asked.append(size))

    def measure() -> None:
        evaluate(lists, lists.drop("rank"), train=train, metrics=[f"{m}@{k}" for m in metrics], replicates=0, threads=1)

    measure()
    asked.clear()
    tracemalloc.start()
    measure()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(asked) / 2 < peak < sum(asked)
