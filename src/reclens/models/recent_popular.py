"""Recently popular: the items with the most users in the last days. A strong baseline on a split by time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.engine import LocalEngine, Progress
from reclens.errors import ArgumentValueError, UsageError
from reclens.models._core.block import Block
from reclens.models._core.form import Form, numbers
from reclens.models._core.recommender import Recommender
from reclens.models._core.search_space import Float, Space
from reclens.schema import ITEM, TIMESTAMP, USER

__all__ = ["RecentPopular"]


@dataclass(kw_only=True)
class RecentPopular(Recommender):
    """Recommend the items with the most users within ``days`` before the last training interaction.

    Users without training data get them too. Items without an interaction in the window are not recommended, so lists
    can be shorter than asked for.

    Attributes:
        days: Length of the window.
    """

    name: ClassVar[str] = "recent_popular"
    min_score: ClassVar[float] = 0.0
    space: ClassVar[Mapping[str, Space]] = {"days": Float(1, 365)}

    days: float = 7.0

    @property
    def is_personalized(self) -> bool:
        """No: everybody gets the same."""
        return False

    def _check(self) -> None:
        if not self.days > 0:
            raise ArgumentValueError("days", f"is {self.days}, expected a number above 0", of="model")

    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None:
        if not train.has_timestamps:
            raise UsageError("recent_popular needs timestamps, and the training data has none. Use popular.")
        last: Any = train.interactions[TIMESTAMP].max()
        recent = train.interactions.filter(pl.col(TIMESTAMP) > last - timedelta(days=self.days))
        pairs = recent.select(USER, ITEM).unique()
        counts = np.bincount(self.items_.encode(pairs[ITEM]), minlength=len(self.items_))
        self.counts_ = counts.astype(np.float32)

    def _scores(self, block: Block) -> np.ndarray:
        return np.repeat(self.counts_[None, :], len(block.users), axis=0)

    def _reasons(self, block: Block, item: int) -> tuple[str, list[Any], np.ndarray]:
        label = f"users who had it in the last {self.days:g} days of the training data"
        return "count", [label], self.counts_[[item]].astype(np.float64)

    def _state(self) -> dict[str, np.ndarray]:
        return {"counts": self.counts_}

    def _form(self) -> Mapping[str, Form]:
        return {"counts": numbers("items", low=0)}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.counts_ = arrays["counts"]
