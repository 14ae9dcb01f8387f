"""Lists against a split: everything comes from it, and the result stands beside the systems that are there."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import reclens as rl
from reclens.errors import IncomparableError, UsageError
from reclens.evaluation import SPLIT_METRICS
from reclens.evaluation.together import disagreements, fingerprint_of, together
from reclens.report.evaluation.groups import titles_of_groups
from reclens.workspace import Artefact, run_groups, runs_on


@pytest.fixture(scope="module")
def split():
    data = rl.synthetic_movielens(n_users=60, n_items=50, n_ratings=1_500, rng=2)
    return rl.split.last_n(data, n=3)


@pytest.fixture(scope="module")
def lists(split) -> pl.DataFrame:
    """What a file from elsewhere holds: no card, and each user's next items in the order of their ids."""
    seen = split.train.interactions.select("user_id", "item_id")
    items = split.train.interactions.select("item_id").unique()
    every = split.test.select("user_id").unique().join(items, how="cross")
    ranked = every.join(seen, on=["user_id", "item_id"], how="anti").sort("user_id", "item_id")
    ranked = ranked.with_columns(rank=pl.int_range(1, pl.len() + 1).over("user_id"))
    return ranked.filter(pl.col("rank") <= 20)


@pytest.fixture(scope="module")
def measured(split, lists):
    return rl.evaluate(lists, split, replicates=50)


def test_truth_training_data_segments_and_metrics_come_from_the_split(split, lists, measured) -> None:
    assert measured.metrics == SPLIT_METRICS
    assert measured.segments.columns == ["user_id", "age", "favourite genre", "activity"]
    shown = lists.filter(pl.col("rank") <= 10)
    held = split.train.interactions["item_id"].n_unique()
    assert measured["coverage@10"].overall.value == shown["item_id"].n_unique() / held
    hits = shown.join(split.test, on=["user_id", "item_id"], how="semi")
    first = hits.group_by("user_id").agg((1 / pl.col("rank").min()).alias("first"))["first"].sum()
    assert measured["mrr@10"].overall.value == pytest.approx(first / split.test["user_id"].n_unique(), rel=1e-12)


def test_it_is_the_evaluation_by_hand(split, lists, measured) -> None:
    train = split.train.with_segments(activity=rl.segments.quantiles("n_interactions", ["light", "medium", "heavy"]))
    other = rl.evaluate(lists, split.test, train=train, metrics=["map@10"], by="activity", replicates=50)
    assert other["map@10"].overall == measured["map@10"].overall
    groups = [{name: each.value for name, each in one["map@10"].by["activity"].items()} for one in (other, measured)]
    assert groups[0] == pytest.approx(groups[1], rel=1e-12)
    assert rl.evaluate(lists, split, metrics=["map@10"], by=(), replicates=50).segments.columns == ["user_id"]


def test_it_can_be_compared_with_our_models(split, measured) -> None:
    ours = rl.models.Popular().fit(split.train).recommend(split.test_users, k=20)
    found = rl.compare({"popular": rl.evaluate(ours, split, replicates=50), "theirs": measured}, baseline="popular")
    assert {row.by for row in found.differences} == {"overall", "age", "favourite genre", "activity"}


def test_what_users_were_told_comes_from_a_split_by_users() -> None:
    data = rl.synthetic_movielens(n_users=60, n_items=50, n_ratings=1_500, rng=2)
    split = rl.split.by_user(data)
    model = rl.models.Popular().fit(split.train)
    lists = model.recommend(split.test_users, k=10, history=split.fold_in)
    found = rl.evaluate(lists, split, metrics=["recall@10"], replicates=10)
    assert found.card["history"]["rows"] == split.fold_in.height
    assert found.card["users_without_history"] == 0


def test_a_split_holds_its_own_training_data(split, lists) -> None:
    with pytest.raises(UsageError, match="holds its own training data and histories: leave train out"):
        rl.evaluate(lists, split, train=split.train)


def test_a_fingerprint_is_of_content_and_not_of_names(split, lists, measured) -> None:
    renamed = dataclasses.replace(split, train=dataclasses.replace(split.train, name="another name"))
    other = rl.evaluate(lists, renamed, name="theirs", metrics=["map@10"], by=(), replicates=50)
    assert fingerprint_of(other.card) == fingerprint_of(measured.card)
    assert not disagreements(other.card, measured.card)


