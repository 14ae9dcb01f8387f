"""Cascade hybrid: a first model chooses the candidates, a second one refines their order (Burke 2002)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from reclens.errors import ArgumentValueError, UsageError
from reclens.models._core.block import Block
from reclens.models._core.search_space import Space, Whole
from reclens.models._hybrid.members import Hybrid, list_ranks, seen_cells
from reclens.models._hybrid.score_scaling import to_scale

__all__ = ["CascadeHybrid"]


@dataclass(kw_only=True)
class CascadeHybrid(Hybrid):
    """Re-order the candidates of a first model by a second one, within bands of the first model's score.

    1. The candidates are the first ``depth`` items of the first model's list without the user's history, and the items
       of the history that would rank among them.
    2. Their scores, from the highest to the lowest, are cut into ``bands`` bands of equal width.
    3. Within a band, the scores of the second model set the order; items that it does not score come last. The scores
       of the first model break ties, and set the order if the second model cannot serve the user.

    Score = the band (``bands`` for the best, 1 for the worst), from the first model, plus the share of the band's
    candidates ranked below, from the second model. An item never ranks above one of a better band. With ``bands=1`` the
    second model re-ranks all candidates; with a very large number it only breaks ties.

    Attributes:
        models: Label = hyper-parameters of two models, the first one first; see :class:`Hybrid`.
        depth: Candidates of each user.
        bands: Bands of the first model's scores.
    """

    name: ClassVar[str] = "cascade_hybrid"
    space: ClassVar[Mapping[str, Space]] = {"depth": Whole(20, 1000), "bands": Whole(1, 100)}

    models: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"ease": {}, "content": {}})
    depth: int = 100
    bands: int = 10

    @property
    def is_personalized(self) -> bool:
        """As the first model: without candidates there is nothing to re-rank."""
        return next(iter(self._components().values())).is_personalized

    @property
    def cold_items(self) -> bool:
        """As the first model."""
        return next(iter(self._components().values())).cold_items

    def _check(self) -> None:
        super()._check()
        if len(self.models) != 2:
            raise UsageError(
                f"a cascade has two models, a first and a second, and this one has {len(self.models)}. For more, let "
                "one of the two be a cascade."
            )
        if self.depth < 1:
            raise ArgumentValueError("depth", f"is {self.depth}, expected 1 or more", of="model")
        if not 1 <= self.bands <= 10_000:
            raise ArgumentValueError("bands", f"is {self.bands}, expected 1 to 10,000", of="model")

    def _parts_of(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        """Band of each item, 0 if it is no candidate (int32), and the share of its band below it (float32)."""
        first, second = self.parts_
        scores, refined = self._scores_of(first, block), self._scores_of(second, block)
        candidates = list_ranks(replace(block, exclude_seen=False), scores, self.depth) > 0
        scale = to_scale(np.where(candidates, scores, np.float32(-np.inf)), seen_cells(block), "min_max")
        bands = np.minimum((scale * np.float32(self.bands)).astype(np.int32) + 1, self.bands)
        bands[~candidates] = 0
        below = np.zeros_like(scores)
        for row in range(len(scores)):
            mine = np.flatnonzero(candidates[row])
            below[row, mine] = _share_below(bands[row, mine], refined[row, mine], scores[row, mine])
        return bands, below

    def _scores(self, block: Block) -> np.ndarray:
        bands, below = self._parts_of(block)
        return np.where(bands > 0, bands + below, np.float32(-np.inf)).astype(np.float32)

    def _reasons(self, block: Block, item: int) -> tuple[str, list[Any], np.ndarray]:
        bands, below = self._parts_of(block)
        if not bands[0, item]:
            return "model", [], np.zeros(0)
        return "model", list(self.parts_), np.array([bands[0, item], below[0, item]], np.float64)


def _share_below(bands: np.ndarray, refined: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The share of the items of its band that stand below each item: by ``refined``, then by ``scores``; equal: none.

    All of shape (n,), and so is the result, from 0 to below 1.
    """
    order = np.lexsort((scores, refined, bands))
    sorted_keys = np.stack([bands[order].astype(np.float64), refined[order], scores[order]])
    changed = np.append(True, (sorted_keys[:, 1:] != sorted_keys[:, :-1]).any(axis=0))[: len(order)]
    places = np.maximum.accumulate(np.where(changed, np.arange(len(order)), 0))  # that of the first equal one
    starts = np.searchsorted(bands[order], bands[order], "left")
    sizes = np.searchsorted(bands[order], bands[order], "right") - starts
    shares = np.empty(len(order), np.float32)
    shares[order] = (places - starts) / np.maximum(sizes, 1)
    return shares
