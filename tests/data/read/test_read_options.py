"""Files as they are published and exported: options of the readers, held against Python's own csv, json and codecs."""

from __future__ import annotations

import ast
import csv
import gzip
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclens.data.profile import _ties
from reclens.data.read.attributes import read_attributes
from reclens.data.read.delimited import read_delimited
from reclens.data.read.ids import as_integers
from reclens.data.read.recbole import read_recbole
from reclens.data.read.sources import load
from reclens.data.read.tables import read, read_recommendations, read_table
from reclens.errors import DataError, UsageError

TABLE = b"user,item\n1,a\n2,b\n"


# ---------------------------------------------------------------------------------------------------------- no header


U_DATA = b"196\t242\t3\t881250949\n186\t302\t3\t891717742\n22\t377\t1\t878887116\n"


AMAZON = (
    b"A39HTATAQ9V7YF,0205616461,5.0,1369699200\n"
    b"A3JM6GV9MNOF9X,0558925278,3.0,1355443200\n"
    b"A1Z513UWSAAO0F,0558925278,5.0,1404691200\n"
)


LAST_FM = (
    b"00000c289a1829a808ac09c00daf10bc3c4e223b\t3bd73256-3905-4f3a-97e2-8b341527f805\tbetty blowtorch\t2137\n"
    b"00000c289a1829a808ac09c00daf10bc3c4e223b\tf2fb0ff0-5679-42ec-a55c-15109ce6e320\tdie \xc3\x84rzte\t1099\n"
    b"00001411dc427966b17297bf4d69e7e193135d89\tb3ae82c2-e60b-4551-a76d-6620f1b456aa\tmelissa etheridge\t897\n"
)


GOWALLA = (
    b"0\t2010-10-19T23:55:27Z\t30.2359091167\t-97.7951395833\t22847\n"
    b"0\t2010-10-18T22:17:43Z\t30.2691029532\t-97.7493953705\t420315\n"
    b"1\t2010-10-17T23:42:03Z\t30.2557309927\t-97.7633857727\t316637\n"
)


FILM_TRUST = b"1 1 2\n1 2 4\n2 1 3.5\n"


PUBLISHED: dict[str, tuple[bytes, dict[str, int], list[tuple[Any, ...]]]] = {
    "u.data": (
        U_DATA,
        {"user_id": 0, "item_id": 1, "rating": 2, "timestamp": 3},
        [(196, 242, 3.0), (186, 302, 3.0), (22, 377, 1.0)],
    ),
    "ratings_only.csv": (
        AMAZON,
        {"user_id": 0, "item_id": 1, "rating": 2, "timestamp": 3},
        [
            ("A39HTATAQ9V7YF", "0205616461", 5.0),
            ("A3JM6GV9MNOF9X", "0558925278", 3.0),
            ("A1Z513UWSAAO0F", "0558925278", 5.0),
        ],
    ),
    "plays.tsv": (
        LAST_FM,
        {"user_id": 0, "item_id": 1, "weight": 3},
        [(b[:40].decode(), b[41:77].decode(), float(b.split(b"\t")[3])) for b in LAST_FM.splitlines()],
    ),
    "checkins.txt": (GOWALLA, {"user_id": 0, "item_id": 4, "timestamp": 1}, [(0, 22847), (0, 420315), (1, 316637)]),
    "ratings.txt": (FILM_TRUST, {"user_id": 0, "item_id": 1, "rating": 2}, [(1, 1, 2.0), (1, 2, 4.0), (2, 1, 3.5)]),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_files_without_a_header_lose_no_row(tmp_path: Path, name: str) -> None:
    content, places, rows = PUBLISHED[name]
    (tmp_path / name).write_bytes(content)
    path = str(tmp_path / name)
    with pytest.raises(DataError, match="looks like a row of values") as caught:
        read(path)
    assert "header=True" in str(caught.value)
    # Naming the cells of the first row would lose it: refused too.
    first = (
        content.split(b"\n")[0].decode().replace("\t", ",").replace(" ", ",", 2 * (name == "ratings.txt")).split(",")
    )
    named = {ours: first[place] for ours, place in places.items()}
    if len(set(named.values())) == len(named):
        with pytest.raises(DataError, match="looks like a row of values"):
            read(path, columns=named)
    # The advice itself, where it names places, has user and item right, and all that it names can be read.
    advised = ast.literal_eval(str(caught.value).split("columns=")[1].split("}")[0] + "}")
    assert {key: advised[key] for key in ("user_id", "item_id")} == {key: places[key] for key in ("user_id", "item_id")}
    assert read(path, columns=advised).events.height == len(rows)
    data = read(path, columns=places)
    value = [each for each in ("rating", "weight") if each in places]
    assert data.events.select("user_id", "item_id", *value).rows() == rows
    assert read(path, columns=places, header=False).events.equals(data.events)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        (b"user,item\nalice,tea\nbob,jam\n", None),
        (b"kunde,film\n1,2\n3,4\n", {"user_id": "kunde", "item_id": "film"}),
        (b"user,item,2019,2020\n1,2,5,6\n3,4,7,8\n", None),
        (b"userId,movieId\n1,2\n", None),
        (b"who,what,top1\na,b,i2\nc,d,i3\n", {"user_id": "who", "item_id": "what", "rating": None}),
    ],
)
def test_headers_that_are_headers(text: bytes, columns: dict[str, str] | None) -> None:
    found = b"top1" in text
    if found:  # 'top1' over 'i2' is made otherwise
        assert not load(text).doubtful
    assert read(text, columns=columns).events.height == text.count(b"\n") - 1


