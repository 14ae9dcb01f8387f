"""Evaluation on Spark beside one machine: CPU seconds, wall time, memory, and what they are spent on.

    python benchmarks/bench_spark.py compare --folder DATA         # 100,000 users × 100 rows: one machine, Sail, a pull
    python benchmarks/bench_spark.py jvm --folder DATA --jvm .venv-spark-jvm/bin/python     # Spark on a JVM, Spark ML
    python benchmarks/bench_spark.py growth --folder DATA          # with rows, users and partitions, on Sail
    python benchmarks/bench_spark.py large --folder DATA           # 100 million rows, once, on Sail
    python benchmarks/bench_spark.py growth --folder DATA --small 500                       # any of them, to try it
    python benchmarks/bench_spark.py table                         # the results that are kept, and the chart

All read the same Parquet, with ids of text. Each measurement is a process of its own; the start of the session is left
out, and so is what is compiled once. CPU seconds are those of all threads and child processes. Results are kept in
``results/spark.jsonl``, a line a measurement; a line that is there is not measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness
import numpy as np
import polars as pl

METRICS = ["ndcg@10", "recall@20", "precision@10", "map@10", "mrr@10"]
REPLICATES = 1000
ITEMS = 20_000
RESULTS = harness.RESULTS / "spark.jsonl"


# --------------------------------------------------------------------------------------------------------------- data


def make(folder: Path, users: int, length: int) -> Path:
    """Lists, truth and users of a size as Parquet with ids of text; made once."""
    place = folder / f"{users}x{length}"
    if (place / "users.parquet").exists():
        return place
    (place / "lists").mkdir(parents=True, exist_ok=True)
    (place / "truth").mkdir(exist_ok=True)
    step = 100_000
    for first in range(0, users, step):
        rng = np.random.default_rng(first)
        n = min(step, users - first)
        owners = np.arange(first, first + n)
        start = rng.integers(0, ITEMS, n)
        # Distinct items of a list without sorting: steps through the items by a number without common factor.
        stride = rng.choice([7, 11, 13, 17, 19, 23, 29, 31], n) * 101
        items = (start[:, None] + stride[:, None] * np.arange(length)) % ITEMS
        lists = {
            "user_id": np.repeat(owners, length),
            "item_id": items.ravel(),
            "rank": np.tile(np.arange(1, length + 1), n),
        }
        _as_text(pl.DataFrame(lists)).write_parquet(place / "lists" / f"{first:09}.parquet")
        # Ten items a user, a third of them out of the list.
        some = items[np.arange(n)[:, None], rng.integers(0, length, (n, 4))]
        others = rng.integers(0, ITEMS, (n, 6))
        truth = {"user_id": np.repeat(owners, 10), "item_id": np.concatenate([some, others], axis=1).ravel()}
        _as_text(pl.DataFrame(truth).unique(maintain_order=True)).write_parquet(place / "truth" / f"{first:09}.parquet")
    everybody = np.arange(users)
    table = {"user_id": everybody, "age": [["18-24", "25-34", "35-49", "50+"][v % 4] for v in everybody]}
    _as_text(pl.DataFrame(table | {"sex": [["f", "m"][v % 7 % 2] for v in everybody]})).write_parquet(
        place / "users.parquet"
    )
    return place


def _as_text(table: pl.DataFrame) -> pl.DataFrame:
    texts = {"user_id": pl.format("user-{}", pl.col("user_id")), "item_id": pl.format("i{}", pl.col("item_id"))}
    columns = [text.alias(name) for name, text in texts.items() if name in table.columns]
    return table.with_columns(columns).cast({name: pl.Int32 for name in ("rank",) if name in table.columns})


def catalogue() -> pl.Series:
    return pl.Series("item_id", [f"i{v}" for v in range(ITEMS)])


# ------------------------------------------------------------------------------------------------------------ workers


def one_machine(place: Path, chosen: argparse.Namespace) -> dict:
    """Read the Parquet and evaluate, on the threads of this process."""
    import reclens as rl

    def run(lists: pl.DataFrame, truth: pl.DataFrame, users: pl.DataFrame):
        items = catalogue().to_frame().with_columns(user_id=pl.lit(users["user_id"][0]))
        data = rl.Dataset(items, users=users).with_segments(**{name: rl.segments.column(name) for name in chosen.by})
        return rl.evaluate(lists, truth, train=data, by=chosen.by, **asked())

    warm = make(place.parent, 200, 20)
    run(*read(warm))
    with Meter() as meter:
        found = run(*read(place))
    return {**meter.row(), **answer(found)}


def read(place: Path) -> list[pl.DataFrame]:
    return [
        pl.read_parquet(place / "lists"),
        pl.read_parquet(place / "truth"),
        pl.read_parquet(place / "users.parquet"),
    ]


def asked() -> dict:
    return {"catalogue": catalogue(), "metrics": METRICS, "replicates": REPLICATES, "rng": 0}


def on_spark(place: Path, chosen: argparse.Namespace) -> dict:
    """Evaluate in a session, by partitions."""
    import reclens as rl

    session = started(chosen.engine)
    lists, truth, users = spark_tables(session, place)
    how = {"train": rl.SparkTables(users=users), "by": chosen.by, "engine": rl.Spark(partitions=chosen.partitions)}
    small = spark_tables(session, make(place.parent, 200, 20))
    rl.evaluate(
        *small[:2], **{**how, "train": rl.SparkTables(users=small[2]), "engine": rl.Spark(partitions=2)}, **asked()
    )
    with Meter() as meter:
        found = rl.evaluate(lists, truth, **how, **asked())
    return {**meter.row(), **answer(found)}


def without_sums(place: Path, chosen: argparse.Namespace) -> dict:
    """The same rows by the same shuffle, into a function that measures nothing: what engine and Arrow take."""
    return _rows_only(place, chosen, shuffled=True)


def without_shuffle(place: Path, chosen: argparse.Namespace) -> dict:
    """The same without the shuffle: what reading and Arrow take."""
    return _rows_only(place, chosen, shuffled=False)


def _rows_only(place: Path, chosen: argparse.Namespace, *, shuffled: bool) -> dict:
    from reclens.edges._spark_frames import lists_of, pairs_of, segments_of, together
    from reclens.edges.spark import Spark

    session = started(chosen.engine)
    lists, truth, users = spark_tables(session, place)
    engine = Spark(session=session)
    labels, people = segments_of(engine, users, chosen.by)
    frames = {"lists": lists_of(engine, lists)[0], **pairs_of(engine, truth, None, None, None), "users": people}
    cut = together(frames, labels)
    cut = cut.repartition(chosen.partitions, "user_id") if shuffled else cut

    def count(batches):
        import pyarrow as pa

        yield pa.RecordBatch.from_pydict({"n": [sum(batch.num_rows for batch in batches)]})

    with Meter() as meter:
        rows = sum(row.n for row in cut.mapInArrow(count, "n long").collect())
    return {**meter.row(), "rows": rows}


def pulled(place: Path, chosen: argparse.Namespace) -> dict:
    """Pull the tables to the driver as Arrow, and evaluate them there."""
    import reclens as rl

    session = started(chosen.engine)
    with Meter() as meter:
        lists, truth, users = (pl.DataFrame(pl.from_arrow(each.toArrow())) for each in spark_tables(session, place))
        items = catalogue().to_frame().with_columns(user_id=pl.lit(users["user_id"][0]))
        data = rl.Dataset(items, users=users).with_segments(**{name: rl.segments.column(name) for name in chosen.by})
        found = rl.evaluate(lists, truth, train=data, by=chosen.by, **asked())
    return {**meter.row(), **answer(found)}


def spark_ml(place: Path, chosen: argparse.Namespace) -> dict:
    """Spark ML's evaluator: four metrics, a pass each, over a cached join; no intervals and no segments."""
    from pyspark.ml.evaluation import RankingEvaluator
    from pyspark.sql import functions as fn

    session = started(chosen.engine)
    session.conf.set("spark.sql.shuffle.partitions", str(chosen.partitions))
    lists, truth, _ = spark_tables(session, place)
    number = fn.regexp_replace("item_id", "i", "").cast("double").alias("item_id")  # it takes numbers alone
    with Meter() as meter:
        shown = fn.sort_array(fn.collect_list(fn.struct("rank", number)))
        ours = lists.groupBy("user_id").agg(fn.transform(shown, lambda each: each["item_id"]).alias("prediction"))
        held = truth.groupBy("user_id").agg(fn.collect_list(number).alias("label"))
        joined = ours.join(held, "user_id").cache()
        names = {"precisionAtK": 10, "recallAtK": 20, "ndcgAtK": 10, "meanAveragePrecisionAtK": 10}
        values = {name: RankingEvaluator(metricName=name, k=k).evaluate(joined) for name, k in names.items()}
    return {**meter.row(), "answer": values}


