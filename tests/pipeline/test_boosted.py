"""Trees as the ranker: they learn from outcomes that the retrievers did not know."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from reclens.data.dataset import Dataset
from reclens.errors import DataError, MissingExtraError, UsageError
from reclens.evaluation import evaluate
from reclens.pipeline import Pipeline
from reclens.pipeline.candidates import merge
from reclens.pipeline.features import CandidateFeatures
from reclens.schema import Recommendations

RANK = {"model": "boosted", "trees": 30, "smallest_leaf": 10, "keep": 30}
RETRIEVE = {"item_knn": {"k": 30}, "popular": {"k": 30}}


@pytest.fixture(scope="module")
def boosted(parts) -> Pipeline:
    return Pipeline(retrieve=RETRIEVE, rank=RANK).fit(parts.train)


def test_trees_order_better_than_the_fusion_they_start_from(boosted, parts) -> None:
    run = boosted.run(parts.test_users, k=10)
    found = {
        name: evaluate(lists, parts.test, train=parts.train, metrics=["ndcg@10"])["ndcg@10"].overall.value
        for name, lists in run.lists()
    }
    assert found["ranked"] > found["candidates"]


def test_the_trees_do_not_depend_on_threads(boosted, parts) -> None:
    again = Pipeline(retrieve=RETRIEVE, rank=RANK).fit(parts.train, threads=1)
    assert again.recommend(k=5, threads=1).table.equals(boosted.recommend(k=5).table)


def test_trees_are_kept_as_text(boosted, tmp_path: Path) -> None:
    boosted.save(tmp_path)
    assert (tmp_path / "rank" / "trees.txt").read_text(encoding="utf-8").startswith("tree")
    again, lists = Pipeline.load(tmp_path).recommend(k=5), boosted.recommend(k=5)
    assert again.table.equals(lists.table)
    assert again.card["learned"] == lists.card["learned"] and 0 < lists.card["learned"]["users"] <= 150


def test_what_the_trees_split_by(boosted) -> None:
    rows = boosted.ranker_.importance()
    assert sum(row["gain"] for row in rows) == pytest.approx(1)
    assert {"item_knn: 1 / rank", "popular: score", "item: users"} <= {row["feature"] for row in rows}


def test_features_by_hand() -> None:
    interactions = pl.DataFrame(
        {
            "user_id": ["u", "u", "v"],
            "item_id": ["a", "b", "b"],
            "rating": [4.0, 2.0, 5.0],
            "timestamp": pl.Series([0, 5 * 86_400_000_000, 10 * 86_400_000_000]).cast(pl.Datetime("us", "UTC")),
        }
    )
    items = pl.DataFrame({"item_id": ["a", "b"], "genres": [["x"], ["x", "y"]]})
    features = CandidateFeatures.learn(Dataset(interactions, items=items))
    lists = pl.DataFrame({"user_id": ["v", "w"], "item_id": ["a", "a"], "rank": [2, 1], "score": [0.5, 0.7]})
    other = lists.filter(pl.col("user_id") == "w").with_columns(rank=pl.lit(4, pl.Int64))
    candidates = merge({"one": Recommendations(lists), "two": Recommendations(other)})
    values, names = features.table(candidates)
    known = dict(zip(names, values[0], strict=True))  # v, who has b, and a
    assert known["one: 1 / rank"] == 0.5 and known["two: 1 / rank"] == 0 and np.isnan(known["two: score"])
    assert known["retrievers"] == 1 and known["fused"] == pytest.approx(1 / 62)
    assert known["item: users"] == pytest.approx(np.log(2)) and known["user: items"] == pytest.approx(np.log(2))
    assert known["popularity less the user's"] == pytest.approx(np.log(2) - np.log(3))
    assert known["item: recent users"] == 0 and known["item: days since the first interaction"] == 10
    assert known["item: mean rating"] == 4.0
    assert known["labels shared with the history"] == 0.5  # b is half x, a is x
    stranger = dict(zip(names, values[1], strict=True))
    assert stranger["retrievers"] == 2 and np.isnan(stranger["user: items"])


@pytest.mark.parametrize("kept", [False, True])
def test_features_of_users_with_short_and_long_histories_by_hand(kept: bool) -> None:
    """User n has the items 0 to n - 1; item i thus has the users i + 1 to 40, and the even items are an 'x'."""
    n = 40
    rows = [(f"u{user:02}", f"i{item:02}") for user in range(1, n + 1) for item in range(user)]
    tags = pl.DataFrame({"item_id": [f"i{item:02}" for item in range(n)], "tags": [["x"], ["y"]] * (n // 2)})
    train = Dataset(pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row"), items=tags)
    features = CandidateFeatures.learn(train)
    if kept:  # what came with a request says the same
        features = features.told(features.users, train.matrix(), features.items)
    asked = pl.DataFrame({"user_id": [f"u{user:02}" for user in range(1, n + 1)], "item_id": "i00", "rank": 1})
    candidates = merge({"one": Recommendations(asked.with_columns(score=pl.lit(1.0)))})
    values, names = features.table(candidates)
    found = dict(zip(names, values.T, strict=True))
    sizes = np.array([int(user[1:]) for user in candidates["user_id"]])
    assert sorted(sizes) == list(range(1, n + 1))
    np.testing.assert_allclose(found["user: items"], [math.log(size + 1) for size in sizes], rtol=1e-6)
    popular = [sum(math.log(n - item + 1) for item in range(size)) / size for size in sizes]
    np.testing.assert_allclose(found["user: popularity of own items"], popular, rtol=1e-5)
    np.testing.assert_allclose(found["popularity less the user's"], math.log(n + 1) - np.array(popular), atol=1e-5)
    np.testing.assert_allclose(found["labels shared with the history"], [-(-size // 2) / size for size in sizes])


def test_nothing_to_learn_from(parts) -> None:
    once = parts.train.interactions.unique("user_id", maintain_order=True)
    for rows in (once, once.drop("timestamp")):
        with pytest.raises(DataError, match="no user has"):
            Pipeline(retrieve=RETRIEVE, rank=RANK).fit(Dataset(rows))


def test_no_candidate_was_chosen() -> None:
    """Users who go on to what nobody had before: no retriever can bring it."""
    rows = [(user, f"old{at}", at) for user in range(20) for at in range(5)]
    rows += [(user, f"new{user}-{at}", 10 + at) for user in range(20) for at in range(3)]
    data = pl.DataFrame(rows, schema=["user_id", "item_id", "at"], orient="row")
    data = data.with_columns(timestamp=(pl.col("at") * 1_000_000).cast(pl.Datetime("us", "UTC"))).drop("at")
    with pytest.raises(UsageError, match="none of the retrieved candidates"):
        Pipeline(retrieve={"popular": {"k": 10}}, rank=RANK).fit(Dataset(data))


@pytest.mark.parametrize(
    ("name", "value"), [("trees", 0), ("trees", 10_001), ("leaves", 1), ("learning_rate", 0.0), ("held_out", 0)]
)
def test_wrong_parameters(parts, name: str, value: float) -> None:
    with pytest.raises(UsageError, match=f"{name} is {value:,}"):
        Pipeline(retrieve=RETRIEVE, rank={**RANK, name: value}).fit(parts.train)


def test_without_lightgbm(parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(MissingExtraError, match=r"reclens\[rank\]"):
        Pipeline(retrieve=RETRIEVE, rank=RANK).fit(parts.train)


def test_a_newcomer_with_a_known_history_has_the_list_of_that_user(boosted, parts) -> None:
    """Retrievers and trees hear of the history: the features of the user are worked out from it, genres too."""
    user = parts.train.interactions["user_id"][0]
    rows = parts.train.interactions.filter(pl.col("user_id") == user).select("user_id", "item_id")
    newcomer = int(parts.train.interactions["user_id"].max()) + 1
    told = rows.with_columns(user_id=pl.lit(newcomer, rows.schema["user_id"]))
    found, expected = boosted.recommend(history=told, k=10).table, boosted.recommend([user], k=10).table
    assert found.drop("user_id").equals(expected.drop("user_id"))


def test_features_of_a_history_are_those_of_the_training_data(parts) -> None:
    learned = CandidateFeatures.learn(parts.train)
    told = learned.told(learned.users, parts.train.matrix(), learned.items)
    for name, values in learned.user_values.items():
        np.testing.assert_array_equal(told.user_values[name], values)
    np.testing.assert_array_equal(told.profiles, learned.profiles)
