"""MovieLens in every official layout: the counts of GroupLens' own README files."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from reclens.data.read.movielens import read_movielens
from reclens.errors import DataError


@pytest.fixture(scope="session")
def movielens(shared_data: Path) -> Path:
    return shared_data / "movielens"


# ------------------------------------------------------------------------------------------------ the published data


@pytest.mark.parametrize(
    ("name", "ratings", "users", "rated", "listed"),
    [
        ("ml-100k", 100_000, 943, 1_682, 1_682),
        ("ml-1m", 1_000_209, 6_040, 3_706, 3_883),
        ("ml-latest-small", 100_836, 610, 9_724, 9_742),
    ],
)
def test_published_counts(movielens: Path, name: str, ratings: int, users: int, rated: int, listed: int) -> None:
    data = read_movielens(movielens / f"{name}.zip")
    assert data.name == name
    assert data.interactions.height == data.card["rows_read"] == ratings
    assert len(data.user_vocabulary) == users
    assert len(data.item_vocabulary) == rated
    assert data.items is not None and data.items.height == listed
    assert data.items.schema["genres"] == pl.List(pl.String)
    assert not data.items["title"].str.contains(r"\(\d{4}\)$").any()
    assert "items_without_attributes" not in data.card


def test_100k(movielens: Path) -> None:
    data = read_movielens(movielens / "ml-100k.zip")
    assert data.users is not None and data.items is not None
    assert data.users.row(0) == (1, 24, "M", "technician", "85711")
    assert data.users["gender"].value_counts().sort("gender").rows() == [("F", 273), ("M", 670)]
    assert data.users.schema["age"] == pl.Int64
    assert data.users["zip"].dtype == pl.String and "T8H1N" in data.users["zip"]
    assert data.items.row(0) == (1, "Toy Story", 1995, ["Animation", "Children's", "Comedy"])
    assert data.items.row(266) == (267, "unknown", None, [])
    genres = dict(data.items["genres"].explode().drop_nulls().value_counts().rows())
    assert genres["Drama"] == 725 and genres["Fantasy"] == 22 and len(genres) == 18
    assert data.interactions.row(0) == (196, 242, datetime(1997, 12, 4, 15, 55, 49, tzinfo=UTC), 3.0)
    mean = data.interactions["rating"].mean()
    assert mean == pytest.approx(3.52986, abs=1e-9)
    # ISO-8859-1: the only reading in which the French titles are French.
    assert "Misérables, Les" in data.items["title"].to_list()


def test_1m(movielens: Path) -> None:
    data = read_movielens(movielens / "ml-1m.zip")
    assert data.users is not None and data.items is not None
    assert data.users.row(0) == (1, 1, "F", "K-12 student", "48067")
    assert sorted(data.users["age"].unique()) == [1, 18, 25, 35, 45, 50, 56]
    assert data.users["occupation"].null_count() == 0
    assert data.items.row(0) == (1, "Toy Story", 1995, ["Animation", "Children's", "Comedy"])
    assert data.interactions.row(0) == (1, 1193, datetime(2000, 12, 31, 22, 12, 40, tzinfo=UTC), 5.0)


def test_latest_small_with_tags(movielens: Path) -> None:
    data = read_movielens(movielens / "ml-latest-small.zip", tags=True)
    assert data.items is not None and data.users is None
    rules = {rule["code"]: rule["count"] for rule in data.card["rules"]}
    assert rules["films_without_genre"] == 34
    tags = dict(data.items.select("title", "tags").rows())
    assert tags["Toy Story"] == ["fun", "pixar"]
    assert read_movielens(movielens / "ml-latest-small.zip").items.columns == ["item_id", "title", "year", "genres"]


def test_a_folder_is_read_like_the_zip(movielens: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(movielens / "ml-100k.zip") as archive:
        archive.extractall(tmp_path)
    from_zip = read_movielens(movielens / "ml-100k.zip")
    for folder in (tmp_path, tmp_path / "ml-100k"):
        data = read_movielens(folder)
        assert data.fingerprint == from_zip.fingerprint
        assert data.name == "ml-100k"
        assert data.items is not None and data.items.equals(from_zip.items)


# ------------------------------------------------------------------------------------------- layouts, written by hand


def pack(path: Path, members: dict[str, str], encoding: str = "utf-8") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text.encode(encoding))
    return path


def test_10m(tmp_path: Path) -> None:
    members = {
        "ml-10M100K/ratings.dat": "1::122::5::838985046\n1::185::4.5::838983525\n",
        "ml-10M100K/movies.dat": "122::Boomerang (1992)::Comedy|Romance\n"
        "185::Les Misérables: A::B (1995)::(no genres listed)\n",
        "ml-10M100K/tags.dat": "15::122::Excellent!::1215184630\n",
    }
    data = read_movielens(pack(tmp_path / "ml-10m.zip", members), tags=True)
    assert data.users is None and data.items is not None
    assert data.interactions["rating"].to_list() == [5.0, 4.5]
    assert data.items.rows() == [
        (122, "Boomerang", 1992, ["Comedy", "Romance"], ["excellent!"]),
        (185, "Les Misérables: A::B", 1995, [], []),
    ]
    assert data.name == "ml-10M100K"


def test_25m_ignores_what_it_does_not_know(tmp_path: Path) -> None:
    members = {
        "ml-25m/ratings.csv": "userId,movieId,rating,timestamp\n1,296,5.0,1147880044\n",
        "ml-25m/movies.csv": 'movieId,title,genres\n296,"American President, The (1995)",Comedy|Drama|Romance\n'
        "297,Shiloh 2 (1999) (V),Drama\n298,Death Note (2006–2007),(no genres listed)\n299,Babylon 5,Sci-Fi\n"
        '300,"Say ""Uncle"" (2005) ",Comedy\n',
        "ml-25m/genome-scores.csv": "broken",
        "__MACOSX/ml-25m/._ratings.csv": "x",
    }
    data = read_movielens(pack(tmp_path / "ml-25m.zip", members))
    assert data.items is not None
    assert data.items.select("title", "year").rows() == [
        ("American President, The", 1995),
        ("Shiloh 2 (V)", 1999),
        ("Death Note", 2006),
        ("Babylon 5", None),
        ('Say "Uncle"', 2005),
    ]
    with pytest.raises(DataError, match=r"no tags: 'ml-25m/tags\.csv' is missing"):
        read_movielens(tmp_path / "ml-25m.zip", tags=True)


@pytest.mark.parametrize("line", ["1::x::5::838985046", "1::185::five::838983525", "1::185::5::-3", "1::185::5"])
def test_a_broken_rating_is_named(tmp_path: Path, line: str) -> None:
    members = {
        "ml/ratings.dat": f"1::122::5::838985046\n{line}\n",
        "ml/movies.dat": "122::A (1992)::Comedy\n185::B (1995)::Drama\n",
    }
    path = pack(tmp_path / "ml.zip", members)
    if "x" in line:  # an id may be text
        assert read_movielens(path).interactions["item_id"].to_list() == ["122", "x"]
        return
    with pytest.raises(DataError, match=r"ml\.zip/ml/ratings\.dat, column '\w+', row 2: "):
        read_movielens(path)


def test_what_is_not_movielens(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file or folder"):
        read_movielens(tmp_path / "none.zip")
    with pytest.raises(DataError, match=r"this is no MovieLens data set: it has a\.csv. Expected u\.data"):
        read_movielens(pack(tmp_path / "other.zip", {"a.csv": "x"}))
    with pytest.raises(DataError, match=r"it has ml-100k/u\.data but not ml-100k/u\.item, ml-100k/u\.user"):
        read_movielens(pack(tmp_path / "half.zip", {"ml-100k/u.data": "1\t2\t3\t4\n"}))
    (tmp_path / "ratings.csv").write_text("userId,movieId\n")
    with pytest.raises(DataError, match="one file of a data set"):
        read_movielens(tmp_path / "ratings.csv")
    (tmp_path / "text.zip").write_text("hello")
    with pytest.raises(DataError, match="zip is broken"):
        read_movielens(tmp_path / "text.zip")
    empty = {"ml/ratings.csv": "", "ml/movies.csv": "movieId,title,genres\n"}
    with pytest.raises(DataError, match=r"ratings\.csv: the file is empty"):
        read_movielens(pack(tmp_path / "empty.zip", empty))
