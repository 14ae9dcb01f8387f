"""Days are judged by the days before them: forecasts by hand, and false alerts and delays by simulation."""

from __future__ import annotations

import numpy as np
import pytest

import reclens as rl
from reclens.stats.anomaly import drift_scores, score_days
from reclens.stats.tails import alerts_of, threshold_for

WEEK = np.array([1.0, 2, 3, 4, 5, 9, 9])
BUDGET = 0.5
SERIES, DAYS, FROM = 120, 300, 70


def test_a_season_and_a_trend_are_forecast_exactly():
    days = np.arange(84)
    values = (np.tile(WEEK, 12) + 0.25 * days)[:, None]
    scores = score_days(values)
    assert np.isnan(scores.expected[:21]).all()
    np.testing.assert_allclose(scores.expected[21:], values[21:], atol=1e-9)
    # Three weeks are needed for a forecast and three weeks of forecasts for a spread.
    assert np.isnan(scores.scale[:42]).all() and np.isfinite(scores.scale[42:]).all()


def test_the_judged_day_and_later_ones_move_neither_forecast_nor_scale():
    values = np.random.default_rng(1).normal(size=(80, 3))
    before = score_days(values)
    values[60:] += 100
    after = score_days(values)
    np.testing.assert_array_equal(after.expected[:61], before.expected[:61])
    np.testing.assert_array_equal(after.scale[:61], before.scale[:61])
    assert (after.z[60] > 20).all()


def test_a_shift_and_a_unit_change_no_score():
    values = np.random.default_rng(2).normal(size=(80, 4))
    np.testing.assert_allclose(score_days(3 * values + 7).z, score_days(values).z, atol=1e-9)
    np.testing.assert_allclose(score_days(-values).z, -score_days(values).z, atol=1e-9)
    np.testing.assert_array_equal(score_days(values / 1024).record, score_days(values).record)
    assert score_days(values).record.any()


def test_the_scale_of_equal_distances_is_their_normal_quantile():
    # Distances 1, -1, 1, … from a level of 0: the median of their size is 1, and 1 / .67449 = 1.4826.
    values = np.tile([1.0, -1.0], 60)[:, None]
    scores = score_days(values, period=1, memory=40, warm_up=20)
    assert scores.scale[-1, 0] == pytest.approx(1.4826 * np.median(np.abs(values - scores.expected)[-41:-1]), rel=1e-4)


def test_noise_that_a_day_has_by_its_size_is_no_anomaly():
    values = np.tile(WEEK, 12)[:, None]
    errors = np.full_like(values, 0.1)
    errors[-1] = 2.0
    values[-1] += 4.0
    scores = score_days(values, errors=errors)
    assert scores.scale[-1, 0] == 2.0 and scores.z[-1, 0] == 2.0


def test_noise_of_large_days_does_not_widen_the_band_of_a_quiet_one():
    rng = np.random.default_rng(5)
    errors = np.full((120, 1), 2.0)
    errors[-1] = 0.1
    values = np.tile(WEEK, 18)[:120, None] + rng.normal(size=(120, 1)) * 1.5  # less than their own sampling error
    scores = score_days(values, errors=errors)
    assert scores.scale[-2, 0] >= 2.0  # at least the error of the day
    assert scores.scale[-1, 0] < 1.0  # hardly anything is left besides sampling error


def test_a_series_that_is_mostly_zero_has_a_scale():
    """More than half of its days are alike, so that the median distance is 0."""
    values = np.random.default_rng(6).binomial(1, 0.35, (200, 50)) * 4.0
    z = score_days(values, period=1, memory=56, warm_up=21).z[60:]
    assert np.isfinite(z).mean() > 0.99


def test_calm_days_of_a_skewed_series_are_no_drift():
    """The mean of an exponential lies .31 above its median: summed up, that would be a drift upwards."""
    values = np.random.default_rng(7).exponential(size=(300, 100))
    sums = drift_scores(values, score_days(values))[FROM:]
    up, down = (sums > 5).mean(), (sums < -5).mean()
    assert up < 0.1 and down < 0.1


def test_days_that_are_infinitely_far_count_for_the_threshold():
    scores = np.zeros((1096, 1))
    scores[100:1001:100, 0] = np.inf
    assert threshold_for(scores, budget=2).value == np.inf
    assert threshold_for(scores, budget=4).value == 0.0  # 12 alerts in 3 years, less the added one: all 10 may be


