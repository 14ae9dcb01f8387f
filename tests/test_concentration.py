"""Concentration of counts: by hand, by another library, and by what has to hold for every input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy

from reclens.concentration import effective_number, entropy, gini, share_in_use

COUNTS = st.lists(st.integers(0, 50), min_size=1, max_size=30).filter(any).map(np.array)


def test_by_hand() -> None:
    counts = np.array([0, 1, 3, 4])
    # Mean absolute difference of all ordered pairs over twice the mean: (2 × (1+3+4+2+3+1) / 16) / (2 × 2).
    assert gini(counts) == pytest.approx(28 / 16 / 4)
    assert share_in_use(counts) == 0.75
    assert effective_number(np.array([2, 2, 0, 4])) == pytest.approx(2**1.5)  # shares 1/4, 1/4, 1/2: entropy 1.5 bits


@given(COUNTS)
def test_agrees_with_the_definitions(counts: np.ndarray) -> None:
    pairs = np.abs(counts[:, None] - counts[None, :]).mean()
    assert gini(counts) == pytest.approx(pairs / (2 * counts.mean()), abs=1e-12)
    assert entropy(counts) == pytest.approx(scipy_entropy(counts), abs=1e-12)
    assert effective_number(counts) == pytest.approx(np.exp(scipy_entropy(counts)))


@given(COUNTS, st.integers(0, 40))
def test_cells_that_are_left_out_count_with_0(counts: np.ndarray, more: int) -> None:
    padded = np.concatenate([np.zeros(more, int), counts])
    assert gini(counts, cells=len(padded)) == pytest.approx(gini(padded), abs=1e-12)


@given(COUNTS, st.integers(1, 9))
def test_neither_order_nor_scale_matters_and_a_cell_in_use_bounds_them(counts: np.ndarray, times: int) -> None:
    for statistic in (gini, entropy, effective_number, share_in_use):
        assert statistic(counts[::-1] * times) == pytest.approx(statistic(counts), abs=1e-12)
    used = np.count_nonzero(counts)
    assert 1 - 1e-9 <= effective_number(counts) <= used + 1e-9
    assert 0 <= gini(counts) <= 1 - 1 / len(counts) + 1e-12


def test_draws_are_reduced_alike_and_nothing_counted_is_not_defined() -> None:
    draws = np.array([[1.0, 0, 2], [1, 0, 0], [2, 0, 1]])
    for statistic in (gini, entropy, effective_number, share_in_use):
        together = statistic(draws)
        assert together.shape == (3,)
        np.testing.assert_allclose(together, [statistic(draws[:, at]) for at in range(3)])
    assert [np.isnan(statistic(draws)[1]) for statistic in (gini, entropy, effective_number)] == [True] * 3
    assert share_in_use(draws)[1] == 0 and np.isnan(share_in_use(np.empty(0)))
