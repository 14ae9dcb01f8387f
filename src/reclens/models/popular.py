"""Popular: the items that most users have, the same for everybody. The baseline every other model has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reclens.data.dataset import Dataset
from reclens.engine import LocalEngine, Progress
from reclens.models._base import Recommender
from reclens.models._block import Block
from reclens.models._form import Form, numbers

__all__ = ["Popular"]


@dataclass(kw_only=True)
class Popular(Recommender):
    """The items with the most users; users without training data get them too.

    The score of an item is the number of its training users.
    """

    name: ClassVar[str] = "popular"
    floor: ClassVar[float] = 0.0

    @property
    def personal(self) -> bool:
        """No: everybody gets the same."""
        return False

    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None:
        self.counts_ = np.bincount(self.seen_.indices, minlength=len(self.items_)).astype(np.float32)

    def _scores(self, block: Block) -> np.ndarray:
        return np.repeat(self.counts_[None, :], len(block.users), axis=0)

    def _reasons(self, block: Block, item: int) -> tuple[str, list[Any], np.ndarray]:
        return "count", ["users in the training data who have it"], self.counts_[[item]].astype(np.float64)

    def _state(self) -> dict[str, np.ndarray]:
        return {"counts": self.counts_}

    def _form(self) -> Mapping[str, Form]:
        return {"counts": numbers("items", low=0)}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.counts_ = arrays["counts"]
