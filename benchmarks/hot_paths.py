"""The hot paths of ``bench_floors.py``: data, what ours does with it, and what nobody could leave out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import bench_audit
import bench_experiment
import bench_monitor
import bench_read
import bench_rerank
import bench_stream
import numpy as np
import polars as pl

import reclens as rl
from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.engine import LocalEngine, quiet
from reclens.models._core.co_counts import count_pairs
from reclens.stats import paired, resample, summary

METRICS: Final = ["precision@10", "recall@10", "ndcg@10", "map@10", "mrr@10"]


@dataclass(frozen=True, kw_only=True)
class HotPath:
    """A path and its floor: a step that has to be taken in any case, and operations.

    Attributes:
        name: What is done, and with how much.
        ours: The whole of it.
        step: A step of the floor, such as one parse of the file; None for operations alone.
        step_is: What it is.
        operations: Names of ``machine_rates.UNITS`` -> number.
        rest: What more than twice the floor is spent on, and why it stays; ``""`` within twice.
    """

    name: str
    ours: Callable[[], Any]
    step: Callable[[], Any] | None = None
    step_is: str = ""
    operations: dict[str, float] = field(default_factory=dict)
    rest: str = ""


def sums_of(ours: Callable[[], Any]) -> dict[str, float]:
    """Random numbers and multiplications of all weighted sums of a run, counted where they are made."""
    found = {"draws": 0.0, "products": 0.0}
    plain = resample.weighted_sums

    @functools.wraps(plain)
    def counted(keys: np.ndarray, values: np.ndarray, *rest: Any, draws: int, **how: Any) -> np.ndarray:
        found["draws"] += len(keys) * draws
        found["products"] += np.count_nonzero(values) * draws
        return plain(keys, values, *rest, draws=draws, **how)

    for module in (summary, paired):
        module.weighted_sums = counted
    ours()
    for module in (summary, paired):
        module.weighted_sums = plain
    return found


def evaluation(folder: Path) -> Iterator[HotPath]:
    """Metrics of 13.8 million list rows, with and without intervals, in memory and streamed."""
    users, depth = 138_000, 100
    bench_stream.make(folder, users)
    truth = pl.read_parquet(folder / "truth.parquet")
    stream = pl.scan_parquet(folder / "lists" / "*.parquet")
    lists = stream.collect().rechunk()
    rng, ids = np.random.default_rng(0), truth["user_id"].unique().sort()
    by = {f"by{at}": pl.Series(rng.choice(["a", "b", "c"], users)) for at in range(3)}
    train = Dataset(truth, segments=pl.DataFrame({"user_id": ids} | by))
    # Users, items and ranks of all rows are read; the items of the first ten places and of the truth are looked up,
    # and the truth is put in order of users and items.
    read = {"bytes": 8.0 * 3 * lists.height + 8 * 2 * truth.height}
    found = {"lookups": users * 10.0 + truth.height, "additions": 2.0 * truth.height}

    def plain() -> Any:
        return rl.evaluate(lists, truth, metrics=METRICS, replicates=0)

    def with_intervals() -> Any:
        return rl.evaluate(lists, truth, train=train, metrics=METRICS, by=list(by), replicates=1000)

    yield HotPath(
        name=f"Five metrics of {users:,} lists of {depth}, integer ids",
        ours=plain,
        operations=read | found,
        rest="two fifths: sorting, coding and hashing the truth; a third: whether the lists are in order, and their "
        "codes; an eighth: metrics, which stay one readable function each; the floor has none of these",
    )
    yield HotPath(
        name="The same with intervals: 1,000 replicates in 9 segments",
        ours=with_intervals,
        operations=read | found | sums_of(with_intervals),
        rest="as above, and the Poisson weights, which come from a table that no vector register holds",
    )
    yield HotPath(
        name=f"The same streamed from Parquet, {users * depth / 1e6:.1f} million rows, 1,000 replicates",
        ours=lambda: rl.evaluate(stream, truth, metrics=METRICS),
        step=lambda: stream.select(pl.all().sum()).collect(engine="streaming"),
        step_is="decoding the columns",
        operations=found | sums_of(lambda: rl.evaluate(lists, truth, metrics=METRICS)),
        rest="as above",
    )


def interactions(users: int = 6040, items: int = 3706, each: int = 165) -> pl.DataFrame:
    """Interactions of the size of MovieLens 1M: distinct items of a user, the popular ones more often."""
    rng = np.random.default_rng(0)
    taste = -0.8 * np.log(np.arange(1, items + 1)) + rng.gumbel(size=(users, items))
    found = np.argpartition(-taste, each)[:, :each]
    return pl.DataFrame({"user_id": np.repeat(np.arange(users), each), "item_id": found.ravel()})


def _pair_work(matrix: UserItemMatrix) -> dict[str, float]:
    """Words that are compared and additions that count pairs."""
    pairs = count_pairs(matrix, engine=LocalEngine(), progress=quiet, what="count")
    lengths, tails = np.diff(pairs.ends).astype(float), np.diff(pairs.tail_ends).astype(float)
    words = pairs.head**2 / 2 * -(-matrix.n_columns // 64)
    return {"words": words, "additions": float(((lengths - tails) * tails + tails * lengths).sum())}


def neighbours(folder: Path) -> Iterator[HotPath]:
    """Item-kNN and user-kNN: fit and top 100 of every user."""
    frame = interactions()
    rest = (
        "a third: divisions, and the best 100 of each row of similarities and of scores; a sixth: codes, hash and "
        "transposes of the data; additions to lists of the second-level cache take 1.5 times those of the floor"
    )

    def item() -> Any:
        model = rl.models.ItemKNN(neighbors=100, neighbors_of="history").fit(Dataset(frame))
        return model, model.recommend(k=100)

    def user() -> Any:
        model = rl.models.UserKNN(neighbors=100).fit(Dataset(frame))
        return model, model.recommend(k=100)

    fitted, _ = item()
    work = _pair_work(fitted.seen_.transposed)
    work["additions"] += np.diff(fitted.neighbors_.indptr)[fitted.seen_.indices].sum()
    yield HotPath(name="Item-kNN, fit and top 100, 1 million interactions", ours=item, operations=work, rest=rest)
    fitted, _ = user()
    work = _pair_work(fitted.seen_)
    work["additions"] += np.diff(fitted.seen_.indptr)[fitted.neighbors_.codes].sum()
    yield HotPath(name="User-kNN, fit and top 100, 1 million interactions", ours=user, operations=work, rest=rest)


def factors(folder: Path) -> Iterator[HotPath]:
    """The best items from factors, and exact search among vectors."""
    from reclens.explore import top_k

    users, items, size = 10_000, 27_000, 128
    rng = np.random.default_rng(0)
    seen = pl.DataFrame({"user_id": np.arange(20 * users) % users, "item_id": np.arange(20 * users) % items})
    data, model = Dataset(seen), rl.models.ALS(factors=size, unobserved=0.1, l2=0.01)
    model.users_, model.items_, model.seen_ = data.user_vocabulary, data.item_vocabulary, data.matrix()
    model.train_, model.resolved_ = {}, {}
    model.user_factors_ = rng.normal(size=(users, size)).astype(np.float32)
    model.item_factors_ = rng.normal(size=(items, size)).astype(np.float32)
    yield HotPath(
        name=f"Top 100 of {items:,} items for {users:,} users, {size} dimensions",
        ours=lambda: model.recommend(k=100),
        operations={"flops": 2.0 * users * items * size},
        rest="products of 128 dimensions run below the rate of square matrices, and the best 100 of 27,000 scores take"
        " two passes",
    )
    vectors = rng.normal(size=(100_000, 384)).astype(np.float32)
    queries = np.ascontiguousarray(vectors[:512])
    yield HotPath(
        name="Exact search of 512 vectors among 100,000, 384 dimensions, top 10",
        ours=lambda: top_k(queries, vectors, 10),
        operations={"flops": 2.0 * len(queries) * vectors.size},
    )


def experiments(folder: Path) -> Iterator[HotPath]:
    """Sums of an A/B test from files and frames."""
    import duckdb

    from reclens.experiment import Plan
    from reclens.experiment.aggregate.gather import gather

    bench_experiment.make(folder, 1_000_000, 5)
    metrics = tuple({"name": f"m{at}", "value": f"y{at}", "covariates": (f"x{at}",)} for at in range(5))
    plan = Plan(name="floors", arms={"control": 0.5, "treatment": 0.5}, unit="user", metrics=metrics)
    file, frame = folder / "users.parquet", pl.read_parquet(folder / "users.parquet").rechunk()
    columns = [name for name in frame.columns if name[0] in "xy"]
    # Sums, squares and products within a metric: five of each pair of columns.
    work = {"products": 5.0 * 5 * frame.height}
    sums = ", ".join(f"sum({name})" for name in columns)

    def decoded() -> Any:
        with duckdb.connect(config={"threads": 2}) as connection:
            return connection.execute(f"SELECT variant, {sums} FROM '{file}' GROUP BY variant").fetchall()

    yield HotPath(
        name="A/B sums of 2 × 1 million users × 5 metrics with CUPED, Parquet",
        ours=lambda: gather(file, plan, check_units=False, threads=2),
        step=decoded,
        step_is="decoding and adding up the columns, by DuckDB",
        operations=work,
    )
    yield HotPath(
        name="A/B sums of 2 × 1 million users × 5 metrics with CUPED, Polars",
        ours=lambda: gather(frame, plan, check_units=False, threads=2),
        operations=work | {"bytes": 8.0 * len(columns) * frame.height},
        rest="three quarters: Polars filters the rows of an arm, multiplies and adds, two nanoseconds a sum and row; a "
        "sixth: an empty DuckDB, which looks for rows without a unit",
    )


def systems(users: int, n: int, segments: int) -> list[Any]:
    """Evaluations of systems with more and more hits, by three segmentations of so many segments each."""
    rng = np.random.default_rng(0)
    truth = pl.DataFrame({"user_id": np.repeat(np.arange(users), 10), "item_id": np.tile(np.arange(10), users)})
    by = {f"by{at}": pl.Series(rng.integers(0, segments, users).astype(str)) for at in range(3)}
    train = Dataset(truth, segments=pl.DataFrame({"user_id": np.arange(users)} | by))
    ranks, results = np.tile(np.arange(1, 11), users), []
    for system in range(n):
        hit = rng.random((users, 10)) < 0.1 + 0.01 * system
        items = np.where(hit, np.argsort(rng.random((users, 10)), axis=1), 10 + np.arange(10))
        lists = pl.DataFrame({"user_id": truth["user_id"], "item_id": items.ravel(), "rank": ranks})
        how: dict[str, Any] = {"train": train, "metrics": METRICS, "by": list(by), "name": f"s{system}"}
        results.append(rl.evaluate(lists, truth, **how))
    return results


def comparison(folder: Path) -> Iterator[HotPath]:
    """Ten systems with a baseline."""
    users, n = 6040, 10
    results = systems(users, n, 3)

    def ours() -> Any:
        return rl.compare(results, baseline="s0")

    yield HotPath(
        name=f"Comparison of {n} systems × 9 segments × 5 metrics, {users:,} users, 10,000 sign flips",
        ours=ours,
        operations=sums_of(ours),
        rest="intervals, and exact p-values of metrics with few distinct values, for 450 differences",
    )


def audit(folder: Path) -> Iterator[HotPath]:
    """A whole audit."""
    bench_audit.make_files(folder, users=100_000)
    tables = {name: pl.read_parquet(folder / f"{name}.parquet") for name in ("lists", "truth", "train")}
    users, items = (pl.read_parquet(folder / f"{name}.parquet") for name in ("users", "items"))
    train = Dataset(tables["train"], users=users, items=items)

    def ours() -> Any:
        how: dict[str, Any] = {"by": "group", "attributes": ["brand", "popularity"]}
        return rl.audit.run(tables["lists"], tables["truth"], train=train, **how)

    read = 16.0 * sum(table.height for table in tables.values())
    yield HotPath(
        name="Audit of 1 million list rows, ten groups, every measure with its interval",
        ours=ours,
        operations={"bytes": read} | sums_of(ours),
        rest="some thirty measures, each its own pass of NumPy over users × groups, so that each can be read alone",
    )


def monitor(folder: Path) -> Iterator[HotPath]:
    """A day of the monitor."""
    from reclens.monitor.day import run_day
    from reclens.monitor.project import Project

    bench_monitor.write_project(folder, 2, 1_000_000)
    day = bench_monitor.FIRST + timedelta(days=1)
    project, file = Project(folder), folder / "log" / f"{day}.parquet"
    yield HotPath(
        name="Indicators of a day of 1 million impressions, every slice",
        ours=lambda: run_day(project, day),
        step=lambda: pl.read_parquet(file),
        step_is="decoding the log",
        operations={"additions": 9.0 * 1_000_000 * 10},
        rest="half: the log is brought into one form and handed from DuckDB to Polars; half: groupings by every slice "
        "in SQL that dbt runs too",
    )


def reranking(folder: Path) -> Iterator[HotPath]:
    """Re-rankers of 6,040 lists of 100 candidates."""
    from reclens.pipeline.rerank import build
    from reclens.schema import Vocabulary

    lists, train = bench_rerank.lists_and_train(np.random.default_rng(0))
    n, depth, k, labels = bench_rerank.USERS, bench_rerank.DEPTH, bench_rerank.K, bench_rerank.LABELS
    chosen = float(n * k * depth)  # candidates that are looked at, place by place
    every: dict[str, tuple[str, dict[str, float], str]] = {
        "mmr": (
            "mmr, 18 labels",
            {"products": chosen * labels},
            "labels of all candidates, 87 MB, and a pass of NumPy a place",
        ),
        # An item has two labels on average: a logarithm of each, beside those of the list itself.
        "calibrated": (
            "calibrated, 18 labels",
            {"logarithms": 2 * chosen + 2 * labels * n * k},
            "labels of all candidates, 43 MB",
        ),
    }
    for name, (spec, work, rest) in every.items():
        made = build(bench_rerank.SPECS[spec])
        made.prepare(train, Vocabulary(pl.Series(range(bench_rerank.ITEMS))))
        yield HotPath(
            name=f"Re-ranking {n:,} lists of {depth} to {k}: {name}",
            ours=functools.partial(made.rerank, lists),
            operations=work,
            rest=rest,
        )


def reading(folder: Path) -> Iterator[HotPath]:
    """A log as CSV and as Parquet."""
    rows, file = 3_000_000, folder / "events.csv"
    bench_read.write_rows(file, rows)
    yield HotPath(
        name=f"Reading a CSV of {rows:,} events",
        ours=lambda: rl.read(str(file)),
        step=lambda: pl.read_csv(file),
        step_is="one parse by Polars",
    )
    parquet = file.with_suffix(".parquet")
    pl.read_csv(file).write_parquet(parquet)
    yield HotPath(
        name=f"Reading a Parquet file of {rows:,} events",
        ours=lambda: rl.read(str(parquet)),
        step=lambda: pl.read_parquet(parquet),
        step_is="decoding it by Polars",
        rest="checks of ids and times, and merging of repeated pairs, which a file of events has",
    )


MAKERS: Final[dict[str, Callable[[Path], Iterator[HotPath]]]] = {
    "evaluation": evaluation,
    "knn": neighbours,
    "factors": factors,
    "experiment": experiments,
    "comparison": comparison,
    "audit": audit,
    "monitor": monitor,
    "rerank": reranking,
    "read": reading,
}
"""Name -> the paths that share its data."""
