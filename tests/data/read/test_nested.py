"""Several items a row: submissions, columns of lists, and lines of a user and her items."""

from __future__ import annotations

import gzip
import io

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reclens.data.read.nested import adjacency, unfold
from reclens.data.read.tables import read, read_recommendations, read_table
from reclens.data.read.uploads import open_upload
from reclens.errors import DataError, UnknownNameError, UsageError
from reclens.evaluation import evaluate

SUBMISSION = b"customer_id,prediction\n0001,0568 0751 0001\n0002,0751\n0003,\n"
COLUMNS = {"user_id": "customer_id", "item_id": "prediction"}


def test_a_submission_is_lists_in_the_order_of_their_cells() -> None:
    lists = read_recommendations(SUBMISSION, columns=COLUMNS, form="cell")
    assert lists.table.rows() == [("0001", "0568", 1), ("0001", "0751", 2), ("0001", "0001", 3), ("0002", "0751", 1)]
    assert [(rule["code"], rule["count"]) for rule in lists.card["rules"]] == [
        ("lists_unfolded", 1),
        ("empty_lists", 1),
    ]
    # MAP@12 of the submission by hand: hits at 2 and 3 of two relevant, none, no list.
    truth = pl.DataFrame({"user_id": ["0001", "0001", "0002", "0003"], "item_id": ["0751", "0001", "0568", "0568"]})
    found = evaluate(lists, truth, metrics=["mapk@12"], replicates=0)["mapk@12"].overall
    assert (found.value, found.n) == (pytest.approx((1 / 2 + 2 / 3) / 2 / 3), 3)


@pytest.mark.parametrize(
    "cell", ["a b c", "a,b,c", "a, b, c", "a;b;c", "a|b|c", "['a', 'b', 'c']", '["a","b","c"]', "[a b c]", " a  b\tc "]
)
def test_what_stands_between_items_is_found_out(cell: str) -> None:
    table = pl.DataFrame({"user": ["u", "v"], "item": [cell, cell.replace("b", "d")]})
    found = read_recommendations(table, form="cell").table
    assert found.rows() == [("u", "a", 1), ("u", "b", 2), ("u", "c", 3), ("v", "a", 1), ("v", "d", 2), ("v", "c", 3)]


def test_ids_with_blanks_need_their_separator() -> None:
    table = pl.DataFrame({"user": ["u"], "item": ["Star Wars/Alien"]})
    assert read_table(table, form="cell", between="/")["item_id"].to_list() == ["Star Wars", "Alien"]


def test_columns_of_lists_are_told_by_their_type() -> None:
    frame = pl.DataFrame({"user": [7, 8, 9], "item": [["a", "b"], None, ["c"]], "score": [0.5, 0.1, 0.2]})
    file = io.BytesIO()
    frame.write_parquet(file)
    for source in (
        frame,
        file.getvalue(),
        open_upload(file.getvalue(), "x.parquet"),
    ):
        assert read_recommendations(source).table.select("user_id", "item_id", "rank").rows() == [
            (7, "a", 1),
            (7, "b", 2),
            (9, "c", 1),
        ]
    fixed = pl.DataFrame({"user": [7], "item": pl.Series([[1, 2]], dtype=pl.Array(pl.Int64, 2))})
    assert read_table(fixed).select("user_id", "item_id").rows() == [(7, 1), (7, 2)]
    with pytest.raises(DataError, match="expected a list of ids"):
        read_table(pl.DataFrame({"user": [7], "item": [[["a"]]]}))


def test_lines_of_a_user_and_her_items() -> None:
    lines = b"0 7 9\n1 8\n2\n\n10 7\n"  # LightGCN's train.txt: a user without items too
    for data in (lines, gzip.compress(lines), lines.replace(b" ", b"\t"), lines.replace(b"\n", b" \r\n")):
        found = read(data, form="adjacency")
        assert found.interactions.rows() == [(0, 7), (0, 9), (1, 8), (10, 7)]
        assert found.card["rules"][-1] == {
            "code": "empty_lists",
            "count": 1,
            "facts": {"table": "bytes", "column": "item_id"},
        }
    ordered = read(b"ann tea milk jam\n", form="adjacency", columns={"timestamp": "place"})
    assert ordered.events.sort("timestamp")["item_id"].to_list() == ["tea", "milk", "jam"]
    lists = read_recommendations(b"0,7,9\n", form="adjacency", between=",")
    assert lists.table.rows() == [(0, 7, 1), (0, 9, 2)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 10**6), max_size=6), min_size=1, max_size=8))
def test_lines_come_back_as_they_were_written(rows: list[list[int]]) -> None:
    text = "\n".join(" ".join(map(str, [user, *items])) for user, items in enumerate(rows))
    found = adjacency(text.encode(), source="x")
    assert found["item_id"].to_list() == [[str(item) for item in items] for items in rows]
    unfolded, rules = unfold(found, "item_id", source="x")
    assert unfolded["item_id"].to_list() == [str(item) for items in rows for item in items]
    assert unfolded["place"].to_list() == [place for items in rows for place in range(1, len(items) + 1)]
    counts = {rule["code"]: rule["count"] for rule in rules}
    assert counts.get("empty_lists", 0) == sum(not items for items in rows)


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(DataError, match=r"a cell holds several ids: '0568 0751'. Pass form=.cell"):
        read_recommendations(b"user,item\n1,0568 0751\n2,7 8\n")
    with pytest.raises(UnknownNameError, match="Did you mean 'cell'"):
        read_table(b"user,item\n1,2\n", form="cel")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"Say form=.cell"):
        read_table(b"user,item\n1,2\n", between=",")
    with pytest.raises(UsageError, match="a user and their items are text"):
        read_table({"user": [1], "item": [2]}, form="adjacency")
    with pytest.raises(UsageError, match="delimiter is an option of delimited text"):
        read(b"0 7\n", form="adjacency", delimiter=" ")
    with pytest.raises(DataError, match="the file is empty"):
        read(b"\n\n", form="adjacency")
    with pytest.raises(DataError, match="ids are Int64, expected text"):
        read_table({"user": [1], "item": [2]}, form="cell")
    with pytest.raises(DataError, match="the name that the order of the items takes"):
        read_table({"user": [1], "item": ["a b"], "place": [3]}, form="cell")
    # One item a row is not touched, whatever its name.
    assert read_recommendations(b"user,item,rank\n1,Star Wars,1\n").table["item_id"].to_list() == ["Star Wars"]
