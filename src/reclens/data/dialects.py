"""The SQL of RecLens in the dialects of other warehouses, by SQLGlot.

The shipped queries are written for DuckDB. What SQLGlot leaves as it stands, although the warehouse reads it otherwise,
is rewritten before: division of integers, the case of names in Snowflake, intervals of fractions, series of numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from reclens.engine import need
from reclens.errors import UnknownNameError, UsageError

__all__ = ["DIALECTS", "table_in", "translated"]

DIALECTS: Final = ("duckdb", "postgres", "snowflake", "bigquery", "databricks", "spark")
"""Dialects that the shipped SQL is written in."""

_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_]*")


def translated(sql: str, dialect: str, values: Mapping[str, Any] | None = None, *, pretty: bool = False) -> str:
    """A SELECT of DuckDB's in another dialect.

    Args:
        sql: One SELECT, with parameters such as ``$cutoff``.
        dialect: One of :data:`DIALECTS`.
        values: Parameter -> value. Written as literals by the writer of the dialect, because drivers bind values in
            different ways.
        pretty: Whether to write it over several lines.

    Raises:
        UnknownNameError: If there is no such dialect.
        UsageError: If a parameter has no value, or the dialect has no counterpart of an expression.
        MissingExtraError: If SQLGlot is not installed.

    Example:
        >>> translated("SELECT clicks / shown AS rate FROM log", "postgres")
        'SELECT CAST(clicks AS DOUBLE PRECISION) / shown AS rate FROM log'
    """
    _check(dialect)
    sqlglot: Any = need("sqlglot", extra="sql")
    exp: Any = sqlglot.exp
    try:
        tree = sqlglot.parse_one(sql, read="duckdb")
        tree = tree.transform(_with_values, exp, dict(values or {}), copy=False)
        tree = tree.transform(_without_lists, exp, copy=False)
        if dialect != "duckdb":
            _name_columns(tree, exp)
            for rewrite in (_portable, *_OWN.get(dialect, ())):
                tree = tree.transform(rewrite, exp, copy=False)
        written = {"unsupported_level": sqlglot.ErrorLevel.RAISE, "comments": pretty, "pretty": pretty}
        return tree.sql(dialect=dialect, **written)
    except sqlglot.errors.UnsupportedError as error:
        raise UsageError(f"{dialect} has no counterpart of a part of the query: {error}.") from None


def table_in(name: str, dialect: str) -> str:
    """A table that the user named in the words of a dialect, as DuckDB's SQL names it.

    Raises:
        UsageError: If it is not the name of a table.

    Example:
        >>> table_in("shop.`daily log`", "bigquery")
        'shop."daily log"'
    """
    _check(dialect)
    sqlglot: Any = need("sqlglot", extra="sql")
    try:
        return sqlglot.exp.to_table(name, dialect=dialect).sql(dialect="duckdb")
    except (sqlglot.errors.SqlglotError, ValueError):
        raise UsageError(f"'{name}' is not the name of a table, such as events or shop.events.") from None


def _check(dialect: str) -> None:
    if dialect not in DIALECTS:
        raise UnknownNameError("dialect", dialect, DIALECTS)


def _with_values(node: Any, exp: Any, values: Mapping[str, Any]) -> Any:
    """Parameters by their values."""
    if not isinstance(node, exp.Placeholder):
        return node
    name = node.name
    if name not in values:
        raise UsageError(f"the query has the parameter {name}, which has no value.")
    return exp.convert(values[name])


def _without_lists(node: Any, exp: Any) -> Any:
    """Lists of labels as what every warehouse has: their length as a number, their elements by CASE."""
    if isinstance(node, exp.Length | exp.ArraySize) and isinstance(node.this, exp.Array):
        return exp.Literal.number(len(node.this.expressions))
    if isinstance(node, exp.Anonymous) and node.name.lower() == "list_extract":
        labels, place = node.expressions
        whens = [
            exp.If(this=exp.Literal.number(at), true=label.copy()) for at, label in enumerate(labels.expressions, 1)
        ]
        return exp.Case(this=place.copy(), ifs=whens)
    return node


def _name_columns(tree: Any, exp: Any) -> None:
    """Names for the columns of the answer that have none: Spark would give two of them one name."""
    if isinstance(tree, exp.Select):
        named = exp.Alias | exp.Column | exp.Star
        listed = enumerate(tree.expressions)
        tree.set(
            "expressions", [each if isinstance(each, named) else exp.alias_(each, f"c{at}_") for at, each in listed]
        )


def _portable(node: Any, exp: Any) -> Any:
    """What DuckDB alone reads, in expressions of all."""
    if isinstance(node, exp.Subquery) and isinstance(node.parent, exp.From | exp.Join) and not node.alias:
        return exp.alias_(node, "part", table=True)
    if isinstance(node, exp.Table) and isinstance(node.this, exp.GenerateSeries):
        start, end = (int(node.this.args[at].name) for at in ("start", "end"))
        rows = [exp.Tuple(expressions=[exp.convert(n)]) for n in range(start, end + 1)]
        return exp.Values(expressions=rows, alias=node.args["alias"].copy())
    if isinstance(node, exp.Mul) and isinstance(node.expression, exp.Interval):
        hours = node.this.this if isinstance(node.this, exp.Cast) else node.this
        microseconds = str(round(3_600_000_000 * float(hours.name)))
        return exp.Interval(this=exp.Literal.string(microseconds), unit=exp.var("MICROSECOND"))
    return node


def _largest(node: Any, exp: Any) -> Any:
    """The largest value for any: it is the same in every engine, and none of them takes a null then."""
    if isinstance(node, exp.IgnoreNulls) and isinstance(node.this, exp.AnyValue):
        return exp.Max(this=node.this.this)
    return node


def _single_grouping(node: Any, exp: Any) -> Any:
    """GROUPING of one column at a time."""
    if not isinstance(node, exp.Grouping) or len(node.expressions) < 2:
        return node
    ones = [exp.Grouping(expressions=[each.copy()]) for each in node.expressions]
    bits = [exp.Mul(this=exp.convert(2 ** (len(ones) - 1 - at)), expression=each) for at, each in enumerate(ones)]
    total = bits[0]
    for each in bits[1:]:
        total = exp.Add(this=total, expression=each)
    return exp.Paren(this=total)


def _real_division(node: Any, exp: Any) -> Any:
    """Division of reals: Snowflake rounds the ratio of integers to six decimals."""
    if isinstance(node, exp.IntDiv):
        return exp.Floor(this=exp.Div(this=exp.cast(node.this.copy(), "double"), expression=node.expression.copy()))
    if isinstance(node, exp.Div) and not isinstance(node.this, exp.Cast):
        node.set("this", exp.cast(node.this, "double"))
    return node


def _rounded_decimals(node: Any, exp: Any) -> Any:
    """Rounding of decimals: PostgreSQL does not round floats to a number of places."""
    if isinstance(node, exp.Round) and node.args.get("decimals") is not None and not isinstance(node.this, exp.Cast):
        node.set("this", exp.cast(node.this.copy(), "decimal"))
    return node


def _upper_names(node: Any, exp: Any) -> Any:
    """Quoted names that are plain, in capitals: Snowflake's own spelling of names without quotes."""
    if isinstance(node, exp.Identifier) and node.args.get("quoted") and _PLAIN.fullmatch(node.this):
        node.set("this", node.this.upper())
    return node


def _order_of_sums(node: Any, exp: Any) -> Any:
    """Order within windows of sums as BigQuery has it: their keys are never missing."""
    if isinstance(node, exp.Ordered) and isinstance(node.find_ancestor(exp.Window, exp.Select), exp.Window):
        node.set("nulls_first", not node.args.get("desc"))
    return node


_OWN: Final[Mapping[str, tuple[Callable[[Any, Any], Any], ...]]] = {
    "postgres": (_largest, _rounded_decimals),
    "snowflake": (_largest, _real_division, _upper_names),
    "bigquery": (_largest, _single_grouping, _order_of_sums),
    "databricks": (_largest, _single_grouping),
    "spark": (_largest, _single_grouping),
}
"""What is rewritten for one dialect."""
