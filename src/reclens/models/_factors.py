"""What models of users and items as vectors share: scores are dot products, the best are picked in blocks."""

from __future__ import annotations

import threading
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reclens.errors import UsageError
from reclens.models._base import Recommender
from reclens.models._block import Block, top_of_scores

__all__ = ["FactorModel", "check_whole", "padded_product"]

_ROWS = 64


@dataclass(kw_only=True)
class FactorModel(Recommender):
    """A recommender whose score is the dot product of a vector of the user and a vector of the item.

    ``_fit`` leaves ``item_factors_``, float32, shape (items, d); ``_vectors`` gives the same of users.
    """

    relates_items: ClassVar[bool] = True

    item_factors_ = np.empty((0, 0), np.float32)

    @abstractmethod
    def _vectors(self, block: Block) -> np.ndarray:
        """The vectors of a block of users: float32, shape (n, d)."""

    def _item_vectors(self) -> np.ndarray:
        """The vectors that say what an item is: float32, shape (items, d)."""
        return self.item_factors_

    def _similarities(self, items: np.ndarray) -> np.ndarray:
        directions = self._kept("directions", self.item_factors_, lambda _: _of_length_one(self._item_vectors()))
        return padded_product(directions[items], directions)

    def _scores(self, block: Block) -> np.ndarray:
        return padded_product(self._vectors(block), self.item_factors_)

    def _recommend(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        # The scores are gone when the best are picked: one room for all blocks of a thread, whose pages stay in place.
        room = _room(len(block.users) + _ROWS, len(self.items_))
        rows = padded_product(self._vectors(block), self.item_factors_, room=room)
        return top_of_scores(rows, block, self.floor)

    def _block_size(self) -> int:
        """Enough users for BLAS to be near its best, and no more than 96 MB of scores for each thread."""
        return int(np.clip(24_000_000 // max(len(self.items_), 1), _ROWS, 12 * _ROWS))


def _of_length_one(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)


_rooms = threading.local()


def _room(rows: int, columns: int) -> np.ndarray:
    """Room to work in for this thread, float32, at least so many rows; what was in it is lost."""
    size = rows * columns
    if getattr(_rooms, "values", np.empty(0)).size < size:
        _rooms.values = np.empty(size, np.float32)
    return _rooms.values[:size].reshape(rows, columns)


def padded_product(left: np.ndarray, right: np.ndarray, *, room: np.ndarray | None = None) -> np.ndarray:
    """The product left · rightᵀ, float32, with the rows filled up to a multiple of 64; into ``room``, where given.

    BLAS takes other paths, which add up in another order, for a few rows than for many: a user's scores would depend on
    how many others are asked for.
    """
    short = -len(left) % _ROWS
    if short:
        left = np.concatenate([left, np.zeros((short, left.shape[1]), np.float32)])
    out = None if room is None else room[: len(left)]
    return np.matmul(left, right.T, out=out)[: len(left) - short]


def check_whole(name: str, value: int, least: int) -> None:
    """Raise UsageError unless a hyper-parameter is a whole number of at least ``least``."""
    if value < least:
        raise UsageError(f"{name} is {value}, expected {least} or more.")
