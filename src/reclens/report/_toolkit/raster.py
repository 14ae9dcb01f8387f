"""Points as a picture: counted by pixel and colour, shaded by density, written as PNG; ten million take seconds.

It counts as Datashader's ``count_cat`` does and shades as its ``eq_hist`` does, without its dependencies.
"""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from collections.abc import Sequence
from typing import Final

import numpy as np

__all__ = ["EDGE", "counts_of", "picture_url", "png_of", "shaded"]

_FAINTEST: Final = 150
"""Opacity of a pixel with the fewest points, of 255."""
EDGE: Final = 0.02
"""Margin on each side, as a share of the range."""
_POINTS: Final = 1 << 22
"""Points that are placed at a time."""


def counts_of(points: np.ndarray, groups: np.ndarray, *, width: int, height: int) -> np.ndarray:
    """How many points of each group fall into each pixel.

    Args:
        points: Shape (n, 2).
        groups: Group of each point, shape (n,), from 0.
        width: Pixels across.
        height: Pixels up.

    Returns:
        Shape (groups, height, width), int64; the first row is at the top.

    Example:
        >>> counts_of(np.array([[0.0, 0.0], [1.0, 1.0], [1.0, 1.0]]), np.array([0, 0, 1]), width=2, height=2).tolist()
        [[[0, 1], [1, 0]], [[0, 1], [0, 0]]]
    """
    count = int(groups.max(initial=-1)) + 1
    cells = np.zeros(count * height * width, np.int64)
    low, high = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)
    span = np.where(high > low, high - low, 1.0)
    for start in range(0, len(points), _POINTS):
        part = (points[start : start + _POINTS] - low) / span
        place = (EDGE + (1 - 2 * EDGE) * part) * [width, height]
        column, row = np.minimum(place.astype(np.int64), [width - 1, height - 1]).T
        flat = (groups[start : start + _POINTS].astype(np.int64) * height + (height - 1 - row)) * width + column
        cells += np.bincount(flat, minlength=len(cells))
    return cells.reshape(count, height, width)


def shaded(counts: np.ndarray, colours: Sequence[str]) -> np.ndarray:
    """Colours of the pixels: those of the groups by their shares, the denser the more opaque.

    Opacity follows the rank of a count among all counts (histogram equalisation), so that neither a dense middle nor a
    thin edge is lost.

    Args:
        counts: Shape (groups, height, width).
        colours: ``#rrggbb`` of each group.

    Returns:
        Shape (height, width, 4), uint8: red, green, blue and opacity; 0 where there is no point.
    """
    tones = np.array([[int(each[at : at + 2], 16) for at in (1, 3, 5)] for each in colours], np.float64)
    total = counts.sum(axis=0)
    mixed = np.einsum("ghw,gc->hwc", counts, tones) / np.maximum(total, 1)[..., None]
    filled = total > 0
    values, times = np.unique(total[filled], return_counts=True)
    share = np.cumsum(times) / max(times.sum(), 1)
    # The share of pixels with a smaller count, so that the smallest counts are the faintest.
    below = np.concatenate([[0.0], share[:-1]]) / max(share[-2] if len(share) > 1 else 1.0, 1e-12)
    opacity = np.zeros(total.shape)
    opacity[filled] = _FAINTEST + (255 - _FAINTEST) * below[np.searchsorted(values, total[filled])]
    return np.dstack([mixed, opacity]).round().astype(np.uint8)


def png_of(pixels: np.ndarray) -> bytes:
    """Pixels as a PNG file.

    Args:
        pixels: Shape (height, width, 4), uint8: red, green, blue and opacity.
    """
    height, width = pixels.shape[:2]

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    rows = np.zeros((height, 1 + 4 * width), np.uint8)  # each row begins with the number of its filter: none
    rows[:, 1:] = pixels.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    data = zlib.compress(rows.tobytes(), 6)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def picture_url(png: bytes) -> str:
    """A PNG as a ``data:`` URL, which a page shows without fetching anything."""
    return f"data:image/png;base64,{b64encode(png).decode()}"
