"""Any source of rows gives the same data set."""

from __future__ import annotations

import gzip
import subprocess
import sys
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest

from reclens.data.read.tables import read, read_recommendations, read_table
from reclens.errors import DataError, UnknownNameError, UsageError

ROWS = [("u1", "a", 5.0, 1_000_000_000), ("u1", "b", 3.5, 1_000_000_060), ("u2", "a", 1.0, 1_000_000_120)]
FRAME = pl.DataFrame(ROWS, schema=["user_id", "item_id", "rating", "timestamp"], orient="row")
FIRST = datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)  # the second 1,000,000,000 of Unix time


def check(data) -> None:
    table = data.interactions
    assert table.columns[:2] == ["user_id", "item_id"]
    assert table.select("user_id", "item_id", "rating").rows() == [row[:3] for row in ROWS]
    assert table["timestamp"].dtype == pl.Datetime("us", "UTC")
    assert table["timestamp"].to_list()[0] == FIRST
    assert (table["timestamp"].to_list()[2] - FIRST).total_seconds() == 120


def text(delimiter: str, header: str = "user_id,item_id,rating,timestamp") -> str:
    lines = [header.split(","), *([str(value) for value in row] for row in ROWS)]
    return "".join(delimiter.join(line) + "\n" for line in lines)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "::", " "])
@pytest.mark.parametrize("packed", [False, True])
def test_delimited_text(tmp_path: Path, delimiter: str, packed: bool) -> None:
    path = tmp_path / ("log.csv.gz" if packed else "log.csv")
    data = text(delimiter).encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    found = read(str(path))
    check(found)
    assert found.name == "log"
    assert found.card["rules"] == []


@pytest.mark.parametrize(
    "header",
    [
        "userId,movieId,rating,timestamp",
        "userID,itemID,rating,timestamp",
        "uid,iid,rating,timestamp",
        "user,item,rating,timestamp",
        "USER_ID,ITEM_ID,Rating,Timestamp",
        "user_id,item_id,rating,datetime",
    ],
)
def test_known_dialects(tmp_path: Path, header: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text(",", header))
    data = read(path)
    check(data)
    written = dict(zip(("user_id", "item_id", "rating", "timestamp"), header.split(","), strict=True))
    assert {key: data.card["columns"][key] for key in written} == written


def test_rectools_weight_and_datetime() -> None:
    frame = pl.DataFrame({"user_id": [1], "item_id": [2], "weight": [3], "datetime": [date(2021, 2, 3)]})
    table = read(frame).interactions
    assert table.row(0, named=True) == {
        "user_id": 1,
        "item_id": 2,
        "timestamp": datetime(2021, 2, 3, tzinfo=UTC),
        "weight": 3.0,
    }


def test_columns_names_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text(",", "Customer,SKU,stars,sold at"))
    names = {"user_id": "Customer", "item_id": "SKU", "rating": "stars", "timestamp": "sold at"}
    data = read(path, columns=names)
    check(data)
    assert data.card["columns"] == {key: names[key] for key in ("user_id", "item_id", "timestamp", "rating")}


def test_columns_by_place_without_a_header(tmp_path: Path) -> None:
    path = tmp_path / "u.data"
    path.write_text("".join("\t".join(str(value) for value in row) + "\n" for row in ROWS))
    data = read(path, columns={"user_id": 0, "item_id": 1, "rating": 2, "timestamp": 3})
    check(data)
    assert data.interactions["rating"].to_list() == [row[2] for row in ROWS]


def test_a_column_can_be_left_out() -> None:
    data = read(FRAME, columns={"rating": None})
    assert data.interactions.columns == ["user_id", "item_id", "timestamp"]
    assert data.card["columns_not_used"] == ["rating"]


