"""Tables of Spark as an evaluation takes them: lists, pairs, segments, and all of them as rows of one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from reclens.data.bands import in_order
from reclens.data.read.frames import is_frame
from reclens.edges._spark_rows import polars_of
from reclens.engine import need
from reclens.errors import ArgumentValueError, DataError, UnknownNameError, UsageError
from reclens.evaluation.argument_checks import named_in
from reclens.evaluation.partition_context import SEGMENT
from reclens.evaluation.partitions import NUMBER, PART, PARTS
from reclens.schema import ITEM, RANK, SCORE, USER

__all__ = [
    "SparkTables",
    "check_kinds",
    "column_of",
    "frame_of",
    "functions",
    "in_backticks",
    "is_spark_frame",
    "lists_of",
    "of_some_users",
    "pairs_of",
    "relevant_pairs",
    "segments_of",
    "some_ids",
    "together",
    "with_chances",
]

_SEGMENTS: Final = 1_000
_SHOWN: Final = 20_000
_INTEGERS: Final = ("tinyint", "smallint", "int", "bigint")


@dataclass(frozen=True, eq=False, kw_only=True)
class SparkTables:
    """Training data in Spark: what lists are held against beside the truth.

    Attributes:
        interactions: A frame ``user_id, item_id``.
        users: A frame ``user_id`` and attributes, one row a user, whose columns are segmentations as they are.
        items: A frame ``item_id`` and attributes, one row an item, such as ``genres``; it is read to the driver.
    """

    interactions: Any = None
    users: Any = None
    items: Any = None


def frame_of(engine: Any, table: Any, what: str, *columns: str) -> Any:
    """A table as a frame of Spark that has some columns."""
    if not is_spark_frame(table):
        if isinstance(table, str) and table.startswith("spark:"):
            table = engine.table(table.removeprefix("spark:"))
        elif is_frame(table):
            own = table if isinstance(table, pl.DataFrame) else pl.DataFrame(table)
            arrow = own.to_arrow(compat_level=pl.CompatLevel.oldest())
            table = engine.session.createDataFrame(arrow)
        else:
            raise UsageError(f"{what} is {type(table).__name__}. Expected a frame of Spark, or spark:TABLE.")
    for column in columns:
        if column not in table.columns:
            raise DataError(
                f"there is no column '{column}'; there are {', '.join(table.columns)}",
                source=what,
                fix="Rename the column that holds it.",
            )
    return table


def lists_of(engine: Any, recommendations: Any, *, scores: bool = False) -> tuple[Any, Any]:
    """The lists ``user_id, item_id, number``, and what orders them; with the scores too, where there are any."""
    table = getattr(recommendations, "table", recommendations)
    frame = frame_of(engine, recommendations if is_spark_frame(recommendations) else table, "the lists", USER, ITEM)
    ordered_by = RANK if RANK in frame.columns else SCORE
    if ordered_by not in frame.columns:
        raise DataError(
            f"there is neither '{RANK}' nor '{SCORE}'; there are {', '.join(frame.columns)}",
            source="the lists",
            fix="Lists need an order: rename the column that holds it.",
        )
    numbers = {NUMBER: ordered_by} | ({SCORE: SCORE} if scores and SCORE in frame.columns else {})
    columns = [column_of(name).cast("double").alias(ours) for ours, name in numbers.items()]
    return _with_wide_ids(frame).select(USER, ITEM, *columns), ordered_by


def pairs_of(engine: Any, truth: Any, train: Any, history: Any, relevance: str | None) -> dict[str, Any]:
    """Truth, training data and histories, those that there are."""
    found: dict[str, Any] = {}
    for what, table in (("truth", truth), ("train", train), ("history", history)):
        if table is not None:
            column = relevance if what == "truth" else None
            frame = frame_of(engine, table, what, USER, ITEM, *([column] if column else []))
            number = column_of(column) if column else _literal(0.0)
            found[what] = _with_wide_ids(frame).select(USER, ITEM, number.cast("double").alias(NUMBER))
    return found


def segments_of(engine: Any, users: Any, by: Sequence[Any]) -> tuple[dict[str, list[str]], Any]:
    """Segmentation -> its segments, and the table of users with them."""
    names = named_in(by)
    if not names:
        return {}, None
    if users is None:
        said = "Give their table with the training data: rl.SparkTables(users=…), or --users spark:NAME."
        raise UsageError(f"'{names[0]}' is of the users, whose attributes are not given. {said}")
    frame = frame_of(engine, users, "the table of users", USER)
    labels: dict[str, list[str]] = {}
    order = users.schema if isinstance(users, pl.DataFrame) else {}
    for name in names:
        if name not in frame.columns or name == USER:
            raise UnknownNameError("attribute of the users", name, [each for each in frame.columns if each != USER])
        kind = order.get(name)
        if isinstance(kind, pl.Enum):
            labels[name] = kind.categories.to_list()
            continue
        found = frame.select(column_of(name).cast("string").alias(name)).distinct().limit(_SEGMENTS + 1).collect()
        if len(found) > _SEGMENTS:
            raise ArgumentValueError(
                "by", f"has '{name}' with more than {_SEGMENTS:,} values, which is no segmentation"
            )
        labels[name] = in_order(row[0] for row in found if row[0] is not None)
    columns = [column_of(name).cast("string").alias(SEGMENT + name) for name in names]
    return labels, _with_wide_ids(frame).select(USER, *columns)


def together(frames: Mapping[str, Any], labels: Mapping[str, Any]) -> Any:
    """All tables as one, ``part, user_id, item_id, number`` and the segments of users."""
    kind = dict(frames["lists"].dtypes)[ITEM]
    rows = None
    for part, name in enumerate(PARTS):
        if name in frames:
            frame = frames[name].withColumn(PART, _literal(part).cast("tinyint"))
            if name == "users":
                frame = frame.withColumn(ITEM, _literal(None).cast(kind)).withColumn(NUMBER, _literal(0.0))
            else:
                for each in labels:
                    frame = frame.withColumn(SEGMENT + each, _literal(None).cast("string"))
            if SCORE in frames["lists"].columns and name != "lists":
                frame = frame.withColumn(SCORE, _literal(None).cast("double"))
            rows = frame if rows is None else rows.unionByName(frame)
    return rows


def is_spark_frame(table: Any) -> bool:
    """Whether a table is a frame of Spark."""
    return type(table).__module__.startswith("pyspark.")


def column_of(name: str) -> Any:
    """A column by its name, whatever characters it has."""
    return functions().col(in_backticks(name))


def in_backticks(name: str) -> str:
    """A name as an identifier of Spark: within backticks, and its own doubled."""
    return "`" + name.replace("`", "``") + "`"


def _literal(value: Any) -> Any:
    return functions().lit(value)


def relevant_pairs(truth: Any, relevance: str | None) -> Any:
    """The rows of the truth that are relevant."""
    return truth.filter(column_of(NUMBER) > 0) if relevance else truth


def functions() -> Any:
    """The functions of Spark SQL."""
    return need("pyspark.sql.functions", extra="spark")


def _with_wide_ids(frame: Any) -> Any:
    """The frame with 64-bit integers for ids, so that all tables hash them alike."""
    for name, kind in frame.dtypes:
        if name in (USER, ITEM) and kind in _INTEGERS:
            frame = frame.withColumn(name, column_of(name).cast("bigint"))
        elif name in (USER, ITEM) and kind != "string":
            raise DataError(
                f"ids are {kind}, expected integers or strings",
                column=name,
                fix="Cast the column to strings.",
            )
    return frame


def check_kinds(frames: Mapping[str, Any]) -> None:
    """Refuse tables of which one has integers for ids and another text: none can match."""
    for column in (USER, ITEM):
        kinds = {what: dict(frame.dtypes).get(column) for what, frame in frames.items()}
        kinds = {what: kind for what, kind in kinds.items() if kind is not None}
        if len(set(kinds.values())) > 1:
            shown = ", ".join(f"{kind} in {what}" for what, kind in kinds.items())
            raise DataError(
                f"ids are {shown}, so that none can match",
                column=column,
                fix="Cast one side to strings.",
            )


def some_ids(frame: Any, column: str) -> pl.Series:
    """The least ids of a column, to tell why none match."""
    return polars_of(frame.select(column).distinct().orderBy(column).limit(_SHOWN))[column]


def with_chances(lists: Any) -> tuple[Any, bool]:
    """The lists, with their scores if all of them can be probabilities, and whether they are."""
    if SCORE not in lists.columns:
        return lists, False
    fn = functions()
    rows, known, low, high = lists.agg(fn.count("*"), fn.count(SCORE), fn.min(SCORE), fn.max(SCORE)).collect()[0]
    chances = bool(rows) and known == rows and low >= 0 and high <= 1
    return (lists if chances else lists.drop(SCORE)), chances


def of_some_users(rows: Any, frames: Mapping[str, Any], *, most: int) -> Any:
    """The rows of some users with a list or with relevant items: those whose hash is least."""
    fn = functions()
    who = frames["lists"].select(USER)
    if "truth" in frames:
        who = who.unionByName(frames["truth"].select(USER))
    chosen = who.distinct().orderBy(fn.md5(fn.col(USER).cast("string").cast("binary")), USER).limit(most)
    return rows.join(chosen, USER, "left_semi")