WAYS = {each.__name__: each for each in (one_machine, on_spark, without_sums, without_shuffle, pulled, spark_ml)}


def started(engine: str):
    """The session: of Sail in this process, or of Spark with a JVM."""
    from reclens.edges._spark_session import spark_session

    if engine != "sail":
        os.environ["PYTHONPATH"] = str(harness.ROOT / "src")
        from pyspark.sql import SparkSession

        SparkSession.builder.config("spark.driver.memory", "4g").config("spark.log.level", "ERROR")
        return spark_session(engine)
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer("127.0.0.1", 0)
    server.start()
    session = spark_session(f"sc://127.0.0.1:{server.listening_address[1]}")
    session._kept = server  # as long as the session
    return session


def spark_tables(session, place: Path):
    return [session.read.parquet(str(place / each)) for each in ("lists", "truth", "users.parquet")]


def answer(found) -> dict:
    """What two ways have to agree on."""
    overall = {name: found[name].overall.value for name in METRICS}
    first = found[METRICS[0]].overall
    return {"answer": overall, "low": first.low, "n": first.n, "cells": len(found.summary.cells)}


class Meter:
    """Wall and CPU seconds of this process and of those that it started, and the most memory of all of them."""

    def __enter__(self) -> Meter:
        import threading

        self._over = threading.Event()
        self.peak = 0.0
        self._watch = threading.Thread(target=self._poll, daemon=True)
        self._watch.start()
        self._wall, self._busy = time.perf_counter(), cpu_of(family())
        return self

    def _poll(self) -> None:
        while not self._over.wait(0.5):
            self.peak = max(self.peak, sum(map(resident, family())))

    def __exit__(self, *_) -> None:
        self.wall, self.cpu = time.perf_counter() - self._wall, cpu_of(family()) - self._busy
        self._over.set()
        self._watch.join()

    def row(self) -> dict:
        return {"wall_s": round(self.wall, 2), "cpu_s": round(self.cpu, 2), "peak_gb": round(self.peak / 1e9, 2)}


