"""Queries in a warehouse give the numbers of DuckDB: on a real PostgreSQL, and on Sail in Spark's dialect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from postgres_server import postgres_server
from reclens.cli.app import app
from reclens.data import queries
from reclens.data.dataset import Dataset
from reclens.data.warehouse import Warehouse
from reclens.errors import ArgumentTypeError, DataError, StoreError, UsageError
from reclens.experiment.aggregate.gather import gather, gather_events
from reclens.experiment.analysis.readout import read_experiment
from reclens.experiment.planning.metric import Metric
from reclens.experiment.planning.plan import Plan
from reclens.monitor.log import COLUMNS
from reclens.monitor.queries import MARTS
from reclens.monitor.settings import LogSettings
from reclens.monitor.warehouse_marts import mart
from reclens.protocols import adapter
from warehouse_tables import DAY, assert_same_sums, hard_units, impressions, kind_in_postgres, ratings, units, visits

pytest.importorskip("sqlglot", reason="SQLGlot is not installed: pip install 'reclens[sql]'")


# ------------------------------------------------------------------------------------------------------ the warehouses


@pytest.fixture(scope="module")
def tables(small_data: Dataset) -> dict[str, pl.DataFrame]:
    made = units()
    films = small_data.items.select("item_id", "genres")
    facts = pl.DataFrame({"item_id": [f"i{v}" for v in range(30)], "category": ["x", "y", None] * 10})
    empty = {"new_item": pl.Boolean, "fresh_item": pl.Boolean, "information": pl.Float64}
    facts = facts.with_columns(pl.lit(None, kind).alias(name) for name, kind in empty.items())
    facts = pl.concat([facts.with_columns(day=pl.lit(DAY)), facts.with_columns(day=pl.lit(DAY + timedelta(days=1)))])
    found = {"ratings": ratings(small_data), "films": films, "units": made, "visits": visits(made)}
    found |= {f"hard_{seed}": hard_units(seed) for seed in range(3)}
    return found | {"shown": impressions(), "item_facts": facts}


@pytest.fixture(scope="module")
def here(tables: dict[str, pl.DataFrame]) -> Warehouse:
    connection = duckdb.connect()
    for name, table in tables.items():
        connection.register(name, table.to_arrow())
    return Warehouse(connection)


@pytest.fixture(scope="module")
def postgres(tables: dict[str, pl.DataFrame]) -> Iterator[Warehouse]:
    with postgres_server() as url:
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            for name, table in tables.items():
                columns = ", ".join(f'"{column}" {kind_in_postgres(kind)}' for column, kind in table.schema.items())
                connection.execute(f"CREATE TABLE {name} ({columns})")
                with connection.cursor().copy(f"COPY {name} FROM STDIN") as copy:
                    for row in table.iter_rows():
                        copy.write_row(row)
            yield Warehouse(connection)


@pytest.fixture(scope="module")
def spark(tables: dict[str, pl.DataFrame]) -> Iterator[Warehouse]:
    sail = pytest.importorskip("pysail.spark", reason="Sail is in the extra of the tests: pip install pysail")
    from reclens.edges._spark_session import spark_session
    from spark_tables import to_spark

    server = sail.SparkConnectServer("127.0.0.1", 0)
    server.start()
    session = spark_session(f"sc://127.0.0.1:{server.listening_address[1]}")
    session.conf.set("spark.sql.shuffle.partitions", "2")
    for name, table in tables.items():
        to_spark(session, table).createOrReplaceTempView(name)
    yield Warehouse(session)
    session.stop()  # first: at its end Python would try to reach a server that is gone
    server.stop()


@pytest.fixture(params=["postgres", "spark"])
def there(request: pytest.FixtureRequest) -> Warehouse:
    return request.getfixturevalue(request.param)


# ------------------------------------------------------------------------------------------------- the same numbers


def assert_alike(found: pl.DataFrame, known: pl.DataFrame) -> None:
    assert found.columns == known.columns
    assert_frame_equal(found.cast(dict(known.schema)), known, rel_tol=1e-12, abs_tol=1e-12)


def test_the_queries_of_a_log(there: Warehouse, here: Warehouse, tables: dict[str, pl.DataFrame]) -> None:
    for name in queries.names():
        asked: dict[str, Any] = {"at_least": 3} if "at_least" in queries.parameters(name) else {}
        known = queries.run(name, here, table="ratings", items="films", **asked)
        if name != "segment_favourite":  # that one reads the items
            assert_alike(queries.run(name, tables["ratings"], **asked), known)
        assert known.height > 20
        if there.speaks == "spark" and name == "segment_favourite":
            continue  # Sail 0.7 does not resolve the column of a LATERAL VIEW
        assert_alike(queries.run(name, there, table="ratings", items="films", **asked), known)


def test_the_favourites_are_those_of_the_data_set(here: Warehouse, small_data: Dataset) -> None:
    known = queries.run("segment_favourite", small_data).sort("user_id")
    here.connection.register("plain", small_data.events.select("user_id", "item_id").to_arrow())
    assert_alike(queries.run("segment_favourite", here, table="plain", items="films"), known)


PLAN = Plan(
    name="checkout",
    arms={"control": 0.5, "new": 0.5},
    metrics=(
        Metric(name="rate", kind="ratio", value="clicks", per="views", role="primary"),
        Metric(name="bought", kind="proportion", value="bought", role="secondary"),
        Metric(name="spent", kind="mean", value="spent", missing="leave_out", cap=20.0, role="secondary"),
        Metric(name="clicks", kind="mean", value="clicks", covariates=("clicks_before",), role="secondary"),
    ),
    segments=("country",),
)
LOGGED = Plan(
    name="logged",
    arms={"control": 0.5, "new": 0.5},
    start=DAY,
    metrics=(
        Metric(name="clicks", kind="mean", value="clicks", covariates=("clicks_before",), role="primary"),
        Metric(name="bought", kind="proportion", value="bought", role="secondary"),
        Metric(name="spent", kind="mean", value="spent", missing="leave_out", role="secondary"),
    ),
    segments=("country",),
)


def test_the_sums_of_an_experiment(there: Warehouse, tables: dict[str, pl.DataFrame]) -> None:
    known = gather(tables["units"], PLAN, day="first_day")

    assert_same_sums(gather(there, PLAN, day="first_day", table="units"), known)
    assert_same_sums(gather_events(there, LOGGED, table="visits"), gather_events(tables["visits"], LOGGED))
    once = gather_events(there, LOGGED, table="visits", duplicates="drop")
    assert_same_sums(once, gather_events(tables["visits"], LOGGED, duplicates="drop"))


def test_an_experiment_is_read_and_what_is_left_out_is_said(
    postgres: Warehouse, tables: dict[str, pl.DataFrame]
) -> None:
    far = read_experiment(PLAN, postgres, table="units", day="first_day")
    near = read_experiment(PLAN, tables["units"], day="first_day")

    for theirs, ours in zip(far.effects, near.effects, strict=True):
        assert theirs.found.treatment == pytest.approx(ours.found.treatment, rel=1e-12)
        assert theirs.found.se == pytest.approx(ours.found.se, rel=1e-9)
    skipped = {check.code for check in far.trust_checks if check.status == "skipped"}
    assert skipped - {check.code for check in near.trust_checks if check.status == "skipped"} == {"outliers"}


def test_triggered_units(postgres: Warehouse, tables: dict[str, pl.DataFrame]) -> None:
    plan = PLAN.model_copy(update={"triggered": "bought", "metrics": PLAN.metrics[2:]})

    known = gather(tables["units"], plan, day="first_day")

    assert known.untriggered is not None
    assert_same_sums(gather(postgres, plan, day="first_day", table="units"), known)
    listed = plan.model_copy(update={"triggered": "SELECT user_id FROM units WHERE bought = 1"})
    assert_same_sums(gather(postgres, listed, day="first_day", table="units"), known)
    logged = LOGGED.model_copy(update={"triggered": "bought"})
    found = gather_events(postgres, logged, table="visits")
    assert_same_sums(found, gather_events(tables["visits"], logged))
    wide = plan.model_copy(update={"triggered": "SELECT user_id, clicks FROM units"})
    with pytest.raises(UsageError, match="has 2 columns; expected one, of user_id"):
        gather(postgres, wide, table="units")


@pytest.mark.parametrize("seed", range(3))
def test_effects_of_hard_values_are_those_of_one_machine(
    there: Warehouse, tables: dict[str, pl.DataFrame], seed: int
) -> None:
    """So are rates of false positives and coverage of intervals, whose simulations are of one machine."""
    rows = tables[f"hard_{seed}"]
    names = ("tied", "zeros", "heavy", "far")
    metrics = [Metric(name=name, value=name, covariates=("before",), role="secondary") for name in names]
    metrics[0] = metrics[0].model_copy(update={"role": "primary"})
    metrics.append(Metric(name="ratio", kind="ratio", value="zeros", per="heavy", role="secondary"))
    plan = Plan(name="hard", arms={"control": 0.9, "new": 0.1}, metrics=tuple(metrics), segments=("few",))

    near = read_experiment(plan, rows)
    far = read_experiment(plan, there, table=f"hard_{seed}")

    assert_same_sums(gather(there, plan, table=f"hard_{seed}"), gather(rows, plan))
    for theirs, ours in zip(far.effects, near.effects, strict=True):
        for name in ("control", "treatment", "se", "relative_se", "statistic", "df", "p_value"):
            found, known = getattr(theirs.found, name), getattr(ours.found, name)
            assert found == pytest.approx(known, rel=1e-9, abs=1e-12), (ours.metric.name, name)
        for end in ("low", "high"):
            limits = [getattr(each.found.absolute, end) for each in (theirs, ours)]
            assert limits[0] == pytest.approx(limits[1], rel=1e-9, abs=1e-12), (ours.metric.name, end)


def test_the_daily_marts(there: Warehouse, here: Warehouse) -> None:
    settings = LogSettings(path=".", cutoff=3, hit_at=2, late_after=0.5, list_length=4)
    how: dict[str, Any] = {"table": "shown", "item_facts": "item_facts", "settings": settings}

    for name in MARTS:
        known, found = mart(name, here, **how), mart(name, there, **how)
        keys = [column for column in known.columns if known.schema[column] in (pl.String, pl.Date)]
        assert known.height > 5 and known["day"].n_unique() > 1, name
        assert_alike(found.sort([*keys, *known.columns]), known.sort([*keys, *known.columns]))
        one = mart(name, there, **how, day=DAY)
        assert one["day"].unique().to_list() == [DAY] and one.height == known.filter(day=DAY).height


def test_a_mart_counts_by_hand(here: Warehouse) -> None:
    rows = {
        "timestamp": [datetime(2026, 1, 5, 12)] * 3,
        "user_id": ["u"] * 3,
        "item_id": ["a", "b", "b"],
        "position": [1, 2, 3],
        "clicked": [False, True, None],
        "request_id": ["r"] * 3,
    }
    here.connection.register("three", pl.DataFrame(rows).to_arrow())

    lists = mart("daily_lists", here, table="three", settings=LogSettings(path=".", list_length=4)).row(0, named=True)

    # One list of three items, short of four, its first click at place 2; DCG is 1/log2(3) of an ideal of 1.
    assert (lists["requests"], lists["items"], lists["short"], lists["hits"]) == (1, 3, 1, 1)
    assert lists["reciprocal_rank"] == 0.5 and lists["ndcg"] == pytest.approx(1 / np.log2(3))
    assert mart("duplicates", here, table="three")["repeated"].sum() == 1.0  # two rows of which one is too many
    shown = mart("item_exposure", here, table="three").filter(dimension="overall")
    assert dict(shown.select("item_id", "shown").iter_rows()) == {"a": 1, "b": 2}


# ------------------------------------------------------------------------------------------------ the command line


@pytest.fixture
def environment(postgres: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    about = postgres.connection.info
    found = {"PGHOST": about.host, "PGPORT": about.port, "PGUSER": about.user, "PGDATABASE": about.dbname}
    for name, value in found.items():
        monkeypatch.setenv(name, str(value))


def csv_of(capsys: pytest.CaptureFixture[str], *argv: str) -> pl.DataFrame:
    app([*argv, "--format", "csv"], standalone_mode=False)
    return pl.read_csv(capsys.readouterr().out.encode(), comment_prefix="#")


@pytest.mark.usefixtures("environment")
def test_the_command_line_runs_queries_and_marts(capsys: pytest.CaptureFixture[str], here: Warehouse) -> None:
    argv = ["data", "sql", "item_popularity", "--data", "postgres:ratings", "--param", "at_least=5"]
    known = queries.run("item_popularity", here, table="ratings", at_least=5)
    assert csv_of(capsys, *argv)["item_id"].to_list() == known["item_id"].to_list()
    favourite = ["data", "sql", "segment_favourite", "--data", "postgres:ratings", "--items", "postgres:films"]
    assert csv_of(capsys, *favourite).height > 20
    exposure = csv_of(capsys, "monitor", "sql", "item_exposure", "postgres:shown", "--day", "2026-01-05")
    assert exposure["shown"].sum() == mart("item_exposure", here, table="shown", day=DAY)["shown"].sum()
    for wrong in (
        ["data", "sql", "interactions", "--data", "postgres:"],
        ["data", "sql", "interactions", "--data", "postgres:ratings", "--read", "delimiter=;"],
        ["data", "sql", "interactions", "--data", "postgres:ratings", "--dialect", "snowflake"],
        ["monitor", "sql", "latency", "shown", "--day", "2026-01-05"],
    ):
        with pytest.raises(SystemExit) as ended:
            app(wrong, standalone_mode=False)
        assert ended.value.code == 2


@pytest.mark.usefixtures("environment")
def test_the_command_line_reads_an_experiment(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(
        'name = "checkout"\nsegments = ["country"]\n[arms]\ncontrol = 0.5\nnew = 0.5\n'
        '[[metrics]]\nname = "rate"\nkind = "ratio"\nvalue = "clicks"\nper = "views"\nrole = "primary"\n'
    )
    with pytest.raises(SystemExit):
        app(["experiment", "read", str(file), "postgres:units", "--table", "units"], standalone_mode=False)
    assert "do not apply there" in capsys.readouterr().err
    argv = ["experiment", "read", str(file), "postgres:units", "--day", "first_day", "--format", "csv"]
    with suppress(SystemExit):  # 1 where an arm must not be shipped
        app(argv, standalone_mode=False)
    assert "rate" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------------------------ bad input


def test_a_table_and_a_column_that_are_not_there(there: Warehouse, here: Warehouse) -> None:
    with pytest.raises(DataError, match=r"the query failed: .*nosuch"):
        queries.run("user_activity", there, table="nosuch")
    with pytest.raises(DataError, match="there is no column 'user_id'"):
        queries.run("user_activity", there, table="films")
    with pytest.raises(DataError, match="there is no column 'item_id'; there are user_id, timestamp"):
        mart("latency", there, table="visits")
    with pytest.raises(UsageError, match="expected the table of events"):
        queries.run("user_activity", here)
    with pytest.raises(UsageError, match="names a table of a warehouse"):
        queries.run("user_activity", pl.DataFrame({"user_id": [1], "item_id": [1]}), table="ratings")


def test_a_driver_that_is_not_known_needs_a_dialect() -> None:
    with pytest.raises(ArgumentTypeError, match="a dialect beside it"):
        Warehouse(object())


def test_a_connection_that_is_lost(postgres: Warehouse) -> None:
    import psycopg

    info = postgres.connection.info
    mine = psycopg.connect(info.dsn, autocommit=True)
    lost = Warehouse(mine)
    # The server ends the session in the middle of the work.
    postgres.connection.execute("SELECT pg_terminate_backend(%s)", (mine.info.backend_pid,))
    with pytest.raises(StoreError, match="the connection to postgres was lost") as found:
        queries.run("user_activity", lost, table="ratings")
    assert found.value.code == "down"


def test_errors_of_a_query_are_no_lost_connection(postgres: Warehouse) -> None:
    import duckdb

    # Both are operational errors, as a connection that is gone is one.
    with postgres.connection.transaction(force_rollback=True):
        postgres.connection.execute("SET LOCAL statement_timeout = '20ms'")
        with pytest.raises(DataError, match="canceling statement due to statement timeout"):
            postgres.rows("SELECT pg_sleep(5)")
    with duckdb.connect() as mine:
        local = Warehouse(mine)
        with pytest.raises(DataError, match="the query failed: IO Error"):
            local.rows("SELECT * FROM read_parquet('/nowhere/at.parquet')")
    with pytest.raises(StoreError, match="the connection to duckdb was lost"):
        local.rows("SELECT 1")


def test_a_server_that_is_down_tells_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'reclens[pgvector]'")
    for name, value in {"PGHOST": "127.0.0.1", "PGPORT": "1", "PGUSER": "me", "PGPASSWORD": "s3cr3t-Pa55"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StoreError, match=r"PostgreSQL cannot be reached.*PGPASSWORD") as found:
        adapter("postgres:log", Warehouse)
    assert "s3cr3t" not in str(found.value) and found.value.__suppress_context__


def test_times_with_a_zone_are_those_of_utc(postgres: Warehouse) -> None:
    postgres.connection.execute("CREATE TABLE zoned (user_id BIGINT, item_id BIGINT, timestamp TIMESTAMPTZ)")
    postgres.connection.execute("INSERT INTO zoned VALUES (1, 2, '2026-01-05 23:30-02'), (1, 3, '2026-01-06 00:30+00')")

    found = queries.run("user_activity", postgres, table="zoned").row(0, named=True)

    assert found["active_days"] == 1  # 01:30 and 00:30 of one day in UTC
    assert found["last_at"] == datetime(2026, 1, 6, 1, 30, tzinfo=UTC)


def test_every_column_of_the_schema_is_read(here: Warehouse) -> None:
    names = ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in COLUMNS.items())
    here.connection.execute(f"CREATE OR REPLACE TABLE nothing AS SELECT {names} WHERE FALSE")
    assert all(mart(name, here, table="nothing").is_empty() for name in MARTS)
