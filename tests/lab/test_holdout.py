"""The long run: power against simulation, the surrogate index against the truth, effects by age."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from scipy import stats

from reclens.errors import DataError, UnknownNameError, UsageError
from reclens.lab.holdout import _regress, effect_by_age, holdout_power, surrogate_study
from reclens.world.arm import Arm
from reclens.world.population import draw_world
from reclens.world.settings import preset
from reclens.world.simulation import simulate
from reclens.world.strategies import Oracle, Popular, Random


def test_power_of_a_holdout_is_that_of_simulated_ones(rng) -> None:
    mean, sd, rho, lift, months, n, share = 10.0, 8.0, 0.3, 0.08, 4, 2_000, 0.2
    rows = holdout_power(users=n, share=share, mean=mean, sd=sd, correlation=rho, lift=lift, months=months)
    held = int(n * share)
    found = np.zeros(months)
    for _ in range(400):
        person = rng.normal(size=(n, 1)) * np.sqrt(rho)
        y = mean + sd * (person + rng.normal(size=(n, months)) * np.sqrt(1 - rho))
        y[held:] *= 1
        y[held:] += mean * lift
        for month in range(months):
            total = y[:, : month + 1].mean(axis=1)
            found[month] += stats.ttest_ind(total[held:], total[:held], equal_var=False).pvalue < 0.05
    error = np.sqrt(0.25 / 400)
    assert (np.abs(found / 400 - [row["power"] for row in rows]) < 3.5 * error).all()
    assert np.diff([row["detectable_lift"] for row in rows]).max() < 0


def test_a_detectable_lift_is_found_as_often_as_asked() -> None:
    common = {"users": 50_000, "share": 0.1, "mean": 5.0, "sd": 9.0, "correlation": 0.5, "months": 3, "attrition": 0.05}
    rows = holdout_power(**common, lift=0.0)
    assert rows[0]["power"] == pytest.approx(0.05) and rows[2]["users"] == pytest.approx(50_000 * 0.95**2)
    again = holdout_power(**common, lift=rows[2]["detectable_lift"])
    assert again[2]["power"] == pytest.approx(0.8, abs=1e-3)
    with pytest.raises(UsageError, match="share is 1"):
        holdout_power(**{**common, "share": 1.0}, lift=0.1)


@pytest.fixture(scope="module")
def world():
    return draw_world(preset("tiny", users=1_500, new_share=0.0), seed=4)


def test_a_surrogate_index_is_held_against_the_truth(world) -> None:
    treatment, control = Arm(name="t", strategy=Oracle(world)), Arm(name="c", strategy=Random())
    found = surrogate_study(
        world, treatment, control, short=7, long=28, outcome="expected_clicks", surrogates=("expected_clicks", "visits")
    )
    # It has the sign and not the size: what differs between users in a week is mostly luck, which does not last.
    assert found.truth.low > 0 and found.index.low > 0 and found.index.high < found.truth.value and found.r2 > 0.4
    assert not found.covers and found.residual.low > 0
    # The long test is Welch on the users, whose first week is the short test.
    run = simulate(world, [control, treatment], days=28)
    sides = [run.users.filter(run.users["variant"] == name)["expected_clicks"].to_numpy() for name in "ct"]
    assert found.long.value == pytest.approx(sides[1].mean() - sides[0].mean())
    assert found.long.low < found.truth.value < found.long.high
    assert found.covers == (found.index.low <= found.truth.value <= found.index.high)
    # Visits alone carry little of what a better list does: the residual shows it.
    blind = surrogate_study(
        world, treatment, control, short=7, long=28, outcome="expected_clicks", surrogates=("visits",)
    )
    assert blind.residual.low > 0 and not blind.covers
    assert abs(blind.index.value - blind.truth.value) > abs(found.index.value - found.truth.value)
    nothing = surrogate_study(world, Arm(name="t", strategy=Random()), control, short=7, long=14)
    assert nothing.truth.value == 0 and nothing.covers and nothing.residual.low < 0 < nothing.residual.high
    with pytest.raises(UsageError, match="short is 28"):
        surrogate_study(world, treatment, control, short=28, long=28)
    with pytest.raises(UnknownNameError, match="clicks"):
        surrogate_study(world, treatment, control, outcome="clics")


def test_the_regression_is_that_of_numpy(rng) -> None:
    x = np.column_stack([np.ones(50), rng.normal(size=(50, 2))])
    y = x @ [1.0, 2.0, -1.0] + rng.normal(size=50)
    weights, covariance, r2 = _regress(x, y)
    expected, residues, *_ = np.linalg.lstsq(x, y, rcond=None)
    np.testing.assert_allclose(weights, expected)
    assert r2 == pytest.approx(1 - residues[0] / ((y - y.mean()) ** 2).sum())
    left = y - x @ expected
    bread = np.linalg.inv(x.T @ x)
    np.testing.assert_allclose(covariance, bread @ (x.T @ np.diag(left**2) @ x) @ bread)


def test_effects_by_age_by_hand() -> None:
    day = [dt.date(2026, 1, 1) + dt.timedelta(days=at) for at in range(3)]
    rows = [{"user_id": user, "date": day[0], "variant": "c" if user < 30 else "t", "clicks": 1} for user in range(60)]
    rows += [{"user_id": user, "date": day[1], "variant": "t", "clicks": 2} for user in range(30, 45)]
    rows += [{"user_id": 99, "date": day[2], "variant": "t", "clicks": 1}]  # seen on one day: counts at age 0 alone
    found = effect_by_age(pl.DataFrame(rows), treatment="t", control="c")
    assert [row["users"] for row in found] == [61, 60, 60]
    assert [row["difference"] for row in found] == pytest.approx([0, 1, 0])
    assert [row["treatment"] for row in found] == pytest.approx([1, 1, 0])
    with pytest.raises(DataError, match="no column lists"):
        effect_by_age(pl.DataFrame(rows), treatment="t", control="c", metric="lists")


def test_a_novelty_that_was_put_in_wears_off(tmp_path) -> None:
    world = draw_world(
        preset(
            "tiny",
            users=3_000,
            novelty=1.5,
            novelty_days=3.0,
            click_rate=0.2,
            new_share=0.0,
            light_visits=0.7,
            heavy_visits=0.7,
            satiation=0.0,
            repeat_cost=0.0,
        ),
        seed=2,
    )
    arms = [Arm(name="c", strategy=Popular()), Arm(name="t", strategy=Popular(), changed=True)]
    run = simulate(world, arms, days=21, retrain=0, folder=tmp_path / "log")
    log = pl.read_parquet(run.folder / "user_days" / "*.parquet")
    found = effect_by_age(log, treatment="t", control="c", metric="expected_clicks")
    early, late = (np.mean([row["difference"] for row in part]) for part in (found[:3], found[12:18]))
    assert found[0]["low"] > 0 and early > 3 * abs(late)