def test_a_header_of_numbers_is_one_when_that_is_said() -> None:
    text = b"0,1\n5,6\n7,8\n"
    with pytest.raises(DataError, match=r"pass header=True"):
        load(text)
    assert load(text, header=True).frame.rows() == [("5", "6"), ("7", "8")]
    assert read(text, header=True, columns={"user_id": "0", "item_id": "1"}).events.rows() == [(5, 6), (7, 8)]
    assert read(text, header=True, columns={"user_id": 1, "item_id": 0}).events.rows() == [(6, 5), (8, 7)]
    assert read(text, columns={"user_id": 0, "item_id": 1}).events.rows() == [(0, 1), (5, 6), (7, 8)]


def test_names_that_would_become_a_row_are_refused() -> None:
    text = b"user,item\n1,2\n3,4\n"
    with pytest.raises(DataError, match="looks like names of columns") as caught:
        read(text, columns={"user_id": 0, "item_id": 1})
    assert "header=True" in str(caught.value)
    assert read(text, columns={"user_id": 0, "item_id": 1}, header=True).events.rows() == [(1, 2), (3, 4)]
    assert read(b"NA,x\n1,y\n", columns={"user_id": 1, "item_id": 0}).events.height == 2


def test_attributes_without_a_header_get_names(tmp_path: Path) -> None:
    text = b"1|24|M|technician\n2|53|F|other\n"
    table = read_table(text, columns={"user_id": 0, "age": 1, "job": 3})
    assert table.rows(named=True)[1] == {"user_id": 2, "age": 53, "column_3": "F", "job": "other"}
    frame, _ = read_attributes(text, "user_id", columns={"user_id": 0, "age": 1, "column_3": None})
    assert frame.columns == ["user_id", "age", "column_4"]
    data = read({"user": [1, 2], "item": [7, 8]}, users=table)
    assert data.users is not None and data.users["age"].to_list() == [24, 53]
    with pytest.raises(DataError, match="looks like a row of values"):
        read({"user": [1, 2], "item": [7, 8]}, users=text)
    with pytest.raises(DataError, match="at place 9"):
        read_table(text, columns={"user_id": 0, "age": 9})


def test_lists_without_a_header(tmp_path: Path) -> None:
    text = b"7,31,1\n7,30,2\n8,31,1\n"
    with pytest.raises(DataError, match=r"'user_id': 0, 'item_id': 1, 'rank': 2"):
        read_recommendations(text)
    lists = read_recommendations(text, columns={"user_id": 0, "item_id": 1, "rank": 2})
    assert lists.table.rows() == [(7, 31, 1), (7, 30, 2), (8, 31, 1)]


# ------------------------------------------------------------------------------------------------------------ options


