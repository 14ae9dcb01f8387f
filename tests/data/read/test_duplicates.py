"""Repeated pairs of a long log, against pandas."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from reclens.data.read.duplicates import merge_repeats
from reclens.schema import ITEM, USER


@pytest.mark.parametrize("lowest", [0, -(2**40)], ids=["small ids", "large ids"])
@pytest.mark.parametrize("repeats", [0, 1, 20_000, 400_000])
def test_the_last_row_of_each_pair_is_kept(repeats: int, lowest: int) -> None:
    """Rows fill several chunks; few repeats are looked up, many are counted."""
    rng = np.random.default_rng(repeats)
    once = np.arange(700_000)
    rng.shuffle(once)
    pair = np.concatenate([once, rng.choice(once[:300_000], repeats)])
    rng.shuffle(pair)
    frame = pl.DataFrame({USER: lowest + (pair // 1_000) * 2**33, ITEM: pair % 1_000})
    expected = frame.to_pandas().drop_duplicates(keep="last")

    found = merge_repeats(frame)

    assert found.height == 700_000
    np.testing.assert_array_equal(found.to_numpy(), expected.to_numpy())
