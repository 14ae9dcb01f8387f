"""Popular: the items with the most users, the same for everybody. The baseline of every comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reclens.data.dataset import Dataset
from reclens.engine import LocalEngine, Progress
from reclens.models._core.block import Block, rows_of
from reclens.models._core.form import Form, numbers
from reclens.models._core.partial import Joined
from reclens.models._core.recommender import Recommender

__all__ = ["Popular"]


@dataclass(kw_only=True)
class Popular(Recommender):
    """Recommend the items with the most users, also to users without training data.

    The score of an item is the number of its training users.
    """

    name: ClassVar[str] = "popular"
    min_score: ClassVar[float] = 0.0

    @property
    def is_personalized(self) -> bool:
        """No: everybody gets the same."""
        return False

    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None:
        self.counts_ = np.bincount(self.seen_.indices, minlength=len(self.items_)).astype(np.float32)

    @property
    def adds_up(self) -> bool:
        """Yes: users are counted."""
        return True

    def _learn_more(self, joined: Joined, engine: LocalEngine, progress: Progress) -> None:
        counts = np.zeros(len(joined.items), np.float32)
        counts[joined.old_items] = self.counts_
        for matrix, sign in ((joined.before, -1), (joined.after, 1)):
            cells = rows_of(matrix, joined.changed).indices
            counts += sign * np.bincount(cells, minlength=len(counts)).astype(np.float32)
        self.counts_ = counts

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
