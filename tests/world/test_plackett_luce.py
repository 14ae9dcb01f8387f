"""Chances of ranks at places: against sums over all lists."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from reclens.world.plackett_luce import place_chances
from reclens.world.policy import Policy


@pytest.mark.parametrize(("sharpness", "places", "n"), [(0, 3, 5), (0.5, 4, 6), (1, 2, 3), (2, 6, 6), (8, 3, 5)])
def test_chances_are_sums_over_all_lists(sharpness, places, n) -> None:
    weights = np.arange(1.0, n + 1) ** -sharpness
    expected = np.zeros((places, n))
    for drawn in permutations(range(n), places):
        left = weights.sum() - np.cumsum(weights[list(drawn)]) + weights[list(drawn)]
        expected[np.arange(places), drawn] += (weights[list(drawn)] / left).prod()
    np.testing.assert_allclose(place_chances(sharpness, places, n), expected, atol=1e-12)


def test_chances_of_large_pools_add_up() -> None:
    for sharpness, places, n in ((1.0, 20, 200), (300.0, 3, 40)):
        found = place_chances(sharpness, places, n)
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-9)
        assert (found >= 0).all() and (found.sum(axis=0) <= 1 + 1e-9).all()


def test_marginal_and_conditional_chances_by_hand() -> None:
    policy = Policy(kind="epsilon", k=3, pool=5, epsilon=0.4)
    # The greedy list, one that departs at its second place, and the greedy list of a pool of four.
    place, rank, pool = np.tile([0, 1, 2], 3), np.array([0, 1, 2, 0, 2, 1, 0, 1, 2]), np.repeat([5, 5, 4], 3)
    np.testing.assert_allclose(policy.marginal(place, rank, pool), [0.68, 0.68, 0.68, 0.68, 0.08, 0.08, 0.7, 0.7, 0.7])
    whole = policy.conditional(place, rank, pool).reshape(3, 3).prod(axis=1)
    np.testing.assert_allclose(whole, [0.6 + 0.4 / 60, 0.4 / 60, 0.6 + 0.4 / 24])
    assert (Policy(k=3).conditional(place[:3], rank[:3], pool[:3]) == 1).all()
