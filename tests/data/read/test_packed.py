"""Packed files and pipes."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reclens.data.read.packed import unpack
from reclens.data.read.tables import read
from reclens.errors import DataError

TABLE = b"user,item\n1,a\n2,b\n"


ROWS = [(1, "a"), (2, "b")]


def test_packed_files(tmp_path: Path) -> None:
    big = b"user,item\n" + b"".join(b"%d,i%d\n" % (n, n % 7) for n in range(5_000))
    expected = read(big).events
    packed = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
    for ending, pack in packed.items():
        (tmp_path / f"t.csv.{ending}").write_bytes(pack(big))
    plain, zst = tmp_path / "t.csv", tmp_path / "t.csv.zst"
    plain.write_bytes(big)
    duckdb.sql(f"COPY (SELECT * FROM read_csv('{plain}')) TO '{zst}' (FORMAT csv, COMPRESSION zstd)")
    for ending in (*packed, "zst"):
        path = tmp_path / f"t.csv.{ending}"
        assert read(str(path)).events.equals(expected), ending
        path.write_bytes(path.read_bytes()[:200])
        with pytest.raises(DataError, match=rf"t\.csv\.{ending}"):
            read(str(path))
    (tmp_path / "rows.parquet.gz").write_bytes(gzip.compress(_parquet(expected.to_arrow())))
    assert read(str(tmp_path / "rows.parquet.gz")).events.equals(expected)
    bomb = bz2.compress(b"a" * (80 << 20), 9)
    with pytest.raises(DataError, match="zip bomb"):
        read(bomb)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp1252", "shift_jis", "utf-8"])
def test_packed_files_in_other_encodings(encoding: str) -> None:
    """Each compression with each encoding, of one frame and of two with one to be skipped between them."""
    name = "ソニー" if encoding == "shift_jis" else "Renée à Zürich"
    text = ("user,item\r\n" + "".join(f"{name} {at},{at % 7}\r\n" for at in range(3_000))).encode(encoding)
    zstd = pa.Codec("zstd")
    half = len(text) // 2
    skipped = bytes.fromhex("512a4d18 03000000 616263")
    parts = zstd.compress(text[:half], asbytes=True) + skipped + zstd.compress(text[half:], asbytes=True)
    for packed in (
        gzip.compress(text),
        bz2.compress(text),
        lzma.compress(text),
        zstd.compress(text, asbytes=True),
        parts,
    ):
        found = read(packed, encoding=encoding).events
        assert found["user_id"].to_list() == [f"{name} {at}" for at in range(3_000)]
        assert found["item_id"].sum() == sum(at % 7 for at in range(3_000))


@settings(max_examples=60)
@given(st.binary(max_size=700), st.integers(1, 400), st.data())
def test_zstd_unpacks_to_the_bytes_or_says_that_it_is_broken(data: bytes, times: int, drawn: st.DataObject) -> None:
    packed = pa.Codec("zstd").compress(data * times, asbytes=True)
    assert unpack(packed, "x") == data * times
    at = drawn.draw(st.integers(4, max(len(packed) - 1, 4)))
    with contextlib.suppress(DataError):
        unpack(packed[:at] + bytes([packed[at] ^ 255]) + packed[at + 1 :] if at < len(packed) else packed[:4], "x")
    with contextlib.suppress(DataError):
        unpack(packed[:at], "x")


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def test_a_tar_archive_is_named_as_such(tmp_path: Path) -> None:
    import tarfile

    (tmp_path / "a.csv").write_bytes(TABLE)
    with tarfile.open(tmp_path / "lastfm.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "a.csv", "a.csv")
    with pytest.raises(DataError, match="tar archive"):
        read(str(tmp_path / "lastfm.tar.gz"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize(
    "content",
    [TABLE, gzip.compress(TABLE), _parquet(pa.table({"user": [1, 2], "item": ["a", "b"]}))],
    ids=["text", "gzip", "parquet"],  # not the bytes: gzip writes the time into them
)
def test_pipes_are_read(tmp_path: Path, content: bytes) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(content))
    writer.start()
    assert read(str(pipe)).events.rows() == ROWS
    writer.join()


def test_standard_input_is_read(repository: Path) -> None:
    code = "import reclens as rl; print(rl.read('-').events.rows())"
    said = subprocess.run(
        [sys.executable, "-c", code],
        input=TABLE,
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(repository / "src")},
    )
    assert said.stdout.decode().strip() == str(ROWS)
