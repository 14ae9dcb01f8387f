"""Decompression of zstd by Polars' Parquet reader, because Python has no zstd before 3.14.

The compressed bytes become the only page of a Parquet file with one value, whose length is the sum of the content sizes
in the headers of the frames. Files that were compressed from a pipe lack these sizes; they are read as lines of UTF-8.

References: RFC 8878, Zstandard compression, sections 3.1.1 and 3.1.2; the Parquet format (parquet.thrift).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Final

import polars as pl

from reclens.errors import Advice, DataError, Setting, first_line
from reclens.memory import require_memory

__all__ = ["ZSTD", "bomb", "unpack_zstd"]

ZSTD: Final = b"\x28\xb5\x2f\xfd"
"""Magic number of a frame."""

_SKIPPABLE: Final = range(0x184D2A50, 0x184D2A60)
_CODEC: Final = 6
_FIXED: Final = 7
_MOST: Final = 2**31 - 1
_BROKEN: Final = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)
_UNPACK: Final = "Unpack it first, by zstd -d."


def unpack_zstd(data: bytes, source: str, *, most: Callable[[int], None] | None, limit: int) -> bytes:
    """Decompress zstd.

    Args:
        data: The packed bytes.
        source: The name of the file, for messages.
        most: Called with the decompressed size before decompression, to stop at a limit; a file without a size is
            then an error.
        limit: Decompressed bytes above which the file is treated as a zip bomb.

    Raises:
        DataError: If the file is broken, cut short or a bomb, or has no content size and is not UTF-8.
    """
    size = _declared(data, source)
    if size is None:
        if most is not None:
            raise DataError(
                "it is packed by zstd and does not say how many bytes it holds",
                source=source,
                fix="Pack it from a file, not from a pipe, or by gzip.",
            )
        return _lines(data, source)
    if most is not None:
        most(size)
    if size > limit:
        raise bomb(len(data), size, source)
    if size > _MOST:
        raise DataError(f"it is packed by zstd and unpacks to {size:,} bytes", source=source, fix=_UNPACK)
    if not size:
        return b""
    advice = Advice("unpack_first", (Setting("query"),), "Unpack it by zstd -d, and take what is needed by {query}.")
    require_memory(3 * size, f"unpacking {source}", advice=advice)
    try:
        return pl.read_parquet(io.BytesIO(_as_parquet(data, size))).item()
    except _BROKEN as error:
        raise _broken(source, first_line(error)) from None


def bomb(packed: int, size: int, source: str) -> DataError:
    """The error for a file that expands far more than text does."""
    return DataError(
        f"its {packed:,} bytes unpack to over {size:,}, as those of a zip bomb do",
        source=source,
        fix="If it is what it should be, unpack it first.",
    )


def _broken(source: str, why: str) -> DataError:
    return DataError(f"the zstd file is broken or was cut short ({why})", source=source, fix="Fetch it again.")


def _declared(data: bytes, source: str) -> int | None:
    """Sum of the content sizes in the headers of the frames; None if one has none."""
    at, total = 0, 0
    try:
        while at < len(data):
            magic = int.from_bytes(data[at : at + 4], "little")
            if magic in _SKIPPABLE:
                at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")
                continue
            if not data.startswith(ZSTD, at):
                raise _broken(source, f"there is no frame at byte {at:,}")
            descriptor = data[at + 4]
            single, width = descriptor >> 5 & 1, (0, 2, 4, 8)[descriptor >> 6]
            width = width or single
            at += 5 + (1 - single) + (0, 1, 2, 4)[descriptor & 3]
            if not width:
                return None
            total += int.from_bytes(data[at : at + width], "little") + (256 if width == 2 else 0)
            at, last = at + width, False
            while not last:
                block = int.from_bytes(data[at : at + 3], "little")
                last, kind, length = bool(block & 1), block >> 1 & 3, block >> 3
                if at + 3 > len(data):
                    raise _broken(source, "a block is missing")
                at += 3 + (1 if kind == 1 else length)  # one byte that repeats, or the bytes of the block
            at += 4 * (descriptor >> 2 & 1)
    except IndexError:
        raise _broken(source, "a header is missing") from None
    return total


def _lines(data: bytes, source: str) -> bytes:
    """Read the lines of UTF-8 text."""
    try:
        lines = pl.read_csv(data, has_header=False, separator="\x1f", quote_char=None, infer_schema=False)
    except _BROKEN as error:
        raise DataError(
            f"it is packed by zstd, does not say how many bytes it holds, and is no text in UTF-8: {first_line(error)}",
            source=source,
            fix=_UNPACK,
        ) from None
    if lines.width != 1:
        raise DataError("it is packed by zstd and holds control characters", source=source, fix=_UNPACK)
    return lines.to_series().fill_null("").str.join("\n").item().encode() + b"\n"


def _as_parquet(data: bytes, size: int) -> bytes:
    """Build a Parquet file with one value of ``size`` bytes, whose page is the compressed data."""
    page = _struct(
        {1: _i32(0), 2: _i32(size), 3: _i32(len(data)), 5: _in(_struct(dict(enumerate(map(_i32, (1, 0, 3, 3)), 1))))}
    )
    name = _text(b"data")
    root = _struct({4: _text(b"root"), 5: _i32(1)})
    leaf = _struct({1: _i32(_FIXED), 2: _i32(size), 3: _i32(0), 4: name})
    long = _i64(len(page) + len(data))
    chunk = {
        1: _i32(_FIXED),
        2: _list(5, [_zigzag(0)]),
        3: _list(8, [name[1]]),
        4: _i32(_CODEC),
        5: _i64(1),
        6: _i64(len(page) + size),
        7: long,
        9: _i64(4),
    }
    column = _struct({2: _i64(4), 3: _in(_struct(chunk))})
    rows = _struct({1: _list(12, [column]), 2: _i64(len(page) + size), 3: _i64(1)})
    footer = _struct({1: _i32(1), 2: _list(12, [root, leaf]), 3: _i64(1), 4: _list(12, [rows])})
    return b"PAR1" + page + data + footer + len(footer).to_bytes(4, "little") + b"PAR1"


# Thrift compact protocol: the type of a field, then its bytes.
_Value = tuple[int, bytes]


def _struct(fields: dict[int, _Value]) -> bytes:
    written, before = b"", 0
    for number, (kind, value) in fields.items():
        written += bytes([(number - before) << 4 | kind]) + value
        before = number
    return written + b"\0"


def _varint(value: int) -> bytes:
    written = b""
    while value > 127:
        written += bytes([value & 127 | 128])
        value >>= 7
    return written + bytes([value])


def _zigzag(value: int) -> bytes:
    return _varint(2 * value)


def _i32(value: int) -> _Value:
    return 5, _zigzag(value)


def _i64(value: int) -> _Value:
    return 6, _zigzag(value)


def _text(value: bytes) -> _Value:
    return 8, _varint(len(value)) + value


def _list(kind: int, values: list[bytes]) -> _Value:
    return 9, bytes([len(values) << 4 | kind]) + b"".join(values)


def _in(value: bytes) -> _Value:
    return 12, value
