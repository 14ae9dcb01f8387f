"""Rows that a system was told with the question count as known: every number by hand."""

from __future__ import annotations

from math import log2
from pathlib import Path

import polars as pl
import pytest

from reclens.data import split
from reclens.data.dataset import Dataset
from reclens.data.synthetic import synthetic_movielens
from reclens.errors import DataError, IncomparableError, UsageError
from reclens.evaluation import compare, evaluate
from reclens.models import ItemKNN

METRICS = ["auc@2", "serendipity@2", "novelty@2", "arp@2", "miscalibration_js@2"]


def table(pairs: list[tuple[str, str]], **more: list[int]) -> pl.DataFrame:
    users, items = zip(*pairs, strict=True)
    return pl.DataFrame({"user_id": users, "item_id": items, **more})


LISTS = table([("u", "d"), ("u", "c"), ("v", "e"), ("v", "d"), ("t1", "e"), ("t1", "d")], rank=[1, 2] * 3)
TRUTH = table([("u", "c"), ("v", "d"), ("t1", "d")])
HISTORY = table([("u", "a"), ("u", "b"), ("v", "c"), ("v", "never heard of"), ("t1", "a"), ("t1", "c"), ("t1", "c")])


@pytest.fixture(scope="module")
def train() -> Dataset:
    """Five users. Users of the items: a 3, the others 1 each; with the history: a 4, c 3, b 2, d 1, e 1 of 7."""
    rows = [("t1", "a"), ("t1", "b"), ("t2", "a"), ("t2", "c"), ("t3", "a"), ("t4", "d"), ("t5", "e")]
    genres = pl.DataFrame({"item_id": list("abcde"), "genres": [["x"], ["y"], ["x"], ["y"], ["y"]]})
    return Dataset(table(rows), items=genres)


@pytest.fixture(scope="module")
def told(train):
    return evaluate(LISTS, TRUTH, train=train, history=HISTORY, metrics=METRICS)


def of(result, user: str) -> dict:
    return result.per_user.filter(pl.col("user_id") == user).to_dicts()[0]


def test_auc_leaves_out_what_was_told(told) -> None:
    assert of(told, "u")["auc@2"] == pytest.approx(1 / 2)  # of d and e, e stands behind c
    assert of(told, "v")["auc@2"] == pytest.approx(2 / 3)  # of a, b and e, e stands before d
    assert of(told, "t1")["auc@2"] == 0  # e alone is left, and it stands before d


def test_serendipity_starts_from_what_is_new_to_the_user(told) -> None:
    """New to u are c, d, e: a popularity list shows c and d. New to v are a, b, d, e: it shows a and b."""
    assert [of(told, user)["serendipity@2"] for user in ("u", "v", "t1")] == [0, 1 / 2, 0]


def test_novelty_counts_the_users_of_both(told) -> None:
    assert of(told, "u")["novelty@2"] == pytest.approx((log2(7) + log2(7 / 3)) / 2)  # d has 1 user of 7, c has 3
    assert of(told, "v")["novelty@2"] == pytest.approx(log2(7))
    assert [of(told, user)["arp@2"] for user in ("u", "v")] == [2.0, 1.0]


def test_calibration_is_to_what_was_told(told) -> None:
    """u has one x and one y and is shown one of each; v has an x and is shown y alone; t1 has x, y, x."""
    assert of(told, "u")["miscalibration_js@2"] == pytest.approx(0)
    assert of(told, "v")["miscalibration_js@2"] == pytest.approx(1)
    # p = (2/3, 1/3), q = (0, 1), m = (1/3, 2/3)
    apart = (2 / 3 * log2(2) + 1 / 3 * log2(1 / 2) + log2(3 / 2)) / 2
    assert of(told, "t1")["miscalibration_js@2"] == pytest.approx(apart)


def test_without_the_history_the_same_lists_look_otherwise(train) -> None:
    plain = evaluate(LISTS, TRUTH, train=train, metrics=METRICS)
    assert of(plain, "u")["auc@2"] == pytest.approx(3 / 4) and of(plain, "u")["serendipity@2"] == 1 / 2
    assert of(plain, "u")["novelty@2"] == pytest.approx(log2(5))
    assert plain["miscalibration_js@2"].overall.n == 1  # t1 alone has a history


def test_the_card_says_what_was_told(told, train) -> None:
    about = told.card["history"]
    assert (about["rows"], about["users"], about["rows_of_unknown_items"]) == (7, 3, 1)
    assert told.card["users_without_history"] == 0
    listed = LISTS.with_columns(item_id=pl.Series(["a", "c", "e", "d", "e", "d"]))
    seen = evaluate(listed, TRUTH, train=train, history=HISTORY, metrics=["auc@2"]).card
    assert seen["recommendations_seen_in_training"] == 1 and seen["seen_items"] == "included"


def test_runs_with_other_histories_are_not_compared(told, train) -> None:
    plain = evaluate(LISTS, TRUTH, train=train, metrics=METRICS)
    with pytest.raises(IncomparableError, match="the histories that came with the question"):
        compare({"told": told, "plain": plain}, baseline="told")


def test_order_and_repeats_of_the_history_do_not_matter(told, train) -> None:
    again = pl.concat([HISTORY.reverse(), HISTORY])
    other = evaluate(LISTS, TRUTH, train=train, history=again, metrics=METRICS)
    assert other.per_user.equals(told.per_user, null_equal=True)
    assert other.card["history"]["hash"] == told.card["history"]["hash"]


def test_wrong_histories_are_explained(train) -> None:
    with pytest.raises(UsageError, match="Pass train="):
        evaluate(LISTS, TRUTH, history=HISTORY, metrics=["mrr@2"])
    with pytest.raises(DataError, match="the history lacks item_id"):
        evaluate(LISTS, TRUTH, train=train, history=HISTORY.rename({"item_id": "sku"}), metrics=["mrr@2"])
    with pytest.raises(DataError, match="no user of the lists is in the history"):
        evaluate(LISTS, TRUTH, train=train, history=HISTORY.with_columns(user_id=pl.lit(3)), metrics=["mrr@2"])


def test_on_the_command_line(train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A split by users brings its fold-in; files name theirs with --history."""
    import json

    from typer.testing import CliRunner

    from reclens.cli.app import app
    from reclens.workspace import Workspace

    monkeypatch.chdir(tmp_path)
    made = split.by_user(synthetic_movielens(n_users=120, n_items=60, n_ratings=2_500, rng=1), rng=0)
    lists = ItemKNN().fit(made.train).recommend(made.test_users, k=10, history=made.fold_in)
    Workspace("workspace").save(made, "people")
    Workspace("workspace").save(lists, "knn")
    wanted = evaluate(lists, made.test, train=made.train, history=made.fold_in, metrics=["novelty@10"])
    for name, rows in {"truth": made.test, "train": made.train.interactions, "told": made.fold_in}.items():
        rows.write_parquet(f"{name}.parquet")
    files = ("--truth", "truth.parquet", "--train", "train.parquet")
    for where in (("--split", "people"), (*files, "--history", "told.parquet")):
        found = CliRunner().invoke(app, ["evaluate", "knn", *where, "-m", "novelty@10", "-f", "json"])
        assert found.exit_code == 0, found.output
        row = json.loads(found.stdout)["rows"][0]
        assert row["value"] == pytest.approx(wanted["novelty@10"].overall.value)
    bare = CliRunner().invoke(app, ["evaluate", "knn", "--truth", "truth.parquet", "--history", "told.parquet"])
    assert bare.exit_code == 2 and "pass --train FILE too" in bare.stderr