@pytest.mark.parametrize(
    ("change", "aspect"),
    [
        ({"truth": {"rows": 180, "hash": "0"}}, "truth"),
        ({"train": {"name": "synthetic", "rows": 1, "hash": "0"}}, "train"),
        ({"seed": 1}, "seed"),
        ({"replicates": 51}, "replicates"),
        ({"catalogue": "0"}, "catalogue"),
        ({"relevance": "rating"}, "relevance"),
        ({"history": {"rows": 1, "hash": "0"}}, "history"),
        ({"seen_items": "included"}, "seen_items"),
    ],
)
def test_whatever_was_measured_on_tells_runs_apart(measured, change: dict, aspect: str) -> None:
    other = {**measured.card, **change}
    assert [each.aspect for each in disagreements(measured.card, other)] == [aspect]
    assert together({"a": measured.card, "b": other}) == [["a"], ["b"]]


def test_groups_agree_with_the_refusal_to_compare(measured) -> None:
    """Lists of unequal declared length, between which lists from elsewhere stand: no group holds what is refused."""
    declared = {
        name: {**measured.card, "lists": lists}
        for name, lists in (
            ("k 10", {"k": 10}),
            ("elsewhere", {}),
            ("k 5", {"k": 5}),
            ("k 20", {"k": 20}),
            ("k 50", {"k": 50}),
        )
    }
    groups = together(declared)
    assert groups == [["k 10", "elsewhere"], ["k 5"], ["k 20", "k 50"]]  # the metrics look at 20 places
    runs = {name: dataclasses.replace(measured, card=card) for name, card in declared.items()}
    for group in groups:
        if len(group) > 1:
            rl.compare({name: runs[name] for name in group}, baseline=group[0], metrics=["map@10"], by=[])
    with pytest.raises(IncomparableError, match=r"5 for 'k 5', 20 for 'k 20'"):
        rl.compare({name: runs[name] for name in ("k 5", "k 20")}, baseline="k 5")


def test_no_hash_stands_in_a_message(split, lists, measured) -> None:
    cut = dataclasses.replace(split, test=split.test.head(90))
    other = rl.evaluate(lists, cut, metrics=["map@10"], by=(), replicates=50)
    with pytest.raises(IncomparableError, match="180 rows for 'a', 90 rows for 'b'") as error:
        rl.compare({"a": measured, "b": other}, baseline="a")
    for name in ("truth", "train"):
        assert measured.card[name]["hash"] not in str(error.value)


def artefacts(measured, *runs: tuple[str, dict]) -> list[Artefact]:
    """Evaluations of a workspace, the oldest first given."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    cards = {name: {"evaluation": {**measured.card, **more}} for name, more in runs}
    made = [
        Artefact(
            kind="evaluation",
            name=name,
            created=start + timedelta(minutes=at),
            bytes=0,
            path=Path(),
            card=card,
        )
        for at, (name, card) in enumerate(cards.items())
    ]
    return made[::-1]


def test_one_upload_does_not_change_what_comes_first(measured, split) -> None:
    other = {"truth": {"rows": 7, "hash": "elsewhere"}, "split": None}
    old = [("a-popular", {}), ("a-ease", {}), ("b-popular", other), ("b-ease", other)]
    before = run_groups(artefacts(measured, *old))
    assert [group.names for group in before] == [("b-ease", "b-popular"), ("a-ease", "a-popular")]
    for more, group in ((other, 0), ({}, 1), ({"seed": 9}, 2)):
        after = run_groups(artefacts(measured, *old, ("upload", more)))
        assert after[0].names[-2:] == before[0].names  # of the same group it joins it
        assert "upload" in after[group].names
    assert runs_on(artefacts(measured, *old), split).names == ("a-ease", "a-popular")


def test_titles_of_groups_differ_and_hold_no_hash(measured) -> None:
    cards = [{**measured.card, **more} for more in ({}, {"seed": 3}, {"truth": {"rows": 7, "hash": "x"}}, {})]
    titles = titles_of_groups(cards)
    start = "synthetic, last interactions held out, new items, 60 users, "
    assert titles == [
        f"{start}180 held out, seed 0 (1)",
        f"{start}180 held out, seed 3",
        f"{start}7 held out",
        f"{start}180 held out, seed 0 (2)",
    ]