@given(
    rows=st.lists(st.lists(st.text("ab ,;'\"\\|\t\n", max_size=5), min_size=2, max_size=2), min_size=1, max_size=6),
    delimiter=st.sampled_from(",;|\t"),
    quote=st.sampled_from(['"', "'", None]),
    escape=st.sampled_from([None, "\\"]),
)
def test_what_pythons_csv_writes_is_read_again(
    rows: list[list[str]], delimiter: str, quote: str | None, escape: Any
) -> None:
    if quote is None and escape is None:  # nothing can stand for what ends a field
        rows = [[cell.translate(dict.fromkeys(map(ord, delimiter + "\n"))) for cell in row] for row in rows]
    rows = [row for row in rows if any(row)]
    if quote is None:  # a line break cannot be escaped in what other programs read
        rows = [[cell.replace("\n", "") for cell in row] for row in rows]
        rows = [row for row in rows if any(row)]
    text = io.StringIO()
    dialect: Any = (
        {"quoting": csv.QUOTE_ALL, "quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE, "quotechar": None}
    )
    writer = csv.writer(
        text, delimiter=delimiter, escapechar=escape, doublequote=escape is None, lineterminator="\n", **dialect
    )
    writer.writerows([["first", "second"], *rows])
    frame = read_delimited(text.getvalue().encode(), source="x", delimiter=delimiter, quote=quote, escape=escape)
    assert [[cell or "" for cell in row] for row in frame.rows()] == rows


def test_quotes_can_be_off() -> None:
    text = b'user,item\n1,"Alien\n2,7" single\n'
    with pytest.raises(DataError, match=r'pass quote=""'):
        read(text)
    assert read(text, quote=None).events["item_id"].to_list() == ['"Alien', '7" single']
    assert read(b"user,item\n1,'a,b'\n", quote="'").events["item_id"].to_list() == ["a,b"]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"quote": "ab"}, "quote is 'ab'"),
        ({"escape": "é"}, "escape is 'é'"),
        ({"quote": ",", "delimiter": ","}, "cannot be two of"),
        ({"delimiter": ""}, "delimiter is empty"),
        ({"delimiter": "::", "escape": "\\"}, "it has to be one character"),
        ({"decimal": ";"}, "decimal is ';'"),
        ({"ids": "int"}, "ids is 'int'"),
        ({"encoding": "nosuch"}, "encoding is 'nosuch'"),
        ({"encoding": "a\0b"}, "encoding is"),
    ],
)
def test_options_that_mean_nothing(how: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read(TABLE, **how)


@pytest.mark.parametrize("encoding", ["base64", "hex", "rot13", "zip", "bz2", "uu", "quopri"])
def test_codecs_that_are_none_of_text_are_refused(encoding: str) -> None:
    with pytest.raises(LookupError):  # as Python's own str.encode does
        "a".encode(encoding)
    with pytest.raises(UsageError, match="no encoding of text"):
        read(TABLE, encoding=encoding)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "latin-1", "cp500"]
)
def test_encodings_of_text_are_read(encoding: str) -> None:
    text = "user,item\n1,Amélie\n2,Ärzte\n".encode(encoding)
    assert read(text, encoding=encoding).events["item_id"].to_list() == ["Amélie", "Ärzte"]


def test_decimal_marks() -> None:
    text = b"user;item;rating\n1;2;3,5\n3;4;4\n"
    assert read(text, decimal=",").events["rating"].to_list() == [3.5, 4.0]
    assert read(text).card["rules"][0]["code"] == "decimal_commas"
    with pytest.raises(DataError, match="'3,5' is not a number"):
        read(text, decimal=".")
    with pytest.raises(DataError, match=r"'3\.5' is not a number"):
        read(text.replace(b"3,5", b"3.5"), decimal=",")
    table = read_table(b"user;weight;price\n1;1,25;9,5\n", decimal=",")
    assert table.rows() == [(1, 1.25, 9.5)]


def test_ids_stay_text_when_asked() -> None:
    assert read({"user": [7, 7], "item": [1, 2]}, ids="text").events.rows() == [("7", "1"), ("7", "2")]
    lists = read_recommendations(b"user,item,rank\n7,NEW-1,1\n7,2,2\n", ids="text")
    assert lists.table.select("user_id", "item_id").rows() == [("7", "NEW-1"), ("7", "2")]
    users = {"user": [7], "age": [3]}
    data = read({"user": [7], "item": [1]}, users=users, ids="text")
    assert data.users is not None and data.users["user_id"].to_list() == ["7"]
    assert read_table(TABLE, ids="text")["user_id"].to_list() == ["1", "2"]


# --------------------------------------------------------------------------------------------------------------- JSON


YELP = [
    {"review_id": "r1", "user_id": "u1", "business_id": "b1", "stars": 4.0, "date": "2016-03-09 00:00:00"},
    {
        "review_id": "r2",
        "user_id": "u2",
        "business_id": "b1",
        "stars": 1.0,
        "date": "2017-01-14 21:30:33",
        "text": 'a "b"',
    },
]


NAMES = {"item_id": "business_id", "rating": "stars", "timestamp": "date"}


@pytest.mark.parametrize("form", ["lines", "array", "pretty", "packed"])
def test_json_is_read(form: str) -> None:
    lines = "\n".join(map(json.dumps, YELP)) + "\n"
    text = {"lines": lines, "array": json.dumps(YELP), "pretty": json.dumps(YELP, indent=2), "packed": lines}[form]
    data = read(gzip.compress(text.encode()) if form == "packed" else text.encode(), columns=NAMES)
    assert data.events.select("user_id", "item_id", "rating").rows() == [("u1", "b1", 4.0), ("u2", "b1", 1.0)]
    assert [str(time)[:19] for time in data.events["timestamp"]] == ["2016-03-09 00:00:00", "2017-01-14 21:30:33"]


