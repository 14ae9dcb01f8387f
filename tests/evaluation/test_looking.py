"""Where to look: exposure of an item, users without a hit, trade-offs, openings and history, by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclens.data.dataset import Dataset
from reclens.evaluation import evaluate
from reclens.evaluation.history import history_of, systems_in_time
from reclens.evaluation.hits import share_without_hit, users_without_hit, without_hit_by_segment
from reclens.evaluation.inspect import item_exposure
from reclens.evaluation.starting_points import (
    hits_of_users,
    items_by_exposure,
    most_changed,
    most_shown,
    never_shown,
    share_without_any,
    worst_served,
)
from reclens.evaluation.trade_off import TradeOff, other_sides, pareto_front
from reclens.evaluation.views import of_segment, worst_users
from reclens.metrics import preferred_side
from reclens.schema import Recommendations
from reclens.stats.gate import Bound


def lists_of(rows: dict[str, str], **card: object) -> Recommendations:
    """Lists of items that are letters."""
    table = [(user, item, rank) for user, items in rows.items() for rank, item in enumerate(items, 1)]
    return Recommendations(pl.DataFrame(table, schema=["user_id", "item_id", "rank"], orient="row"), "s", card)


@pytest.fixture(scope="module")
def train() -> Dataset:
    """Users a and b had x; c and d had y."""
    pairs = pl.DataFrame({"user_id": list("abcd"), "item_id": list("xxyy")})
    segments = pl.DataFrame({"user_id": list("abcd"), "half": ["one", "two", "two", "two"]})
    items = pl.DataFrame({"item_id": list("xyzw"), "title": ["Ex", "Why", "Zed", "Double u"]})
    return Dataset(pairs, segments=segments, items=items)


TRUTH = pl.DataFrame({"user_id": list("abbcd"), "item_id": list("zzwxz")})


def test_an_item_is_held_against_those_who_could_be_shown_it(train: Dataset) -> None:
    run = lists_of({"a": "zw", "b": "zw", "c": "xz", "d": "zw"})
    found = {(row.by, row.segment): row for row in item_exposure("x", {"s": run}, train, TRUTH, by=["half"])}
    # a and b had x and cannot be shown it: of c and d, c is.
    every = found["overall", "all"]
    assert (every.share.value, every.share.n, every.had, every.chosen.value) == (0.5, 2, 2, 0.5)
    assert (found["half", "one"].share.n, found["half", "one"].had) == (0, 1)
    assert (found["half", "two"].share.value, found["half", "two"].share.n) == (0.5, 2)


@pytest.mark.parametrize(
    ("run", "n"),
    [
        (lists_of({"a": "xw", "b": "zw", "c": "xz", "d": "zw"}), 4),  # a is shown x, which a had: seen items are listed
        (lists_of({"a": "zw", "b": "zw", "c": "xz", "d": "zw"}, exclude_seen=False), 4),
        (lists_of({"a": "zw", "b": "zw", "c": "xz", "d": "zw"}, exclude_seen=True), 2),
    ],
)
def test_where_lists_hold_seen_items_everybody_could_be_shown_it(train: Dataset, run: Recommendations, n: int) -> None:
    assert item_exposure("x", {"s": run}, train, TRUTH)[0].share.n == n


def test_hits_of_users_and_those_to_look_at(train: Dataset) -> None:
    runs = {"one": lists_of({"a": "zw", "b": "zw", "c": "wz", "d": "wz"}), "two": lists_of({"a": "wz", "c": "xz"})}
    hits = hits_of_users(runs, TRUTH, k=1)
    assert hits.rows() == [("a", 1, 1, 0), ("b", 2, 1, 0), ("c", 1, 0, 1), ("d", 1, 0, 0)]
    assert worst_served(hits, "one")["user_id"].to_list() == ["c", "d", "b", "a"]  # shares 0, 0, 1/2, 1
    assert most_changed(hits, "one", "two")["user_id"].to_list() == ["b", "a", "c"]
    assert most_changed(hits, "one", "two")["change"].to_list() == [-1, -1, 1]
    assert share_without_any(hits, "two").value == 3 / 4
    assert hits_of_users(runs, TRUTH, k=2)["one"].to_list() == [1, 2, 0, 1]


def test_items_that_are_shown_most_and_never(train: Dataset) -> None:
    runs = {"one": lists_of({"a": "zw", "b": "zw"}), "two": lists_of({"a": "yz", "c": "xz"})}
    table = items_by_exposure(runs, train, k=2)
    assert most_shown(table, "one").rows() == [("w", "Double u", 2, 0), ("z", "Zed", 2, 0)]
    assert never_shown(table, "one").rows() == [("x", "Ex", 1, 2), ("y", "Why", 1, 2)]
    assert never_shown(table, "two").rows() == [("w", "Double u", 2, 0)]


def test_users_without_a_hit_by_segment(train: Dataset) -> None:
    lists = lists_of({"a": "zw", "b": "xw", "c": "wz", "d": "wz"})
    result = evaluate(lists, TRUTH, train=train, metrics=["recall@2"], by=["half"])
    assert users_without_hit(result, "recall@2").to_list() == ["c"]
    rows = without_hit_by_segment(result, "recall@2", "half")
    assert [(row["segment"], row["value"], row["n"]) for row in rows] == [
        ("all", 1 / 4, 4),
        ("one", 0.0, 1),
        ("two", 1 / 3, 3),
    ]
    assert set(of_segment(result, "half", "two").per_user["user_id"]) == {"b", "c", "d"}
    assert worst_users(result, "recall@2", above=0.0)["user_id"].to_list() == ["b", "a", "d"]
    values = dict(result.per_user.select("user_id", "recall@2").iter_rows())
    within = worst_users(result, "recall@2", within=(values["b"], values["b"]))["user_id"].to_list()
    assert within == [user for user in ("b", "a", "d", "c") if values[user] == values["b"]]


@given(st.dictionaries(st.text("abc", min_size=1), st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1))
def test_the_front_holds_all_that_nobody_beats(points: dict[str, tuple[float, float]]) -> None:
    front = pareto_front(points, more=(True, False))
    for name, (x, y) in points.items():
        beaten = any(a >= x and b <= y and (a, b) != (x, y) for a, b in points.values())
        assert (name in front) != beaten
    assert [points[name][0] for name in front] == sorted(points[name][0] for name in front)


def test_dots_inside_a_range_are_those_on_its_edges_too() -> None:
    points = {"a": (1.0, 3.0), "b": (2.0, 2.0), "c": (1.0, 2.0), "d": (3.0, 1.0)}
    found = TradeOff(x="x", y="y", points=points, front=(), x_more=True, y_more=True, by_convention=())
    assert found.inside((1.0, 2.0), (2.0, 2.5)) == ("b", "c") and found.inside((0.0, 0.5), (0.0, 9.0)) == ()


def test_the_other_side_is_of_another_family_once_a_kind() -> None:
    metrics = ["ndcg@5", "ndcg@10", "recall@10", "diversity@5", "diversity@10", "gini@10", "coverage@10", "arp@10"]
    assert other_sides(metrics, "ndcg@5") == ["diversity@5", "gini@10", "coverage@10", "arp@10"]
    assert [preferred_side(name) for name in ("ndcg@5", "gini@10", "arp@10", "novelty@10", "miscalibration@10")] == [
        True,
        False,
        False,
        True,
        False,
    ]


def test_a_history_is_in_time_and_held_to_a_bound() -> None:
    rows = [
        ("b", "ease", datetime(2024, 1, 2, tzinfo=UTC), 0.30, 0.28, 0.32),
        ("a", "ease", datetime(2024, 1, 1, tzinfo=UTC), 0.25, 0.23, 0.27),
        ("c", "ease", datetime(2024, 1, 3, tzinfo=UTC), 0.20, 0.18, 0.22),
        ("d", "knn", datetime(2024, 1, 3, tzinfo=UTC), 0.20, 0.18, 0.22),
    ]
    table = pl.DataFrame(rows, schema=["run", "system", "created", "value", "low", "high"], orient="row")
    table = table.with_columns(metric=pl.lit("ndcg@10"), by=pl.lit("overall"), note=pl.lit(None, pl.String))
    assert systems_in_time(table) == ["ease"]
    found = history_of(table, "ease", "ndcg@10", bound=Bound(at_least=0.25))
    assert [(row["run"], row["outcome"]) for row in found] == [("a", "cannot_tell"), ("b", "pass"), ("c", "fail")]
    assert {row["outcome"] for row in history_of(table, "ease", "ndcg@10")} == {None}


def test_a_small_value_is_a_hit_and_those_who_miss_most_come_first() -> None:
    """Of 100 held-out items one is found: a recall of 0.01 is not nothing."""
    wanted = {"many": 100, "few": 2, "most": 3, "hit": 100}
    truth = pl.DataFrame(
        [{"user_id": user, "item_id": f"{user}-{at}"} for user, count in wanted.items() for at in range(count)]
    )
    lists = pl.DataFrame({"user_id": list(wanted), "item_id": ["x", "x", "x", "hit-7"], "rank": [1] * 4})
    result = evaluate(lists, truth, metrics=["recall@2"])
    share = share_without_hit(result, "recall@2")
    assert share is not None and (share.value, share.n) == (3 / 4, 4)
    assert users_without_hit(result, "recall@2").to_list() == ["many", "most", "few"]
    assert share_without_hit(result, None) is None
