"""Splits: what stands where, by hand and by property; ties; cold users; leaks; and coming back from tables."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reclens.data.dataset import Dataset
from reclens.data.split import Split, by_time, by_user, last_n, random, rolling
from reclens.errors import DataError, UsageError
from reclens.schema import TIMESTAMP_TYPE, fingerprint

START = datetime(2024, 1, 1, tzinfo=UTC)


def make(rows: list[tuple]) -> Dataset:
    """Rows of (user, item, day)."""
    table = pl.DataFrame(rows, schema=["user_id", "item_id", "day"], orient="row")
    times = pl.lit(START).dt.cast_time_unit("us") + pl.duration(days=pl.col("day"))
    return Dataset(table.select("user_id", "item_id", timestamp=times.cast(TIMESTAMP_TYPE)), name="toy")


def pairs(table: pl.DataFrame) -> list[tuple]:
    return table.select("user_id", "item_id").rows()


ways = {
    "by_time": lambda data: by_time(data, validation_share=0.2),
    "last_n": lambda data: last_n(data, n=2, validation_n=1),
    "random": lambda data: random(data, test_share=0.3, validation_share=0.2),
    "by_user": lambda data: by_user(data, test_share=0.3),
    "rolling": lambda data: rolling(data, folds=2)[-1],
}


@pytest.fixture(params=list(ways))
def method(request) -> str:
    return request.param


# ------------------------------------------------------------------------------------------------------------- by_time


def test_by_time_cuts_all_users_at_one_moment() -> None:
    data = make([(1, 1, 0), (1, 2, 5), (2, 1, 1), (2, 2, 6), (1, 3, 7)])
    split = by_time(data, test_share=0.4)
    assert pairs(split.train.interactions) == [(1, 1), (1, 2), (2, 1)]
    assert pairs(split.test) == [(2, 2), (1, 3)]
    assert split.card["cut"] == "2024-01-07T00:00:00+00:00"
    assert split.test_users.to_list() == [1, 2]
    assert split.train.card["split"] == split.card


def test_by_time_never_cuts_inside_a_tie() -> None:
    # Two rows of five are asked for; the moment of day 5 has three. From day 5 on: four rows (0.4 off); from day 9: one
    # (0.2 off).
    data = make([(1, 1, 0), (1, 2, 5), (1, 3, 5), (1, 4, 5), (1, 5, 9)])
    assert by_time(data, test_share=0.4).test.height == 1
    assert by_time(data, test_share=0.55).test.height == 4


@given(st.lists(st.integers(0, 12), min_size=2, max_size=60), st.floats(0.01, 0.99))
def test_by_time_comes_as_near_to_the_share_as_whole_moments_allow(days: list[int], share: float) -> None:
    assume(len(set(days)) > 1)
    data = make([(1, item, day) for item, day in enumerate(days)])
    test = by_time(data, test_share=share).test.height
    possible = [sum(day >= cut for day in days) for cut in sorted(set(days))[1:]]
    assert abs(test - share * len(days)) == min(abs(size - share * len(days)) for size in possible)


def test_by_time_at_a_moment() -> None:
    data = make([(1, 1, 0), (1, 2, 5), (1, 3, 6)])
    for at in (START + timedelta(days=5), datetime(2024, 1, 6)):  # a time without a zone is UTC
        split = by_time(data, at=at)
        assert pairs(split.test) == [(1, 2), (1, 3)]
        assert split.card["cut"] == split.card["parameters"]["at"] == "2024-01-06T00:00:00+00:00"
    with pytest.raises(
        DataError, match=r"all rows lie before the cut 2025-01-01T00:00:00\+00:00; they span 2024-01-01"
    ):
        by_time(data, at=datetime(2025, 1, 1, tzinfo=UTC))
    with pytest.raises(DataError, match="all rows lie at or after the cut"):
        by_time(data, at=START)


def test_by_time_takes_validation_from_the_training_part_alone() -> None:
    data = make([(1, item, item) for item in range(10)])
    split = by_time(data, test_share=0.2, validation_share=0.3)
    assert [item for _, item in pairs(split.test)] == [8, 9]
    assert split.validation is not None and [item for _, item in pairs(split.validation)] == [5, 6, 7]
    assert [item for _, item in pairs(split.train.interactions)] == [0, 1, 2, 3, 4]
    assert split.card["validation_cut"] == "2024-01-06T00:00:00+00:00"
    assert split.validation_users.to_list() == [1]
    assert by_time(data, test_share=0.2).test.equals(split.test)


def test_cold_users_are_dropped_or_kept_and_counted_and_cold_items_are_kept() -> None:
    data = make([(1, 1, 0), (2, 1, 1), (1, 7, 8), (3, 1, 9), (3, 8, 9)])
    dropped = by_time(data, test_share=0.6)
    assert pairs(dropped.test) == [(1, 7)]
    assert dropped.card["rules"] == [
        {"code": "cold_user_rows", "count": 2, "facts": {"part": "test", "cold_users": "drop", "users": 1}}
    ]
    counts = dropped.card["counts"]
    assert (counts["test_cold_users"], counts["test_cold_user_rows"]) == (1, 2)
    assert (counts["test_cold_items"], counts["test_cold_item_rows"]) == (1, 1)
    kept = by_time(data, test_share=0.6, cold_users="keep")
    assert pairs(kept.test) == [(1, 7), (3, 1), (3, 8)]
    assert kept.card["rules"][0]["facts"]["cold_users"] == "keep"
    assert kept.card["counts"]["test_cold_item_rows"] == 2
    assert kept.test_users.to_list() == [1]  # nobody can be recommended to who is not known


def test_nothing_left_to_test_is_an_error() -> None:
    data = make([(1, 1, 0), (2, 1, 9)])
    with pytest.raises(DataError, match="no test row is left: 1 were of users without training data"):
        by_time(data, test_share=0.5)
    assert by_time(data, test_share=0.5, cold_users="keep").test.height == 1


# ------------------------------------------------------------------------------------------------------------- rolling


def test_rolling_tests_each_stretch_once_and_learns_from_all_before() -> None:
    data = make([(1, item, item) for item in range(10)])
    folds = rolling(data, folds=3, test_share=0.2)
    assert [[item for _, item in pairs(fold.test)] for fold in folds] == [[4, 5], [6, 7], [8, 9]]
    assert [fold.train.interactions.height for fold in folds] == [4, 6, 8]
    assert [fold.card["later_rows"] for fold in folds] == [4, 2, 0]
    assert [fold.card["until"] for fold in folds] == [folds[1].card["cut"], folds[2].card["cut"], None]
    assert [fold.card["parameters"]["fold"] for fold in folds] == [1, 2, 3]


def test_rolling_by_a_length_of_time() -> None:
    data = make([(1, item, item) for item in range(10)])
    folds = rolling(data, folds=2, every=timedelta(days=3))
    assert [[item for _, item in pairs(fold.test)] for fold in folds] == [[4, 5, 6], [7, 8, 9]]


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"folds": 0}, UsageError, "folds is 0"),
        (
            {"folds": 5, "test_share": 0.2},
            UsageError,
            "folds is 5 and test_share is 0.2, expected",
        ),
        ({"every": timedelta(0)}, UsageError, "every is 0:00:00"),
        ({"folds": 2, "every": timedelta(days=9)}, DataError, "fold 1 has no row to learn from"),
    ],
)
def test_rolling_refuses_what_cannot_be(arguments: dict, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        rolling(make([(1, item, item) for item in range(10)]), **arguments)


# -------------------------------------------------------------------------------------------------------------- last_n


def test_last_n_takes_the_last_of_each_user_wherever_the_rows_stand() -> None:
    data = make([(1, 3, 9), (2, 1, 4), (1, 1, 1), (2, 2, 2), (1, 2, 5), (3, 1, 0)])
    split = last_n(data)
    assert pairs(split.test) == [(1, 3), (2, 1)]
    assert pairs(split.train.interactions) == [(1, 1), (2, 2), (1, 2), (3, 1)]  # in the order of the table
    assert split.card["users_with_too_few_rows"] == 1  # user 3 would have nothing left to learn from
    assert split.card["ties"]["users_with_a_tie_at_their_cut"] == 0
    with_validation = last_n(data, n=1, validation_n=1)
    assert pairs(with_validation.test) == [(1, 3)] and pairs(with_validation.validation) == [(1, 2)]


def test_ties_are_broken_by_hash_or_by_the_order_of_the_table() -> None:
    rows = [(user, item, 0) for user in range(200) for item in range(3)]
    forward, backward = make(rows), make(rows[::-1])
    assert {item for _, item in pairs(last_n(forward, ties="order").test)} == {2}
    assert {item for _, item in pairs(last_n(backward, ties="order").test)} == {0}
    by_hash = last_n(forward)
    assert sorted(pairs(by_hash.test)) == sorted(pairs(last_n(backward).test))
    # Each of the three items is as likely to come last: 200/3 with a standard deviation of 6.7.
    sizes = by_hash.test["item_id"].value_counts()["count"].to_list()
    assert len(sizes) == 3 and min(sizes) > 40
    assert sorted(pairs(last_n(forward, rng=1).test)) != sorted(pairs(by_hash.test))
    assert by_hash.card["ties"] == {
        "rule": "hash",
        "users_with_a_tie_at_their_cut": 200,
        "users": 200,
    }
    assert by_hash.card["notes"][-1] == {"code": "ties_at_cuts", "facts": {"users": 200, "of": 200, "rule": "hash"}}


def test_last_n_without_timestamps_takes_the_order_of_the_table_if_told_so() -> None:
    data = make([(1, 1, 0), (1, 2, 0), (2, 2, 0), (2, 1, 0)])
    data = replace(data, interactions=data.interactions.drop("timestamp"))
    assert pairs(last_n(data, ties="order").test) == [(1, 2), (2, 1)]
    with pytest.raises(DataError, match="column 'timestamp': last_n needs to know when each interaction happened"):
        last_n(data)


# -------------------------------------------------------------------------------------------------------------- random


def test_random_takes_a_share_of_each_user_and_leaves_one_row_to_learn_from() -> None:
    data = make([(user, item, 0) for user in range(1, 11) for item in range(user)])
    split = random(data, test_share=0.5)
    sizes = dict(split.test.group_by("user_id").len().iter_rows())
    # Half of 1 … 10, rounded down; user 1 keeps her only row.
    assert [sizes.get(user, 0) for user in range(1, 11)] == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    assert split.card["users_with_too_few_rows"] == 1


@pytest.mark.parametrize("n", [1, 2, 3, 5, 9, 10, 25, 29, 100])
def test_random_sizes_are_those_of_recbole(n: int) -> None:
    # RecBole 1.2, Dataset._calcu_split_ids, for ratios 0.8, 0.1, 0.1.
    ratios = [0.8, 0.1, 0.1]
    cnt = [int(ratio * n) for ratio in ratios]
    cnt[0] = n - sum(cnt[1:])
    for at in range(1, 3):
        if cnt[0] <= 1:
            break
        if 0 < ratios[-at] * n < 1:
            cnt[-at] += 1
            cnt[0] -= 1
    others = [(0, item, 0) for item in range(30)]  # so that there is something to test whatever n is
    split = random(make(others + [(1, item, 0) for item in range(n)]), test_share=0.1, validation_share=0.1)
    assert split.validation is not None
    tables = (split.train.interactions, split.validation, split.test)
    assert [table.filter(pl.col("user_id") == 1).height for table in tables] == cnt


def test_random_lots_are_fair_and_follow_the_seed() -> None:
    data = make([(user, item, 0) for user in range(300) for item in range(5)])
    first, again, other = random(data), random(data), random(data, rng=1)
    assert first.test.equals(again.test) and not first.test.equals(other.test)
    sizes = first.test["item_id"].value_counts()["count"].to_list()  # 60 each, standard deviation 6.9
    assert len(sizes) == 5 and min(sizes) > 35 and max(sizes) < 85
    assert first.card["seed"] == 0


def test_a_row_keeps_its_lot_whatever_other_users_there_are() -> None:
    rows = [(user, item, 0) for user in range(20) for item in range(6)]
    whole, part = random(make(rows)), random(make(rows[60:]))
    assert pairs(whole.test.filter(pl.col("user_id") >= 10)) == pairs(part.test)


# ------------------------------------------------------------------------------------------------------------- by_user


def test_by_user_keeps_strangers_out_of_training() -> None:
    data = make([(user, item, 0) for user in range(10) for item in range(10)] + [(99, 1, 0)])
    split = by_user(data, n_test_users=4, fold_in_share=0.7)
    assert split.fold_in is not None
    assert len(split.test_users) == 4 and 99 not in split.test_users
    assert split.fold_in.height == 28 and split.test.height == 12
    assert set(split.train.interactions["user_id"]).isdisjoint(split.test_users)
    assert set(split.fold_in["user_id"]) == set(split.test_users)
    assert by_user(data, test_share=0.4).test_users.equals(split.test_users)
    assert len(by_user(data).test_users) == 2  # a fifth of 11 users


def test_by_user_leaves_a_row_on_both_sides() -> None:
    data = make([(user, item, 0) for user in range(6) for item in range(2)])
    for share in (0.01, 0.99):
        split = by_user(data, n_test_users=3, fold_in_share=share)
        assert split.fold_in is not None and split.fold_in.height == split.test.height == 3


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (
            {"n_test_users": 1, "test_share": 0.1},
            UsageError,
            "n_test_users is .* and test_share is .*, expected one of them",
        ),
        ({"n_test_users": 0}, UsageError, "0 test users are asked for"),
        ({"n_test_users": 2}, DataError, "2 test users are asked for; there are 2 users"),
        ({"fold_in_share": 1.0}, UsageError, "fold_in_share is 1.0, expected a share between 0 and 1"),
    ],
)
def test_by_user_refuses_what_cannot_be(arguments: dict, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        by_user(make([(user, item, 0) for user in range(2) for item in range(2)]), **arguments)


# ------------------------------------------------------------------------------------------------------ for all of them


def test_the_card_tells_what_was_done(small_data: Dataset, method: str) -> None:
    split = ways[method](small_data)
    card = split.card
    assert card["method"] == method and card["ties"]["rule"]
    assert (card["seed"] is None) == (method in ("by_time", "rolling"))
    assert card["hashes"]["train"] == split.train.fingerprint
    assert card["hashes"]["test"] == fingerprint(split.test)
    assert card["counts"]["train_rows"] == split.train.interactions.height
    assert card["counts"]["test_users"] == split.test["user_id"].n_unique()
    assert json.loads(json.dumps(card)) == card  # fit for JSON
    assert split.train.users is small_data.users and split.train.card["synthetic"] is True
    assert method in repr(split)


def test_segments_of_the_whole_data_do_not_reach_the_training_part(small_data: Dataset, method: str) -> None:
    split = ways[method](small_data.with_segments(sex="gender"))
    assert split.train.segments is None
    assert split.train.card["rules"][-1]["code"] == "segments_dropped"


def test_a_split_comes_back_from_its_tables(small_data: Dataset, method: str, tmp_path) -> None:
    split = ways[method](small_data)
    split = replace(split, train=split.train.with_segments(sex="gender"))
    for name, table in split.tables().items():
        table.write_parquet(tmp_path / f"{name}.parquet")
    header = json.loads(json.dumps(split.header()))
    tables = {path.stem: pl.read_parquet(path) for path in tmp_path.glob("*.parquet")}
    back = Split.from_tables(tables, header)
    assert back.card == split.card and back.train.card == split.train.card and back.train.name == split.train.name
    assert back.test.equals(split.test) and back.train.interactions.equals(split.train.interactions)
    assert (back.validation is None) == (split.validation is None) and (back.fold_in is None) == (split.fold_in is None)
    assert back.train.segments.equals(split.train.segments) and back.train.items.equals(split.train.items)
    with pytest.raises(DataError, match=r"test: the table has the hash \w+, but its card says"):
        Split.from_tables({**tables, "test": split.test.head(3)}, header)
    with pytest.raises(DataError, match="'train' is missing"):
        Split.from_tables({"test": split.test}, header)


events = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 9), st.integers(0, 5)),
    min_size=8,
    max_size=60,
    unique_by=lambda row: row[:2],
)


@given(events, st.sampled_from(sorted(ways)), st.randoms(use_true_random=False))
def test_splits_part_the_rows_and_do_not_depend_on_their_order(rows: list[tuple], method: str, shuffler) -> None:
    data = make(rows)
    try:
        split = ways[method](data)
    except DataError:
        return
    tables = {
        name: table for name, table in split.tables().items() if name in ("train", "test", "validation", "fold_in")
    }
    found = [pair for table in tables.values() for pair in pairs(table)]
    lost = sum(rule["count"] for rule in split.card["rules"]) + split.card.get("later_rows", 0)
    assert len(found) == len(set(found)) and set(found) <= set(pairs(data.interactions))
    assert len(found) + lost == len(rows)
    shuffled = list(rows)
    shuffler.shuffle(shuffled)
    assert ways[method](make(shuffled)).card["hashes"] == split.card["hashes"]


@pytest.mark.parametrize(("name", "share"), [("test_share", 0.0), ("test_share", 1.0), ("validation_share", -0.1)])
def test_shares_outside_0_and_1_are_refused(name: str, share: float) -> None:
    data = make([(1, item, item) for item in range(10)])
    for way in (by_time, random):
        with pytest.raises(UsageError, match=f"{name} is {share}, expected a share between 0 and 1"):
            way(data, **{name: share})
        with pytest.raises(UsageError, match="test_share and validation_share add up to"):
            way(data, test_share=0.6, validation_share=0.6)


@pytest.mark.parametrize(("arguments", "says"), [({"n": 0}, "n is 0"), ({"ties": "random"}, "ties is 'random'")])
def test_last_n_refuses_what_cannot_be(arguments: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        last_n(make([(1, 1, 0), (1, 2, 1)]), **arguments)
    with pytest.raises(DataError, match="no user has more than 5 interactions"):
        last_n(make([(1, 1, 0), (1, 2, 1)]), n=5)


def test_times_have_to_be_there_and_to_be_times() -> None:
    data = make([(1, 1, 0), (1, 2, 0)])
    with pytest.raises(DataError, match="all rows have the same timestamp, so that no moment parts them"):
        by_time(data)
    gaps = replace(data, interactions=data.interactions.with_columns(timestamp=pl.lit(None, TIMESTAMP_TYPE)))
    with pytest.raises(DataError, match="toy, column 'timestamp', row 1: 2 timestamps are missing"):
        by_time(gaps)
    numbers = replace(data, interactions=data.interactions.with_columns(timestamp=pl.lit(5)))
    with pytest.raises(DataError, match="timestamps are Int32, expected Datetime"):
        rolling(numbers)
    with pytest.raises(UsageError, match="cold_users is 'drpo'"):
        by_time(make([(1, 1, 0), (1, 2, 1)]), cold_users="drpo")  # type: ignore[arg-type]
