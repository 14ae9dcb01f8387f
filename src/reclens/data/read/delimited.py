"""Delimited text such as CSV; all values are read as text, so that ids keep leading zeros.

The delimiter is detected: ``::``, tab, ``;``, ``|``, ``,`` or a space.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Final

import polars as pl

from reclens.data.read.header import refuse_header_of_values
from reclens.data.read.options import NAME_ENCODING, TAKE_LESS, codec_of, leave_out
from reclens.data.read.packed import unpack
from reclens.data.read.text_errors import explained, not_in_encoding, ragged, unreadable
from reclens.engine import LocalEngine
from reclens.errors import Advice, ArgumentValueError, DataError, Setting, UsageError
from reclens.memory import require_memory

__all__ = ["SAMPLE", "as_utf8", "has_mark", "read_delimited", "read_in_place", "sniff_delimiter"]

_CANDIDATES: Final = ("::", "\t", ";", "|", ",", " ")
_STAND_IN: Final = "\x1f"
"""The ASCII unit separator replaces delimiters of more than one character, which the fast reader does not support."""
SAMPLE: Final = 1 << 16
"""Number of leading bytes from which the format of a text is detected."""


def read_delimited(
    data: bytes,
    *,
    source: str,
    delimiter: str | None = None,
    quote: str | None = '"',
    escape: str | None = None,
    encoding: str | None = None,
    header: bool | None = True,
    wanted: Sequence[str] = (),
    whole: Sequence[int] = (),
) -> pl.DataFrame:
    """Read a table of delimited text.

    Args:
        data: The bytes of the file, packed or not.
        source: Its name, for messages.
        delimiter: As for :class:`reclens.data.read.options.TextOptions`.
        quote: As there.
        escape: As there.
        encoding: As there.
        header: Whether the first line names the columns; if not they are ``column_1 …``. None if it should, unless all
            of it looks like values.
        wanted: Columns of ours that the table may hold, for the advice where its header is none.
        whole: Places of columns, from 0, that are parsed as integers at once if all of their values are written as
            integers would be; as text otherwise.

    Returns:
        A frame of text columns, and of Int64 where ``whole`` says so; empty fields are null; blank lines are left out.

    Raises:
        DataError: If it is empty, not in that encoding, lines do not have the columns of the header, or the header is
            none.
        UsageError: If the options contradict each other.
    """
    require_memory(
        2 * len(data),
        f"reading {source} as text",
        advice=TAKE_LESS,
    )
    named = header is not False
    quote = _checked(delimiter, quote, escape)
    data = as_utf8(unpack(data, source), source, encoding, header=named)
    if not data[:SAMPLE].strip() and not data.strip():
        raise DataError("the file is empty", source=source, fix="Expected a line of column names, then rows.")
    _refuse_binary(data, source)
    first = data[: data.find(b"\n") if b"\n" in data else len(data)]
    try:
        first.decode("utf-8")  # the reader would rename duplicate columns silently
    except UnicodeDecodeError as error:
        raise not_in_encoding(data, error, source, "utf-8", header=named) from None
    given = delimiter or sniff_delimiter(
        data[:SAMPLE].decode("utf-8", "replace"), whole=len(data) <= SAMPLE, quote=quote
    )
    if len(given.encode()) > 1:
        if quote not in (None, '"') or escape:
            raise UsageError(
                f"the delimiter is {given!r}, and beside quotes or escapes it has to be one character.",
                advice=leave_out(Setting("quote"), Setting("escape")),
            )
        if _STAND_IN.encode() in data:
            raise DataError(
                f"the text holds control characters, so that '{given}' cannot be its delimiter", source=source
            )
        data, separator, quote = data.replace(given.encode(), _STAND_IN.encode()), _STAND_IN, None
    else:
        separator = given
    if escape:
        frame = _read_escaped(data, source, separator, quote, escape, header=named)
    else:
        typed = _with_integers(data, data, separator, quote, whole, header=named) if whole else None
        frame = _read(data, source, separator, given, quote, header=named) if typed is None else typed
    return _finished(frame, source, header, wanted)


def read_in_place(
    path: Path,
    *,
    source: str,
    delimiter: str | None = None,
    quote: str | None = '"',
    header: bool | None = True,
    wanted: Sequence[str] = (),
    whole: Sequence[int],
) -> pl.DataFrame | None:
    """Read a UTF-8 file with integer columns without copying its bytes.

    Args:
        path: The file, longer than ``SAMPLE``; neither packed nor with a byte-order mark.
        source: As for :func:`read_delimited`, which the others are for, too.
        delimiter: As there.
        quote: As there.
        header: As there.
        wanted: As there.
        whole: As there.

    Returns:
        As there; None if the bytes have to be looked at: the delimiter is longer than a character, a value of ``whole``
            is not written as an integer would be, or it cannot be parsed, which :func:`read_delimited` explains.
    """
    size = path.stat().st_size
    require_memory(
        2 * size,
        f"reading {source} as text",
        advice=TAKE_LESS,
    )
    quote = _checked(delimiter, quote, None)
    with path.open("rb") as file:
        sample = file.read(SAMPLE)
        file.seek(size - 2)
        end = file.read()
    separator = delimiter or sniff_delimiter(sample.decode("utf-8", "replace"), whole=False, quote=quote)
    if len(separator.encode()) > 1 or not sample.strip() or b"\0" in sample or sample.find(b"\n") < 0:
        return None
    try:
        sample[: sample.find(b"\n")].decode("utf-8")
    except UnicodeDecodeError:
        return None
    frame = _with_integers(path, sample, separator, quote, whole, header=header is not False, size=size, end=end)
    return None if frame is None else _finished(frame, source, header, wanted)


def _finished(frame: pl.DataFrame, source: str, header: bool | None, wanted: Sequence[str]) -> pl.DataFrame:
    """Check the names of the columns and drop blank lines."""
    named = header is not False
    if not named:  # Polars counts from 1 or from 0, by its version
        frame.columns = [f"column_{place}" for place in range(1, frame.width + 1)]
    if header is None:
        refuse_header_of_values(frame, source, wanted=wanted)
    bare = [re.sub(r"_duplicated_[0-9]+$", "", name).strip() if named else name for name in frame.columns]
    twice = next((name for place, name in enumerate(bare) if name in bare[:place]), None)
    if twice is not None:
        raise DataError(f"two columns are named '{twice}'", source=source, fix="Rename one of them in the file.")
    frame = frame.rename(str.strip) if named else frame
    blank = frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
    return frame.filter(~blank) if blank.any() else frame


def _with_integers(
    content: bytes | Path,
    sample: bytes,
    separator: str,
    quote: str | None,
    whole: Sequence[int],
    *,
    header: bool,
    size: int | None = None,
    end: bytes | None = None,
) -> pl.DataFrame | None:
    """Parse some columns as integers; None unless all their values are in canonical form.

    The lengths of all fields, separators and line ends must add up to the size of the file: leading zeros, a plus sign,
    blanks or quotes would make it longer. So it is enough to compare sums of lengths. ``size`` and ``end``, the number
    of bytes and the last two of them, default to those of ``sample``.
    """
    size, end = len(sample) if size is None else size, sample[-2:] if end is None else end
    line = sample[: sample.find(b"\n") + 1]
    kinds = [pl.Int64 if at in whole else pl.String for at in range(line.count(separator.encode()) + 1)]
    try:
        frame = pl.read_csv(
            content,
            separator=separator,
            quote_char=quote,
            has_header=header,
            schema_overrides=kinds,
            null_values="",
            glob=False,
        )
    except (OSError, pl.exceptions.PolarsError, ValueError):
        return None
    fields = sum(LocalEngine().map(_length, frame))  # in parallel: each uses one thread
    ends = frame.height * (frame.width - 1 + (2 if line.endswith(b"\r\n") else 1))
    missing = 0 if end.endswith(b"\n") else len(line) - len(line.rstrip(b"\r\n"))
    return frame if fields + ends + (len(line) if header else 0) - missing == size else None


def _length(values: pl.Series) -> int:
    """Total length in bytes of the values of a column, written as text."""
    if values.dtype == pl.String:
        return int(values.str.len_bytes().sum())
    low, high = values.min(), values.max()
    if not isinstance(low, int) or not isinstance(high, int):
        return 0
    digits = len(values) - values.null_count()
    if low < 0:
        digits += int((values < 0).sum())
        values, high = values.abs(), max(-low, high)
    for power in range(1, len(str(high))):
        digits += int((values >= 10**power).sum())
    return digits


def _read(data: bytes, source: str, separator: str, given: str, quote: str | None, *, header: bool) -> pl.DataFrame:
    try:
        return pl.read_csv(
            data, separator=separator, quote_char=quote, has_header=header, infer_schema=False, null_values=""
        )
    except pl.exceptions.NoDataError:
        raise DataError("the file is empty", source=source) from None
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise explained(data, error, source, separator, given, header=header, quote=quote) from None


def _read_escaped(
    data: bytes, source: str, separator: str, quote: str | None, escape: str, *, header: bool
) -> pl.DataFrame:
    """Read text with an escape character by Python's reader, because Polars does not support one."""
    try:
        text = io.StringIO(data.decode("utf-8"), newline="")
    except UnicodeDecodeError as error:
        raise not_in_encoding(data, error, source, "utf-8", header=header) from None
    rows = csv.reader(
        text,
        delimiter=separator,
        quotechar=quote,
        escapechar=escape,
        strict=True,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
    )
    try:
        found = [row for row in rows if row]
    except csv.Error as error:
        raise unreadable(source, error) from None
    width = len(found[0])
    for number, row in enumerate(found):
        if len(row) > width:
            raise ragged(source, len(row), width, separator, row=number if header else number + 1)
    names, found = (found[0], found[1:]) if header else ([f"column_{place + 1}" for place in range(width)], found)
    names = [name if name not in names[:place] else f"{name}_duplicated_{place}" for place, name in enumerate(names)]
    columns = zip_longest(*found) if found else ((),) * width
    known = {name: [value or None for value in values] for name, values in zip(names, columns, strict=False)}
    return pl.DataFrame(known, schema=dict.fromkeys(names, pl.String))


