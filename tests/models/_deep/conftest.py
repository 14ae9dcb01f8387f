"""What the tests of the networks share: they need PyTorch, which `make test-torch` brings."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.data.dataset import Dataset


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """One thread of PyTorch: the tests are small."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: run make test-torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def timed() -> Callable[..., Dataset]:
    """``timed({user: items})``: the items of each user, one a minute; rows in another order than time."""

    def data(sequences: dict[int, list[int]]) -> Dataset:
        rows = [(user, item, 60 * at) for user, items in sequences.items() for at, item in enumerate(items)]
        table = pl.DataFrame(rows, ["user_id", "item_id", "timestamp"], orient="row")
        return rl.read(table.sample(fraction=1.0, shuffle=True, seed=1).with_columns(pl.from_epoch("timestamp")))

    return data


@pytest.fixture(scope="session")
def cycle(timed) -> Dataset:
    """Twenty items in a ring: everybody walks on by one, from anywhere. Popularity says nothing of the next step."""
    rng = np.random.default_rng(3)
    walks = {}
    for user in range(120):
        start, steps = rng.integers(20), rng.integers(4, 15)
        walks[user] = [int(start + step) % 20 for step in range(steps)]
    return timed(walks)


@pytest.fixture(scope="session")
def next_hits(cycle: Dataset) -> Callable[..., float]:
    """The share of users whose first recommendation is the next item of the ring."""
    last = cycle.interactions.sort("timestamp").group_by("user_id").last()

    def share(model) -> float:
        first = model.recommend(k=1, threads=1).table.join(last, on="user_id")
        return float((first["item_id"] == (first["item_id_right"] + 1) % 20).mean())

    return share
