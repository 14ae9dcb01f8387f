"""Requests to a pipeline: histories, limits, cold users, and the order of the users."""

from __future__ import annotations

import polars as pl
import pytest

from reclens.data.dataset import Dataset
from reclens.errors import DataError, UnknownNameError, UsageError
from reclens.models import build
from reclens.pipeline import Pipeline
from reclens.testing.models import model_data


@pytest.fixture(scope="module")
def shop() -> Pipeline:
    return Pipeline(
        retrieve={"item_knn": {"k": 20}, "ease": {"k": 20}},
        rank={"model": "als", "factors": 8, "keep": 15},
        rerank=[{"kind": "calibrated", "weight": 0.3}],
    ).fit(model_data())


def ids(lists: pl.DataFrame, user: str) -> list[str]:
    return lists.filter(pl.col("user_id") == user)["item_id"].to_list()


def codes(card) -> dict[str, int]:
    return {rule["code"]: rule["count"] for rule in card["rules"]}


def test_users_come_in_the_order_asked_for(shop: Pipeline) -> None:
    asked = ["u9", "u2", "stranger", "u31", "u10"]
    run = shop.run(asked, k=4)
    for name, lists in run.lists():
        assert lists.table["user_id"].unique(maintain_order=True).to_list() == asked, name
    alone = [shop.recommend([user], k=4).table for user in asked]
    assert run.final.table.equals(pl.concat(alone)), "and a list does not depend on who else is asked for"


def test_a_cold_user_gets_popular_items_through_every_stage(shop: Pipeline) -> None:
    users = model_data().interactions.group_by("item_id").len()
    popular = users.sort(["len", "item_id"], descending=[True, False])["item_id"].to_list()
    lists = shop.recommend(["stranger", "u1"], k=5)
    assert set(ids(lists.table, "stranger")) <= set(popular[:15]), "the 15 that the ranker keeps"
    plain = Pipeline(retrieve={"item_knn": {"k": 20}}).fit(model_data())
    assert ids(plain.recommend(["stranger"], k=5).table, "stranger") == popular[:5]
    assert codes(lists.card)["cold_users"] == 1 and codes(lists.card)["unknown_users"] == 1
    none = shop.recommend(["stranger", "u1"], k=5, cold_users="none")
    assert none.table.equals(lists.table.filter(pl.col("user_id") == "u1")) and codes(none.card)["no_list"] == 1
    with pytest.raises(UnknownNameError, match="cold_users"):
        shop.recommend(["u1"], cold_users="popluar")  # type: ignore[arg-type]


def test_a_newcomer_with_a_known_history_gets_the_list_of_that_user(shop: Pipeline) -> None:
    """Retrievers, ranker and re-ranker all hear of it, or one of them would order otherwise."""
    rows = model_data().interactions.filter(pl.col("user_id").is_in(["u5", "u6"])).select("user_id", "item_id")
    told = rows.with_columns(pl.format("new-{}", "user_id").alias("user_id"))
    found = shop.recommend(["new-u6", "new-u5"], k=5, history=told).table
    assert ids(found, "new-u5") == ids(shop.recommend(["u5"], k=5).table, "u5")
    assert ids(found, "new-u6") == ids(shop.recommend(["u6"], k=5).table, "u6")
    both = shop.recommend(history=told.head(3), k=2).table
    assert set(both["user_id"]) == set(told.head(3)["user_id"])


def test_a_history_adds_or_replaces(shop: Pipeline) -> None:
    rows = model_data().interactions.filter(pl.col("user_id") == "u5").select("user_id", "item_id")
    first = ids(shop.recommend(["u5"], k=1).table, "u5")
    one = pl.DataFrame({"user_id": ["u5"], "item_id": first})
    added = shop.recommend(["u5", "u6"], k=5, history=one).table
    assert not set(first) & set(ids(added, "u5"))
    assert ids(added, "u6") == ids(shop.recommend(["u6"], k=5).table, "u6")
    whole = shop.recommend(["u5"], k=5, history=pl.concat([rows, one]), history_mode="replace").table
    assert ids(whole, "u5") == ids(added, "u5")
    card = shop.recommend(["u5"], k=5, history=one).card
    assert card["history"] == {"mode": "add"}


def test_limits_hold_for_every_stage_and_for_cold_users(shop: Pipeline) -> None:
    allowed = ["i1", "i2", "i3", "i4", "i5", "i6"]
    lists = shop.recommend(["u1", "stranger"], k=4, candidates=allowed, exclude=["i3"]).table
    assert set(lists["item_id"]) <= set(allowed) - {"i3"} and len(ids(lists, "stranger")) == 4
    mine = pl.DataFrame({"user_id": ["stranger", "stranger"], "item_id": ["i9", "i8"]})
    assert set(shop.recommend(["u1", "stranger"], candidates=mine).table["item_id"]) == {"i8", "i9"}


def test_a_retriever_that_cannot_use_a_history_says_so() -> None:
    rated = Pipeline(retrieve={"item_knn": {"k": 20, "similarity": "adjusted_cosine"}}).fit(model_data())
    with pytest.raises(UsageError, match="item_knn cannot use a history"):
        rated.recommend(history=pl.DataFrame({"user_id": ["x"], "item_id": ["i1"]}))


def test_a_trace_hears_of_a_history(shop: Pipeline) -> None:
    rows = model_data().interactions.filter(pl.col("user_id") == "u5").select("user_id", "item_id")
    told = rows.with_columns(user_id=pl.lit("new"))
    found, known = shop.trace("new", k=5, history=told), shop.trace("u5", k=5)
    assert found.table.equals(known.table) and found.retrievers == known.retrievers
    first = known.table["item_id"][0]
    assert known[first]["final"] == 1
    added = shop.trace("u5", [first], k=5, history=pl.DataFrame({"user_id": ["u5"], "item_id": [first]}))
    assert added[first]["code"] == "seen"
    only = shop.trace("u5", rows["item_id"].head(3), k=5, history=rows.head(1), history_mode="replace")
    assert only[rows["item_id"][0]]["code"] == "seen" and only[rows["item_id"][1]]["code"] != "seen"
    with pytest.raises(UnknownNameError, match="new"):
        shop.trace("new", k=5)


def test_a_retriever_that_knows_no_candidate_brings_nothing() -> None:
    """Of two retrievers the second was fitted on half of the catalogue: its other half is the other one's alone."""
    data = model_data()
    shop = Pipeline(retrieve={"item_knn": {"k": 20}, "popular": {"k": 20}}, exclude_seen=False).fit(data)
    half = data.interactions.filter(pl.col("item_id") < "i5")
    shop.retrievers_["popular"] = build("popular").fit(Dataset(half))
    theirs = ["i7", "i8", "i9"]
    assert not set(theirs) & set(half["item_id"])
    run = shop.run(["u1", "u2"], k=3, candidates=iter(theirs))
    assert run.retrieved["popular"].table.height == 0
    assert run.final.table.height and set(run.final.table["item_id"]) <= set(theirs)
    assert {rule["code"]: rule["facts"] for rule in run.final.card["rules"]}["no_candidates"]["label"] == "popular"
    both = pl.DataFrame({"user_id": ["u1", "u2"], "item_id": ["i7", "nosuch"]})
    lists = shop.recommend(["u1", "u2", "stranger"], k=3, candidates=both).table
    assert lists.rows() == [("u1", "i7", 1, lists["score"][0])]
    for nothing in (["nosuch"], both.tail(1)):
        with pytest.raises(DataError, match="none of the 1 candidates is known to any stage, such as nosuch"):
            shop.recommend(["u2"], candidates=nothing)
