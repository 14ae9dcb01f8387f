"""Quantiles against published tables of order statistics, and their coverage in simulation."""

from __future__ import annotations

import numpy as np
import pytest

from reclens.errors import UsageError
from reclens.stats.quantiles import quantile


@pytest.mark.parametrize(
    ("n", "low", "high"),
    [(6, 1, 6), (9, 2, 8), (10, 2, 9), (15, 4, 12), (20, 6, 15), (30, 10, 21), (50, 18, 33), (100, 40, 61)],
)
def test_medians_have_the_order_statistics_of_the_tables(n: int, low: int, high: int) -> None:
    """Conover (1999), table A3; Dixon and Massey: 95 % intervals of the median."""
    found = quantile(np.arange(1.0, n + 1), 0.5)
    assert (found.low, found.high) == (low, high)


def test_too_few_values_have_no_interval() -> None:
    assert quantile(np.arange(5.0), 0.5).low is None
    found = quantile(np.arange(50.0), 0.95)
    assert found.value == pytest.approx(46.55) and found.low is None and "too few" in str(found.note)
    assert quantile(np.array([np.nan]), 0.5).n == 0


@pytest.mark.parametrize(("n", "q"), [(40, 0.5), (150, 0.95), (500, 0.25)])
def test_coverage(n: int, q: float) -> None:
    draws = np.random.default_rng(4).exponential(size=(2_000, n))
    truth = -np.log(1 - q)
    found = [quantile(row, q) for row in draws]
    covered = np.mean([each.low <= truth <= each.high for each in found])  # type: ignore[operator]
    assert 0.945 <= covered <= 0.985  # order statistics cannot cover exactly 95 %, but never less in the mean


@pytest.mark.parametrize("q", [0.0, 1.0, -0.1])
def test_out_of_range(q: float) -> None:
    with pytest.raises(UsageError, match="q is"):
        quantile(np.arange(9.0), q)
