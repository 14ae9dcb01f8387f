"""Tests of counts: by hand, against SciPy, and what cannot be counts."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from reclens.errors import UsageError
from reclens.stats.counts import homogeneity, mean_scores, sample_ratio
from reclens.stats.proportions import proportion_difference


def test_two_groups_of_shares_are_the_square_of_z() -> None:
    z = proportion_difference((12, 99), (5, 83), pooled=True).statistic
    assert homogeneity([12, 5], [99, 83]).statistic == pytest.approx(z**2)
    assert proportion_difference((0, 5), (1, 6), pooled=True).notes[0] == "expected_below_five"


def test_small_samples_have_exact_tests() -> None:
    # By hand: of the 15 outcomes of 4 units over three equal arms, (4, 0, 0) and its kind are the least likely, 3/81.
    assert sample_ratio([4, 0, 0], [1, 1, 1]).p_value == pytest.approx(3 / 81)
    assert sample_ratio([9, 1], [0.5, 0.5]).p_value == pytest.approx(22 / 1024)
    assert sample_ratio([0, 0], [0.5, 0.5]).method.startswith("no units")
    for counts, shares in (([1, 2], [1.0]), ([-1, 2], [0.5, 0.5]), ([1, 2], [0.0, 1.0])):
        with pytest.raises(UsageError, match="expected"):
            sample_ratio(counts, shares)


def test_tests_of_counts_say_what_they_are() -> None:
    few = sample_ratio([9, 1], [0.5, 0.5])
    assert (few.statistic, math.isnan(few.df), few.method) == (9.0, True, "exact binomial test")
    many = sample_ratio([480, 520], [0.5, 0.5])  # 2 · 20² / 500
    assert (many.statistic, many.df, many.p_value) == pytest.approx((1.6, 1, stats.chisquare([480, 520]).pvalue))
    assert many.method == "Pearson's chi-square of the planned shares"
    alike = homogeneity([0, 0, 0], [3, 4, 5])
    assert (alike.statistic, alike.df, alike.p_value) == (0.0, 2, 1.0)
    ranks = mean_scores([3, 3], [6.0, 15.0], [14.0, 77.0])
    assert ranks.p_value == pytest.approx(stats.kruskal([1, 2, 3], [4, 5, 6]).pvalue)
    assert ranks.method == "chi-square of mean scores under permutation"


@pytest.mark.parametrize(
    ("hits", "units"), [([1, 2], [3]), ([1], [3]), ([5, 1], [3, 4]), ([0, 1], [0, 4]), ([-1, 1], [3, 4])]
)
def test_shares_of_groups_that_cannot_be_are_refused(hits: list[int], units: list[int]) -> None:
    with pytest.raises(UsageError, match="two groups or more"):
        homogeneity(hits, units)
