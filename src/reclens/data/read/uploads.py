"""Uploaded tables: untrusted bytes that are parsed as data, never executed, and subject to limits.

Delimited text and JSON, optionally compressed by gzip, bzip2, xz or zstd, and Parquet. The format is detected from the
content, not from the name. Limits apply before decompression where the size is known, and during it otherwise.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Unpack

import polars as pl

from reclens.data.quoting import quoted
from reclens.data.read.columns import find_columns
from reclens.data.read.delimited import as_utf8, read_delimited
from reclens.data.read.header import refuse_names_among_rows, values_among_names
from reclens.data.read.json_rows import json_kind, read_json
from reclens.data.read.nested import adjacency
from reclens.data.read.options import TextOptions, refuse_text_options
from reclens.data.read.packed import is_packed, unpack
from reclens.data.read.raw import Raw
from reclens.errors import DataError
from reclens.schema import ITEM, USER

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["LIMITS", "Limits", "guess_columns", "open_upload", "unpack_upload"]

_FIRST_LINE: Final = 1 << 20
_MEMORY: Final = "1GB"
_TEXTS: Final = ("VARCHAR", "BLOB", "JSON")
_PROGRAM: Final = "A pickle is a program and is not run: write the table as CSV or Parquet."
_FOREIGN: Final = (
    (b"PK\x03\x04", "a zip", "Unpack it, and bring the table that is in it."),
    (b"\x80\x02", "a pickle", _PROGRAM),
    (b"\x80\x03", "a pickle", _PROGRAM),
    (b"\x80\x04", "a pickle", _PROGRAM),
    (b"\x80\x05", "a pickle", _PROGRAM),
    (b"\x93NUMPY", "a NumPy file", "Write the table as CSV or Parquet."),
    (b"ARROW1", "an Arrow file", "Write the table as CSV or Parquet."),
    (b"SQLite", "a database", "Write the table as CSV or Parquet."),
    (b"%PDF", "a PDF", "Write the table as CSV or Parquet."),
    (b"\xd0\xcf\x11\xe0", "an old Excel file", "Save the sheet as CSV."),
)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How large an upload may be.

    Attributes:
        bytes: Of the file as it comes.
        unpacked: Bytes of its values, unpacked.
        rows: Rows.
        columns: Columns.
        cell: Bytes of one text.
    """

    bytes: int = 200 << 20
    unpacked: int = 2 << 30
    rows: int = 20_000_000
    columns: int = 500
    cell: int = 1 << 20


LIMITS: Final = Limits()
"""The limits of the dashboard."""


def open_upload(
    data: bytes,
    name: str,
    *,
    limits: Limits = LIMITS,
    decimal: Literal[".", ","] | None = None,
    adjacent: bool = False,
    **form: Unpack[TextOptions],
) -> Raw:
    r"""Parse an upload into rows; pass them to a reader, such as ``read_recommendations``.

    Args:
        data: The bytes.
        name: What the file is called; for messages only.
        limits: How large it may be.
        decimal: As for :func:`reclens.read`.
        adjacent: Whether a text has lines of a user and their items, as ``form="adjacency"`` says.
        **form: How text is taken apart; see :class:`reclens.data.read.options.TextOptions`. Without a header the
            columns are ``column_1 …``.

    Raises:
        DataError: If it is no table of a known kind, is broken, or is larger than the limits.

    Example:
        >>> open_upload(b"user,item,rank\n7,a,1\n", "lists.csv").frame.rows()
        [('7', 'a', '1')]
    """
    unpacked, short = unpack_upload(data, name, limits=limits), Path(name).name.split(".")[0] or "upload"
    if data.startswith(b"PAR1"):
        return Raw(frame=_parquet(data, name, limits), where=name, name=short)
    kind = json_kind(unpacked)
    if adjacent:
        _within(unpacked.count(b"\n"), limits.rows, "lines", name)
        return Raw(
            frame=adjacency(unpacked, source=name, encoding=form.get("encoding")), where=name, name=short, text=True
        )
    if kind is not None:
        refuse_text_options(_said(form, decimal), f"{name} is JSON", besides="encoding")
        frame = read_json(as_utf8(unpacked, name, form.get("encoding")), kind, source=name)
        _within(frame.height, limits.rows, "rows", name)
        _within(frame.width, limits.columns, "columns", name)
        _cells_within(frame, limits, name)
        return Raw(frame=frame, where=name, name=short)
    frame = _delimited(unpacked, name, limits, form)
    _cells_within(frame, limits, name)
    doubtful = values_among_names(frame) if form.get("header") is None else ()
    return Raw(frame=frame, where=name, name=short, text=True, decimal=decimal, doubtful=doubtful)


