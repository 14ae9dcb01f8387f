"""A small market whose truth is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

import reclens as rl


def make_market(*, tilt: float, users: int = 600, seed: int = 1) -> dict[str, object]:
    """Lists of ten of 60 items, drawn alike for everyone; the items of men are relevant more often by ``tilt``."""
    rng = np.random.default_rng(seed)
    gender = rng.choice(["F", "M", None], users, p=[0.4, 0.5, 0.1])
    chance = 0.2 + tilt * (gender == "M")
    shown = np.argsort(rng.random((users, 60)), axis=1)[:, :10]
    hit = rng.random((users, 10)) < chance[:, None]
    ids = np.repeat(np.arange(users), 10)
    lists = pl.DataFrame({"user_id": ids, "item_id": shown.ravel(), "rank": np.tile(np.arange(1, 11), users)})
    truth = lists.filter(pl.Series(hit.ravel())).select("user_id", "item_id")
    extra = pl.DataFrame({"user_id": np.arange(users), "item_id": rng.integers(0, 60, users)})
    owned = pl.DataFrame(
        {"user_id": np.repeat(np.arange(users), 5), "item_id": rng.integers(0, 60, 5 * users)}
    ).unique()
    return {
        "recommendations": lists,
        "truth": pl.concat([truth, extra]).unique(maintain_order=True),
        "train": rl.Dataset(
            owned,
            users=pl.DataFrame({"user_id": np.arange(users), "gender": gender}),
            items=pl.DataFrame({"item_id": np.arange(60), "brand": ["a", "b", "c"] * 20}),
        ),
    }


@pytest.fixture(scope="session")
def market() -> Callable[..., dict[str, Any]]:
    """Makes lists, truth and training data."""
    return make_market
