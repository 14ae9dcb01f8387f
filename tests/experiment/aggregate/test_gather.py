"""Sums of an experiment: every backend against float64 NumPy, days and partitions that add up, and bad input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest

from reclens.errors import DataError, IncomparableError, UnknownNameError, UsageError
from reclens.experiment import Plan
from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.aggregate.gather import gather, gather_events
from reclens.experiment.aggregate.metric_columns import metric_columns_of
from reclens.experiment.analysis.readout import read_experiment

N = 200_000


def plan(**more: Any) -> Plan:
    metrics = (
        {"name": "clicks", "value": "clicks", "covariates": ("clicks_before",)},
        {"name": "far", "value": "far", "role": "secondary", "covariates": ("before/weight",)},
        {"name": "ratio", "kind": "ratio", "value": "clicks", "per": "views", "role": "secondary"},
    )
    return Plan(**({"name": "t", "arms": {"old": 0.5, "new": 0.5}, "metrics": metrics} | more))


@pytest.fixture(scope="module")
def users() -> pl.DataFrame:
    """Users; in the column ``far``, the arms' means stand ten standard deviations apart, at a million."""
    rng = np.random.default_rng(3)
    arm = rng.integers(0, 2, N)
    before = rng.gamma(1, 1, N)
    return pl.DataFrame(
        {
            "user_id": rng.permutation(N),
            "variant": np.array(["old", "new"])[arm],
            "clicks_before": before,
            "clicks": rng.poisson(1 + before),
            "views": rng.poisson(20, N) + 1,
            "before": rng.normal(0, 1, N),
            "far": 1e6 + 10.0 * arm + rng.normal(0, 1, N),
            "weight": rng.random(N) + 1,
            "day": pl.Series(np.datetime64("2026-01-05") + rng.integers(0, 7, N)),
            "activity": rng.choice(["a", "b", "c"], N),
        }
    )


COLUMNS = ["clicks", "clicks_before", "views", "far", "before", "weight"]


PAIRS = [("clicks", "clicks_before"), ("far", "before"), ("before", "weight"), ("clicks", "views")]


def assert_numpy(found: Aggregates, users: pl.DataFrame, **where: Any) -> None:
    """Means, variances and covariances to nine digits of NumPy's."""
    for arm in ("old", "new"):
        rows = users.filter(variant=arm)
        moments = found.arm(arm, **where)
        assert moments.n == rows.height
        for name in COLUMNS:
            values = rows[name].to_numpy().astype(np.float64)
            assert moments.value(name) == pytest.approx(values.mean(), rel=1e-9)
            assert moments.variance(name) == pytest.approx(values.var(ddof=1), rel=1e-9)
        for one, two in PAIRS:
            expected = np.cov(rows[one].to_numpy().astype(float), rows[two].to_numpy().astype(float))
            scale = np.sqrt(expected[0, 0] * expected[1, 1])
            assert moments.covariances([one, two])[0, 1] / scale == pytest.approx(expected[0, 1] / scale, abs=1e-9)


