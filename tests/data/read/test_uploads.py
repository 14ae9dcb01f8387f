"""Uploads are parsed as data, within limits, and say what is wrong with them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from reclens.data.read.sources import load
from reclens.data.read.tables import read_recommendations, read_table
from reclens.data.read.uploads import Limits, guess_columns, open_upload
from reclens.errors import DataError, UsageError

ROWS = pl.DataFrame({"user_id": ["007", "7"], "item_id": [1, 2], "rank": [1, 1]})


class Trap:
    """Unpickled, it would leave a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def parquet(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.write_parquet(out)
    return out.getvalue()


def content(data: bytes | pl.DataFrame) -> bytes:
    """What a file holds; a frame is written as Parquet."""
    return data if isinstance(data, bytes) else parquet(data)


def zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("lists.csv", data)
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"user_id,item_id,rank\n007,1,1\n7,2,1\n",
        b"user_id\titem_id\trank\n007\t1\t1\n7\t2\t1\n",
        "\ufeffuser_id;item_id;rank\r\n007;1;1\r\n7;2;1\r\n".encode(),
        gzip.compress(b"user_id,item_id,rank\n007,1,1\n7,2,1\n", mtime=0),
        ROWS,
    ],
)
def test_what_a_file_is_says_its_content(data: bytes | pl.DataFrame) -> None:
    for name in ("lists.csv", "lists.parquet", "lists"):
        lists = read_recommendations(open_upload(content(data), name))
        assert lists.table.rows() == [("007", 1, 1), ("7", 2, 1)] and lists.name == "lists"


def test_the_same_rows_as_from_a_file(tmp_path: Path) -> None:
    data = b"user,item,relevance\n1,a,0.5\n2,b,2\n"
    (tmp_path / "truth.csv").write_bytes(data)
    assert read_table(open_upload(data, "truth.csv")).equals(read_table(tmp_path / "truth.csv"))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"\xfd\x01\x02garbage", "not UTF-8"),
        (b"user,item,rank\n1,\xe9,1\n", "not UTF-8"),
        (b"a\0b\0c", "not text"),
        (zipped(b"user,item,rank\n1,2,1\n"), "a zip, expected CSV, JSON or Parquet"),
        (b"PAR1 and then nothing", "cannot be read"),
        (gzip.compress(b"user,item,rank\n1,2,1\n" * 1000, mtime=0)[:-20], "cut short"),
        (b"user,item,rank\n1,2,3,4\n", "row 1: the row has 4 fields"),
        (b'user,item,rank\n1,"2,3\n', "never closed"),
        (b"user,user,rank\n1,2,3\n", "two columns are named 'user'"),
    ],
)
def test_what_is_no_table_is_said(data: bytes, says: str) -> None:
    with pytest.raises(DataError, match=says) as refused:
        open_upload(data, "lists.csv")
    assert "lists.csv" in str(refused.value)


def test_a_parquet_file_that_is_cut_short_is_refused() -> None:
    with pytest.raises(DataError, match=r"lists\.csv.*cannot be read"):
        open_upload(parquet(ROWS)[:-20], "lists.csv")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_not_run(tmp_path: Path, protocol: int) -> None:
    data = pickle.dumps(Trap(tmp_path / "ran"), protocol=protocol)
    with pytest.raises(DataError):
        read_recommendations(open_upload(data, "lists.csv"))
    assert not (tmp_path / "ran").exists()


