"""Files packed by gzip, bzip2, xz or zstd, told by their content."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from typing import IO, Any, Final

from reclens.errors import DataError

__all__ = ["is_packed", "unpack"]

_BLOCK: Final = 1 << 24
_FREE_BLOCKS: Final = 4
_MOST_RATIO: Final = 200
"""Text compresses 3 to 20 times; a bomb 1,000 times."""
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_OPENERS: Final[dict[bytes, tuple[str, Callable[[IO[bytes]], Any]]]] = {
    b"\x1f\x8b": ("gzip", lambda file: gzip.GzipFile(fileobj=file)),
    b"BZh": ("bzip2", bz2.BZ2File),
    b"\xfd7zXZ\x00": ("xz", lzma.LZMAFile),
}


def is_packed(data: bytes) -> bool:
    """Whether these bytes begin as a packed file does."""
    return data.startswith((*_OPENERS, _ZSTD))


def unpack(data: bytes, source: str, *, most: Callable[[int], None] | None = None) -> bytes:
    """The bytes of a file packed by gzip, bzip2, xz or zstd; others come back as they are.

    Args:
        data: The bytes of the file.
        source: Its name, for messages.
        most: Called with the number of bytes so far, to stop at a limit.

    Raises:
        DataError: If the file is broken, cut short or a bomb.
    """
    if data.startswith(_ZSTD):
        return _unpack_zstd(data, source)
    for magic, (what, opener) in _OPENERS.items():
        if data.startswith(magic):
            return _unpack(data, source, what, opener, most)
    return data


def _unpack(
    data: bytes, source: str, what: str, opener: Callable[[IO[bytes]], Any], most: Callable[[int], None] | None
) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        with opener(io.BytesIO(data)) as file:
            while part := file.read(_BLOCK):
                parts.append(part)
                size += len(part)
                if most is not None:
                    most(size)
                if len(parts) > _FREE_BLOCKS and size > _MOST_RATIO * len(data):
                    raise _bomb(data, size, source)
    except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise DataError(
            f"the {what} file is broken or was cut short ({error})", source=source, fix="Fetch it again."
        ) from None
    return b"".join(parts)


def _unpack_zstd(data: bytes, source: str) -> bytes:
    """The lines of a text packed by zstd, which Python's library unpacks from 3.14 on, and Polars as a table."""
    import polars as pl

    size = _declared(data)
    if size > _FREE_BLOCKS * _BLOCK and size > _MOST_RATIO * len(data):
        raise _bomb(data, size, source)
    try:
        lines = pl.read_csv(
            data, has_header=False, separator="\x1f", quote_char=None, infer_schema=False, truncate_ragged_lines=False
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"it is packed by zstd and cannot be read as lines of UTF-8: {reason}",
            source=source,
            fix="Unpack it first, by zstd -d.",
        ) from None
    if lines.width != 1:
        raise DataError(
            "it is packed by zstd and holds control characters", source=source, fix="Unpack it first, by zstd -d."
        )
    return lines.to_series().fill_null("").str.join("\n").item().encode() + b"\n"


def _declared(data: bytes) -> int:
    """The unpacked size that a zstd frame states in its header, 0 where it does not (RFC 8878, section 3.1.1.1)."""
    descriptor = data[4] if len(data) > 4 else 0
    single = descriptor >> 5 & 1
    width = (single, 2, 4, 8)[descriptor >> 6]
    start = 5 + (1 - single) + (0, 1, 2, 4)[descriptor & 3]
    return int.from_bytes(data[start : start + width], "little") + (256 if width == 2 else 0)


def _bomb(data: bytes, size: int, source: str) -> DataError:
    return DataError(
        f"its {len(data):,} bytes unpack to over {size:,}, as those of a zip bomb do",
        source=source,
        fix="If it is what it should be, unpack it first.",
    )
