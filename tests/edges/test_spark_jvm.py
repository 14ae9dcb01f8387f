"""Spark on a JVM: many partitions, a user with half of all rows, a task that is killed, and Spark ML as an oracle."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.edges import _spark_rows, _spark_session
from reclens.edges._spark_session import spark_session
from reclens.edges.spark import Spark, SparkTables
from reclens.experiment import Plan, gather
from reclens.experiment.aggregate.gather import gather_events
from spark_tables import EVERY, assert_equal, make_tables, to_spark
from warehouse_tables import DAY, assert_same_sums, units, visits

pytestmark = [pytest.mark.jvm, pytest.mark.filterwarnings("ignore")]  # pyspark leaves sockets open

pytest.importorskip("py4j", reason="make test-spark brings PySpark with a JVM")
HOW: dict[str, Any] = {"metrics": EVERY, "by": ["age", "sex"], "replicates": 100, "rng": 3, "relevance": "grade"}


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    os.environ["PYTHONPATH"] = f"{Path(rl.__file__).parents[1]}:{Path(__file__).parents[1] / 'helpers'}"
    found = spark_session("local[2,4]")  # two threads, and four tries of a task
    yield found
    found.stop()


def test_a_thousand_partitions_give_the_numbers_of_one_machine(session: Any) -> None:
    own = make_tables("string", n=60)
    sides = {"interactions": own.train, "users": own.users, "items": own.items}
    tables = SparkTables(**{name: to_spark(session, table) for name, table in sides.items()})

    found = rl.evaluate(
        to_spark(session, own.lists),
        to_spark(session, own.truth),
        train=tables,
        engine=Spark(partitions=1000),
        **HOW,
    )

    assert_equal(rl.evaluate(own.lists, own.truth, train=own.data, **HOW), found)


def test_a_user_with_half_of_all_rows(session: Any) -> None:
    own = make_tables("int64", n=100)
    long = pl.DataFrame({"user_id": 30, "item_id": range(1000, 2200), "rank": range(1, 1201)}, schema=own.lists.schema)
    lists = pl.concat([own.lists.filter(pl.col("user_id") != 30), long])
    how: dict[str, Any] = {
        "metrics": ["ndcg@10", "coverage@10"],
        "catalogue": lists["item_id"].unique(),
        "replicates": 50,
    }

    found = rl.evaluate(to_spark(session, lists), to_spark(session, own.truth), engine=Spark(partitions=7), **how)

    assert_equal(rl.evaluate(lists, own.truth, **how), found)


def _killed_once(marker: str, plan: Any, own: Any, batches: Any) -> Any:
    """The work of a task; the first process that comes here is killed in the middle of it."""
    for batch in _spark_rows.measure(plan, own, batches):
        try:
            Path(marker).touch(exist_ok=False)
        except FileExistsError:
            yield batch
        else:
            os.kill(os.getpid(), signal.SIGKILL)


def test_a_task_that_is_killed_is_run_again(session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = tmp_path / "killed"
    monkeypatch.setattr("reclens.edges._spark_sums.measure", partial(_killed_once, str(marker)))
    own = make_tables("int32")
    how: dict[str, Any] = {"metrics": ["ndcg@10"], "replicates": 50}

    found = rl.evaluate(to_spark(session, own.lists), to_spark(session, own.truth), engine=Spark(partitions=5), **how)

    assert marker.exists()
    assert_equal(rl.evaluate(own.lists, own.truth, **how), found)


def test_values_of_users_are_committed_once(session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reclens.edges._spark_work.measure", partial(_killed_once, str(tmp_path / "killed")))
    own = make_tables("int64")
    engine = Spark(partitions=5, values=f"{tmp_path}/values")

    rl.evaluate(to_spark(session, own.lists), to_spark(session, own.truth), engine=engine, metrics="ndcg@10")

    kept = pl.read_parquet(f"{tmp_path}/values/part=users/*.parquet").sort("user_id")
    one = rl.evaluate(own.lists, own.truth, metrics="ndcg@10")
    assert kept["user_id"].equals(one.per_user["user_id"]) and kept["ndcg@10"].equals(one.per_user["ndcg@10"])


def test_the_metrics_are_those_of_spark_ml(session: Any) -> None:
    from pyspark.ml.evaluation import RankingEvaluator
    from pyspark.sql import functions as fn

    rng = np.random.default_rng(1)
    lists = pl.DataFrame(
        {
            "user_id": np.repeat(np.arange(300), 10),
            "item_id": np.concatenate([rng.permutation(80)[:10] for _ in range(300)]),
            "rank": np.tile(np.arange(1, 11), 300),
        }
    )
    truth = pl.DataFrame({"user_id": np.repeat(np.arange(300), 6), "item_id": rng.integers(0, 80, 1800)}).unique()
    ours, held = to_spark(session, lists), to_spark(session, truth)
    ordered = fn.sort_array(fn.collect_list(fn.struct("rank", fn.col("item_id").cast("double").alias("item_id"))))
    shown = ours.groupBy("user_id").agg(fn.transform(ordered, lambda each: each["item_id"]).alias("prediction"))
    wanted = held.groupBy("user_id").agg(fn.collect_list(fn.col("item_id").cast("double")).alias("label"))
    joined = shown.join(wanted, "user_id").cache()

    metrics = ["precision@10", "recall@10", "ndcg@10", "map@10"]
    found = rl.evaluate(ours, held, metrics=metrics, engine=Spark(partitions=4))

    names = dict(zip(("precisionAtK", "recallAtK", "ndcgAtK", "meanAveragePrecisionAtK"), metrics, strict=True))
    for theirs, name in names.items():
        known = RankingEvaluator(metricName=theirs, k=10).evaluate(joined)
        assert found[name].overall.value == pytest.approx(known, abs=1e-8), name


def test_progress_is_told_and_an_interrupt_cancels_the_job(session: Any, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []

    def slowly(batches: Any) -> Any:
        for batch in batches:
            time.sleep(1)
            (tmp_path / uuid.uuid4().hex).touch()
            yield batch

    def told(what: str, done: int, total: int) -> None:
        steps.append((done, total))
        if done >= 3 and len(steps) < 100:
            steps.extend([(done, total)] * 100)
            os.kill(os.getpid(), signal.SIGINT)

    frame = session.range(0, 60, 1, 60).mapInArrow(slowly, "id long")
    with pytest.raises(KeyboardInterrupt), _spark_session.watched(session, "work", told):
        frame.collect()
    time.sleep(2)

    assert any(0 < done < total == 60 for done, total in steps)
    assert not session.sparkContext.statusTracker().getActiveJobsIds()
    assert len(list(tmp_path.iterdir())) < 40


def test_tables_that_are_not_there(session: Any, tmp_path: Path) -> None:
    for name in ("nosuch", f"{tmp_path}/nowhere"):
        with pytest.raises(rl.errors.DataError, match="there is no such table"):
            Spark(session=session).table(name)


@pytest.fixture
def few_tasks(session: Any) -> Iterator[None]:
    """Four partitions after a shuffle, in place of 200."""
    session.conf.set("spark.sql.shuffle.partitions", "4")
    yield
    session.conf.unset("spark.sql.shuffle.partitions")


@pytest.mark.usefixtures("few_tasks")
def test_triggered_units_and_events_of_an_experiment(session: Any) -> None:
    rows, log = units(), visits(units())
    frame = to_spark(session, rows)
    frame.createOrReplaceTempView("bought_units")
    metrics = {"spent": {"missing": "leave_out"}, "clicks": {"covariates": ("clicks_before",), "role": "secondary"}}
    made = tuple({"name": name, "value": name, **more} for name, more in metrics.items())
    arms = {"control": 0.5, "new": 0.5}
    plan = Plan(name="t", arms=arms, metrics=made, segments=("country",), triggered="bought")  # pyright: ignore[reportArgumentType]
    listed = plan.model_copy(update={"triggered": "SELECT user_id FROM bought_units WHERE bought = 1"})
    logged = plan.model_copy(update={"start": DAY})

    known = gather(rows, plan, day="first_day")
    assert known.untriggered is not None and known.arm("new").n == rows.filter(variant="new")["bought"].sum()
    for each in (plan, listed):
        assert_same_sums(gather(frame.repartition(7), each, day="first_day"), known)
    assert_same_sums(gather_events(to_spark(session, log).repartition(7), logged), gather_events(log, logged))


def _cli(*argv: str, **around: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reclens", *argv]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **around})


def test_the_command_line_opens_a_session_of_this_machine(tmp_path: Path) -> None:
    own = make_tables("string", n=40)
    for name in ("lists", "truth"):
        getattr(own, name).write_parquet(tmp_path / f"{name}.parquet")
    argv = ["-m", "ndcg@10", "--relevance", "grade", "--format", "csv"]
    far = ["evaluate", f"spark:{tmp_path}/lists.parquet", "--truth", f"spark:{tmp_path}/truth.parquet"]
    near = ["evaluate", f"{tmp_path}/lists.parquet", "--truth", f"{tmp_path}/truth.parquet"]

    there = _cli(*far, *argv, "--engine", "spark:local[2]", "--partitions", "3")
    here = _cli(*near, *argv)

    assert there.returncode == here.returncode == 0, there.stderr
    found, known = (pl.read_csv(each.stdout.encode(), comment_prefix="#").row(0, named=True) for each in (there, here))
    assert found["n"] == known["n"] and found["value"] == pytest.approx(known["value"], rel=1e-12)
    assert [found[end] for end in ("low", "high")] == pytest.approx([known[end] for end in ("low", "high")], rel=1e-9)

    # Executors find reclens by PYTHONPATH alone here: without it they have none.
    script = (
        "import os, sys; from reclens.cli.app import app; import polars; del os.environ['PYTHONPATH']; "
        f"app({[*far, '-m', 'ndcg@10', '--engine', 'spark:local[2]', '--partitions', '2']!r})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "an executor could not import reclens" in done.stderr, done.stderr[-2000:]
    assert "venv-pack" in done.stderr


def test_no_java(tmp_path: Path) -> None:
    for name in ("bash", "dirname", "ps", "env", "sh"):
        (tmp_path / name).symlink_to(shutil.which(name) or "/bin/sh")
    argv = ["evaluate", "spark:lists", "--truth", "spark:truth", "--engine", "spark:local[2]", "-m", "ndcg@10"]
    found = _cli(*argv, PATH=str(tmp_path), JAVA_HOME="")
    assert found.returncode == 2 and "Install OpenJDK 17" in found.stderr, found.stderr[-2000:]
