"""What models of users and items as vectors share: scores are dot products, the best are picked in blocks."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from reclens.errors import UsageError
from reclens.models._base import Block, Recommender

__all__ = ["FactorModel", "check_whole", "padded_product"]

_ROWS = 64


@dataclass(kw_only=True)
class FactorModel(Recommender):
    """A recommender whose score is the dot product of a vector of the user and a vector of the item.

    ``_fit`` leaves ``item_factors_``, float32, shape (items, d); ``_vectors`` gives the same of users.
    """

    item_factors_ = np.empty((0, 0), np.float32)

    @abstractmethod
    def _vectors(self, block: Block) -> np.ndarray:
        """The vectors of a block of users: float32, shape (n, d)."""

    def _scores(self, block: Block) -> np.ndarray:
        return padded_product(self._vectors(block), self.item_factors_)


def padded_product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The product left · rightᵀ, float32, with the rows filled up to a multiple of 64.

    BLAS takes other paths, which add up in another order, for a few rows than for many: a user's scores would depend on
    how many others are asked for.
    """
    short = -len(left) % _ROWS
    if short:
        left = np.concatenate([left, np.zeros((short, left.shape[1]), np.float32)])
    return (left @ right.T)[: len(left) - short]


def check_whole(name: str, value: int, least: int) -> None:
    """Raise UsageError unless a hyper-parameter is a whole number of at least ``least``."""
    if value < least:
        raise UsageError(f"{name} is {value}, expected {least} or more.")
