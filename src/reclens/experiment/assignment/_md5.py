"""MD5 (RFC 1321) of many short texts at once: every database and language has it, and a loop in Python is too slow.

Not DuckDB's ``md5_number_upper``: same numbers, bytes reversed, 1.8 s a million texts and not 0.65 s.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
import polars as pl

__all__ = ["leading_bits"]

_SHIFTS: Final = ((7, 12, 17, 22), (5, 9, 14, 20), (4, 11, 16, 23), (6, 10, 15, 21))
_SINES: Final = (np.abs(np.sin(np.arange(1, 65))) * 2**32).astype(np.uint32)
_ROWS: Final = 8192
"""Texts at a time, so that what one step writes is still in the cache for the next."""


def leading_bits(texts: pl.Series) -> np.ndarray:
    """The first 64 bits of the MD5 of each text, as a big-endian number, shape (n,).

    Example:
        >>> import polars as pl
        >>> hex(int(leading_bits(pl.Series(["abc"]))[0]))  # md5("abc") = 900150983cd24fb0…
        '0x900150983cd24fb0'
    """
    lengths = texts.str.len_bytes().to_numpy().astype(np.int64)
    if len(texts) == 0:
        return np.zeros(0, np.uint64)
    if lengths.max() > 55:  # more than one block of 64 bytes with its padding
        digests = [hashlib.md5(text.encode(), usedforsecurity=False).digest()[:8] for text in texts]
        return np.frombuffer(b"".join(digests), ">u8").astype(np.uint64)
    data = np.frombuffer(texts.str.join("").item().encode() + bytes(64), np.uint8)
    starts = np.cumsum(lengths) - lengths
    found = np.empty(len(texts), np.uint64)
    for at in range(0, len(texts), _ROWS):
        rows = slice(at, min(at + _ROWS, len(texts)))
        found[rows] = _digest(data, starts[rows], lengths[rows])
    return found


def _digest(data: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    n, longest = len(starts), int(lengths.max())
    block = np.zeros((n, 64), np.uint8)
    place = np.arange(longest)
    block[:, :longest] = data[starts[:, None] + place] * (place < lengths[:, None])
    block[np.arange(n), lengths] = 0x80
    block[:, 56:64] = (8 * lengths).astype("<u8").view(np.uint8).reshape(n, 8)
    words = np.ascontiguousarray(block.view("<u4").T)
    begin = [np.full(n, value, np.uint32) for value in (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)]
    a, b, c, d = begin
    for step in range(64):
        part, within = divmod(step, 16)
        if part == 0:
            turned, word = (d ^ (b & (c ^ d))), within
        elif part == 1:
            turned, word = (c ^ (d & (b ^ c))), (5 * within + 1) % 16
        elif part == 2:
            turned, word = (b ^ c ^ d), (3 * within + 5) % 16
        else:
            turned, word = (c ^ (b | ~d)), 7 * within % 16
        turned += a
        turned += words[word]
        turned += _SINES[step]
        by = np.uint32(_SHIFTS[part][step % 4])
        turned = (turned << by) | (turned >> (np.uint32(32) - by))
        turned += b
        a, b, c, d = d, turned, b, c
    # The digest is written low byte first, and read here high byte first.
    ends = ((begin[0] + a).astype("<u4"), (begin[1] + b).astype("<u4"))
    first, second = (end.view(">u4").astype(np.uint64) for end in ends)
    return (first << np.uint64(32)) | second