def unpack_upload(data: bytes, name: str, *, limits: Limits = LIMITS) -> bytes:
    """Decompress an upload within the limits.

    Raises:
        DataError: If it is empty, of an unknown format, broken, compressed twice or larger than the limits.
    """
    _within(len(data), limits.bytes, "bytes", name)
    if not data.strip():
        raise DataError("the file is empty", source=name, fix="Expected CSV, JSON or Parquet.")
    _refuse_foreign(data, name)
    unpacked = unpack(data, name, most=lambda size: _within(size, limits.unpacked, "bytes unpacked, or more", name))
    if unpacked is not data:
        # The CSV reader would decompress it again, without a limit.
        _refuse_foreign(unpacked, name)
        if is_packed(unpacked) or unpacked.startswith(b"PAR1"):
            raise DataError(
                "there is another packed file in the packed file, expected CSV or JSON",
                source=name,
                fix="Unpack it, and bring the table that is in it.",
            )
    return unpacked


def _said(form: TextOptions, decimal: str | None) -> dict[str, Any]:
    """Options that differ from their defaults."""
    said = {name: value for name, value in form.items() if value is not None and (name, value) != ("quote", '"')}
    said |= {"quote": None} if form.get("quote", '"') is None else {}
    return said | ({"decimal": decimal} if decimal else {})


def _cells_within(frame: pl.DataFrame, limits: Limits, name: str) -> None:
    for column in frame.select(pl.col(pl.String)) if frame.height else ():
        longest = column.str.len_bytes().max()
        _within(int(longest or 0), limits.cell, f"bytes in a cell of the column '{column.name}'", name)  # type: ignore[arg-type]


def guess_columns(present: list[str], wanted: Iterable[str]) -> dict[str, str]:
    """Guess the columns of the schema by their names; ambiguous ones are omitted.

    Example:
        >>> guess_columns(["userId", "movieId", "place"], ["user_id", "item_id", "rank"])
        {'user_id': 'userId', 'item_id': 'movieId'}
    """
    found: dict[str, str] = {}
    for ours in wanted:
        try:
            found |= find_columns(present, wanted=[ours], required=(), columns=None, source="")
        except DataError:
            continue
    return found


def _refuse_foreign(data: bytes, name: str) -> None:
    for magic, what, fix in _FOREIGN:
        if data.startswith(magic):
            raise DataError(f"this is {what}, expected CSV, JSON or Parquet", source=name, fix=fix)
    if data.startswith(b"x"):  # zlib streams begin like this, and some tables too
        with contextlib.suppress(zlib.error):
            zlib.decompressobj().decompress(data[:512], 64)
            raise DataError("this is a zlib stream, expected CSV or Parquet", source=name, fix="Pack it by gzip.")


def _within(seen: int, most: int, what: str, name: str) -> None:
    if seen > most:
        raise DataError(
            f"it has {seen:,} {what}; at most {most:,} can be uploaded",
            source=name,
            fix="Bring fewer, or use the command line, which has no such limit.",
        )