def test_json_that_is_none_is_refused_with_its_row() -> None:
    good = json.dumps(YELP[0])
    for text, says in (
        (f"{good}\n{good[:40]}\n", "row 2: it is no JSON"),
        (f"{good}\n[1]\n", "row 2: the line is no object"),
        (f"[{good}, 3]", "row 2: what the array holds"),
        ("[]", "there are no rows"),
        ("{u'user_id': u'7656', 'products': [{'product_id': u'1'}]}\n", "ast.literal_eval"),
        ("{'asin': '0001', \"title\": 'x'}\n", "literals of Python"),
    ):
        with pytest.raises(DataError, match=says.replace("(", r"\(")):
            read(text.encode())
    with pytest.raises(UsageError, match="delimiter is an option of delimited text, and bytes is JSON"):
        read(good.encode(), delimiter=";")
    latin = json.dumps({"user": 1, "item": "Amélie"}, ensure_ascii=False).encode("latin-1")
    assert read(latin, encoding="latin-1").events.rows() == [(1, "Amélie")]


# ------------------------------------------------------------------------------------------------- used, or refused


def test_options_of_text_are_refused_where_there_is_none(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user": [1], "item": [2]})
    frame.write_parquet(tmp_path / "a.parquet")
    with duckdb.connect(str(tmp_path / "a.duckdb")) as base:
        base.execute("CREATE TABLE t AS SELECT 1 AS user, 2 AS item")
        for source in (str(tmp_path / "a.parquet"), str(tmp_path), frame, base, load(TABLE)):
            for how in (
                {"delimiter": ";"},
                {"quote": None},
                {"encoding": "latin-1"},
                {"header": True},
                {"decimal": ","},
            ):
                with pytest.raises(UsageError, match=f"{next(iter(how))} is an option of delimited text"):
                    read(source, **how)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="delimiter is an option of delimited text, and the query reads no file"):
        read(query="SELECT 1 AS user, 2 AS item", delimiter=";")
    query = "SELECT kunde AS user_id, film AS item_id FROM source"
    assert read("kunde;film\nÄ;2\n".encode("latin-1"), query=query, encoding="latin-1").events.rows() == [("Ä", "2")]


def test_the_broken_file_of_many_is_named(tmp_path: Path) -> None:
    for name in "abc":
        pl.DataFrame({"user": [1], "item": [2]}).write_parquet(tmp_path / f"{name}.parquet")
        (tmp_path / f"{name}.csv").write_bytes(TABLE)
    (tmp_path / "b.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "b.csv").write_bytes(b"user,item\n1,2,3\n")
    for ending in ("parquet", "csv"):
        with pytest.raises(DataError, match=rf"{tmp_path}/b\.{ending}"):
            read(str(tmp_path / f"*.{ending}"))


def test_recbole_with_another_delimiter(tmp_path: Path) -> None:
    (tmp_path / "shop.inter").write_text("user_id:token,item_id:token,rating:float\n1,é,4\n", encoding="latin-1")
    data = read_recbole(tmp_path, delimiter=",", encoding="latin-1")
    assert data.events.rows() == [(1, "é", 4.0)]


# --------------------------------------------------------------------------------------------------- fast, and the same


INTEGERS = st.one_of(st.from_regex(r"[+-]?0{0,2}[0-9]{1,3}", fullmatch=True), st.integers(-9, 10**19).map(str))


@given(st.lists(INTEGERS, min_size=1))
def test_integers_are_those_that_python_would_write_so(texts: list[str]) -> None:
    found = as_integers(pl.Series(texts))

    def canonical(text: str) -> bool:
        return text.lstrip("+-").isdigit() and str(int(text)) == text and abs(int(text)) < 2**63

    assert (found is not None) == all(map(canonical, texts))
    assert found is None or found.to_list() == [int(text) for text in texts]


@pytest.mark.parametrize("fine", [1_000_000, 1, 10**15 + 1])
def test_ties_are_those_of_a_count(fine: int, rng: np.random.Generator) -> None:
    """Whole seconds, microseconds of a short time, and microseconds so far apart that no 64 bits hold user and time."""
    users, times = rng.integers(0, 9_000, 4_000), rng.integers(0, 3, 4_000) * fine
    users[users == 17] = 18  # a user without events among them
    at = Counter(zip(users.tolist(), times.tolist(), strict=True))
    last = {user: max(time for other, time in at if other == user) for user in set(users.tolist())}
    expected = (sum(n for n in at.values() if n > 1), sum(at[user, time] > 1 for user, time in last.items()))
    assert _ties(users.astype(np.int32), times) == expected
