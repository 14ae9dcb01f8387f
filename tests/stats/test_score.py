"""Tests of two shares: published intervals, a numerical search for the likelihood, and true sizes by enumeration."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binom, norm

from reclens.errors import UsageError
from reclens.stats.proportions import proportion_difference
from reclens.stats.score import ExactPivot, ScorePivot, pivot_of, shares_at

Z = float(norm.ppf(0.975))

# Treatment, control, the interval of Miettinen and Nurminen, and that of Mee: Newcombe (1998), table II, methods 6 and
# 5; the second and the last line Miettinen and Nurminen (1985), example 5.
PUBLISHED = [
    ((56, 70), (48, 80), (0.0528, 0.3382), (0.0533, 0.3377)),
    ((0, 10), (0, 20), (-0.1658, 0.2844), (-0.1611, 0.2775)),
    ((9, 10), (3, 10), (0.1700, 0.8406), (0.1821, 0.8370)),
    ((6, 7), (2, 7), (0.0342, 0.8534), (0.0544, 0.8478)),
    ((5, 56), (0, 29), (-0.0326, 0.1933), (-0.0313, 0.1926)),
    ((0, 10), (0, 10), (-0.2879, 0.2879), (-0.2775, 0.2775)),
    ((10, 10), (0, 20), (0.7156, 1.0), (0.7225, 1.0)),
    ((10, 10), (0, 10), (0.6636, 1.0), (0.6777, 1.0)),
    ((10, 10), (20, 20), (-0.2844, 0.1658), (-0.2775, 0.1611)),
]


@st.composite
def tables(draw) -> tuple[tuple[int, int], tuple[int, int]]:
    n, m = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    return (draw(st.integers(0, n)), n), (draw(st.integers(0, m)), m)


@pytest.mark.parametrize(("treatment", "control", "plain", "biased"), PUBLISHED)
def test_published_intervals_of_differences(treatment, control, plain, biased) -> None:
    assert ScorePivot(control, treatment, skewness=False).within(Z, Z) == pytest.approx(plain, abs=6e-5)
    mee = ScorePivot(control, treatment, skewness=False, unbiased=False)
    assert mee.within(Z, Z) == pytest.approx(biased, abs=6e-5)


def test_published_intervals_of_ratios_and_corrections_for_skewness() -> None:
    # Gart and Nam (1988): ratios by the score, and corrected for skewness.
    for treatment, control, plain, corrected in (
        ((8, 15), (4, 15), (0.815, 5.336), (0.806, 6.148)),
        ((6, 10), (6, 20), (0.844, 4.594), (0.822, 4.954)),
    ):
        for skewness, ends in ((False, plain), (True, corrected)):
            pivot = ScorePivot(control, treatment, skewness=skewness, unbiased=False)
            assert [1 + end for end in pivot.within(Z, Z, relative=True)] == pytest.approx(ends, abs=6e-4)
    # Gart and Nam (1990), and R's ratesci::scoreci(5, 56, 0, 29), which has N/(N - 1) too.
    assert ScorePivot((2, 25), (7, 25), unbiased=False).within(Z, Z) == pytest.approx((-0.014, 0.414), abs=6e-4)
    assert ScorePivot((0, 29), (5, 56)).within(Z, Z) == pytest.approx((-0.0186, 0.1867), abs=6e-5)
    # R's cicalc::ci_prop_diff_mee(56 of 70, 48 of 80), its statistics at 0 and at 0.1.
    mee = ScorePivot((48, 80), (56, 70), skewness=False, unbiased=False)
    assert (mee.z_at(0.0), mee.z_at(0.1)) == pytest.approx((2.65, 1.348), abs=2e-3)


@given(tables(), st.floats(-0.95, 0.95), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_most_likely_shares_are_those_of_a_search(table, bound: float, relative: bool) -> None:
    (x, n), (y, m) = table
    ratio, shift = (1 + bound, 0.0) if relative else (1.0, bound)

    def surprise(p: float) -> float:
        return -float(binom.logpmf(x, n, p) + binom.logpmf(y, m, ratio * p + shift))

    low, high = max(0.0, -shift), min(1.0, (1 - shift) / ratio)
    found = minimize_scalar(surprise, bounds=(low, high), method="bounded", options={"xatol": 1e-12})
    p, q = shares_at(*table, bound, relative=relative)
    assert q == pytest.approx(ratio * p + shift, abs=1e-12) and low - 1e-12 <= p <= high + 1e-12
    assert surprise(min(max(p, low), high)) <= found.fun + 1e-9


def test_shares_of_rare_successes_keep_their_digits() -> None:
    # A millionth in ten million units: the slope of the likelihood is zero there, to its last digits.
    p, q = shares_at((10, 10_000_000), (15, 10_000_000), 2e-7)
    slopes = [10 / p, 15 / q, -(10_000_000 - 10) / (1 - p), -(10_000_000 - 15) / (1 - q)]
    assert abs(sum(slopes)) < 1e-12 * sum(map(abs, slopes))


@given(tables())
@settings(max_examples=60, deadline=None)
def test_differences_and_ratios_have_one_test_at_zero_that_of_equal_shares(table) -> None:
    (x, n), (y, m) = table
    both = (x + y) / (n + m)
    pooled = math.sqrt(both * (1 - both) * (1 / n + 1 / m) * (n + m) / (n + m - 1))
    z = (y / m - x / n) / pooled if pooled else 0.0
    plain = ScorePivot(*table, skewness=False)
    assert plain.z_at(0.0) == pytest.approx(z, abs=1e-9)
    for pivot in (plain, ScorePivot(*table), ExactPivot(*table)):
        assert pivot.z_at(0.0) == pytest.approx(pivot.z_at(0.0, relative=True), abs=1e-9)
        swapped = type(pivot)(table[1], table[0])
        if pivot is not plain:
            assert swapped.z_at(0.0) == pytest.approx(-pivot.z_at(0.0), abs=1e-6)


@given(tables(), st.floats(-0.95, 0.95), st.booleans())
@settings(max_examples=60, deadline=None)
def test_exact_tails_are_sums_over_all_outcomes(table, bound: float, relative: bool) -> None:
    (x, n), (y, m) = table
    p, q = shares_at(*table, bound, relative=relative)
    a, b = np.meshgrid(np.arange(n + 1), np.arange(m + 1), indexing="ij")
    spread = np.sqrt((a + b) * (n + m - a - b))
    score = np.divide(b / m - a / n, spread, out=np.zeros(spread.shape), where=spread > 0)
    chance = binom.pmf(a, n, p) * binom.pmf(b, m, q)
    up, down = chance[score >= score[x, y] - 1e-9].sum(), chance[score <= score[x, y] + 1e-9].sum()
    z = -norm.ppf(up) if up < 0.5 else norm.ppf(down) if down < 0.5 else 0.0
    assert ExactPivot(*table).z_at(bound, relative=relative) == pytest.approx(np.clip(z, -8, 8), abs=1e-5) or abs(z) > 7


@given(tables(), st.booleans())
@settings(max_examples=40, deadline=None)
def test_tests_fall_with_the_bound_and_end_where_intervals_do(table, relative: bool) -> None:
    bounds = np.linspace(-1, 4 if relative else 1, 25)
    for pivot in (ExactPivot(*table), ScorePivot(*table, skewness=False)):
        z = np.array([pivot.z_at(bound, relative=relative) for bound in bounds])
        assert (np.diff(z)[np.abs(z[1:]) < 7] <= 1e-9).all()
        low, high = pivot.within(Z, Z, relative=relative)
        if low is not None and low > -1:
            assert pivot.z_at(low, relative=relative) == pytest.approx(Z, abs=1e-6)
        assert high is None or table[0][0] or not relative
        if high is not None and high < 1:
            assert pivot.z_at(high, relative=relative) == pytest.approx(-Z, abs=1e-6)


def test_arms_of_no_successes_have_a_test_and_an_interval() -> None:
    found = proportion_difference((0, 10), (0, 90))
    # Clopper and Pearson: 1 - 0.025^(1/n).
    assert (found.absolute.low, found.absolute.high) == pytest.approx((0.025**0.1 - 1, 1 - 0.025 ** (1 / 90)))
    assert found.p_value == 1.0 and found.z == 0.0 and found.testable
    assert found.p_below(0.05) == pytest.approx(0.95**90) and found.p_above(-0.4) == pytest.approx(0.6**10)
    everybody = proportion_difference((10, 10), (90, 90))
    assert (everybody.absolute.low, everybody.absolute.high) == pytest.approx((0.025 ** (1 / 90) - 1, 1 - 0.025**0.1))
    # One arm of none: the lift over the other has an upper end, the lift over it has none.
    less = proportion_difference((9, 90), (0, 10)).relative
    assert less.value == -1.0 and less.low == -1.0 and less.high is not None and 1 < less.high < 4
    more = proportion_difference((0, 10), (9, 90))
    assert more.absolute.high is not None and math.isnan(more.relative.value) and more.relative.high is None


# Units, the rate of control, what is tested, and whether of a lift.
CELLS = [
    ((10, 90), 0.02, 0.0, False),
    ((90, 10), 0.1, 0.0, False),
    ((10, 90), 0.02, -0.01, False),
    ((20, 180), 0.05, -0.2, True),
    ((50, 50), 0.1, 0.5, True),
    ((100, 900), 0.05, 0.0, False),
    ((200, 1800), 0.01, 0.0, False),
    ((200, 1800), 0.01, -0.005, False),
    ((1800, 200), 0.02, -0.2, True),
]


@pytest.mark.parametrize(("sizes", "rate", "bound", "relative"), CELLS)
def test_each_tail_is_held_at_small_rates_and_in_unequal_arms(sizes, rate: float, bound: float, relative: bool) -> None:
    # The true size, over all outcomes that matter. One tail of Miettinen and Nurminen's has up to 0.084 here, and the
    # unpooled z test up to 0.4.
    n, m = sizes
    chances = [
        binom.pmf(np.arange(k + 1), k, p) for k, p in ((n, rate), (m, rate * (1 + bound) if relative else rate + bound))
    ]
    higher = lower = 0.0
    for x in np.flatnonzero(chances[0] > 1e-5).tolist():
        for y in np.flatnonzero(chances[1] > 1e-5).tolist():
            z = pivot_of((x, n), (y, m)).z_at(bound, relative=relative)
            chance = chances[0][x] * chances[1][y]
            higher, lower = higher + chance * (z >= Z), lower + chance * (z <= -Z)
    assert higher <= 0.032 and lower <= 0.032 and higher + lower <= 0.0545


def test_z_tests_find_too_much_there_and_say_what_they_are() -> None:
    # 0 of 200 against 18 of 1,800: more than one in eight experiments without a difference look like this.
    plain = proportion_difference((18, 1800), (0, 200), pooled=False)
    assert plain.p_value < 1e-4 and plain.method.code == "unpooled_z"
    found = proportion_difference((18, 1800), (0, 200))
    assert found.p_value > 0.1 and found.absolute.high is not None and found.absolute.high > 0
    assert found.method.code == "exact_score"
    assert proportion_difference((90, 900), (95, 1000)).method.code == "score"


def test_options_of_two_tests_are_not_mixed() -> None:
    for wrong in ({"distribution": "t"}, {"pooled": True, "exact": True}):
        with pytest.raises(UsageError, match="of a z test"):
            proportion_difference((3, 10), (4, 10), **wrong)


def test_shares_near_one_keep_their_digits_under_a_lift() -> None:
    # Two failures in two billion: at no lift both shares are the pooled one. Their test is that of no difference.
    control, treatment = (10**9 - 2, 10**9), (10**9, 10**9)
    assert [1 - share for share in shares_at(control, treatment, 0.0, relative=True)] == pytest.approx([1e-9] * 2)
    assert shares_at((30, 30), (34, 34), 1e-9, relative=True) == pytest.approx((1 / (1 + 1e-9), 1.0), abs=1e-15)
    found = proportion_difference(control, treatment)
    assert found.p_value > 0.1 and found.absolute.low < 0 and found.relative.low < 0


@pytest.mark.parametrize(("hits", "exact"), [(4, True), (5, False), (95, False), (96, True)])
def test_fewer_than_five_expected_in_an_arm_are_added_up(hits: int, exact: bool) -> None:
    assert isinstance(pivot_of((hits, 100), (hits, 100)), ExactPivot) == exact
