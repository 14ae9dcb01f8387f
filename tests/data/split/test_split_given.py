"""Ready-made splits: taken as they are, with what they share and do not know counted and said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from reclens.data.read.tables import read
from reclens.data.split import Split, given, random
from reclens.data.synthetic import synthetic_movielens
from reclens.errors import DataError, UnmatchedIdsError, UsageError
from reclens.workspace import Workspace

DAY = 86_400
TRAIN = {
    "user": [1, 1, 2, 2, 3],
    "item": ["a", "b", "a", "c", "b"],
    "timestamp": [1 * DAY, 5 * DAY, 2 * DAY, 3 * DAY, 4 * DAY],
}
TEST = {
    "user": [1, 2, 2, 4, 3],
    "item": ["c", "b", "a", "a", "z"],
    "timestamp": [4 * DAY, 6 * DAY, 7 * DAY, 3 * DAY, 8 * DAY],
}


def test_the_card_says_that_it_was_given_and_what_is_odd() -> None:
    split = given(TRAIN, TEST)
    assert (split.card["method"], split.card["seed"], split.task) == ("given", None, "new_items")
    assert split.card["method"] == "given" and split.card["ties"] == {"rule": "unknown"}
    counts = split.card["counts"]
    # User 2 has a in training already; user 4 and item z are unknown there.
    assert (counts["test_pairs"], counts["test_pairs_in_training"]) == (5, 1)
    assert (counts["test_cold_users"], counts["test_cold_user_rows"]) == (1, 1)
    assert (counts["test_cold_items"], counts["test_cold_item_rows"]) == (1, 1)
    # User 1 in the test: day 4, while training has her at day 5. Rows before day 5, the last of training: days 4 and 3.
    assert (counts["test_rows_before_training"], counts["test_rows_before_last_training"]) == (1, 2)
    assert split.test.select("user_id", "item_id").rows() == [(1, "c"), (2, "b"), (4, "a"), (3, "z")]
    assert split.train.interactions.height == 5
    assert {note["code"]: note["facts"] for note in split.card["notes"]} == {
        "items_not_in_training": {"part": "test", "items": 1, "rows": 1},
        "users_not_in_training": {"part": "test", "users": 1, "rows": 1},
        "rows_before_training": {"part": "test", "rows": 1, "of": 5},
        "rows_before_last_training": {"part": "test", "rows": 2, "of": 5},
        "repeats_in_held_out": {"part": "test", "task": "new_items", "share": 0.2},
    }
    assert {rule["code"]: rule["count"] for rule in split.card["rules"]} == {
        "cold_user_rows": 1,
        "pairs_in_training": 1,
    }


def test_repeats_and_cold_users_by_choice() -> None:
    split = given(TRAIN, TEST, task="with_repeats", cold_users="drop")
    assert split.test.select("user_id", "item_id").rows() == [(1, "c"), (2, "b"), (2, "a"), (3, "z")]
    assert split.exclude_seen is False and split.test_users.to_list() == [1, 2, 3]


def test_a_split_of_ours_given_back_is_the_same(tmp_path: Path) -> None:
    made = random(synthetic_movielens(n_users=60, n_items=50, n_ratings=1_200, rng=2), validation_share=0.1)
    back = given(made.train, made.test, validation=made.validation)
    for name, table in made.tables().items():
        assert back.tables()[name].equals(table), name
    assert back.card["counts"]["test_pairs_in_training"] == back.card["counts"]["validation_pairs_in_training"] == 0
    assert back.card["hashes"] == made.card["hashes"] and back.train.users is not None
    place = Workspace(tmp_path)
    place.save(back, "back")
    kept = place.load("split", "back")
    assert isinstance(kept, Split) and kept.card["method"] == "given" and kept.test.equals(made.test)
    # A split by lot looks into the future, and says so.
    assert back.card["counts"]["test_rows_before_training"] > 100 and back.card["notes"]


def test_an_orderly_split_has_no_notes() -> None:
    later = {"user": [1, 2], "item": ["c", "b"], "timestamp": [6 * DAY, 7 * DAY]}
    split = given(TRAIN, later)
    assert split.card["notes"] == [] and split.card["rules"] == []
    assert split.test["timestamp"][0] == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=6)


def test_the_parts_of_movielens_and_recbole_are_known_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "u1.base").write_text("1\t10\t5\t874965758\n2\t11\t3\t876893171\n2\t10\t4\t876893172\n")
    (tmp_path / "u1.test").write_text("1\t11\t4\t874965759\n")
    split = given(tmp_path / "u1.base", str(tmp_path / "u1.test"))
    assert split.train.interactions["rating"].to_list() == [5, 3, 4] and split.test["rating"].to_list() == [4]
    assert split.card["sources"] == {"train": str(tmp_path / "u1.base"), "test": str(tmp_path / "u1.test")}
    head = "user_id:token\titem_id:token\trating:float\n"
    for part, rows in (
        ("train", "7\ta\t4\n7\tb\t3\n8\ta\t1\n"),
        ("valid", "8\tb\t2\n"),
        ("test", "8\tc\t2\n7\ta\t5\n"),
    ):
        (tmp_path / f"shop.{part}.inter").write_text(head + rows)
    (tmp_path / "shop.item").write_text("item_id:token\tgenre:token_seq\na\tx y\nb\tz\nc\tx\n")
    split = given(
        *(tmp_path / f"shop.{part}.inter" for part in ("train", "test")),
        validation=tmp_path / "shop.valid.inter",
        task="with_repeats",
    )
    assert split.validation is not None and split.validation.rows() == [(8, "b", 2.0)]
    assert split.train.items is not None and split.train.items["genre"].to_list() == [["x", "y"], ["z"], ["x"]]
    assert split.test.select("user_id", "item_id").rows() == [(8, "c"), (7, "a")]


def test_the_files_of_movielens_bring_its_attributes(tmp_path: Path, repository: Path) -> None:
    movie = "|".join(["10", "Toy (1995)", "01-Jan-1995", "", "", *["0"] * 19])
    for name, text in {
        "u.data": "1\t10\t5\t874965758\n",
        "u.item": f"{movie}\n",
        "u.user": "1|24|M|other|85711\n",
        "u1.base": "1\t10\t5\t874965758\n1\t11\t3\t874965759\n",
        "u1.test": "1\t10\t5\t9\n",
    }.items():
        (tmp_path / name).write_text(text)
    split = given(tmp_path / "u1.base", tmp_path / "u1.test", task="with_repeats")
    assert split.train.users is not None and split.train.users["age"].to_list() == [24]
    assert split.train.items is not None and split.train.items["title"].to_list() == ["Toy"]


def test_ids_of_one_kind_and_columns_that_a_part_lacks() -> None:
    train = read({"user": [1, 2], "item": ["a", "b"], "rating": [5.0, 4.0]})
    split = given(train, {"user": ["1", "N-7"], "item": ["b", "a"]})
    assert split.train.interactions["user_id"].to_list() == ["1", "2"] and split.test["user_id"].to_list() == [
        "1",
        "N-7",
    ]
    assert "integer_ids_as_text" in {rule["code"] for rule in split.train.card["rules"]}
    assert split.card["columns_missing"] == {"test": ["rating"]} and "rating" in split.train.interactions.columns
    assert "test_rows_before_training" not in split.card["counts"]


def test_parts_of_two_worlds_are_refused() -> None:
    with pytest.raises(UnmatchedIdsError, match="no item of the test part is in the training part") as caught:
        given({"user": [1, 2], "item": ["007", "012"]}, {"user": [1, 2], "item": [7, 12]})
    assert caught.value.cause == "leading_zeros"
    with pytest.raises(DataError, match="no test row is left"):
        given(TRAIN, {"user": [1], "item": ["a"]})
    with pytest.raises(UsageError, match="attributes of its own"):
        given(read(TRAIN), TEST, users={"user": [1]})
    assert given(TRAIN, pl.DataFrame({"user": [1], "item": ["c"]})).test.height == 1
