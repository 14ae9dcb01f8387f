"""Weighted hybrid: a weighted sum of the scaled scores of several models (Burke 2002)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from reclens.errors import UnknownNameError, UsageError
from reclens.models._core.block import Block
from reclens.models._core.parameters import is_number
from reclens.models._core.recommender import Recommender
from reclens.models._core.search_space import Choice, Space
from reclens.models._hybrid.members import Hybrid, seen_cells
from reclens.models._hybrid.score_scaling import SCALES, to_scale

__all__ = ["WeightedHybrid", "weighted_sum"]


@dataclass(kw_only=True)
class WeightedHybrid(Hybrid):
    """Score = Σ weight × scaled score of a model; the weights are divided by their sum.

    Each model's scores are scaled per user, over the items outside their history (Fox and Shaw 1994, for runs of search
    engines):

    - ``z``: distance from the mean in standard deviations;
    - ``min_max``: the lowest is 0 and the highest 1;
    - ``rank``: the share of items with a lower score, ties counted half. With thousands of items, the first hundred
      have almost equal values, so a weak model affects the result of a strong one most on this scale.

    An item without a score from a model gets the lowest scaled score of that model; an item without a score from any
    model of positive weight is not recommended. Models of weight 0 are ignored. Choose weights on validation data:
    ``reclens.tuning.hybrid_weights``.

    Attributes:
        models: Label = hyper-parameters, see :class:`Hybrid`.
        weights: Label = weight, not negative; a model without one has weight 0. Equal weights if there are none.
        scale: ``z``, ``min_max`` or ``rank``.
    """

    name: ClassVar[str] = "weighted_hybrid"
    space: ClassVar[Mapping[str, Space]] = {"scale": Choice(SCALES)}

    models: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"ease": {}, "content": {}})
    weights: Mapping[str, float] = field(default_factory=dict)
    scale: str = "z"

    def _check(self) -> None:
        super()._check()
        if self.scale not in SCALES:
            raise UnknownNameError("scale", self.scale, SCALES)
        for label, weight in self.weights.items():
            if label not in self.models:
                raise UnknownNameError("model of the hybrid", label, self.models)
            if not is_number(weight) or not 0 <= weight < np.inf:
                raise UsageError(f"the weight of {label} is {weight!r}, expected a number of 0 or more.")
        if self.weights and not sum(self.weights.values()) > 0:
            raise UsageError("all weights are 0. Give one of the models a weight above 0.")

    def _components(self) -> dict[str, Recommender]:
        return {label: part for label, part in super()._components().items() if label in self.shares}

    @property
    def shares(self) -> dict[str, float]:
        """The weight of each model that has one, divided by their sum."""
        given = {label: float(self.weights.get(label, 0)) for label in self.models}
        given = given if self.weights else dict.fromkeys(self.models, 1.0)
        total = sum(given.values())
        return {label: weight / total for label, weight in given.items() if weight > 0}

    def scaled(self, block: Block, labels: Sequence[str]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Terms of the sum: for each model its scaled scores (float32) and whether it scores each item."""
        seen = seen_cells(block)
        found: list[tuple[np.ndarray, np.ndarray]] = []
        for label in labels:
            scores = self._scores_of(label, block)
            found.append((to_scale(scores, seen, self.scale), scores > -np.inf))
        return found

    def _scores(self, block: Block) -> np.ndarray:
        shares = self.shares
        return weighted_sum(self.scaled(block, list(shares)), list(shares.values()))

    def _reasons(self, block: Block, item: int) -> tuple[str, list[Any], np.ndarray]:
        shares = self.shares
        found = self.scaled(block, list(shares))
        if not any(scored[0, item] for _, scored in found):
            return "model", [], np.zeros(0)
        parts = [share * values[0, item] for share, (values, _) in zip(shares.values(), found, strict=True)]
        return "model", list(shares), np.array(parts, np.float64)


def weighted_sum(scaled: Sequence[tuple[np.ndarray, np.ndarray]], weights: Sequence[float]) -> np.ndarray:
    """Σ weight × scaled scores, float32; -inf where no model with a weight scores the item."""
    total, known = np.zeros_like(scaled[0][0]), np.zeros_like(scaled[0][1])
    for (values, scored), weight in zip(scaled, weights, strict=True):
        if weight > 0:
            total += np.float32(weight) * values
            known |= scored
    total[~known] = -np.inf
    return total
