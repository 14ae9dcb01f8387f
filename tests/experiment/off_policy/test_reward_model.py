"""Reward models that know users, and weights of categories of items."""

from __future__ import annotations

import numpy as np
import pytest

from reclens.errors import DataError, UsageError
from reclens.experiment.off_policy import Decisions, Target, click_rates, evaluate_policy, personal_rates


def tastes(n: int, seed: int, *, users: int | None = None):
    """Users of two kinds who like different halves of six items; the log, what is known of them, and the rates."""
    rng = np.random.default_rng(seed)
    user = np.arange(n) if users is None else rng.integers(users, size=n)
    kind = (user * 7919) % 2
    features = np.stack([kind, rng.normal(size=n)], axis=1)
    action = rng.integers(6, size=n)
    rates = np.where((np.arange(6) < 3) == (kind[:, None] == 0), 0.5, 0.1)
    reward = (rng.random(n) < rates[np.arange(n), action]).astype(float)
    return Decisions.of(action, reward, np.full(n, 1 / 6), users=user, n_actions=6), features, rates


def test_features_narrow_the_interval_and_mend_the_direct_method() -> None:
    log, features, rates = tastes(20_000, 1)
    target = np.where(rates > 0.3, 0.3, 0.1 / 3)  # what a recommender that knows tastes would do
    truth = (target * rates).sum(axis=1).mean()
    plain = evaluate_policy(log, target)
    of_actions = (np.arange(6) < 3)[:, None].astype(float)
    for given in (None, of_actions):
        model = personal_rates(log, features, action_features=given)
        found = evaluate_policy(log, target, predictions=model)
        width = [each["dr"].value.high - each["dr"].value.low for each in (found, plain)]
        assert width[0] < 0.97 * width[1]
        assert abs(plain["dm"].value.value - truth) > 0.1 and abs(found["dm"].value.value - truth) < 0.01
        assert found["dr"].value.low < truth < found["dr"].value.high
        assert found.model is not None and found.model.features == 2
        predicted = model.logged(log)
        liked = rates[np.arange(len(log)), log.actions] > 0.3
        assert predicted[liked].mean() == pytest.approx(0.5, abs=0.02)
        assert predicted[~liked].mean() == pytest.approx(0.1, abs=0.02)


def test_what_is_expected_is_the_mean_over_all_actions() -> None:
    log, features, _ = tastes(400, 2)
    rng = np.random.default_rng(3)
    model, target = personal_rates(log, features), rng.dirichlet(np.ones(6), 400)
    found = model.expected(log, Target.of_probabilities(log, target))
    every = np.stack(
        [model.logged(Decisions.of(np.full(400, a), log.rewards, log.propensities, n_actions=6)) for a in range(6)],
        axis=1,
    )
    np.testing.assert_allclose(found, (target * every).sum(axis=1), rtol=1e-12)


def test_nobody_helps_to_predict_herself() -> None:
    log, features, _ = tastes(3_000, 4, users=300)
    model = personal_rates(log, features)
    mine = model.base.group == 2
    other = Decisions.of(
        log.actions, np.where(mine, 1 - log.rewards, log.rewards), log.propensities, users=log.units, n_actions=6
    )
    again = personal_rates(other, features)
    np.testing.assert_array_equal(again.vectors[2], model.vectors[2])
    np.testing.assert_array_equal(again.logged(other)[mine], model.logged(log)[mine])
    assert np.abs(again.vectors[1] - model.vectors[1]).max() > 0.01
    assert all(len(np.unique(model.base.group[log.units == unit])) == 1 for unit in range(300))


@pytest.mark.parametrize("by_features", [False, True])
def test_vectors_are_those_of_ridge_regression(by_features: bool) -> None:
    """Against an augmented least-squares problem, solved row by row."""
    log, features, _ = tastes(2_000, 5)
    given = np.arange(6.0)[:, None] if by_features else None
    model = personal_rates(log, features, action_features=given)
    x = (features - features.mean(axis=0)) / features.std(axis=0)
    np.testing.assert_allclose(model.context, x)
    fold, strength = 3, model.strengths[3]
    assert np.isfinite(strength)
    seen = model.base.group != fold
    left = (log.rewards - click_rates(log).values[fold, log.actions, 0])[seen]
    a = log.actions[seen]
    z = np.stack([np.ones(6), (np.arange(6) - 2.5) / np.arange(6).std()], axis=1) if by_features else np.eye(6)
    design = (x[seen][:, :, None] * z[a][:, None, :]).reshape(seen.sum(), -1)
    size = design.shape[1]
    solved = np.linalg.lstsq(np.r_[design, np.sqrt(strength) * np.eye(size)], np.r_[left, np.zeros(size)], rcond=None)[
        0
    ]
    np.testing.assert_allclose(model.vectors[fold], z @ solved.reshape(2, -1).T, rtol=1e-6, atol=1e-9)


def test_features_that_tell_nothing_are_left_out() -> None:
    rng = np.random.default_rng(6)
    action = rng.integers(40, size=4_000)
    log = Decisions.of(action, (rng.random(4_000) < 0.02).astype(float), np.full(4_000, 1 / 40))
    model = personal_rates(log, rng.normal(size=(4_000, 5)))
    plain = click_rates(log).logged(log)
    assert np.abs(model.logged(log) - plain).max() < 0.02