def test_excluded_days_teach_nothing_and_are_judged():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(90, 1))
    holiday = values.copy()
    holiday[50:57] += 30
    excluded = np.zeros(values.shape, bool)
    excluded[50:57] = True
    scores, clean = score_days(holiday, excluded=excluded), score_days(values, excluded=excluded)
    np.testing.assert_array_equal(scores.expected, clean.expected)
    np.testing.assert_array_equal(scores.scale, clean.scale)
    assert (scores.z[50:57] > 10).all()


def test_days_without_a_value_leave_the_others_judged():
    values = np.tile(WEEK, 12)[:, None]
    values[30:33] = np.nan
    scores = score_days(values, errors=np.full_like(values, 0.5))
    assert np.isnan(scores.z[30:33]).all() and (scores.z[45:] == 0).all()
    nothing = score_days(np.full((60, 1), np.nan))
    assert np.isnan(nothing.z).all()


def test_a_constant_series_is_surprised_by_anything_and_by_nothing_else():
    values = np.full((80, 1), 4.0)
    values[-1] = 4.1
    z = score_days(values).z
    assert (z[50:-1] == 0).all() and z[-1, 0] == np.inf
    assert alerts_of(z, 1e9)[-1, 0]


def test_a_step_is_no_slope():
    """A new level is forecast where it is, from its second week on: no slope leads beyond it."""
    values = np.full((120, 1), 10.0)
    values[60:] = 15
    errors = np.full_like(values, 0.1)
    expected = score_days(values, errors=errors, unlearned=4.0).expected[:, 0]
    np.testing.assert_allclose(expected[21:75], 10, atol=1e-9)
    np.testing.assert_allclose(expected[75:], 15, atol=1e-9)
    moved = score_days(values, errors=errors, unlearned=4.0).moved[:, 0]
    assert np.flatnonzero(moved).tolist() == [74]  # after 14 days


def test_a_series_that_is_mostly_zero_is_never_infinitely_far():
    """Four of five days are zero: quantiles of the distances are 0, and their mean square is not."""
    rng = np.random.default_rng(9)
    values = np.where(rng.random((150, 40)) < 0.2, rng.exponential(size=(150, 40)), 0.0)
    scores = score_days(values, period=1, memory=56, warm_up=21)
    seen = np.nansum(np.abs(np.diff(values[:60], axis=0)), axis=0) > 0
    assert np.isfinite(scores.z[60:][:, seen]).mean() > 0.999


def test_a_peak_that_comes_back_is_learned_from_the_third_on():
    """A series that stands still has no scale: without that each of its peaks would be infinitely far for ever."""
    values = np.zeros((150, 2))
    values[[60, 75, 90, 105, 120, 135], 0] = [1.0, 0.9, 1.0, 1.0, 0.9, 1.0]
    values[[60, 90], 1] = 1.0
    scores = score_days(values, period=1, memory=56, warm_up=21, unlearned=4.0)
    assert np.isinf(scores.z[[60, 75, 90], 0]).all()  # judged by what was before
    assert scores.learned[:, 0].tolist() == [at not in (60, 75) for at in range(150)]
    # Learned from two distances of 1 in 54 days, its own and that of the day behind it: their root mean square.
    assert scores.scale[105, 0] == pytest.approx(np.sqrt(2 / 54)) and not scores.record[[105, 120, 135], 0].any()
    assert np.isinf(scores.z[90, 1]) and not scores.learned[90, 1]  # twice is not often


