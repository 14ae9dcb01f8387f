"""Critiques: how many items they leave, and which cannot be meant."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reclens import models
from reclens.errors import UsageError

Shop = Callable[..., models.Knowledge]


def test_critiques(shop: Shop) -> None:
    model = shop()
    found = model.critique("a", "cheaper, like: tags")
    assert found.require == ("price < 100", "tags includes any of [camping, light]") and found.n_items == 2
    assert found.table["item_id"].to_list() == ["b", "c"], "b is of the same brand, has the same stock or a nearer year"
    assert model.critique("a", "newer", user=1).table["item_id"].is_in(["c", "d", "f"]).all()
    assert sorted(model.critique("b", "other brand").table["item_id"]) == ["c", "d", "f"]
    assert sorted(model.critique("b", "same tags").table["item_id"]) == ["a", "c"]
    asked = model.asked(require=["tags includes camping", "price <= 90"], prefer={"price low": 1.0})
    found = asked.critique("b", "lower price")
    assert found.require == ("tags includes camping", "price < 60"), "it stands in the place of the other one"
    assert found.prefer == {"price low": 1.0} and found.table["item_id"].to_list() == ["c"]
    assert asked.critique("c", "cheaper").n_items == 0
    roomier = shop(critiques={"roomier": "higher price"})
    assert roomier.critique("f", "roomier").table["item_id"].to_list() == ["a"]


def test_possible_critiques_say_how_many_items_they_leave(shop: Shop) -> None:
    units = {row["critique"]: row["items"] for row in shop().possible("c", size=1).to_dicts()}
    # c costs 40, is of Sud and of 2020; it has no date and no word on stock, and its title is its own.
    assert units == {
        "cheaper": 1,
        "dearer": 3,
        "older": 1,
        "newer": 3,
        "same brand": 1,
        "other brand": 3,
        "like tags": 2,
        "other tags": 2,
    }
    pairs = {row["critique"]: row["items"] for row in shop().possible("c", size=2).to_dicts() if row["size"] == 2}
    assert pairs["dearer, newer"] == 2, "b and f"
    assert "cheaper, like tags" not in pairs, "it leaves nothing"
    masks = {
        "cheaper": "e",
        "dearer": "abf",
        "older": "a",
        "newer": "bdf",
        "same brand": "d",
        "other brand": "abf",
        "like tags": "ab",
        "other tags": "de",
    }
    for said, count in pairs.items():
        one, two = (set(masks[part]) for part in said.split(", "))
        assert count == len(one & two) < min(len(one), len(two)), said


@pytest.mark.parametrize("declared", [[], ["tags is known", "price > 30"]])
@pytest.mark.parametrize("item", list("abcdef"))
def test_a_critique_leaves_as_many_items_as_was_said(shop: Shop, item: str, declared: list[str]) -> None:
    model = shop(require=declared)
    possible = model.possible(item, size=3)
    for said, count in possible.select("critique", "items").iter_rows():
        found = model.critique(item, said, k=99)
        assert found.n_items == found.table.height == count, said
        fitting = set(model.asked(require=found.require).best()["item_id"])
        assert fitting - {item} == set(found.table["item_id"]), said


@pytest.mark.parametrize(
    ("item", "critique", "says"),
    [
        ("z", "cheaper", "unknown item 'z'"),
        ("a", "chaper", "Did you mean 'cheaper'"),
        ("a", "longer", "Say 'higher COLUMN'"),
        ("d", "cheaper", "item d has no value in 'price'"),
        ("a", "higher brand", "Say 'other brand'"),
        ("a", "other brnd", "Did you mean 'brand'"),
    ],
)
def test_wrong_critiques_are_explained(shop: Shop, item: str, critique: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        shop().critique(item, critique)
