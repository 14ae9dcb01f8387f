"""Evaluation on Spark gives the numbers of one machine; here on Sail, a server of Spark Connect without a JVM."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest

import reclens as rl
from reclens.edges import _spark_session, spark
from reclens.edges.spark import Spark, Tables
from spark_tables import EVERY, Made, assert_equal, make_tables, to_spark

pysail = pytest.importorskip("pysail.spark", reason="Sail is in the extra of the tests: pip install pysail")

pytestmark = pytest.mark.filterwarnings("ignore::reclens.evaluation.EvaluationWarning")
HOW: dict[str, Any] = {"metrics": EVERY, "by": ["age", "sex", "age × sex"], "replicates": 60, "rng": 3}


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    server = pysail.SparkConnectServer("127.0.0.1", 0)
    server.start()
    yield _spark_session.spark_session(f"sc://127.0.0.1:{server.listening_address[1]}")
    server.stop()


@functools.cache
def made(kind: str, n: int = 120) -> Made:
    return make_tables(kind, n=n)


@functools.cache
def on_one_machine(kind: str, n: int = 120) -> rl.Evaluation:
    own = made(kind, n)
    return rl.evaluate(own.lists, own.truth, train=own.data, relevance="grade", **HOW)


def on_spark(session: Any, own: Made, *, partitions: int = 3, values: str | None = None, **how: Any) -> rl.Evaluation:
    lists, truth, train, users, items = (
        to_spark(session, each) for each in (own.lists, own.truth, own.train, own.users, own.items)
    )
    tables = Tables(interactions=train, users=users, items=items)
    engine = Spark(partitions=partitions, values=values)
    return rl.evaluate(lists, truth, train=tables, engine=engine, **{"relevance": "grade", **HOW, **how})


@pytest.mark.parametrize(("kind", "n", "users"), [("string", 300, 15), ("string", 1, 120), ("int32", 7, 120)])
def test_partitions_give_the_numbers_of_one_machine(session: Any, kind: str, n: int, users: int) -> None:
    found = on_spark(session, made(kind, users), partitions=n)

    one = on_one_machine(kind, users)
    assert_equal(one, found)
    assert found.per_user.is_empty() and found.per_user.columns == one.per_user.columns


def test_ids_of_32_and_64_bits_are_the_same_ids(session: Any) -> None:
    short, wide = made("int32"), made("int64")
    mixed = Made(short.lists, wide.truth, short.train, wide.users, short.items)

    assert_equal(on_one_machine("int64"), on_spark(session, mixed))


def test_data_in_memory_gives_the_numbers_of_one_machine(session: Any) -> None:
    own = made("string")
    data = own.data.with_segments(activity=rl.segments.quantiles("n_interactions", ["light", "heavy"]))
    told = pl.concat([own.train.head(50), own.truth.select("user_id", "item_id").head(90)])
    how: dict[str, Any] = {"train": data, "by": ["activity"], "history": told, "metrics": ["ndcg@10", "novelty@10"]}
    how |= {"convention": "recbole", "replicates": 20}

    found = rl.evaluate(to_spark(session, own.lists), own.truth, engine=Spark(partitions=3), **how)

    assert_equal(rl.evaluate(own.lists, own.truth, **how), found)


def test_lists_by_score_without_truth_or_history(session: Any) -> None:
    own = made("int64")
    lists = own.lists.select("user_id", "item_id", score=-pl.col("rank").cast(pl.Float64))
    offered = own.items["item_id"]
    how: dict[str, Any] = {"catalogue": offered, "metrics": ["coverage@5", "user_coverage"], "replicates": 20}

    found = rl.evaluate(to_spark(session, lists), engine=Spark(partitions=3), **how)

    # The rule that lists were ordered by score also tells how many scores were tied, which is none.
    assert_equal(rl.evaluate(lists, **how), found)


def test_values_of_users_are_written_by_the_executors(session: Any, tmp_path: Any) -> None:
    found = on_spark(session, made("string"), values=f"{tmp_path}/values")

    one = on_one_machine("string")
    assert_equal(one, found)
    kept = pl.read_parquet(f"{tmp_path}/values/part=users/*.parquet").sort("user_id")
    assert kept.select(one.per_user.columns).equals(one.per_user.cast({"list_length": pl.Int64}))
    labels = kept.select("user_id", "age", "sex", "age × sex")
    assert labels.equals(one.segments.select(labels.columns))


def test_more_items_than_a_task_carries_are_joined(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark, "_CARRIED", 10)
    metrics = [name for name in EVERY if name not in ("diversity@10", "miscalibration@10")]
    own = made("string")

    found = on_spark(session, own, metrics=metrics)

    how = {**HOW, "metrics": metrics}
    assert_equal(rl.evaluate(own.lists, own.truth, train=own.data, relevance="grade", **how), found)
    with pytest.raises(rl.errors.UsageError, match="diversity@10 takes the features of all items to every task"):
        on_spark(session, own)


def test_sums_of_many_partitions_are_added_on_executors_first(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark, "_ADDED_AT_ONCE", 4)

    assert_equal(on_one_machine("int32"), on_spark(session, made("int32"), partitions=9))
