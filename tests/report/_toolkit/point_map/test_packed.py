"""The buffer of a map, unpacked by hand: places keep their proportion, codes their category, unknown stays so."""

from __future__ import annotations

import base64
import gzip
import json
import re
import struct

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.report._toolkit.point_map import MapColumn, MapFinding, MapLabel, MapView, map_page, pack_map

WIDTHS = {"u1": np.uint8, "u2": np.dtype("<u2"), "u4": np.dtype("<u4"), "f4": np.dtype("<f4")}


def unpacked(data):
    """Header and arrays, by the description of the format alone."""
    assert data[:4] == b"RLM1"
    (length,) = struct.unpack("<I", data[4:8])
    header = json.loads(data[8 : 8 + length])
    begin = -(-(8 + length) // 4) * 4
    arrays = {
        name: np.frombuffer(data, WIDTHS[about["type"]], about["count"], begin + about["at"])
        for name, about in header["arrays"].items()
    }
    return header, arrays


def test_places_fill_the_wider_side_and_keep_their_proportion():
    view = MapView(places=np.array([[-2.0, 5], [8, 5], [3, 7.5]]), labels=[MapLabel(text="here", x=3, y=7.5, level=1)])
    header, arrays = unpacked(pack_map([view]))
    # 10 wide and 2.5 high: x goes over the whole unit, y a quarter of it, around the middle (3, 6.25).
    places = arrays[header["views"][0]["array"]].reshape(-1, 2) / 65_535
    np.testing.assert_allclose(places, [[0, 0.375], [1, 0.375], [0.5, 0.625]], atol=1 / 65_535)
    assert header["views"][0]["labels"] == [{"text": "here", "level": 1, "x": 0.5, "y": 0.625}]


def test_categories_are_coded_by_size_and_the_eighth_largest_is_grey():
    values = [name for at, name in enumerate("abcdefghi") for _ in range(9 - at)] + [None]
    columns = [
        MapColumn(name="genre", values=pl.Series(values)),
        MapColumn(name="cluster", values=pl.Series(values), regions=True),
        MapColumn(name="state", values=pl.Series(values), grey="b", colours={"a": 5, "c": 8}),
    ]
    header, arrays = unpacked(pack_map([MapView(places=np.zeros((46, 2)))], columns))
    genre, cluster, state = header["columns"]
    assert genre["labels"] == list("abcdefghi")
    codes = arrays[genre["array"]]
    assert codes.tolist() == ["abcdefghi".index(name) if name else 255 for name in values]
    assert genre["missing"] == 255 and genre["counts"] == {**{str(at): 9 - at for at in range(9)}, "255": 1}
    assert genre["slots"] == [0, 1, 2, 3, 4, 5, 6, 7, 7]
    assert cluster["slots"] == [0, 1, 2, 3, 4, 5, 6, 0, 1]
    assert state["slots"] == [5, 7, 8, 2, 3, 4, 5, 6, 7], "a colour that is given is kept"


def test_more_than_254_categories_take_two_bytes():
    names = pl.Series([f"brand {at}" for at in range(255)] + [None])
    header, arrays = unpacked(pack_map([MapView(places=np.zeros((256, 2)))], [MapColumn(name="brand", values=names)]))
    column = header["columns"][0]
    codes = arrays[column["array"]]
    assert header["arrays"][column["array"]]["type"] == "u2"
    assert [column["labels"][code] for code in codes[:-1]] == names.to_list()[:-1]
    assert codes[-1] == column["missing"] == 65_535


def test_numbers_keep_what_is_unknown_and_their_scale_leaves_out_the_outermost_hundredths():
    values = pl.Series([*range(101), None, float("nan"), float("inf")], dtype=pl.Float64, strict=False)
    header, arrays = unpacked(pack_map([MapView(places=np.zeros((104, 2)))], [MapColumn(name="price", values=values)]))
    column = header["columns"][0]
    numbers = arrays[column["array"]]
    assert numbers[:101].tolist() == list(range(101)) and np.isnan(numbers[101:]).all()
    assert (column["low"], column["high"]) == (1.0, 99.0)


def test_a_column_of_which_nothing_is_known_still_has_a_scale():
    values = pl.Series([None, None], dtype=pl.Float64)
    header, _ = unpacked(pack_map([MapView(places=np.zeros((2, 2)))], [MapColumn(name="price", values=values)]))
    assert (header["columns"][0]["low"], header["columns"][0]["high"]) == (0.0, 1.0)


def test_titles_texts_neighbours_and_findings_come_out_as_they_went_in():
    titles = pl.Series(["Amélie", "مرحبا 🎬", None])
    neighbours = np.array([[1, 2], [0, 2], [1, 0]])
    findings = [MapFinding(text="nobody sees it", points=np.array([2, 0]))]
    packed = pack_map(
        [MapView(places=np.eye(3)[:, :2])], titles=titles, details=titles, neighbours=neighbours, findings=findings
    )
    header, arrays = unpacked(packed)
    assert json.loads(arrays[header["titles"]].tobytes()) == ["Amélie", "مرحبا 🎬", ""]
    assert arrays[header["neighbours"]["array"]].tolist() == [1, 2, 0, 2, 1, 0] and header["neighbours"]["k"] == 2
    assert arrays[header["findings"][0]["array"]].tolist() == [2, 0]


def test_a_page_holds_the_buffer_and_no_markup_of_the_data_gets_out_of_it():
    packed = pack_map([MapView(places=np.zeros((1, 2)))], titles=pl.Series(["</script><b>bold</b>"]))
    page = map_page(packed, title="<i>shop</i>", subject="1 item", notes=("a & b",), synthetic=True).html
    held = re.search(r'<script id="packed" type="text/plain">([A-Za-z0-9+/=]+)</script>', page)
    assert held is not None and gzip.decompress(base64.b64decode(held[1])) == packed
    assert "&lt;i&gt;shop&lt;/i&gt;" in page and "<b>bold" not in page and "a &amp; b" in page
    assert "Synthetic data." in page
    assert "http://" not in page and "https://" not in page


PLACES = np.zeros((3, 2))


@pytest.mark.parametrize(
    ("views", "given", "says"),
    [
        ([], {}, "views is empty"),
        ([MapView(places=PLACES), MapView(places=PLACES[:2])], {}, r"shape \(2, 2\), expected \(3, 2\)"),
        ([MapView(places=np.array([[0, np.nan]]))], {}, "1 places are not finite"),
        ([MapView(places=PLACES)], {"titles": pl.Series(["a"])}, "titles has 1 rows, and there are 3 points"),
        ([MapView(places=PLACES)], {"neighbours": np.zeros((2, 5))}, "neighbours has 2 rows"),
        ([MapView(places=PLACES)], {"colour": "genre"}, "no column 'genre' to colour by; the columns are none"),
        (
            [MapView(places=PLACES)],
            {"columns": [MapColumn(name="a", values=pl.Series([1, 2, 3]))] * 2},
            "two columns are called 'a'",
        ),
    ],
)
def test_what_does_not_fit_is_refused(views, given, says):
    with pytest.raises(rl.errors.UsageError, match=says):
        pack_map(views, **given)
