"""Item-kNN: similarity of items by their common users (Deshpande and Karypis 2004; Sarwar et al. 2001)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.engine import LocalEngine, Progress
from reclens.errors import Advice, Setting, UnknownNameError, UsageError
from reclens.models._core.block import Block
from reclens.models._core.defaults import Rule
from reclens.models._core.fit_weights import FitWeights
from reclens.models._core.form import Form, codes, numbers, pointers
from reclens.models._core.item_weights import dense_rows, top_of_weights
from reclens.models._core.kernels import product_rows
from reclens.models._core.neighbors import Neighbors, find_neighbors, neighbors_of_counts, weigh
from reclens.models._core.partial import Joined, Together
from reclens.models._core.ratings import RatingNeighbors, pseudo_count
from reclens.models._core.search_space import Choice, Float, Space, Whole

__all__ = ["ItemKNN"]


@dataclass(kw_only=True)
class ItemKNN(RatingNeighbors):
    """Recommend the items most similar to those of the user's history.

    The score of an item is a sum of similarity × value over items of the history; the value is 1, or the rating less
    the user's mean under adjusted cosine. Which items of the history count matters: those among the neighbours of the
    *candidate* (Sarwar et al. 2001; RecBole), or those that have the candidate among their own neighbours, the
    neighbours of the *history* (Deshpande and Karypis 2004; the library implicit), which favours popular items. Items
    without a positive score are not recommended, so lists can be shorter than asked for.

    With ``feedback="explicit"`` the model learns from ratings, and :meth:`predict` predicts the rating of a pair: the
    weighted average of the user's ratings of the most similar items. Scores then sum similarity × centred rating.

    Attributes:
        neighbors: Neighbours kept of each item; in a prediction, the most similar items that the user rated.
        similarity: ``cosine``, ``adjusted_cosine`` (needs ratings), ``jaccard`` or ``dot``. With explicit feedback:
            ``cosine`` of the centred ratings (LensKit), ``adjusted_cosine`` of ratings less the user's mean,
            and over common users alone ``common_cosine``, ``pearson`` or ``msd``, 1 ÷ (1 + mean squared difference),
            of the ratings themselves (Surprise).
        weighting: ``none``, ``tf_idf`` or ``bm25``, applied before the similarity.
        shrinkage: Added to the denominator: pulls similarities that rest on few users towards 0. None: the weight of 20
            users, which is 20 without a weighting and 20 times the mean square of the weights with one; 0 for ``dot``,
            which has no denominator, and for explicit feedback, as in Surprise and LensKit.
        neighbors_of: ``candidate`` or ``history``, see above.
        feedback: ``implicit`` (that users have an item) or ``explicit`` (their ratings).
        center: Which mean is subtracted from ratings: of the ``item``, the ``user`` or ``none``.
        min_neighbors: Neighbours that a prediction needs.
        min_similarity: Neighbours of a prediction are more similar than this; below 0, items with negative similarity
            count too.
        min_support: Common users that a similarity of ratings needs.
    """

    name: ClassVar[str] = "item_knn"
    rows_are: ClassVar[Literal["user", "item"]] = "item"
    min_score: ClassVar[float] = 0.0
    relates_items: ClassVar[bool] = True
    takes_weights: ClassVar[bool] = True
    space: ClassVar[Mapping[str, Space]] = {
        "neighbors": Whole(5, 1000),
        "shrinkage": Float(0.1, 1000),
        "similarity": Choice(("cosine", "dot")),
        "weighting": Choice(("none", "tf_idf", "bm25")),
    }

    together_ = None
    automatic: ClassVar[Mapping[str, Rule]] = {
        "shrinkage": Rule("20 users, times their mean squared weight; 0 for dot and ratings", pseudo_count(20))
    }

    neighbors_of: str = "candidate"

    @property
    def supports_fold_in(self) -> bool:
        """Yes, except with ratings: a given history has none."""
        return self.similarity != "adjusted_cosine" and not self.explicit

    def _check(self) -> None:
        super()._check()
        if self.neighbors_of not in ("candidate", "history"):
            raise UnknownNameError("value of neighbors_of", self.neighbors_of, ("candidate", "history"))

    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None:
        if self.explicit:
            self._learn_ratings(train)
            matrix, near = self._centred(), self._find_neighbors(engine, progress)
        else:
            matrix = self._weighted(train)
            near = self._near(matrix, engine, progress)
        self.together_ = None
        self._keep(near)
        # Weights shape the similarities; the history itself counts with ones, or with centred ratings.
        rated = self.explicit or self.similarity == "adjusted_cosine"
        self.values_ = matrix.values if rated else self.seen_.values

    def _fit_weighted(self, train: Dataset, weights: FitWeights, engine: LocalEngine, progress: Progress) -> None:
        if self.explicit or self.similarity == "adjusted_cosine" or self.weighting != "none":
            raise UsageError(
                "item_knn takes weights where similarities come from counts",
                advice=Advice(
                    "count_pairs",
                    (Setting("feedback", "implicit", "model"), Setting("weighting", "none", "model")),
                    "Use {feedback}, {weighting} and another similarity than adjusted_cosine.",
                ),
            )
        self.together_ = None
        self._keep(self._near(weights.rooted(self.seen_), engine, progress))
        self.values_ = self.seen_.values

    def _near(self, matrix: UserItemMatrix, engine: LocalEngine, progress: Progress) -> Neighbors:
        """The neighbours of each item from the values of its users."""
        return find_neighbors(
            matrix.transposed,
            neighbors=self.neighbors,
            similarity=self.similarity,
            shrinkage=self.in_use("shrinkage"),
            engine=engine,
            progress=progress,
            what="fit item_knn",
        )

    def _keep(self, near: Neighbors) -> None:
        found = near.as_matrix()
        # Rows are items of the history, columns the candidates that they speak for.
        self.neighbors_ = found.transposed if self.neighbors_of == "candidate" else found

    @property
    def adds_up(self) -> bool:
        """Yes, where similarities come from counts: not from ratings, and not with weights."""
        return not self.explicit and self.weighting == "none" and self.similarity != "adjusted_cosine"

    def _learn_more(self, joined: Joined, engine: LocalEngine, progress: Progress) -> None:
        self.together_ = (self.together_ or Together.of(self.seen_)).updated(joined)
        self._keep(
            neighbors_of_counts(
                *self.together_.by_item(),
                neighbors=self.neighbors,
                similarity=self.similarity,
                shrinkage=self.in_use("shrinkage"),
                engine=engine,
            )
        )
        self.values_ = joined.after.values

    def _weighted(self, train: Dataset) -> UserItemMatrix:
        """The user-item matrix that similarities are computed from."""
        return weigh(train, similarity=self.similarity, weighting=self.weighting)

    def _recommend(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        return top_of_weights(self, block, self.neighbors_, self._values_of(block))

    def _scores(self, block: Block) -> np.ndarray:
        near, seen = self.neighbors_, block.seen
        rows = np.zeros((len(block.users), seen.n_columns), np.float32)
        product_rows(
            block.users,
            seen.indptr,
            seen.indices,
            self._values_of(block),
            near.indptr[:-1],
            near.indptr[1:],
            near.indices,
            near.values,
            rows,
        )
        return rows

    def _similarities(self, items: np.ndarray) -> np.ndarray:
        # The neighbours of an item stand in its row, or, where candidates choose, in its column.
        near = self.neighbors_.transposed if self.neighbors_of == "candidate" else self.neighbors_
        return dense_rows(near, items)

    def _values_of(self, block: Block) -> np.ndarray:
        """Weights of the items of the histories."""
        return block.seen.values if block.from_history else self.values_

    def _reasons(self, block: Block, item: int) -> tuple[str, list[Any], np.ndarray]:
        part, near = block.history(), self.neighbors_
        own, values = block.seen.indices[part], self._values_of(block)[part]
        ids: list[int] = []
        parts: list[float] = []
        for other, value in zip(own, values, strict=True):
            row = slice(near.indptr[other], near.indptr[other + 1])
            hit = near.indices[row] == item
            if hit.any():
                ids.append(int(other))
                parts.append(float(near.values[row][hit][0] * value))
        return "item", self.items_.decode(ids).to_list(), np.array(parts)

    def _state(self) -> dict[str, np.ndarray]:
        near = self.neighbors_
        return {
            "indptr": near.indptr,
            "codes": near.indices,
            "weights": near.values,
            "values": self.values_,
            **self._rating_state(),
        }

    def _form(self) -> Mapping[str, Form]:
        return {
            "indptr": pointers("items", cells="near"),
            "codes": codes("near", of="items"),
            "weights": numbers("near", low=0),
            "values": numbers("cells"),
            **self._rating_form(),
        }

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        n = len(self.items_)
        self.neighbors_ = UserItemMatrix(arrays["indptr"], arrays["codes"], arrays["weights"], n)
        self.values_ = arrays["values"]
        self._restore_ratings(arrays)
