"""Evaluation on Spark gives the numbers of one machine; here on Sail, a server of Spark Connect without a JVM."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.cli.app import app
from reclens.edges import _spark_session, _spark_sums, _spark_work
from reclens.edges.spark import Spark, SparkTables
from reclens.engine import quiet
from reclens.errors import (
    DataError,
    IncomparableError,
    MissingExtraError,
    NotEnoughMemoryError,
    StoreError,
    UnmatchedIdsError,
    UsageError,
)
from reclens.evaluation import partitions
from reclens.evaluation.partition_context import facts_of
from reclens.evaluation.partition_sums import PartitionSums, total_of
from reclens.job import run as job_run
from reclens.job.settings import validate_settings
from reclens.metrics.conventions import convention_named
from reclens.metrics.registry import parse
from spark_tables import EVERY, Made, assert_equal, make_tables, to_spark

pytest.importorskip("pysail.spark", reason="Sail is in the extra of the tests: pip install pysail")

pytestmark = pytest.mark.filterwarnings("ignore::reclens.evaluation.EvaluationWarning")
HOW: dict[str, Any] = {"metrics": EVERY, "by": ["age", "sex", "age × sex"], "replicates": 60, "rng": 3}


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
    tables = SparkTables(interactions=train, users=users, items=items)
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
    monkeypatch.setattr(_spark_work, "CARRIED", 10)
    metrics = [name for name in EVERY if name not in ("diversity@10", "miscalibration@10")]
    own = made("string")

    found = on_spark(session, own, metrics=metrics)

    how = {**HOW, "metrics": metrics}
    assert_equal(rl.evaluate(own.lists, own.truth, train=own.data, relevance="grade", **how), found)
    with pytest.raises(rl.errors.UsageError, match="diversity@10 takes the features of all items to every task"):
        on_spark(session, own)


def test_sums_of_many_partitions_are_added_on_executors_first(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_spark_sums, "_ADDED_AT_ONCE", 4)

    assert_equal(on_one_machine("int32"), on_spark(session, made("int32"), partitions=9))


def test_a_task_that_ran_twice_counts_once() -> None:
    own = make_tables("int64")
    parts = [_partition(own, users) for users in ((0, 70), (70, 200))]
    rows = [part.to_row() for part in parts]

    once, twice = (total_of(PartitionSums, each) for each in (rows, [*rows, rows[1], rows[0]]))

    assert once is not None and twice is not None
    assert once.counts == twice.counts and once.rules == twice.rules
    np.testing.assert_array_equal(once.summary.sums, twice.summary.sums)
    assert once.exposure.equals(twice.exposure)
    assert once.counts["users"] == own.truth["user_id"].n_unique()


def test_sums_that_share_some_partitions_are_refused() -> None:
    own = make_tables("int64")
    low, middle, high = (_partition(own, users) for users in ((0, 40), (40, 90), (90, 200)))

    whole = low + middle

    assert (whole + low).keys == whole.keys == (low + whole).keys
    with pytest.raises(IncomparableError, match="share 1 of 2 partitions with others"):
        whole + (middle + high)


def _partition(own: Made, users: tuple[int, int]) -> PartitionSums:
    """What the users of a range of ids come to."""
    facts = facts_of(None, 0, offered=own.items["item_id"], features=None, attributes=None, relevant=None)
    plan = partitions.PartitionPlan(
        specs=(parse("ndcg@10"), parse("coverage@10")),
        convention=convention_named("trec"),
        depth=10,
        replicates=30,
        seed=1,
        ordered_by="rank",
        relevance=None,
        tables=frozenset({"lists", "truth"}),
        has_catalogue=True,
        facts=facts,
        n_items=len(facts.ids),
        n_users=0,
        labels={},
        by=[],
    )
    tables = [
        table.select(
            pl.lit(part, pl.Int8).alias("part"), "user_id", "item_id", pl.col(number).cast(pl.Float64).alias("number")
        ).filter(pl.col("user_id").is_between(users[0], users[1] - 1))
        for part, table, number in ((0, own.lists, "rank"), (1, own.truth, "grade"))
    ]
    found = partitions.measure_partition(plan, tables)
    assert found is not None
    return found


def test_summaries_made_on_spark_are_compared(session: Any) -> None:
    own = made("string")
    other = own.lists.filter(pl.col("rank") > 2)
    other = other.with_columns(pl.col("rank") - 2)
    how: dict[str, Any] = {**HOW, "replicates": 400, "metrics": ["ndcg@10", "coverage@10"], "by": []}
    lists = {"ours": own.lists, "theirs": other}
    one = {name: rl.evaluate(each, own.truth, **how, catalogue=own.items["item_id"]) for name, each in lists.items()}
    how["catalogue"] = own.items["item_id"]
    far = {name: rl.evaluate(to_spark(session, each), own.truth, **how) for name, each in lists.items()}

    here, there = (rl.compare(each, baseline="theirs") for each in (one, far))
    mixed = rl.compare({"ours": one["ours"], "theirs": far["theirs"]}, baseline="theirs")

    for found in (there, mixed):
        row, known = found.find("ours", "ndcg@10"), here.find("ours", "ndcg@10")
        assert row.n == known.n and row.difference == pytest.approx(known.difference, rel=1e-12)
        assert row.p_bootstrap == known.p_bootstrap and row.p_randomization is None and row.wins is None
        assert row.outcome == known.outcome and row.p_adjusted == row.p_bootstrap
        assert row.low == pytest.approx(known.low, abs=0.01) and row.high == pytest.approx(known.high, abs=0.01)
        assert found.find("ours", "coverage@10") == here.find("ours", "coverage@10")
    assert "ours" in rl.report.comparison_text(there)[0]


def test_the_command_line_evaluates_tables_of_spark(session: Any, address: str, tmp_path: Any, capsys: Any) -> None:
    own = made("string")
    for name in ("lists", "truth", "train", "users"):
        table = getattr(own, name).rename({"user_id": "customer"})
        to_spark(session, table).write.mode("overwrite").parquet(f"{tmp_path}/{name}")
    argv = ["evaluate", f"spark:{tmp_path}/lists", "--truth", f"spark:{tmp_path}/truth", "--engine", address]
    argv += ["--train", f"spark:{tmp_path}/train", "--users", f"spark:{tmp_path}/users", "--by", "sex", "-m", "ndcg@10"]
    argv += ["-c", "user_id=customer", "--partitions", "2", "--format", "csv", "--workspace", f"{tmp_path}/w"]
    argv += ["--keep", "far", "--relevance", "grade"]

    with pytest.raises(SystemExit) as ended:
        app([*argv], standalone_mode=True)

    assert ended.value.code in (0, None)
    printed = pl.read_csv(capsys.readouterr().out.encode(), comment_prefix="#")
    rows = {(row["by"], row["segment"]): row for row in printed.to_dicts()}
    how: dict[str, Any] = {"metrics": ["ndcg@10"], "by": ["sex"], "relevance": "grade"}
    known = rl.evaluate(own.lists, own.truth, train=own.data, **how)["ndcg@10"]
    assert rows["overall", "all"]["value"] == pytest.approx(known.overall.value, rel=1e-12)
    assert rows["sex", "f"]["n"] == known.by["sex"]["f"].n
    assert rl.Workspace(f"{tmp_path}/w").load("evaluation", "far").card["per_user"] is False


def test_a_job_evaluates_on_the_engine_that_it_names(session: Any, address: str) -> None:
    times = pl.from_epoch(pl.int_range(pl.len()), time_unit="us").dt.replace_time_zone("UTC")
    made_split = rl.split.last_n(rl.Dataset(make_tables("int64").train.with_columns(timestamp=times)), n=2)
    lists = rl.models.Popular().fit(made_split.train).recommend(made_split.test_users, k=10)
    about = {"metrics": ["ndcg@10"], "by": [], "replicates": 30}
    near, far = (
        job_run._evaluate(lists, made_split, validate_settings({"evaluate": each}, source="job"), "popular", quiet)
        for each in (about, {**about, "engine": address})
    )

    assert_equal(near, far)
    assert near.per_user.height and not far.per_user.height and far.system == "popular"


class TestBadInput:
    def test_a_table_that_is_not_there(self, session: Any) -> None:
        with pytest.raises(DataError, match=r"nosuch: there is no such table"):
            Spark(session=session).table("nosuch")

    def test_ids_that_are_missing(self, session: Any) -> None:
        own = made("int64")
        for column in ("user_id", "item_id"):
            holed = own.lists.with_columns(
                pl.when(pl.col("rank") == 2).then(None).otherwise(pl.col(column)).alias(column)
            )
            with pytest.raises(DataError, match=f"the lists, column '{column}': .* ids or more are missing"):
                on_spark(session, Made(holed, own.truth, own.train, own.users, own.items))

    def test_ids_of_two_types_and_columns_that_are_absent(self, session: Any) -> None:
        own, other = made("int64"), made("string")
        with pytest.raises(DataError, match="ids are bigint in lists, string in truth"):
            rl.evaluate(to_spark(session, own.lists), to_spark(session, other.truth))
        with pytest.raises(DataError, match="there is no column 'item_id'"):
            rl.evaluate(to_spark(session, own.lists.drop("item_id")), to_spark(session, own.truth))
        with pytest.raises(DataError, match="neither 'rank' nor 'score'"):
            rl.evaluate(to_spark(session, own.lists.drop("rank")), to_spark(session, own.truth))

    def test_users_that_no_list_is_for(self, session: Any) -> None:
        own = made("string")
        other = own.lists.with_columns(pl.col("user_id").str.to_uppercase())
        with pytest.raises(UnmatchedIdsError, match="In lower case") as found:
            rl.evaluate(to_spark(session, other), to_spark(session, own.truth))
        assert found.value.cause == "case"

    def test_two_rows_of_a_user_in_the_table_of_users(self, session: Any) -> None:
        own = made("string")
        with pytest.raises(DataError, match="has two rows or more, expected one a user"):
            on_spark(session, Made(own.lists, own.truth, own.train, pl.concat([own.users, own.users]), own.items))

    def test_more_rows_than_memory(self, session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        # Sail runs the tasks in this process.
        monkeypatch.setattr("reclens.memory.available_memory", lambda: 10_000)
        monkeypatch.setattr("reclens.memory._SMALL", 1)
        with pytest.raises(NotEnoughMemoryError, match=r"a partition of .* rows or more takes .*more partitions"):
            on_spark(session, made("string"), partitions=1)

    def test_an_old_pyspark(self, session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("pyspark.__version__", "3.5.1")
        with pytest.raises(MissingExtraError, match=r"pyspark 3\.5\.1 is installed.*pip install 'pyspark>=4'"):
            on_spark(session, made("string"))

    def test_an_executor_without_reclens(self, session: Any) -> None:
        def without(batches: Any) -> Any:
            raise ModuleNotFoundError("No module named 'reclens'")
            yield from batches

        frame = session.range(3).mapInArrow(without, "id long")
        raised = pytest.raises(MissingExtraError, match=r"an executor could not import reclens.*venv-pack")
        with raised, _spark_session.watched(session, "work", lambda *_: None):
            frame.collect()

    @pytest.mark.parametrize(
        ("name", "about", "kind", "said"),
        [
            ("PySparkRuntimeError", {"errorClass": "JAVA_GATEWAY_EXITED"}, MissingExtraError, "Install OpenJDK 17"),
            ("PySparkRuntimeError", {"errorClass": "CONNECT_URL_NOT_SET"}, MissingExtraError, "pip install pyspark"),
            ("SparkConnectGrpcException", {"status": "UNAVAILABLE"}, StoreError, "nothing was kept: gone. Is the"),
            (
                "SparkConnectGrpcException",
                {"status": "UNAUTHENTICATED"},
                StoreError,
                "SPARK_CONNECT_AUTHENTICATE_TOKEN",
            ),
            (
                "SparkConnectGrpcException",
                {"errorClass": "INVALID_HANDLE.SESSION_CHANGED"},
                StoreError,
                "lost or refused",
            ),
            (
                "AnalysisException",
                {"errorClass": "PATH_NOT_FOUND", "path": "/x"},
                DataError,
                "/x: there is no such table",
            ),
        ],
    )
    def test_errors_are_told_apart_by_their_codes(
        self, name: str, about: dict[str, str], kind: type[Exception], said: str
    ) -> None:
        own = importlib.import_module("pyspark.errors.exceptions.connect")
        base = importlib.import_module("pyspark.errors")
        more: dict[str, Any] = {"errorClass": about.get("errorClass"), "messageParameters": {"path": about.get("path")}}
        if "status" in about:
            more["grpc_status_code"] = importlib.import_module("grpc").StatusCode[about["status"]]
        error = (getattr(own, name, None) or getattr(base, name))(message='details = "gone"', **more)

        with pytest.raises(kind, match=said), _spark_session.translated():
            raise error

    def test_words_of_a_task_decide_nothing(self) -> None:
        error = importlib.import_module("pyspark.errors.exceptions.connect").PythonException(
            message="ValueError: No such file, Connection refused, UNAVAILABLE, [PATH_NOT_FOUND] JAVA_HOME"
        )
        with pytest.raises(type(error)), _spark_session.translated():
            raise error

    def test_a_token_in_an_address_is_refused_and_not_repeated(self, capsys: Any) -> None:
        address = "sc://127.0.0.1:1/;Token=s3cr3t"
        with pytest.raises(UsageError, match="SPARK_CONNECT_AUTHENTICATE_TOKEN") as found:
            validate_settings({"evaluate": {"engine": address}}, source="job")
        with pytest.raises(SystemExit):
            app(["evaluate", "spark:lists", "--truth", "spark:truth", "--engine", address], standalone_mode=False)
        assert "s3cr3t" not in str(found.value) + capsys.readouterr().err


def test_progress_is_told_and_an_interrupt_cancels(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    cancelled: list[str] = []
    monkeypatch.setattr(type(session), "interruptTag", lambda self, tag: cancelled.append(tag))
    own = made("int64")

    rl.evaluate(
        to_spark(session, own.lists),
        to_spark(session, own.truth),
        progress=lambda what, *_: steps.append(what),
    )
    with pytest.raises(KeyboardInterrupt), _spark_session.watched(session, "work", lambda *_: None):
        raise KeyboardInterrupt

    assert steps[0] == "evaluate on Spark" and "count items and segments" in steps
    assert len(cancelled) == 1 and cancelled[0].startswith("reclens-")


def test_every_address_has_a_session_of_its_own(session: Any, address: str) -> None:
    other = importlib.import_module("pysail.spark").SparkConnectServer("127.0.0.1", 0)
    other.start()
    there = f"sc://127.0.0.1:{other.listening_address[1]}"
    try:
        first = _spark_session.spark_session(there)
        assert first is not session
        assert _spark_session.spark_session(there) is first
        assert _spark_session.spark_session(address) is session
        first.stop()
        again = _spark_session.spark_session(there)
        assert again is not first and again.range(3).count() == 3
        again.stop()
    finally:
        other.stop()
        type(session)._set_default_and_active_session(session)
