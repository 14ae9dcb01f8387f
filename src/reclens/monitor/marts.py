"""The tables of a day, made from its log by the SQL in ``monitor/sql``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from reclens.data.quoting import constant, quoted
from reclens.data.read.arrow import ArrowStream
from reclens.monitor.annotations import Annotations
from reclens.monitor.bins import binned, find_bins
from reclens.monitor.duck import columns_of, create, rows, run
from reclens.monitor.landing import land_day, outline
from reclens.monitor.log import COLUMNS, PREDICTED, LogDay
from reclens.monitor.measures import read_measures
from reclens.monitor.pipeline_log import pipeline_tables, staleness_table
from reclens.monitor.project import Project
from reclens.monitor.queries import MARTS, of_day, sql, variables, with_marts
from reclens.monitor.summary import DIMENSIONS, KEYS
from reclens.schema import ITEM, POSITION, RECEIVED, REQUEST, SCORE, TIMESTAMP, USER, VERSION

if TYPE_CHECKING:
    import duckdb

__all__ = ["BegunMarts", "begin_marts", "in_order", "make_marts", "read_staging", "reference_days"]

_KNOWN: Final = {"users": ("users", USER), "items": ("items", ITEM), "versions": ("cells", VERSION)}
"""What is remembered with the first day it was seen -> the table and column of its ids."""

_CODED: Final = {
    "events": (*(name for name in DIMENSIONS if name not in (POSITION, "segment")),),
    "user_facts": ("segment",),
    "item_facts": ("category",),
}
"""Texts that are kept as codes, by the table that has them."""
_MOST_CODES: Final = 1000


def read_staging(connection: duckdb.DuckDBPyConnection, project: Project, log: LogDay) -> None:
    """Make the table ``impressions`` from the view ``log``, with the known facts about users and items.

    Raises:
        DataError: If a file is truncated.
    """
    day = log.bounds.day
    typed = [
        f"TRY_CAST({name} AS {kind}) AS {name}"
        for name, kind in COLUMNS.items()
        if name not in (TIMESTAMP, RECEIVED, USER, ITEM, REQUEST)
    ]
    # A value that cannot be cast is null; ids keep their type.
    events = f"SELECT DATE '{day}' AS day, log.* REPLACE ({', '.join(typed)}) FROM log"
    run(connection, f"CREATE OR REPLACE TEMP VIEW events AS {events}")
    _user_facts(connection, project, day)
    _item_facts(connection, project, day)
    query = _as_codes(connection, sql("impressions"))
    create(connection, "impressions", query, late_after=project.settings.log.late_after)


@dataclass(frozen=True, kw_only=True, eq=False)
class BegunMarts:
    """A day whose past is settled: what is left is made from its own tables alone.

    Attributes:
        columns: Columns that have bins, each with its type.
        bins: Their bins.
        outline: What later days need of this one: ``users``, ``items`` and ``cells``, in outline.
        tables: Tables of the day that are made: those of the pipeline, ``measures``, and ``facts``.
    """

    columns: Mapping[str, str]
    bins: Mapping[str, Any]
    outline: Mapping[str, pl.DataFrame]
    tables: Mapping[str, pl.DataFrame]


def begin_marts(
    connection: duckdb.DuckDBPyConnection, project: Project, log: LogDay, *, keep: bool = True
) -> BegunMarts:
    """Make lists and bins of a day from the table ``impressions``, and update known users, items and versions.

    The next day may begin behind this: :func:`make_marts` changes nothing that later days read.

    Args:
        connection: Connection that has the table.
        project: The monitor.
        log: The opened log.
        keep: Whether bins and ids of this day are kept for later days; False if its gate failed.

    Raises:
        DataError: If another table cannot be read.
    """
    settings, day = project.settings, log.bounds.day
    create(connection, "lists", sql("lists"), cutoff=settings.log.cutoff)
    state = project.read_state("bins") or {}
    columns = {
        **{name: "DOUBLE" for name in (SCORE, PREDICTED) if name in log.columns},
        **{name: kind for name, kind in log.features.items() if not kind.startswith(("TIMESTAMP", "DATE"))},
    }
    bins = find_bins(connection, columns, state.get("columns", {}), bins=settings.reference.bins)
    length = settings.log.list_length or state.get("list_length") or _usual_length(connection)
    kept = {"columns": bins, "list_length": state.get("list_length") or length}
    if keep and kept != state:
        project.write_state("bins", kept)
    about = f"SELECT DATE '{day}' AS day, {int(length)} AS list_length, {str(keep).lower()} AS passed"
    create(connection, "days", about)
    found = outline(connection)
    if keep:
        _remember(project, day, found)
    tables = pipeline_tables(connection, project, log)
    measures = read_measures(project, day)
    if measures is not None:
        tables["measures"] = measures
    tables["facts"] = _facts(connection, project, log)
    return BegunMarts(columns=columns, bins=bins, outline=found, tables=tables)


def make_marts(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    log: LogDay,
    begun: BegunMarts,
    *,
    distinct: bool = False,
    elsewhere: bool = False,
) -> dict[str, pl.DataFrame]:
    """Make the tables of a day, without a look at any other day.

    Args:
        connection: Connection that has its impressions and lists.
        project: The monitor.
        log: The opened log.
        begun: What :func:`begin_marts` returned.
        distinct: Whether no row repeats an item of the same list, so that there are no duplicates to look for.
        elsewhere: Whether another engine runs the queries of ``monitor/sql``; then the day is landed for it.

    Returns:
        Name -> table, as :class:`~reclens.monitor.summary.Summary` holds them; in outline where made elsewhere.

    Raises:
        WorkspaceError: If the day cannot be landed.
    """
    settings = project.settings
    tables = {"bins": binned(connection, begun.columns, begun.bins, zone=settings.log.time_zone)}
    if elsewhere:
        tables |= begun.outline
    else:
        values = variables(settings.log)
        tables = with_marts(
            tables, {name: of_day(connection, name, values, empty=distinct and name == "duplicates") for name in MARTS}
        )
    if elsewhere:
        land_day(connection, project, log.bounds.day)
    staleness = staleness_table(connection, log)
    if staleness is not None:
        tables["staleness"] = staleness
    return in_order({**tables, **begun.tables})


def in_order(tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The tables sorted by their keys, because the order of groups depends on threads."""
    return {name: table.sort([key for key in KEYS[name] if key in table.columns]) for name, table in tables.items()}


