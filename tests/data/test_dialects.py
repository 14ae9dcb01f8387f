"""The shipped SQL in the dialects of warehouses: it parses in each, and what one reads otherwise is rewritten."""

from __future__ import annotations

import functools

import pytest

from reclens.data import queries
from reclens.data.dialects import DIALECTS, table_in, translated
from reclens.errors import MissingExtraError, UnknownNameError, UsageError
from reclens.experiment.aggregate.metric_columns import metric_columns_of
from reclens.experiment.aggregate.query import Window, layout, per_unit, sums_query
from reclens.experiment.planning.metric import Metric
from reclens.monitor import warehouse_marts
from reclens.monitor.queries import MARTS

sqlglot = pytest.importorskip("sqlglot", reason="SQLGlot is not installed: pip install 'reclens[sql]'")

METRICS = (
    Metric(name="rate", kind="ratio", value="clicks", per="views", role="primary"),
    Metric(name="spent", kind="mean", value="spent", cap=20.0, covariates=("spent_before",), role="secondary"),
)


@functools.cache
def _every() -> dict[str, str]:
    """Every query that is sent to a warehouse, in DuckDB's SQL, with its values."""
    plan = layout(METRICS, metric_columns_of(METRICS, indicators=("spent_before",)), indicators=("spent_before",))
    by_unit = per_unit("log", unit="user_id", arm="variant", sums=["clicks"], segments=["country"], window=Window())
    found = {name: translated(queries.text(name), "duckdb", queries.parameters(name)) for name in queries.names()}
    found |= {name: warehouse_marts.mart_sql(name, table="log") for name in MARTS}
    found["sums"] = sums_query('"units"', plan, arm="variant", day="first_day", segments=["country", "age"])
    return found | {"by unit": by_unit}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_query_parses_in_the_dialect_and_keeps_its_columns(dialect: str) -> None:
    every = _every()
    assert len(every) == 8 + len(MARTS) + 2
    for name, text in every.items():
        known, written = sqlglot.parse_one(text, read="duckdb"), translated(text, dialect)
        found = sqlglot.parse_one(written, read=dialect)
        names = [each.lower() for each in found.named_selects]
        if name not in ("sums",):
            assert names == [each.lower() for each in known.named_selects], name
        assert not list(found.find_all(sqlglot.exp.Placeholder, sqlglot.exp.Parameter)), name
        functions = {each.name.lower() for each in found.find_all(sqlglot.exp.Anonymous)}
        # What no dialect knew would stand there as it was.
        assert not functions - {"greatest_ignore_nulls", "least_ignore_nulls"}, (name, functions)


@pytest.mark.parametrize(
    ("text", "dialect", "expected"),
    [
        # The ratio of integers is a decimal of six places in Snowflake, and an integer in PostgreSQL.
        ("SELECT a / b AS r FROM t", "snowflake", "SELECT CAST(a AS DOUBLE) / b AS r FROM t"),
        ("SELECT a / b AS r FROM t", "postgres", "SELECT CAST(a AS DOUBLE PRECISION) / b AS r FROM t"),
        ("SELECT a // b AS r FROM t", "snowflake", "SELECT FLOOR(CAST(a AS DOUBLE) / b) AS r FROM t"),
        # A name in quotes keeps its case, and Snowflake's own are in capitals.
        ('SELECT "variant" FROM "t"', "snowflake", 'SELECT "VARIANT" FROM "T"'),
        ('SELECT "Days since" FROM t', "snowflake", 'SELECT "Days since" FROM t'),
        ('SELECT "a b" FROM t', "bigquery", "SELECT `a b` FROM t"),
        ("SELECT any_value(x) AS x FROM t", "bigquery", "SELECT MAX(x) AS x FROM t"),
        ("SELECT count(*) FILTER (x > 1) AS n FROM t", "bigquery", "SELECT COUNTIF(x > 1) AS n FROM t"),
        ("SELECT sum(x) FILTER (y) AS n FROM t", "snowflake", "SELECT SUM(IFF(y, x, NULL)) AS n FROM t"),
        (
            "SELECT GROUPING(a, b) AS g FROM t GROUP BY GROUPING SETS ((a), (b))",
            "spark",
            "SELECT (2 * GROUPING(a) + 1 * GROUPING(b)) AS g FROM t GROUP BY GROUPING SETS ((a), (b))",
        ),
        ("SELECT n FROM (SELECT 1 AS n)", "postgres", "SELECT n FROM (SELECT 1 AS n) AS part"),
        ("SELECT round(x, 9) AS x FROM t", "postgres", "SELECT ROUND(CAST(x AS DECIMAL), 9) AS x FROM t"),
        ("SELECT count(*), count(*) FROM t", "spark", "SELECT COUNT(*) AS c0_, COUNT(*) AS c1_ FROM t"),
        (
            "SELECT t + CAST(0.5 AS DOUBLE) * INTERVAL '1 hour' AS late FROM t",
            "bigquery",
            "SELECT t + INTERVAL '1800000000' MICROSECOND AS late FROM t",
        ),
        (
            "SELECT p FROM generate_series(1, 3) AS places (p)",
            "spark",
            "SELECT p FROM VALUES (1), (2), (3) AS places(p)",
        ),
    ],
)
def test_what_a_dialect_reads_otherwise_is_rewritten(text: str, dialect: str, expected: str) -> None:
    assert translated(text, dialect) == expected


def test_values_are_literals_of_the_dialect_and_never_sql() -> None:
    text = "SELECT x FROM t WHERE x = $said"
    evil = "'; DROP TABLE t; --\\'"

    for dialect in DIALECTS:
        tree = sqlglot.parse_one(translated(text, dialect, {"said": evil}), read=dialect)
        assert tree.find(sqlglot.exp.Where).this.expression.this == evil, dialect
    listed = translated("SELECT len($l) AS n, list_extract($l, p + 1) AS l FROM t", "postgres", {"l": ["a", "it's"]})
    assert listed == "SELECT 2 AS n, CASE p + 1 WHEN 1 THEN 'a' WHEN 2 THEN 'it''s' END AS l FROM t"


def test_a_name_of_a_table_is_a_name_and_never_sql() -> None:
    assert table_in("shop.events", "snowflake") == "shop.events"
    for dialect in DIALECTS:
        name = table_in("events; DROP TABLE users", dialect)
        assert (
            sqlglot.parse_one(f"SELECT * FROM {name}", read="duckdb").find(sqlglot.exp.Table).name.startswith("events;")
        )


def test_the_command_line_prints_a_query_of_each_dialect(capsys: pytest.CaptureFixture[str]) -> None:
    from reclens.cli.app import app

    for argv in (
        ["data", "sql", "segment_activity", "--dialect", "bigquery"],
        ["monitor", "sql", "latency", "shop.log", "--dialect", "bigquery"],
    ):
        app(argv, standalone_mode=False)
        text = capsys.readouterr().out
        assert sqlglot.parse_one(text, read="bigquery").named_selects[0] in ("user_id", "day")


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(UnknownNameError, match="unknown dialect 'snowflak'"):
        translated("SELECT 1 AS a", "snowflak")
    with pytest.raises(UsageError, match="parameter k, which has no value"):
        translated("SELECT $k AS a", "postgres")
    with pytest.raises(UnknownNameError, match="unknown mart 'latencies'"):
        warehouse_marts.mart_sql("latencies", table="log")


def test_without_sqlglot_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "sqlglot", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'reclens\[sql\]'"):
        queries.text("interactions", "postgres")
