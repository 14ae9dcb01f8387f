"""Recall of stores against exact search, by region, filter and setting; drift of a space."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes

from reclens.errors import DataError, UnknownNameError, UsageError
from reclens.explore.drift import align, drift_between
from reclens.explore.planted import HidingStore
from reclens.explore.retrieval import choose_setting, retrieval_recall


def test_recall_is_what_is_found_of_what_there_is(planted) -> None:
    world = planted()
    queries = world.users.unit[:100]
    rng = np.random.default_rng(0)
    hidden = np.sort(rng.choice(1_500, 300, replace=False))
    found = retrieval_recall(world.items, HidingStore(world.items, hidden), queries, k=10, regions=world.topics)
    near = np.argsort(-(queries @ world.items.unit.T), axis=1)[:, :10]
    expected = 1 - np.isin(near, hidden).mean(axis=1)
    assert np.allclose(found.per_query, expected) and found.recall.value == pytest.approx(expected.mean())
    assert found.below_half == (expected < 0.5).mean()
    of_query = world.topics[near[:, 0]]
    by = {each.region: each.recall.value for each in found.regions}
    assert by == pytest.approx({r: expected[of_query == r].mean() for r in by}) and len(by) >= 8
    assert [each.recall.value for each in found.regions] == sorted(by.values())
    assert found.worst == found.regions[0].recall.value  # 5 % of 10 regions: one
    exact = retrieval_recall(world.items, world.store, queries * 3)  # length is no matter
    assert exact.recall.value == 1 and exact.recall.high == 1 and exact.below_half == 0


def test_ties_are_right_whichever_is_returned(space_of) -> None:
    space = space_of(np.vstack([np.tile([1.0, 0.0], (6, 1)), [[0.0, 1.0]]]))
    found = retrieval_recall(space, HidingStore(space, [0, 1, 2]), np.array([[1.0, 0.0]]), k=3)
    assert found.recall.value == 1  # three copies hidden, three as good returned
    assert retrieval_recall(space, HidingStore(space, [0, 1, 2, 3]), np.array([[1.0, 0.0]]), k=3).recall.value == 2 / 3


def test_a_place_that_is_empty_is_not_right(space_of) -> None:
    space = space_of(np.array([[1.0, 0.0], [0.9, 0.1], [0.8, 0.2], [0.0, 1.0]]))
    found = retrieval_recall(space, HidingStore(space, [1, 2, 3]), np.array([[1.0, 0.0]]), k=3)
    assert found.recall.value == pytest.approx(1 / 3)  # the first item, and two empty places


class Filtering(HidingStore):
    """Filters after the search, as some stores do: few items of a narrow filter are left."""

    def __init__(self, space, depth) -> None:
        super().__init__(space)
        self._depth = depth

    def query(self, vectors, k, *, where=None):
        if where is None:
            return super().query(vectors, k)
        passing = set(self._space.ids.filter(self._space.attributes["topic"] == where["topic"]).to_list())
        answers, cosines = super().query(vectors, self._depth)
        return [[each for each in line if each in passing][:k] for line in answers], cosines[:, :k]


def test_a_filter_that_thins_answers_is_seen(planted) -> None:
    world = planted()
    topic = world.items.attributes["topic"][0]
    queries = world.users.unit[:60]
    store = Filtering(world.items, depth=30)
    found = retrieval_recall(
        world.items,
        store,
        queries,
        filters=[{"topic": topic}, {"topic": ["harbour", "mountain"]}, {"topic": "none"}][:1],
    )
    (narrow,) = found.filters
    among = np.flatnonzero((world.items.attributes["topic"] == topic).to_numpy())
    assert found.recall.value == 1 and narrow.items == len(among) and narrow.selectivity == len(among) / 1_500
    assert narrow.recall.value < 0.5 and narrow.short > 0.5
    wide = retrieval_recall(world.items, Filtering(world.items, depth=1_500), queries, filters=[{"topic": topic}])
    assert wide.filters[0].recall.value == 1 and wide.filters[0].short == 0
    nothing = retrieval_recall(world.items, store, queries, filters=[{"topic": "none"}])
    assert nothing.filters[0].items == 0


def test_filters_mean_what_stores_mean_by_them() -> None:
    from reclens.explore.retrieval import _passes

    table = pl.DataFrame({"year": [1990, 2000, None], "kinds": [["a", "b"], ["c"], None], "new": [True, False, None]})
    assert _passes(table, {"year": {"gte": 1990, "lt": 2000}}).tolist() == [True, False, False]
    assert _passes(table, {"year": {"gt": 1990, "lte": 2000}}).tolist() == [False, True, False]
    assert _passes(table, {"kinds": "b"}).tolist() == [True, False, False]
    assert _passes(table, {"kinds": ["c", "a"], "new": False}).tolist() == [False, True, False]
    with pytest.raises(UnknownNameError, match="yaer"):
        _passes(table, {"yaer": 1990})


def test_the_cheapest_setting_that_surely_reaches_the_target(planted) -> None:
    world = planted()
    stores = {
        share: HidingStore(world.items, np.random.default_rng(1).choice(1_500, int(1_500 * (1 - share)), replace=False))
        for share in (0.5, 0.9, 0.97, 1.0)
    }
    found = choose_setting(world.items, stores, world.users.unit[:150], target=0.93)
    assert found.setting == 0.97 and [setting for setting, _ in found.curve] == [0.5, 0.9, 0.97, 1.0]
    assert [each.value for _, each in found.curve] == sorted(each.value for _, each in found.curve)
    # A recall whose interval holds the target is not surely above it.
    unsure = found.curve[2][1]
    target = (unsure.low + unsure.value) / 2
    assert choose_setting(world.items, stores, world.users.unit[:150], target=target).setting == 1.0
    assert choose_setting(world.items, {1: stores[0.5]}, world.users.unit[:50]).setting is None
    with pytest.raises(UsageError, match="target"):
        choose_setting(world.items, stores, world.users.unit, target=0)
    with pytest.raises(UsageError, match="no query"):
        retrieval_recall(world.items, world.store, np.zeros((0, 32)))


@given(st.integers(2, 6), st.integers(0, 99))
def test_the_alignment_is_scipys(d, seed) -> None:
    rng = np.random.default_rng(seed)
    before, after = rng.normal(size=(30, d)), rng.normal(size=(30, d))
    assert np.allclose(align(before, after), orthogonal_procrustes(after, before)[0], atol=1e-6)


def test_a_turned_space_has_not_moved(planted, space_of) -> None:
    world = planted()
    rng = np.random.default_rng(2)
    turn, _ = np.linalg.qr(rng.normal(size=(32, 32)))
    order = rng.permutation(1_500)
    after = space_of((world.items.vectors @ turn)[order], ids=world.items.ids.gather(order))
    found = drift_between(world.items, after)
    assert found.moved.max() < 1e-5 and not len(found.far) and found.lost.max() < 0.2 and found.lost.mean() < 0.001
    assert found.rotated > 0.5 and (found.added, found.removed) == (0, 0)


def test_a_neighbourhood_that_moved_is_found(planted) -> None:
    world = planted("drift")
    regions = np.zeros(1_500, int)
    regions[world.planted] = 1
    found = drift_between(world.items, world.later, regions=regions, names=("rest", "moved"))
    assert set(found.far.tolist()) >= set(world.planted.tolist()) and len(found.far) <= len(world.planted) + 4
    first = found.regions[0]
    assert first.name == "moved" and first.changed and first.share_moved == 1 and not found.regions[1].changed
    assert first.moved.low > found.regions[1].moved.high
    still = drift_between(planted().items, planted().later)
    assert len(still.far) <= 3


def test_neighbours_lost_by_hand(space_of) -> None:
    def at(*degrees):
        angles = np.radians(degrees)
        return np.column_stack([np.cos(angles), np.sin(angles)])

    ids = pl.Series(list("abcde"))
    before = space_of(at(0, 10, 30, 90, 120), ids=ids)
    after = space_of(at(0, 80, 30, 90, 120), ids=ids)
    found = drift_between(before, after, k=1)
    # Nearest before: b a b e d; after: c d a b d. Kept: e.
    assert found.lost.tolist() == [1.0, 1.0, 1.0, 1.0, 0.0]
    two = drift_between(before, after, k=2)
    # Nearest two before: bc ac ba ec dc; after: cb de ab be db. Shared: 2 0 2 1 1 of 2.
    assert two.lost.tolist() == pytest.approx([0.0, 1.0, 0.0, 1 - 1 / 3, 1 - 1 / 3])
    wider = drift_between(before, space_of(np.pad(at(0, 10, 30, 90, 120), ((0, 0), (0, 2))), ids=ids), k=1)
    assert wider.moved.max() < 1e-6
    fewer = drift_between(before, after.take(np.array([4, 0, 1])), k=1)
    assert fewer.ids.to_list() == ["a", "b", "e"] and fewer.removed == 2
    with pytest.raises(DataError, match="2 items"):
        drift_between(before, after.take(np.array([0, 1])))
