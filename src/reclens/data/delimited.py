"""Delimited text (CSV and its relatives): every value comes out as text, so that ids keep their zeros.

The delimiter is found by looking: ``::``, tab, ``;``, ``|``, ``,`` or a space.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from typing import Final

import polars as pl

from reclens.errors import DataError, UsageError

__all__ = ["read_delimited", "sniff_delimiter", "unpack"]

_CANDIDATES: Final = ("::", "\t", ";", "|", ",", " ")
_STAND_IN: Final = "\x1f"
"""The unit separator stands in for delimiters of more than one character, which the fast reader does not know."""
_SAMPLE: Final = 1 << 16
_BLOCK: Final = 1 << 24
_FREE_BLOCKS: Final = 4
_MOST_RATIO: Final = 200
"""Text compresses 3 to 20 times; a bomb 1,000 times."""


def read_delimited(
    data: bytes,
    *,
    source: str,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    header: bool = True,
    quotes: bool = True,
) -> pl.DataFrame:
    """The table in delimited text.

    Args:
        data: The bytes of the file, packed by gzip or not.
        source: Its name, for messages.
        delimiter: One or more characters; None to find out.
        encoding: Of the text; a byte-order mark overrules it.
        header: Whether the first line names the columns; if not they are ``column_1 …``.
        quotes: Whether ``"`` encloses fields; never with a delimiter of several characters.

    Returns:
        A frame of text columns; empty fields are null; blank lines are left out.

    Raises:
        DataError: If it is empty, not in that encoding, or lines do not have the columns of the header.
    """
    data = _as_utf8(unpack(data, source), source, encoding, header=header)
    if not data.strip():
        raise DataError("the file is empty", source=source, fix="Expected a line of column names, then rows.")
    if data[:_SAMPLE].count(b"\0"):
        raise DataError(
            "this is not text", source=source, fix="Expected CSV or Parquet; for another encoding pass encoding=."
        )
    first = data[: data.find(b"\n") if b"\n" in data else len(data)]
    try:
        first.decode("utf-8")  # the reader would mend the names of columns silently
    except UnicodeDecodeError as error:
        raise _not_in(data, error, source, "utf-8", header=header) from None
    given = delimiter or sniff_delimiter(data[:_SAMPLE].decode("utf-8", "replace"), whole=len(data) <= _SAMPLE)
    separator, quote = given, '"' if quotes else None
    if len(given.encode()) > 1:
        if _STAND_IN.encode() in data:
            raise DataError(
                f"the text holds control characters, so that '{given}' cannot be its delimiter", source=source
            )
        data, separator, quote = data.replace(given.encode(), _STAND_IN.encode()), _STAND_IN, None
    try:
        frame = pl.read_csv(
            data, separator=separator, quote_char=quote, has_header=header, infer_schema=False,
            null_values="",
        )  # fmt: skip
    except pl.exceptions.NoDataError:
        raise DataError("the file is empty", source=source) from None
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise _explained(data, error, source, separator, given, header=header, quotes=quote is not None) from None
    if not header:  # Polars counts from 1 or from 0, by its version
        frame.columns = [f"column_{place}" for place in range(1, frame.width + 1)]
    twice = next((name for name in frame.columns if re.search(r"_duplicated_\d+$", name)), None)
    if twice is not None:
        raise DataError(f"two columns are named '{re.sub(r'_duplicated_[0-9]+$', '', twice)}'", source=source,
                        fix="Rename one of them in the file.")  # fmt: skip
    frame = frame.rename(str.strip) if header else frame
    blank = frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
    return frame.filter(~blank) if blank.any() else frame


def unpack(data: bytes, source: str) -> bytes:
    """The bytes of a gzip file; others come back as they are.

    Raises:
        DataError: If the gzip file is broken, cut short or a bomb.
    """
    if data[:2] != b"\x1f\x8b":
        return data
    parts: list[bytes] = []
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            while part := file.read(_BLOCK):
                parts.append(part)
                if len(parts) > _FREE_BLOCKS and len(parts) * _BLOCK > _MOST_RATIO * len(data):
                    raise DataError(
                        f"its {len(data):,} bytes unpack to over {len(parts) * _BLOCK:,}, as those of a zip bomb do",
                        source=source, fix="If it is what it should be, unpack it first.",
                    )  # fmt: skip
        return b"".join(parts)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(
            f"the gzip file is broken or was cut short ({error})", source=source, fix="Fetch it again."
        ) from None


def sniff_delimiter(sample: str, *, whole: bool = True) -> str:
    r"""The delimiter of a text.

    The one that splits most lines into as many fields as the first line; of equals the earlier of ``::``, tab, ``;``,
    ``|``, ``,``, and a space only if nothing else is there.

    Args:
        sample: The beginning of the text.
        whole: Whether that is all of it; if not, the last line may be cut and does not count.

    Example:
        >>> sniff_delimiter("user::item\n1::Star Trek: First Contact\n")
        '::'
        >>> sniff_delimiter('a,b\n1,"x;y"\n')
        ','
    """
    lines = [re.sub(r'"[^"]*"', "", line) for line in sample.splitlines() if line.strip()]
    lines = lines[:100] if whole or len(lines) < 2 else lines[:-1][:100]
    best, share = ",", 0.0
    for candidate in _CANDIDATES:
        fields = lines[0].count(candidate) if lines else 0
        alike = sum(line.count(candidate) == fields for line in lines) / max(len(lines), 1)
        if fields and alike > share + 1e-9 and not (candidate == " " and share):
            best, share = candidate, alike
    return best


def _as_utf8(data: bytes, source: str, encoding: str, *, header: bool) -> bytes:
    """The text as UTF-8 without a byte-order mark. UTF-8 itself is checked by the reader, which sees it anyway."""
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        raise UsageError(f"encoding is {encoding!r}, which Python does not know; try 'utf-8' or 'latin-1'.") from None
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        name = "utf-16"
    if data.startswith(codecs.BOM_UTF8):
        return data[3:]
    if name in ("utf-8", "ascii"):
        return data
    try:
        return data.decode(name).encode()
    except UnicodeDecodeError as error:
        raise _not_in(data, error, source, encoding, header=header) from None


def _not_in(data: bytes, error: UnicodeDecodeError, source: str, encoding: str, *, header: bool) -> DataError:
    line = data.count(b"\n", 0, error.start) + 1
    row = line - 1 if header else line
    where = f"line {line:,} " if row < 1 else ""
    return DataError(
        f"{where}has the byte 0x{data[error.start]:02X}, which is not {encoding.upper()}", source=source,
        row=row or None,
        fix="Name the encoding it was written in, such as encoding='latin-1' or encoding='cp1252'.",
    )  # fmt: skip


def _explained(
    data: bytes, error: Exception, source: str, separator: str, given: str, *, header: bool, quotes: bool
) -> DataError:
    """What is wrong with a text that the fast reader refused: the slow way, once."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as bad:
        return _not_in(data, bad, source, "utf-8", header=header)
    width = 0
    try:
        quoting = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
        for number, fields in enumerate(csv.reader(io.StringIO(text), delimiter=separator, quoting=quoting)):
            width = width or len(fields)
            if len(fields) > width:
                return DataError(
                    f"the row has {len(fields)} fields, the first line has {width}", source=source,
                    row=number if header else number + 1,
                    fix=f"A field that holds the delimiter '{given}' needs quotes; delimiter= names another one.",
                )  # fmt: skip
    except csv.Error as bad:
        error = bad
    reason = str(error).strip().splitlines()[0]
    return DataError(f"it cannot be read as a table: {reason}", source=source,
                     fix='Look for a quotation mark " that is never closed.')  # fmt: skip
