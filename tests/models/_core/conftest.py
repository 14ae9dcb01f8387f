"""A small shop whose neighbours can be told by hand."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from reclens.data.dataset import Dataset


def _two_towns() -> Dataset:
    rows = [
        (1, 10),
        (1, 11),
        (1, 15),
        (2, 11),
        (2, 12),
        (2, 15),
        (3, 12),
        (3, 13),
        (3, 15),
        (4, 14),
        (4, 15),
        (5, 11),
        (5, 14),
        (8, 20),
        (9, 30),
        (9, 31),
    ]
    return Dataset(pl.DataFrame(rows, ["user_id", "item_id"], orient="row"))


@pytest.fixture(scope="session")
def two_towns() -> Callable[[], Dataset]:
    """Users 1 to 5 have some of the items 10 to 15; user 8 has 20 alone, which nobody else has; 9 has 30 and 31."""
    return _two_towns
