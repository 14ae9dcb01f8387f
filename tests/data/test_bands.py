"""Bands of numbers stand in the order of their numbers, and an order that is given wins."""

from __future__ import annotations

import polars as pl
import pytest

from reclens.data import segments
from reclens.data.bands import in_order
from reclens.data.dataset import Dataset
from reclens.errors import UnknownNameError, UsageError


@pytest.mark.parametrize(
    "labels",
    [
        ["Under 15K", "15-24K", "25-34K", "100K+"],
        ["<18", "18-24", "25-34", "55+"],
        ["under $9,999", "$10,000 - $19,999", "$20,000 - $99,999", "$100,000 or more"],
        ["0", "1-4", "5-19", "20+"],
        ["less than 5 years", "5 to 9 years", "10+ years", "unknown"],
        ["500-999K", "1-2M", "over 2M"],
        ["drama", "opera", "zydeco"],
        ["1999", "2000", "store 3", "x"],
    ],
)
def test_labels_stand_in_the_order_of_their_numbers(labels: list[str]) -> None:
    assert in_order(reversed(labels)) == labels


def test_an_order_that_is_given_wins() -> None:
    rows = pl.DataFrame({"user_id": [1, 2, 3], "item_id": [1, 1, 1]})
    users = pl.DataFrame({"user_id": [1, 2, 3], "plan": ["gold", "free", "silver"], "pay": ["5-9K", "10K+", "<5K"]})
    data = Dataset(rows, users=users)
    labels = segments.column("plan", order=["free", "silver"])(data)["label"]
    assert labels.dtype.categories.to_list() == ["free", "silver", "gold"]
    assert segments.column("pay")(data)["label"].dtype.categories.to_list() == ["<5K", "5-9K", "10K+"]
    with pytest.raises(UnknownNameError, match=r"'fre'\. Did you mean 'free'"):
        segments.column("plan", order=["fre"])(data)
    with pytest.raises(UsageError, match="different names"):
        segments.column("plan", order=["free", "free"])
