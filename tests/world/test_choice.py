"""What is shown and what is chosen: frequencies against probabilities that are worked out here."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from reclens.errors import UnknownNameError, UsageError
from reclens.world._draws import mix
from reclens.world._lists import GREEDY, SOFTMAX, UNIFORM, choose, place
from reclens.world.policy import Policy

DRAWS = 20_000


def choices(weights: np.ndarray, *, none: float, exponent: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How often each place was chosen, nothing last; and the probabilities that the kernel states."""
    n = len(weights)
    shown = np.arange(10, 10 + n, dtype=np.int32)
    examined, clicked = np.zeros(n, np.float32), np.zeros(n, np.float32)
    counts = np.zeros(n + 1, int)
    for request in range(DRAWS):
        state = np.uint64(mix(np.uint64(5), np.uint64(request)))
        counts[choose(shown, weights, n, none, exponent, np.log(np.arange(1.0, n + 1)), state, examined, clicked)] += 1
    return counts, examined, clicked


def test_choices_follow_the_multinomial_logit_when_everything_is_seen() -> None:
    weights = np.array([0.5, 2.0, 1.0, 0.25])
    counts, examined, clicked = choices(weights, none=3.0, exponent=0.0)
    chances = np.append(weights, 3.0) / (weights.sum() + 3.0)  # McFadden 1974
    assert stats.chisquare(counts, chances * DRAWS).pvalue > 1e-3
    np.testing.assert_allclose(clicked, chances[:-1], rtol=1e-6)
    np.testing.assert_array_equal(examined, 1)


def test_examination_falls_with_the_place_and_bounds_what_can_be_chosen() -> None:
    weights, none, eta = np.array([1.0, 1.0, 4.0, 1.0, 2.0]), 2.0, 0.8
    counts, examined, clicked = choices(weights, none=none, exponent=eta)
    seen = np.arange(1, 6) ** -eta
    np.testing.assert_allclose(examined, seen, rtol=1e-6)
    # The sum over how far she looks: P(D = d) times the logit among the first d.
    stops = seen - np.append(seen[1:], 0)
    chances = np.zeros(6)
    for depth in range(1, 6):
        total = none + weights[:depth].sum()
        chances[:depth] += stops[depth - 1] * weights[:depth] / total
        chances[5] += stops[depth - 1] * none / total
    np.testing.assert_allclose(clicked, chances[:-1], rtol=1e-5)
    assert stats.chisquare(counts, chances * DRAWS).pvalue > 1e-3


def test_clicks_of_rarely_chosen_items_follow_the_law_of_examination() -> None:
    # With a small weight of everything the logit is nearly w / w0, so that only looking is left.
    counts, _, clicked = choices(np.full(6, 0.05), none=1.0, exponent=1.0)
    np.testing.assert_allclose(clicked / clicked[0], 1 / np.arange(1, 7), rtol=0.2)
    assert counts[0] > counts[2] > counts[5]


def lists(kind: int, n: int, k: int, *, epsilon: float = 0.0, sharpness: float = 0.0, draws: int = DRAWS):
    pool = np.arange(100, 100 + n, dtype=np.int32)
    weights = np.arange(1.0, n + 1) ** -sharpness
    order, race = np.zeros(n, np.int64), np.zeros(n)
    shown, propensity = np.zeros((draws, k), np.int32), np.zeros((draws, k), np.float32)
    for at in range(draws):
        state = np.uint64(mix(np.uint64(7), np.uint64(at)))
        assert place(pool, n, kind, epsilon, weights, state, order, race, shown[at], propensity[at]) == min(n, k)
    return shown - 100, propensity


def test_a_greedy_list_is_the_ranking() -> None:
    shown, propensity = lists(GREEDY, 5, 3, draws=10)
    assert (shown == [0, 1, 2]).all() and (propensity == 1).all()


def test_propensities_of_epsilon_are_the_frequencies_at_each_place() -> None:
    n, k, epsilon = 5, 3, 0.6
    shown, propensity = lists(UNIFORM, n, k, epsilon=epsilon)
    stated = Policy(kind="epsilon", k=k, pool=n, epsilon=epsilon).probabilities(n)
    np.testing.assert_allclose(stated.sum(axis=1), 1)
    for p in range(k):
        counts = np.bincount(shown[:, p], minlength=n)
        assert stats.chisquare(counts, stated[p] * DRAWS).pvalue > 1e-3
        np.testing.assert_allclose(propensity[:, p], stated[p, shown[:, p]], rtol=1e-6)
    assert all(len(set(row)) == k for row in shown[:200].tolist())


def test_propensities_of_softmax_multiply_to_the_frequencies_of_lists() -> None:
    n, k, sharpness = 4, 2, 1.5
    shown, propensity = lists(SOFTMAX, n, k, sharpness=sharpness)
    weights = np.arange(1, n + 1) ** -sharpness
    expected = {
        (a, b): weights[a] / weights.sum() * weights[b] / (weights.sum() - weights[a])
        for a, b in itertools.permutations(range(n), 2)
    }
    assert sum(expected.values()) == pytest.approx(1)
    seen = dict.fromkeys(expected, 0)
    for pair, stated in zip(map(tuple, shown.tolist()), propensity.prod(axis=1), strict=True):
        seen[pair] += 1
        assert stated == pytest.approx(expected[pair], rel=1e-4)
    assert stats.chisquare(list(seen.values()), np.array(list(expected.values())) * DRAWS).pvalue > 1e-3
    first = Policy(kind="softmax", k=k, pool=n, sharpness=sharpness).probabilities(n)
    np.testing.assert_allclose(first[0], weights / weights.sum())


def test_a_list_is_as_long_as_its_pool_allows() -> None:
    shown, propensity = lists(SOFTMAX, 2, 5, sharpness=1.0, draws=20)
    assert (np.sort(shown[:, :2], axis=1) == [0, 1]).all()
    np.testing.assert_allclose(propensity[:, 1], 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"kind": "softmx"}, UnknownNameError, "softmax"),
        ({"k": 0}, UsageError, "k is 0"),
        ({"k": 40, "pool": 30}, UsageError, "pool is .* and k is .*, expected pool of k items or more"),
        ({"epsilon": 1.5}, UsageError, "epsilon is 1.5"),
        ({"sharpness": float("inf")}, UsageError, "greedy"),
    ],
)
def test_wrong_policies_say_so(wrong, error, words) -> None:
    with pytest.raises(error, match=words):
        Policy(**wrong)
