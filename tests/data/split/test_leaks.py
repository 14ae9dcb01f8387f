"""Rows that stand on the wrong side of a split."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest

from reclens.data.dataset import Dataset
from reclens.data.split import by_time, by_user, check_leaks, last_n
from reclens.errors import LeakError
from reclens.schema import TIMESTAMP_TYPE

START = datetime(2024, 1, 1, tzinfo=UTC)


def make(rows: list[tuple]) -> Dataset:
    """Rows of (user, item, day)."""
    table = pl.DataFrame(rows, schema=["user_id", "item_id", "day"], orient="row")
    times = pl.lit(START).dt.cast_time_unit("us") + pl.duration(days=pl.col("day"))
    return Dataset(table.select("user_id", "item_id", timestamp=times.cast(TIMESTAMP_TYPE)), name="toy")


def test_a_row_on_the_wrong_side_of_the_cut_is_a_leak() -> None:
    data = make([(1, item, item) for item in range(10)])
    split = by_time(data, test_share=0.2, validation_share=0.2)
    early = make([(1, 77, 0)]).interactions
    late = make([(1, 77, 9)]).interactions
    with pytest.raises(LeakError, match=r"1 rows of the test part precede the cut 2024-01-09.* user 1 with item 77"):
        check_leaks(replace(split, test=pl.concat([split.test, early])))
    with pytest.raises(LeakError, match="1 rows of the validation part precede the cut 2024-01-07"):
        check_leaks(replace(split, validation=early))
    with pytest.raises(LeakError, match="1 rows of the validation part lie at or after the cut 2024-01-09"):
        check_leaks(replace(split, validation=pl.concat([split.validation, late])))
    train = replace(split.train, interactions=pl.concat([split.train.interactions, late]))
    with pytest.raises(LeakError, match="1 rows of the training part lie at or after the cut"):
        check_leaks(replace(split, train=train))


def test_a_last_row_before_a_training_row_is_a_leak() -> None:
    split = last_n(make([(1, item, item) for item in range(5)]))
    early = make([(1, 77, 1)]).interactions
    with pytest.raises(LeakError, match="1 rows of the test part precede a row of the same user in the training part"):
        check_leaks(replace(split, test=early))


def test_a_stranger_who_is_known_is_a_leak() -> None:
    split = by_user(make([(user, item, 0) for user in range(5) for item in range(4)]), n_test_users=2)
    known = split.train.interactions["user_id"][0]
    row = make([(known, 99, 0)]).interactions
    with pytest.raises(LeakError, match=f"1 test users also stand in the training part, first {known}"):
        check_leaks(replace(split, test=pl.concat([split.test, row])))
