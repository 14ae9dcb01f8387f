"""Intervals cover the truth as often as they say; gaps and differences are those of hand computation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from reclens.stats.bootstrap import (
    difference,
    estimate,
    interval,
    largest_gap,
    replicate_means,
    simultaneous_intervals,
    skewed_interval,
)
from reclens.stats.estimate import Estimate
from reclens.stats.summary import Summary

ALL = ("overall", "all")


def draw_ndcg(rng: np.random.Generator, n: int) -> np.ndarray:
    """Values such as NDCG's: 45 % zeros, the rest skewed; the mean is 0.55 · 0.25."""
    return np.where(rng.random(n) < 0.45, 0.0, rng.beta(1, 3, n))


@pytest.mark.parametrize("n", [40, 200])
def test_intervals_of_means_cover_the_truth(n: int) -> None:
    rng = np.random.default_rng(n)
    covered = 0
    for sample in range(1000):
        keys = rng.integers(0, 2**63, n).astype(np.uint64)
        found = estimate(Summary.of(keys, {"x": draw_ndcg(rng, n)}, replicates=1000, seed=sample), ALL, "x")
        assert found.low is not None and found.high is not None
        covered += found.low <= 0.55 * 0.25 <= found.high
    assert 930 <= covered <= 970


def test_paired_intervals_cover_the_true_difference() -> None:
    rng = np.random.default_rng(5)
    n, covered = 150, 0
    for sample in range(1000):
        keys = rng.integers(0, 2**63, n).astype(np.uint64)
        shared = draw_ndcg(rng, n)
        a = Summary.of(keys, {"x": shared + rng.normal(0.02, 0.1, n)}, replicates=1000, seed=sample)
        b = Summary.of(keys, {"x": shared}, replicates=1000, seed=sample)
        found, _ = difference(a, b, ALL, "x")
        assert found.low is not None and found.high is not None
        covered += found.low <= 0.02 <= found.high
    assert 930 <= covered <= 970


def test_the_paired_difference_is_the_bootstrap_of_the_differences(rng: np.random.Generator) -> None:
    # Two summaries made apart resample the same users: their difference is the resampled difference.
    keys, x, y = np.arange(80, dtype=np.uint64), rng.random(80), rng.random(80)
    found, replicates = difference(Summary.of(keys, {"m": x}), Summary.of(keys, {"m": y}), ALL, "m")
    direct = replicate_means(Summary.of(keys, {"m": x - y}), ALL, "m")
    assert found.value == pytest.approx((x - y).mean())
    np.testing.assert_allclose(replicates, direct, rtol=1e-9, atol=1e-12)


def test_the_bootstrap_error_is_the_textbook_error(rng: np.random.Generator) -> None:
    x = rng.normal(3, 2, 4000)
    means = replicate_means(Summary.of(np.arange(4000, dtype=np.uint64), {"x": x}, replicates=4000), ALL, "x")
    assert means.std() == pytest.approx(x.std() / np.sqrt(4000), rel=0.05)


def test_the_interval_is_widened_as_hesterberg_says() -> None:
    # Replicates spread evenly over 0 … 1: the ends are the normal probabilities of √(n/(n-1)) · t, here for n = 10.
    from scipy.stats import norm, t

    low = norm.cdf(-np.sqrt(10 / 9) * t.ppf(0.975, 9))
    found = interval(np.linspace(0, 1, 10_001), 0.5, n=10)
    assert found == pytest.approx((low, 1 - low), abs=1e-4)


def of_values(values: np.ndarray, *, level: float = 0.95, share: bool = False, seed: int = 0) -> Estimate:
    keys = np.arange(len(values), dtype=np.uint64)
    return estimate(Summary.of(keys, {"x": values}, seed=seed), ALL, "x", level=level, share=share)


