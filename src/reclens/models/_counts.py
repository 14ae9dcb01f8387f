"""Lists by one score an item, the same for every user but for what she has seen."""

from __future__ import annotations

import numpy as np

from reclens.data.dataset import UserItemMatrix
from reclens.models._base import Block
from reclens.models._kernels import top_of_dense

__all__ = ["top_of_counts"]


def top_of_counts(block: Block, counts: np.ndarray, seen: UserItemMatrix) -> tuple[np.ndarray, np.ndarray]:
    """The k items of the highest score above 0 that a user has not seen."""
    rows = np.repeat(counts[None, :], len(block.users), axis=0)
    codes = np.empty((len(block.users), block.k), np.int32)
    scores = np.empty((len(block.users), block.k), np.float32)
    top_of_dense(block.users, rows, seen.indptr, seen.indices, block.exclude_seen, np.float32(0), codes, scores)
    return codes, scores
