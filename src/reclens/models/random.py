"""Random: items in random order. A lower bound for accuracy, and a reference for coverage and diversity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.engine import LocalEngine, Progress
from reclens.models._core.block import Block
from reclens.models._core.recommender import Recommender
from reclens.schema import stable_hash

__all__ = ["Random"]


@dataclass(kw_only=True)
class Random(Recommender):
    """Recommend items at random; the list of a user depends on the seed and their id alone.

    Attributes:
        seed: Seed of the streams.
    """

    name: ClassVar[str] = "random"

    seed: int = 0

    @property
    def is_personalized(self) -> bool:
        """No: a draw needs nothing but the id."""
        return False

    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None:
        """There is nothing to learn but the items."""

    def _keys(self, users: pl.Series) -> np.ndarray:
        return stable_hash(users)

    def _scores(self, block: Block) -> np.ndarray:
        return np.stack([self._draws(int(key)) for key in block.keys])

    def _reasons(self, block: Block, item: int) -> tuple[str, list[Any], np.ndarray]:
        return "count", ["drawn at random"], self._draws(int(block.keys[0]))[[item]].astype(np.float64)

    def _draws(self, key: int) -> np.ndarray:
        return np.random.default_rng([self.seed, key]).random(len(self.items_), np.float32)

    def _state(self) -> dict[str, np.ndarray]:
        return {}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """There is nothing to restore."""
