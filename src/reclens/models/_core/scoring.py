"""The interface of a fitted recommender to requests: scores of a block of users, and its capabilities."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np
import polars as pl

from reclens.cards import AppliedRule, TrainCard
from reclens.data.dataset import UserItemMatrix
from reclens.errors import Advice, NotFittedError, UsageError
from reclens.models._core.block import Block, encode_where_possible, popular_scores, top_of_scores
from reclens.models._core.defaults import Automatic
from reclens.models._core.degenerate import FitProblem
from reclens.models._core.requests import (
    HISTORY_MODES,
    Histories,
    HistoryMode,
    check_choice,
)
from reclens.models._core.sequences import Sequences
from reclens.schema import Vocabulary

__all__ = ["Group", "Scoring", "part_of"]

Source = TypeVar("Source")
Made = TypeVar("Made")
Group = tuple[np.ndarray, Block]
"""Users with histories in one matrix: their positions in the request, and a block of them."""


class Scoring(Automatic, ABC):
    """Scores of a fitted recommender, block by block, and the users and items that it knows."""

    name: ClassVar[str]
    min_score: ClassVar[float] = -np.inf
    """Only items with a score above it are recommended."""
    users_: Vocabulary
    items_: Vocabulary
    seen_: UserItemMatrix
    train_: TrainCard
    titles_: pl.Series | None = None
    """Titles of the items by code, if the training data has a column of titles."""
    problems_: tuple[FitProblem, ...] = ()  # what is wrong with the fit

    @property
    def is_personalized(self) -> bool:
        """Whether recommendations need the user's training data or a given history."""
        return True

    @property
    def supports_fold_in(self) -> bool:
        """Whether a history in a request can be used, for new users or for known ones with more interactions."""
        return False

    @property
    def exact_fold_in(self) -> bool:
        """Whether a new user gets the same scores as a training user with the same history."""
        return True

    def _titles(self, ids: Sequence[Any]) -> list[str | None]:
        """The titles of items, None where the model knows none."""
        if self.titles_ is None:
            return [None] * len(ids)
        codes = [self._code(each, self.items_) for each in ids]
        return [self.titles_[code] if code >= 0 else None for code in codes]

    def _told(self, history: pl.DataFrame | None, mode: HistoryMode) -> Histories | None:
        """The histories of a request."""
        check_choice("history_mode", mode, HISTORY_MODES)
        if history is None:
            return None
        if self.is_personalized and not self.supports_fold_in:
            raise UsageError(
                f"this {self.name} cannot use a history that comes with the request, because it needs more of a user "
                "than their items, such as ratings",
                advice=Advice(
                    "fold_in", text="Fit it on the history too, or use a model that folds in: rl.models.names()."
                ),
            )
        return Histories.of(
            history,
            users=self.users_,
            items=self.items_,
            seen=self.seen_,
            mode=mode,
            sequences=self._training_sequences(),
        )

    def _groups(self, users: pl.Series, told: Histories | None, *, k: int, exclude_seen: bool) -> list[Group]:
        """Split users into those of the training data (or unknown ones) and those with a history in the request."""
        trained = encode_where_possible(self.users_, users).astype(np.int64)
        keys = self._keys(users)
        everybody = np.arange(len(users))
        if told is None:
            return [(everybody, Block.of_training(trained, self.seen_, keys, k=k, exclude_seen=exclude_seen))]
        rows, own = told.places(users, trained)
        block = Block(
            users=rows,
            seen=told.matrix,
            from_history=True,
            keys=keys,
            k=k,
            exclude_seen=exclude_seen,
            trained=trained,
            sequences=told.sequences,
        )
        left = Block.of_training(own, self.seen_, keys, k=k, exclude_seen=exclude_seen)
        return [part_of((everybody, left), rows < 0), part_of((everybody, block), rows >= 0)]

    @property
    def _popularity(self) -> np.ndarray:
        """Number of training users of each item."""
        return self._kept("popularity", self.seen_, popular_scores)

    def _kept(self, what: str, source: Source, make: Callable[[Source], Made]) -> Made:
        """Cache a value that is derived from a learned attribute, until that attribute is replaced."""
        kept: tuple[Any, Any] | None = vars(self).get(f"{what}_kept_")
        if kept is None or kept[0] is not source:
            kept = vars(self)[f"{what}_kept_"] = (source, make(source))
        return kept[1]

    def _need_fit(self) -> None:
        if not hasattr(self, "seen_"):
            raise NotFittedError(f"{type(self).__name__} was not fitted. Call .fit(train) first.")

    def _code(self, value: Any, vocabulary: Vocabulary) -> int:
        """The code of one id; -1 if it is unknown."""
        return int(encode_where_possible(vocabulary, pl.Series([value]))[0])

    def _keys(self, users: pl.Series) -> np.ndarray:
        """Stable keys of users; only models with random draws need them."""
        return np.zeros(len(users), np.uint64)

    def _training_sequences(self) -> Sequences | None:
        """The training data in the order of time, for models that ask for the order of histories."""
        return None

    def _block_size(self) -> int:
        """Number of users per block: at most 8 MB of dense scores, and at least one block per thread."""
        return int(np.clip(2_000_000 // max(len(self.items_), 1), 1, 4096))

    @abstractmethod
    def _scores(self, block: Block) -> np.ndarray:
        """Scores of all items, seen or not, for a block of users: float32, shape (n, items); may be modified.

        Items that are not to be recommended have a score at or below ``min_score``.
        """

    def _recommend(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        """Item codes (int32, padded with -1) and scores (float32) of a block, shape (n, k) each, best first."""
        return top_of_scores(self._scores(block), block, self.min_score, zeros_say_nothing=self.is_personalized)

    @abstractmethod
    def _reasons(self, block: Block, item: int) -> tuple[str, list[Any], np.ndarray]:
        """Kind, ids and contributions that add up to the score of an item, for a block of one user."""

    def _rules(self, blocks: Sequence[Block]) -> list[AppliedRule]:
        """Additional rules for the card of the lists, with their counts."""
        return []


def part_of(group: Group, mask: np.ndarray) -> Group:
    """Select the users of a group by a mask."""
    at, block = group
    return (at[mask], block.take(mask))
