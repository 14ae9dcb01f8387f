"""User-kNN: items of users with similar histories (Resnick et al. 1994; Herlocker et al. 1999)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.engine import LocalEngine, Progress
from reclens.models._core.block import Block, top_of_scores
from reclens.models._core.defaults import Rule
from reclens.models._core.form import Form, codes, numbers
from reclens.models._core.kernels import product_rows, top_of_product
from reclens.models._core.neighbors import Neighbors, find_neighbors, weigh
from reclens.models._core.ratings import RatingNeighbors, pseudo_count
from reclens.models._core.search_space import Choice, Float, Space, Whole
from reclens.models._core.user_fold_in import TrainingUsers

__all__ = ["UserKNN"]


@dataclass(kw_only=True)
class UserKNN(RatingNeighbors):
    """Recommend items of the users with the most similar histories.

    The score of an item is the sum of the similarities of the user's neighbours that have it (under adjusted cosine
    times their rating less their mean). Items without a positive score are not recommended, so lists can be shorter
    than asked for.

    With ``feedback="explicit"`` the model learns from ratings, and :meth:`predict` predicts the rating of a pair: the
    weighted average of the ratings of the item by the most similar users. Scores then sum similarity × centred rating.

    Attributes:
        neighbors: Neighbours kept of each user; in a prediction, the most similar users who rated the item.
        similarity: ``cosine``, ``adjusted_cosine`` (needs ratings; ratings less the user's mean), ``jaccard``, ``dot``.
            With explicit feedback: ``cosine`` of the centred ratings (LensKit), ``adjusted_cosine``, and over common
            items alone ``common_cosine``, ``pearson`` or ``msd``, 1 ÷ (1 + mean squared difference), of the ratings
            themselves (Surprise).
        weighting: ``none``, ``tf_idf`` or ``bm25``, applied before the similarity.
        shrinkage: Added to the denominator: pulls similarities that rest on few items towards 0. None: the weight of 1
            item, as for item-kNN; 0 for ``dot`` and for explicit feedback.
        feedback: ``implicit`` (that users have an item) or ``explicit`` (their ratings).
        center: Which mean is subtracted from ratings: of the ``user``, the ``item`` or ``none``.
        min_neighbors: Neighbours that a prediction needs.
        min_similarity: Neighbours of a prediction are more similar than this; below 0, users with negative similarity
            count too.
        min_support: Common items that a similarity of ratings needs.
    """

    name: ClassVar[str] = "user_knn"
    rows_are: ClassVar[Literal["user", "item"]] = "user"
    min_score: ClassVar[float] = 0.0
    space: ClassVar[Mapping[str, Space]] = {
        "neighbors": Whole(5, 1000),
        "shrinkage": Float(0.1, 1000),
        "similarity": Choice(("cosine", "dot")),
        "weighting": Choice(("none", "tf_idf", "bm25")),
    }

    automatic: ClassVar[Mapping[str, Rule]] = {
        "shrinkage": Rule("1 item, times its mean squared weight; 0 for dot and ratings", pseudo_count(1))
    }

    center: str = "user"

    @property
    def supports_fold_in(self) -> bool:
        """Yes, except with ratings: a given history has none. The neighbours are training users."""
        return self.similarity != "adjusted_cosine" and not self.explicit

    @property
    def exact_fold_in(self) -> bool:
        """No: a newcomer with the history of a training user has that user as a neighbour."""
        return False

    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None:
        if self.explicit:
            self._learn_ratings(train)
            self.values_ = self._centred().values
            self.neighbors_ = self._find_neighbors(engine, progress)
            return
        matrix = self._weighted(train)
        self.neighbors_ = find_neighbors(
            matrix,
            neighbors=self.neighbors,
            similarity=self.similarity,
            shrinkage=self.in_use("shrinkage"),
            engine=engine,
            progress=progress,
            what="fit user_knn",
        )
        self.values_ = matrix.values if self.similarity == "adjusted_cosine" else self.seen_.values

    def _weighted(self, train: Dataset) -> UserItemMatrix:
        """The user-item matrix that similarities are computed from."""
        if self.weighting == "none":
            return weigh(train, similarity=self.similarity, weighting="none")
        # For users the "documents" are users and the "terms" items: popular items tell less.
        turned = train.matrix().transposed
        swapped = Dataset(train.interactions.rename({"user_id": "item_id", "item_id": "user_id"}))
        weighed = weigh(swapped, similarity=self.similarity, weighting=self.weighting)
        assert len(weighed.values) == len(turned.values)
        return weighed.transposed

    def _recommend(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        if block.from_history:
            return top_of_scores(self._scores(block), block, self.min_score)
        seen = self.seen_
        codes = np.empty((len(block.users), block.k), np.int32)
        scores = np.empty((len(block.users), block.k), np.float32)
        as_coded = np.arange(seen.n_columns, dtype=np.int32)
        near = _as_rows(self.neighbors_)
        top_of_product(
            block.users,
            near,
            (seen.indptr[:-1], seen.indptr[1:], seen.indices, self.values_),
            (seen.indptr, seen.indices),
            block.exclude_seen,
            np.float32(0),
            as_coded,
            codes,
            scores,
        )
        return codes, scores

    def _scores(self, block: Block) -> np.ndarray:
        seen = self.seen_
        rows = np.zeros((len(block.users), seen.n_columns), np.float32)
        users = np.arange(len(rows)) if block.from_history else block.users
        product_rows(
            users, *_as_rows(self._near(block)), seen.indptr[:-1], seen.indptr[1:], seen.indices, self.values_, rows
        )
        return rows

    def _near(self, block: Block) -> Neighbors:
        """The neighbours of the training users, or those of the users of a block with histories that came with it."""
        if not block.from_history:
            return self.neighbors_
        others = self._kept(
            "others",
            self.seen_,
            lambda seen: TrainingUsers.of(seen, similarity=self.similarity, weighting=self.weighting),
        )
        return others.neighbors(
            block, neighbors=self.neighbors, similarity=self.similarity, shrinkage=self.in_use("shrinkage")
        )

    def _reasons(self, block: Block, item: int) -> tuple[str, list[Any], np.ndarray]:
        user, near = 0 if block.from_history else int(block.users[0]), self._near(block)
        length = int(near.lengths[user])
        others, weights = near.codes[user, :length], near.weights[user, :length]
        parts = np.zeros(length)
        for at, other in enumerate(others):
            part = slice(self.seen_.indptr[other], self.seen_.indptr[other + 1])
            has = self.seen_.indices[part] == item
            parts[at] = weights[at] * self.values_[part][has].sum() if has.any() else np.nan
        there = ~np.isnan(parts)
        return "user", self.users_.decode(others[there]).to_list(), parts[there]

    def _state(self) -> dict[str, np.ndarray]:
        near = self.neighbors_
        return {
            "codes": near.codes,
            "weights": near.weights,
            "lengths": near.lengths,
            "values": self.values_,
            **self._rating_state(),
        }

    def _form(self) -> Mapping[str, Form]:
        return {
            "codes": codes("users", "kept", of="users"),
            "weights": numbers("users", "kept", low=0),
            "lengths": numbers("users", dtype="int64", low=0, high="kept"),
            "values": numbers("cells"),
            **self._rating_form(),
        }

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.neighbors_ = Neighbors(arrays["codes"], arrays["weights"], arrays["lengths"])
        self.values_ = arrays["values"]
        self._restore_ratings(arrays)


def _as_rows(near: Neighbors) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Neighbours as a sparse matrix: rows are as wide as the longest, zeros fill up."""
    indptr = np.arange(len(near.lengths) + 1, dtype=np.int64) * near.codes.shape[1]
    return indptr, near.codes.ravel(), near.weights.ravel()
