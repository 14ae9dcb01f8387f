"""Base class of the hybrids: models by label that are fitted on the same data, and their scores over one catalogue.

The kinds of hybrid are those of Burke (2002), Hybrid recommender systems: survey and experiments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from reclens.cards import AppliedRule
from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.data.rules import rule
from reclens.engine import LocalEngine, Progress
from reclens.errors import Advice, Setting, UsageError
from reclens.models._core.block import Block
from reclens.models._core.build import build_all
from reclens.models._core.kernels import top_of_dense
from reclens.models._core.recommender import Recommender
from reclens.models._core.sequences import Sequences
from reclens.schema import Vocabulary, stable_hash

__all__ = ["Hybrid", "list_ranks", "seen_cells", "serves"]


@dataclass(kw_only=True)
class Hybrid(Recommender):
    """A recommender that combines recommenders.

    If one of the models cannot serve a user, because it does not know them or cannot use a given history, the others
    do; the card counts such users. The catalogue is that of the model with the most items among those that contribute
    to the lists.

    Attributes:
        models: Label = hyper-parameters. The label is the name of the model, unless the key ``model`` names it.
    """

    models: Mapping[str, Mapping[str, Any]]

    @property
    def is_personalized(self) -> bool:
        """False if one of the models serves unknown users."""
        return all(part.is_personalized for part in self._components().values())

    @property
    def supports_fold_in(self) -> bool:
        """True if every model can use a given history or needs none."""
        return all(part.supports_fold_in or not part.is_personalized for part in self._components().values())

    @property
    def exact_fold_in(self) -> bool:
        """True if it is true of every model."""
        return all(part.exact_fold_in for part in self._components().values())

    @property
    def cold_items(self) -> bool:
        """True if one of the models can recommend them."""
        return any(part.cold_items for part in self._components().values())

    def _check(self) -> None:
        if not self.models:
            raise UsageError(
                f"{self.name} is made of no model",
                advice=Advice("name_models", (Setting("models", {"ease": {}}, "model"),), "Name one, as in {models}."),
            )
        self.parts_ = build_all(self.models)

    def _components(self) -> dict[str, Recommender]:
        """The models that contribute, by label, fitted or not."""
        return getattr(self, "parts_", None) or build_all(self.models)

    def _block_size(self) -> int:
        smallest = min(part._block_size() for part in self.parts_.values())
        return max(min(smallest, super()._block_size()) // (len(self.parts_) + 3), 1)

    def _keys(self, users: pl.Series) -> np.ndarray:
        return stable_hash(users)

    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None:
        for part in self.parts_.values():
            part.fit(train, threads=engine.threads, progress=progress)
        self._align()

    def _align(self) -> None:
        """Codes of each model's items in the catalogue, -1 if missing; both are sorted, so that codes ascend."""
        self.places_ = {label: self.items_.encode(part.items_.ids) for label, part in self.parts_.items()}

    def _training_sequences(self) -> Sequences | None:
        """Those of the first model that asks for the order of histories, in the codes of the catalogue."""
        for label, part in self.parts_.items():
            own = part._training_sequences()
            if own is not None:
                return replace(own, items=self.places_[label][own.items].astype(np.int32))
        return None

    def _rules(self, blocks: Sequence[Block]) -> list[AppliedRule]:
        parts = self._components().items()
        silent = {label: sum(int((~serves(part, block)).sum()) for block in blocks) for label, part in parts}
        return [rule("users_not_served", n, model=label) for label, n in silent.items()]

    def _block_of(self, label: str, block: Block) -> Block:
        """The block with histories in the item codes of one model."""
        part = self.parts_[label]
        if not block.from_history:
            return replace(block, seen=part.seen_)  # fitted on the same users, in the same order
        if part.items_.ids.equals(self.items_.ids):
            return block
        return _recode(block, _inverse(self.places_[label], len(self.items_)), part.items_)

    def _scores_of(self, label: str, block: Block) -> np.ndarray:
        """Scores of one model over the catalogue: float32, shape (n, items).

        -inf if it does not score the item (the score is not above its ``min_score``), cannot serve the user, or all
        scores of the user are 0.
        """
        part, places = self.parts_[label], self.places_[label]
        served = serves(part, block)
        if not served.any():
            return np.full((len(served), len(self.items_)), -np.inf, np.float32)
        some = block if served.all() else block.take(served)
        rows = part._scores(self._block_of(label, some))
        rows[~((rows > part.min_score) & np.isfinite(rows))] = -np.inf
        # Scores that are all 0 carry no information: ordered by id, they would favour the first items.
        rows[~((rows != 0) & (rows > -np.inf)).any(axis=1)] = -np.inf
        known = places >= 0
        if served.all() and known.all() and len(places) == len(self.items_):
            return rows
        scores = np.full((len(served), len(self.items_)), -np.inf, np.float32)
        scores[np.ix_(served, places[known])] = rows[:, known]
        return scores

    def _state(self) -> dict[str, np.ndarray]:
        return {}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Do nothing: all learned state is in the parts."""

    def _parts(self) -> dict[str, Recommender]:
        return self.parts_

    def _restore_parts(self, parts: dict[str, Recommender]) -> None:
        if list(parts) != list(self.models):
            raise ValueError(f"it is made of {', '.join(parts) or 'nothing'}, expected {', '.join(self.models)}")
        self.parts_ = parts
        self._align()


def seen_cells(block: Block) -> tuple[np.ndarray, np.ndarray]:
    """Row in the block and code of every item in the histories of its users, int64 and int32."""
    lengths = block.lengths()
    return np.repeat(np.arange(len(lengths)), lengths), block.seen.indices[_seen_places(block)]


def _seen_places(block: Block) -> np.ndarray:
    """Place in ``block.seen`` of every item in the histories of its users, int64."""
    lengths = block.lengths()
    starts = block.seen.indptr[np.maximum(block.users, 0)]
    return np.arange(lengths.sum()) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)


def serves(part: Recommender, block: Block) -> np.ndarray:
    """Whether a model can serve each user of a block, shape (n,)."""
    if not part.is_personalized:
        return np.ones(len(block.users), bool)
    return (block.users >= 0) & (part.supports_fold_in or not block.from_history)


def list_ranks(block: Block, scores: np.ndarray, depth: int) -> np.ndarray:
    """Rank of each item in the lists by scores, from 1; 0 beyond ``depth`` and without a score.

    The lists exclude the items of the histories; these get the ranks that they would have.

    Args:
        block: The users.
        scores: float32, shape (n, items); -inf where an item is not scored. They are not changed.
        depth: Length of the lists.

    Returns:
        int32, shape (n, items).
    """
    depth = min(depth, scores.shape[1])
    codes, best = np.empty((len(scores), depth), np.int32), np.full((len(scores), depth), -np.inf, np.float32)
    seen = block.seen
    top_of_dense(block.users, scores.copy(), seen.indptr, seen.indices, True, np.float32(-np.inf), codes, best)
    ranks = np.zeros(scores.shape, np.int32)
    rows, at = np.nonzero(codes >= 0)
    ranks[rows, codes[rows, at]] = at + 1
    if block.exclude_seen:
        return ranks
    best[codes < 0] = -np.inf
    owners, cells = seen_cells(block)
    for start in range(0, len(owners), 4096):
        row, cell = owners[start : start + 4096], cells[start : start + 4096]
        mine = scores[row, cell][:, None]
        above = (best[row] > mine) | ((best[row] == mine) & (codes[row] < cell[:, None]))
        rank = above.sum(axis=1) + 1
        ranks[row, cell] = np.where((rank <= depth) & (mine[:, 0] > -np.inf), rank, 0)
    return ranks


def _inverse(places: np.ndarray, n: int) -> np.ndarray:
    """Code of each item of the catalogue in a model, -1 if it is unknown; int32, shape (n,)."""
    codes = np.full(n, -1, np.int32)
    known = np.flatnonzero(places >= 0)
    codes[places[known]] = known
    return codes


def _recode(block: Block, codes: np.ndarray, items: Vocabulary) -> Block:
    """Recode the histories of a block; items without a new code are dropped."""
    owners, cells = seen_cells(block)
    known = codes[cells] >= 0
    counts = np.bincount(owners[known], minlength=len(block.users))
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    ones = np.ones(int(known.sum()), np.float32)
    users = np.where(block.users >= 0, np.arange(len(block.users)), -1)
    seen = UserItemMatrix(indptr, codes[cells[known]], ones, len(items))
    ordered = block.sequences
    if ordered is not None:  # in the rows of the block, as ``seen`` now is
        places = _seen_places(block)
        own = codes[ordered.items[places]]
        times = None if ordered.times is None else ordered.times[places][own >= 0]
        ordered = Sequences(indptr=indptr, items=own[own >= 0], times=times)
    return replace(block, users=users, seen=seen, k=min(block.k, len(items)), sequences=ordered)
