"""How often intervals hold the truth and verdicts are wrong, over simulated logs.

The grid is benchmarks/rates_off_policy.py. The bounds are 5 % and three Monte-Carlo errors; worlds are drawn anew in
every log, with policies that differ much.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy import stats

from reclens.experiment.off_policy import ESTIMATORS, Decisions, Limits, Target, evaluate_policy
from reclens.experiment.off_policy.estimators import BIASED, cut, linear_parts, tuned
from reclens.experiment.off_policy.intervals import Linear, effective_rewarded, mean_estimates
from reclens.experiment.off_policy.reward_model import reward_moments
from reclens.experiment.off_policy.weights import importance_weights, objections, weigh

RUNS = 300


def drawn_log(rng: np.random.Generator, rate: float, *, n: int = 5_000, alike: bool = False):
    """Four items in two categories; policies and rates are drawn. Returns the log, both policies, and the rates."""
    while True:
        logging, target = rng.dirichlet(np.full(4, 2.0)), rng.dirichlet(np.ones(4))
        rates = np.full(4, rate) if alike else rate * rng.uniform(0.4, 1.6, 2)[[0, 0, 1, 1]]
        action = rng.choice(4, n, p=logging)
        clicked = (rng.random(n) < rates[action]).astype(float)
        log = Decisions.of(action, clicked, logging[action], n_actions=4)
        measured = weigh(log, Target.of_probabilities(log, target))
        if measured.effective >= 200 and measured.largest_share <= 0.1 and logging.min() > 0.01:
            return log, logging, target, rates


@pytest.mark.parametrize("rate", [0.004, 0.02, 0.08])
def test_every_interval_holds_the_truth_of_300_logs(rate: float, rate_error) -> None:
    held = {name: np.zeros((RUNS, 2)) for name in ESTIMATORS if name not in BIASED}
    width, errors = (np.zeros((RUNS, len(held))) for _ in range(2))
    for seed in range(RUNS):
        log, logging, target, rates = drawn_log(np.random.default_rng(seed), rate)
        truths = target @ rates, (target - logging) @ rates
        found = evaluate_policy(
            log, target, categories=np.array([0, 0, 1, 1]), logging=Target.of_probabilities(log, logging)
        )
        for at, (name, each) in enumerate(held.items()):
            for side, (estimate, truth) in enumerate(
                zip((found[name].value, found[name].difference), truths, strict=True)
            ):
                each[seed, side] = estimate.low <= truth <= estimate.high
            value = found[name].value
            width[seed, at], errors[seed, at] = value.high - value.low, value.value - truths[0]
        for name in BIASED:
            one = found[name]
            assert one.value.low is None and one.difference.high is None and one.says == "none"
            assert one.refused == "biased"
    for name, each in held.items():
        assert (each.mean(axis=0) >= 0.95 - rate_error(0.05, RUNS)).all(), (name, each.mean(axis=0))
    if rate == 0.08:  # and are no wider than that takes, where clicks are many
        assert (np.abs(errors / width).std(axis=0) > 0).all()
        ratio = (errors / (width / 3.92)).std(axis=0)
        assert ((ratio > 0.85) & (ratio < 1.1)).all(), ratio


@pytest.mark.parametrize("clicks", [5, 10, 20])
def test_few_clicks_give_no_false_verdicts(clicks: int, rate_error) -> None:
    said, held, runs = [], [], 200
    for seed in range(runs):
        log, _, target, _ = drawn_log(np.random.default_rng(seed), clicks / 5_000, alike=True)
        found = evaluate_policy(log, target, estimators=["ips", "dr"])
        said += [[found[name].says, found[name].refused] for name in ("ips", "dr")]
        gap = found["dr"].difference
        held += [gap.low <= 0 <= gap.high] if gap.low is not None else []
    # The intervals hold also where the floor forbids a verdict: 5 clicks and fewer.
    assert np.mean(held) >= 0.95 - rate_error(0.05, len(held)) and len(held) > 0.95 * runs
    says, refused = np.array(said, object).T
    wrong = np.isin(says, ("higher", "lower")).mean()
    assert wrong <= 0.05 + rate_error(0.05, runs), wrong
    # Five clicks are refused as a rule, and twenty are not.
    assert ((refused == "rewarded").mean() > 0.5) if clicks == 5 else ((refused == "rewarded").mean() < 0.5)


def test_few_and_unequal_users(rate_error) -> None:
    """Users with a taste of their own and up to some ten times as many decisions as others."""
    wrong, runs = {4: 0, 12: 0}, 200
    for users, seed in product(wrong, range(runs)):
        rng = np.random.default_rng(seed)
        logging, target = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.1, 0.2, 0.3, 0.4])
        size = rng.lognormal(0, 1, users)
        user, action = rng.choice(users, 2_000, p=size / size.sum()), rng.choice(4, 2_000, p=logging)
        rates = np.minimum(0.06 * rng.lognormal(0, 1, (users, 4)), 1)
        log = Decisions.of(action, rng.random(2_000) < rates[user, action], logging[action], users=user, n_actions=4)
        found = evaluate_policy(log, target, estimators=["dr"])
        wrong[users] += found["dr"].says in ("higher", "lower")
        assert ("few_users" in {each.code for each in found.objections}) == (log.n_units < 10)
    for users, times in wrong.items():
        assert times / runs <= 0.05 + rate_error(0.05, runs), (users, times)


# ----------------------------------------------------------------------------------------------- exactly, by hand


def test_the_normal_interval_is_that_of_student() -> None:
    rng = np.random.default_rng(1)
    reward = rng.exponential(size=5)
    log = Decisions.of(rng.integers(2, size=5), reward, np.full(5, 0.5))
    values = np.where(log.actions == 0, 1.4, 0.6) * reward
    found = evaluate_policy(log, np.array([0.7, 0.3]), estimators=["ips"], method="normal")["ips"].value
    low, high = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
    assert (found.value, found.low, found.high) == pytest.approx((values.mean(), low, high), rel=1e-12)


def test_the_normal_interval_of_snips_is_the_delta_method() -> None:
    rng = np.random.default_rng(1)
    reward, action = rng.exponential(size=60), rng.integers(2, size=60)
    log = Decisions.of(action, reward, np.full(60, 0.5))
    w = np.where(action == 0, 1.4, 0.6)
    value = (w * reward).sum() / w.sum()
    influence = w * (reward - value) / w.mean()
    half = stats.t.ppf(0.975, 59) * stats.sem(influence)
    found = evaluate_policy(log, np.array([0.7, 0.3]), estimators=["snips"], method="normal")["snips"]
    assert (found.value.low, found.value.high) == pytest.approx((value - half, value + half), rel=1e-12)
    gap = influence + value - reward
    half = stats.t.ppf(0.975, 59) * stats.sem(gap)
    assert (found.difference.low, found.difference.high) == pytest.approx((gap.mean() - half, gap.mean() + half))


def test_the_normal_interval_of_unequal_users_is_the_jackknife() -> None:
    rng = np.random.default_rng(2)
    users = np.repeat(np.arange(6), [1, 2, 3, 5, 8, 13])
    reward = rng.random(32)
    log = Decisions.of(np.zeros(32, int), reward, np.ones(32), users=users)
    found = mean_estimates({"a": Linear(np.ones(32), np.zeros(32))}, log, method="normal")["a"]
    without = np.array([reward[users != user].mean() for user in range(6)])
    half = stats.t.ppf(0.975, 5) * np.sqrt(5 / 6 * ((without - reward.mean()) ** 2).sum())
    assert (found.low, found.high) == pytest.approx((reward.mean() - half, reward.mean() + half), rel=1e-12)


def test_predicted_sums_are_those_over_all_outcomes() -> None:
    """Four decisions of two users: the expected Σ e², Σ e³, Σ e⁴ are sums over the 16 ways to click."""
    from reclens.experiment.off_policy.intervals import _about_rewards, _predicted_sums

    log = Decisions.of([0, 1, 1, 0], [0, 1, 0, 0], np.full(4, 0.5), users=[0, 0, 1, 1])
    part = Linear(np.array([1.0, -2.0, 3.0, 0.5]), np.array([0.1, 0.0, -0.2, 0.0]))
    chance = np.array([0.1, 0.4])
    center, grown = 0.15, np.array([1.0, 1.5])
    found = _predicted_sums(
        np.full(4, center), part, log, _about_rewards(np.tile(chance, (4, 1))[:, :, None], log), grown
    )
    expected = np.zeros(3)
    for ways in product([0, 1], repeat=4):
        clicks = np.array(ways)
        odds = np.where(clicks == 1, chance[log.actions], 1 - chance[log.actions]).prod()
        e = grown * np.bincount(log.units, part.values(clicks) - center)
        expected += odds * np.array([(e**p).sum() for p in (2, 3, 4)])
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_halls_interval_by_hand() -> None:
    """Observed sums where nothing can be predicted better: one item, shown with a probability of 1."""
    rng = np.random.default_rng(3)
    reward = rng.gamma(0.5, size=40)
    log = Decisions.of(np.zeros(40, int), reward, np.ones(40))
    found = mean_estimates({"a": Linear(np.ones(40), np.zeros(40))}, log, moments=reward_moments(log))["a"]
    e = reward - reward.mean()
    s2, s3, s4 = ((e**p).sum() for p in (2, 3, 4))
    freedom = min(39, 2 / (s4 / s2**2 - 1 / 40))
    a, se = s3 / s2**1.5 / 3, np.sqrt(40 / 39 * s2) / 40
    ends = []
    for side in (1, -1):
        x = side * stats.t.ppf(0.975, freedom)
        t = np.real(next(root for root in np.roots([a * a / 3, a, 1, a / 2 - x]) if abs(root.imag) < 1e-9))
        ends.append(reward.mean() - se * t)
    assert (found.low, found.high) == pytest.approx(ends, rel=1e-9)


@pytest.mark.parametrize(("n", "likely"), [(150, True), (15_000, False)])
def test_the_larger_variance_counts_unless_the_prediction_is_wrong(n: int, likely: bool) -> None:
    """The item with the large weight was never clicked: with few decisions by chance, with many it is not liked."""
    from reclens.experiment.off_policy.intervals import _about_rewards, _predicted_sums

    action = np.arange(n) % 10 // 9
    reward = ((action == 0) & (np.arange(n) % 15 == 0)).astype(float)
    log = Decisions.of(action, reward, np.where(action == 0, 0.9, 0.1))
    part = Linear(np.where(action == 0, 0.5 / 0.9, 5.0), np.zeros(n))
    # All items are predicted to be clicked alike.
    moments = np.full((4, 2, 1), reward.mean())
    found = mean_estimates({"a": part}, log, moments=moments)["a"]
    e = part.values(reward) - part.values(reward).mean()
    grown = 1 / (1 - 1 / n)
    observed = np.array([((e * grown) ** p).sum() for p in (2, 3, 4)])
    value = part.values(reward).mean()
    predicted = _predicted_sums(np.full(n, value), part, log, _about_rewards(moments, log), np.full(n, grown))
    assert predicted[0] > observed[0]
    assert (observed[0] >= predicted[0] - 3 * np.sqrt(predicted[2])) == likely
    used = [observed, predicted] if likely else [observed]
    freedom = min(n - 1, 2 / (max(s[2] / s[0] ** 2 for s in used) - 1 / n))
    sums = predicted if likely else observed
    a, se = sums[1] / sums[0] ** 1.5 / 3, np.sqrt((n - 1) / n * sums[0]) / n
    ends = []
    for side in (1, -1):
        x = side * stats.t.ppf(0.975, freedom)
        t = np.real(next(root for root in np.roots([a * a / 3, a, 1, a / 2 - x]) if abs(root.imag) < 1e-9))
        ends.append(value - se * t)
    assert (found.low, found.high) == pytest.approx(ends, rel=1e-7)


def test_weights_at_the_threshold_are_kept() -> None:
    assert cut("switch_dr", np.array([1.0, 2.0, 3.0]), 2.0).tolist() == [1.0, 2.0, 0.0]
    # A model that is far off: the threshold is the largest weight, and nothing is cut.
    rng = np.random.default_rng(4)
    weights, rewards = rng.choice([0.5, 1.0, 4.0], 3_000), rng.random(3_000)
    given = {"weights": weights, "rewards": rewards, "logged": np.full(3_000, 9.0), "expected": np.full(3_000, 9.0)}
    threshold = tuned("switch_dr", units=np.arange(3_000), **given)
    assert threshold == 4.0
    switched = linear_parts("switch_dr", parameter=threshold, **given).values(rewards)
    np.testing.assert_array_equal(switched, linear_parts("dr", **given).values(rewards))


def test_the_threshold_has_the_least_error_of_all() -> None:
    rng = np.random.default_rng(5)
    weights, rewards, units = rng.choice([0.2, 1.0, 3.0, 8.0], 400), rng.random(400), np.arange(400) // 2
    logged = 0.3 + 0.1 * rng.random(400)
    expected = np.full(400, 0.4)
    error = {}
    for threshold in (1.0, 3.0, 8.0):
        kept = np.where(weights <= threshold, weights, 0)
        values = expected + kept * (rewards - logged)
        of_user = (values - values.mean()).reshape(200, 2).sum(axis=1)
        error[threshold] = (of_user**2).sum() / 400**2 + ((weights - kept) * (rewards - logged)).mean() ** 2
    found = tuned("switch_dr", weights=weights, rewards=rewards, logged=logged, expected=expected, units=units)
    assert found == min(error, key=lambda one: error[one])


def test_limits_hold_at_their_edges() -> None:
    rng = np.random.default_rng(6)
    action = rng.integers(2, size=400)
    log = Decisions.of(action, rng.random(400), np.full(400, 0.5), users=np.arange(400) // 4)
    found = weigh(log, Target.of_probabilities(log, np.array([0.9, 0.1])))
    w = importance_weights(log, Target.of_probabilities(log, np.array([0.9, 0.1])))
    of_user = (w - w.mean()).reshape(100, 4).sum(axis=1)
    assert found.mean_se == pytest.approx(of_user.std(ddof=1) * np.sqrt(100) / 400)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(found.mean - 1) / found.mean_se))
    free: dict[str, Any] = {"units": 0, "effective": 0.0, "share": 0.0, "largest": 1.0, "unseen": 1.0, "alpha": 0.0}
    for name, value, over in (
        ("units", found.units, 1),
        ("effective", found.effective, 1e-9),
        ("share", found.effective / found.n, 1e-9),
    ):
        assert not objections(found, limits=Limits(**free | {name: value})), name
        assert len(objections(found, limits=Limits(**free | {name: value + over}))) == 1, name
    assert not objections(found, limits=Limits(**free | {"largest": found.largest_share}))
    assert len(objections(found, limits=Limits(**free | {"largest": found.largest_share - 1e-9}))) == 1
    # An item that was shown ten times is no longer rare; one that was shown nine times is.
    counts = Decisions.of(np.repeat([0, 1, 2], [81, 10, 9]), np.zeros(100), np.full(100, 1 / 3), n_actions=4)
    measured = weigh(counts, Target.of_probabilities(counts, np.array([0.5, 0.2, 0.25, 0.05])))
    assert (measured.unseen, measured.rare) == pytest.approx((0.05, 0.30))
    assert not objections(measured, limits=Limits(**free | {"unseen": measured.unseen}))
    assert len(objections(measured, limits=Limits(**free | {"unseen": 0.0499}))) == 1


def test_the_floor_of_rewarded_decisions_at_its_edge() -> None:
    log = Decisions.of([0, 1] * 100, np.repeat([1.0, 0.0], [8, 192]), np.full(200, 0.5))
    own = effective_rewarded(
        linear_parts("ips", weights=np.tile([1.5, 0.5], 100), rewards=log.rewards)
        - Linear(np.ones(200), np.zeros(200)),
        log.rewards,
    )
    assert own == pytest.approx(8.0), "four of +.5 and four of -.5"
    for floor, refused in ((own, None), (own + 1e-9, "rewarded")):
        found = evaluate_policy(
            log, np.array([0.75, 0.25]), estimators=["ips"], limits=Limits(rewarded=floor, effective=0)
        )
        assert found["ips"].refused == refused
    assert found.verdict == "none" and found["ips"].rewarded == pytest.approx(8.0)
    assert Limits().least_rewarded("hall") == 5 and Limits().least_rewarded("normal") == 50