@pytest.mark.parametrize("draw", ["exponential", "lognormal", "pareto", "negative"])
def test_bca_equals_scipy_on_the_same_replicates(draw: str, rng: np.random.Generator) -> None:
    from scipy.stats import bootstrap, norm, skew, t

    n = 60
    x = {
        "exponential": rng.exponential(1, n),
        "lognormal": rng.lognormal(0, 1, n),
        "pareto": rng.pareto(3, n),
        "negative": -rng.lognormal(0, 1, n),
    }[draw]
    theirs = bootstrap((x,), np.mean, n_resamples=4000, method="BCa", confidence_level=0.9, rng=1)
    # Ours is widened: at this level it reaches as far as theirs at 90 %.
    level = 1 - 2 * t.sf(norm.ppf(0.95) * np.sqrt((n - 1) / n), n - 1)
    found = interval(theirs.bootstrap_distribution, x.mean(), n=n, level=level, acceleration=skew(x) / (6 * np.sqrt(n)))
    assert found == pytest.approx(tuple(theirs.confidence_interval), rel=1e-4)


def test_intervals_of_skewed_values_miss_on_each_side_as_published(rate_error: Callable[[float, int], float]) -> None:
    # benchmarks/results/rates/bca.md, exponential at n = 50: .026 lie above the truth and .023 below. Student's
    # interval, which knows no skewness, lies below in .060.
    rng = np.random.default_rng(50)
    runs, above, below = 600, 0, 0
    for seed in range(runs):
        found = of_values(rng.exponential(1.0, 50), seed=seed)
        assert found.low is not None and found.high is not None
        above += found.low > 1
        below += found.high < 1
    assert above / runs == pytest.approx(0.026, abs=rate_error(0.026, runs))
    assert below / runs == pytest.approx(0.023, abs=rate_error(0.023, runs))


def test_hall_takes_the_skewness_out_by_hand() -> None:
    # g(t) = t + a/3 t² + a²/27 t³ + a/6 with a = skewness / √n has to be ∓ Student's quantile at the ends.
    from scipy.stats import t

    mean, variance, skewness, n = 2.0, 4.0, 1.5, 30
    a = skewness / np.sqrt(n)
    for end, quantile in zip(skewed_interval(mean, variance, skewness, n=n), (0.975, 0.025), strict=True):
        at = (mean - end) / np.sqrt(variance / (n - 1))
        assert at + a / 3 * at**2 + a**2 / 27 * at**3 + a / 6 == pytest.approx(t.ppf(quantile, n - 1))


def test_skewed_values_of_few_users_say_how_often_such_intervals_hold(
    rate_error: Callable[[float, int], float],
) -> None:
    # Lognormal(0, 1.5) at n = 20: .84 by BCa alone.
    rng = np.random.default_rng(7)
    truth, runs, covered, said = np.exp(1.125), 500, 0, []
    for seed in range(runs):
        found = of_values(rng.lognormal(0, 1.5, 20), seed=seed)
        assert found.low is not None and found.high is not None
        covered += found.low <= truth <= found.high
        said.append(found.coverage)
    assert covered / runs == pytest.approx(0.89, abs=rate_error(0.89, runs))
    assert {each for each in said if each is not None} == {0.89}
    assert np.mean([each is not None for each in said]) > 0.9
    skewed = of_values(np.r_[np.ones(29), 40.0])
    assert (skewed.coverage, skewed.note, skewed.level) == (0.91, "skewed_few", 0.95)
    assert [of_values(np.r_[np.ones(n - 1), 40.0]).coverage for n in (10, 19, 20, 29)] == [0.86, 0.86, 0.89, 0.89]
    few = of_values(np.r_[np.ones(8), 40.0])
    assert (few.low, few.coverage) == (None, None) and (few.n, few.note) == (9, "skewed_too_few")
    assert of_values(rng.normal(3, 1, 30)).coverage is None


