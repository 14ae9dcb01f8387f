"""Popular: the items that most users have, the same for everybody. The baseline every other model has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reclens.data.dataset import Dataset
from reclens.engine import LocalEngine, Progress
from reclens.models._base import Block, Recommender
from reclens.models._counts import top_of_counts

__all__ = ["Popular"]


@dataclass(kw_only=True)
class Popular(Recommender):
    """The items with the most users; users without training data get them too.

    The score of an item is the number of its training users.
    """

    name: ClassVar[str] = "popular"
    personal: ClassVar[bool] = False

    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None:
        self.counts_ = np.bincount(self.seen_.indices, minlength=len(self.items_)).astype(np.float32)

    def _recommend(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        return top_of_counts(block, self.counts_, self.seen_)

    def _reasons(self, user: int, item: int) -> tuple[str, list[Any], np.ndarray]:
        return "count", ["users in the training data who have it"], self.counts_[[item]].astype(np.float64)

    def _state(self) -> dict[str, np.ndarray]:
        return {"counts": self.counts_}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.counts_ = arrays["counts"]
