"""A warehouse whose tables are queried where they lie: a connection of its driver, and the dialect that it speaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import polars as pl

from reclens.data.dialects import DIALECTS, table_in, translated
from reclens.errors import ArgumentTypeError, DataError, StoreError, UnknownNameError, first_line

__all__ = ["Warehouse"]

_SPOKEN: Final = {
    "psycopg": "postgres",
    "psycopg2": "postgres",
    "duckdb": "duckdb",
    "_duckdb": "duckdb",
    "snowflake": "snowflake",
    "google": "bigquery",
    "databricks": "databricks",
    "pyspark": "spark",
}
"""Package of a connection -> its dialect."""

_UTC: Final = {
    "postgres": "SET TIME ZONE 'UTC'",
    "duckdb": "SET TimeZone = 'UTC'",
    "snowflake": "ALTER SESSION SET TIMEZONE = 'UTC'",
    "databricks": "SET TIME ZONE 'UTC'",
}
"""What makes days those of UTC; in BigQuery they are."""

_WHOLE: Final = ("INT", "INTEGER", "INT8", "INT16", "INT32", "INT64", "LONG")
"""Ends of the names of integers' types."""
_POSTGRES_WHOLE: Final = (20, 21, 23)
_SNOWFLAKE_FIXED: Final = 0

_LOST: Final = ("OperationalError", "InterfaceError")
"""Errors of a connection, by the names that PEP 249 gives them. Where they have an SQLSTATE, it decides."""
_LOST_STATES: Final = ("08", "57P")


@dataclass(frozen=True, eq=False)
class Warehouse:
    """Tables where they lie. Queries of RecLens are sent there in its dialect; nothing is written there.

    The time zone of the session is set to UTC, so that days are those of UTC.

    Attributes:
        connection: An open connection: of a driver of PEP 249 (psycopg, Snowflake, BigQuery, Databricks), of DuckDB, or
            a session of Spark. It stays open, and takes the credentials that it was opened with.
        dialect: One of :data:`~reclens.data.dialects.DIALECTS`; None takes that of the driver.

    Raises:
        ArgumentTypeError: If the driver is not known, and no dialect is given.

    Example:
        >>> import duckdb
        >>> connection = duckdb.connect()
        >>> _ = connection.execute("CREATE TABLE log AS SELECT 1 AS user_id, 7 AS item_id")
        >>> Warehouse(connection).frame("SELECT count(*) AS n FROM log").item()
        1
    """

    connection: Any
    dialect: str | None = None
    speaks: str = field(init=False)

    def __post_init__(self) -> None:
        if self.dialect is not None and self.dialect not in DIALECTS:
            raise UnknownNameError("dialect", self.dialect, DIALECTS)
        spoken = self.dialect or _SPOKEN.get(type(self.connection).__module__.split(".")[0])
        if spoken is None:
            raise ArgumentTypeError(
                "connection",
                self.connection,
                expected="a connection of a known driver, or a dialect beside it: " + ", ".join(DIALECTS),
            )
        object.__setattr__(self, "speaks", spoken)
        if self._is_session:
            self.connection.conf.set("spark.sql.session.timeZone", "UTC")
        elif spoken in _UTC:
            self._run(_UTC[spoken])

    @property
    def _is_session(self) -> bool:
        """Whether it is a session of Spark, which has no cursor."""
        return not hasattr(self.connection, "cursor")

    def table(self, name: str) -> str:
        """A table in the words of the warehouse, as it stands in queries for :meth:`frame`."""
        return table_in(name, self.speaks)

    def columns(self, source: str) -> dict[str, bool]:
        """The columns of what stands after FROM -> whether they are integers."""
        return self._ask(f"SELECT * FROM {source} LIMIT 0", None)[0]

    def rows(self, sql: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """The rows of a SELECT of DuckDB's, translated.

        Args:
            sql: The SELECT.
            values: Parameter -> value.

        Raises:
            DataError: If the warehouse refuses it.
            StoreError: If the connection is lost.
        """
        return self._ask(sql, values)[1]

    def frame(self, sql: str, values: Mapping[str, Any] | None = None) -> pl.DataFrame:
        """As :meth:`rows`, as a table; decimals are floats, and times are without a zone."""
        columns, rows = self._ask(sql, values)
        found: dict[str, pl.Series] = {}
        for at, name in enumerate(columns):
            listed = [row[at] for row in rows]
            decimal = any(isinstance(each, Decimal) for each in listed)
            found[name] = pl.Series(name, [float(x) if x is not None else x for x in listed] if decimal else listed)
        zoned = pl.selectors.datetime(time_zone="*")
        return pl.DataFrame(found).with_columns(zoned.dt.convert_time_zone("UTC").dt.replace_time_zone(None))

    def _ask(self, sql: str, values: Mapping[str, Any] | None) -> tuple[dict[str, bool], list[tuple[Any, ...]]]:
        return self._run(translated(sql, self.speaks, values))

    def _run(self, text: str) -> tuple[dict[str, bool], list[tuple[Any, ...]]]:
        """Names of the columns, whether they are integers, and the rows."""
        try:
            if self._is_session:
                found = pl.DataFrame(pl.from_arrow(self.connection.sql(text).toArrow()))
                return {name: kind.is_integer() for name, kind in found.schema.items()}, found.rows()
            # A view that was registered with a connection of DuckDB is not seen by its cursors.
            with (
                nullcontext(self.connection) if self.speaks == "duckdb" else closing(self.connection.cursor()) as cursor
            ):
                cursor.execute(text)
                about: Sequence[Any] = cursor.description or ()
                columns = {_name(self.speaks, each[0]): _is_whole(self.speaks, each) for each in about}
                return columns, [tuple(row) for row in cursor.fetchall()] if about else []
        except Exception as error:
            if _is_lost(self.speaks, error):
                raise StoreError(
                    f"the connection to {self.speaks} was lost: {first_line(error)}. Connect again.", code="down"
                ) from None
            raise DataError(
                f"the query failed: {first_line(error)}", source=self.speaks, fix="Check the table and its columns."
            ) from None


def _is_lost(dialect: str, error: Exception) -> bool:
    """Whether an error is that of the connection, by its class and its codes."""
    kinds = [kind.__name__ for kind in type(error).__mro__]
    if dialect == "duckdb":  # its errors of files and of memory are operational too
        return "ConnectionException" in kinds
    status = getattr(error, "getGrpcStatusCode", None)
    if status is not None:
        return status().name == "UNAVAILABLE"
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return any(name in _LOST for name in kinds) and (state is None or str(state).startswith(_LOST_STATES))


def _name(dialect: str, name: str) -> str:
    """A column as RecLens names it: Snowflake has names without quotes in capitals."""
    return name.lower() if dialect == "snowflake" and name == name.upper() else name


def _is_whole(dialect: str, about: Sequence[Any]) -> bool:
    """Whether a column holds integers, by its description in PEP 249."""
    kind = about[1]
    if dialect == "postgres":
        return kind in _POSTGRES_WHOLE
    if dialect == "snowflake":
        return kind == _SNOWFLAKE_FIXED and about[5] == 0
    return str(kind).upper().endswith(_WHOLE)
