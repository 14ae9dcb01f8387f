"""The interactive map of an exploration: every finding leads to the items it is about, every item to what is known."""

from __future__ import annotations

import json
import struct
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.explore import pca_map, run
from reclens.explore.planted import PlantedSpace, planted_space
from reclens.explore.result import Exploration
from reclens.report.explore.map_page import build_exploration_map, pack_exploration, points_of

SIZE = {"n_items": 600, "n_users": 200, "dimension": 32, "clusters": 6, "strength": 0.05}


def explored(world: PlantedSpace) -> Exploration:
    return run(world.items, world.lists, world.truth, users=world.users, store=world.store, before=world.later)


@pytest.fixture(scope="module")
def world() -> PlantedSpace:
    return planted_space("unreachable", seed=1, **SIZE)


@pytest.fixture(scope="module")
def found(world: PlantedSpace) -> Exploration:
    return explored(world)


def unpacked(data: bytes):
    (length,) = struct.unpack("<I", data[4:8])
    header = json.loads(data[8 : 8 + length])
    begin, kinds = -(-(8 + length) // 4) * 4, {"u1": np.uint8, "u2": "<u2", "u4": "<u4", "f4": "<f4"}
    arrays = {
        name: np.frombuffer(data, kinds[about["type"]], about["count"], begin + about["at"])
        for name, about in header["arrays"].items()
    }
    columns = {each["name"]: each for each in header["columns"]}

    def values(name: str) -> list:
        column = columns[name]
        codes = arrays[column["array"]].tolist()
        return codes if column["kind"] == "number" else [column["labels"][code] for code in codes]

    return header, arrays, columns, values


@pytest.mark.parametrize(("fault", "code"), [("duplicates", "near_duplicates"), ("drift", "moved")])
def test_a_finding_leads_to_what_was_planted(fault, code):
    world = planted_space(fault, seed=3, **SIZE)
    found = explored(world)
    finding = next(each for each in found.findings if each.code == code)
    rows = points_of(found, world.items, finding)
    assert len(np.intersect1d(rows, world.planted)) >= 0.8 * len(world.planted)
    # A duplicate has the item it was made of beside it.
    assert len(rows) <= 2.2 * len(world.planted)


def test_items_that_the_index_cannot_reach_are_shown_by_their_finding(world, found):
    header, arrays, _, values = unpacked(pack_exploration(found, world.items))
    text = next(each for each in header["findings"] if each["text"].startswith("Unreachable by the index"))
    rows = arrays[text["array"]]
    assert set(rows.tolist()) <= set(world.planted.tolist()) and len(rows) >= 0.8 * len(world.planted)
    assert text["text"] == f"Unreachable by the index (critical; {len(rows)} items)"
    why = values("why never shown")
    assert {why[row] for row in rows} == {"unreachable by the index"}


def test_states_and_counts_are_those_of_the_tables(world, found):
    _, _, columns, values = unpacked(pack_exploration(found, world.items))
    lists = world.lists["item_id"].value_counts().rows()
    shown, wanted = dict(lists), set(world.truth["item_id"])
    ids = world.items.ids.to_list()
    assert values("times shown") == [shown.get(each, 0) for each in ids]
    expected = [
        "shown" if each in shown else "wanted, never shown" if each in wanted else "never shown" for each in ids
    ]
    assert values("shown") == expected
    assert columns["shown"]["slots"][columns["shown"]["labels"].index("shown")] == 7
    why = values("why never shown")
    assert [reason == "shown" for reason in why] == [state == "shown" for state in expected]


def test_one_colours_by_popularity_by_the_first_genre_and_by_attributes_of_any_name(world, found):
    n = len(world.items)
    genres = [["drama", "war"], ["war"], []] * (n // 3)
    named = world.items.attributes.with_columns(
        genres=pl.Series(genres), region=pl.Series(["north", "south"] * (n // 2))
    )
    space = replace(world.items, attributes=named)
    popular = np.arange(n) % 7
    _, _, columns, values = unpacked(pack_exploration(replace(found, popularity=popular), space))
    assert values("popularity") == popular.tolist()
    assert columns["genres"]["about"] == "The first of several." and columns["genres"]["labels"] == ["drama", "war"]
    assert [columns["genres"]["counts"][each] for each in ("0", "1", "255")] == [n // 3] * 3
    assert values("region (attribute)") == ["north", "south"] * (n // 2) and values("region") != values(
        "region (attribute)"
    )


def test_regions_are_named_closer_by_and_their_groups_on_the_whole_map(world, found):
    (view,) = unpacked(pack_exploration(found, world.items))[0]["views"]
    named = [{each["text"] for each in view["labels"] if each["level"] == level} for level in (0, 1)]
    assert named == [set(found.regions.coarse_names), set(found.regions.names)] and named[0] != named[1]


def test_a_second_system_and_a_user_stand_beside(world, found):
    fewer = world.lists.filter(pl.col("rank") == 1)
    beside = {"first only": run(world.items, fewer, world.truth)}
    mine = pl.Series(["in the list"] + ["neither"] * 599)
    packed = pack_exploration(found, world.items, beside=beside, user_columns={"user u1": mine})
    header, _, columns, values = unpacked(packed)
    assert [(view["name"], view["colour"]) for view in header["views"]] == [
        (found.name, None),
        ("first only", "shown by first only"),
    ]
    assert header["colour"] == "user u1" and values("user u1") == mine.to_list()
    assert columns["user u1"]["slots"] == [7, 3]
    assert values("shown by first only").count("shown") == fewer["item_id"].n_unique()


def test_the_nearest_of_each_item_come_with_it(world, found):
    header, arrays, _, _ = unpacked(pack_exploration(found, world.items))
    near = arrays[header["neighbours"]["array"]].reshape(600, header["neighbours"]["k"])
    cosines = world.items.vectors @ world.items.vectors.T
    np.fill_diagonal(cosines, -2)
    np.testing.assert_array_equal(near[:, 0], cosines.argmax(axis=1))


def test_principal_components_are_no_regions(world):
    with_map = run(world.items, point_map=pca_map(world.items), remedies=False)
    assert with_map.regions.method == "space" and with_map.map is not None and with_map.quality is not None


def test_two_spaces_are_named_by_space_and_method(world, found) -> None:
    other = pca_map(world.items)
    header, *_ = unpacked(pack_exploration(found, world.items, other={"by plots": other}))
    method = "PCA" if found.map is None else found.map.method.upper()
    assert [each["name"] for each in header["views"]] == [f"{world.items.name} by {method}", "by plots by PCA"]


def test_the_page_says_how_far_it_can_be_trusted_and_that_data_are_made_up(world, found):
    page = build_exploration_map(replace(found, map=None), world.items, synthetic=True).html
    assert "Synthetic data." in page and "No map was given." in page
    with pytest.raises(rl.errors.UsageError, match="the exploration is of 600 items, and the space has 5"):
        pack_exploration(
            found,
            replace(world.items, ids=world.items.ids[:5], vectors=world.items.vectors[:5], attributes=pl.DataFrame()),
        )
