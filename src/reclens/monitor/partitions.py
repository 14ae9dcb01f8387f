"""The sums of a day by partitions of whole users: what its indicators are computed from. Names no engine."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import accumulate
from typing import Any, Final

import polars as pl

from reclens.data.quoting import quoted
from reclens.data.read.arrow import ArrowStream
from reclens.engine import table_engine
from reclens.errors import DataError
from reclens.evaluation.partition_sums import ROW, once
from reclens.monitor.bins import binned
from reclens.monitor.duck import create, opened
from reclens.monitor.log import COLUMNS, PREDICTED, REQUIRED
from reclens.monitor.marts import in_order
from reclens.monitor.places import day_bounds
from reclens.monitor.queries import MARTS, of_day, sql, variables, with_marts
from reclens.monitor.settings import MonitorSettings
from reclens.monitor.summary import Summary
from reclens.schema import FEATURE, ITEM, RECEIVED, REQUEST, SCORE, TIMESTAMP, USER, stable_hash

__all__ = ["FACTS", "DayPlan", "DaySums", "require_columns", "sum_day"]

FACTS: Final[Mapping[str, str]] = {
    "segment": "VARCHAR",
    "new_user": "BOOLEAN",
    "category": "VARCHAR",
    "new_item": "BOOLEAN",
    "fresh_item": "BOOLEAN",
    "information": "DOUBLE",
}
"""Columns that a log may have beside those of the schema: what is known of its users and items."""


@dataclass(frozen=True, eq=False, kw_only=True)
class DaySums:
    """The sums of the users of one or several partitions.

    Attributes:
        keys: What tells partitions apart: the least hash of a user of each.
        tables: Tables of the day, as a :class:`~reclens.monitor.summary.Summary` has them; of users how many had
            how many impressions.
    """

    keys: tuple[int, ...]
    tables: Mapping[str, pl.DataFrame]

    def to_row(self) -> dict[str, Any]:
        """The sums as one row: the tables one behind the other, and where each ends."""
        held: list[bytes] = []
        for table in self.tables.values():
            made = io.BytesIO()
            table.write_ipc(made, compression="zstd")
            held.append(made.getvalue())
        ends = list(accumulate(map(len, held)))
        header = json.dumps({"keys": self.keys, "ends": dict(zip(self.tables, ends, strict=True))})
        return dict(zip(ROW, (header, b"".join(held), b""), strict=True))

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> DaySums:
        """The inverse of :meth:`to_row`."""
        known, held = json.loads(row[ROW[0]]), row[ROW[1]]
        ends: dict[str, int] = known["ends"]
        starts = [0, *ends.values()]
        tables = {
            name: pl.read_ipc(io.BytesIO(held[start:end]))
            for (name, end), start in zip(ends.items(), starts, strict=False)
        }
        return cls(keys=tuple(known["keys"]), tables=tables)

    @classmethod
    def total(cls, parts: Iterable[DaySums]) -> DaySums:
        """The sums of one or several; a partition that is in two of them counts once."""
        kept = once(parts)
        whole = Summary.sum([Summary(days=(), tables=part.tables) for part in kept])
        return cls(keys=tuple(key for part in kept for key in part.keys), tables=whole.tables)

    def __add__(self, other: DaySums) -> DaySums:
        return DaySums.total([self, other])


@dataclass(frozen=True, eq=False, kw_only=True)
class DayPlan:
    """What every partition of a day is summed up by.

    Attributes:
        day: The day, in the zone of the log.
        settings: Settings of the monitor.
        bins: Column -> its bins, as a monitor keeps them; columns without are left out.
        list_length: Items that a list should have.
        names: Name of a column in the pieces of a partition -> its name in the log, where it is another.
    """

    day: date
    settings: MonitorSettings
    bins: Mapping[str, Any] = field(default_factory=dict)
    list_length: int
    names: Mapping[str, str] = field(default_factory=dict)

    def measure(self, tables: Iterable[pl.DataFrame]) -> DaySums | None:
        """The work of a partition: all rows of some users.

        Raises:
            DataError: If rows name no list.
        """
        held = [table.rename(dict(self.names)) for table in tables if table.height]
        rows = self._of_day(pl.concat(held, how="vertical_relaxed")) if held else None
        if rows is None or rows.is_empty():
            return None
        if bad := rows[REQUEST].null_count():
            raise DataError(
                f"{bad:,} rows or more name no list", source="the log", column=REQUEST, fix="Name each list."
            )
        connection = opened(threads=1)
        try:
            connection.register("log", ArrowStream(rows))
            create(connection, "impressions", self._impressions(rows.columns), late_after=self.settings.log.late_after)
            found = self._tables(connection, rows)
        finally:
            connection.close()
        users = found.pop("users")
        activity = users.group_by("impressions").agg(pl.len().cast(pl.Int64).alias("users"))
        keys = rows[USER].cast(pl.String).fill_null("").unique()
        return DaySums(keys=(int(stable_hash(keys).min()),), tables={**found, "activity": activity})  # pyright: ignore

    def _of_day(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows of the day, with times in UTC, without a zone."""
        times = [name for name in (TIMESTAMP, RECEIVED) if name in rows.columns]
        zoned = [name for name in times if getattr(rows.schema[name], "time_zone", None)]
        rows = rows.with_columns(pl.col(name).dt.convert_time_zone("UTC").dt.replace_time_zone(None) for name in zoned)
        bounds = day_bounds(self.day, self.settings.log.zone)
        start, end = (each.replace(tzinfo=None) for each in (bounds.start, bounds.end))
        return rows.filter((pl.col(TIMESTAMP) >= start) & (pl.col(TIMESTAMP) < end))

    def _impressions(self, there: Iterable[str]) -> str:
        """The rows with all columns of the schema and what is known of users and items; what is absent is null."""
        known = set(there)
        columns = [
            f"TRY_CAST({quoted(name) if name in known else 'NULL'} AS {kind}) AS {quoted(name)}"
            for name, kind in {**COLUMNS, **FACTS}.items()
        ]
        columns += [quoted(name) for name in known if name.startswith(FEATURE)]
        late = f"{RECEIVED} > {TIMESTAMP} + CAST($late_after AS DOUBLE) * INTERVAL '1 hour' AS late"
        return f"SELECT DATE '{self.day}' AS day, *, {late} FROM (SELECT {', '.join(columns)} FROM log)"

    def _tables(self, connection: Any, rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
        log = self.settings.log
        create(connection, "lists", sql("lists"), cutoff=log.cutoff)
        about = f"SELECT DATE '{self.day}' AS day, {self.list_length} AS list_length, true AS passed"
        create(connection, "days", about)
        kinds = dict.fromkeys((SCORE, PREDICTED), "DOUBLE")
        kinds |= {
            name: "VARCHAR" if rows.schema[name] == pl.String else "DOUBLE"
            for name in rows.columns
            if name.startswith(FEATURE)
        }
        columns = {name: kind for name, kind in kinds.items() if name in rows.columns and name in self.bins}
        tables = {"bins": binned(connection, columns, self.bins, zone=log.time_zone)}
        values = variables(log)
        return with_marts(tables, {name: of_day(connection, name, values) for name in MARTS})

    def summary(self, sums: DaySums | None, *, catalogue: int | None) -> Summary:
        """The day as its indicators take it.

        Args:
            sums: The sums of all partitions.
            catalogue: Items that could have been shown, where it is known.

        Raises:
            DataError: If the day has no row.
        """
        if sums is None:
            raise DataError(f"there is no row of {self.day}", source="the log", fix="Name a day that it has.")
        facts = {"hours": float(day_bounds(self.day, self.settings.log.zone).hours)}
        if catalogue is not None:
            facts["catalogue"] = float(catalogue)
        table = pl.DataFrame({"fact": list(facts), "value": list(facts.values()), "n": [1] * len(facts)})
        return Summary(
            days=(self.day,),
            tables=in_order({**sums.tables, "facts": table}),
            dimensions=self.settings.dimensions.names,
            most=self.settings.dimensions.most,
        )


def require_columns(columns: Iterable[str]) -> None:
    """Refuse a log that lacks a column.

    Raises:
        DataError: If it does.
    """
    listed = list(columns)
    for name in (*REQUIRED, REQUEST):
        if name not in listed:
            raise DataError(
                f"there is no column '{name}'; there are {', '.join(listed)}",
                source="the log",
                fix="Rename the column that holds it.",
            )


def sum_day(
    source: Any,
    day: date,
    *,
    settings: MonitorSettings | None = None,
    bins: Mapping[str, Any] | None = None,
    catalogue: int | None = None,
    engine: Any = None,
) -> Summary:
    """The sums of a day of a log, for :func:`~reclens.monitor.indicators.registry.compute`; in Spark where they lie.

    The rows of a list have one user. What a monitor knows of the days before is none of it: new users and items, and
    the like, are columns of the log where they are there (:data:`FACTS`).

    Args:
        source: A row an impression, in the names of the schema, with ``request_id``: a Polars frame, or one of Spark.
        day: The day, in the zone of the log.
        settings: Settings of the monitor; None takes the defaults.
        bins: Column -> its bins, as a monitor keeps them, for the distributions of scores and features.
        catalogue: Items that could have been shown, for coverage and Gini.
        engine: ``rl.Spark(partitions=…)``; None takes the session of the frame.

    Returns:
        The day; of users how many had how many impressions.

    Raises:
        DataError: If a column is absent, rows name no list, or the day has no row.

    Example:
        >>> from datetime import datetime
        >>> log = pl.DataFrame(
        ...     {"timestamp": [datetime(2026, 1, 5, 9)] * 2, "user_id": [1, 1], "item_id": [7, 8], "position": [1, 2],
        ...      "clicked": [False, True], "request_id": ["a", "a"]}
        ... )
        >>> sum_day(log, date(2026, 1, 5)).tables["cells"]["clicks"].sum()
        1
    """
    settings = settings or MonitorSettings.model_validate({"log": {"path": "."}})
    far = table_engine(source, engine)
    if far is not None:
        return far.sum_day(source, day, settings=settings, bins=bins or {}, catalogue=catalogue)
    require_columns(source.columns)
    whole = DayPlan(day=day, settings=settings, bins=bins or {}, list_length=settings.log.list_length)
    length = settings.log.list_length or _usual_length(whole._of_day(source))
    plan = DayPlan(day=day, settings=settings, bins=bins or {}, list_length=length)
    return plan.summary(plan.measure([source]), catalogue=catalogue)


def _usual_length(rows: pl.DataFrame) -> int:
    """Items that most lists have; the fewest of several."""
    lengths = rows.group_by(REQUEST).agg(pl.col(ITEM).count().alias("items")).group_by("items").agg(pl.len().alias("n"))
    ordered = lengths.sort(["n", "items"], descending=[True, False])["items"]
    return int(ordered[0]) if len(ordered) else 1
