"""Quantiles against published tables of order statistics; mid-quantiles by hand, and their promises in simulation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from reclens.errors import UsageError
from reclens.stats.quantiles import MidQuantile, QuantilePivot, mid_quantiles, quantile, quantile_difference

RateError = Callable[[float, int], float]
Draw = Callable[[np.random.Generator, int], np.ndarray]


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
    assert found.value == pytest.approx(46.55) and found.low is None and found.n == 50
    assert found.note == "quantile_too_few"
    nobody = quantile(np.array([np.nan]), 0.5)
    assert (nobody.n, nobody.note) == (0, "no_value")


def test_a_quantile_at_the_largest_value_is_not_tested() -> None:
    found = mid_quantiles([np.array([0.0, 0.0, 0.0, 1.0] * 10), np.ones(40)], 0.5)[1]
    assert (found.value, found.n, found.untestable()[0]) == (1.0, 40, "one_value")
    assert found.estimate().low is None
    alike = mid_quantiles([np.ones(40), np.ones(30)], 0.5)
    assert [(each.value, each.support.tolist(), each.below.tolist(), each.se, each.n) for each in alike] == [
        (1.0, [1.0], [0.5], 0.0, n) for n in (40, 30)
    ]


def test_ends_of_a_mid_quantile_by_hand() -> None:
    """Shares of .1, .5 and .9 below 0, 1 and 2: .2 and .8 lie a quarter inside; .05 and .95 lie outside the data."""
    support, below = np.array([0.0, 1.0, 2.0]), np.array([0.1, 0.5, 0.9])
    inside, outside = (
        MidQuantile(q=0.5, value=1.0, support=support, below=below, se=reach / 1.959964, n=100) for reach in (0.3, 0.45)
    )
    assert inside.ends(0.95) == pytest.approx((0.25, 1.75), abs=1e-6)
    assert outside.ends(0.95) == (None, None)


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


def test_a_mid_quantile_by_hand() -> None:
    # Ten counts: 0, 1 1, 2 2 2, 3 3 3, 4. Below or half at: .05, .20, .45, .75, .95.
    rows = np.array([0.0, 1, 1, 2, 2, 2, 3, 3, 3, 4])
    found = mid_quantiles([rows], 0.5)[0]
    np.testing.assert_allclose(found.below, [0.05, 0.2, 0.45, 0.75, 0.95])
    assert found.value == pytest.approx(2 + 0.05 / 0.30)
    # At the cut 2 1/6, rows below 2 count 1, those at 2 count ½ + 1/12, those at 3 1/12: their mean is .5.
    parts = np.array([1.0] * 3 + [7 / 12] * 3 + [1 / 12] * 3 + [0.0])
    assert parts.mean() == pytest.approx(0.5) and found.se == pytest.approx(parts.std(ddof=1) / np.sqrt(10))


@given(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=60, unique=True), st.floats(0.2, 0.8))
def test_without_ties_it_is_the_ordinary_quantile(values: list[float], q: float) -> None:
    # Hyndman and Fan's type 5; all types agree to within the distance of neighbouring values.
    rows = np.array(values)
    assert mid_quantiles([rows], q)[0].value == pytest.approx(np.quantile(rows, q, method="hazen"), rel=1e-6, abs=1e-6)


def test_the_mid_median_of_zeros_and_ones_is_their_share(rng: np.random.Generator) -> None:
    # (1 - p) / 2 + c / 2 = ½ at c = p. The test is then that of two shares, each with its own variance.
    arms = [(rng.random(n) < p) * 1.0 for n, p in ((900, 0.3), (400, 0.4))]
    found = quantile_difference(*mid_quantiles(arms, 0.5))
    p, v = [arm.mean() for arm in arms], [arm.var() / (len(arm) - 1) for arm in arms]
    assert [found.control, found.treatment] == pytest.approx(p)
    assert found.z == pytest.approx((p[1] - p[0]) / np.sqrt(sum(v)))
    reach = stats.norm.ppf(0.975) * np.sqrt(sum(v))
    assert [found.absolute.low, found.absolute.high] == pytest.approx([p[1] - p[0] - reach, p[1] - p[0] + reach])
    # The lift is tested as Fieller (1954) does: p₁ - (1 + r) p₀ = 0.
    for r in (-0.2, 0.1, 0.6):
        z = (p[1] - (1 + r) * p[0]) / np.sqrt(v[1] + (1 + r) ** 2 * v[0])
        assert found.z_at(r, relative=True) == pytest.approx(z)


@given(
    seed=st.integers(0, 10_000),
    mean=st.floats(2.5, 12),
    q=st.floats(0.3, 0.9),
    z=st.floats(0.5, 3),
    relative=st.booleans(),
    sign=st.sampled_from([1.0, -1.0]),
)
@example(seed=0, mean=7.0, q=0.875, z=3.0, relative=True, sign=-1.0)
def test_the_ends_are_where_the_test_just_rejects(
    seed: int, mean: float, q: float, z: float, relative: bool, sign: float
) -> None:
    rng = np.random.default_rng(seed)
    found = quantile_difference(*mid_quantiles([sign * rng.poisson(mean, n) for n in (400, 150)], q))
    if not found.testable:
        return
    low, high = found.within(z, z, relative=relative)
    assert low is not None and high is not None and low < high
    # At the edge of the data the test jumps: an end is then where it passes the deviate.
    for end, at in ((low, z), (high, -z)):
        step = 1e-7 * (high - low)
        assert found.z_at(end - step, relative=relative) >= at - 1e-5
        assert found.z_at(end + step, relative=relative) <= at + 1e-5
    # Inside, the test falls; outside, all is rejected, though far out, as with Fieller's, it need not fall any more.
    tested = [found.z_at(bound, relative=relative) for bound in np.linspace(low, high, 15)]
    assert np.all(np.diff(tested) <= 1e-9)
    for far in np.linspace(0.1, 1, 6) * (high - low):
        assert found.z_at(low - far, relative=relative) >= z - 1e-5
        assert found.z_at(high + far, relative=relative) <= -z + 1e-5
    assert (found.p_value <= 0.05) == (found.within(1.9599639845)[0] > 0 or found.within(1.9599639845)[1] < 0)  # type: ignore[operator]


def revenue(zero: float) -> Draw:
    """A share of zeros, and lognormal values."""
    return lambda rng, n: (rng.random(n) >= zero) * rng.lognormal(0, 1, n)


def poisson(mean: float) -> Draw:
    return lambda rng, n: rng.poisson(mean, n).astype(np.float64)


KINDS: dict[str, tuple[Draw, float]] = {
    "counts, median": (poisson(3.67), 0.5),
    "counts, p90": (poisson(10.3), 0.9),
    "seconds, rounded": (lambda rng, n: np.round(rng.lognormal(1, 0.5, n)), 0.9),
    "revenue, p90": (revenue(0.7), 0.9),
    "continuous": (lambda rng, n: rng.lognormal(0, 1, n), 0.9),
}


@pytest.mark.parametrize("sizes", [(500, 500), (1800, 200)])
@pytest.mark.parametrize("kind", KINDS)
def test_arms_treated_alike_differ_as_often_as_promised(
    kind: str, sizes: tuple[int, int], rate_error: RateError
) -> None:
    draw, q = KINDS[kind]
    rng, runs = np.random.default_rng(11), 800
    rejected = [abs(deviate(mid_quantiles([draw(rng, n) for n in sizes], q), 0.0)) > 1.96 for _ in range(runs)]
    assert abs(np.mean(rejected) - 0.05) <= rate_error(0.05, runs)


def deviate(arms: list[MidQuantile], bound: float, *, relative: bool = False) -> float:
    """The test alone, without intervals."""
    assert all(arm.untestable()[0] is None for arm in arms)
    return QuantilePivot(arms[0], arms[1], (arms[0].spread(), arms[1].spread())).z_at(bound, relative=relative)


def true_mid_quantile(mean: float, q: float) -> float:
    """Of a Poisson distribution, from its table."""
    k = np.arange(80)
    return float(np.interp(q, stats.poisson.cdf(k, mean) - stats.poisson.pmf(k, mean) / 2, k))


@pytest.mark.parametrize(("means", "q", "sizes"), [((3.67, 4.2), 0.5, (500, 500)), ((10.3, 12.0), 0.9, (900, 100))])
def test_intervals_cover_the_true_difference_and_margins_hold(
    means: tuple[float, float], q: float, sizes: tuple[int, int], rate_error: RateError
) -> None:
    before, after = (true_mid_quantile(mean, q) for mean in means)
    rng, runs = np.random.default_rng(12), 800
    found = np.array(
        [
            [deviate(arms, after - before), deviate(arms, after / before - 1, relative=True)]
            for arms in (
                mid_quantiles([poisson(mean)(rng, n) for mean, n in zip(means, sizes, strict=True)], q)
                for _ in range(runs)
            )
        ]
    )
    # One-sided at the truth is what a guardrail does at its margin.
    for side in (found > 1.96, found < -1.96):
        assert np.all(np.abs(side.mean(axis=0) - 0.025) <= rate_error(0.025, runs))


def test_a_shift_of_counts_is_found_as_often_as_its_standard_error_says(rate_error: RateError) -> None:
    # From 3.67 to 3.97: the standard error of a mid-quantile is that of a share ÷ the slope of the cell it lies in.
    k, runs, n = np.arange(60), 500, 800
    parts: list[tuple[float, float]] = []
    for mean in (3.67, 3.97):
        pmf = stats.poisson.pmf(k, mean)
        mid = np.cumsum(pmf) - pmf / 2
        at = int(np.searchsorted(mid, 0.5)) - 1
        part = (0.5 - mid[at]) / (mid[at + 1] - mid[at])
        inside = (k < at) + (k == at) * (0.5 + part / 2) + (k == at + 1) * part / 2
        parts.append((at + part, (pmf @ inside**2 - 0.25) / (mid[at + 1] - mid[at]) ** 2 / n))
    power = stats.norm.sf(1.96 - (parts[1][0] - parts[0][0]) / np.sqrt(parts[0][1] + parts[1][1]))
    rng = np.random.default_rng(13)
    z = [deviate(mid_quantiles([poisson(mean)(rng, n) for mean in (3.67, 3.97)], 0.5), 0.0) for _ in range(runs)]
    assert 0.5 < power < 0.95 and abs(np.mean(np.array(z) > 1.96) - power) <= rate_error(power, runs) + 0.03


def test_clusters_of_counts_widen_the_test(rate_error: RateError) -> None:
    # Five counts of each of 600 users, who differ in their mean; 80 % and 20 % of the users.
    runs, hits, careless = 500, 0, 0
    rng = np.random.default_rng(14)
    users = np.repeat(np.arange(600), 5)
    for _ in range(runs):
        rows = rng.poisson(np.repeat(rng.gamma(4, 1, 600), 5)).astype(np.float64)
        new = rng.random(600)[users] < 0.2
        sides = [rows[~new], rows[new]]
        hits += abs(deviate(mid_quantiles(sides, 0.5, clusters=[users[~new], users[new]]), 0.0)) > 1.96
        careless += abs(deviate(mid_quantiles(sides, 0.5), 0.0)) > 1.96
    assert abs(hits / runs - 0.05) <= rate_error(0.05, runs) < careless / runs - 0.05


def test_a_quantile_within_one_value_tells_nothing(rng: np.random.Generator) -> None:
    # Seven of ten spend nothing: the median is 0 in any such arm, whatever happens to those who spend.
    arms = [revenue(0.7)(rng, 2000), 3 * revenue(0.7)(rng, 2000)]
    found = quantile_difference(*mid_quantiles(arms, 0.5))
    assert (found.testable, found.reason, found.absolute.low) == (False, "one_value", None)
    assert found.notes == ("quantile_coarse",)
    # Where the quantile lies among those who spend, it is tested, and three times the spending is seen.
    assert quantile_difference(*mid_quantiles(arms, 0.9)).z > 5
    same = quantile_difference(*mid_quantiles([np.ones(50), np.ones(50)], 0.5))
    assert (same.reason, same.p_value != same.p_value) == ("one_value", True)


@pytest.mark.parametrize(("n", "q", "enough"), [(36, 0.9, False), (60, 0.9, True), (6, 0.5, False), (12, 0.5, True)])
def test_too_few_units_are_not_tested(n: int, q: float, enough: bool, rng: np.random.Generator) -> None:
    found = quantile_difference(*mid_quantiles([rng.exponential(size=size) for size in (1000, n)], q))
    assert (found.testable, found.reason) == (enough, None if enough else "too_few")
    assert enough == (found.relative.low is not None)


def test_arms_without_rows_and_parts_of_other_calls() -> None:
    arms = mid_quantiles([np.arange(9.0), np.empty(0)], 0.5)
    assert quantile_difference(*arms).reason == "too_few"
    with pytest.raises(UsageError, match="one call of mid_quantiles"):
        quantile_difference(arms[0], mid_quantiles([np.arange(9.0)], 0.5)[0])
    with pytest.raises(UsageError, match="9 values and 8 clusters"):
        mid_quantiles([np.arange(9.0)], 0.5, clusters=[np.arange(8)])


def test_a_large_arm_is_read_by_the_values_about_its_quantile() -> None:
    # 200,000 rows: not every value is kept, and nothing moves.
    rng = np.random.default_rng(15)
    arms = [rng.exponential(size=200_000), np.round(rng.exponential(size=150_000), 1)]
    found = mid_quantiles(arms, 0.9)
    assert len(found[0].support) < 150_000
    assert found[0].value == pytest.approx(np.quantile(arms[0], 0.9), abs=1e-4)
    # Rounded to tenths, with continuous values between: the mid-distribution at the tenths is exact.
    at = np.searchsorted(found[1].support, 2.3)
    exact = (arms[1] < 2.3).mean() + (arms[1] == 2.3).mean() / 2
    assert found[1].support[at] == 2.3 and found[1].below[at] == pytest.approx(exact)
