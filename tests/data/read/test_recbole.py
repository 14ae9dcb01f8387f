"""RecBole's atomic files, in and out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclens.data.dataset import Dataset
from reclens.data.read.movielens import read_movielens
from reclens.data.read.recbole import read_recbole, write_recbole
from reclens.data.read.tables import read
from reclens.errors import DataError, UsageError

INTER = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n196\t242\t3\t881250949\n186\t302\t3\t891717742\n"
USER = "user_id:token\tage:token\tgender:token\tzip_code:token\n196\t49\tM\t55105\n186\t39\tF\t00000\n"
ITEM = (
    "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\tvector:float_seq\tprice:float\n"
    '242\t"Kolya"\t1996\tComedy\t0.5 -1\t3\n302\tL.A. Confidential\t1997\tCrime Film-Noir\t\t\n'
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for ending, text in (("inter", INTER), ("user", USER), ("item", ITEM)):
        (tmp_path / f"ml.{ending}").write_text(text)
    return tmp_path


@pytest.mark.parametrize("path", [".", "ml", "ml.inter"])
def test_reading(folder: Path, path: str) -> None:
    data = read_recbole(folder / path)
    assert data.name == "ml"
    assert data.interactions.rows() == [
        (196, 242, datetime(1997, 12, 4, 15, 55, 49, tzinfo=UTC), 3.0),
        (186, 302, datetime(1998, 4, 4, 19, 22, 22, tzinfo=UTC), 3.0),
    ]
    assert data.users is not None and data.items is not None
    assert data.users.rows() == [(196, 49, "M", "55105"), (186, 39, "F", "00000")]
    assert data.items.rows() == [
        (242, ['"Kolya"'], 1996, ["Comedy"], [0.5, -1.0], 3.0),  # quotation marks are text
        (302, ["L.A.", "Confidential"], 1997, ["Crime", "Film-Noir"], [], None),
    ]
    assert data.items.schema["vector"] == pl.List(pl.Float64)


def test_the_bytes_that_are_written(tmp_path: Path) -> None:
    data = read(
        {
            "user": ["a"],
            "item": [7],
            "timestamp": [datetime(2001, 9, 9, 1, 46, 40, 250_000, tzinfo=UTC)],
            "rating": [4.5],
        },
        items={"item": [7, 8], "genres": [["Drama", "War"], []], "year": [1999, None], "title": ["A b", None]},
        name="tiny",
    )
    files = write_recbole(data, tmp_path / "out")
    assert [file.name for file in files] == ["tiny.inter", "tiny.item"]
    assert files[0].read_text() == (
        "user_id:token\titem_id:token\ttimestamp:float\trating:float\na\t7\t1000000000.250000\t4.5\n"
    )
    assert files[1].read_text() == (
        "item_id:token\tgenres:token_seq\tyear:token\ttitle:token\n7\tDrama War\t1999\tA b\n8\t\t\t\n"
    )
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["tiny.inter", "tiny.item"]


def test_round_trip(small_data: Dataset, tmp_path: Path) -> None:
    write_recbole(small_data, tmp_path)
    back = read_recbole(tmp_path)
    assert back.fingerprint == small_data.fingerprint
    assert back.interactions.equals(small_data.interactions)
    assert back.users is not None and small_data.users is not None
    assert back.users.equals(small_data.users)
    assert back.items is not None and small_data.items is not None
    assert back.items.equals(small_data.items)


def test_round_trip_of_movielens(shared_data: Path, tmp_path: Path) -> None:
    data = read_movielens(shared_data / "movielens" / "ml-latest-small.zip")
    write_recbole(data, tmp_path, sequence_separator="|")
    back = read_recbole(tmp_path, sequence_separator="|")
    assert back.interactions.equals(data.interactions)
    assert back.items is not None and data.items is not None and back.items.equals(data.items)


@given(
    st.lists(
        st.tuples(
            st.integers(-(2**62), 2**62), st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 4 * 10**15)
        ),
        min_size=1,
        max_size=5,
        unique_by=lambda row: row[0],
    )
)
def test_numbers_and_times_come_back_exactly(tmp_path_factory: pytest.TempPathFactory, rows) -> None:
    frame = pl.DataFrame(
        {
            "user_id": [row[0] for row in rows],
            "item_id": [1] * len(rows),
            "timestamp": pl.Series([row[2] for row in rows]).cast(pl.Datetime("us", "UTC")),
            "rating": [row[1] for row in rows],
        }
    )
    folder = tmp_path_factory.mktemp("recbole")
    write_recbole(Dataset(frame, name="x"), folder)
    assert read_recbole(folder).interactions.equals(frame)


def test_what_the_format_cannot_hold(tmp_path: Path) -> None:
    tab = Dataset(pl.DataFrame({"user_id": ["a", "b\tc"], "item_id": [1, 2]}), name="x")
    with pytest.raises(DataError, match=r"x\.inter, column 'user_id', row 2: a value holds a tab"):
        write_recbole(tab, tmp_path)
    rows = pl.DataFrame({"user_id": ["a"], "item_id": [1]})
    items = pl.DataFrame({"item_id": [1], "genres": [["Film Noir"]]})
    with pytest.raises(DataError, match=r"column 'genres', row 1: .*separator ' '.*sequence_separator"):
        write_recbole(Dataset(rows, items=items, name="x"), tmp_path)
    with pytest.raises(DataError, match="the column is Struct"):
        write_recbole(Dataset(rows, items=pl.DataFrame({"item_id": [1], "s": [{"a": 1}]}), name="x"), tmp_path)
    with pytest.raises(UsageError, match="file name"):
        write_recbole(Dataset(rows), tmp_path, name="../x")
    with pytest.raises(UsageError, match="sequence_separator"):
        write_recbole(Dataset(rows), tmp_path, sequence_separator="\t")
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".item"] == []


def test_bad_files(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.inter: there is no such file"):
        read_recbole(folder / "none")
    (folder / "ml.item").write_text("item_id:token\tyear\n1\t2\n")
    with pytest.raises(DataError, match=r"ml\.item: the header is 'year', expected name:type"):
        read_recbole(folder)
    (folder / "ml.item").write_text("item_id:token\tprice:float\n1\tcheap\n")
    with pytest.raises(DataError, match=r"ml\.item, column 'price', row 1: 'cheap' is not a number"):
        read_recbole(folder)
    (folder / "ml.item").write_text("item_id:token\tv:float_seq\n1\t1 2\n2\t1 x\n")
    with pytest.raises(DataError, match=r"column 'v', row 2: '1 x' is not a list of numbers"):
        read_recbole(folder)
    (folder / "ml.item").unlink()
    (folder / "ml.inter").write_text(INTER + "\t5\t1\t1\n")
    with pytest.raises(DataError, match=r"ml\.inter, column 'user_id', row 3: the id is missing"):
        read_recbole(folder)
    assert read_recbole(folder, bad_rows="drop").interactions.height == 2
    (folder / "other.inter").write_text(INTER)
    with pytest.raises(DataError, match=r"2 \.inter files \(ml\.inter, other\.inter\)"):
        read_recbole(folder)
    with pytest.raises(DataError, match=r"Read it with rl\.read_recbole"):
        read(folder)
