"""Switching hybrid: the model is chosen by the length of the user's history (Burke 2002)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from reclens.cards import AppliedRule
from reclens.data.rules import rule
from reclens.errors import ArgumentValueError, UnknownNameError, UsageError
from reclens.models._core.block import Block
from reclens.models._core.parameters import is_whole
from reclens.models._hybrid.members import Hybrid, serves

__all__ = ["SwitchingHybrid"]


@dataclass(kw_only=True)
class SwitchingHybrid(Hybrid):
    """Serve each user by one model: the one with the highest ``min_history`` that their history reaches.

    An unknown user is served by the first model, in the order of ``min_history``, that serves unknown users. If a model
    cannot use a given history, the next lower one that can serves the user. The card of the lists counts the users of
    each model. Scores are those of the model used, so their scale differs between users.

    Attributes:
        models: Label = hyper-parameters, see :class:`Hybrid`.
        min_history: Label = the fewest items of the history with which the model is used. One of them is 0.
    """

    name: ClassVar[str] = "switching_hybrid"

    models: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"popular": {}, "content": {}, "ease": {}})
    min_history: Mapping[str, int] = field(default_factory=lambda: {"popular": 0, "content": 1, "ease": 10})

    def _check(self) -> None:
        super()._check()
        for label in (*self.models, *self.min_history):
            if label not in self.models:
                raise UnknownNameError("model of the hybrid", label, self.models)
            if label not in self.min_history:
                raise UsageError(f"min_history has no entry for {label}. Say from how many interactions it is used.")
            fewest = self.min_history[label]
            if not is_whole(fewest) or fewest < 0:
                raise UsageError(f"min_history of {label} is {fewest!r}, expected a whole number of 0 or more.")
        ladder = sorted(self.min_history.values())
        if ladder[0] != 0 or len(set(ladder)) < len(ladder):
            starts = ", ".join(map(str, ladder))
            raise ArgumentValueError(
                "min_history", f"is {starts}: one model has to start at 0, and each at a length of its own", of="model"
            )

    def _ladder(self) -> list[tuple[int, str]]:
        """Fewest items of the history and label, rising."""
        return sorted((fewest, label) for label, fewest in self.min_history.items())

    def _routes(self, block: Block) -> np.ndarray:
        """Which step of the ladder serves each user, shape (n,); -1 for none."""
        lengths = block.lengths()
        routes = np.full(len(lengths), -1, np.int64)
        for step, (fewest, label) in enumerate(self._ladder()):
            able = serves(self.parts_[label], block)
            # Whom no lower step can serve, a higher one takes at any length.
            routes[able & ((lengths >= fewest) | (routes < 0))] = step
        return routes

    def _rules(self, blocks: Sequence[Block]) -> list[AppliedRule]:
        routes = np.concatenate([np.zeros(0, np.int64), *map(self._routes, blocks)])
        return [
            rule("users_served_by", int((routes == step).sum()), model=label, least=fewest)
            for step, (fewest, label) in enumerate(self._ladder())
        ]

    def _scores(self, block: Block) -> np.ndarray:
        scores = np.full((len(block.users), len(self.items_)), -np.inf, np.float32)
        for label, rows, part in self._sub_blocks(block):
            scores[rows] = self._scores_of(label, part)
        return scores

    def _recommend(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        codes = np.full((len(block.users), block.k), -1, np.int32)
        scores = np.full((len(block.users), block.k), np.nan, np.float32)
        for label, rows, part in self._sub_blocks(block):
            own = self._block_of(label, part)
            own = replace(own, k=min(own.k, len(self.places_[label])))
            found, values = self.parts_[label]._recommend(own)
            codes[rows, : own.k] = np.where(found >= 0, self.places_[label][found], -1)
            scores[rows, : own.k] = values
        return codes, scores

    def _sub_blocks(self, block: Block) -> list[tuple[str, np.ndarray, Block]]:
        """For each model its label, the rows of its users in the block, and a block of them."""
        routes = self._routes(block)
        found: list[tuple[str, np.ndarray, Block]] = []
        for step, (_, label) in enumerate(self._ladder()):
            rows = np.flatnonzero(routes == step)
            if len(rows):
                found.append((label, rows, block.take(rows)))
        return found

    def _reasons(self, block: Block, item: int) -> tuple[str, list[Any], np.ndarray]:
        for label, _, part in self._sub_blocks(block):
            place = np.flatnonzero(self.places_[label] == item)
            if len(place):
                return self.parts_[label]._reasons(self._block_of(label, part), int(place[0]))
        return "model", [], np.zeros(0)
