"""Hyper-parameters beyond all sense are refused at once: the name, the value, and the largest allowed."""

from __future__ import annotations

import re

import polars as pl
import pytest

from reclens import models
from reclens.data.dataset import Dataset
from reclens.errors import UsageError
from reclens.models._core.search_space import Whole

# Bounds, written down here a second time: what a user may rely on.
LARGEST = {
    ("als", "iterations"): 10_000,
    ("als", "steps"): 10_000,
    ("bpr", "epochs"): 10_000,
    ("pure_svd", "factors"): 10_000,
    ("pure_svd", "iterations"): 10_000,
    ("slim", "sweeps"): 1_000_000,
}


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Three users with the same two items, and one with a third: a matrix of rank 2."""
    pairs = [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y"), ("c", "x"), ("c", "y"), ("d", "z")]
    return Dataset(pl.DataFrame(pairs, schema=["user_id", "item_id"], orient="row"))


@pytest.mark.parametrize(("name", "parameter"), LARGEST)
def test_the_largest_value_is_taken_and_one_more_is_refused(name: str, parameter: str, data: Dataset) -> None:
    most = LARGEST[name, parameter]
    models.get(name)(**{parameter: most})._check()
    for value in (most + 1, 99_999_999_999, 10**30):
        with pytest.raises(UsageError) as caught:
            models.get(name)(**{parameter: value}).fit(data)
        said = f"{parameter} is {value:,}, expected a whole number, {0 if parameter == 'steps' else 1} to {most:,}."
        assert str(caught.value) == said


@pytest.mark.parametrize("value", [-1, 2.5, float("nan"), float("inf"), "many", True])
def test_what_is_no_whole_number_is_refused(value: object, data: Dataset) -> None:
    for name, parameter in [*LARGEST, ("als", "factors"), ("bpr", "factors")]:
        with pytest.raises(UsageError, match=re.escape(f"{parameter} is {value if value == -1 else repr(value)}, ")):
            models.get(name)(**{parameter: value}).fit(data)


def test_search_spaces_and_defaults_lie_within_the_bounds() -> None:
    for (name, parameter), most in LARGEST.items():
        kind = models.get(name)
        default = getattr(kind(), parameter)
        assert default is None or 10 * default <= most
        space = kind.space.get(parameter)
        assert space is None or (isinstance(space, Whole) and 10 * space.high <= most)


def test_factors_that_the_data_does_not_have_are_counted(data: Dataset) -> None:
    """The rank is 2 (x and y always together, z alone), though there are 3 items: 5 of 7 factors do not exist."""
    for factors, absent in ((7, 5), (3, 1), (2, 0)):
        card = models.PureSVD(factors=factors).fit(data).recommend(["a"], exclude_seen=False, k=2).card
        found = [rule for rule in card["rules"] if rule["code"] == "vectors_not_there"]
        assert [rule["count"] for rule in found] == ([absent] if absent else [])
        facts = {"users": 4, "items": 3, "kept": 2, "factors": factors}
        assert all(rule["facts"] == facts for rule in found)