def _delimited(data: bytes, name: str, limits: Limits, form: TextOptions) -> pl.DataFrame:
    end = data.find(b"\n")
    _within(len(data) if end < 0 else end, _FIRST_LINE, "bytes in the first line", name)
    _within(data.count(b"\n"), limits.rows, "lines", name)
    header = form.get("header")
    frame = read_delimited(
        data,
        source=name,
        delimiter=form.get("delimiter"),
        quote=form.get("quote", '"'),
        escape=form.get("escape"),
        encoding=form.get("encoding"),
        header=header,
        wanted=(USER, ITEM),
    )
    if header is False:
        refuse_names_among_rows(frame, name)
    _within(frame.width, limits.columns, "columns", name)
    return frame


def _parquet(data: bytes, name: str, limits: Limits) -> pl.DataFrame:
    """Read a Parquet file after checking the number and the size of its values."""
    import duckdb

    try:
        with tempfile.TemporaryDirectory(prefix="reclens-upload-") as folder:
            place = Path(folder) / "upload.parquet"
            place.write_bytes(data)
            with duckdb.connect(
                ":memory:",
                config={
                    "autoload_known_extensions": False,
                    "temp_directory": "",
                    "memory_limit": _MEMORY,
                    "threads": 2,
                },
            ) as asked:
                _account(asked, str(place), name, limits)
                _measure(asked, str(place), name, limits)
            return pl.read_parquet(io.BytesIO(data), hive_partitioning=False)
    except duckdb.OutOfMemoryException:
        raise DataError(
            f"its values need more than {_MEMORY} to be measured",
            source=name,
            fix="Bring fewer, or use the command line, which has no such limit.",
        ) from None
    except (duckdb.Error, pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"it cannot be read: {reason}", source=name, fix="Was it written to the end?") from None


def _account(asked: DuckDBPyConnection, place: str, name: str, limits: Limits) -> None:
    """Check the metadata of the file against the limits.

    Its sizes are those of encoded pages, in which a repeated value is stored once. Values are therefore also counted
    by their width.
    """
    counts = asked.execute(
        "SELECT coalesce(sum(total_uncompressed_size), 0), count(DISTINCT column_id), "
        "coalesce(sum(greatest(num_values, row_group_num_rows) * CASE type WHEN 'BOOLEAN' THEN 1 WHEN 'INT32' THEN 4 "
        "WHEN 'FLOAT' THEN 4 WHEN 'INT64' THEN 8 WHEN 'DOUBLE' THEN 8 ELSE 16 END), 0), "
        "(SELECT sum(num_rows) FROM parquet_file_metadata($1)) FROM parquet_metadata($1)",
        [place],
    ).fetchone()
    pages, columns, wide, rows = (int(each or 0) for each in counts or (0, 0, 0, 0))
    _within(rows, limits.rows, "rows", name)
    _within(columns, limits.columns, "columns", name)
    _within(max(pages, wide), limits.unpacked, "bytes unpacked", name)


def _measure(asked: DuckDBPyConnection, place: str, name: str, limits: Limits) -> None:
    """Check the text and binary columns against the limits, a few rows at a time.

    Lists and structs are measured by their printed text.
    """
    total, rows = 0, "FROM read_parquet($1, hive_partitioning = false)"
    for column, kind, *_ in asked.execute(f"DESCRIBE {rows}", [place]).fetchall():
        name = quoted(column)
        nested = any(sign in kind for sign in "[(")
        if kind not in ("VARCHAR", "BLOB", "JSON") and not (nested and any(each in kind for each in _TEXTS)):
            continue
        length = f"octet_length({name})" if kind == "BLOB" else f"strlen({name}::VARCHAR)"
        found = asked.execute(f"SELECT max({length}), sum({length}) {rows}", [place]).fetchone()
        longest, size = found or (0, 0)
        _within(int(longest or 0), limits.cell, f"bytes in a cell of the column '{column}'", name)
        total += int(size or 0)
    _within(total, limits.unpacked, "bytes unpacked", name)
