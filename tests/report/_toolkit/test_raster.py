"""Points as a picture: counts by hand and numpy, a file that another library reads, opacity by rank."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from reclens.report._toolkit.raster import EDGE, counts_of, picture_url, png_of, shaded


def test_counts_are_those_of_a_histogram(monkeypatch) -> None:
    draw = np.random.default_rng(0)
    points, groups = draw.standard_normal((5_000, 2)), draw.integers(0, 3, 5_000)
    monkeypatch.setattr("reclens.report._toolkit.raster._POINTS", 700)  # in several parts
    counts = counts_of(points, groups, width=40, height=30)
    low, high = points.min(axis=0), points.max(axis=0)
    edge = (high - low) * EDGE / (1 - 2 * EDGE)
    for group in range(3):
        x, y = points[groups == group].T
        ends = [[low[0] - edge[0], high[0] + edge[0]], [low[1] - edge[1], high[1] + edge[1]]]
        assert np.array_equal(counts[group], np.histogram2d(x, y, bins=(40, 30), range=ends)[0].T[::-1])


def test_one_place_is_one_pixel() -> None:
    assert counts_of(np.ones((4, 2)), np.zeros(4, int), width=5, height=5).sum() == 4


def test_another_library_reads_the_file() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (7, 5, 4)).astype(np.uint8)
    with Image.open(io.BytesIO(png_of(pixels))) as picture:
        assert picture.mode == "RGBA" and np.array_equal(np.asarray(picture), pixels)
    assert picture_url(b"ab") == "data:image/png;base64,YWI="


def test_colours_mix_by_share_and_opacity_follows_the_rank() -> None:
    counts = np.zeros((2, 1, 4), np.int64)
    counts[0, 0], counts[1, 0] = [1, 1, 0, 0], [0, 3, 100, 0]
    pixels = shaded(counts, ["#ff0000", "#0000ff"])[0]
    assert pixels[:3, :3].tolist() == [[255, 0, 0], [64, 0, 191], [0, 0, 255]]
    assert pixels[3].tolist() == [0, 0, 0, 0]
    faint, middle, full = pixels[:3, 3].astype(int)
    assert full == 255 and abs(2 * middle - faint - full) <= 1  # a count of 4 is the middle one, of 1, 4 and 100
