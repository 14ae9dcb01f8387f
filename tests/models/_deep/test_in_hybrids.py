"""Models of sequences in hybrids: the order of a history reaches them, in their own codes of items."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from reclens import models


@pytest.mark.parametrize("cold", [False, True])
def test_the_order_of_a_history_reaches_the_models_of_a_hybrid(cold: bool, cycle) -> None:
    options = {"factors": 16, "max_length": 12, "device": "cpu", "batch_size": 16, "epochs": 8, "learning_rate": 0.01}
    # Items that nobody has come first in the catalogue, so that codes of the hybrid differ from those of the network.
    items = pl.DataFrame({"item_id": [*range(-3, 0), *range(20)], "kind": ["new"] * 3 + ["old"] * 20})
    data = replace(cycle, items=items) if cold else cycle
    other = {"content": {"min_items": 1}} if cold else {"popular": {}}
    (second,) = other
    hybrid = models.WeightedHybrid(
        models={"sasrec": options, **other}, weights={"sasrec": 1.0, second: 1e-6}, scale="z"
    )
    hybrid.fit(data, threads=1)
    alone = hybrid.parts_["sasrec"]
    assert len(hybrid.items_) == len(alone.items_) + 3 * cold
    walk = pl.DataFrame({"user_id": ["x", "y"] * 3, "item_id": [4, 6, 5, 4, 6, 5]})  # x: 4, 5, 6; y: 6, 4, 5
    wanted = alone.recommend(history=walk, k=5, threads=1).table
    found = hybrid.recommend(history=walk, k=5, threads=1).table
    assert found["item_id"].to_list() == wanted["item_id"].to_list()
    of_x, of_y = (wanted.filter(pl.col("user_id") == user)["item_id"].to_list() for user in ("x", "y"))
    assert of_x != of_y, "the same items in another order"
    # What is added to a history of the training data follows it.
    known = int(alone.users_.ids[0])
    rest = [item for item in range(20) if item not in cycle.interactions.filter(pl.col("user_id") == known)["item_id"]]
    more = pl.DataFrame({"user_id": [known] * 2, "item_id": rest[-2:]})
    wanted, found = (model.recommend(history=more, k=3, threads=1).table["item_id"] for model in (alone, hybrid))
    assert found.to_list() == wanted.to_list()