@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e9])
@pytest.mark.parametrize("shape", ["around 5e-7", "1000 ± .001", "mean zero"])
def test_the_same_value_is_a_relative_statement(scale: float, shape: str, rng: np.random.Generator) -> None:
    noise = rng.normal(0, 1, 80)
    x = {"around 5e-7": 5e-7 * (1 + 0.1 * noise), "1000 ± .001": 1000 + 0.001 * noise, "mean zero": 1e-8 * noise}[shape]
    found = of_values(x * scale)
    assert found.low is not None and found.high is not None
    half = 1.9905 * x.std(ddof=1) / np.sqrt(80) * scale  # Student's quantile on 79 degrees of freedom
    assert found.high - found.low == pytest.approx(2 * half, rel=0.15)
    # And of differences, and of gaps between segments.
    keys = np.arange(80, dtype=np.uint64)
    groups = {"g": (["a", "b"], np.arange(80) % 2)}
    one, other = (Summary.of(keys, {"x": values * scale}, groups=groups) for values in (x + x.std() * noise[::-1], x))
    assert difference(one, other, ALL, "x")[0].low is not None
    gap = largest_gap(other, "g", "x")
    assert gap is not None and gap["low"] is not None


@pytest.mark.parametrize("value", [0.1, 5e-7, 1000.3, 1e9 / 3])
def test_equal_values_stay_equal_however_they_are_summed(value: float) -> None:
    n = 3001
    x = np.full(n, value)
    assert of_values(x).low is None
    codes = np.arange(n) % 2
    summary = Summary.of(
        np.arange(n, dtype=np.uint64), {"x": np.where(codes, x, 3 * x)}, groups={"g": (["a", "b"], codes)}
    )
    gap = largest_gap(summary, "g", "x")
    assert gap is not None
    assert (gap["low"], gap["conclusive"]) == (None, False) and gap["note"] == "no_variation"
    shifted = Summary.of(np.arange(n, dtype=np.uint64), {"x": np.linspace(1, 2, n)})
    further = Summary.of(np.arange(n, dtype=np.uint64), {"x": np.linspace(1, 2, n) + value})
    assert difference(further, shifted, ALL, "x")[0].low is None


