"""Off-policy evaluation: the published numbers of the Open Bandit sample, laws, and when it is silent.

``stored/open_bandit_random_all.npz`` is the published sample (10,000 rounds of the random policy, campaign "all") of
the Open Bandit Dataset, with features as codes, and the prior of Thompson sampling in production; st-tech/zr-obp,
Apache-2.0; Saito, Aihara, Matsutani, Narita (2021), arXiv 2008.07146.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from reclens.errors import DataError, UnknownNameError, UsageError
from reclens.experiment.off_policy import Decisions, Limits, Target, click_rates, evaluate_policy, read_decisions
from reclens.experiment.off_policy.estimators import linear_parts, tuned
from reclens.experiment.off_policy.intervals import Linear, mean_estimates
from reclens.world.policy import Policy

# -------------------------------------------------------------------------------------------------- laws


def bandit_world(n: int, seed: int, actions: int = 4, kinds: int = 3):
    """Contexts of a few kinds; a logging and a target policy, and the truth."""
    rng = np.random.default_rng(seed)
    logging, target = rng.dirichlet(np.full(actions, 2.0), kinds), rng.dirichlet(np.full(actions, 1.0), kinds)
    means = rng.uniform(0.05, 0.6, (kinds, actions))
    kind = rng.integers(kinds, size=n)
    action = (rng.random((n, 1)) > logging[kind].cumsum(axis=1)).sum(axis=1).clip(max=actions - 1)
    reward = (rng.random(n) < means[kind, action]).astype(float)
    truth = float((target * means).sum(axis=1).mean())
    return kind, action, reward, logging[kind, action], target, means, truth


@pytest.mark.parametrize("seed", [1, 2])
def test_every_estimator_is_unbiased_where_its_assumptions_hold(seed: int) -> None:
    kind, action, reward, propensity, target, means, truth = bandit_world(60_000, seed)
    log = Decisions.of(action, reward, propensity, n_actions=4)
    right, wrong = means[kind], np.full((len(kind), 4), 0.9)
    probabilities = target[kind]
    for predictions in (right, wrong):
        found = evaluate_policy(log, probabilities, predictions=predictions, method="normal")
        for name in ("ips", "snips", "dr"):
            value = found[name].value
            assert abs(value.value - truth) < 4 * (value.high - value.low) / 3.92, name
        assert not found.objections
    assert abs(found["dm"].value.value - truth) > 0.2, "a wrong model alone is wrong"
    good = evaluate_policy(log, probabilities, predictions=right, method="normal")
    assert good["dm"].value.value == pytest.approx(truth, abs=0.005)
    for name in ("switch_dr", "dr_os"):
        assert good[name].value.value == pytest.approx(truth, abs=0.01)
    # A right model makes the doubly robust estimate the more precise one.
    width = {name: good[name].value.high - good[name].value.low for name in ("ips", "dr")}
    assert width["dr"] < 0.97 * width["ips"]


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    held = dict.fromkeys(("ips", "snips", "dr"), 0)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        _, action, _, _, target, means, _ = bandit_world(600, 7, kinds=1)
        logging = np.bincount(action, minlength=4) / 600
        action = rng.choice(4, 600, p=logging)
        reward = (rng.random(600) < means[0, action]).astype(float)
        truth = float(target[0] @ means[0])
        log = Decisions.of(action, reward, logging[action], n_actions=4)
        found = evaluate_policy(log, target[0], estimators=list(held), rng=seed)
        for name in held:
            held[name] += found[name].value.low <= truth <= found[name].value.high
    for name, times in held.items():
        assert 0.90 <= times / 200 <= 0.985, (
            name
        )  # 95 % ± 3.2 Monte-Carlo errors, less what 600 rows are short of normal


def test_the_logging_policy_itself_is_worth_what_was_logged() -> None:
    _, action, reward, propensity, *_ = bandit_world(5_000, 3, kinds=1)
    log = Decisions.of(action, reward, propensity)
    logging = np.array([propensity[action == a][0] for a in range(4)])
    found = evaluate_policy(log, logging / logging.sum(), method="normal")
    assert found["ips"].value.value == found.logged.value == reward.mean()
    assert found["ips"].difference.value == pytest.approx(0, abs=1e-12)
    assert found.weights.effective == pytest.approx(5_000) and found.weights.p_value == pytest.approx(1)


def test_users_are_resampled_whole() -> None:
    rng = np.random.default_rng(4)
    action, reward = rng.integers(2, size=500), rng.random(500)
    single = Decisions.of(action, reward, np.full(500, 0.5))
    actions, rewards, users = (np.tile(column, 10) for column in (action, reward, np.arange(500)))
    tenfold = Decisions.of(actions, rewards, np.full(5_000, 0.5), users=users)
    one, ten = (
        evaluate_policy(log, np.array([0.9, 0.1]), estimators=["ips"], method="normal")["ips"].value
        for log in (single, tenfold)
    )
    assert (ten.value, ten.low, ten.high) == pytest.approx((one.value, one.low, one.high), rel=1e-9)
    assert ten.n == 500
    one, ten = (
        evaluate_policy(log, np.array([0.9, 0.1]), estimators=["ips"])["ips"].value for log in (single, tenfold)
    )
    assert ten.high - ten.low == pytest.approx(one.high - one.low, rel=0.05), "predictions count the effect of users"


def test_hand_computed() -> None:
    w, r, q, v = (
        np.array([2.0, 0.5, 4.0]),
        np.array([1.0, 0.0, 1.0]),
        np.array([0.5, 0.2, 0.4]),
        np.array([0.3, 0.3, 0.6]),
    )
    expected = {
        "ips": (2 + 0 + 4) / 3,
        "snips": 6 / 6.5,
        "dm": 1.2 / 3,
        "dr": (0.3 + 1 + 0.3 - 0.1 + 0.6 + 2.4) / 3,
        "switch_dr": (0.3 + 1 + 0.3 - 0.1 + 0.6) / 3,
        "dr_os": (0.3 + 2 * 2 / 6 * 0.5 + 0.3 - 2 * 0.5 / 2.25 * 0.2 + 0.6 + 2 * 4 / 18 * 0.6) / 3,
    }
    for name, value in expected.items():
        parameter = {"switch_dr": 3.0, "dr_os": 2.0}.get(name)
        part = linear_parts(name, weights=w, rewards=r, logged=q, expected=v, parameter=parameter)
        assert part.values(r).mean() == pytest.approx(value), name


def test_cutting_is_chosen_by_the_error_that_it_makes() -> None:
    rng = np.random.default_rng(5)
    n = 4_000
    w = np.where(rng.random(n) < 0.01, 100.0, 0.0)
    r = rng.random(n)
    given = {"weights": w, "rewards": r, "units": np.arange(n)}
    # A model that is right leaves nothing to correct: huge weights are cut. One that is far off keeps them.
    near = tuned("dr_os", logged=r - rng.normal(size=n), expected=np.full(n, 0.5), **given)
    far = tuned("dr_os", logged=r - 50.0, expected=np.full(n, 0.5), **given)
    assert near < far


def test_click_rates_are_cross_fitted_and_drawn_to_the_mean() -> None:
    rng = np.random.default_rng(6)
    n = 20_000
    action, place = rng.integers(10, size=n), rng.integers(2, size=n)
    truth = rng.uniform(0.1, 0.5, 10)[:, None] * np.array([1.0, 0.5])
    reward = (rng.random(n) < truth[action, place]).astype(float)
    log = Decisions.of(action, reward, np.full(n, 0.1), places=place, n_actions=11)
    model = click_rates(log, folds=4)
    assert model.values.shape == (4, 11, 2)
    np.testing.assert_allclose(model.values[0, :10], truth, atol=0.06)
    assert model.values[0, 10, 0] == pytest.approx(reward[place == 0].mean(), abs=0.05), "never seen: the mean"
    # A row does not take part in its own prediction.
    flipped = reward.copy()
    mine = np.flatnonzero(model.group == 2)
    flipped[mine] = 1 - flipped[mine]
    again = click_rates(Decisions.of(action, flipped, np.full(n, 0.1), places=place, n_actions=11), folds=4)
    np.testing.assert_array_equal(again.values[2], model.values[2])
    assert np.abs(again.values[1] - model.values[1]).max() > 0.05


# ------------------------------------------------------------------------------------------- target policies


def test_lists_and_policies_as_targets() -> None:
    log = Decisions.of([5, 3, 3, 0], [0, 0, 1, 1], [0.5] * 4, places=[0, 1, 0, 0], users=[0, 0, 1, 1], n_actions=6)
    lists = np.array([[5, 3, 1, -1], [3, 2, -1, -1]])
    greedy = Target.of_lists(log, lists, Policy(k=2, pool=4))
    np.testing.assert_array_equal(greedy.logged(log), [1, 1, 1, 0])
    exploring = Target.of_lists(log, lists, Policy(kind="epsilon", k=2, pool=4, epsilon=0.3))
    np.testing.assert_allclose(exploring.logged(log), [0.7 + 0.1, 0.7 + 0.1, 0.7 + 0.15, 0])
    values = np.arange(12.0).reshape(1, 6, 2)
    np.testing.assert_allclose(
        exploring.expected(log, values, np.zeros(4, int)),
        [0.8 * 10 + 0.1 * 6 + 0.1 * 2, 0.1 * 11 + 0.8 * 7 + 0.1 * 3, 0.85 * 6 + 0.15 * 4, 0.85 * 6 + 0.15 * 4],
    )
    dense = np.zeros((4, 6, 2))
    dense[:2, [5, 3, 1]] = [[0.8, 0.1], [0.1, 0.8], [0.1, 0.1]]
    dense[2:, [3, 2]] = [[0.85, 0.15], [0.15, 0.85]]
    same = Target.of_probabilities(log, dense)
    np.testing.assert_allclose(same.logged(log), exploring.logged(log))


def test_chances_of_places_under_softmax() -> None:
    found = Policy(kind="softmax", k=2, pool=3, sharpness=1.0).probabilities(3)
    p = np.array([6, 3, 2]) / 11
    second = [sum(p[j] * p[i] / (1 - p[j]) for j in range(3) if j != i) for i in range(3)]
    np.testing.assert_allclose(found, [p, second], rtol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_a_log_of_the_world_tells_the_value_of_another_strategy(tmp_path) -> None:
    from reclens.world.arm import Arm
    from reclens.world.population import draw_world
    from reclens.world.settings import preset
    from reclens.world.simulation import simulate
    from reclens.world.strategies import Consumed, Oracle, Popular

    still = {
        "drift": 0.0,
        "wander": 0.0,
        "satiation": 0.0,
        "repeat_cost": 0.0,
        "return_effect": 0.0,
        "births": 0.0,
        "newness": 0.0,
        "new_share": 0.0,
        "organic": 0.0,
    }
    world = draw_world(preset("tiny", click_rate=0.3, **still), seed=2)
    explore = Policy(kind="epsilon", k=1, pool=12, epsilon=0.9, leave_out=False)
    run = simulate(
        world, [Arm(name="a", strategy=Popular(), policy=explore)], days=28, retrain=0, folder=tmp_path / "a"
    )
    table = pl.read_parquet(run.folder / "impressions" / "*.parquet")
    log = read_decisions(table, items=world.items["item_id"])
    rows = (
        table.select(
            pl.col("user_id").replace_strict(world.users["user_id"], pl.int_range(world.users.height, eager=True))
        )
        .to_series()
        .to_numpy()
    )
    # The target: what the oracle likes best of the same candidates, so that the log has seen all of it.
    users, items, days = world.history
    popular = Popular()
    popular.fit(
        Consumed(users=users, items=items, days=days, n_users=world.users.height, n_items=world.items.height, day=0)
    )
    oracle = Oracle(world)
    oracle.fit(
        Consumed(users=users, items=items, days=days, n_users=world.users.height, n_items=world.items.height, day=0)
    )
    everybody = np.arange(world.users.height)
    pool, best = popular.recommend(everybody, 12), oracle.recommend(everybody, world.items.height)
    rank = np.argsort(best, axis=1)
    lists = np.take_along_axis(pool, np.argsort(np.take_along_axis(rank, pool, axis=1), axis=1), axis=1)

    class Given:
        name = "given"

        def fit(self, consumed) -> None: ...

        def recommend(self, users, k):
            return lists[users, :k].astype(np.int32)

    policy = Policy(k=1, pool=12, leave_out=False)
    truth = simulate(world, [Arm(name="a", strategy=Given(), policy=policy)], days=28, retrain=0, seed=9)
    worth = truth.users["expected_clicks"].sum() / truth.users["impressions"].sum()
    found = evaluate_policy(log, Target.of_lists(log, lists, policy, rows=rows))
    assert not found.objections and found.verdict == "higher"
    for name in ("ips", "snips", "dr", "switch_dr", "dr_os"):
        interval = found[name if name in ("ips", "snips") else "dr"].value
        assert abs(found[name].value.value - worth) < interval.high - interval.low, name
    assert found.logged.value < found["dr"].value.low


# --------------------------------------------------------------------------------------------- when it is silent


def test_no_verdict_where_the_log_cannot_tell() -> None:
    rng = np.random.default_rng(8)
    n = 2_000
    greedy = Decisions.of(np.zeros(n, int), rng.random(n), np.ones(n), n_actions=2)
    found = evaluate_policy(greedy, np.array([0.5, 0.5]))
    assert found.verdict == "none"
    assert {each.code for each in found.objections} >= {"never_explored", "never_done"}
    assert next(each.value for each in found.objections if each.code == "never_done") == 0.5
    # An item that is logged once in a hundred lists, and that the target always shows.
    action = (rng.random(n) < 0.01).astype(int)
    rare = Decisions.of(action, rng.random(n), np.where(action == 1, 0.01, 0.99))
    found = evaluate_policy(rare, np.array([0.0, 1.0]))
    assert found.verdict == "none" and {each.code for each in found.objections} & {"small_sample", "small_share"}
    assert {row["verdict"] for row in found.to_dicts()[1:]} == {"none"}
    assert (
        evaluate_policy(rare, np.array([0.0, 1.0]), limits=Limits(effective=10, share=0, largest=1)).verdict != "none"
    )
    # Propensities that are wrong show in the mean weight.
    half = Decisions.of(rng.integers(2, size=n), rng.random(n), np.full(n, 0.25))
    found = evaluate_policy(half, np.array([0.9, 0.1]))
    assert found.weights.mean == pytest.approx(2, abs=0.1) and found.objections[-1].code == "mean_weight"
    assert found.objections[-1].value > 1
    # A target that the log could not follow for half of the users.
    alone = Decisions.of(rng.integers(2, size=n) + 2 * (np.arange(n) % 2), rng.random(n), np.full(n, 0.5))
    found = evaluate_policy(alone, np.array([0.5, 0.5, 0, 0]))
    assert found.weights.mean == pytest.approx(0.5, abs=0.05) and found.verdict == "none"


def test_one_heavy_weight_is_named() -> None:
    log = Decisions.of([0] * 999 + [1], np.linspace(0, 1, 1_000), [0.999] * 999 + [0.001])
    found = evaluate_policy(log, np.array([0.5, 0.5]), estimators=["snips"], limits=Limits(effective=0, share=0))
    (objection,) = [each for each in found.objections if each.code == "one_decision"]
    assert objection.value == pytest.approx(0.5, abs=0.01)


def test_wrong_use() -> None:
    log = Decisions.of([0, 1], [0, 1], [0.5, 0.5])
    with pytest.raises(UnknownNameError, match="Did you mean 'snips'"):
        evaluate_policy(log, np.array([0.5, 0.5]), estimators=["snip"])
    with pytest.raises(UsageError, match="probabilities have shape"):
        evaluate_policy(log, np.ones(3) / 3)
    with pytest.raises(DataError, match=r"add up to 1\.2"):
        evaluate_policy(log, np.array([0.6, 0.6]))
    with pytest.raises(UsageError, match="predictions have shape"):
        evaluate_policy(log, np.array([0.5, 0.5]), predictions=np.ones((3, 2)))
    with pytest.raises(DataError, match=r"propensities.*row 2: the value is 0.0, expected a probability above 0"):
        Decisions.of([0, 1], [0, 1], [0.5, 0.0])
    with pytest.raises(UsageError, match="the log is empty"):
        Decisions.of([], [], [])
    with pytest.raises(UsageError, match="rewards has shape"):
        Decisions.of([0, 1], [0], [0.5, 0.5])
    with pytest.raises(UsageError, match="level is 95"):
        mean_estimates({"a": Linear(np.ones(2), np.ones(2))}, log, level=95)
    places = Decisions.of([0, 1], [0, 1], [0.5, 0.5], places=[0, 1])
    with pytest.raises(UsageError, match="the policy k=1"):
        Target.of_lists(places, np.array([[0, 1], [1, 0]]), Policy(k=1))
    frame = pl.DataFrame({"user_id": [1], "item_id": [1], "clicked": [1]})
    with pytest.raises(UnknownNameError, match="column of impressions 'propensity'"):
        read_decisions(frame)
    with pytest.raises(DataError, match="item 1 is not among the 1 items"):
        read_decisions(frame.with_columns(propensity=0.5), items=pl.Series([2]))
    with pytest.raises(DataError, match="column 'propensity', row 1: a value is missing"):
        read_decisions(frame.with_columns(propensity=pl.lit(None, pl.Float64)))


def test_a_policy_from_a_table() -> None:
    from reclens.data.read.raw import Raw
    from reclens.experiment.off_policy.common import read_common_policy

    log = Raw(
        frame=pl.DataFrame(
            {
                "user_id": [1, 1],
                "item_id": [7, 9],
                "position": [1, 2],
                "clicked": [0, 1],
                "propensity": [0.5, 0.5],
                "request_id": [4, 4],
            }
        ),
        where="log",
        name="log",
    )

    def policy(**columns) -> Raw:
        return Raw(frame=pl.DataFrame(columns), where="the policy", name="policy")

    by_place = policy(item_id=[7, 9, 8], position=[1, 1, 2], probability=[0.25, 0.75, 1.0])
    decisions, target = read_common_policy(log, by_place)
    assert decisions.items is not None and decisions.items.to_list() == [7, 8, 9]
    np.testing.assert_allclose(target.logged(decisions), [0.25, 0.0])
    with pytest.raises(DataError, match=r"add up to 0\.2"):
        read_common_policy(log, policy(item_id=[7], probability=[0.2]))
    with pytest.raises(UnknownNameError, match="column of the policy 'probability'"):
        read_common_policy(log, policy(item_id=[7], chance=[1.0]))
    with pytest.raises(DataError, match="the place is 3; the log has places 1 … 2"):
        read_common_policy(log, policy(item_id=[7], position=[3], probability=[1.0]))
    with pytest.raises(DataError, match="column 'probability', row 1: the value is 'x', expected a number"):
        read_common_policy(log, policy(item_id=[7], probability=["x"]))


def test_rewards_below_zero_are_predicted_as_those_above() -> None:
    # Costs are profits with another sign, and so are their predictions; of both signs they stay among the rewards.
    rng = np.random.default_rng(8)
    items, places, n = rng.integers(0, 6, 900), rng.integers(0, 3, 900), 900
    reward = rng.random(n) * (1 + items) / (1 + places)

    def predicted(rewards: np.ndarray) -> np.ndarray:
        return click_rates(Decisions.of(items, rewards, np.full(n, 1 / 6), places=places)).values

    np.testing.assert_allclose(predicted(-reward), -predicted(reward))
    both = predicted(reward - reward.mean())
    assert both.min() >= -reward.mean() and both.max() <= reward.max()
    found = evaluate_policy(Decisions.of(items, -reward, np.full(n, 1 / 6)), np.array([0.5, 0.1, 0.1, 0.1, 0.1, 0.1]))
    assert -6 < found["dr"].value.value < 0 and -6 < found["dm"].value.value < 0