def draw(kind, seed, days=DAYS):
    rng = np.random.default_rng(seed)
    season = np.tile(rng.normal(size=(7, SERIES)) * 2, (days // 7 + 1, 1))[:days]
    if kind == "normal":
        return season + rng.normal(size=season.shape)
    if kind == "heavy tails":
        return season + rng.standard_t(3, size=season.shape)
    if kind == "counts":
        return rng.poisson(np.exp(0.2 * season + 0.5)).astype(float)
    return np.where(rng.random(season.shape) < 0.6, 0.0, rng.lognormal(size=season.shape))


@pytest.mark.parametrize("kind", ["normal", "heavy tails", "counts", "mostly zero"])
def test_false_alerts_of_new_days_keep_to_the_budget(kind):
    calm = draw(kind, 1)
    scores = score_days(calm)
    spike = threshold_for(scores.z[FROM:], budget=BUDGET)
    drift = threshold_for(drift_scores(calm, scores)[FROM:], budget=BUDGET)
    assert spike.state == drift.state == "set"
    new = draw(kind, 2)
    judged = score_days(new)
    years = SERIES * (DAYS - FROM) / 365.25
    # Both the threshold and the count are drawn: two Poisson errors of budget * years, three standard errors.
    most = BUDGET * years + 3 * np.sqrt(2 * BUDGET * years)
    assert alerts_of(judged.z[FROM:], spike.value).sum() <= most
    assert alerts_of(drift_scores(new, judged)[FROM:], drift.value).sum() <= most


@pytest.mark.parametrize("kind", ["normal", "counts"])
def test_a_day_of_twelve_standard_deviations_is_found(kind, rate_error):
    calm, new = draw(kind, 1), draw(kind, 2)
    spike = threshold_for(score_days(calm).z[FROM:], budget=BUDGET)
    new[200] += 12 * np.std(calm, axis=0)
    assert (score_days(new[:201]).z[200] > spike.value).mean() >= 0.99 - rate_error(0.99, SERIES)


def test_the_level_of_a_drift_is_of_six_weeks_that_ended_two_weeks_before_the_day():
    days = np.random.default_rng(5).normal(size=(70, 2))
    sums = drift_scores(days, score_days(days))
    assert np.isnan(sums[:56]).all() and np.isfinite(sums[56:]).all()


def test_a_slow_drift_is_found_by_the_sum_and_not_by_a_day():
    calm = draw("normal", 3)
    scores = score_days(calm)
    spike = threshold_for(scores.z[FROM:], budget=BUDGET)
    drift = threshold_for(drift_scores(calm, scores)[FROM:], budget=BUDGET)
    new = draw("normal", 4)
    new[200:] -= 0.15 * np.arange(1, 101)[:, None]
    judged = score_days(new)
    sums = drift_scores(new, judged)[200:230]
    assert (alerts_of(judged.z[200:230], spike.value).any(axis=0)).mean() < 0.2
    found = sums < -drift.value
    assert found.any(axis=0).mean() > 0.95
    assert np.median(found.argmax(axis=0)) <= 21


def test_the_threshold_is_the_lowest_that_keeps_to_the_budget_with_one_alert_added():
    # 3 years of one series: the days 100, 200 … score 10, 9, 8 …, the others 0.
    scores = np.zeros((1096, 1))
    scores[100:1001:100, 0] = np.arange(10, 0, -1)
    found = threshold_for(scores, budget=2)  # 6 alerts in 3 years, less the added one: 5 are allowed
    assert (found.value, found.state, found.series_days, found.needed_days) == (5.0, "set", 1096, 183)
    assert alerts_of(scores, found.value).sum() == 5
    assert threshold_for(scores, budget=1).value == 8.0


def test_a_budget_that_the_days_cannot_show_has_no_threshold():
    found = threshold_for(np.zeros((100, 3)), budget=1)
    assert (found.state, found.value, found.series_days, found.needed_days) == ("too_few_days", np.inf, 300, 366)


def test_a_series_rests_after_an_alert():
    scores = np.array([[5.0], [5], [0], [5], [5], [-5]])
    assert alerts_of(scores, 4, cool_down=2)[:, 0].tolist() == [True, False, False, True, False, False]
    assert alerts_of(scores, 4, cool_down=0)[:, 0].tolist() == [True, True, False, True, True, True]
    assert not alerts_of(scores, 5).any()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"values": np.zeros(5)}, "1 dimensions, expected 2"),
        ({"errors": np.zeros((4, 2))}, r"errors has the shape \(4, 2\), expected that of the values, \(5, 1\)"),
        ({"excluded": np.zeros((5, 2))}, "excluded has the shape"),
        ({"warm_up": 9}, "warm_up is 9 and memory is 8, expected"),
        ({"period": 0}, "period is 0"),
    ],
)
def test_what_does_not_fit_is_refused(given, says):
    with pytest.raises(rl.errors.UsageError, match=says):
        score_days(**{"values": np.zeros((5, 1)), **given})
    with pytest.raises(rl.errors.UsageError, match="budget is 0"):
        threshold_for(np.zeros((5, 1)), budget=0)