@pytest.mark.parametrize(("hits", "n"), [(0, 1), (0, 30), (30, 30), (1, 30), (12, 40)])
def test_a_hit_rate_has_wilsons_interval_with_no_hit_too(hits: int, n: int) -> None:
    from scipy.stats import binomtest

    found = of_values(np.repeat([1.0, 0.0], [hits, n - hits]), share=True)
    expected = binomtest(hits, n).proportion_ci(method="wilson")
    assert (found.value, found.n) == (hits / n, n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_shares_stay_in_their_range(rng: np.random.Generator) -> None:
    found = of_values(np.where(rng.random(12) < 0.7, 0.0, rng.beta(4, 1, 12)), share=True)
    assert found.low is not None and found.high is not None and 0 <= found.low < found.high <= 1


def test_equal_numbers_of_different_users_do_not_pair(rng: np.random.Generator) -> None:
    keys, x = np.arange(60, dtype=np.uint64), rng.random(60)
    one = Summary.of(keys, {"x": np.where(keys < 50, x, np.nan)})
    other = Summary.of(keys, {"x": np.where(keys >= 10, x, np.nan)})
    found, replicates = difference(one, other, ALL, "x")
    assert (found.low, found.high, len(replicates)) == (None, None, 0)
    assert (found.n, found.note) == (50, "different_users")
    assert difference(one, Summary.of(keys, {"x": np.where(keys < 50, 2 * x, np.nan)}), ALL, "x")[0].low is not None
    seeds = [Summary.of(keys, {"x": x}, seed=seed) for seed in (0, 1)]
    assert difference(*seeds, ALL, "x")[0].low is None


@pytest.mark.parametrize(
    ("values", "why"),
    [([np.nan], "no_value"), ([0.3], "one_unit"), ([0.5] * 9, "no_variation")],
)
def test_where_there_is_no_honest_interval_there_is_none(values: list[float], why: str) -> None:
    summary = Summary.of(np.arange(len(values), dtype=np.uint64), {"x": np.array(values)})
    found = estimate(summary, ALL, "x")
    assert (found.low, found.high) == (None, None)
    assert found.note == why


def segments(rng: np.random.Generator, means: list[float], n: int, seed: int = 0) -> Summary:
    codes = np.repeat(np.arange(len(means)), n)
    values = rng.normal(np.array(means)[codes], 1.0)
    keys = rng.integers(0, 2**63, len(codes)).astype(np.uint64)
    labels = [f"s{i}" for i in range(len(means))]
    return Summary.of(keys, {"x": values}, groups={"g": (labels, codes)}, seed=seed)


def test_the_largest_gap_names_its_segments(rng: np.random.Generator) -> None:
    summary = segments(rng, [0.0, 0.1, 2.0], 200)
    gap = largest_gap(summary, "g", "x")
    assert gap is not None
    assert (gap["highest"], gap["lowest"], gap["n_pairs"], gap["conclusive"]) == ("s2", "s0", 3, True)
    assert gap["low"] < 2.0 < gap["high"]


def test_looking_for_the_largest_gap_does_not_make_one() -> None:
    # Six equal segments, 15 pairs: an unadjusted 95 % interval of the largest gap would exclude zero in about 40 %.
    rng = np.random.default_rng(9)
    false = 0
    for sample in range(400):
        gap = largest_gap(segments(rng, [0.0] * 6, 60, seed=sample), "g", "x")
        assert gap is not None
        false += gap["conclusive"]
    assert false <= 400 * 0.05 + 3 * np.sqrt(400 * 0.05 * 0.95)


def test_simultaneous_intervals_hold_together_as_often_as_they_say(rate_error: Callable[[float, int], float]) -> None:
    # Twelve means, four of them equal to another: single intervals hold together in .95^8 = .66 of the samples.
    rng = np.random.default_rng(3)
    n, runs, held, alone = 40, 400, 0, 0
    for seed in range(runs):
        x = rng.normal(0, 1, (n, 8))
        x = np.concatenate([x, x[:, :4]], axis=1)
        summary = Summary.of(np.arange(n, dtype=np.uint64), {f"x{i}": x[:, i] for i in range(12)}, seed=seed)
        drawn = np.stack([replicate_means(summary, ALL, name) for name in summary.columns])
        low, high = simultaneous_intervals(drawn, x.mean(axis=0), n=np.full(12, n))
        held += bool(((low < 0) & (high > 0)).all())
        low, high = simultaneous_intervals(drawn[:1], x[:, :1].mean(axis=0), n=np.full(1, n))
        alone += bool(low[0] < 0 < high[0])
    assert held / runs == pytest.approx(0.95, abs=rate_error(0.95, runs))
    assert alone / runs == pytest.approx(0.95, abs=rate_error(0.95, runs))


def test_without_variation_or_replicates_no_simultaneous_interval() -> None:
    drawn = np.stack([np.full(200, 0.1), np.linspace(0, 1, 200)])
    low, high = simultaneous_intervals(drawn, np.array([0.1, 0.5]), n=np.array([9, 9]))
    assert np.isnan([low[0], high[0]]).all() and low[1] < 0.5 < high[1]
    assert np.isnan(simultaneous_intervals(drawn[1:, :99], np.array([0.5]), n=np.array([9]))[0]).all()


def test_segments_that_are_too_small_are_named_and_not_compared(rng: np.random.Generator) -> None:
    values = rng.random(65)
    codes = np.array([0] * 30 + [1] * 30 + [2] * 5)
    summary = Summary.of(np.arange(65, dtype=np.uint64), {"x": values}, groups={"g": (["a", "b", "c"], codes)})
    gap = largest_gap(summary, "g", "x", minimum=30)
    assert gap is not None and gap["n_pairs"] == 1 and (gap["left_out"], gap["note"]) == (("c",), None)
    assert largest_gap(summary, "g", "x", minimum=31) is None


@pytest.mark.parametrize(("value", "below"), [(2.0, 1 - 1 / 200), (-1.0, 1 / 200)])
def test_replicates_on_one_side_show_the_largest_bias_that_they_can(value: float, below: float) -> None:
    # Efron's z₀ of 200 replicates on one side is that of 199; the ends are then 2 z₀ ± z, z as Hesterberg widens it.
    from scipy.stats import norm, t

    drawn = np.linspace(0, 1, 200)
    ends = 2 * norm.ppf(below) + np.sqrt(50 / 49) * t.ppf(0.975, 49) * np.array([-1, 1])
    found = interval(drawn, value, n=50, acceleration=0.0)
    assert found == pytest.approx(tuple(np.quantile(drawn, norm.cdf(ends))), rel=1e-9)


def test_a_difference_says_its_units_and_level(rng: np.random.Generator) -> None:
    keys, x, y = np.arange(60, dtype=np.uint64), rng.random(60), rng.random(60)
    ours = Summary.of(keys, {"m": x})
    found, drawn = difference(ours, Summary.of(keys, {"m": y}), ALL, "m", level=0.8)
    assert (found.n, found.level) == (60, 0.8)
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn, [0.1, 0.9]), abs=0.1 * drawn.std())
    fewer = Summary.of(keys[:40], {"m": y[:40]})
    for theirs, n in ((fewer, 40), (Summary.of(keys + np.uint64(60), {"m": y}), 60)):
        unpaired, _ = difference(ours, theirs, ALL, "m", level=0.8)
        assert (unpaired.n, unpaired.level, unpaired.low) == (n, 0.8, None)
    one = (Summary.of(keys[:1], {"m": each[:1]}) for each in (x, y))
    single, _ = difference(*one, ALL, "m", level=0.8)
    assert (single.value, single.n, single.level, single.low) == (pytest.approx(x[0] - y[0]), 1, 0.8, None)
    same, _ = difference(ours, Summary.of(keys, {"m": x - 0.5}), ALL, "m", level=0.8)
    assert (same.value, same.n, same.level, same.low) == (pytest.approx(0.5), 60, 0.8, None)


