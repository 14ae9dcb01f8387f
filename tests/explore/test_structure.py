"""Structural reachability against SciPy's convex hull, a sweep of all directions, and linear programming."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.spatial import ConvexHull

from reclens.explore import structure
from reclens.explore.structure import structural_reach


def fewest_ahead(points, directions=7_200):
    """The fewest items ahead of each, over directions in the plane."""
    angles = np.linspace(0, 2 * np.pi, directions, endpoint=False)
    products = np.column_stack([np.cos(angles), np.sin(angles)]) @ points.T
    ranks = np.argsort(np.argsort(-products, axis=1), axis=1)
    return ranks.min(axis=0)


@pytest.fixture(params=[3, 96], autouse=True)
def looked_at(request, monkeypatch):
    """How many items the first attempt looks at; few, so that others have to be brought in."""
    monkeypatch.setattr(structure, "_START", request.param)
    monkeypatch.setattr(structure, "_MORE", request.param)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.integers(4, 40), st.integers(0, 200))
def test_the_first_place_belongs_to_the_hull(n, seed) -> None:
    points = np.random.default_rng(seed).normal(size=(n, 2))
    found = structural_reach(points, np.arange(n), k=1)
    corners = set(ConvexHull(points).vertices.tolist())
    assert [each == "reachable" for each in found.status] == [at in corners for at in range(n)]
    assert found.count("not_decided") == 0


@pytest.mark.parametrize("k", [2, 4])
def test_no_proof_is_wrong_in_the_plane(k) -> None:
    undecided = 0
    for seed in range(6):
        points = np.random.default_rng(seed).normal(size=(50, 2))
        found = structural_reach(points, np.arange(50), k=k)
        ahead = fewest_ahead(points)
        for status, fewest in zip(found.status, ahead, strict=True):
            undecided += status == "not_decided"
            assert status == "not_decided" or (status == "reachable") == (fewest < k)
    # The fewer items a set is looked for among, the more of them it uses up.
    assert undecided <= (0.1 if structure._START > 50 else 0.2) * 300


def test_linear_programming_agrees_in_eight_dimensions() -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(size=(120, 8)) * rng.lognormal(0, 0.6, (120, 1))
    found = structural_reach(points, np.arange(120), k=1)
    for row in range(120):
        others = np.delete(points, row, axis=0)
        # maximise t: p · (x - other) >= t for all others, |p| <= 1
        least = np.column_stack([others - points[row], np.ones(119)])
        best = linprog([*[0] * 8, -1], A_ub=least, b_ub=np.zeros(119), bounds=[(-1, 1)] * 8 + [(None, 1)])
        assert (found.status[row] == "reachable") == (best.x[-1] > 1e-7), row
    assert 5 < found.count("unreachable") < 115


def test_users_are_certificates_and_the_share_says_how_far_it_falls_short() -> None:
    items = np.array([[2.0, 0.0], [0.0, 2.0], [0.6, 0.6], [-2.0, -2.0]])
    found = structural_reach(items, np.array([2]), k=1)
    # In its own direction it gets 0.72 and the first 1.2: 60 % of what the first place takes.
    assert found.status == ("unreachable",) and found.best_share[0] == pytest.approx(0.6)
    assert structural_reach(items, np.array([2]), k=2, users=np.array([[1.0, 0.9]])).status == ("reachable",)


def test_a_sample_is_tested_and_the_rest_is_counted() -> None:
    rng = np.random.default_rng(2)
    points = np.vstack([rng.normal(size=(40, 3)) * 5, rng.normal(size=(60, 3)) * 0.2])
    found = structural_reach(points, np.arange(100), k=1, most_exact=10, rng=3)
    assert found.tested == 10 and found.count("unreachable") <= 10
    assert found.count("reachable") + found.count("unreachable") + found.count("not_decided") == 100
    again = structural_reach(points, np.arange(100), k=1, most_exact=10, rng=3)
    assert again.status == found.status
    assert structural_reach(points, np.arange(100), k=1).count("not_decided") == 0


def test_equal_vectors_share_a_place() -> None:
    # Three copies of a corner: each is in the top 3 where it points, and a list of 1 shows one of them.
    points = np.array([[1.0, 0.0]] * 3 + [[-1.0, 1.0], [-1.0, -1.0]])
    assert structural_reach(points, np.arange(3), k=3).count("reachable") == 3


def test_a_cosine_space_reaches_everything() -> None:
    points = np.random.default_rng(4).normal(size=(60, 5))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    assert structural_reach(points, np.arange(60), k=1).count("reachable") == 60
