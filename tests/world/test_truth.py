"""The truth: nothing against nothing, common luck, known answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from reclens.errors import UsageError
from reclens.world.arm import Arm
from reclens.world.policy import Policy
from reclens.world.population import draw_world
from reclens.world.response import respond
from reclens.world.settings import preset
from reclens.world.simulation import simulate
from reclens.world.strategies import Oracle, Popular, Random
from reclens.world.truth import METRICS, REPLICATES, learning, lift_over_pairs, true_effect


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
    return np.array(
        [
            [simulate(world, [arm], seed=seed, **how).users["expected_clicks"].mean() for arm in (control, treatment)]
            for seed in seeds
        ]
    )


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
    assert (effect.difference.n, effect.difference.note) == (6, "over_replicates")
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
        assert each.low is None and each.high is None and each.note == "one_replicate"
    assert true_effect(tiny, better, worse, days=1).replicates == REPLICATES > 1
    with pytest.raises(UsageError, match="replicates is 0"):
        true_effect(tiny, better, worse, replicates=0)


def explorers():
    """A world in which nobody knows yet what is good, who explores there, and who does not; it is learned daily."""
    unknown = {
        "users": 120,
        "items": 150,
        "history": 0.0,
        "organic": 0.0,
        "births": 0.0,
        "newness": 0.0,
        "taste_spread": 0.3,
        "appeal_spread": 1.5,
        "click_rate": 0.2,
        "repeat_cost": 0.0,
        "satiation": 0.0,
        "new_share": 0.0,
        "light_visits": 0.8,
        "heavy_visits": 0.8,
    }
    world, rules = draw_world(preset("tiny", **unknown), seed=3), {"k": 5, "pool": 150, "leave_out": False}
    explores = Arm(name="t", strategy=Popular(), policy=Policy(kind="epsilon", epsilon=0.2, **rules))
    return world, explores, Arm(name="c", strategy=Popular(), policy=Policy(**rules))


@pytest.mark.slow
def test_the_interval_holds_the_truth_as_often_as_it_says_where_strategies_learn(rate_error) -> None:
    # Luck is common to all users, and few lives find what is good: an interval over the users of one pair of lives is
    # far too narrow for that, and Student's over few pairs too short. Runs draw pairs from those that were lived, whose
    # mean is their truth.
    world, explores, greedy = explorers()
    found, runs = pairs(world, explores, greedy, seeds=range(240), days=4, retrain=1), 1_500
    truth = found[:, 1].mean() / found[:, 0].mean() - 1
    rng, held = np.random.default_rng(2), {}
    for each in (4, 16):
        drawn = [found[rng.integers(0, len(found), each)].T for _ in range(runs)]
        for learned in (True, False):
            lifts = [lift_over_pairs(*pair, learned=learned) for pair in drawn]
            held[each, learned] = np.mean([lift.low <= truth <= lift.high for lift in lifts])
            promised = {lift.coverage for lift in lifts}
            assert len(promised) == 1
            if learned:
                assert held[each, learned] >= (promised.pop() or 0.95) - rate_error(0.95, runs)
    assert held[4, False] < 0.86 and held[16, False] < 0.95
    lives = [
        simulate(world, [arm], days=4, retrain=1).users["expected_clicks"].to_numpy() for arm in (greedy, explores)
    ]
    over_users = (lives[1] - lives[1].mean() / lives[0].mean() * lives[0]).std() / lives[0].mean() / np.sqrt(120)
    assert over_users < 0.4 * (found[:, 1] / found[:, 0]).std()


@pytest.mark.parametrize("n", [2, 4, 8])
def test_intervals_of_arms_that_learn_hold_the_mean_of_exponential_lives(n, rate_error) -> None:
    runs, one = 3_000, np.ones(n)
    for skewed, seed in ((True, 1), (False, 2)):
        rng = np.random.default_rng([seed, n])
        values = 10 + (rng.exponential(size=(runs, n)) - 1 if skewed else rng.normal(size=(runs, n)))
        lifts = [lift_over_pairs(one, row, learned=True) for row in values]
        held = np.mean([lift.low <= 9 <= lift.high for lift in lifts])
        if skewed:
            assert held == pytest.approx(0.95, abs=rate_error(0.95, runs))
        assert held >= 0.95 - rate_error(0.95, runs)


def test_the_quantile_of_two_exponential_lives_by_calculus() -> None:
    # Their sum S is Gamma(2), and |difference| ÷ S is uniform and independent of it: |t| = |S - 2| ÷ (S U).
    lift = lift_over_pairs(np.ones(2), np.array([1.0, 3.0]), learned=True)
    quantile = lift.high - lift.value  # the standard error is 1
    tail, _ = integrate.quad(lambda s: min(1, abs(s - 2) / (s * quantile)) * s * np.exp(-s), 0, 60, limit=200)
    assert tail == pytest.approx(0.05, abs=0.0005)
    assert quantile > 1.8 * stats.t.ppf(0.975, 1)


def test_intervals_are_wider_only_where_something_is_learned(tiny) -> None:
    static, popular = [Arm(name="t", strategy=Oracle(tiny)), Arm(name="c", strategy=Random())], Popular()
    learns = [static[0], Arm(name="c", strategy=popular)]
    assert learning(learns, days=8, retrain=7) and learning(learns[::-1], days=8, retrain=7)
    # Once trained on the same history, all lives see the same lists.
    assert not learning(learns, days=7, retrain=7) and not learning(learns, days=8, retrain=0)
    assert not learning(static, days=8, retrain=1)
    wide = true_effect(tiny, *learns, days=3, retrain=1, replicates=4)["clicks"]
    short = true_effect(tiny, *learns, days=3, retrain=3, replicates=4)["clicks"]
    for each in ("difference", "lift"):
        assert 0.8 < getattr(wide, each).coverage < 0.95 and getattr(wide, each).note == "over_learning_replicates"
        assert getattr(short, each).coverage is None
    stated = [lift_over_pairs(np.ones(n), np.arange(n) + 1.0, learned=True).coverage for n in (2, 4, 6, 8, 12, 16)]
    assert stated[-1] is None and stated[:-1] == sorted(stated[:-1]) and stated[-2] < 0.95


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
