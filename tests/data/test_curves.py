"""Curves of tails and times against what can be counted by hand, and what a split cannot place."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from reclens.data import split as splits
from reclens.data.curves import by_popularity, over_time, part_of, parts_of, split_problems, tail_curve
from reclens.data.dataset import Dataset
from reclens.data.profile import profile
from reclens.data.split import Split
from reclens.errors import UnknownNameError
from reclens.report.data.profile_words import problem_detail, problem_name

ROWS = pl.DataFrame({"user_id": [1, 1, 1, 2, 2, 3, 4, 4], "item_id": [7, 8, 9, 7, 8, 7, 7, 9]})


def at(*days: tuple[int, int, int]) -> pl.Series:
    return pl.Series([datetime(*day, 12, tzinfo=UTC) for day in days], dtype=pl.Datetime("us", "UTC"))


def test_the_lorenz_curve_by_hand() -> None:
    # Items have 4, 2 and 2 interactions: the two least popular thirds have a quarter each.
    found = tail_curve(Dataset(ROWS), points=4)
    assert [row["across"] for row in found] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert [row["share"] for row in found] == pytest.approx([0, 0.25, 0.5, 1])
    assert [row["share"] for row in tail_curve(Dataset(ROWS), of="users", points=5)] == [0, 1 / 8, 3 / 8, 5 / 8, 1]


def test_the_curve_has_the_gini_of_the_profile(small_data) -> None:
    n = small_data.interactions["item_id"].n_unique()
    curve = tail_curve(small_data, points=n + 1)
    area = np.trapezoid([row["share"] for row in curve], [row["across"] for row in curve])
    assert 1 - 2 * area == pytest.approx(profile(small_data).items.gini)


def test_places_by_popularity(small_data) -> None:
    assert by_popularity(Dataset(ROWS)) == [
        {"place": 1, "interactions": 4},
        {"place": 2, "interactions": 2},
        {"place": 3, "interactions": 2},
    ]
    counts = sorted(small_data.interactions["user_id"].value_counts()["count"].to_list(), reverse=True)
    found = by_popularity(small_data, of="users", points=20)
    assert len(found) <= 20 and all(row["interactions"] == counts[row["place"] - 1] for row in found)
    assert (found[0]["place"], found[-1]["place"]) == (1, len(counts))


def test_the_parts_of_a_split_over_time() -> None:
    train = ROWS.head(4).with_columns(at((2020, 1, 1), (2020, 1, 1), (2020, 1, 2), (2020, 1, 3)).alias("timestamp"))
    test = ROWS.tail(2).with_columns(at((2020, 1, 3), (2020, 1, 5)).alias("timestamp"))
    step, rows = over_time(Split(train=Dataset(train), test=test))
    assert step == "day"
    assert [
        (row["part"], row["start"].day, row["end"].day, row["interactions"], row["share"], row["below"]) for row in rows
    ] == [
        ("train", 1, 2, 2, 0.5, 0),
        ("train", 2, 3, 1, 0.25, 0),
        ("train", 3, 4, 1, 0.25, 0),
        ("test", 3, 4, 1, 0.5, 1),
        ("test", 5, 6, 1, 0.5, 0),
    ]


@pytest.mark.parametrize(
    ("last", "step"), [((2020, 3, 1), "day"), ((2022, 1, 1), "week"), ((2040, 1, 1), "month"), ((2090, 1, 1), "year")]
)
def test_the_step_fits_the_span(last: tuple[int, int, int], step: str) -> None:
    rows = ROWS.head(2).with_columns(at((2020, 1, 1), last).alias("timestamp"))
    assert over_time(Dataset(rows))[0] == step
    assert sum(row["interactions"] for row in over_time(Dataset(rows))[1]) == 2


def test_without_times_there_is_nothing_over_time() -> None:
    assert over_time(Dataset(ROWS)) == ("day", [])
    none = ROWS.with_columns(pl.lit(None, dtype=pl.Datetime("us", "UTC")).alias("timestamp"))
    assert over_time(Dataset(none)) == ("day", [])


def test_parts_add_up(small_data) -> None:
    split = splits.random(small_data, test_share=0.2, validation_share=0.1, rng=1)
    assert list(parts_of(split)) == ["train", "validation", "test"]
    whole = part_of(split)
    assert whole.interactions.sort("user_id", "item_id").equals(small_data.interactions.sort("user_id", "item_id"))
    assert part_of(split, "train") is split.train and part_of(small_data) is small_data
    assert part_of(split, "test").interactions.equals(split.test)
    with pytest.raises(UnknownNameError, match="Did you mean 'test'"):
        part_of(split, "tset")
    with pytest.raises(UnknownNameError):
        part_of(small_data, "test")


def test_what_a_model_cannot_place() -> None:
    test = pl.DataFrame({"user_id": [1, 9, 9], "item_id": [10, 7, 10]})
    found = {
        problem_name(each): (each.rows, problem_detail(each).split(" that")[0])
        for each in split_problems(Split(train=Dataset(ROWS), test=test))
    }
    assert found == {"test: unknown users": (2, "rows of 1 users"), "test: unknown items": (2, "rows of 1 items")}
    assert split_problems(Split(train=Dataset(ROWS), test=ROWS.head(1).with_columns(item_id=pl.lit(7)))) == ()


def test_a_side_that_does_not_exist() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'items'"):
        tail_curve(Dataset(ROWS), of="item")  # type: ignore[arg-type]