def _as_codes(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """The query with low-cardinality texts as codes, which makes grouping several times faster."""
    values: dict[str, list[str]] = {}
    for table, names in _CODED.items():
        listed = ", ".join(f"list(DISTINCT {name}::VARCHAR)" for name in names)
        [found] = rows(connection, f"SELECT {listed} FROM {table}")
        values |= {
            name: sorted(text for text in each or () if text is not None)
            for name, each in zip(names, found, strict=True)
        }
    coded = [name for name, each in values.items() if 0 < len(each) <= _MOST_CODES]
    for name in coded:
        run(connection, f"CREATE TYPE code_{name} AS ENUM ({', '.join(map(constant, values[name]))})")
    casts = ", ".join(f"{name}::code_{name} AS {name}" for name in coded)
    return f"SELECT * REPLACE ({casts}) FROM ({query})" if coded else query


# --------------------------------------------------------------------------------------------- what is known besides


def _user_facts(connection: duckdb.DuckDBPyConnection, project: Project, day: date) -> None:
    """Make ``user_facts``: ``day, user_id, segment, new_user``.

    The last is null in the first days of the monitor, when every user is new.
    """
    tables = project.settings.tables
    known = _known(connection, project, "users", day)
    segments = "SELECT NULL AS user_id, NULL::VARCHAR AS segment WHERE false"
    if tables.users is not None:
        source, columns = _whole(connection, project, tables.users)
        segment = f"any_value({quoted(tables.segment)}::VARCHAR)" if tables.segment in columns else "NULL::VARCHAR"
        segments = f"SELECT {USER}, {segment} AS segment FROM {source} GROUP BY {USER}"
    create(
        connection,
        "user_facts",
        f"SELECT DATE '{day}' AS day, seen.id AS user_id, segments.segment, {known} AS new_user FROM "
        f"(SELECT DISTINCT {USER} AS id FROM log WHERE {USER} IS NOT NULL) AS seen "
        f"LEFT JOIN ({segments}) AS segments ON segments.user_id::VARCHAR = seen.id::VARCHAR "
        "LEFT JOIN known_users ON known_users.id = seen.id::VARCHAR",
    )


def _item_facts(connection: duckdb.DuckDBPyConnection, project: Project, day: date) -> None:
    """Make ``item_facts``: ``day, item_id, category, new_item, fresh_item, information``.

    The last is -log2 of the item's share of the clicks of the past, with one click added to each item.
    """
    settings = project.settings
    tables, known = settings.tables, _known(connection, project, "items", day)
    catalogue, columns = "SELECT NULL AS item_id WHERE false", {}
    if tables.items is not None:
        source, columns = _whole(connection, project, tables.items)
        catalogue = f"SELECT * FROM {source}"
    category, released = "NULL::VARCHAR", "NULL::DATE"
    if tables.category in columns:
        category = quoted(tables.category)
        if columns[tables.category].endswith("[]"):
            category = f"{category}[1]"
    if tables.released in columns:
        released = f"TRY_CAST({quoted(tables.released)} AS DATE)"
    fresh = f"{released} > DATE '{day}' - {settings.log.fresh_days}"
    past = _past_clicks(project, day)
    connection.register("past_clicks", ArrowStream(past))
    total = "(SELECT sum(clicks) + count(*) FROM past_clicks)"
    information = (
        f"CASE WHEN {int(past['clicks'].sum())} > 0 THEN log2({total} / (coalesce(past_clicks.clicks, 0) + 1)) END"
    )
    create(
        connection,
        "item_facts",
        f"SELECT DATE '{day}' AS day, seen.id AS item_id, catalogue.category, {known} AS new_item, "
        f"catalogue.fresh AS fresh_item, {information} AS information "
        f"FROM (SELECT DISTINCT {ITEM} AS id FROM log WHERE {ITEM} IS NOT NULL) AS seen "
        f"LEFT JOIN (SELECT {ITEM}::VARCHAR AS id, any_value({category}::VARCHAR) AS category, "
        f"any_value({fresh}) AS fresh FROM ({catalogue}) GROUP BY {ITEM}) AS catalogue "
        "ON catalogue.id = seen.id::VARCHAR "
        "LEFT JOIN past_clicks ON past_clicks.item_id = seen.id::VARCHAR "
        "LEFT JOIN known_items ON known_items.id = seen.id::VARCHAR",
    )


def _known(connection: duckdb.DuckDBPyConnection, project: Project, name: str, day: date) -> str:
    """Register ``known_NAME`` of the days before; whether an id is new, as SQL that is null while it is unknown."""
    frame = project.read_known(name)
    frame = _nobody() if frame is None else frame
    frame = frame.filter(pl.col("first_day") < day)
    connection.register(f"known_{name}", ArrowStream(frame))
    since = day - timedelta(days=project.settings.log.cold_days)
    first = frame["first_day"].min()
    if not isinstance(first, date) or first > since:
        return "NULL::BOOLEAN"
    return f"coalesce(known_{name}.first_day > DATE '{since}', true)"


def _remember(project: Project, day: date, tables: Mapping[str, pl.DataFrame]) -> None:
    """Add the ids of the day after removing those that an earlier run of this day added."""
    for name, (table, column) in _KNOWN.items():
        known = project.read_known(name)
        ids = tables[table].select(id=pl.col(column).cast(pl.String)).drop_nulls().unique()
        before = known.filter(pl.col("first_day") != day) if known is not None else _nobody()
        earlier = before.filter(pl.col("first_day") < day)
        new = ids.join(earlier, on="id", how="anti").with_columns(first_day=pl.lit(day))
        # A day that runs after later days still precedes them.
        later = before.filter(pl.col("first_day") > day).join(new, on="id", how="anti")
        if known is None or new.height or before.height < known.height:
            grown = pl.concat([earlier, later, new]).sort("id")
            if known is None or not grown.equals(known):
                project.write_known(name, grown)


def _nobody() -> pl.DataFrame:
    return pl.DataFrame(schema={"id": pl.String, "first_day": pl.Date})


def _past_clicks(project: Project, day: date) -> pl.DataFrame:
    """Clicks of each item in the reference days."""
    places = [project.day_folder(each) / "items.parquet" for each in reference_days(project, day)]
    found = [_clicks_of(place, place.stat().st_mtime_ns) for place in places if place.is_file()]
    if not found:
        return pl.DataFrame(schema={"item_id": pl.String, "clicks": pl.Int64})
    return pl.concat(found).group_by("item_id").agg(pl.col("clicks").sum()).sort("item_id")


@lru_cache(maxsize=64)
def _clicks_of(place: Path, _: int) -> pl.DataFrame:
    """Clicks of each item of one day; the time of the file tells whether it is another one."""
    items = pl.scan_parquet(place, glob=False, hive_partitioning=False)
    whole = items.filter(pl.col("dimension") == "overall")
    return whole.select("item_id", pl.col("clicks").cast(pl.Int64)).collect()


def reference_days(project: Project, day: date) -> list[date]:
    """The days that distributions of a day are compared with: run, through the gate, before it, and like others.

    Days of an incident that is noted as such, holidays and days whose alerts are suppressed are none of them.
    """
    chosen = project.settings.reference
    start, end = chosen.start or day - timedelta(days=chosen.days), chosen.end or day - timedelta(days=1)
    near = [each for each in project.days() if start <= each <= end and each != day]
    unlike = _unusual_days(project)
    return [each for each in near if each not in unlike and (project.card(each) or {}).get("gate") == "passed"]


def _unusual_days(project: Project) -> set[date]:
    """Exceptional days for the whole log: holidays, annotated incidents, and suppressed days."""
    found = set(project.holidays)
    for each in Annotations(project.notes).list():
        if each.dimension is None and (each.suppress or each.kind in ("holiday", "incident")):
            found |= {each.start + timedelta(days=at) for at in range((each.end - each.start).days + 1)}
    return found


def _whole(connection: duckdb.DuckDBPyConnection, project: Project, path: str) -> tuple[str, dict[str, str]]:
    """A table without days: its FROM expression, and its columns with types."""
    place = project.place(path)
    pattern = str(place / "*.parquet") if place.is_dir() else str(place)
    source = f"read_parquet({constant(pattern)}, union_by_name = true)"
    return source, columns_of(connection, f"SELECT * FROM {source}")


def _facts(connection: duckdb.DuckDBPyConnection, project: Project, log: LogDay) -> pl.DataFrame:
    """Numbers of the day that are no sums: their mean is taken over days, with the count of days as ``n``."""
    found: dict[str, float] = {"hours": log.bounds.hours}
    tables = project.settings.tables
    if tables.items is not None:
        source, _ = _whole(connection, project, tables.items)
        [(count,)] = rows(connection, f"SELECT count(DISTINCT {ITEM}) FROM {source}")
        found["catalogue"] = float(count)
    else:
        known = project.read_known("items")
        found["catalogue"] = float(0 if known is None else known.height)
    versions = project.read_known("versions")
    if versions is not None and versions.height:
        newest = versions.filter(pl.col("first_day") <= log.bounds.day)["first_day"].max()
        if isinstance(newest, date):
            found["model_age"] = float((log.bounds.day - newest).days)
    return pl.DataFrame({"fact": list(found), "value": [float(each) for each in found.values()], "n": [1] * len(found)})


def _usual_length(connection: duckdb.DuckDBPyConnection) -> int:
    [(length,)] = rows(connection, "SELECT coalesce(mode(items), 1) FROM lists")
    return int(length)