def test_estimates_of_any_scale_have_simultaneous_intervals() -> None:
    drawn = np.linspace(0, 1, 200) * np.array([[1.0], [1e13]])
    low, high = simultaneous_intervals(drawn, np.array([0.5, 0.5e13]), n=np.array([9, 9]))
    assert low[0] < 0.5 < high[0]
    assert (low[1], high[1]) == pytest.approx((1e13 * low[0], 1e13 * high[0]))


def test_a_gap_of_too_few_replicates_concludes_nothing() -> None:
    values, codes = np.repeat([0.0, 9.0], 50) + np.tile([0.0, 1.0], 50), np.repeat([0, 1], 50)
    groups = {"g": (["a", "b"], codes)}
    gap = largest_gap(
        Summary.of(np.arange(100, dtype=np.uint64), {"x": values}, groups=groups, replicates=99), "g", "x"
    )
    assert gap is not None
    assert (gap["value"], gap["low"], gap["high"], gap["conclusive"]) == (9.0, None, None, False)


def test_an_estimate_reaches_as_far_as_bca_and_hall_do(rng: np.random.Generator) -> None:
    """At each end the further one of both, with the skewness that SciPy finds."""
    from scipy.stats import skew

    x = rng.exponential(size=300)
    summary = Summary.of(np.arange(300, dtype=np.uint64), {"x": x})
    drawn, acceleration = replicate_means(summary, ALL, "x"), float(skew(x)) / (6 * np.sqrt(300))
    bca = interval(drawn, float(x.mean()), n=300, acceleration=acceleration)
    hall = skewed_interval(float(x.mean()), float(x.var()), float(skew(x)), n=300)
    found = estimate(summary, ALL, "x")
    assert bca is not None
    ends = [min(bca[0], hall[0]), max(bca[1], hall[1])]
    assert [found.low, found.high] == pytest.approx(ends, rel=1e-6)
    assert ends != pytest.approx(list(hall), rel=1e-3)  # one end is that of BCa
