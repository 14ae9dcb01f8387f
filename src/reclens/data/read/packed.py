"""Decompression of gzip, bzip2, xz and zstd, which are detected by their first bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from typing import IO, Any, Final

from reclens.data.read.zstd import ZSTD, bomb, unpack_zstd
from reclens.errors import DataError

__all__ = ["is_packed", "unpack"]

_BLOCK: Final = 1 << 24
_FREE_BLOCKS: Final = 4
_MOST_RATIO: Final = 200
"""Text compresses 3 to 20 times; a bomb 1,000 times."""
_OPENERS: Final[dict[bytes, tuple[str, Callable[[IO[bytes]], Any]]]] = {
    b"\x1f\x8b": ("gzip", lambda file: gzip.GzipFile(fileobj=file)),
    b"BZh": ("bzip2", bz2.BZ2File),
    b"\xfd7zXZ\x00": ("xz", lzma.LZMAFile),
}


def is_packed(data: bytes) -> bool:
    """Whether these bytes are compressed, by their first bytes."""
    return data.startswith((*_OPENERS, ZSTD))


def unpack(data: bytes, source: str, *, most: Callable[[int], None] | None = None) -> bytes:
    """Decompress gzip, bzip2, xz or zstd; other bytes are returned unchanged.

    Args:
        data: The bytes of the file.
        source: Its name, for messages.
        most: Called with the number of bytes so far, to stop at a limit.

    Raises:
        DataError: If the file is broken, cut short or a bomb.
    """
    if data.startswith(ZSTD):
        return unpack_zstd(data, source, most=most, limit=_limit(len(data)))
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
                if size > _limit(len(data)):
                    raise bomb(len(data), size, source)
    except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise DataError(
            f"the {what} file is broken or was cut short ({error})", source=source, fix="Fetch it again."
        ) from None
    return b"".join(parts)


def _limit(size: int) -> int:
    """The largest decompressed size that is accepted."""
    return max(_FREE_BLOCKS * _BLOCK, _MOST_RATIO * size)
