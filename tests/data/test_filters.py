"""Filters: fixed points, counts, and what they refuse."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclens.data.dataset import Dataset
from reclens.data.filters import k_core, min_rating
from reclens.errors import DataError, UsageError


def make(pairs: list[tuple[int, int]], **columns: list) -> Dataset:
    table = pl.DataFrame(pairs, schema={"user_id": pl.Int64, "item_id": pl.Int64}, orient="row")
    return Dataset(table.with_columns(**{name: pl.Series(values) for name, values in columns.items()}))


def test_k_core_follows_the_chain_to_its_end() -> None:
    # By hand: item 9 has one user, so it goes; then user 3 has one item left and goes; then item 3 has one user left.
    data = make([(1, 1), (1, 2), (2, 1), (2, 2), (1, 3), (3, 3), (3, 9)])
    core = k_core(data, users=2, items=2)
    assert core.interactions.rows() == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert core.card["rules"] == [
        {
            "code": "k_core",
            "count": 3,
            "facts": {"least_of_users": 2, "least_of_items": 2, "users": 1, "items": 2, "rounds": 3},
        }
    ]


def test_k_core_of_what_meets_it_changes_nothing() -> None:
    data = make([(1, 1), (2, 1)])
    assert k_core(data, users=1, items=2).interactions.equals(data.interactions)
    assert k_core(data, users=0, items=0).card["rules"][0]["count"] == 0


def test_k_core_with_nothing_left_is_an_error() -> None:
    with pytest.raises(DataError, match=r"no interaction is left in the \(2, 2\)-core of 2. Ask for fewer"):
        k_core(make([(1, 1), (2, 2)]), users=2, items=2)
    with pytest.raises(UsageError, match="users is -1"):
        k_core(make([(1, 1)]), users=-1)


pairs = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=60)


@given(pairs, st.integers(0, 4), st.integers(0, 4))
def test_k_core_is_the_largest_fixed_point(rows: list[tuple[int, int]], users: int, items: int) -> None:
    # The textbook way: leave out one unfit row at a time, in whatever order, until none is unfit.
    left = list(rows)
    while unfit := [
        at
        for at, (user, item) in enumerate(left)
        if sum(u == user for u, _ in left) < users or sum(i == item for _, i in left) < items
    ]:
        left.pop(unfit[-1])
    if not left:
        with pytest.raises(DataError):
            k_core(make(rows), users=users, items=items)
        return
    core = k_core(make(rows), users=users, items=items)
    assert core.interactions.rows() == left
    assert core.card["rules"][0]["count"] == len(rows) - len(left)
    assert k_core(core, users=users, items=items).interactions.equals(core.interactions)


def test_min_rating_keeps_the_threshold_and_counts_the_rest() -> None:
    data = make([(1, 1), (1, 2), (2, 1), (2, 2), (3, 1)], rating=[4.0, 3.5, None, 5.0, float("nan")])
    kept = min_rating(data, 4)
    assert kept.interactions["rating"].to_list() == [4.0, 5.0]
    assert kept.card["rules"] == [{"code": "min_rating", "count": 3, "facts": {"least": 4.0, "without_rating": 2}}]


def test_min_rating_needs_ratings_that_are_high_enough() -> None:
    with pytest.raises(DataError, match="column 'rating': there are no ratings"):
        min_rating(make([(1, 1)]), 3)
    with pytest.raises(DataError, match=r"no rating is 6 or more; the highest is 5.0. Lower the threshold"):
        min_rating(make([(1, 1)], rating=[5.0]), 6)
    with pytest.raises(UsageError, match="threshold is nan"):
        min_rating(make([(1, 1)], rating=[5.0]), float("nan"))


def test_filters_add_to_the_rules_and_drop_segments_of_other_rows(small_data: Dataset) -> None:
    segmented = small_data.with_segments(sex="gender")
    filtered = k_core(min_rating(segmented, 3), users=3, items=3)
    assert filtered.segments is None
    names = [rule["code"] for rule in filtered.card["rules"]]
    assert names == ["min_rating", "segments_dropped", "k_core"]
    assert small_data.card["rules"] == []


def test_real_numbers(shared_data) -> None:
    import zipfile

    with zipfile.ZipFile(shared_data / "movielens" / "ml-100k.zip") as archive:
        text = archive.read("ml-100k/u.data")
    columns = ["user_id", "item_id", "rating", "seconds"]
    data = Dataset(pl.read_csv(text, separator="\t", has_header=False, new_columns=columns))
    assert min_rating(data, 4).interactions.height == 34_174 + 21_201  # the README's histogram of ratings
    # 1,349 items of ML-100K have five ratings or more; leaving out the others leaves every user with at least five.
    core = k_core(data)
    assert (core.interactions["user_id"].n_unique(), core.interactions["item_id"].n_unique()) == (943, 1349)
    assert core.interactions.height == 99_287
