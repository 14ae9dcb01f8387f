"""Neighbours, hubs, duplicates and the shape of a space, against SciPy, scikit-learn and hand computation."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import skew

from reclens.errors import UsageError
from reclens.explore.geometry import alignment, intrinsic_dimension, near_duplicates, space_shape, uniformity
from reclens.explore.hubness import hubness, occurrence, remedies
from reclens.explore.neighbours import neighbour_graph, rows_of_answers
from reclens.explore.planted import HidingStore
from reclens.explore.vectors import as_vectors, unit_vectors


def test_the_graph_is_that_of_another_library(space_of) -> None:
    neighbors = pytest.importorskip("sklearn.neighbors", reason="needs scikit-learn")
    space = space_of(np.random.default_rng(0).normal(size=(300, 7)))
    graph = neighbour_graph(space, k=6)
    apart, rows = neighbors.NearestNeighbors(n_neighbors=7, metric="cosine").fit(space.unit).kneighbors(space.unit)
    assert np.array_equal(graph.rows, rows[:, 1:])
    assert np.allclose(graph.similarities, 1 - apart[:, 1:], atol=1e-5)
    assert graph.exact and graph.first(2).k == 2 and len(graph.to_frame()) == 1_800
    with pytest.raises(UsageError, match="expected 1 to 6"):
        graph.first(7)
    with pytest.raises(UsageError, match="1 or more"):
        neighbour_graph(space, k=0)


def test_a_store_is_asked_beyond_the_limit(space_of) -> None:
    space = space_of(np.random.default_rng(1).normal(size=(80, 5)))
    exact = neighbour_graph(space, k=4)
    asked = neighbour_graph(space, k=4, store=HidingStore(space), exact_up_to=50)
    assert not asked.exact and np.array_equal(asked.rows, exact.rows)
    hidden = neighbour_graph(space, k=4, store=HidingStore(space, [3]), exact_up_to=50)
    assert not (hidden.rows == 3).any() and (hidden.rows[3] >= 0).all()
    assert neighbour_graph(space, k=4, store=HidingStore(space, [3]), exact_up_to=80).exact  # few: every pair


def test_foreign_answers_are_no_rows(space_of) -> None:
    space = space_of(np.eye(3), ids=pl.Series([7, 8, 9]))
    assert rows_of_answers(space, [["9", "x"], [], ["7", "8", "9"]], 2).tolist() == [[2, -1], [-1, -1], [0, 1]]


@given(st.lists(st.integers(0, 30), min_size=2, max_size=40))
def test_skewness_is_scipys_and_robin_hood_evens_out(counts) -> None:
    found = occurrence(np.array(counts))
    spread = np.std(counts)
    assert found.skewness == pytest.approx(float(skew(counts)) if spread > 1e-9 else 0.0, abs=1e-9)
    if sum(counts):
        # What has to be taken from the rich is what the poor lack.
        mean = np.mean(counts)
        assert found.robin_hood == pytest.approx(sum(max(each - mean, 0) for each in counts) / sum(counts))
        assert found.anti_hubs == counts.count(0) / len(counts)


def test_a_star_has_one_hub(space_of) -> None:
    # Twelve directions at right angles and the one in their middle, which is the nearest of each.
    space = space_of(np.vstack([np.eye(12), np.ones((1, 12))]), ids=pl.Series([*map(str, range(12)), "middle"]))
    found = hubness(space, neighbour_graph(space, k=1), k=1)
    assert found.counts.sum() == 13 and found.to_dicts() == [{"id": "middle", "k_occurrence": 12}]
    assert found.total.hub_slots == 12 / 13 and len(found.anti_hubs) == 11
    # Strong is a neighbour of at least five times the average, which is 1.
    counts = np.array([0, 5, 0, 0, 6, 4, 0, 0, *[1] * 3, 0, 0, 0, 0, 1, 1, 0, 0, 0])
    assert counts.mean() == 1 and replace(found, counts=counts, hubs=np.array([4, 1, 5])).strong.tolist() == [4, 1]
    angles = np.arange(12) * 2 * np.pi / 12
    ring = np.column_stack([np.cos(angles), np.sin(angles)])
    ring_only = space_of(ring)
    even = hubness(ring_only, neighbour_graph(ring_only, k=2), k=2)
    assert even.counts.tolist() == [2] * 12 and even.total.skewness == 0 and not len(even.anti_hubs)
    with pytest.raises(UsageError, match="another space"):
        hubness(space, neighbour_graph(ring_only, k=2), k=2)


def test_remedies_tame_hubs(space_of) -> None:
    # In many dimensions those that lie near the middle are hubs, and both remedies are known to reduce them.
    rng = np.random.default_rng(2)
    space = space_of(0.1 + rng.normal(size=(800, 100)) * rng.uniform(0.5, 1.5, (800, 1)) / 10)
    found = remedies(space, neighbour_graph(space, k=15), k=10)
    assert found["none"].skewness > 2
    assert found["mutual_proximity"].skewness < 0.6 * found["none"].skewness
    assert found["local_scaling"].skewness < 0.8 * found["none"].skewness
    assert found["mutual_proximity"].anti_hubs < found["none"].anti_hubs
    direct = hubness(space, neighbour_graph(space, k=10), k=10).total
    assert found["none"] == direct  # every item asks: the sample is the whole


def test_duplicates_are_components(space_of) -> None:
    angles = np.array([0.0, 0.25, 0.5, 2.0, 2.2, 4.0])  # cos 0.25 = 0.969, cos 0.5 = 0.878
    space = space_of(np.column_stack([np.cos(angles), np.sin(angles)]), ids=pl.Series(list("abcdef")))
    graph = neighbour_graph(space, k=2)
    found = near_duplicates(space, graph, threshold=0.95, popularity=np.array([1, 5, 0, 0, 2, 9]))
    assert [each.ids for each in found.groups] == [("b", "a", "c"), ("e", "d")]
    assert found.groups[0].least == pytest.approx(math.cos(0.25)) and found.items == 5
    assert found.share == pytest.approx(5 / 6)
    assert not near_duplicates(space, graph, threshold=0.99).groups
    same = space_of(np.ones((3, 4)))
    assert near_duplicates(same, neighbour_graph(same, k=2), threshold=1.0).items == 3
    with pytest.raises(UsageError, match="cosine"):
        near_duplicates(space, graph, threshold=0)


@given(st.integers(2, 30), st.integers(1, 6), st.integers(0, 99))
def test_uniformity_and_the_mean_cosine_are_their_formulas(n, d, seed) -> None:
    unit = unit_vectors(as_vectors(np.random.default_rng(seed).normal(size=(n, d)) + 0.1))
    i, j = np.triu_indices(n, 1)
    apart = ((unit[i].astype(float) - unit[j]) ** 2).sum(axis=1)
    assert uniformity(unit) == pytest.approx(math.log(np.exp(-2 * apart).mean()), rel=1e-4, abs=1e-5)


def test_shape_of_a_known_space(space_of) -> None:
    rng = np.random.default_rng(3)
    flat = np.zeros((2_000, 20))
    flat[:, :5] = rng.normal(size=(2_000, 5))  # directions of a 5-dimensional space: a 4-dimensional surface
    space = space_of(flat)
    shape = space_shape(space, neighbour_graph(space, k=15))
    assert shape.intrinsic_dimension == pytest.approx(4, abs=0.4)
    assert shape.effective_rank == pytest.approx(5, abs=0.1) and shape.first_direction == pytest.approx(0.2, abs=0.02)
    products = space.unit.astype(float) @ space.unit.T
    assert shape.mean_cosine == pytest.approx(products[np.triu_indices(2_000, 1)].mean(), abs=1e-6)
    cone = space_of(rng.normal(size=(200, 20)) + 5)
    assert space_shape(cone, neighbour_graph(cone, k=15)).mean_cosine > 0.9


def test_dimension_and_mean_cosine_by_hand(space_of) -> None:
    angles = np.array([0.0, 0.1, 0.3, 0.7])
    space = space_of(np.column_stack([np.cos(angles), np.sin(angles)]))
    graph = neighbour_graph(space, k=3)
    # Distances to the neighbours of each, by angle; the inverse is the mean logarithm of the ratios over k - 2 = 1.
    apart = [(0.1, 0.3, 0.7), (0.1, 0.2, 0.6), (0.2, 0.3, 0.4), (0.4, 0.6, 0.7)]
    inverse = np.mean([math.log(c / a) + math.log(c / b) for a, b, c in apart])
    shape = space_shape(space, graph)
    assert shape.intrinsic_dimension == pytest.approx(1 / inverse, rel=1e-3)
    pairs = [math.cos(b - a) for at, a in enumerate(angles) for b in angles[at + 1 :]]
    assert shape.mean_cosine == pytest.approx(np.mean(pairs), rel=1e-5)


def test_dimension_needs_neighbours(space_of) -> None:
    assert math.isnan(intrinsic_dimension(neighbour_graph(space_of(np.eye(5)), k=2)))
    assert math.isnan(intrinsic_dimension(neighbour_graph(space_of(np.ones((9, 2))), k=4)))  # all at no distance


def test_alignment_is_the_mean_squared_distance() -> None:
    found = alignment(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]), np.array([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]]))
    assert found.value == pytest.approx((0 + 2 + 4) / 3) and found.n == 3


@given(st.integers(0, 50))
def test_turning_and_shuffling_change_nothing(seed) -> None:
    from reclens.explore.space import EmbeddingCard, EmbeddingSpace

    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(60, 6))
    turn, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    order = rng.permutation(60)
    card = EmbeddingCard(model="m", revision="1", dimension=6, source="file")
    ids = pl.Series([f"i{at}" for at in range(60)])
    first = EmbeddingSpace(ids=ids, vectors=unit_vectors(as_vectors(vectors)), card=card)
    second = EmbeddingSpace(ids=ids.gather(order), vectors=unit_vectors(as_vectors((vectors @ turn)[order])), card=card)
    graphs = [neighbour_graph(each, k=8) for each in (first, second)]
    counts = [hubness(space, graph, k=5).counts for space, graph in zip((first, second), graphs, strict=True)]
    assert np.array_equal(counts[0][order], counts[1])
    groups = [
        near_duplicates(space, graph, threshold=0.8) for space, graph in zip((first, second), graphs, strict=True)
    ]
    assert {frozenset(each.ids) for each in groups[0].groups} == {frozenset(each.ids) for each in groups[1].groups}
    shapes = [space_shape(space, graph) for space, graph in zip((first, second), graphs, strict=True)]
    for name in ("uniformity", "mean_cosine", "effective_rank", "intrinsic_dimension"):
        assert getattr(shapes[0], name) == pytest.approx(getattr(shapes[1], name), rel=1e-3, abs=1e-4)
