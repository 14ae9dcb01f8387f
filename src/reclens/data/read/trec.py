"""TREC's run and qrels files, as trec_eval, ir-measures and ranx read and write them.

A run is a line ``user Q0 item rank score system`` for each place of a list; qrels have a line ``user 0 item relevance``
for each judged pair; blanks or tabs between. trec_eval takes the order of a list from the scores alone and breaks ties
by item, last in the alphabet first; the rank in the file is not looked at.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

import polars as pl

from reclens.cards import AppliedRule, ListsCard
from reclens.data.read.clean import Cleaner, clean_numbers
from reclens.data.read.ids import clean_ids
from reclens.data.read.lists import normalize_recommendations
from reclens.data.read.options import NAME_ENCODING, codec_of
from reclens.data.read.packed import unpack
from reclens.data.read.zips import atomic_path
from reclens.data.rules import rule
from reclens.errors import ArgumentValueError, DataError
from reclens.schema import ITEM, RANK, RELEVANCE, SCORE, USER, Recommendations

__all__ = ["read_qrels", "read_run", "write_qrels", "write_run"]

_RUN: Final = (USER, "Q0", ITEM, RANK, SCORE, "system")
_QRELS: Final = (USER, "iteration", ITEM, RELEVANCE)


def read_run(
    path: str | Path, *, order: Literal["score", "rank"] = "score", name: str | None = None, encoding: str = "utf-8"
) -> Recommendations:
    """Read the lists of a system from a TREC run file, gzip or not.

    Args:
        path: The file.
        order: ``"score"`` orders a list by falling score as trec_eval does (equal scores: by item as text, falling);
            ``"rank"`` believes the ranks in the file.
        name: Name of the system; by default the file's last column.
        encoding: Of the text.

    Returns:
        The lists with ranks from 1; the card counts the rows whose rank in the file was another one.

    Raises:
        DataError: If a line does not have six fields, a rank or score is no number, or two items share a rank.
    """
    if order not in ("score", "rank"):
        raise ArgumentValueError("order", f"is {order!r}, expected 'score' or 'rank'")
    source = str(path)
    frame = _read_fields(Path(path), _RUN, encoding)
    cleaner = Cleaner(source)
    table = pl.DataFrame(
        [
            clean_ids(frame[USER], cleaner, column=USER, text=True),
            clean_ids(frame[ITEM], cleaner, column=ITEM, text=True),
            frame[RANK],
            clean_numbers(frame[SCORE], cleaner, column=SCORE).alias(SCORE),
        ]
    )
    if order == "score":
        table, rules = _by_score(table, source)
    else:
        table, rules = normalize_recommendations(table, source)
    systems = frame["system"].unique(maintain_order=True)
    if len(systems) > 1:
        raise DataError(
            f"the file holds the runs of {len(systems):,} systems: {', '.join(systems.head(5))} …",
            source=source,
            column="system",
            fix="Write one file a system.",
        )
    card: ListsCard = {
        "source": source,
        "rows_read": frame.height,
        "layout": "TREC run",
        "rules": [*cleaner.rules, *rules],
    }
    return Recommendations(table, name or systems[0], card)


def read_qrels(path: str | Path, *, encoding: str = "utf-8") -> pl.DataFrame:
    """Read relevance judgements from a TREC qrels file, gzip or not.

    Args:
        path: The file.
        encoding: Of the text.

    Returns:
        A frame ``user_id, item_id, relevance`` (integers; 0 and less mean: judged, and not relevant), to be used as
        truth with ``relevance="relevance"``.

    Raises:
        DataError: If a line does not have four fields, a relevance is no whole number, or a pair is judged twice.
    """
    source = str(path)
    frame = _read_fields(Path(path), _QRELS, encoding)
    cleaner = Cleaner(source)
    users = clean_ids(frame[USER], cleaner, column=USER, text=True)
    items = clean_ids(frame[ITEM], cleaner, column=ITEM, text=True)
    relevance = frame[RELEVANCE].cast(pl.Int64, strict=False)
    if relevance.null_count():
        row = int(relevance.is_null().arg_true()[0])
        raise DataError(
            f"{frame[RELEVANCE][row]!r} is not a whole number", source=source, column=RELEVANCE, row=row + 1
        )
    table = pl.DataFrame([users, items, relevance])
    first = table.select(pl.struct(USER, ITEM).is_first_distinct()).to_series()
    if not first.all():
        row = int((~first).arg_true()[0])
        raise DataError(
            f"user {users[row]!r} and item {items[row]!r} were judged before",
            source=source,
            row=row + 1,
            fix="Keep one judgement a pair.",
        )
    return table


def write_run(recommendations: Recommendations, path: str | Path, *, name: str | None = None) -> Path:
    """Write lists as a TREC run file that trec_eval, ir-measures and ranx read in the same order.

    Because they order by score, scores are written only where they fall strictly within every list; otherwise the
    score that is written is minus the rank.

    Args:
        recommendations: The lists.
        path: The file to write.
        name: The last column; by default the name of the lists, with ``_`` for blanks.

    Returns:
        The path.

    Raises:
        DataError: If an id holds a blank, or the file cannot be written.
    """
    path = Path(path).expanduser()
    table, _ = normalize_recommendations(recommendations.table, recommendations.name)
    _refuse_blanks(table, recommendations.name)
    score = -pl.col(RANK)
    if SCORE in table.columns:
        falls = (pl.col(SCORE) < pl.col(SCORE).shift(1)) | (pl.col(RANK) == 1)
        usable = table.select((falls.fill_null(False) & pl.col(SCORE).is_finite()).all()).item()
        score = pl.col(SCORE) if usable else score
    label = "_".join((name or recommendations.name).split()) or "system"
    lines = table.select(USER, pl.lit("Q0").alias("Q0"), ITEM, RANK, score.alias(SCORE), pl.lit(label).alias("system"))
    with atomic_path(path) as temporary:
        lines.write_csv(temporary, separator=" ", include_header=False, quote_style="never")
    return path


def write_qrels(truth: pl.DataFrame, path: str | Path, *, relevance: str | None = None) -> Path:
    """Write held-out interactions as a TREC qrels file.

    Args:
        truth: A frame with ``user_id`` and ``item_id``.
        path: The file to write.
        relevance: The column that holds whole numbers; None for 1 a row.

    Returns:
        The path.

    Raises:
        DataError: If a column is missing, an id holds a blank, a relevance is not whole, or a pair is repeated.
    """
    path = Path(path).expanduser()
    for column in (USER, ITEM, *((relevance,) if relevance else ())):
        if column not in truth.columns:
            raise DataError(f"there is no column '{column}'; there are {', '.join(truth.columns)}", source="the truth")
    _refuse_blanks(truth, "the truth")
    if truth.select(pl.struct(USER, ITEM).is_duplicated().any()).item():
        raise DataError("a pair of user and item is there twice", source="the truth", fix="Keep one row a pair.")
    values: Any = pl.lit(1)
    if relevance is not None:
        grades = truth[relevance]
        whole = grades.cast(pl.Int64, strict=False)
        bad = whole.is_null() | (whole.cast(pl.Float64) != grades.cast(pl.Float64, strict=False))
        if bad.any():
            row = int(bad.arg_true()[0])
            raise DataError(
                f"the relevance is {grades[row]}, expected a whole number",
                source="the truth",
                column=relevance,
                row=row + 1,
                fix="qrels hold integers: scale or round them first.",
            )
        values = whole
    lines = truth.select(USER, pl.lit(0).alias("iteration"), ITEM, values.alias(RELEVANCE))
    with atomic_path(path) as temporary:
        lines.write_csv(temporary, separator=" ", include_header=False, quote_style="never")
    return path


def _by_score(table: pl.DataFrame, source: str) -> tuple[pl.DataFrame, list[AppliedRule]]:
    """Order rows as trec_eval does: by descending score, then by descending item as text."""
    given = table[RANK]
    ranks = given.cast(pl.Float64, strict=False)
    if ranks.null_count():
        row = int(ranks.is_null().arg_true()[0])
        raise DataError(f"the rank {given[row]!r} is not a number", source=source, column=RANK, row=row + 1)
    ordered = (
        table.with_row_index("row")
        .with_columns(pl.col("row").min().over(USER).alias("list"), ranks.alias("given"))
        .sort("list", SCORE, pl.col(ITEM).cast(pl.String), descending=[False, True, True])
    )
    ordered = ordered.with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("list").alias(RANK))
    # Ranks may begin at 0 or 1: only the order is compared.
    per_list = ordered.with_columns(pl.col("given").rank("ordinal").over("list").alias("place"))
    moved = int((per_list["place"] != per_list[RANK].cast(per_list["place"].dtype)).sum())
    tied = int(
        ordered.select((pl.col(SCORE) == pl.col(SCORE).shift(1)) & (pl.col("list") == pl.col("list").shift(1)))
        .to_series()
        .sum()
    )
    result, rules = normalize_recommendations(ordered.select(USER, ITEM, RANK, SCORE), source)
    if moved:
        rules.insert(0, rule("ordered_by_score", moved))
    if tied:
        rules.insert(0, rule("equal_scores_by_item", tied))
    return result, rules


def _read_fields(path: Path, names: tuple[str, ...], encoding: str) -> pl.DataFrame:
    """Split lines at any number of blanks; all fields are text."""
    source = str(path)
    try:
        data = unpack(path.expanduser().read_bytes(), source)
    except OSError as error:
        raise DataError(f"it cannot be read: {error.strerror or error}", source=source, fix="Check the path.") from None
    codec = codec_of(encoding)
    try:
        text = data.decode("utf-8-sig" if codec == "utf-8" else codec)
    except UnicodeDecodeError as error:
        raise DataError(
            f"the byte 0x{data[error.start]:02X} is not {encoding.upper()}",
            source=source,
            row=data.count(b"\n", 0, error.start) + 1,
            fix=NAME_ENCODING,
        ) from None
    lines = pl.Series("line", text.split("\n")).str.strip_chars()
    lines = lines.filter(lines != "")
    if not len(lines):
        raise DataError("the file is empty", source=source, fix=f"Expected lines: {' '.join(names)}.")
    fields = lines.str.replace_all(r"\s+", " ").str.split(" ")
    odd = fields.list.len() != len(names)
    if odd.any():
        row = int(odd.arg_true()[0])
        raise DataError(
            f"the line has {fields[row].len()} fields, expected {len(names)}: {' '.join(names)}",
            source=source,
            row=row + 1,
        )
    return fields.list.to_struct(fields=list(names)).struct.unnest()


def _refuse_blanks(table: pl.DataFrame, source: str) -> None:
    for column in (USER, ITEM):
        bad = table[column].is_null() | table[column].cast(pl.String).str.contains(r"\s|^$")
        if bad.any():
            row = int(bad.arg_true()[0])
            raise DataError(
                f"the id {table[column][row]!r} cannot stand between blanks",
                source=source,
                column=column,
                row=row + 1,
                fix="Ids of TREC files hold no blanks: replace them first.",
            )
