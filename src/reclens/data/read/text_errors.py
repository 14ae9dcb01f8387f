"""Errors for delimited text that cannot be read as a table."""

from __future__ import annotations

import csv
import io

from reclens.data.read.options import NAME_ENCODING
from reclens.errors import Advice, DataError, Setting

__all__ = ["explained", "not_in_encoding", "ragged", "unreadable"]


def not_in_encoding(data: bytes, error: UnicodeDecodeError, source: str, encoding: str, *, header: bool) -> DataError:
    """The error that names the first byte that is not in an encoding, and its row."""
    line = data.count(b"\n", 0, error.start) + 1
    row = line - 1 if header else line
    where = f"line {line:,} " if row < 1 else ""
    return DataError(
        f"{where}has the byte 0x{data[error.start]:02X}, which is not {encoding.upper()}",
        source=source,
        row=row or None,
        fix=NAME_ENCODING,
    )


def explained(
    data: bytes, error: Exception, source: str, separator: str, given: str, *, header: bool, quote: str | None
) -> DataError:
    """Find the error in a text that the fast reader could not read."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as bad:
        return not_in_encoding(data, bad, source, "utf-8", header=header)
    width = 0
    try:
        quoting = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
        rows = csv.reader(io.StringIO(text), delimiter=separator, quoting=quoting, quotechar=quote)
        for number, fields in enumerate(rows):
            width = width or len(fields)
            if len(fields) > width:
                return ragged(source, len(fields), width, given, row=number if header else number + 1)
    except csv.Error as bad:
        error = bad
    return unreadable(source, error)


def ragged(source: str, fields: int, width: int, delimiter: str, *, row: int) -> DataError:
    """The error for a row with more fields than the first line."""
    return DataError(
        f"the row has {fields} fields between '{delimiter}', the first line has {width}",
        source=source,
        row=row,
        fix=Advice(
            "quote_fields",
            (Setting("delimiter"),),
            "A field that holds the delimiter needs quotes; {delimiter} names another one.",
        ),
    )


def unreadable(source: str, error: Exception) -> DataError:
    """The error for a text that the CSV reader could not parse."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return DataError(
        f"it cannot be read as a table: {reason}",
        source=source,
        fix=Advice(
            "close_quotes",
            (Setting("quote", ""),),
            'Look for a quotation mark " that is never closed; if they enclose nothing, pass {quote}.',
        ),
    )
