"""Tests of counts: by hand, against SciPy, and what cannot be counts."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from reclens.errors import UsageError
from reclens.stats.counts import association, homogeneity, mean_scores, sample_ratio
from reclens.stats.proportions import proportion, proportion_difference


def test_two_groups_of_shares_are_the_square_of_z() -> None:
    z = proportion_difference((12, 99), (5, 83), pooled=True).statistic
    assert homogeneity([12, 5], [99, 83]).statistic == pytest.approx(z**2)
    assert proportion_difference((0, 5), (1, 6), pooled=True).notes[0] == "expected_below_five"


def test_small_samples_have_exact_tests() -> None:
    # By hand: of the 15 outcomes of 4 units over three equal arms, (4, 0, 0) and its kind are the least likely, 3/81.
    assert sample_ratio([4, 0, 0], [1, 1, 1]).p_value == pytest.approx(3 / 81)
    assert sample_ratio([9, 1], [0.5, 0.5]).p_value == pytest.approx(22 / 1024)
    assert sample_ratio([0, 0], [0.5, 0.5]).method == "no_units"
    for counts, shares in (([1, 2], [1.0]), ([-1, 2], [0.5, 0.5]), ([1, 2], [0.0, 1.0])):
        with pytest.raises(UsageError, match="expected"):
            sample_ratio(counts, shares)


def test_tests_of_counts_say_what_they_are() -> None:
    few = sample_ratio([9, 1], [0.5, 0.5])
    assert (few.statistic, math.isnan(few.df), few.method) == (9.0, True, "exact_binomial")
    many = sample_ratio([480, 520], [0.5, 0.5])  # 2 · 20² / 500
    assert (many.statistic, many.df, many.p_value) == pytest.approx((1.6, 1, stats.chisquare([480, 520]).pvalue))
    assert many.method == "pearson_planned"
    alike = homogeneity([0, 0, 0], [3, 4, 5])
    assert (alike.statistic, alike.df, alike.p_value) == (0.0, 2, 1.0)
    ranks = mean_scores([3, 3], [6.0, 15.0], [14.0, 77.0])
    assert ranks.p_value == pytest.approx(stats.kruskal([1, 2, 3], [4, 5, 6]).pvalue)
    assert ranks.method == "permuted_scores"


@pytest.mark.parametrize(
    ("hits", "units"), [([1, 2], [3]), ([1], [3]), ([5, 1], [3, 4]), ([0, 1], [0, 4]), ([-1, 1], [3, 4])]
)
def test_shares_of_groups_that_cannot_be_are_refused(hits: list[int], units: list[int]) -> None:
    with pytest.raises(UsageError, match="two groups or more"):
        homogeneity(hits, units)


def test_a_share_of_nobody_keeps_its_level() -> None:
    nobody = proportion(0, 0, level=0.9)
    assert (nobody.low, nobody.high, nobody.n, nobody.level, nobody.note) == (None, None, 0, 0.9, "no_value")


def test_published_tables_of_market_bias() -> None:
    """ModCloth and Electronics of Wan et al. (2020): χ² as in their notebook, to the digits that it prints."""
    modcloth = association([[31800, 7038], [41361, 11327]])
    electronics = association([[34259, 31587], [26478, 24930], [25963, 30907]])
    assert (round(modcloth.statistic, 3), modcloth.df, round(modcloth.cramers_v, 3)) == (158.739, 1, 0.042)
    assert (round(electronics.statistic, 3), electronics.df, round(electronics.cramers_v, 3)) == (581.849, 2, 0.058)


@pytest.mark.parametrize(
    "table", [[[3, 9], [8, 2]], [[5, 5], [5, 6]], [[4, 0, 7], [1, 9, 3]], [[1, 2], [3, 4], [5, 6]]]
)
def test_association_is_that_of_scipy(table: list[list[int]]) -> None:
    for corrected in (True, False):
        expected = stats.chi2_contingency(table, correction=corrected)
        found = association(table, corrected=corrected)
        assert (found.statistic, found.df, found.p_value) == pytest.approx(
            (expected.statistic, expected.dof, expected.pvalue)
        )
        assert found.cramers_v == pytest.approx(stats.contingency.association(table, method="cramer"))


@pytest.mark.parametrize("table", [[[1, 2]], [[1, -1], [2, 2]], [[0, 0], [3, 4]], [[1, float("nan")], [2, 3]], [1, 2]])
def test_tables_without_an_association_are_refused(table: list[list[float]]) -> None:
    with pytest.raises(UsageError):
        association(table)


def test_a_negative_count_is_named_where_no_row_or_column_is_empty() -> None:
    for table in ([[5, -1], [2, 2]], [[5, float("inf")], [2, 2]]):
        with pytest.raises(UsageError, match="none negative"):
            association(table)


def test_published_kruskal_wallis() -> None:
    """Ekstrand et al. (2018), as printed: χ² 11.589 of two genders has p .00066, 4.483 of seven ages .61.

    Groups of 100 scores of mean ±d and variance 1 around all have the statistic that d makes; seven groups likewise.
    """
    for groups, printed, p in ((2, 11.589, "0.00066"), (7, 4.483, "0.61")):
        n = 100 * groups
        side = [1.0, -1.0] + [0.0] * (groups - 2)
        # Σ n x̄² / s² with s² = n / (n - 1) when Σ x² = n: 200 d² (n - 1) / n.
        d = (printed * n / (200 * (n - 1))) ** 0.5
        found = mean_scores([100] * groups, [100 * d * each for each in side], [100.0] * groups)
        assert found.statistic == pytest.approx(printed)
        assert f"{found.p_value:.{len(p) - 2}f}" == p