def test_parquet_file_folder_glob_and_hive(tmp_path: Path) -> None:
    FRAME[:2].write_parquet(tmp_path / "one.parquet")
    FRAME[2:].write_parquet(tmp_path / "two.parquet")
    check(read(tmp_path))
    check(read(str(tmp_path / "*.parquet")))
    assert read(tmp_path / "two.parquet").interactions.height == 1
    odd = tmp_path / "a[1].parquet"
    FRAME.write_parquet(odd)
    check(read(odd))
    parts = tmp_path / "parts"
    for day, rows in (("2024-01-01", FRAME[:2]), ("2024-01-02", FRAME[2:])):
        (parts / f"day={day}").mkdir(parents=True)
        rows.write_parquet(parts / f"day={day}" / "part.parquet")
    data = read(parts)
    check(data)
    assert data.card["columns_not_used"] == ["day"]


def test_a_folder_of_csv(tmp_path: Path) -> None:
    lines = text(",").splitlines(keepends=True)
    (tmp_path / "1.csv").write_text(lines[0] + lines[1])
    (tmp_path / "2.csv").write_text(lines[0] + lines[2] + lines[3])
    check(read(tmp_path))
    (tmp_path / "3.csv").write_text("user,item\n1,2\n")
    with pytest.raises(DataError, match=r"3\.csv: its columns are user, item"):
        read(tmp_path)


