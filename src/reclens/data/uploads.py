"""Tables that somebody uploads: bytes that are not trusted, parsed as data, never run, and no larger than the limits.

Delimited text, packed by gzip or not, and Parquet; what a file is says its content, not its name. Limits apply before
anything is unpacked, where that can be known.
"""

from __future__ import annotations

import gzip
import io
import tempfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from reclens.data.columns import find_columns
from reclens.data.delimited import read_delimited
from reclens.data.sources import Raw
from reclens.errors import DataError

__all__ = ["LIMITS", "Limits", "guess_columns", "open_upload"]

_BLOCK: Final = 1 << 22
_FIRST_LINE: Final = 1 << 20
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


@dataclass(frozen=True)
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


def open_upload(data: bytes, name: str, *, limits: Limits = LIMITS) -> Raw:
    r"""The rows of an upload, as they were found; give them to the readers, such as ``read_recommendations``.

    Args:
        data: The bytes.
        name: What the file is called; for messages only.
        limits: How large it may be.

    Raises:
        DataError: If it is no table of a known kind, is broken, or is larger than the limits.

    Example:
        >>> open_upload(b"user,item,rank\n7,a,1\n", "lists.csv").frame.rows()
        [('7', 'a', '1')]
    """
    _within(len(data), limits.bytes, "bytes", name)
    if not data.strip():
        raise DataError("the file is empty", source=name, fix="Expected CSV or Parquet.")
    for magic, what, fix in _FOREIGN:
        if data.startswith(magic):
            raise DataError(f"this is {what}, expected CSV or Parquet", source=name, fix=fix)
    short = Path(name).name.split(".")[0] or "upload"
    if data.startswith(b"PAR1"):
        frame, text = _parquet(data, name, limits), False
    else:
        frame, text = _delimited(_unpacked(data, name, limits), name, limits), True
    for column, kind in frame.schema.items():
        if kind == pl.String and frame.height:
            longest = frame[column].str.len_bytes().max()
            _within(int(longest or 0), limits.cell, f"bytes in a cell of the column '{column}'", name)  # type: ignore[arg-type]
    return Raw(frame, name, short, text=text)


def guess_columns(present: list[str], wanted: Iterable[str]) -> dict[str, str]:
    """Which columns hold what, as far as their names tell; what two columns could be is left open.

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


def _within(seen: int, most: int, what: str, name: str) -> None:
    if seen > most:
        raise DataError(f"it has {seen:,} {what}; at most {most:,} can be uploaded", source=name,
                        fix="Bring fewer, or use the command line, which has no such limit.")  # fmt: skip


def _unpacked(data: bytes, name: str, limits: Limits) -> bytes:
    """The text of a gzip file, no more of it than the limit."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    parts: list[bytes] = []
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            while part := file.read(_BLOCK):
                parts.append(part)
                _within(len(parts) * _BLOCK - _BLOCK, limits.unpacked, "bytes unpacked, or more", name)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(
            f"the gzip file is broken or was cut short ({error})", source=name, fix="Pack it again."
        ) from None
    return b"".join(parts)


def _delimited(data: bytes, name: str, limits: Limits) -> pl.DataFrame:
    end = data.find(b"\n")
    _within(len(data) if end < 0 else end, _FIRST_LINE, "bytes in the first line", name)
    _within(data.count(b"\n"), limits.rows, "lines", name)
    frame = read_delimited(data, source=name)
    _within(frame.width, limits.columns, "columns", name)
    return frame


def _parquet(data: bytes, name: str, limits: Limits) -> pl.DataFrame:
    """A Parquet file whose own account of itself is within the limits."""
    import duckdb

    try:
        with tempfile.TemporaryDirectory(prefix="reclens-upload-") as folder:
            place = Path(folder) / "upload.parquet"
            place.write_bytes(data)
            with duckdb.connect(":memory:", config={"autoload_known_extensions": False, "temp_directory": ""}) as asked:
                counts = asked.execute(
                    "SELECT coalesce(sum(total_uncompressed_size), 0), count(DISTINCT column_id), "
                    "(SELECT sum(num_rows) FROM parquet_file_metadata($1)) FROM parquet_metadata($1)", [str(place)]
                ).fetchone()  # fmt: skip
            size, columns, rows = (int(each or 0) for each in counts or (0, 0, 0))
            _within(rows, limits.rows, "rows", name)
            _within(columns, limits.columns, "columns", name)
            _within(size, limits.unpacked, "bytes unpacked", name)
            return pl.read_parquet(io.BytesIO(data), hive_partitioning=False)
    except (duckdb.Error, pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"it cannot be read: {reason}", source=name, fix="Was it written to the end?") from None
