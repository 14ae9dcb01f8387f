"""Fusion hybrid: merge the lists of several models, by reciprocal ranks or interleaved (Cormack et al. 2009)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from reclens.errors import ArgumentValueError, UnknownNameError
from reclens.models._core.block import Block
from reclens.models._core.search_space import Space, Whole
from reclens.models._hybrid.members import Hybrid, list_ranks

__all__ = ["FusionHybrid"]

_MODES = ("reciprocal_rank", "mixed")


@dataclass(kw_only=True)
class FusionHybrid(Hybrid):
    """Merge the lists of several models by rank: of each, the first ``depth`` items without the user's history.

    - ``reciprocal_rank``: score = Σ 1 ÷ (constant + rank) over the models that list the item (Cormack, Clarke and
      Büttcher 2009, Reciprocal rank fusion outperforms Condorcet and individual rank learning methods).
    - ``mixed``: the lists are interleaved rank by rank, in the order of the models, and repeated items are skipped
      (Burke's mixed hybrid). Score = 1 ÷ place in the interleaved sequence.

    With ``exclude_seen=False`` an item of the history has the rank that it would have in the list.

    Attributes:
        models: Label = hyper-parameters, see :class:`Hybrid`.
        mode: ``reciprocal_rank`` or ``mixed``.
        constant: Added to the rank; larger values give less weight to the first ranks.
        depth: Items of each list that count. The fused list cannot be longer than that of all models together.
    """

    name: ClassVar[str] = "fusion_hybrid"
    space: ClassVar[Mapping[str, Space]] = {"constant": Whole(1, 1000), "depth": Whole(20, 2000)}

    models: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"ease": {}, "content": {}})
    mode: str = "reciprocal_rank"
    constant: float = 60.0
    depth: int = 1000

    def _check(self) -> None:
        super()._check()
        if self.mode not in _MODES:
            raise UnknownNameError("mode", self.mode, _MODES)
        if not 0 <= self.constant < np.inf:
            raise ArgumentValueError("constant", f"is {self.constant}, expected a number of 0 or more", of="model")
        if self.depth < 1:
            raise ArgumentValueError("depth", f"is {self.depth}, expected 1 or more", of="model")

    def _parts_of(self, block: Block) -> list[np.ndarray]:
        """Contribution of each model to the scores: float32, shape (n, items); 0 for items that it does not list."""
        found: list[np.ndarray] = []
        for turn, label in enumerate(self.parts_):
            ranks = list_ranks(block, self._scores_of(label, block), self.depth).astype(np.float32)
            places = ranks + np.float32(self.constant)
            if self.mode == "mixed":
                places = (ranks - 1) * np.float32(len(self.parts_)) + np.float32(turn + 1)
            found.append(np.divide(np.float32(1), places, out=np.zeros_like(places), where=ranks > 0))
        return found

    def _scores(self, block: Block) -> np.ndarray:
        total, *others = self._parts_of(block)
        for part in others:
            total = total + part if self.mode == "reciprocal_rank" else np.maximum(total, part)
        total[total == 0] = -np.inf
        return total

    def _reasons(self, block: Block, item: int) -> tuple[str, list[Any], np.ndarray]:
        parts = np.array([part[0, item] for part in self._parts_of(block)], np.float64)
        labels = list(self.parts_)
        if self.mode == "mixed" and parts.any():
            first = int(parts.argmax())
            return "model", [labels[first]], parts[[first]]
        return "model", [label for label, part in zip(labels, parts, strict=True) if part], parts[parts > 0]
