"""A text longer than its sample is parsed with integers at once: it has to read as a short one, whatever its rows."""

from __future__ import annotations

import csv
import io

import polars as pl
import pytest

import reclens as rl
from reclens.data.read.delimited import SAMPLE, read_delimited

ROWS = 6_000


def text(rows, names=("user_id", "item_id", "timestamp", "note"), end="\n"):
    return end.join(",".join(row) for row in (names, *rows)).encode() + end.encode()


def plain():
    return [(str(at % 700), str(1 + at % 90), str(1_600_000_000 + at), f"n{at}") for at in range(ROWS)]


def expected(column, rows=None):
    """What Python's csv reader finds, row by row."""
    found = csv.DictReader(io.StringIO(text(rows or plain()).decode()))
    return [row[column] for row in found]


@pytest.fixture(params=["bytes", "file"])
def given(request, tmp_path):
    """The source that holds a text: its bytes, or a file, which is parsed where it lies."""

    def source(data):
        if request.param == "bytes":
            return data
        path = tmp_path / "log.csv"
        path.write_bytes(data)
        return path

    return source


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data,
        lambda data: data.rstrip(b"\n"),
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(b"\n", b"\r\n").rstrip(b"\r\n"),
        lambda data: data + b"\n\n",
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.replace(b",", b";"),
    ],
    ids=["plain", "no last end", "crlf", "crlf, no last end", "blank lines", "mark", "semicolon"],
)
def test_integers_of_a_long_text_are_the_values_that_stand_there(change, given):
    data = change(text(plain()))
    assert len(data) > SAMPLE
    found = rl.read(given(data))
    assert found.events["user_id"].cast(pl.String).to_list() == expected("user_id")
    assert found.events["item_id"].cast(pl.String).to_list() == expected("item_id")
    assert found.events["timestamp"].dt.epoch("s").cast(pl.String).to_list() == expected("timestamp")
    assert found.card["columns_not_used"] == ["note"]


@pytest.mark.parametrize("odd", ["007", "+7", "-0", "00", "x7", "9" * 30, "7.0", '"7"x'])
def test_one_id_at_the_end_that_is_no_canonical_integer_keeps_all_of_them_text(odd, given):
    rows = plain()
    rows[-1] = (odd, *rows[-1][1:])
    found = rl.read(given(text(rows)), quote=None).events
    assert found["user_id"].to_list() == [row[0] for row in rows]
    assert found["item_id"].dtype == pl.Int64


def test_negative_and_missing_integers_are_told_by_the_length_of_the_text():
    rows = plain()
    rows[-1] = ("-42", "", "0", "z")
    frame = read_delimited(text(rows), source="x", whole=(0, 1, 2))
    assert frame.dtypes == [pl.Int64, pl.Int64, pl.Int64, pl.String]
    assert frame.row(-1) == (-42, None, 0, "z")
    rows[-1] = ("-042", "", "0", "z")
    assert read_delimited(text(rows), source="x", whole=(0, 1, 2)).dtypes == [pl.String] * 4


def test_days_written_as_numbers_stay_days_in_a_long_text(given):
    rows = [(user, item, "20240229", note) for user, item, _, note in plain()]
    assert str(rl.read(given(text(rows))).events["timestamp"][0]) == "2024-02-29 00:00:00+00:00"


def test_a_row_with_too_many_fields_is_still_an_error_that_names_it(given):
    rows = plain()
    rows[5_000] = (*rows[5_000], "1")
    with pytest.raises(rl.errors.DataError, match="5 fields between ',', the first line has 4") as told:
        rl.read(given(text(rows)))
    assert told.value.row == 5_001


def test_a_byte_that_is_no_utf_8_at_the_end_names_its_row(given):
    with pytest.raises(rl.errors.DataError, match="0xE9, which is not UTF-8") as told:
        rl.read(given(text(plain()) + b"1,2,3,caf\xe9\n"))
    assert told.value.row == ROWS + 1


def test_a_long_file_is_not_held_as_bytes(tmp_path, monkeypatch):
    path = tmp_path / "log.csv"
    path.write_bytes(text(plain()))
    monkeypatch.setattr("pathlib.Path.read_bytes", lambda self: pytest.fail(f"{self} was read whole"))
    assert rl.read(path).events.height == ROWS
