"""The truth: nothing against nothing, common luck, known answers."""

from __future__ import annotations

import numpy as np
import pytest

from reclens.errors import UsageError
from reclens.world.policy import Policy
from reclens.world.response import respond
from reclens.world.simulate import Arm, simulate
from reclens.world.strategies import Oracle, Popular, Random
from reclens.world.truth import METRICS, true_effect


def test_a_strategy_against_itself_has_no_effect_at_all(tiny) -> None:
    policy = Policy(kind="softmax")
    same = [Arm(name=name, strategy=Popular(), policy=policy) for name in ("a", "b")]
    truth = true_effect(tiny, same[0], same[1], days=9, retrain=3, replicates=2)
    for metric in METRICS:
        effect = truth[metric]
        assert effect.difference.value == effect.difference.low == effect.difference.high == 0
        assert effect.control == effect.treatment > 0


def test_common_luck_makes_the_error_of_a_difference_smaller(tiny) -> None:
    near = Arm(name="t", strategy=Oracle(tiny, blur=0.3))
    control = Arm(name="c", strategy=Oracle(tiny))
    paired = true_effect(tiny, near, control, days=14)["clicks"]
    a, b = (
        simulate(tiny, [arm], days=14, seed=seed).users["clicks"].to_numpy() for arm, seed in ((control, 0), (near, 9))
    )
    apart = np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
    half = (paired.difference.high - paired.difference.low) / 2 / 1.96
    assert half < 0.7 * apart


def test_the_better_strategy_wins_and_replicates_agree_with_one_life(tiny) -> None:
    better, worse = Arm(name="t", strategy=Oracle(tiny)), Arm(name="c", strategy=Random())
    once = true_effect(tiny, better, worse, days=10)["expected_clicks"]
    often = true_effect(tiny, better, worse, days=10, replicates=4, seed=50)["expected_clicks"]
    assert once.difference.low > 0 and often.difference.low > 0
    assert abs(once.difference.value - often.difference.value) < 3 * (once.difference.high - once.difference.value)
    assert once.lift.value == pytest.approx(once.treatment / once.control - 1)
    with pytest.raises(UsageError, match="replicates is 0"):
        true_effect(tiny, better, worse, replicates=0)


def test_the_interval_of_a_ratio_is_that_of_the_delta_method(tiny) -> None:
    arms = [Arm(name="t", strategy=Oracle(tiny)), Arm(name="c", strategy=Random())]
    effect = true_effect(tiny, arms[0], arms[1], days=7)["clicks_per_list"]
    runs = [simulate(tiny, [arm], days=7).users for arm in arms]
    t, c = (run["clicks"].sum() / run["lists"].sum() for run in runs)
    assert effect.difference.value == pytest.approx(t - c)
    # A bootstrap over users, as another road to the same error.
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(1000):
        some = rng.integers(0, tiny.users.height, tiny.users.height)
        parts = [run["clicks"].to_numpy()[some].sum() / run["lists"].to_numpy()[some].sum() for run in runs]
        draws.append(parts[0] - parts[1])
    half = (effect.difference.high - effect.difference.low) / 2
    assert half == pytest.approx(1.96 * np.std(draws), rel=0.15)


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
