"""Lists as decisions: each estimator is right where users read as it assumes, and wrong where they do not."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from reclens.errors import DataError, UsageError
from reclens.experiment.off_policy import Decisions, Target
from reclens.experiment.off_policy.pseudo_inverse import can_invert, pseudo_inverse_weights
from reclens.experiment.off_policy.slate import evaluate_lists, prefix_chances
from reclens.world.policy import Policy

ITEMS, PLACES, LISTS = 5, 3, 20_000
LOGGING = Policy(kind="softmax", k=PLACES, pool=ITEMS, sharpness=0.4)
TARGET = Policy(kind="softmax", k=PLACES, pool=ITEMS, sharpness=1.0)
RANKING, REVERSED = np.arange(ITEMS)[None], np.arange(ITEMS)[::-1][None]


def drawn(ranking: np.ndarray, policy: Policy, n: int, rng: np.random.Generator) -> np.ndarray:
    """Lists of a softmax policy, by Gumbel noise."""
    noisy = -policy.sharpness * np.log(np.arange(1, ITEMS + 1)) + rng.gumbel(size=(n, ITEMS))
    return ranking[0, np.argsort(-noisy, axis=1)[:, :PLACES]]


def clicks_by_place(lists: np.ndarray) -> np.ndarray:
    """Probability of a click: of the item and the place alone."""
    return (0.1 + 0.12 * lists) / np.array([1.0, 2.0, 3.0])


def clicks_downwards(lists: np.ndarray) -> np.ndarray:
    """Probability of a click on the first attractive item on the way down."""
    pull = 0.1 + 0.15 * lists
    passed = np.cumprod(np.concatenate([np.ones((len(lists), 1)), 1 - pull[:, :-1]], axis=1), axis=1)
    return passed * pull


def clicks_upwards(lists: np.ndarray) -> np.ndarray:
    """Only on the first place, and only if the last item is a good one."""
    return np.stack([0.2 * lists[:, 2], 0 * lists[:, 1], 0 * lists[:, 2]], axis=1)


def evaluated(model, seed: int):
    rng = np.random.default_rng(seed)
    lists = drawn(RANKING, LOGGING, LISTS, rng)
    clicked = rng.random(lists.shape) < model(lists)
    place = np.tile(np.arange(PLACES), LISTS)
    request = np.repeat(np.arange(LISTS), PLACES)
    chances = LOGGING.probabilities(ITEMS)[place, lists.ravel()]
    log = Decisions.of(lists.ravel(), clicked.ravel(), chances, places=place, users=request // 2, requests=request)
    rows = np.zeros(len(log), int)
    target = Target.of_lists(log, REVERSED, TARGET, rows=rows)
    ratios = prefix_chances(log, REVERSED, TARGET, rows=rows) / prefix_chances(log, RANKING, LOGGING, rows=rows)
    truth = model(drawn(REVERSED, TARGET, 400_000, rng)).sum(axis=1).mean()
    return evaluate_lists(log, target, prefix_ratios=ratios, method="normal"), truth


@pytest.mark.parametrize(
    ("model", "right", "wrong"),
    [
        (clicks_by_place, ("iips", "sn_iips", "rips", "sn_rips", "sips"), ()),
        (clicks_downwards, ("rips", "sn_rips", "sips"), ()),
        (clicks_upwards, ("sips",), ("iips", "rips", "sn_rips")),
    ],
)
def test_right_where_users_read_as_assumed(model, right, wrong) -> None:
    found, truth = evaluated(model, seed=3)
    error = {
        v.estimator: abs(v.value.value - truth) / ((v.value.high - v.value.low) / 3.92)
        for v in found.values
        if v.refused != "repeats"
    }
    assert all(error[name] < 4 for name in right), error
    assert all(error[name] > 6 for name in wrong), error
    assert found.unit == "list" and found.logged.n == LISTS // 2
    effective = {row["estimator"]: row["effective"] for row in found.to_dicts()[1:]}
    assert effective["iips"] > effective["rips"] >= effective["sips"] - 1e-6 > 200
    assert found.verdict == ("lower" if wrong else "higher"), "a wrong assumption gets even the sign wrong"


def test_pseudo_inverse_where_places_are_independent() -> None:
    rng = np.random.default_rng(4)
    logging, target = rng.dirichlet(np.full(4, 3.0), PLACES), rng.dirichlet(np.full(4, 3.0), PLACES)
    lists = np.stack([rng.choice(4, LISTS, p=p) for p in logging], axis=1)
    worth = rng.uniform(0, 0.3, (PLACES, 4))
    # The list earns a sum over places, and it is all told of the first place.
    reward = np.zeros((LISTS, PLACES))
    reward[:, 0] = rng.random(LISTS) < worth[np.arange(PLACES), lists].sum(axis=1)
    place = np.tile(np.arange(PLACES), LISTS)
    log = Decisions.of(
        lists.ravel(),
        reward.ravel(),
        logging[place, lists.ravel()],
        places=place,
        requests=np.repeat(np.arange(LISTS), PLACES),
    )
    found = evaluate_lists(log, Target.of_probabilities(log, target.T[None]), method="normal")
    truth = (target * worth).sum()
    value, other = found["pi"].value, found["iips"].value
    assert abs(value.value - truth) < 4 * (value.high - value.low) / 3.92
    assert abs(other.value - truth) > 3 * (other.high - other.low) / 3.92


def test_chances_of_beginnings_by_hand() -> None:
    log = Decisions.of(
        [7, 2, 9, 2, 7, 9], np.zeros(6), np.ones(6), places=[0, 1, 2] * 2, requests=[0] * 3 + [1] * 3, n_actions=10
    )
    lists, rows = np.array([[7, 2, 9, 1, -1]]), np.zeros(6, int)
    greedy = prefix_chances(log, lists, Policy(k=3, pool=5), rows=rows)
    assert greedy.tolist() == [1, 1, 1, 0, 0, 0]
    exploring = prefix_chances(log, lists, Policy(kind="epsilon", k=3, pool=5, epsilon=0.4), rows=rows)
    spread = np.array([0.1, 0.4 / 12, 0.4 / 24])
    np.testing.assert_allclose(exploring, np.r_[0.6 + spread, spread])
    soft = prefix_chances(log, lists, Policy(kind="softmax", k=3, pool=5, sharpness=1.0), rows=rows)
    one, two, three, four = 1, 1 / 2, 1 / 3, 1 / 4
    every = one + two + three + four
    np.testing.assert_allclose(
        soft[[2, 5]],
        [
            one / every * two / (every - one) * three / (three + four),
            two / every * one / (every - two) * three / (three + four),
        ],
    )


def test_too_few_whole_lists_say_nothing_and_wrong_use() -> None:
    rng = np.random.default_rng(1)
    lists = rng.random((600, 10)).argsort(axis=1)[:, :6]
    place, request = np.tile(np.arange(6), 600), np.repeat(np.arange(600), 6)
    log = Decisions.of(lists.ravel(), rng.random(3_600), np.full(3_600, 0.1), places=place, requests=request)
    policy, rows = Policy(kind="softmax", k=6, pool=10, sharpness=0.9), np.zeros(3_600, int)
    ranking = np.arange(10)[None]
    uniform = Policy(kind="softmax", k=6, pool=10, sharpness=0.0)
    ratios = prefix_chances(log, ranking, policy, rows=rows) / prefix_chances(log, ranking, uniform, rows=rows)
    target = Target.of_lists(log, ranking, policy, rows=rows)
    found = evaluate_lists(log, target, prefix_ratios=ratios, method="normal")
    assert found["iips"].refused is None and found["sips"].refused == "effective" and found["sips"].says == "none"
    with pytest.raises(UsageError, match="prefix ratios have shape"):
        evaluate_lists(log, target, prefix_ratios=np.ones(3))
    double = Decisions.of([0, 1], [0, 0], [0.5, 0.5], requests=[0, 0])
    with pytest.raises(DataError, match="a list has the place 1 twice"):
        evaluate_lists(double, Target.of_probabilities(double, np.array([0.5, 0.5])))


@pytest.mark.parametrize(
    "policy",
    [
        Policy(kind="epsilon", k=2, pool=4, epsilon=1.0),
        Policy(kind="epsilon", k=3, pool=5, epsilon=0.3),
        Policy(kind="softmax", k=2, pool=4, sharpness=1.0),
        Policy(kind="softmax", k=3, pool=4, sharpness=0.5),
    ],
)
def test_pseudo_inverse_of_lists_without_replacement(policy) -> None:
    """Over every list there is: the mean of weight × reward is what the target earns, where places add up."""
    n, k = policy.pool, policy.k
    every = np.array(list(permutations(range(n), k)))
    place, request = np.tile(np.arange(k), len(every)), np.repeat(np.arange(len(every)), k)
    log = Decisions.of(every.ravel(), np.zeros(every.size), np.ones(every.size), places=place, requests=request)
    rows, ranking = np.zeros(len(log), int), np.arange(n)[None]
    down = prefix_chances(log, ranking, policy, rows=rows)[place == k - 1]
    assert down.sum() == pytest.approx(1)
    worth = np.random.default_rng(1).random((k, n))
    earned = worth[np.arange(k), every].sum(axis=1)
    for best in (np.arange(n)[::-1], np.roll(np.arange(n), 1)):
        target = Target.of_lists(log, best[None], Policy(k=k, pool=n), rows=rows)
        weights = pseudo_inverse_weights(log, ranking, policy, target, rows=rows).reshape(-1, k)
        assert (weights == weights[:, :1]).all()
        assert (down * weights[:, 0] * earned).sum() == pytest.approx(worth[np.arange(k), best[:k]].sum())
        assert (down * weights[:, 0]).sum() == pytest.approx(1)


def test_pseudo_inverse_is_refused_where_its_weights_are_wrong() -> None:
    rng = np.random.default_rng(2)
    lists = rng.random((4_000, 4)).argsort(axis=1)[:, :2]
    place, request = np.tile(np.arange(2), 4_000), np.repeat(np.arange(4_000), 2)
    worth = np.array([[0.1, 0.5, 0.2, 0.9], [0.8, 0.3, 0.6, 0.1]])
    clicked = rng.random(8_000) < worth[place, lists.ravel()] / 2
    log = Decisions.of(lists.ravel(), clicked, np.full(8_000, 0.25), places=place, requests=request)
    rows, best = np.zeros(8_000, int), np.array([[3, 0, 1, 2]])
    uniform = Policy(kind="epsilon", k=2, pool=4, epsilon=1.0)
    target = Target.of_lists(log, best, Policy(k=2, pool=4), rows=rows)
    found = evaluate_lists(log, target)["pi"]
    assert found.refused == "repeats" and np.isnan(found.value.value)
    weights = pseudo_inverse_weights(log, np.arange(4)[None], uniform, target, rows=rows)
    found = evaluate_lists(log, target, pi_weights=weights)["pi"]
    truth = (0.9 + 0.8) / 2
    assert found.refused is None and found.value.low < truth < found.value.high
    assert found.value.high - found.value.low < 0.2
    # The formula for independent places is off by more than that.
    alone = target.logged(log).reshape(-1, 2) / 0.25
    naive = ((alone.sum(axis=1) - 1) * clicked.reshape(-1, 2).sum(axis=1)).mean()
    assert abs(naive - truth) > 0.1
    with pytest.raises(UsageError, match="pseudo-inverse weights have shape"):
        evaluate_lists(log, target, pi_weights=weights[:5])
    with pytest.raises(UsageError, match="pseudo-inverse weights were given for one of two policies"):
        evaluate_lists(log, target, pi_weights=weights, against=target)
    with pytest.raises(UsageError, match="not in the pool"):
        pseudo_inverse_weights(log, np.arange(3)[None], uniform, target, rows=rows)
    with pytest.raises(UsageError, match="lists of 2 … 2 items"):
        pseudo_inverse_weights(log, np.arange(4)[None], Policy(kind="epsilon", k=3, pool=4), target, rows=rows)
    wide = Policy(kind="softmax", k=8, pool=20)
    assert not can_invert(wide, 20) and can_invert(wide, 7) and can_invert(uniform, 1_000)


@pytest.mark.parametrize("rate", [0.01, 0.08])
def test_every_interval_of_lists_holds_the_truth_of_300_logs(rate, rate_error) -> None:
    """Users who click an item at a place whatever else is there, so that every estimator is right."""
    n, policy = 2_000, Policy(kind="epsilon", k=2, pool=4, epsilon=1.0)
    every = np.array(list(permutations(range(4), 2)))
    ranking, best = np.arange(4)[None], np.array([[3, 1, 0, 2]])
    held: dict[str, list[bool]] = {}
    for seed in range(300):
        rng = np.random.default_rng(seed)
        worth = rate * rng.uniform(0.4, 1.6, (2, 4))
        lists = every[rng.integers(len(every), size=n)]
        place, request = np.tile(np.arange(2), n), np.repeat(np.arange(n), 2)
        clicked = rng.random(2 * n) < worth[place, lists.ravel()]
        log = Decisions.of(
            lists.ravel(),
            clicked,
            np.full(2 * n, 0.25),
            places=place,
            users=request // 2,
            requests=request,
            n_actions=4,
        )
        rows, towards = np.zeros(2 * n, int), Policy(kind="epsilon", k=2, pool=4, epsilon=0.4)
        target = Target.of_lists(log, best, towards, rows=rows)
        ratios = prefix_chances(log, best, towards, rows=rows) * np.where(place == 0, 4, 12)
        found = evaluate_lists(
            log,
            target,
            prefix_ratios=ratios,
            pi_weights=pseudo_inverse_weights(log, ranking, policy, target, rows=rows),
        )
        truth = sum(0.6 * worth[at, best[0, at]] + 0.4 * worth[at].mean() for at in range(2))
        for each in found.values:
            if each.refused is None:
                held.setdefault(each.estimator, []).append(each.value.low <= truth <= each.value.high)
    assert set(held) == {"iips", "sn_iips", "pi", "rips", "sn_rips", "sips"}
    for name, each in held.items():
        assert len(each) > 250 and np.mean(each) >= 0.95 - rate_error(0.05, len(each)), (name, np.mean(each))
