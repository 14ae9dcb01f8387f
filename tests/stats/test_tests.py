"""Tests of significance against other software, published tables and their own promise under the null."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclens.errors import UnknownNameError, UsageError
from reclens.stats.multiplicity import adjust, adjust_families
from reclens.stats.paired import (
    bootstrap_p_value,
    paired_share_interval,
    randomization_p_values,
    sign_flip_p_value,
    sign_flip_tail,
    smallest_detectable,
)

# Benjamini and Hochberg (1995), table of 15 p-values of the thrombolysis trial.
THROMBOLYSIS = np.array(
    [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1.0,
    ]
)


def p_value(differences: np.ndarray, *, flips: int = 9999, seed: int = 0) -> float:
    n = len(differences)
    keys = np.random.default_rng(seed).integers(0, 2**63, n).astype(np.uint64)
    found = randomization_p_values(
        keys, differences[:, None], np.array([0, n]), np.array([[0]]), n_targets=1, flips=flips, seed=seed
    )
    return float(found[0, 0])


def test_randomization_approaches_the_exact_test() -> None:
    # All 2^10 sign vectors, enumerated.
    differences = np.array([0.3, -0.1, 0.5, 0.2, 0.05, -0.2, 0.4, 0.1, 0.25, 0.15])
    signs = np.array(list(product([-1, 1], repeat=10)))
    exact = np.mean(np.abs(signs @ differences) >= abs(differences.sum()) - 1e-12)
    assert p_value(differences, flips=99_999) == pytest.approx(exact, abs=4 * np.sqrt(exact / 99_999))


def test_randomization_agrees_with_scipy(rng: np.random.Generator) -> None:
    from scipy.stats import permutation_test

    differences = rng.normal(0.15, 1.0, 120)
    scipy = permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=19_999, rng=1)
    assert p_value(differences, flips=19_999) == pytest.approx(scipy.pvalue, abs=0.015)


def test_a_a_comparisons_are_significant_as_often_as_promised() -> None:
    rng = np.random.default_rng(11)
    n, trials = 120, 2000
    values = rng.beta(1, 3, (2, n, trials)) * (rng.random((2, n, trials)) > 0.4)
    gaps = values[0] - values[1]
    keys = rng.integers(0, 2**63, n).astype(np.uint64)
    found = randomization_p_values(keys, gaps, np.array([0, n]), np.array([[0]]), n_targets=1, flips=999, seed=1)
    assert 0.04 <= np.mean(found < 0.05) <= 0.06


@pytest.mark.parametrize("n", [10, 14, 18])
def test_the_tail_is_that_of_all_sign_vectors(n: int) -> None:
    # Enumerated: 2^n sums. The approximation is for the tail; its relative error stays below a tenth.
    rng = np.random.default_rng(n)
    signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    for shift in (0.6, 0.9, 1.2):
        differences = rng.normal(shift, 1.0, n)
        exact = np.mean(np.abs(signs @ differences) >= abs(differences.sum()) - 1e-12)
        if 3 * 2.0 ** (1 - n) < exact < 0.05:  # below, the steps of the exact distribution show
            assert sign_flip_tail(differences) == pytest.approx(exact, rel=0.15)


def test_far_out_the_tail_is_that_of_the_binomial_distribution() -> None:
    # 300 differences of ±1, 220 of them positive: an exact sign test. The approximation knows no steps: half a step
    # further in is the same number.
    from scipy.stats import binom

    exact = 2 * binom.sf(219, 300, 0.5)
    got = sign_flip_tail(np.repeat([1.0, -1.0], [220, 80]))
    assert 2 * binom.sf(220, 300, 0.5) < got < exact and exact < 1e-14


def counted(whole: list[int]) -> float:
    """The share of all sign vectors whose sum is at least as large: whole numbers, counted without rounding."""
    sums = Counter({0: 1})
    for size in map(abs, whole):
        further: Counter[int] = Counter()
        for total, ways in sums.items():
            further[total + size] += ways
            further[total - size] += ways
        sums = further
    reached = sum(ways for total, ways in sums.items() if abs(total) >= abs(sum(whole)))
    return float(Fraction(reached, 2 ** len(whole)))


@given(st.lists(st.integers(-6, 6), max_size=60), st.sampled_from([1.0, 0.1, 1 / 7, 1e-9, 3e5]))
def test_on_a_lattice_the_p_value_is_that_of_all_sign_vectors(whole: list[int], step: float) -> None:
    got = p_value(np.array(whole, np.float64) * step, flips=9)
    assert got == pytest.approx(counted(whole), rel=1e-9)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=11))
def test_few_differences_of_any_size_are_counted_out(differences: list[float]) -> None:
    d = np.array(differences)
    sums = np.array(list(product([-1, 1], repeat=len(d)))) @ d
    assert p_value(d, flips=9) == np.mean(np.abs(sums) >= abs(d.sum()) - 1e-12 * np.abs(d).sum())


@pytest.mark.parametrize("n", [13, 31, 200, 5001])
def test_of_a_hit_rate_it_is_the_sign_test(n: int) -> None:
    # 12 users against 1: 28 of 2^13 sign vectors, and not .0013. Over the whole range, to p-values of 1e-300.
    from scipy.stats import binomtest

    for wins in np.unique(np.linspace(n // 2, n, 25).astype(int)):
        expected = binomtest(int(wins), n).pvalue
        got = p_value(np.repeat([1.0, -1.0, 0.0], [wins, n - wins, 7]), flips=9)
        assert got == pytest.approx(expected, rel=1e-8, abs=1e-300)
    assert p_value(np.repeat([1.0, -1.0], [12, 1])) == 28 / 2**13


@pytest.mark.parametrize("sizes", [(1000, 618), (1000, 999, 3), (707, 500, 333, 250, 201)])
def test_few_sizes_without_a_small_common_step_are_exact_too(sizes: tuple[int, ...], rng: np.random.Generator) -> None:
    for n, up in ((35, 0.75), (80, 0.65), (80, 0.8)):
        whole = rng.choice(sizes, n) * np.where(rng.random(n) < up, 1, -1)
        irrational = whole * np.sqrt(2)
        assert sign_flip_p_value(irrational) == pytest.approx(counted(whole.tolist()), rel=0.001)


def test_irrational_sizes_are_put_on_a_step_that_does_not_matter(rng: np.random.Generator) -> None:
    # 34 differences: two halves of 2^17 sums, counted apart from the code under test.
    for up in (0.6, 0.7, 0.8, 0.9):
        d = rng.choice(1 / np.log2(np.arange(2, 12)), 34) * np.where(rng.random(34) < up, 1, -1)
        halves = [np.array([0.0]), np.array([0.0])]
        for at, size in enumerate(d):
            halves[at % 2] = np.concatenate([halves[at % 2] - size, halves[at % 2] + size])
        least = abs(d.sum()) - 1e-9
        beyond = len(halves[0]) - np.searchsorted(np.sort(halves[0]), least - halves[1])
        assert sign_flip_p_value(d) == pytest.approx(2 * beyond.sum() / 2.0**34, rel=0.02)


def test_after_holm_a_family_of_hit_rates_errs_as_often_as_promised(rate_error: Callable[[float, int], float]) -> None:
    # Ten systems that do not differ from the baseline: 40 discordant users each. Without the steps of the lattice the
    # family-wise error reaches .083.
    rng = np.random.default_rng(21)
    runs, systems = 600, 10
    signs = rng.choice([-1.0, 1.0], (40, runs * systems))
    keys = rng.integers(0, 2**63, 40).astype(np.uint64)
    p = randomization_p_values(keys, signs, np.array([0, 40]), np.array([[0]]), n_targets=1, flips=99, seed=0)
    families = np.repeat(np.arange(runs), systems).tolist()
    smallest = adjust_families(p[0], families).reshape(runs, systems).min(axis=1)
    # Of each test exactly: P(p ≤ .05 / 10) by the binomial distribution.
    from scipy.stats import binom

    wins = np.arange(41)
    two_sided = np.minimum(2 * binom.sf(np.maximum(wins, 40 - wins) - 1, 40, 0.5), 1.0)
    of_each = binom.pmf(wins, 40, 0.5)[two_sided <= 0.005].sum()
    expected = 1 - (1 - of_each) ** systems
    assert expected <= 0.05
    assert np.mean(smallest <= 0.05) == pytest.approx(expected, abs=rate_error(expected, runs))


def test_threads_and_other_columns_do_not_change_a_p_value(rng: np.random.Generator) -> None:
    # Signs are drawn for columns of many sizes only: the same signs whatever stands beside them.
    n = 120
    keys = rng.integers(0, 2**63, n).astype(np.uint64)
    many, few = rng.normal(0.05, 1, n), rng.choice([-1.0, 0.0, 1.0], n)

    def test(*columns: np.ndarray, threads: int = 1) -> list[float]:
        return randomization_p_values(
            keys,
            np.stack(columns, axis=1),
            np.array([0, n]),
            np.array([[0]]),
            n_targets=1,
            flips=999,
            seed=3,
            threads=threads,
        )[0].tolist()

    assert test(few, many) == test(few) + test(many) == test(few, many, threads=2)
    assert min(test(many)) >= 100 / 1000 and sign_flip_p_value(many) is None


def test_many_tests_leave_a_clear_difference_significant() -> None:
    differences = np.random.default_rng(1).normal(1.0, 1.0, 400)
    assert p_value(differences, flips=999) < 1e-20


def test_the_smallest_p_value_is_that_of_all_signs_alike() -> None:
    assert p_value(np.full(60, 1.0), flips=999) == 2.0**-59


def test_no_difference_at_all_is_no_evidence() -> None:
    assert p_value(np.zeros(10), flips=99) == 1.0


def test_bootstrap_p_value_by_hand() -> None:
    # Replicates stray from the estimate 2 by 1, 3, 2 and 0: two of four by at least 2.
    assert bootstrap_p_value(np.array([3.0, 5.0, 0.0, 2.0, np.nan]), 2.0) == pytest.approx(3 / 5)
    assert np.isnan(bootstrap_p_value(np.array([]), 1.0))
    # Equal is meant relative to the values: the same numbers in another unit.
    assert bootstrap_p_value(np.array([3.0, 5.0, 0.0, 2.0]) * 1e-15, 2e-15) == pytest.approx(3 / 5)


@pytest.mark.parametrize(("wins", "losses", "n"), [(12, 1, 100), (1, 0, 30), (3, 2, 10), (0, 9, 40), (15, 15, 30)])
def test_the_score_interval_of_paired_shares_ends_where_the_score_test_rejects(wins: int, losses: int, n: int) -> None:
    # Constrained maximum likelihood by brute force, over the share of losses that are discordant.
    grid = np.linspace(1e-9, 1, 2_000_001)
    for end, sign in zip(paired_share_interval(wins, losses, n), (1, -1), strict=True):
        won = grid + end
        possible = (won > 0) & (won + grid < 1)
        ties = n - wins - losses
        safe = [np.where(possible, each, 0.5) for each in (won, grid, 1 - won - grid)]
        likelihood = sum(count * np.log(chance) for count, chance in zip((wins, losses, ties), safe, strict=True))
        lost = grid[np.argmax(np.where(possible, likelihood, -np.inf))]
        score = (wins - losses - n * end) / np.sqrt(n * (2 * lost + end - end**2))
        assert score == pytest.approx(sign * 1.959964, rel=1e-3)


@pytest.mark.parametrize("n", [1, 10, 240])
def test_no_discordant_user_of_n_has_an_interval(n: int) -> None:
    # Tango (1998): with b = c = 0 the ends are ± z² / (n + z²); with b = n the lower one is 2p - 1 of Wilson's p.
    z = 1.959964**2
    assert paired_share_interval(0, 0, n) == pytest.approx((-z / (n + z), z / (n + z)), rel=1e-6)
    assert paired_share_interval(n, 0, n) == pytest.approx((2 * n / (n + z) - 1, 1.0), rel=1e-6, abs=1e-6)
    assert paired_share_interval(0, n, n) == pytest.approx((-1.0, 1 - 2 * n / (n + z)), rel=1e-6, abs=1e-6)


def test_holm_by_hand() -> None:
    # Holm (1979): sorted .005, .01, .03, .04 times 4, 3, 2, 1, kept from falling.
    assert adjust(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_benjamini_hochberg_finds_the_four_of_the_published_trial() -> None:
    assert (adjust(THROMBOLYSIS, correction="bh") <= 0.05).sum() == 4
    assert (adjust(THROMBOLYSIS, correction="bonferroni") <= 0.05).sum() == 3


def test_benjamini_hochberg_equals_scipy(rng: np.random.Generator) -> None:
    from scipy.stats import false_discovery_control

    p = rng.random(40) ** 2
    np.testing.assert_allclose(adjust(p, correction="bh"), false_discovery_control(p))


def test_missing_tests_stay_missing_and_do_not_count() -> None:
    adjusted = adjust(np.array([0.02, np.nan, 0.04]), correction="bonferroni")
    assert adjusted[[0, 2]].tolist() == [0.04, 0.08] and np.isnan(adjusted[1])


def test_families_are_corrected_apart_by_hand() -> None:
    # Holm within each: {.03}; {.02, .04} -> .04, .04; a missing test does not count in its family.
    p, families = np.array([0.02, 0.03, 0.04, np.nan]), ["segments", "primary", "segments", "segments"]
    adjusted = adjust_families(p, families)
    assert adjusted[:3].tolist() == pytest.approx([0.04, 0.03, 0.04]) and np.isnan(adjusted[3])
    # A correction of its own for each family: Benjamini and Hochberg give .04, .04; Bonferroni .04, .08.
    own = adjust_families(p, families, correction={"segments": "bonferroni", "primary": "none"})
    assert own[:3].tolist() == pytest.approx([0.04, 0.03, 0.08])


def test_a_family_is_never_corrected_for_another(rng: np.random.Generator) -> None:
    p, families = rng.random(30) ** 3, rng.integers(0, 3, 30).tolist()
    for correction in ("holm", "hommel", "bh", "sidak"):
        found = adjust_families(p, families, correction=correction)
        for family in range(3):
            own = np.array(families) == family
            np.testing.assert_array_equal(found[own], adjust(p[own], correction=correction))


def test_wrong_families_are_explained() -> None:
    with pytest.raises(UsageError, match="2 p-values and 1 families"):
        adjust_families(np.array([0.1, 0.2]), ["a"])
    with pytest.raises(UnknownNameError, match="correction of the family"):
        adjust_families(np.array([0.1]), ["a"], correction={"b": "holm"})


def test_bad_input_is_explained() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'holm'"):
        adjust(np.array([0.1]), correction="hom")
    with pytest.raises(UsageError, match="between 0 and 1"):
        adjust(np.array([1.5]))
    with pytest.raises(UsageError, match="flips"):
        p_value(np.ones(3), flips=0)


def test_smallest_detectable_is_the_textbook_factor() -> None:
    # (1.959964 + 0.841621) standard errors at 5 % and 80 %.
    assert smallest_detectable(1.0) == pytest.approx(2.801585, abs=1e-6)