def test_yaml_and_formulas_are_text(tmp_path: Path) -> None:
    data = f"user,item,rank\n\"!!python/object/apply:os.system [touch {tmp_path}/ran]\",=cmd|' /C calc'!A0,1\n".encode()
    assert read_recommendations(open_upload(data, "lists.csv")).table["item_id"].to_list() == ["=cmd|' /C calc'!A0"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("limits", "data", "says"),
    [
        (Limits(bytes=20), b"user,item,rank\n1,2,1\n", "21 bytes"),
        (Limits(rows=3), b"user,item,rank\n" + b"1,2,1\n" * 4, "5 lines"),
        (Limits(rows=1), ROWS, "2 rows"),
        (Limits(columns=2), b"user,item,rank\n1,2,1\n", "3 columns"),
        (Limits(columns=2), ROWS, "3 columns"),
        (Limits(cell=10), b"user,item,rank\nxxxxxxxxxxxxxxx,2,1\n", "15 bytes in a cell of the column 'user'"),
        (Limits(cell=10), ROWS.hstack([pl.Series("title", ["x" * 15] * 2)]), "in a cell of the column 'title'"),
        (Limits(unpacked=1 << 22), gzip.compress(b"0" * (1 << 24), mtime=0), "unpacked"),
        (Limits(unpacked=1 << 20), pl.DataFrame({"a": np.arange(1 << 18)}), "bytes unpacked"),
        (Limits(), b"x" * (2 << 20), "bytes in the first line"),
        (Limits(), b"," * 600 + b"\n", "columns"),
    ],
)
def test_what_is_too_large_is_refused(limits: Limits, data: bytes | pl.DataFrame, says: str) -> None:
    with pytest.raises(DataError, match=says):
        open_upload(content(data), "lists.csv", limits=limits)


def test_a_parquet_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = parquet(pl.DataFrame({"user_id": pl.repeat(1, 30_000_000, dtype=pl.Int8, eager=True)}))
    assert len(bomb) < 1_000_000
    with pytest.raises(DataError, match="30,000,000 rows"):
        open_upload(bomb, "lists.parquet")


@pytest.fixture(scope="module")
def wide() -> pl.DataFrame:
    return pl.Series("a", ["x" * 900]).new_from_index(0, 100_000).to_frame()


@pytest.mark.parametrize(
    ("bomb", "says"),
    [
        (pl.col("a"), "90,000,000 bytes unpacked"),
        (pl.col("a").cast(pl.Categorical), "90,000,000 bytes unpacked"),
        (pl.col("a").cast(pl.Binary), "90,000,000 bytes unpacked"),
        (pl.concat_list("a"), "bytes unpacked"),
        (pl.struct("a").alias("a"), "bytes unpacked"),
        (pl.lit(pl.Series([[1] * 100])).repeat_by(100_000).explode().alias("b"), "bytes unpacked"),
        (pl.repeat(1.0, 2_000_000).alias("b"), "bytes unpacked"),
    ],
)
def test_values_that_are_written_once_count_each_time(wide: pl.DataFrame, bomb: pl.Expr, says: str) -> None:
    """A dictionary or a run writes a value once: 2 KB of file were 90 MB of rows."""
    out = io.BytesIO()
    wide.select(bomb).write_parquet(out, compression="zstd")
    with pytest.raises(DataError, match=says):
        open_upload(out.getvalue(), "lists.parquet", limits=Limits(unpacked=10_000_000))


@pytest.mark.parametrize(
    "kind", [pl.String, pl.Categorical, pl.Binary, pl.List(pl.String), pl.Struct({"x": pl.String})]
)
def test_a_cell_of_any_kind_of_text_has_a_limit(kind: pl.DataType) -> None:
    value = {"List": ["y" * 2_000], "Struct": {"x": "y" * 2_000}, "Binary": b"y" * 2_000}
    text = value.get(str(kind).partition("(")[0], "y" * 2_000)
    frame = pl.DataFrame({"tags": pl.Series([text], dtype=kind)})
    assert open_upload(parquet(frame), "items.parquet").frame.height == 1
    with pytest.raises(DataError, match="bytes in a cell of the column 'tags'"):
        open_upload(parquet(frame), "items.parquet", limits=Limits(cell=1_000))


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, zipped, parquet])
def test_a_pack_in_a_pack_is_refused(pack: Callable[..., bytes]) -> None:
    """The reader of CSV unpacks what is packed, which would pass the limits by."""
    rows = ROWS if pack is parquet else b"user,item,rank\n" + b"1,2,1\n" * 1000
    with pytest.raises(DataError, match=r"another packed file|a zip|a zlib"):
        open_upload(gzip.compress(pack(rows)), "lists.csv.gz")


