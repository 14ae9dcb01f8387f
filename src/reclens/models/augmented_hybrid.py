"""Augmented hybrid: a source model extends short histories for a target model (Melville, Mooney, Nagarajan 2002)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import polars as pl

from reclens.cards import AppliedRule
from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.data.rules import rule
from reclens.engine import LocalEngine, Progress, chunk_ranges
from reclens.errors import ArgumentValueError, UsageError
from reclens.models._core.block import Block
from reclens.models._core.recommender import Recommender
from reclens.models._core.search_space import Space, Whole
from reclens.models._hybrid.members import Hybrid, seen_cells, serves
from reclens.schema import ITEM, RATING, TIMESTAMP, USER, WEIGHT

__all__ = ["AugmentedHybrid"]


@dataclass(kw_only=True)
class AugmentedHybrid(Hybrid):
    """Fill histories shorter than ``fill_to`` with the best items of a source model, and fit a target model on them.

    The target model is fitted on observed and filled-in interactions, and serves all users. With the source ``content``
    this is content-boosted collaborative filtering. Given histories are filled in the same way. Only observed items are
    left out of the lists. A filled-in row has the user's mean rating and weight and the time of their last interaction,
    where the data has such columns.

    Attributes:
        models: Label = hyper-parameters of two models, the source first and then the target; see :class:`Hybrid`.
        fill_to: Length up to which histories are filled.
    """

    name: ClassVar[str] = "augmented_hybrid"
    space: ClassVar[Mapping[str, Space]] = {"fill_to": Whole(5, 100)}

    models: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"content": {}, "ease": {}})
    fill_to: int = 30

    @property
    def is_personalized(self) -> bool:
        """As the target model."""
        return self._two()[1].is_personalized

    @property
    def supports_fold_in(self) -> bool:
        """Yes, where both models can use a given history, or need none."""
        source, target = self._two()
        return target.supports_fold_in and (source.supports_fold_in or not source.is_personalized)

    def _check(self) -> None:
        super()._check()
        if len(self.models) != 2:
            raise UsageError(
                f"an augmented hybrid has two models, a source and a target, and this one has {len(self.models)}."
            )
        if self.fill_to < 1:
            raise ArgumentValueError("fill_to", f"is {self.fill_to}, expected 1 or more", of="model")

    def _two(self) -> tuple[Recommender, Recommender]:
        source, target = self._components().values()
        return source, target

    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None:
        (source, self.target_), (label, _) = self._two(), self.parts_
        source.fit(train, threads=engine.threads, progress=progress)
        self.places_ = {label: self.items_.encode(source.items_.ids)}
        light = np.flatnonzero(np.diff(self.seen_.indptr) < self.fill_to)
        parts = chunk_ranges(len(light), source._block_size())
        owners: list[np.ndarray] = []
        items: list[np.ndarray] = []
        keys = self._keys(self.users_.ids)

        def task(part: range) -> tuple[np.ndarray, np.ndarray]:
            users = light[part.start : part.stop]
            rows, cells = self._filling(Block.of_training(users, self.seen_, keys[users], exclude_seen=True))
            return users[rows], cells

        for done, (users, cells) in enumerate(engine.map(task, parts), 1):
            owners.append(users)
            items.append(cells)
            progress(f"fit {self.name}: fill histories", done, len(parts))
        rows = np.concatenate([np.zeros(0, np.int64), *owners])
        self.filled_ = len(rows)
        added = pl.DataFrame(
            {USER: self.users_.decode(rows), ITEM: self.items_.decode(np.concatenate([np.zeros(0, np.int32), *items]))}
        )
        self.target_.fit(_with_rows(train, added), threads=engine.threads, progress=progress)
        self._align()

    def _align(self) -> None:
        super()._align()
        self.target_ = self._two()[1]

    def _filling(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        """Filled-in interactions: row of the block (int64) and code of the item (int32)."""
        label, _ = self.parts_
        source, places = self.parts_[label], self.places_[label]
        missing = np.maximum(self.fill_to - block.lengths(), 0)
        missing[(block.users < 0) | ~serves(source, block)] = 0
        rows = np.flatnonzero(missing)
        if not len(rows):
            return rows, np.zeros(0, np.int32)
        k = int(min(missing.max(), len(places)))
        some = replace(block.take(rows), k=k, exclude_seen=True)
        codes, _ = source._recommend(self._block_of(label, some))
        kept = (codes >= 0) & (np.arange(codes.shape[1]) < missing[rows][:, None])
        at, _ = np.nonzero(kept)
        return rows[at], places[codes[kept]].astype(np.int32)

    def _scores(self, block: Block) -> np.ndarray:
        _, label = self.parts_
        return self._scores_of(label, self._filled(block) if block.from_history else block)

    def _filled(self, block: Block) -> Block:
        """A block with given histories, filled."""
        owners, cells = seen_cells(block)
        rows, added = self._filling(block)
        owners, cells = np.append(owners, rows), np.append(cells, added)
        order = np.lexsort((cells, owners))
        indptr = np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=len(block.users)))]).astype(np.int64)
        seen = UserItemMatrix(indptr, cells[order].astype(np.int32), np.ones(len(cells), np.float32), len(self.items_))
        return replace(block, users=np.where(block.users >= 0, np.arange(len(block.users)), -1), seen=seen)

    def _rules(self, blocks: Sequence[Block]) -> list[AppliedRule]:
        short = sum(int((block.lengths() < self.fill_to).sum()) for block in blocks)
        return [rule("histories_filled", short, fewer_than=self.fill_to)]

    def _reasons(self, block: Block, item: int) -> tuple[str, list[Any], np.ndarray]:
        source, label = self.parts_
        place = np.flatnonzero(self.places_[label] == item)
        if not len(place):
            return "model", [], np.zeros(0)
        filled = self._block_of(label, self._filled(block) if block.from_history else block)
        kind, ids, parts = self.parts_[label]._reasons(filled, int(place[0]))
        if kind == "item":
            real = set(self.items_.decode(block.seen.indices[block.history()]).to_list())
            ids = [each if each in real else f"{each}, filled in by {source}" for each in ids]
        return kind, ids, parts


def _with_rows(train: Dataset, added: pl.DataFrame) -> Dataset:
    """The training data with more interactions, their other columns filled from those of the same user."""
    rows = train.interactions
    fill = {RATING: pl.col(RATING).mean(), WEIGHT: pl.col(WEIGHT).mean(), TIMESTAMP: pl.col(TIMESTAMP).max()}
    typical = rows.group_by(USER).agg(fill[column] for column in fill if column in rows.columns)
    more = added.join(typical, on=USER, how="left", maintain_order="left")
    wanted = [
        pl.col(c).cast(rows.schema[c]) if c in more.columns else pl.lit(None, rows.schema[c]).alias(c)
        for c in rows.columns
    ]
    return replace(train, interactions=pl.concat([rows, more.select(wanted)]), log=None)
