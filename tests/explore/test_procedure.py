"""A whole exploration: each fault is found by its code, clean spaces are silent, gates hold, users are means."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from reclens.data.dataset import Dataset
from reclens.errors import DataError, IncomparableError, UnknownNameError, UsageError
from reclens.explore import (
    EmbeddingSpace,
    ExploreGateRule,
    ExploreSettings,
    embed_texts,
    explore_gate,
    mean_users,
    pca_map,
    run,
)
from reclens.explore.cards import ExplorationCard
from reclens.explore.planted import planted_space
from reclens.schema import Recommendations
from reclens.stats.gate import Bound

EXPECTED = {
    "duplicates": "near_duplicates",
    "orphans": "dead_stock",
    "hubs": "hubs",
    "hole": "hole",
    "unreachable": "index_unreachable",
    "drift": "moved",
}


def explored(world, **options):
    if world.fault == "drift":
        return run(world.later, before=world.items, remedies=False, **options)
    return run(world.items, world.lists, world.truth, users=world.users, store=world.store, remedies=False, **options)


@pytest.fixture(scope="session")
def clean(planted):
    """The exploration of the clean space, with a map."""
    world = planted()
    pytest.importorskip("sklearn", reason="needs scikit-learn: pip install 'reclens[explore]'")
    return run(
        world.items,
        Recommendations(world.lists, name="mine"),
        world.truth,
        users=world.users,
        train=world.truth,
        store=world.store,
        before=world.later,
        point_map=pca_map(world.items),
        category="topic",
    )


@pytest.mark.parametrize("fault", EXPECTED)
def test_each_fault_is_found_and_no_other(fault, planted) -> None:
    for seed in (0, 1):
        found = explored(planted(fault, seed=seed))
        warned = {each.code for each in found.findings if each.severity != "note"}
        # What the index hides is missing from answers too, and may be a blind spot of the lists.
        also = {"unreachable": {"uneven_recall", "low_recall", "blind_spot"}, "hubs": {"near_duplicates"}}
        assert EXPECTED[fault] in warned and warned - {EXPECTED[fault]} <= also.get(fault, set())


def test_clean_spaces_are_silent(planted) -> None:
    for seed in range(4):
        for found in (explored(planted(seed=seed)), run(planted(seed=seed).later, before=planted(seed=seed).items)):
            assert not [each for each in found.findings if each.severity != "note"]


def test_every_number_is_there_and_agrees_with_its_part(clean, planted, misfits) -> None:
    world = planted()
    assert clean.name == "mine" and clean.missing == ()
    shown = world.lists["item_id"].n_unique() / 1_500
    assert clean["coverage"].value == shown and clean["recall"].value == 1 and clean["index_unreachable"].value == 0
    wanted = world.truth.join(world.lists.select("item_id").unique(), on="item_id", how="anti").height
    assert clean["unshown_wants"].value == wanted / world.truth.height
    assert (
        clean["purity"].value == clean.purity.purity and clean["trustworthiness"].value == clean.quality.trustworthiness
    )
    users, items = world.users, world.items
    pairs = world.truth.with_columns(
        apart=pl.Series(
            (
                (users.unit[users.rows(world.truth["user_id"])] - items.unit[items.rows(world.truth["item_id"])]) ** 2
            ).sum(axis=1)
        )
    )
    assert clean["alignment"].value == pytest.approx(
        pairs.group_by("user_id").agg(pl.col("apart").mean())["apart"].mean()
    )
    assert clean["alignment"].n == 400 and not [each for each in clean.measures if np.isnan(each.estimate.value)]
    frame = clean.to_frame()
    assert frame["measure"].n_unique() == frame.height == len(clean.measures) == 21
    assert clean.regions.method == "space" and clean.card["items"] == 1_500 and clean.card["store"] == "hiding"
    assert misfits(clean.card, ExplorationCard) == set()
    assert set(clean.remedies) == {"none", "mutual_proximity", "local_scaling"}
    with pytest.raises(UnknownNameError, match="coverage"):
        clean["coverag"]
    assert "Exploration of 'mine'" in repr(clean)


def test_findings_lead_to_their_cases(planted) -> None:
    found = explored(planted("unreachable", strength=0.05))
    planted_ids = {f"i{row}" for row in planted("unreachable", strength=0.05).planted}
    first = found.findings[0]
    assert (first.severity, first.code, first.kind) == ("critical", "index_unreachable", "reach")
    assert set(first.examples) <= planted_ids and first.advice == ("rebuild_index", "probe_more_lists")
    assert first.evidence[0]["items"] == len(found.probe.unreachable) == len(found.reach.of("index_unreachable"))
    spots = [each for each in found.findings if each.code == "blind_spot"]
    assert spots and spots[0].estimate.low > 0 and set(spots[0].examples) <= planted_ids
    order = ["critical", "warning", "note"]
    assert [order.index(each.severity) for each in found.findings] == sorted(
        order.index(each.severity) for each in found.findings
    )


def test_a_space_alone_is_enough(planted) -> None:
    found = run(planted().items, k=5, neighbours=8)
    assert found.missing == ("lists", "truth", "users", "store", "before", "map", "category")
    assert found.coverage is found.reach is found.demand is found.retrieval is found.drift is None
    assert {each.measure for each in found.measures} == {
        "near_duplicates",
        "strong_hubs",
        "anti_hubs",
        "hub_skewness",
        "mean_cosine",
    }
    assert found.hubness.k == 5


def test_users_come_from_the_training_data(planted) -> None:
    world = planted()
    train = Dataset(world.truth.select("user_id", "item_id"))
    found = run(world.items, world.lists, train=train, remedies=False)
    assert found.card["users"] == 400 and "alignment" not in {each.measure for each in found.measures}
    assert found.demand is not None and found.reach is not None and (found.reach.best_user >= 0).all()


def test_mean_users_by_hand(space_of) -> None:
    space = space_of(np.vstack([np.eye(3), [[-1.0, 0, 0]]]), ids=pl.Series(list("abcd")))
    log = pl.DataFrame({"user_id": [3, 1, 1, 2, 3, 9, 4, 4], "item_id": ["c", "a", "b", "c", "c", "zz", "a", "d"]})
    found = mean_users(space, log)
    assert found.ids.to_list() == [1, 2, 3] and found.entity == "user"  # 4 has no direction, 9 no item
    assert np.allclose(found.vectors, [[0.5**0.5, 0.5**0.5, 0], [0, 0, 1], [0, 0, 1]])
    many = pl.DataFrame({"user_id": np.repeat(np.arange(3_000), 2), "item_id": ["a", "b"] * 3_000})
    assert np.allclose(mean_users(space, many).vectors, [0.5**0.5, 0.5**0.5, 0])
    with pytest.raises(DataError, match="no interaction"):
        mean_users(space, log.filter(pl.col("item_id") == "zz"))


def test_gates_hold_whole_intervals_and_exact_numbers(clean) -> None:
    rules = [
        ExploreGateRule(measure="index_unreachable", bound=Bound(at_most=0.001)),
        ExploreGateRule(measure="recall", bound=Bound(at_least=0.95)),
        ExploreGateRule(measure="coverage", bound=Bound(at_least=0.99)),
        ExploreGateRule(measure="far_queries", bound=Bound(at_most=0.003), unsure="pass"),
        ExploreGateRule(measure="far_queries", bound=Bound(at_most=0.003)),
        ExploreGateRule(measure="worst_recall", bound=Bound(at_least=0.5)),
    ]
    found = explore_gate(clean, rules)
    assert [row.outcome for row in found.rows] == ["pass", "pass", "fail", "cannot_tell", "cannot_tell", "cannot_tell"]
    assert [row.stops for row in found.rows] == [False, False, True, False, True, True]
    assert found.rows[0].reason == "exact" and found.rows[5].reason == "no_interval" and not found.is_open
    with pytest.raises(UsageError, match="no rule"):
        explore_gate(clean, [])
    with pytest.raises(UnknownNameError, match="alignement"):
        explore_gate(clean, [ExploreGateRule(measure="alignement", bound=Bound(at_most=1))])  # type: ignore[arg-type]


def test_wrong_use_is_refused(planted) -> None:
    world = planted()
    with pytest.raises(UsageError, match="both given"):
        run(world.items, settings=ExploreSettings(), k=3)
    with pytest.raises(UsageError, match="another order"):
        run(world.items, point_map=pca_map(world.items.take(np.arange(1_499, -1, -1))))
    for wrong in ({"level": 1.0}, {"k": 0}, {"neighbours": 3}, {"rare": 0}):
        with pytest.raises(UsageError, match="expected"):
            ExploreSettings(**wrong)


def test_a_planted_space_is_what_it_says() -> None:
    world = planted_space("unreachable", strength=0.1, n_items=400, n_users=50, clusters=4, seed=3)
    hidden = {f"i{row}" for row in world.planted}
    assert len(hidden) == 40 and not hidden & set(world.lists["item_id"]) and hidden & set(world.truth["item_id"])
    assert world.lists.height == 500 and world.lists["rank"].to_list()[:11] == [*range(1, 11), 1]
    again = planted_space("unreachable", strength=0.1, n_items=400, n_users=50, clusters=4, seed=3)
    assert np.array_equal(again.items.vectors, world.items.vectors) and again.truth.equals(world.truth)
    with pytest.raises(UsageError, match="topics"):
        planted_space(clusters=40)
    for refused in (world.store.create, world.store.upsert, world.store.delete):
        with pytest.raises(UsageError, match="cannot be"):
            refused(*[()] * (2 if refused.__name__ == "upsert" else 1))
    assert world.store.fetch(["i3", "nope"]).ids == ["i3"] and world.store.count() == 400


def test_of_longer_lists_the_first_k_are_shown(planted) -> None:
    world = planted()
    lists = world.lists.with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("user_id"))
    assert lists["rank"].max() > 3
    found = run(world.items, lists, world.truth, k=3, remedies=False)
    first = lists.filter(pl.col("rank") <= 3).select("item_id").unique()
    assert found["coverage"].value == first.height / len(world.items) < lists["item_id"].n_unique() / len(world.items)
    wanted = world.truth.join(first, on="item_id", how="anti").height
    assert found["unshown_wants"].value == wanted / world.truth.height


def test_users_of_another_model_are_refused(planted) -> None:
    world = planted()
    films = pl.DataFrame({"item_id": [1, 2, 3], "plot": ["a ship at sea", "love in Paris", "a ship in Paris"]})
    space = embed_texts(films, columns=["plot"], dimension=2)
    others = embed_texts(films.head(2), columns=["plot"], dimension=2, entity="query")
    with pytest.raises(IncomparableError, match="Embed both with one model"):
        run(space, users=others)
    queries = EmbeddingSpace(ids=pl.Series(["q"]), vectors=space.vectors[:1], card=space.card, entity="query")
    assert run(space, users=queries)["far_queries"].n == 1  # of one model
    # Each file has a revision of its own, and may still be of one model.
    card = replace(world.users.card, model="users", revision="other")
    users = EmbeddingSpace(ids=world.users.ids, vectors=world.users.vectors, card=card, entity="user")
    assert run(world.items, users=users, remedies=False)["far_queries"].n == len(users)


def test_a_version_of_another_model_is_refused(planted) -> None:
    world = planted()
    others = replace(world.later, card=replace(world.later.card, model="other", source="model"))
    with pytest.raises(IncomparableError, match="side by side"):
        run(replace(world.items, card=replace(world.items.card, source="model")), before=others)
    anew = replace(world.later, card=replace(world.later.card, revision="2"))  # trained anew: a later version
    assert run(world.items, before=anew, remedies=False).drift is not None


def test_one_item_has_no_neighbours(planted) -> None:
    with pytest.raises(DataError, match="holds a single vector"):
        run(planted().items.take(np.arange(1)))