def test_other_packings_are_refused(tmp_path: Path) -> None:
    rows = b"user,item,rank\n" + b"1,2,1\n" * 1000
    for level in (0, 2, 6, 9):
        with pytest.raises(DataError, match="a zlib stream"):
            open_upload(zlib.compress(rows, level), "lists.csv")
    with pytest.raises(DataError, match=r"zstd file is broken|does not say how many bytes"):
        open_upload(b"\x28\xb5\x2f\xfd" + rows, "lists.csv")
    assert open_upload(b"x,item,rank\n1,2,1\n", "lists.csv").frame.height == 1


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    open_upload(parquet(ROWS), "lists.parquet")
    with pytest.raises(DataError):
        open_upload(b"PAR1 and then nothing", "lists.parquet")
    assert list(tmp_path.iterdir()) == []


def test_nested_columns_are_no_ids_and_do_no_harm_elsewhere() -> None:
    nested = ROWS.with_columns(tags=pl.Series([["a"], ["b", "c"]]), who=pl.struct("user_id"))
    raw = open_upload(parquet(nested), "lists.parquet")
    assert read_recommendations(raw).table.height == 2
    with pytest.raises(DataError, match=r"column 'who': ids are Struct"):
        read_recommendations(raw, columns={"user_id": "who"})


def test_columns_are_guessed_where_that_is_sure() -> None:
    assert guess_columns(["userId", "user_id", "movieId"], ["user_id", "item_id"]) == {
        "user_id": "user_id",
        "item_id": "movieId",
    }
    assert guess_columns(["userId", "uid"], ["user_id"]) == {}


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_packed_uploads_are_limited_while_they_are_unpacked(pack: Callable[[bytes], bytes]) -> None:
    rows = b"user,item\n" + b"".join(b"%d,%d\n" % (n, n * 7919 % 1009) for n in range(40_000))
    assert open_upload(pack(rows), "x.csv").frame.height == 40_000
    with pytest.raises(DataError, match="bytes unpacked"):
        open_upload(pack(rows), "x.csv", limits=Limits(unpacked=len(rows) - 1))
    with pytest.raises(DataError, match="another packed file"):
        open_upload(pack(pack(rows)), "x.csv")


@pytest.mark.parametrize(
    "text", [b'{"user": 1, "item": "a"}\n{"user": 2, "item": "b"}\n', b'[{"user": 1, "item": "a"}]']
)
def test_json_is_read_as_from_a_file(text: bytes) -> None:
    for packed in (text, gzip.compress(text), pa.Codec("zstd").compress(text, asbytes=True)):
        assert open_upload(packed, "x.jsonl").frame.equals(load(text).frame)
    with pytest.raises(UsageError, match="delimiter is an option of delimited text"):
        open_upload(text, "x.jsonl", delimiter=";")
    with pytest.raises(DataError, match="at most 1 can be uploaded"):
        open_upload(text, "x.jsonl", limits=Limits(columns=1))
    with pytest.raises(DataError, match="bytes in a cell of the column 'item'"):
        open_upload(text, "x.jsonl", limits=Limits(cell=0))
    with pytest.raises(DataError, match="literals of Python"):
        open_upload(b"{'user': 1}", "x.json")


def test_lines_of_a_user_and_her_items() -> None:
    raw = open_upload(b"0 7 9\n1 8\n", "train.txt", adjacent=True)
    assert read_recommendations(raw).table.rows() == [(0, 7, 1), (0, 9, 2), (1, 8, 1)]


def test_an_upload_packed_by_zstd_says_how_long_it_is_before_it_is_unpacked() -> None:
    rows = b"user,item\n" + b"1,2\n" * 20_000
    packed = pa.Codec("zstd").compress(rows, asbytes=True)
    assert open_upload(packed, "x.csv.zst").frame.height == 20_000
    with pytest.raises(DataError, match="bytes unpacked"):
        open_upload(packed, "x.csv.zst", limits=Limits(unpacked=len(rows) - 1))
    with pytest.raises(DataError, match="does not say how many bytes"):
        open_upload(piped(rows), "x.csv.zst")


def piped(data: bytes) -> bytes:
    """Packed by zstd as a stream, whose frame does not say how long it is."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()