def family() -> list[int]:
    """This process and all below it."""
    parents = {}
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                parents[int(each.name)] = int((each / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
    found = [os.getpid()]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def cpu_of(pids: list[int]) -> float:
    """CPU seconds, with those of children that have ended."""
    ticks = 0
    for pid in pids:
        try:
            ticks += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:15]))
        except OSError:
            continue
    return ticks / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


# --------------------------------------------------------------------------------------------------------- the parent


def measured(
    way: str, chosen: argparse.Namespace, *, users: int, length: int, partitions: int = 8, by=None, turn: int = 0
):
    """Measure in a process of its own and keep the line, unless it is there."""
    by = ["age", "sex"] if by is None else by
    users = max(users // chosen.small, 20)
    engine = None if way == "one_machine" else chosen.engine
    key = {"way": way, "engine": engine, "users": users, "length": length, "by": len(by), "turn": turn}
    key |= {} if way in ("one_machine", "pulled") else {"partitions": partitions}
    known = [json.loads(line) for line in chosen.results.read_text().splitlines()] if chosen.results.exists() else []
    for line in known:
        if line["key"] == key:
            return
    place = make(chosen.folder, users, length)
    python = sys.executable if engine in (None, "sail") else chosen.jvm
    command = [python, __file__, "worker", way, str(place), "--by", *by, "--partitions", str(partitions)]
    load = os.getloadavg()[0]
    around = {**os.environ, "PYTHONPATH": str(harness.ROOT / "src"), "POLARS_MAX_THREADS": "2", "RUST_LOG": "error"}
    done = subprocess.run(
        [*command, "--engine", engine or "none"], env=around, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{key}: {done.stderr[-2000:]}")
    row = {"key": key, **json.loads(done.stdout.splitlines()[-1]), "load": round(load, 1), "machine": harness.machine()}
    chosen.results.parent.mkdir(parents=True, exist_ok=True)
    with chosen.results.open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(json.dumps({"key": key, **{name: row[name] for name in ("wall_s", "cpu_s", "peak_gb")}}), flush=True)


def table() -> None:
    """Print means over the turns, a line a way and size, for docs/spark.md."""
    kept = pl.DataFrame(
        [{**row["key"], **row} for row in map(json.loads, RESULTS.read_text().splitlines())], strict=False
    )
    sizes = ["way", "engine", "users", "length", "partitions"]
    means = kept.group_by(sizes, maintain_order=True).agg(pl.col("cpu_s", "wall_s", "peak_gb").mean().round(2))
    print("| " + " | ".join(means.columns) + " |\n|" + "--|" * means.width)
    for row in means.iter_rows():
        print("| " + " | ".join("" if value is None else str(value) for value in row) + " |")


def draw() -> None:
    """``docs/images/spark-growth.svg``: CPU seconds by rows, by users at as many rows, and by partitions."""
    import altair as alt

    from reclens.report._toolkit.charts import THEME

    places = {"on_spark": "Sail", "one_machine": "one machine"}
    kept = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    chosen = [row for row in kept if row["key"]["way"] in places and row["key"]["engine"] in (None, "sail")]
    points: dict[tuple[str, str, int], list[float]] = {}
    for row in chosen:
        key = row["key"]
        rows, partitions = key["users"] * key["length"], key.get("partitions", 8)
        panels = {
            "rows, 100 a user": (
                key["length"] == 100 and partitions in (8, 64) and (partitions == 8 or rows == 1e8),
                rows,
            )
        }
        panels["users, 2.5 million rows"] = rows == 2_500_000 and partitions == 8, key["users"]
        panels["partitions, 2.5 million rows"] = key["users"] == 25_000 and "partitions" in key, partitions
        for panel, (shown, size) in panels.items():
            if shown:
                points.setdefault((panel, places[key["way"]], int(size)), []).append(row["cpu_s"])
    table = pl.DataFrame(
        [
            {"panel": panel, "place": place, "size": size, "seconds": float(np.mean(taken))}
            for (panel, place, size), taken in points.items()
        ]
    ).sort("size")
    log = alt.Scale(type="log", nice=False)
    axis = {"tickCount": 4, "labelOverlap": True}
    whole = (
        alt.Chart(table)
        .mark_line(point=True)
        .encode(
            alt.X("size:Q", title=None, scale=log, axis=alt.Axis(format="~s", **axis)),
            alt.Y("seconds:Q", title="CPU seconds", scale=log, axis=alt.Axis(format="~g", **axis)),
            alt.Color(
                "place:N", title=None, sort=list(places.values()), scale=alt.Scale(range=THEME["light"][:2])
            ).legend(orient="bottom"),
        )
        .properties(width=190, height=170)
        .facet(alt.Facet("panel:N", title=None, sort=list(panels)), columns=3)
        .resolve_scale(x="independent")
        .configure(background="white", font="sans-serif")
    )
    whole.save(harness.ROOT / "docs" / "images" / "spark-growth.svg")


def main() -> None:
    """Run a part."""
    if sys.argv[1:2] == ["worker"]:
        parser = argparse.ArgumentParser()
        parser.add_argument("way")
        parser.add_argument("place", type=Path)
        parser.add_argument("--by", nargs="*")
        parser.add_argument("--partitions", type=int)
        parser.add_argument("--engine")
        chosen = parser.parse_args(sys.argv[2:])
        found = WAYS[chosen.way](chosen.place, chosen)
        print(json.dumps(found), flush=True)
        os._exit(0)  # servers in threads need not be waited for
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["compare", "jvm", "growth", "large", "table"])
    parser.add_argument("--folder", type=Path, default=Path("spark-data"))
    parser.add_argument("--jvm", default=".venv-spark-jvm/bin/python")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--small", type=int, default=1, help="divide users by this, to try; results are kept in DATA")
    chosen = parser.parse_args()
    chosen.results = RESULTS if chosen.small == 1 else chosen.folder / "small.jsonl"
    chosen.engine = "local[2]" if chosen.part == "jvm" else "sail"
    if chosen.part == "table":
        table()
        draw()
        return
    size = {"users": chosen.users, "length": 100}
    if chosen.part in ("compare", "jvm"):
        ways = (
            ["one_machine", "on_spark", "without_sums", "without_shuffle", "pulled"] if chosen.part == "compare" else []
        )
        ways = ways or ["on_spark", "spark_ml"]
        for turn in range(chosen.turns if chosen.part == "compare" else 1):
            for way in ways:
                measured(way, chosen, **size, turn=turn)
    elif chosen.part == "growth":
        for users in (10_000, 25_000, 50_000):
            measured("on_spark", chosen, users=users, length=100)
            measured("one_machine", chosen, users=users, length=100)
        for users, length in ((10_000, 250), (50_000, 50), (100_000, 25), (250_000, 10)):
            measured("on_spark", chosen, users=users, length=length)
        for partitions in (1, 2, 4, 16, 64, 256):
            measured("on_spark", chosen, users=25_000, length=100, partitions=partitions)
    else:
        measured("on_spark", chosen, users=1_000_000, length=100, partitions=64)


if __name__ == "__main__":
    main()
