"""Limits from tails: of known distributions, with incidents among the days, and of few days."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from reclens.stats.anomaly import score_days
from reclens.stats.tails import drift_tail, score_tail


@pytest.mark.parametrize("freedom", [3, 5])
def test_the_limit_of_heavy_tails_is_their_quantile(freedom):
    scores = np.random.default_rng(1).standard_t(freedom, 200_000)
    by_table = stats.t.ppf(1 - 5e-5, freedom)
    assert score_tail(scores, rate=1e-4, days=56) == pytest.approx(by_table, rel=0.15)


def test_the_limit_is_never_below_that_of_normal_noise():
    calm = stats.t.ppf(1 - 5e-5, 3 * 56)
    assert score_tail(np.zeros(1000), rate=1e-4, days=56) == pytest.approx(calm)
    assert score_tail(np.array([]), rate=1e-4, days=56) == pytest.approx(calm)
    assert score_tail(np.full(9, np.nan), rate=1e-4, days=56) == pytest.approx(calm)
    # A scale that is known from few days makes heavier tails.
    few = score_tail(np.array([]), rate=1e-4, days=10)
    assert few == pytest.approx(stats.t.ppf(1 - 5e-5, 3 * 10)) and few > calm + 0.4


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
    assert normal == pytest.approx(stats.t.ppf(1 - 5e-4, 3 * 56), rel=0.1) and normal < half < other
    many = np.random.default_rng(5).normal(size=20_000)
    assert score_tail(many, rate=1e-3, days=56, sampled=0.0) == pytest.approx(
        score_tail(many, rate=1e-3, days=56), rel=0.05
    )


def test_a_tail_of_few_sums_leans_on_calm_days_by_hand():
    # 1,000 sums of 10 weigh one half: .5 · 10 + .5 · 2.3 = 6.15 at one day in 10, and .5 · 10 + .5 · 5 = 7.5 at one in
    # 100. A further factor of 10 adds .18 more than the first one: 6.15 + 2 · 1.35 · 1.09 at one in 1,000.
    sums = np.full(1000, 10.0)
    found = [drift_tail(sums, rate=rate) for rate in (0.1, 0.01, 0.001)]
    assert found == pytest.approx([6.15, 7.5, 6.15 + 2 * 1.35 * 1.09])
    # 1,000 sums of other series, of 6, weigh one half of what is assumed: .5 · 6 + .5 · 2.3 = 4.15 and 5.5.
    others = np.full(1000, 6.0)
    assert drift_tail(np.array([]), rate=0.01, like=others) == pytest.approx(5.5)
    assert drift_tail(sums, rate=0.1, like=others) == pytest.approx(0.5 * 10 + 0.5 * 4.15)


def test_scores_of_other_series_tell_the_tail_of_one_without_scores():
    heavy = np.random.default_rng(6).standard_t(3, 20_000)
    normal = np.random.default_rng(7).normal(size=20_000)
    # By table: the tail of the others takes the place of what is assumed of t with 5 degrees of freedom.
    for others, freedom in ((heavy, 3), (normal, 1.2 * 56)):
        found = score_tail(np.array([]), rate=1e-3, days=56, sampled=0.0, like=others)
        assert found == pytest.approx(stats.t.ppf(1 - 5e-4, freedom), rel=0.15)
    # Of sampling error the tail is known: 1,000 scores of others weigh as much as that.
    few = score_tail(np.array([]), rate=1e-3, days=56, sampled=1.0, like=heavy[:30])
    assert few == pytest.approx(stats.t.ppf(1 - 5e-4, 3 * 56), rel=0.01)


def test_doubt_widens_a_limit_by_the_standard_error_of_its_tail():
    scores = np.random.default_rng(8).standard_t(5, 50_000)
    few, many = scores[:200], scores
    wider = [score_tail(each, rate=1e-3, days=56, sampled=0.0, doubt=1.28) for each in (few, many)]
    plain = [score_tail(each, rate=1e-3, days=56, sampled=0.0) for each in (few, many)]
    assert wider[0] > 1.3 * plain[0] and plain[1] < wider[1] < 1.1 * plain[1]
    # What is sampling error is not in doubt.
    assert score_tail(few, rate=1e-3, days=56, doubt=1.28) == score_tail(few, rate=1e-3, days=56)


def test_an_incident_among_few_days_does_not_move_the_limit():
    few = np.random.default_rng(9).normal(size=42)
    clean = score_tail(few, rate=1e-3, days=21, sampled=0.0)
    few[-1] = 40
    assert score_tail(few, rate=1e-3, days=21, sampled=0.0) < 1.25 * clean


def test_scores_of_normal_days_exceed_their_limit_as_often_as_stated(rate_error: Callable[[float, int], float]) -> None:
    """Of 2,000 series after eight weeks: the limit of one day in 200, with what a scale of five weeks adds."""
    values = np.random.default_rng(10).normal(size=(66, 2000))
    scores = score_days(values)
    limit = score_tail(scores.z[:56], rate=0.005, days=35.0)
    missed = (np.abs(scores.z[56:]) > limit).mean()
    # Ten days of a series share most of their scale; each counts as one of two.
    assert 0.001 < missed < 0.005 + rate_error(0.005, 10_000)