def test_an_interval_with_a_personal_model_holds_the_truth(rate_error) -> None:
    """Rates by kind of user and item, at 2 %; predictions as fixed would be as wrong as the model is."""
    held, runs = np.zeros((200, 2)), 200
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        kind, action = rng.integers(2, size=2_000), rng.choice(4, 2_000, p=[0.4, 0.3, 0.2, 0.1])
        rates = np.array([[0.01, 0.01, 0.02, 0.06], [0.04, 0.03, 0.01, 0.005]])
        target = np.array([[0.1, 0.1, 0.2, 0.6], [0.5, 0.3, 0.1, 0.1]])
        log = Decisions.of(action, rng.random(2_000) < rates[kind, action], np.array([0.4, 0.3, 0.2, 0.1])[action])
        model = personal_rates(log, kind[:, None])
        found = evaluate_policy(log, target[kind], predictions=model, estimators=["dr"])["dr"]
        truths = (target * rates).sum(axis=1).mean(), ((target - [0.4, 0.3, 0.2, 0.1]) * rates).sum(axis=1).mean()
        held[seed] = [
            one.low <= truth <= one.high for one, truth in zip((found.value, found.difference), truths, strict=True)
        ]
    assert (held.mean(axis=0) >= 0.95 - rate_error(0.05, runs)).all(), held.mean(axis=0)


def test_wrong_use_of_models() -> None:
    log, features, _ = tastes(50, 7)
    with pytest.raises(UsageError, match="folds is 2, expected 3 or more"):
        personal_rates(log, features, folds=2)
    with pytest.raises(UsageError, match=r"features have shape \(49, 2\)"):
        personal_rates(log, features[:-1])
    with pytest.raises(UsageError, match=r"action_features have shape \(6,\)"):
        personal_rates(log, features, action_features=np.arange(6))
    with pytest.raises(UsageError, match="1,200 coefficients"):
        personal_rates(log, np.tile(features, (1, 100)), action_features=np.random.default_rng(1).random((6, 5)))
    with pytest.raises(UsageError, match="there are 2 users for 5 folds"):
        personal_rates(Decisions.of([0, 1], [0, 1], [0.5, 0.5]), np.zeros((2, 1)))


# ------------------------------------------------------------------------------------------------ many actions


def many_items(seed: int, *, alike: bool = True, n: int = 2_000):
    """500 items in ten categories; what is clicked depends on the category, or within it too."""
    rng = np.random.default_rng(seed)
    category = np.arange(500) % 10
    logging, target = rng.dirichlet(np.full(500, 0.5)), rng.dirichlet(np.full(500, 0.5))
    rates = rng.uniform(0.02, 0.2, 10)[category]
    if not alike:
        rates = rates * np.where(target > logging, 2.0, 0.3)
    action = rng.choice(500, n, p=logging)
    log = Decisions.of(action, rng.random(n) < rates[action], logging[action], n_actions=500)
    given = {"categories": category, "logging": Target.of_probabilities(log, logging)}
    return log, target, given, float(target @ rates)


def test_weights_of_categories_are_ratios_of_their_probabilities() -> None:
    log = Decisions.of([0, 1, 2, 3], [1, 0, 1, 1], [0.4, 0.1, 0.2, 0.3], n_actions=4)
    target, logging = np.array([0.1, 0.2, 0.6, 0.1]), np.array([0.4, 0.1, 0.2, 0.3])
    given = {"categories": np.array(["a", "b", "a", "b"]), "logging": Target.of_probabilities(log, logging)}
    found = evaluate_policy(log, target, estimators=["mips"], **given)["mips"]
    assert found.value.value == pytest.approx((0.7 / 0.6 + 0 + 0.7 / 0.6 + 0.3 / 0.4) / 4)
    # Two columns make a category of each pair; a category of its own for each item is ips.
    given["categories"] = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    single = evaluate_policy(log, target, estimators=["mips", "ips"], **given)
    assert single["mips"].value == single["ips"].value


def test_categories_are_steadier_where_their_items_are_alike() -> None:
    held, narrower = [], []
    for seed in range(50):
        log, target, given, truth = many_items(seed)
        found = evaluate_policy(log, target, estimators=["ips", "mips"], **given)
        held.append(found["mips"].value.low <= truth <= found["mips"].value.high)
        narrower.append(
            (found["mips"].value.high - found["mips"].value.low) / (found["ips"].value.high - found["ips"].value.low)
        )
    assert np.mean(held) >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 50)
    assert np.median(narrower) < 0.5


def test_categories_whose_items_differ_give_no_verdict() -> None:
    log, target, given, truth = many_items(1, alike=False, n=10_000)
    found = evaluate_policy(log, target, **given)["mips"]
    assert abs(found.value.value / truth - 1) > 0.2
    assert found.refused == "categories" and found.says == "none"


def test_wrong_use_of_categories() -> None:
    log, target, given, _ = many_items(2, n=100)
    with pytest.raises(UsageError, match="one of them is missing"):
        evaluate_policy(log, target, categories=given["categories"])
    with pytest.raises(UsageError, match="mips was asked for without"):
        evaluate_policy(log, target, estimators=["mips"])
    with pytest.raises(UsageError, match=r"categories have shape \(3,\)"):
        evaluate_policy(log, target, categories=np.zeros(3), logging=given["logging"])
    with pytest.raises(DataError, match="row 1: the logging policy gives"):
        evaluate_policy(log, target, categories=given["categories"], logging=Target.of_probabilities(log, target))
    assert "mips" not in {value.estimator for value in evaluate_policy(log, target).values}
