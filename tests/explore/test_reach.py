"""The ladder of reasons, and the index that is probed for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from reclens.errors import UsageError
from reclens.explore.coverage import measure_coverage
from reclens.explore.demand import supply_and_demand
from reclens.explore.hubness import hubness
from reclens.explore.neighbours import neighbour_graph
from reclens.explore.planted import HidingStore
from reclens.explore.reach import probe_index, reach_ladder, stored_rows


class Half(HidingStore):
    """Holds and returns only some of the space; what it holds and hides are two things."""

    def __init__(self, space, held) -> None:
        super().__init__(space, np.setdiff1d(np.arange(len(space)), held))
        self._held = held

    def list_ids(self):
        for at in range(0, len(self._held), 7):
            yield [self._names[row] for row in self._held[at : at + 7]]


def test_what_a_store_holds_is_read_page_by_page(space_of) -> None:
    space = space_of(np.random.default_rng(0).normal(size=(50, 4)))
    held = np.array([0, 3, 49])
    assert np.flatnonzero(stored_rows(space, Half(space, held))).tolist() == [0, 3, 49]
    assert stored_rows(space, HidingStore(space, [1])).all()


def test_items_that_the_index_hides_are_found_and_no_others(planted) -> None:
    world = planted("unreachable")
    found = probe_index(world.items, world.store, {"users": world.users.unit})
    assert np.array_equal(found.unreachable, world.planted)
    assert found.recall < 1 and (found.found <= found.expected).all() and found.queries == {"users": 400}
    clean = planted()
    held = probe_index(clean.items, clean.store, {"users": clean.users.unit})
    assert held.recall == 1 and not len(held.unreachable) and (held.self_found == 1).all()
    with pytest.raises(UsageError, match="no query"):
        probe_index(clean.items, clean.store, {"users": np.zeros((0, 32))})


def test_its_own_vector_is_no_proof_that_an_item_is_found(planted) -> None:
    world = planted()
    hidden = np.array([5, 700])

    class SelfOnly(HidingStore):
        """Returns hidden items to exactly their own vectors, as broken graphs do, and to no other query."""

        def query(self, vectors, k, *, where=None):
            answers, cosines = super().query(vectors, k)
            for at, vector in enumerate(np.asarray(vectors)):
                for row in hidden:
                    if np.allclose(vector, self._space.unit[row], atol=1e-6):
                        answers[at] = [self._names[row], *answers[at][:-1]]
            return answers, cosines

    found = probe_index(world.items, SelfOnly(world.items, hidden), {"held_out": world.users.unit})
    asked_often = hidden[found.expected[hidden] >= 2]
    assert (found.self_found[hidden] == 1).all() and len(asked_often)
    assert set(asked_often) <= set(found.unreachable) <= set(hidden)


def test_one_miss_of_an_index_that_misses_many_is_chance(space_of) -> None:
    # 40 items in a plane, one query: an index that returns every second item misses each of the others "always", of
    # one query; at its recall of a half that is no news. Their own vectors find them.
    angles = np.linspace(0, 1, 40)
    space = space_of(np.column_stack([np.cos(angles), np.sin(angles)]))

    class Every(HidingStore):
        def query(self, vectors, k, *, where=None):
            if len(vectors) > 1:  # own vectors
                return super().query(vectors, k)
            answers, cosines = super().query(vectors, k)
            return [each[::2] for each in answers], cosines

    found = probe_index(space, Every(space), {"queries": space.unit[:1]}, depth=40)
    assert found.recall == 0.5 and not len(found.unreachable)


def test_the_first_reason_that_holds_is_the_reason(space_of) -> None:
    rng = np.random.default_rng(1)
    cluster = np.array([1.0, 0, 0, 0]) + rng.uniform(-0.3, 0.3, (60, 4)) * [1, 1, 1, 0]
    apart = np.array([[0.0, 0, 0, 1.0]]) + rng.normal(0, 0.02, (4, 4))  # a cluster without users
    space = space_of(np.vstack([cluster, apart]), ids=pl.Series([f"i{at}" for at in range(64)]))
    users = space_of(cluster[::3] + rng.normal(0, 0.02, (20, 4)))
    graph = neighbour_graph(space, k=10)
    counts = hubness(space, graph, k=3).counts
    demand = supply_and_demand(space, users, graph, k=3)
    assert set(demand.dead_stock) == {60, 61, 62, 63}
    shown = np.zeros(64, bool)
    shown[:10] = True
    held = np.ones(64, bool)
    held[60] = False
    probe = probe_index(space, HidingStore(space, [61]), {"users": users.unit})
    found = reach_ladder(space, shown, k=5, users=users, occurrences=counts, demand=demand, held=held, probe=probe)
    reason = dict(zip(found.rows.tolist(), found.reasons, strict=True))
    assert set(reason) == set(range(10, 64))
    assert reason[60] == "not_in_index" and reason[61] == "index_unreachable"
    assert {reason[62], reason[63]} <= {"demand_orphan", "anti_hub"}
    # By hand: places of every item for every user.
    products = users.unit @ space.unit.T
    ranks = (products[:, :, None] < products[:, None, :]).sum(axis=2) + 1
    best = ranks.min(axis=0)
    for row in range(10, 60):
        expected = "in_reach" if best[row] <= 5 else "anti_hub" if counts[row] == 0 else "outranked"
        assert reason[row] == expected, row
    outranked = [at for at, each in enumerate(found.reasons) if each == "outranked"]
    assert outranked and (found.best_share[outranked] < 1).all() and (found.best_rank[outranked] > 5).all()
    assert found.counts()["outranked"] == len(outranked) == len(found.of("outranked"))
    assert found.blockers and all(dict(found.blockers)[name] > 0 for name, _ in found.blockers)
    frame = found.to_frame()
    assert frame.columns == ["id", "reason", "best_share", "best_rank"] and frame.height == 54
    # What the index lacks is not in the index, whatever else holds; what it does not return comes next.
    given = {"k": 5, "users": users, "occurrences": counts, "demand": demand}
    lost = replace(probe, unreachable=np.arange(64))
    for held, first in ((np.ones(64, bool), "index_unreachable"), (np.zeros(64, bool), "not_in_index")):
        assert set(reach_ladder(space, shown, **given, probe=lost, held=held).reasons) == {first}
    assert set(reach_ladder(space, shown, **given, held=np.zeros(64, bool)).reasons) == {"not_in_index"}


def test_lengths_decide_by_dot_product(space_of) -> None:
    # Short items lie inside of the hull of the long ones: no user vector at all brings them up.
    rng = np.random.default_rng(2)
    around = rng.normal(size=(120, 3))
    around /= np.linalg.norm(around, axis=1, keepdims=True)
    lengths = np.r_[np.full(100, 2.0), np.full(20, 0.1)][:, None]
    space = space_of(around * lengths, dot=True)
    shown = np.zeros(120, bool)
    users = space_of(rng.normal(size=(30, 3)), dot=True)
    found = reach_ladder(space, shown, k=2, users=users)
    assert (np.array(found.reasons)[100:] == "structurally_unreachable").all()
    assert not (np.array(found.reasons)[:100] == "structurally_unreachable").any()
    assert found.structure is not None and (found.best_share[100:] < 0.2).all()
    sampled = reach_ladder(space, shown, k=2, users=users, most_exact=5)
    assert sampled.counts()["not_decided"] + sampled.counts()["structurally_unreachable"] == 20
    cosine = reach_ladder(space_of(around * lengths), shown, k=2, users=space_of(users.vectors))
    assert cosine.structure is None


def test_turning_and_shuffling_change_no_reason(planted, space_of) -> None:
    world = planted("orphans")
    coverage = measure_coverage(world.items, np.zeros(1_500, int), world.lists)
    rng = np.random.default_rng(3)
    turn, _ = np.linalg.qr(rng.normal(size=(32, 32)))
    order = rng.permutation(1_500)
    reasons = []
    for rows, turned in ((np.arange(1_500), np.eye(32)), (order, turn)):
        space = space_of(world.items.unit[rows] @ turned, ids=world.items.ids.gather(rows))
        users = space_of(world.users.unit @ turned)
        graph = neighbour_graph(space, k=10)
        demand = supply_and_demand(space, users, graph)
        found = reach_ladder(
            space,
            coverage.shown[rows],
            users=users,
            occurrences=hubness(space, graph).counts,
            demand=demand,
        )
        reasons.append(dict(zip(space.ids.gather(found.rows).to_list(), found.reasons, strict=True)))
    assert reasons[0] == reasons[1]
    orphans = {each for each, reason in reasons[0].items() if reason == "demand_orphan"}
    assert len(orphans) > 20 and len(orphans - {f"i{row}" for row in world.planted}) <= 2