def test_a_duckdb_file(tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as database:
        database.execute(
            'CREATE TABLE "my ""events" AS SELECT * FROM (VALUES '
            + values()
            + ") t(user_id, item_id, rating, timestamp)"
        )
        database.execute("CREATE SCHEMA old")
        database.execute("CREATE TABLE old.events AS SELECT 1 AS user_id, 2 AS item_id")
    check(read(path, table='my "events'))
    assert read(path, table="old.events").interactions.rows() == [(1, 2)]
    with pytest.raises(DataError, match=r"2 tables: my \"events, old.events.*Choose one by table="):
        read(path)
    with pytest.raises(DataError, match="no one table 'nope'"):
        read(path, table="nope")
    check(read(path, query='SELECT * FROM "my ""events"'))


def values() -> str:
    return ", ".join(f"('{user}', '{item}', {rating}, {when})" for user, item, rating, when in ROWS)


def test_a_query_binds_its_values(tmp_path: Path) -> None:
    FRAME.write_parquet(tmp_path / "log.parquet")
    query = f"SELECT * FROM '{tmp_path}/log.parquet' WHERE item_id <> $item"
    assert read(query=query, params={"item": "b"}).interactions["item_id"].to_list() == ["a", "a"]
    attack = "b' OR 1=1 --"
    assert read(query=query, params={"item": attack}).interactions.height == 3
    named = read(FRAME, query="SELECT * FROM source WHERE rating > ?", params=[3.6])
    assert named.interactions["user_id"].to_list() == ["u1"]


def test_a_query_does_not_see_the_callers_variables() -> None:
    secret = FRAME  # noqa: F841 - DuckDB would find it by its name
    with pytest.raises(DataError, match="secret"):
        read(query="SELECT * FROM secret")


def test_queries_leave_nothing_on_stderr() -> None:
    # Polars, given DuckDB's own objects, keeps its types alive: a page of complaints when the program ends.
    code = "import reclens as rl; data = rl.read(query='SELECT 1 AS user_id, 2 AS item_id'); print(data)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.startswith("Dataset('query': 1"), done.stderr) == (True, "")


def test_a_broken_query_says_why() -> None:
    with pytest.raises(DataError, match=r"SQL failed.*syntax error"):
        read(query="SELECT 1 FORM x")
    with pytest.raises(DataError, match="there is no column for 'user_id'"):
        read(query="SET threads = 1")
    with pytest.raises(DataError, match=r"rows cannot be used.*'user_id'.*Mend the SQL"):
        read(query="SELECT 1 AS user_id, 2 AS user_id, 3 AS item_id")
    with pytest.raises(UsageError, match="params are values"):
        read(FRAME, params=[1])


def test_frames_of_other_libraries() -> None:
    pandas = pytest.importorskip("pandas")
    pyarrow = pytest.importorskip("pyarrow")
    table = FRAME.to_arrow()
    frames = (
        FRAME,
        FRAME.lazy(),
        table,
        pyarrow.RecordBatchReader.from_batches(table.schema, table.to_batches()),
        pandas.DataFrame(FRAME.to_dict(as_series=False)),
        FRAME.to_dict(as_series=False),
    )
    for data in map(read, frames):
        check(data)
        assert data.interactions["timestamp"].dt.epoch("s").to_list() == [row[3] for row in ROWS]
    connection = duckdb.connect()
    columns = "t(user_id, item_id, rating, timestamp)"
    check(
        read(
            connection.sql(
                f"SELECT user_id, item_id, rating::DOUBLE AS rating, timestamp FROM (VALUES {values()}) {columns}"
            )
        )
    )
    connection.execute(f"CREATE TABLE events AS SELECT * FROM (VALUES {values()}) {columns}")
    check(read(connection))
    check(read(connection, query="SELECT * FROM events"))
    connection.close()


def test_a_filtered_pandas_frame_has_no_index_column() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(FRAME.to_dict(as_series=False))
    data = read(frame[frame.rating > 2])
    assert data.interactions.height == 2
    assert data.card["columns_not_used"] == []


def test_pandas_times_keep_their_zone() -> None:
    pandas = pytest.importorskip("pandas")
    times = pandas.to_datetime(["2020-06-01 12:00", "2020-06-01 13:00"]).tz_localize("Europe/Berlin")
    frame = pandas.DataFrame({"user_id": [1, "x"], "item_id": [1, 2], "timestamp": times})  # mixed: not by Arrow
    data = read(frame)
    assert data.interactions["timestamp"].to_list()[0] == datetime(2020, 6, 1, 10, tzinfo=UTC)
    assert [rule["code"] for rule in data.card["rules"]] == ["mixed_ids_as_text"]


def test_a_member_of_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "shop.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("shop/events.csv", text(","))
        archive.writestr("shop/users.csv", "user_id,age\nu1,30\n")
    check(read(path, table="events.csv"))
    with pytest.raises(DataError, match=r"2 tables: shop/events\.csv, shop/users\.csv"):
        read(path)


def test_attributes(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("user,age,zip\nu1,30,02139\nu3,41,94110\n")
    items = {"itemId": ["a", "b"], "genres": ["Drama|War", ""], "price": [1.5, None]}
    data = read(FRAME, users=tmp_path / "users.csv", items=items, lists={"genres": "|"})
    assert data.users is not None and data.items is not None
    assert data.users.rows() == [("u1", 30, "02139"), ("u3", 41, "94110")]
    assert data.items.rows() == [("a", ["Drama", "War"], 1.5), ("b", [], None)]
    assert data.card["users_without_attributes"] == 1
    assert "items_without_attributes" not in data.card


def test_attributes_follow_the_names_and_types_of_the_interactions() -> None:
    log = {"buyer": [7, 8], "item_id": [1, 2]}
    data = read(log, columns={"user_id": "buyer"}, users={"buyer": ["7", "x"], "age": [1, 2]})
    assert data.users is not None
    assert data.interactions["user_id"].to_list() == ["7", "8"]
    assert data.users["user_id"].to_list() == ["7", "x"]
    assert data.card["rules"][-1] == {
        "code": "integer_ids_as_text",
        "count": 2,
        "facts": {"column": "user_id"},
    }
    twice = read(log, columns={"user_id": "buyer"}, users={"buyer": [7, 7], "age": [1, 2]})
    assert twice.users is not None and twice.users.rows() == [(7, 1)]
    assert twice.card["rules"][0]["count"] == 1


def test_read_table_keeps_other_columns_and_rows() -> None:
    table = read_table({"uid": [2, 1, 1], "iid": [1, 1, 1], "note": ["x", "y", "z"]})
    assert table.rows() == [(2, 1, "x"), (1, 1, "y"), (1, 1, "z")]
    assert table.columns == ["user_id", "item_id", "note"]


def test_lists_by_rank_and_by_score(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("userID,itemID,prediction\n2,10,0.5\n1,11,0.2\n2,12,0.9\n1,13,0.2\n")
    lists = read_recommendations(path)
    assert lists.name == "mine"
    assert lists.table.rows() == [(2, 12, 1, 0.9), (2, 10, 2, 0.5), (1, 11, 1, 0.2), (1, 13, 2, 0.2)]
    assert lists.card["rules"][0]["code"] == "ranked_by_score"
    ranked = read_recommendations({"user": [1, 1], "item": [5, 6], "rank": [2, 1]})
    assert ranked.table.rows() == [(1, 6, 1), (1, 5, 2)]


def test_lenskit_and_rectools_lists() -> None:
    pandas = pytest.importorskip("pandas")
    lenskit = pandas.DataFrame({"user_id": [1, 1], "item_id": [5, 6], "score": [0.3, 0.2], "rank": [1, 2]})
    rectools = pandas.DataFrame({"user_id": [1, 1], "item_id": [5, 6], "score": [0.3, 0.2], "rank": [1, 2]})
    for frame in (lenskit, rectools):
        assert read_recommendations(frame).table.rows() == [(1, 5, 1, 0.3), (1, 6, 2, 0.2)]


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown column 'user'\. Did you mean 'user_id'"):
        read(FRAME, columns={"user": "x"})
    with pytest.raises(UsageError, match="some given by place"):
        read(FRAME, columns={"user_id": 0, "item_id": "b"})
    with pytest.raises(UsageError, match="'item_id' is named twice"):
        read(FRAME, columns={"user_id": "item_id", "item_id": "item_id"})
    with pytest.raises(UsageError, match="source is an int, expected a path"):
        read(3)
    with pytest.raises(UsageError, match="duplicates is 'first'"):
        read(FRAME, duplicates="first")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="bad_rows"):
        read(FRAME, bad_rows="ignore")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="a table is named"):
        read(FRAME, table="x")
    with pytest.raises(UsageError, match="encoding is 'utf-9'"):
        read(b"user,item\n1,2\n", encoding="utf-9")


def test_online_retail(shared_data: Path) -> None:
    path = shared_data / "ecommerce" / "online_retail.parquet"
    columns = {"user_id": "CustomerID", "item_id": "StockCode", "timestamp": "InvoiceDate", "weight": "Quantity"}
    with pytest.raises(DataError, match=r"column 'CustomerID', row [\d,]+: the id is missing \(135,080 such rows\)"):
        read(path, columns=columns)
    data = read(path, columns=columns, bad_rows="drop", duplicates="sum")
    rules = {rule["code"]: rule["count"] for rule in data.card["rules"]}
    assert rules["missing_id"] == 135_080
    assert data.card["rows_read"] == 541_909
    assert len(data.user_vocabulary) == 4_372
    assert data.interactions.height == 541_909 - 135_080 - rules["repeated_pairs_merged"]
    bought = duckdb.connect().execute(f"SELECT sum(Quantity) FROM '{path}' WHERE CustomerID IS NOT NULL").fetchall()
    assert data.interactions["weight"].sum() == bought[0][0]


def test_complete_journey(shared_data: Path) -> None:
    path = shared_data / "ecommerce" / "complete_journey.zip"
    columns = {
        "user_id": "household_id",
        "item_id": "product_id",
        "weight": "quantity",
        "timestamp": "transaction_timestamp",
    }
    log = read(path, table="transactions_sample.csv", columns=columns, duplicates="sum")
    assert log.card["rows_read"] == 75_000
    assert len(log.user_vocabulary) == 2_377
    assert len(log.item_vocabulary) == 20_902
    people = read_table(path, table="demographics.csv", columns={"user_id": "household_id"})
    assert people.height == 801
    with_people = read(path, table="transactions_sample.csv", columns=columns, users=people)
    assert with_people.card["users_without_attributes"] == 2_377 - 801