def _checked(delimiter: str | None, quote: str | None, escape: str | None) -> str | None:
    """Return the quote character, or None for no quoting.

    Raises:
        UsageError: If quote, escape or delimiter is not valid.
    """
    if delimiter == "":
        raise ArgumentValueError(
            "delimiter", "is empty, expected one or more characters; leave it out to have it found."
        )
    for name, value in (("quote", quote), ("escape", escape)):
        if value and (len(value) > 1 or not value.isascii() or value in "\r\n"):
            raise ArgumentValueError(name, f"is {value!r}, expected one ASCII character, or nothing.")
    given = [each for each in (delimiter, quote, escape) if each]
    if len(given) != len(set(given)):
        raise UsageError(f"{given[-1]!r} cannot be two of delimiter, quote and escape.")
    return quote or None


def _refuse_binary(data: bytes, source: str) -> None:
    if data[257:262] == b"ustar":
        raise DataError("this is a tar archive", source=source, fix="Unpack it, by tar -xf, and name the table in it.")
    if data[:SAMPLE].count(b"\0"):
        raise DataError(
            "this is not text",
            source=source,
            fix=Advice(
                "other_encoding",
                (Setting("encoding"),),
                "Expected CSV or Parquet; for another encoding pass {encoding}.",
            ),
        )


