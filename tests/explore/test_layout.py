"""The layout of UMAP, against the definitions of the paper, worked out by SciPy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import approx_fprime, brentq

from reclens.explore import layout
from reclens.explore.layout import lay_out, pair_weights
from reclens.explore.neighbours import NeighbourGraph


def graph_of(rows, apart) -> NeighbourGraph:
    return NeighbourGraph(np.array(rows, np.int32), 1 - np.array(apart, np.float32), True, "1")


def test_weights_are_those_of_the_definition() -> None:
    """The scale solves the equation of the paper, and the union of two directed weights is a + b - ab."""
    rng = np.random.default_rng(0)
    n, k = 40, 5
    rows = np.array([rng.permutation(np.delete(np.arange(n), row))[:k] for row in range(n)])
    apart = np.sort(rng.uniform(0.05, 1.5, (n, k)), axis=1).astype(np.float32).astype(float)
    apart[3, 0] = 0  # a copy: the nearest that counts is the second
    directed = np.zeros((n, n))
    for row in range(n):
        beyond = np.maximum(apart[row] - apart[row][apart[row] > 0].min(), 0)
        scale = brentq(lambda s, beyond=beyond: np.exp(-beyond / s).sum() - np.log2(k + 1), 1e-6, 1e3)
        directed[row, rows[row]] = np.exp(-beyond / max(scale, 1e-3 * apart[row].mean()))
    expected = directed + directed.T - directed * directed.T
    assert np.allclose(pair_weights(graph_of(rows, apart)).toarray(), expected, atol=2e-6)


def test_weights_where_neighbours_are_missing_or_equal() -> None:
    lone = pair_weights(graph_of([[1, -1], [0, 2], [1, -1]], [[0.5, np.nan], [0.5, 0.5], [0.5, np.nan]]))
    assert np.allclose(lone.toarray(), [[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    # With three copies the weights sum to more than log2(5) at any scale: it is then 1/1000 of the mean distance.
    crowded = pair_weights(graph_of([[1, 2, 3, 4], *[[0, -1, -1, -1]] * 4], [[0, 0, 0, 0.4], *[[0.5] * 4] * 4]))
    assert crowded[0].toarray().tolist() == [[0, 1, 1, 1, 1]]
    copies = pair_weights(graph_of([[1], [0]], [[0], [0]]))
    assert copies.toarray().tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(("distance", "a", "b"), [(0.1, 1.577, 0.8951), (0.001, 1.929, 0.7915), (0.5, 0.583, 1.334)])
def test_the_curve_is_the_published_one(distance, a, b) -> None:
    """The values that the documentation of umap-learn and uwot states."""
    assert layout._curve(distance) == pytest.approx((a, b), abs=1e-3)


@given(st.floats(0.05, 30))
def test_forces_are_the_gradients_of_the_cross_entropy(distance) -> None:
    a, b = layout._curve(0.1)
    attraction, repulsion = layout._forces(0.1)
    at = int(np.float32(distance**2).view(np.int32) >> layout._SHIFT) - layout._FIRST

    def likeness(d):
        return 1 / (1 + a * d[0] ** (2 * b))

    (pull,) = approx_fprime(np.array([distance]), lambda d: np.log(likeness(d)), 1e-6)
    (push,) = approx_fprime(np.array([distance]), lambda d: np.log(1 - likeness(d)), 1e-6)
    # One entry stands for squared distances that differ by up to 1/64; the push has a small constant in addition.
    assert attraction[at] * distance == pytest.approx(pull, rel=0.03)
    assert repulsion[at] * distance == pytest.approx(push, rel=0.03 + 1.1e-3 / distance**2)


def test_one_round_by_hand() -> None:
    """Two points at distance 2: each is pulled once, and pushed as often as one of its 5 draws is the other point."""
    a, b = layout._curve(0.1)
    start = np.array([[-1.0, 0.0], [1.0, 0.0]])
    pull = 2 * a * b * 2 ** (2 * b - 2) / (1 + a * 4**b) * 2
    push = 2 * b / (4.001 * (1 + a * 4**b)) * 2
    drawn = set()
    for seed in range(40):
        (x, y), (other, _) = lay_out(
            sparse.csr_matrix([[0, 1.0], [1.0, 0]]), start, min_distance=0.1, epochs=1, seed=seed
        )
        times = (pull - (x + 1)) / push
        assert times == pytest.approx(round(times), abs=0.06) and 0 <= round(times) <= 5 and y == 0
        assert (pull - (1 - other)) / push == pytest.approx(round((pull - (1 - other)) / push), abs=0.06)
        drawn.add(round(times))
    assert len(drawn) > 3


def test_a_pair_is_due_in_the_share_of_its_weight() -> None:
    """A pair of a quarter of the largest weight attracts in every fourth round, by a step that falls from 1 to 0."""
    weights = sparse.csr_matrix([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0.25], [0, 0, 0.25, 0]])
    start = np.array([[0, 0], [0, 0], [-50, 0], [50, 0]], float)
    moved = lay_out(weights, start, min_distance=0.1, epochs=8, seed=0)
    a, b = layout._curve(0.1)
    pull = 2 * a * b * 100 ** (2 * b - 1) / (1 + a * 100 ** (2 * b))
    rates = 1 - np.arange(8) / 8
    assert moved[2, 0] + 50 == pytest.approx(pull * (rates[3] + rates[7]), rel=0.03)
    assert 50 - moved[3, 0] == pytest.approx(pull * (rates[3] + rates[7]), rel=0.03)


def test_a_force_is_at_most_4() -> None:
    """Two points nearly at one place are pushed apart by 4 for each draw, and pulled by nearly nothing."""
    pair = sparse.csr_matrix([[0, 1.0], [1.0, 0]])
    start = np.array([[0, 0], [0.01, 0]])
    steps = {float(lay_out(pair, start, min_distance=0.1, epochs=1, seed=seed)[1, 0]) for seed in range(20)}
    assert len(steps) > 3 and all(step / 4 == pytest.approx(round(step / 4), abs=0.02) for step in steps)


def test_threads_and_seeds(clean_graph, monkeypatch) -> None:
    """Chunks and threads change nothing; another seed does, and what is told is complete."""
    weights = pair_weights(clean_graph)
    start = np.random.default_rng(0).normal(size=(len(clean_graph), 2))
    told = []

    def made(**options) -> np.ndarray:
        return lay_out(weights, start, **{"min_distance": 0.1, "epochs": 30, "seed": 0, **options})

    first = made(threads=1, progress=lambda *step: told.append(step))
    monkeypatch.setattr(layout, "_ROWS", 100)
    assert np.array_equal(first, made(threads=3)) and not np.array_equal(first, made(seed=1))
    assert told[0] == ("UMAP", 0, 30) and told[-1] == ("UMAP", 30, 30)
    assert np.isfinite(first).all() and first.dtype == np.float32


def test_nothing_moves_without_pairs() -> None:
    start = np.array([[0.0, 1.0], [2.0, 3.0]])
    assert lay_out(sparse.csr_matrix((2, 2)), start, min_distance=0.1, epochs=5, seed=0).tolist() == start.tolist()
