"""Intervals cover the truth as often as they say; gaps and differences are those of hand computation."""

from __future__ import annotations

import numpy as np
import pytest

from reclens.stats.bootstrap import difference, estimate, interval, largest_gap, replicate_means
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


@pytest.mark.parametrize(
    ("values", "why"),
    [([np.nan], "no user has a value"), ([0.3], "a single user"), ([0.5] * 9, "all 9 users have the same value")],
)
def test_where_there_is_no_honest_interval_there_is_none(values: list[float], why: str) -> None:
    summary = Summary.of(np.arange(len(values), dtype=np.uint64), {"x": np.array(values)})
    found = estimate(summary, ALL, "x")
    assert (found.low, found.high) == (None, None)
    assert found.note is not None and why in found.note


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


def test_segments_that_are_too_small_are_named_and_not_compared(rng: np.random.Generator) -> None:
    values = rng.random(65)
    codes = np.array([0] * 30 + [1] * 30 + [2] * 5)
    summary = Summary.of(np.arange(65, dtype=np.uint64), {"x": values}, groups={"g": (["a", "b", "c"], codes)})
    gap = largest_gap(summary, "g", "x", minimum=30)
    assert gap is not None and gap["n_pairs"] == 1 and gap["note"] == "too small to compare: c"
    assert largest_gap(summary, "g", "x", minimum=31) is None
