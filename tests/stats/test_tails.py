"""Limits from tails: of known distributions, with incidents among the days, and of few days."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from reclens.stats.tails import drift_tail, score_tail


@pytest.mark.parametrize("freedom", [3, 5])
def test_the_limit_of_heavy_tails_is_their_quantile(freedom):
    scores = np.random.default_rng(1).standard_t(freedom, 200_000)
    by_table = stats.t.ppf(1 - 5e-5, freedom)
    assert score_tail(scores, rate=1e-4, days=56) == pytest.approx(by_table, rel=0.15)


def test_the_limit_is_never_below_that_of_normal_noise():
    calm = stats.t.ppf(1 - 5e-5, 0.7 * 56)
    assert score_tail(np.zeros(1000), rate=1e-4, days=56) == pytest.approx(calm)
    assert score_tail(np.array([]), rate=1e-4, days=56) == pytest.approx(calm)
    assert score_tail(np.full(9, np.nan), rate=1e-4, days=56) == pytest.approx(calm)
    # A scale that is known from few days makes heavier tails.
    assert score_tail(np.array([]), rate=1e-4, days=10) > calm + 1


def test_a_few_days_of_incidents_do_not_move_it():
    scores = np.random.default_rng(2).normal(size=5000)
    clean = score_tail(scores, rate=1e-4, days=56)
    scores[:50] = 30  # 1 % of the days
    assert score_tail(scores, rate=1e-4, days=56) < 1.3 * clean


def test_sums_have_an_exponential_tail():
    # Quantiles 2 and 4.6 of an exponential of mean 2 at 1 / e and 1 / 10: by hand 2 · ln(rate).
    sums = np.random.default_rng(3).exponential(2.0, 400_000)
    found = drift_tail(sums, rate=1e-3)
    assert found == pytest.approx(2 * np.log(1000), rel=0.08)
    assert found < drift_tail(sums, rate=1e-4)
    assert drift_tail(np.array([]), rate=0.01) == pytest.approx(5.0)
    assert drift_tail(sums / 100, rate=0.01) == pytest.approx(5.0)
    # Days that follow each other: (1 + .5) / (1 - .5) = 3 times, as far as the sums do not tell.
    assert drift_tail(np.array([]), rate=0.01, follows=0.5) == pytest.approx(15.0)
    assert drift_tail(sums, rate=1e-3, follows=0.5) == pytest.approx(found, rel=0.01)


def test_what_few_scores_cannot_tell_is_assumed_by_their_sampling_error():
    few = np.random.default_rng(4).normal(size=20)
    normal, other, half = (score_tail(few, rate=1e-3, days=56, sampled=share) for share in (1.0, 0.0, 0.5))
    # By table: t for 4 degrees of freedom, and for 3 + 1 / .25 = 7, of which 20 scores change little.
    assert other == pytest.approx(stats.t.ppf(1 - 5e-4, 4), rel=0.15)
    assert half == pytest.approx(stats.t.ppf(1 - 5e-4, 7), rel=0.15)
    assert normal == pytest.approx(stats.t.ppf(1 - 5e-4, 0.7 * 56), rel=0.1) and normal < half < other
    many = np.random.default_rng(5).normal(size=20_000)
    assert score_tail(many, rate=1e-3, days=56, sampled=0.0) == pytest.approx(
        score_tail(many, rate=1e-3, days=56), rel=0.05
    )


def test_a_tail_of_few_sums_leans_on_calm_days_by_hand():
    # 300 sums of 10 weigh one half: .5 · 10 + .5 · 2.3 = 6.15 at one day in 10, and .5 · 10 + .5 · 5 = 7.5 at one in
    # 100. A further factor of 10 adds .18 more than the first one: 6.15 + 2 · 1.35 · 1.09 at one in 1,000.
    sums = np.full(300, 10.0)
    found = [drift_tail(sums, rate=rate) for rate in (0.1, 0.01, 0.001)]
    assert found == pytest.approx([6.15, 7.5, 6.15 + 2 * 1.35 * 1.09])