def sniff_delimiter(sample: str, *, whole: bool = True, quote: str | None = '"') -> str:
    r"""Detect the delimiter of a text.

    It is the one that splits most lines into as many fields as the first line. Ties are broken in the order ``::``,
    tab, ``;``, ``|``, ``,``; a space is used only if there is none of these.

    Args:
        sample: The beginning of the text.
        whole: Whether the sample is the whole text; if not, its last line may be cut off and is ignored.
        quote: The quote character, or None.

    Example:
        >>> sniff_delimiter("user::item\n1::Star Trek: First Contact\n")
        '::'
        >>> sniff_delimiter('a,b\n1,"x;y"\n')
        ','
    """
    lines = [line for line in sample.splitlines() if line.strip()]
    if quote:
        enclosed = re.compile(f"{re.escape(quote)}[^{re.escape(quote)}]*{re.escape(quote)}")
        lines = [enclosed.sub("", line) for line in lines]
    lines = lines[:100] if whole or len(lines) < 2 else lines[:-1][:100]
    best, share = ",", 0.0
    for candidate in _CANDIDATES:
        fields = lines[0].count(candidate) if lines else 0
        alike = sum(line.count(candidate) == fields for line in lines) / max(len(lines), 1)
        if fields and alike > share + 1e-9 and not (candidate == " " and share):
            best, share = candidate, alike
    return best


def has_mark(data: bytes) -> bool:
    """Whether these bytes begin with a byte-order mark."""
    return data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE))


def as_utf8(data: bytes, source: str, encoding: str | None, *, header: bool = False) -> bytes:
    """Convert a text to UTF-8 and remove a byte-order mark. The CSV reader checks that it is valid UTF-8.

    Raises:
        DataError: If it is not in that encoding.
        UsageError: If the encoding is unknown or not a text encoding.
    """
    name = codec_of(encoding)
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        name = "utf-32"
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        name = "utf-16"
    if data.startswith(codecs.BOM_UTF8):
        return data[3:]
    if name in ("utf-8", "ascii"):
        return data
    try:
        return data.decode(name).encode()
    except UnicodeDecodeError as error:
        raise not_in_encoding(data, error, source, encoding or name, header=header) from None
    except UnicodeError as error:
        raise DataError(
            f"it is not {name.upper()}: {error}",
            source=source,
            fix=NAME_ENCODING,
        ) from None
