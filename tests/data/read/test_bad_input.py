"""Bad input gives an error that names file, column, row and mend, or a rule that is counted - never a wrong number."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclens.data.dataset import Dataset
from reclens.data.read.ids import as_integers
from reclens.data.read.movielens import read_movielens
from reclens.data.read.tables import read
from reclens.errors import DataError, RecLensError


def counts(made) -> dict[str, int]:
    return {rule["code"]: rule["count"] for rule in made.card["rules"]}


@pytest.fixture
def csv(tmp_path: Path):
    def write(content: str | bytes, name: str = "log.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


# ------------------------------------------------------------------------------------------------------------ files


def test_no_such_file(csv) -> None:
    path = csv("user,item\n1,2\n")
    with pytest.raises(DataError, match=r"there is no such file or folder. Did you mean 'log.csv'"):
        read(path.with_name("lgo.csv"))


@pytest.mark.parametrize("content", [b"", b"\n\n", b"user,item\n", gzip.compress(b"", mtime=0)])
def test_empty(csv, content: bytes) -> None:
    with pytest.raises(DataError, match=r"log\.csv: (the file is empty|there are no rows)"):
        read(csv(content))


def test_not_utf8(csv) -> None:
    path = csv("user,item\n1,a\n2,Amélie\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"log\.csv, row 2: has the byte 0xE9, which is not UTF-8.*encoding=.latin-1."):
        read(path)
    assert read(path, encoding="latin-1").interactions["item_id"].to_list() == ["a", "Amélie"]
    with pytest.raises(DataError, match=r"line 1 has the byte 0xE9"):
        read(csv("usér,item\n1,a\n".encode("latin-1")))


def test_byte_order_marks(csv) -> None:
    for encoding in ("utf-8-sig", "utf-16"):
        assert read(csv("user,item\n1,é\n".encode(encoding))).interactions.rows() == [(1, "é")]


def test_binary(csv) -> None:
    with pytest.raises(DataError, match="this is not text"):
        read(csv(b"user,item\n\0\0\0\n"))
    with pytest.raises(DataError, match="not a Parquet file"):
        read(csv(b"user,item\n1,2\n", "log.parquet"))


def test_cut_short(csv, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gzip file is broken or was cut short"):
        read(csv(gzip.compress(b"user,item\n1,2\n" * 100)[:-20]))
    pl.DataFrame({"user": [1], "item": [2]}).write_parquet(tmp_path / "whole.parquet")
    cut = csv((tmp_path / "whole.parquet").read_bytes()[:-30], "cut.parquet")
    with pytest.raises(DataError, match=r"cut\.parquet: it cannot be read"):
        read(cut)


def test_a_gzip_bomb(csv) -> None:
    with pytest.raises(DataError, match=r"log\.csv: its [\d,]+ bytes unpack to over .* as those of a zip bomb do"):
        read(csv(gzip.compress(b"user,item\n" + bytes(100 << 20), 9)))


def test_a_row_with_too_many_fields(csv) -> None:
    with pytest.raises(DataError, match=r"log\.csv, row 2: the row has 3 .*the first line has 2.*needs quotes"):
        read(csv("user,item\n1,2\n1,2,3\n"))


def test_a_quote_that_is_never_closed(csv) -> None:
    with pytest.raises(DataError, match="quotation mark"):
        read(csv('user,item\n1,"2\n1,3\n'))


@pytest.mark.parametrize("text", ["user,item, user\n1,2,3\n", " user ,user,item\n1,2,3\n", "user,user \n1,2\n"])
def test_two_columns_of_one_name_but_for_blanks(csv, text: str) -> None:
    with pytest.raises(DataError, match=r"two columns are named 'user'.*Rename one"):
        read(csv(text))


def test_two_columns_of_one_name(csv) -> None:
    with pytest.raises(DataError, match="two columns are named 'user'"):
        read(csv("user,user,item\n1,2,3\n"))


def test_blank_lines_are_no_rows(csv) -> None:
    assert read(csv("user,item\n\n1,2\n\n\n3,4\n\n")).interactions.rows() == [(1, 2), (3, 4)]


def test_missing_column(csv) -> None:
    path = csv("CustomerID,sku,when\n1,2,3\n")
    with pytest.raises(DataError, match=r"log\.csv: there is no column for 'user_id'; .*\{'user_id': 'CustomerID'\}"):
        read(path)
    with pytest.raises(DataError, match=r"no column 'custmerid'.*for 'user_id'"):
        read(path, columns={"user_id": "custmerid", "item_id": "sku"})
    with pytest.raises(DataError, match="could both be 'user_id'"):
        read(csv("uid,userId,item\n1,2,3\n"))


# -------------------------------------------------------------------------------------------------------------- zips


def zipped(path: Path, members: dict[str, bytes], **options) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


RATINGS = b"userId,movieId,rating,timestamp\n" + b"".join(b"%d,%d,4.0,%d\n" % (u, u % 7, 10**9 + u) for u in range(500))
MOVIES = b"movieId,title,genres\n" + b"".join(b"%d,Film (2000),Drama\n" % m for m in range(7))
GOOD = {"ml/ratings.csv": RATINGS, "ml/movies.csv": MOVIES}


def test_truncated_zip(tmp_path: Path) -> None:
    path = zipped(tmp_path / "ml.zip", GOOD)
    data = path.read_bytes()
    for cut in (len(data) - 30, len(data) // 2, 3):
        path.write_bytes(data[:cut])
        with pytest.raises(DataError, match=r"ml\.zip: the zip is broken or was cut short"):
            read_movielens(path)


def test_damaged_member(tmp_path: Path) -> None:
    path = zipped(tmp_path / "ml.zip", GOOD)
    data = bytearray(path.read_bytes())
    data[len(RATINGS) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"cut short \(member ml/ratings\.csv"):
        read_movielens(path)


@pytest.mark.parametrize("name", ["../evil.csv", "ml/../../evil.csv", "/etc/evil.csv", "C:/evil.csv", "..\\evil.csv"])
def test_a_zip_that_climbs_out(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path / "ml.zip", {**GOOD, name: b"x"})
    with pytest.raises(DataError, match=r"leads out of the archive's folder.*Nothing was read"):
        read_movielens(path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["ml.zip"]


def test_a_link_in_a_zip(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("ml/users.csv")
    link.external_attr = 0o120777 << 16
    path = zipped(tmp_path / "ml.zip", GOOD)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match="leads out"):
        read_movielens(path)


def test_a_zip_bomb(tmp_path: Path) -> None:
    bomb = b"userId,movieId,rating,timestamp\n" + b"0" * (20 << 20)
    path = zipped(tmp_path / "ml.zip", {**GOOD, "ml/ratings.csv": bomb}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(DataError, match="zip bomb"):
        read_movielens(path)


def test_a_link_that_leaves_a_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_bytes(MOVIES)
    folder = tmp_path / "ml"
    folder.mkdir()
    (folder / "ratings.csv").write_bytes(RATINGS)
    (folder / "movies.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(DataError, match=r"it has ratings\.csv but not movies\.csv"):
        read_movielens(folder)


# --------------------------------------------------------------------------------------------------------------- ids


def test_missing_ids(csv) -> None:
    path = csv("user,item\n1,2\n,3\n4,\n")
    with pytest.raises(DataError, match=r"log\.csv, column 'user', row 2: the id is missing.*bad_rows=.drop."):
        read(path)
    data = read(path, bad_rows="drop")
    assert data.interactions.rows() == [(1, 2)]
    assert [rule["count"] for rule in data.card["rules"]] == [1, 1]


def test_leading_zeros_stay(csv) -> None:
    data = read(csv("user,item\n007,1\n7,2\n"))
    assert data.interactions["user_id"].to_list() == ["007", "7"]
    assert data.interactions["item_id"].to_list() == [1, 2]


def test_large_ids_stay_exact(csv) -> None:
    ids = [9_223_372_036_854_775_807, 9_007_199_254_740_993]
    assert read(csv(f"user,item\n{ids[0]},1\n{ids[1]},1\n")).interactions["user_id"].to_list() == ids
    beyond = [str(2**63), "18446744073709551615"]
    assert read(csv(f"user,item\n{beyond[0]},1\n{beyond[1]},1\n")).interactions["user_id"].to_list() == beyond
    unsigned = pl.DataFrame({"user": [2**64 - 1], "item": [1]}, schema={"user": pl.UInt64, "item": pl.UInt8})
    assert read(unsigned).interactions.rows() == [("18446744073709551615", 1)]


def test_mixed_ids_are_text(csv) -> None:
    assert read(csv("user,item\n1,1\nx,2\n")).interactions["user_id"].to_list() == ["1", "x"]
    pandas = pytest.importorskip("pandas")
    data = read(pandas.DataFrame({"user": [1, "x", 2.0], "item": [1, 2, 3]}))
    assert data.interactions["user_id"].to_list() == ["1", "x", "2"]
    assert counts(data) == {"mixed_ids_as_text": 2}
    with pytest.raises(DataError, match="column 'user', row 3: the id is missing"):
        read(pandas.DataFrame({"user": [1, "x", None], "item": [1, 2, 3]}))
    with pytest.raises(DataError, match="row 2: the id is a tuple"):
        read(pandas.DataFrame({"user": [1, (1, 2), "x"], "item": [1, 2, 3]}))
    same = read(pandas.DataFrame({"user": pandas.Series([1, 2], dtype=object), "item": [1, 2]}))
    assert same.interactions["user_id"].to_list() == [1, 2]


def test_ids_that_went_through_floats(csv) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"user": [17850.0, 13047.0], "item": ["a", "b"]})
    data = read(frame)
    assert data.interactions["user_id"].to_list() == [17850, 13047]
    assert counts(data) == {"decimal_ids": 2}
    assert counts(read(csv("user,item\n17850.0,a\n13047.0,b\n"))) == {"decimal_ids": 2}
    with pytest.raises(DataError, match=r"row 2: the id is 1\.5"):
        read({"user": [1.0, 1.5], "item": [1, 2]})
    with pytest.raises(DataError, match=r"below 2\^53"):
        read({"user": [2.0**53], "item": [1]})
    with pytest.raises(DataError, match="row 1: the id is inf"):
        read({"user": [np.inf], "item": [1]})


def test_ids_of_another_kind() -> None:
    with pytest.raises(DataError, match="column 'user': ids are Boolean"):
        read({"user": [True], "item": [1]})
    with pytest.raises(DataError, match="ids are List"):
        read({"user": [[1]], "item": [1]})


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=25), min_size=1, max_size=6))
def test_text_becomes_integers_only_when_nothing_is_lost(ids: list[str]) -> None:
    whole = as_integers(pl.Series(ids, dtype=pl.String))
    if whole is not None:
        assert [str(value) for value in whole] == ids


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=6))
def test_every_integer_survives_its_text(ids: list[int]) -> None:
    whole = as_integers(pl.Series([str(value) for value in ids]))
    assert whole is not None and whole.to_list() == ids


# ----------------------------------------------------------------------------------------------- ratings and times


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("nan", "the number is missing"),
        ("inf", "the number is '?inf"),
        ("", "the number is missing"),
        ("good", "'good' is not"),
    ],
)
def test_ratings_that_are_no_numbers(csv, value: str, problem: str) -> None:
    path = csv(f"user,item,rating\n1,1,5\n1,2,{value}\n")
    with pytest.raises(DataError, match=rf"log\.csv, column 'rating', row 2: {problem}"):
        read(path)
    data = read(path, bad_rows="drop")
    assert data.interactions.rows() == [(1, 1, 5.0)]
    assert sum(counts(data).values()) == 1


def test_nan_in_a_frame() -> None:
    with pytest.raises(DataError, match="column 'rating', row 2: the number is missing"):
        read({"user": [1, 1], "item": [1, 2], "rating": [5.0, float("nan")]})


def test_decimal_commas(csv) -> None:
    data = read(csv("user;item;rating\n1;1;3,5\n1;2;4\n"))
    assert data.interactions["rating"].to_list() == [3.5, 4.0]
    assert counts(data) == {"decimal_commas": 1}


@pytest.mark.parametrize(
    ("factor", "unit"), [(1, None), (1_000, "milliseconds"), (1_000_000, "microseconds"), (10**9, "nanoseconds")]
)
def test_units_of_time(csv, factor: int, unit: str | None) -> None:
    data = read(csv(f"user,item,timestamp\n1,1,{978_300_760 * factor}\n1,2,{978_300_761 * factor}\n"))
    times = data.interactions["timestamp"]
    assert times.dt.epoch("s").to_list() == [978_300_760, 978_300_761]
    assert times[0].isoformat() == "2000-12-31T22:12:40+00:00"
    expected = [{"code": "times_converted", "count": 2, "facts": {"column": "timestamp", "unit": unit}}]
    assert data.card["rules"] == (expected if unit else [])


def test_mixed_units_of_time(csv) -> None:
    path = csv("user,item,timestamp\n1,1,978300760000\n1,2,978300761\n")
    with pytest.raises(DataError, match=r"row 2: 978300761 would be in another unit than 978300760000 of row 1"):
        read(path)


@pytest.mark.parametrize("value", ["-1", "", "nan", "1e300", "yesterday"])
def test_times_that_are_none(csv, value: str) -> None:
    path = csv(f"user,item,timestamp\n1,1,978300760\n1,2,{value}\n1,3,978300770\n")
    with pytest.raises(DataError, match=r"log\.csv, column 'timestamp', row 2: "):
        read(path)
    data = read(path, bad_rows="drop")
    assert data.interactions["item_id"].to_list() == [1, 3]
    assert sum(counts(data).values()) == 1


def test_text_times(csv) -> None:
    head = "user,item,timestamp\n"
    zoned = read(csv(head + "1,1,2020-01-01T12:00:00+02:00\n1,2,2020-01-01 10:00:00Z\n"))
    assert zoned.interactions["timestamp"].dt.hour().to_list() == [10, 10]
    assert counts(zoned) == {}
    naive = read(csv(head + "1,1,2020-01-01 10:00\n1,2,2020-01-02\n1,3,2020-01-02 10:00:00.250\n"))
    assert naive.interactions["timestamp"].dt.epoch("ms").to_list() == [1577872800000, 1577923200000, 1577959200250]
    assert counts(naive) == {"times_read_as_utc": 3}
    compact = read(csv(head + "1,1,20200101\n1,2,20200102\n"))
    assert compact.interactions["timestamp"].dt.day().to_list() == [1, 2]
    european = csv(head + "1,1,31/12/2020 10:00\n1,2,01/02/2020 10:00\n")
    with pytest.raises(DataError, match=r"row 1: '31/12/2020 10:00' is not a time.*timestamp_format="):
        read(european)
    named = read(european, timestamp_format="%d/%m/%Y %H:%M").interactions["timestamp"]
    assert named.dt.month().to_list() == [12, 2]


# --------------------------------------------------------------------------------------------------------- duplicates

TWICE = "user,item,rating,timestamp\n1,1,5,300\n1,2,4,100\n1,1,3,200\n1,2,1,100\n"


def test_duplicate_pairs(csv) -> None:
    last = read(csv(TWICE))
    # The latest of item 1 is its first row; the two rows of item 2 tie, and the later one stands.
    assert last.interactions.select("item_id", "rating").rows() == [(1, 5.0), (2, 1.0)]
    assert counts(last) == {"repeated_pairs_merged": 2}
    total = read(csv(TWICE), duplicates="sum")
    assert total.interactions.select("item_id", "rating", "weight").rows() == [(1, 5.0, 2.0), (2, 1.0, 2.0)]
    weighted = read({"user": [1, 1, 2], "item": [1, 1, 1], "weight": [2.5, 4, 1]}, duplicates="sum")
    assert weighted.interactions.rows() == [(1, 1, 6.5), (2, 1, 1.0)]
    with pytest.raises(DataError, match=r"log\.csv, row 3: user 1 has item 1 a second time \(2 rows"):
        read(csv(TWICE), duplicates="error")


# ------------------------------------------------------------------------------------------------------------ anything


def sound(data: bytes, **options: Any) -> Dataset | None:
    """What is read of any bytes: rows with both ids, each pair once, and no more of them than lines; or an error."""
    try:
        found = read(data, **options)
    except RecLensError:
        return None
    pairs = found.interactions.select("user_id", "item_id")
    assert pairs.null_count().row(0) == (0, 0) and pairs.n_unique() == pairs.height <= len(data)
    return found


@given(st.binary(max_size=300))
def test_any_bytes_give_a_data_set_or_a_reclens_error(data: bytes) -> None:
    found = sound(data)
    assert found is None or found.interactions.columns[:2] == ["user_id", "item_id"]


@given(st.text(alphabet='user,item;rating\n\t"1.5-|: é', max_size=120))
def test_any_text_gives_a_data_set_or_a_reclens_error(text: str) -> None:
    found = sound(("user,item,rating,timestamp\n" + text).encode(), bad_rows="drop")
    assert found is None or found.interactions.height <= text.count("\n") + 1