@pytest.fixture(scope="module")
def backends(users: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("users")
    users.write_parquet(folder / "users.parquet")
    users.write_csv(folder / "users.csv")
    (folder / "parts").mkdir()
    for i in range(4):
        users[i::4].write_parquet(folder / "parts" / f"{i}.parquet")
    with duckdb.connect(str(folder / "users.duckdb")) as database:
        database.execute(f"CREATE TABLE users AS FROM '{folder / 'users.parquet'}'")
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE users AS FROM '{folder / 'users.parquet'}'")
    return {
        "Parquet": (folder / "users.parquet", {}),
        "Parquet folder": (folder / "parts", {}),
        "CSV": (str(folder / "users.csv"), {}),
        "DuckDB file": (folder / "users.duckdb", {"table": "users"}),
        "DuckDB connection": (connection, {"table": "main.users"}),
        "query": (connection, {"query": "SELECT * FROM users"}),
        "Polars": (users, {}),
        "Arrow": (users.to_arrow(), {}),
        "pandas": (users.to_pandas(), {}),
    }


@pytest.mark.parametrize(
    "name",
    ["Parquet", "Parquet folder", "CSV", "DuckDB file", "DuckDB connection", "query", "Polars", "Arrow", "pandas"],
)
def test_every_backend_equals_numpy(users, backends, name: str) -> None:
    source, options = backends[name]
    found = gather(source, plan(), segments=(), check_units=name == "Parquet", **options)
    assert_numpy(found, users)


def test_repeated_runs_give_the_same_numbers(backends) -> None:
    source, options = backends["Parquet"]
    runs = [gather(source, plan(), check_units=False, threads=2, **options) for _ in range(4)]
    for other in runs[1:]:
        for cell, moments in runs[0].cells.items():
            size = np.sqrt(np.outer(np.diag(moments.cross), np.diag(moments.cross)))
            assert np.nanmax(np.abs(other.cells[cell].cross - moments.cross) / size) < 1e-12
            np.testing.assert_allclose(other.cells[cell].mean, moments.mean, rtol=1e-12)


def test_days_and_segments_add_up_to_the_whole(users) -> None:
    found = gather(users, plan(), day="day", segments=["activity"], check_units=False)
    assert len(found.days) == 7 and found.days[0] == "2026-01-05" and found.segments("activity") == ("a", "b", "c")
    assert_numpy(found, users)
    assert_numpy(found, users.filter(pl.col("day") < pl.date(2026, 1, 7)), days=found.days[:2])
    assert_numpy(found, users.filter(activity="b"), by="activity", segment="b")


def test_partitions_add_up_to_the_whole(users) -> None:
    parts = [gather(users[i::3], plan(), day="day", check_units=False) for i in range(3)]
    assert_numpy(parts[0] + parts[1] + parts[2], users)


def test_rows_of_sums_come_back_whole(users) -> None:
    found = gather(users[:5000], plan(), day="day", segments=["activity"])
    again = Aggregates.of_rows(found.to_rows(), arms=found.arms)
    assert again.cells.keys() == found.cells.keys()
    for cell, moments in found.cells.items():
        np.testing.assert_allclose(again.cells[cell].mean, moments.mean, rtol=1e-15)
        np.testing.assert_allclose(again.cells[cell].cross, moments.cross, rtol=1e-15, atol=1e-12)


def test_another_engine_can_make_the_sums(users) -> None:
    # The rows that the module describes, by Polars here, as Spark or a warehouse would make them.
    columns = ["clicks", "clicks_before", "views", "far", "before", "weight"]
    pairs = [*((name, name) for name in columns), *PAIRS]
    shift = {"far": 1e6}
    at = {name: pl.col(name).cast(pl.Float64) - shift.get(name, 0.0) for name in columns}
    rows = users.group_by(arm="variant", day=pl.col("day").cast(pl.String)).agg(
        n=pl.len(),
        **{f"sum:{name}": at[name].sum() for name in columns},
        **{f"product:{a}:{b}": (at[a] * at[b]).sum() for a, b in pairs},
        **{f"shift:{name}": pl.lit(value) for name, value in shift.items()},
    )
    assert_numpy(Aggregates.of_rows(rows.to_dicts(), arms=["old", "new"]), users)


def small(**columns: Any) -> pl.DataFrame:
    base = {
        "user_id": [1, 2, 3, 4, 5, 6],
        "variant": ["old", "new"] * 3,
        "clicks": [1, 2, 3, 4, 5, 7],
        "clicks_before": [1.0, 2.0, 2.0, 3.0, 1.0, 2.0],
        "far": [1, 2, 3, 4, 5, 6],
        "before": [1, 0, 1, 0, 2, 1],
        "weight": [1, 2, 1, 2, 1, 1],
        "views": [9] * 6,
    }
    return pl.DataFrame(base | columns)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"user_id": [1, 1, 3, 4, 5, 6]}, "1 units stand in two arms, such as 1; expected one arm a unit"),
        ({"user_id": [1, 2, 1, 4, 5, 6]}, "6 rows hold 5 units, and 0 of these stand in two arms; expected one row"),
        (
            {"variant": ["old", "new", "newer"] * 2},
            r"arms that the plan does not have: 'newer' \(2 units\); expected old",
        ),
        ({"variant": ["old", "new", None] * 2}, r"does not have: '\(missing\)' \(2 units\)"),
        ({"variant": ["old"] * 6}, "no units in the arm new"),
        ({"views": [9, 9, 9, 9, 9, -1]}, "column 'views': the smallest value is -1; expected a count"),
        ({"clicks": [1, 2, 3, None, 5, 6]}, "column 'clicks': 1 units have no value"),
        ({"clicks": [1.0, 2.0, 3.0, float("inf"), 5.0, 6.0]}, "column 'clicks': a value is not a number, or infinite"),
        ({"user_id": [1, None, 3, None, 5, 6]}, "column 'user_id': 2 rows name no unit; expected one in every row"),
        ({"far": ["a", "b", "c", "d", "e", "f"]}, "cannot be summed up"),
    ],
)
def test_bad_rows_are_named(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        gather(small(**columns), plan())


def test_shares_are_0_or_1() -> None:
    share = plan(metrics=({"name": "returned", "kind": "proportion", "value": "clicks"},))
    with pytest.raises(DataError, match="the value 7; expected 0 or 1"):
        gather(small(), share)
    for odd in (0.5, -1.0):  # minutes as a share of the hour lie within 0 … 1 too, and are no share of units
        with pytest.raises(DataError, match=f"the value {odd:g}; expected 0 or 1"):
            gather(small(clicks=[0.0, 1.0, 1.0, 0.0, 1.0, odd]), share)
    home = plan(metrics=({"name": "returned", "kind": "proportion", "value": "clicks"},), cluster="views")
    with pytest.raises(DataError, match=r"the value 0\.5; expected 0 or 1"):
        gather_events(small(clicks=[0.0, 1.0, 1.0, 0.0, 1.0, 0.5], views=range(6)), home, time=None)
    assert gather(small(clicks=[0, 1, 1, 0, 1, 1]), share).arm("old").value("clicks") == pytest.approx(2 / 3)


def test_negative_counts_are_an_error_and_refunds_are_not() -> None:
    negative = {"clicks": [1, 2, 3, 4, 5, -7]}
    with pytest.raises(DataError, match="column 'clicks': the smallest value is -7; expected a count"):
        gather(small(**negative), plan())  # whole numbers over a denominator are counts
    only = plan(metrics=({"name": "far", "value": "far"},))
    with pytest.raises(DataError, match="column 'far': the smallest value is -2"):
        gather(small(far=[1, 2, 3, 4, 5, -2]), only, counts=["far"])
    assert gather(small(far=[1, 2, 3, 4, 5, -2]), only).arm("new").value("far") == pytest.approx(4 / 3)
    with pytest.raises(DataError, match="column 'far': the smallest value is -2"):
        read_experiment(only, small(far=[1, 2, 3, 4, 5, -2]), counts=["far"])
    refund = small(clicks=[1.5, 2.5, 3.0, 4.0, 5.0, -7.5])
    assert gather(refund, plan()).arm("new").value("clicks") == pytest.approx(-1 / 3)


def test_what_may_be_left_out_is_left_out_and_counted() -> None:
    crossed = gather(small(user_id=[1, 1, 3, 4, 5, 6]), plan(), two_arms="drop")
    assert crossed.arm("old").n == 2 and crossed.arm("new").n == 2
    assert (crossed.rules[0].code, crossed.rules[0].count, crossed.rules[0].column) == ("two_arms", 1, "user_id")
    stranger = gather(small(variant=["old", "new", "x", "old", "new", "old"]), plan(), unknown_arms="drop")
    assert stranger.arm("old").n == 3 and stranger.rules[0].arms == {"x": 1}


def test_missing_covariates_are_indicated() -> None:
    found = gather(small(clicks_before=[1.0, None, 2.0, 3.0, None, 2.0]), plan())
    assert found.indicators == ("clicks_before",)
    assert (found.rules[0].column, found.rules[0].count) == ("clicks_before", 2)
    columns = metric_columns_of(plan().metrics, indicators=found.indicators)["clicks"]
    assert columns.covariates == ("clicks_before", "clicks_before is missing")
    assert found.arm("old").value("clicks_before") == 1.0  # (1 + 2 + 0) ÷ 3
    assert found.arm("new").value("clicks_before is missing") == pytest.approx(1 / 3)
    with pytest.raises(IncomparableError, match="indicators=True"):
        found + gather(small(), plan())
    alike = gather(small(), plan(), indicators=True)
    assert set(alike.columns) > set(found.columns)


def test_arms_of_one_unit_and_flat_metrics_are_flagged() -> None:
    lone = gather(small(variant=["old"] * 5 + ["new"]), plan())
    assert [(rule.code, rule.arm) for rule in lone.rules] == [("one_unit", "new")]
    flat = gather(small(clicks=[1] * 6), plan())
    assert {rule.code for rule in flat.rules} == {"no_variance"}
    assert [(rule.metric, rule.arm) for rule in flat.rules] == [
        ("clicks", "old"),
        ("ratio", "old"),
        ("clicks", "new"),
        ("ratio", "new"),
    ]


def test_values_are_cut_off_where_the_plan_says_so() -> None:
    capped = plan(metrics=({"name": "clicks", "value": "clicks", "cap": 4.0},))
    assert gather(small(), capped).arm("new").value("clicks up to 4") == pytest.approx((2 + 4 + 4) / 3)


def test_wrong_calls_are_explained(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"stand in 'variant'.*by arm=\"variant\""):
        gather(small(), plan(), arm="variants")
    with pytest.raises(DataError, match="no such file"):
        gather(tmp_path / "none.parquet", plan())
    with pytest.raises(UsageError, match="source is an int, expected a path"):
        gather(3, plan())
    with pytest.raises(UsageError, match="a table is named"):
        gather(small(), plan(), table="users")
    with pytest.raises(UsageError, match="randomises whole 'home'"):
        gather(small(), plan(cluster="home"))
    with pytest.raises(UsageError, match="two_arms is 'keep'"):
        gather(small(), plan(), two_arms="keep")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(DataError, match="cannot be read"):
        gather(tmp_path / "broken.parquet", plan())


def test_names_are_data() -> None:
    odd = small().rename({"clicks": 'a"; DROP TABLE source; --', "variant": "v'ariant"})
    metric = {"name": "odd", "value": 'a"; DROP TABLE source; --'}
    found = gather(odd, plan(metrics=(metric,)), arm="v'ariant")
    assert found.arm("old").value('a"; DROP TABLE source; --') == 3.0


def test_tails_keep_their_digits_far_from_zero() -> None:
    # Seconds since 1970 with a spread of one: squares of 1.7e9 have lost all digits of it.
    rng = np.random.default_rng(2)
    y = 1.7e9 + rng.normal(0, 1, 4000)
    rows = pl.DataFrame({"user_id": range(4000), "variant": ["old", "new"] * 2000, "y": y})
    rows = rows.with_columns(v=rng.integers(1, 9, 4000))
    metrics = (
        {"name": "y", "value": "y"},
        {"name": "ratio", "kind": "ratio", "value": "y", "per": "v", "role": "secondary"},
    )
    found = gather(rows, plan(metrics=metrics), tails=True).tails
    assert found is not None
    cut = np.minimum(y, found.caps["y"])
    assert found.caps["y"] == np.sort(y)[int(np.ceil(0.999 * 4000)) - 1]
    column = found.metric_columns["y"].columns[0]
    for arm, values in (("old", cut[::2]), ("new", cut[1::2])):
        assert found.arms[arm].variance(column) == pytest.approx(values.var(ddof=1), rel=1e-6)
        assert found.arms[arm].value(column) == pytest.approx(values.mean(), rel=1e-15)
        assert found.largest["y", arm] == (y[::2] if arm == "old" else y[1::2]).max()


class Counted(dict[Any, Any]):
    """A dictionary that counts how many of its entries were walked over."""

    walked = 0

    def items(self) -> Any:
        for pair in super().items():
            self.walked += 1
            yield pair


def test_a_thousand_segments_are_walked_once() -> None:
    # 1,000 segments × 2 arms × 3 days: reading every segment may walk the cells a few times, not a thousand times.
    rows = [
        {
            "arm": arm,
            "day": f"2026-01-0{day}",
            "by": "place",
            "segment": str(i),
            "n": 2,
            "sum:y": float(i + day),
            "product:y:y": 1e4,
        }
        for arm in ("old", "new")
        for day in (5, 6, 7)
        for i in range(1000)
    ]
    read = Aggregates.of_rows(rows, arms=["old", "new"])
    cells = Counted(read.cells)
    sums = replace(read, cells=cells)
    assert len(sums.segments("place")) == 1000
    for i in range(1000):
        whole = sums.arm("new", by="place", segment=str(i))
        assert (whole.n, whole.sum("y")) == (6, pytest.approx(3 * i + 18))
        assert sums.arm("old", by="place", segment=str(i), days=["2026-01-06"]).sum("y") == pytest.approx(i + 6)
    assert cells.walked <= 3 * len(cells)
