"""The truth: nothing against nothing, common luck, known answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from reclens.errors import UsageError
from reclens.world.policy import Policy
from reclens.world.population import draw_world
from reclens.world.response import respond
from reclens.world.settings import preset
from reclens.world.simulate import Arm, simulate
from reclens.world.strategies import Oracle, Popular, Random
from reclens.world.truth import METRICS, REPLICATES, lift_over_pairs, true_effect


def test_a_strategy_against_itself_has_no_effect_at_all(tiny) -> None:
    policy = Policy(kind="softmax")
    same = [Arm(name=name, strategy=Popular(), policy=policy) for name in ("a", "b")]
    truth = true_effect(tiny, same[0], same[1], days=9, retrain=3, replicates=2)
    for metric in METRICS:
        effect = truth[metric]
        assert effect.difference.value == effect.difference.low == effect.difference.high == 0
        assert effect.control == effect.treatment > 0


def pairs(world, treatment: Arm, control: Arm, *, seeds, **how) -> np.ndarray:
    """Expected clicks a user of both lives of each pair; shape (pairs, 2)."""
    return np.array([[simulate(world, [arm], seed=seed, **how).users["expected_clicks"].mean()
                      for arm in (control, treatment)] for seed in seeds])  # fmt: skip


def test_common_luck_makes_the_error_of_a_difference_smaller(tiny) -> None:
    near, control = Arm(name="t", strategy=Oracle(tiny, blur=0.3)), Arm(name="c", strategy=Oracle(tiny))
    found = pairs(tiny, near, control, seeds=range(12), days=7)
    apart = np.sqrt(found.var(axis=0, ddof=1).sum())
    assert (found[:, 1] - found[:, 0]).std(ddof=1) < 0.7 * apart


def test_intervals_are_students_over_pairs_of_lives(tiny) -> None:
    better, worse = Arm(name="t", strategy=Oracle(tiny)), Arm(name="c", strategy=Random())
    effect = true_effect(tiny, better, worse, days=5, replicates=6, seed=50)["expected_clicks"]
    found = pairs(tiny, better, worse, seeds=range(50, 56), days=5)
    gaps = found[:, 1] - found[:, 0]
    student = stats.t.interval(0.95, 5, gaps.mean(), stats.sem(gaps))
    assert (effect.difference.low, effect.difference.high) == pytest.approx(student)
    assert effect.difference.n == 6 and "6 replicates" in effect.difference.note
    # The lift is the ratio of the means, and its interval that of the ratio made linear, around it.
    assert effect.lift.value == pytest.approx(found[:, 1].mean() / found[:, 0].mean() - 1)
    assert effect.lift.value == pytest.approx(effect.treatment / effect.control - 1)
    linear = (found[:, 1] - (1 + effect.lift.value) * found[:, 0]) / found[:, 0].mean()
    half = stats.t.ppf(0.975, 5) * stats.sem(linear)
    assert effect.lift.high - effect.lift.value == pytest.approx(half)
    assert effect.lift.value - effect.lift.low == pytest.approx(half)
    assert half == pytest.approx(stats.t.ppf(0.975, 5) * stats.sem(found[:, 1] / found[:, 0]), rel=0.15)


def test_the_ratio_of_a_pair_is_of_sums(tiny) -> None:
    arms = [Arm(name="t", strategy=Oracle(tiny)), Arm(name="c", strategy=Random())]
    effect = true_effect(tiny, arms[0], arms[1], days=7, replicates=2)["clicks_per_list"]
    runs = [[simulate(tiny, [arm], days=7, seed=seed).users for arm in arms] for seed in (0, 1)]
    t, c = np.mean([[run["clicks"].sum() / run["lists"].sum() for run in pair] for pair in runs], axis=0)
    assert (effect.treatment, effect.control) == pytest.approx((t, c))
    assert effect.difference.value == pytest.approx(t - c)


def test_one_pair_of_lives_is_a_draw_without_an_interval(tiny) -> None:
    better, worse = Arm(name="t", strategy=Oracle(tiny)), Arm(name="c", strategy=Random())
    once = true_effect(tiny, better, worse, days=5, replicates=1)["expected_clicks"]
    for each in (once.difference, once.lift):
        assert each.low is None and each.high is None and "one draw of luck" in each.note
    assert true_effect(tiny, better, worse, days=1).replicates == REPLICATES > 1
    with pytest.raises(UsageError, match="replicates is 0"):
        true_effect(tiny, better, worse, replicates=0)


def test_the_interval_holds_the_truth_where_strategies_learn(rate_error) -> None:
    # Nobody knows yet what is good, and every day is learned from: luck is common to all users. An interval over the
    # users of one pair of lives is far too narrow for that.
    unknown = {"users": 120, "items": 150, "history": 0.0, "organic": 0.0, "births": 0.0, "newness": 0.0,
               "taste_spread": 0.3, "appeal_spread": 1.5, "click_rate": 0.2, "repeat_cost": 0.0, "satiation": 0.0,
               "new_share": 0.0, "light_visits": 0.8, "heavy_visits": 0.8}  # fmt: skip
    world, rules = draw_world(preset("tiny", **unknown), seed=3), {"k": 5, "pool": 150, "leave_out": False}
    explores = Arm(name="t", strategy=Popular(), policy=Policy(kind="epsilon", epsilon=0.2, **rules))
    greedy = Arm(name="c", strategy=Popular(), policy=Policy(**rules))
    groups, each = 24, 4
    found = pairs(world, explores, greedy, seeds=range(groups * each), days=4, retrain=1)
    truth = found[:, 1].mean() / found[:, 0].mean() - 1
    held = []
    for part in found.reshape(groups, each, 2):
        lift = lift_over_pairs(part[:, 0], part[:, 1])
        held.append(lift.low <= truth <= lift.high)
    assert np.mean(held) == pytest.approx(0.95, abs=rate_error(0.95, groups))
    lives = [simulate(world, [arm], days=4, retrain=1).users["expected_clicks"].to_numpy()
             for arm in (greedy, explores)]  # fmt: skip
    over_users = (lives[1] - lives[1].mean() / lives[0].mean() * lives[0]).std() / lives[0].mean() / np.sqrt(120)
    assert over_users < 0.4 * (found[:, 1] / found[:, 0]).std()


def test_answers_to_lists_are_those_of_the_first_day(still, tmp_path) -> None:
    import polars as pl

    run = simulate(
        still, [Arm(name="a", strategy=Popular(), policy=Policy(k=5))], days=1, seed=6, folder=tmp_path / "log"
    )
    log = pl.read_parquet(run.folder / "impressions" / "*.parquet").sort("request_id", "position")
    first = log.filter(pl.col("request_id") % still.settings.most_lists == 0)
    lists = first["item_id"].to_numpy().reshape(-1, 5)
    users = first["user_id"].to_numpy().reshape(-1, 5)[:, 0]
    answer = respond(still, users, lists, seed=6)
    np.testing.assert_array_equal(answer.clicked, first["clicked"].to_numpy().reshape(-1, 5) == 1)
    np.testing.assert_allclose(answer.expected, first["expected"].to_numpy().reshape(-1, 5), rtol=1e-5)
    np.testing.assert_allclose(answer.examined, first["examined"].to_numpy().reshape(-1, 5), rtol=1e-5)


def test_answers_by_hand(still) -> None:
    users, lists = np.zeros(1, int), np.array([[3, 7, -1]])
    weights = np.exp(still.appeal_on(0)[[3, 7]] + still.tastes[0] @ still.vectors[[3, 7]].T)
    none, eta = np.exp(still.traits[0, 1]), still.traits[0, 2]
    second = 2.0**-eta
    first = (1 - second) * weights[0] / (none + weights[0]) + second * weights[0] / (none + weights.sum())
    answer = respond(still, users, lists)
    np.testing.assert_allclose(answer.expected[0], [first, second * weights[1] / (none + weights.sum()), 0], rtol=1e-4)
    many = respond(still, np.zeros(4_000, int), np.repeat(lists, 4_000, axis=0), requests=np.arange(4_000))
    rate = many.clicked.mean(axis=0)
    assert np.abs(rate - answer.expected[0]).max() < 4 * np.sqrt(0.25 / 4_000)
    with pytest.raises(UsageError, match="out of range"):
        respond(still, users, np.array([[500]]))
    with pytest.raises(UsageError, match="one list a user"):
        respond(still, users, np.array([1, 2]))
