"""Limits of a day: what is learned from, what is held in doubt, and what raises them."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from scipy import stats

from monitor_series import BEGIN, amounts, counts
from reclens.monitor.detect import DetectOptions, detect
from reclens.monitor.limits import Scored
from reclens.monitor.rules import Rule
from reclens.stats.tails import score_tail

DAYS = 70
LAST = BEGIN + timedelta(days=DAYS - 1)
LOGIT = {"ctr": Rule(scale="logit", direction="down")}


def states(values: np.ndarray, **given: object) -> pl.DataFrame:
    return detect(amounts(values), {"amount": Rule()}, start=LAST, **given)  # type: ignore[arg-type]


def test_an_unusual_day_of_a_short_history_is_no_alert() -> None:
    """One amount, whose tail nobody knows: t with 4 degrees of freedom has 7.1 at .5 alerts a year, of both kinds."""
    values = 10 + np.random.default_rng(1).normal(size=(DAYS, 1))
    scale = states(values)
    unit = (scale["high"][0] - scale["expected"][0]) / scale["limit"][0]
    found = {}
    for size in (2, 10, 60):
        values[-1, 0] = scale["expected"][0] + size * unit
        found[size] = states(values)["state"][0]
    assert found == {2: "ok", 10: "short_history", 60: "level"}


def test_sampling_error_has_no_short_history() -> None:
    """The limit of twelve slices is near that of normal noise already after seven weeks."""
    x = np.random.default_rng(2).binomial(5000, 0.05, (50, 12))
    found = detect(counts(x, 5000), LOGIT, options=DetectOptions(budget=0.5))
    # Half of the budget, of one direction, shared by 12 slices.
    by_table = stats.norm.isf(0.5 / 2 / 365.25 / 12)
    assert by_table < found["limit"][0] < 1.12 * by_table
    x[-1] -= 150  # 10 standard deviations: beyond any noise of a forecast
    assert set(detect(counts(x, 5000), LOGIT)["state"]) == {"level"}


def test_an_incident_under_way_does_not_raise_its_own_limit() -> None:
    x = np.random.default_rng(3).binomial(5000, 0.05, (DAYS, 12))
    calm = detect(counts(x, 5000), LOGIT, start=LAST - timedelta(days=4))
    x[-5:, :6] = np.random.default_rng(4).binomial(5000, 0.02, (5, 6))
    found = detect(counts(x, 5000), LOGIT, start=LAST - timedelta(days=4))
    # What remains is the scale of slices, whose share of sampling error falls by days that are not far out.
    assert found["limit"].to_list() == pytest.approx(calm["limit"].to_list(), rel=0.05)
    assert found["drift_limit"].to_list() == pytest.approx(calm["drift_limit"].to_list(), rel=0.05)
    assert set(found.filter(pl.col("slice").is_in(["s1", "s2", "s3"]))["state"]) == {"level"}


def test_one_incident_of_the_past_raises_no_limit_and_many_alerts_do() -> None:
    rng = np.random.default_rng(5)
    x = rng.binomial(5000, 0.05, (120, 4))
    last, options = BEGIN + timedelta(days=119), DetectOptions(budget=0.5)
    limits = {}
    for peaks in ((), (90,), (45, 54, 63, 72, 81, 90, 99)):
        y = x.copy()
        y[list(peaks), 1] = 130  # a fall by 7 standard deviations
        limits[len(peaks)] = detect(counts(y, 5000), LOGIT, start=last, options=options)["limit"][0]
    # The one day belongs to the tail; it is no reason to raise all limits to what it was.
    assert limits[1] < 1.2 * limits[0]
    assert limits[7] > 1.3 * limits[0]


def test_the_tail_of_an_indicator_is_that_of_the_others_as_long_as_it_has_few_days() -> None:
    rng = np.random.default_rng(6)
    one = amounts(10 + rng.normal(size=(DAYS, 1)), indicator="one")
    rules = dict.fromkeys(["one", *(f"i{at}" for at in range(9))], Rule())
    found = {}
    for name, draw in (("normal", rng.standard_normal), ("heavy", lambda size: rng.standard_t(2, size))):
        others = [amounts(10 + draw((DAYS, 4)), indicator=f"i{at}") for at in range(9)]
        days = detect(pl.concat([one, *others]), rules, start=LAST)
        found[name] = days.filter(pl.col("indicator") == "one")["limit"][0]
    alone = detect(one, rules, start=LAST)["limit"][0]
    assert found["normal"] < found["heavy"] and found["normal"] < alone


def scored(z: np.ndarray, **given: int) -> Scored:
    nothing, keys = np.zeros_like(z), pl.DataFrame({"slice": [str(at) for at in range(z.shape[1])]})
    same = {"expected": nothing, "scale": nothing + 1, "early": nothing, "sums": nothing, "sampled": nothing}
    return Scored(rule=Rule(), keys=keys, z=z, record=z > 5, **same, **{"memory": 56, "warm_up": 21, **given})  # type: ignore[arg-type]


def test_of_days_that_are_far_out_in_a_row_a_tail_knows_the_first() -> None:
    z = np.random.default_rng(8).normal(size=(60, 3))
    z[30:33, 0], z[50, 1] = 8.0, 7.0
    seen = scored(z).seen
    assert seen[30, 0] == 8.0 and np.isnan(seen[31:33, 0]).all() and seen[50, 1] == 7.0
    assert np.isnan(seen).sum() == 2
    z[40] = 9.0  # all slices at once: an incident of the whole, of which nothing is learned
    assert np.isnan(scored(z).seen[40]).all()


@pytest.mark.parametrize(("memory", "warm_up", "days"), [(56, 21, 35), (56, 7, 49), (28, 7, 21), (28, 21, 21)])
def test_a_limit_knows_of_how_many_days_the_settings_make_a_scale(memory: int, warm_up: int, days: int) -> None:
    """Sixty days: distances begin after the warm-up, and those of ``memory`` days are kept."""
    z = np.random.default_rng(7).normal(size=(60, 3))
    found = scored(z, memory=memory, warm_up=warm_up)
    usual, _, _ = found.limits(59, 1.0, None, np.empty(0))
    rate = 1.0 / 365.25 / 3 / 2
    assert usual == score_tail(found.old_sizes(59), rate=rate, days=days, sampled=0.0, freedom=4.0)
