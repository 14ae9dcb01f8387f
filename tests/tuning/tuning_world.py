"""A world in which the best configuration is known: a model with a dial, and users who all want the same item.

Askers have one training item and the item ``z`` in the validation part; holders have everything in training, so that
``z`` is in every catalogue. ``Dial`` puts ``z`` at place ``round(20 |dial - 0.3|) + code of the asker modulo 3`` (from
0), so that the value of a configuration can be worked out by hand, and 0.3 is the best dial there is.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.data.split import Split
from reclens.models import Recommender
from reclens.models._core.search_space import Float, Space

ASKERS, HOLDERS, ITEMS = 600, 120, 30


def make_split() -> Split:
    rows = [(f"a{user:04}", "t") for user in range(ASKERS)]
    rows += [(f"h{user:04}", item) for user in range(HOLDERS) for item in (*(f"i{i:02}" for i in range(ITEMS)), "z")]
    train = pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row")
    held = pl.DataFrame({"user_id": [f"a{user:04}" for user in range(ASKERS)], "item_id": ["z"] * ASKERS})
    test = pl.DataFrame({"user_id": ["a0000"], "item_id": ["i00"]})
    return Split(train=Dataset(train, name="dial world"), test=test, card={}, validation=held)


@dataclass(kw_only=True)
class Dial(Recommender):
    name: ClassVar[str] = "dial"
    space: ClassVar[Mapping[str, Space]] = {"dial": Float(0, 1, log=False)}
    fits: ClassVar[list[tuple[str, float, frozenset]]] = []
    """What was fitted: model, dial, users."""

    dial: float = 0.8
    sleep: float = 0.0

    def _fit(self, train, engine, progress) -> None:
        time.sleep(self.sleep)
        Dial.fits.append((self.name, self.dial, frozenset(train.interactions["user_id"].unique())))

    def _scores(self, block) -> np.ndarray:
        codes = self.items_.encode(pl.Series([f"i{i:02}" for i in range(ITEMS)]))
        scores = np.full((len(block.users), len(self.items_)), -1000, np.float32)
        scores[:, codes] = -np.arange(ITEMS)
        number = np.array([int(user[1:]) for user in self.users_.decode(block.users)])
        scores[:, self.items_.encode(pl.Series(["z"]))[0]] = 0.5 - (place(self.dial) + number % 3)
        return scores

    def _reasons(self, user: int, item: int) -> tuple[str, list[Any], np.ndarray]:
        raise NotImplementedError

    def _state(self) -> dict[str, np.ndarray]:
        return {}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        raise NotImplementedError


@dataclass(kw_only=True)
class Other(Dial):
    """The same under another name."""

    name: ClassVar[str] = "other"


@dataclass(kw_only=True)
class Stuck(Dial):
    """One whose dial nobody said how to search."""

    name: ClassVar[str] = "stuck"
    space: ClassVar[Mapping[str, Space]] = {}


@dataclass(kw_only=True)
class Picky(Dial):
    """One that refuses dials below 0.2, and breaks on those above 0.7."""

    name: ClassVar[str] = "picky"
    dial: float = 0.5

    def _check(self) -> None:
        from reclens.errors import UsageError

        if self.dial < 0.2:
            raise UsageError(f"dial is {self.dial}, expected 0.2 or more.")

    def _fit(self, train, engine, progress) -> None:
        if self.dial > 0.7:
            raise FloatingPointError("the dial broke")
        super()._fit(train, engine, progress)


def place(dial: float) -> int:
    return round(20 * abs(dial - 0.3))


def value(dial: float) -> float:
    """NDCG@10 of a configuration over all askers: one relevant item, so that it is 1 ÷ log2(place + 2)."""
    places = [place(dial) + user % 3 for user in range(ASKERS)]
    return sum(1 / math.log2(at + 2) if at < 10 else 0.0 for at in places) / ASKERS
