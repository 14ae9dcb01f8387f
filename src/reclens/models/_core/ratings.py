"""Explicit kNN: the shared part of item-kNN and user-kNN for learning from ratings and predicting them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset, UserItemMatrix, transpose
from reclens.engine import LocalEngine, Progress, chunk_ranges, quiet
from reclens.errors import Advice, ArgumentValueError, DataError, Setting, UnknownNameError, UsageError
from reclens.models._core.block import encode_where_possible
from reclens.models._core.form import Form, numbers
from reclens.models._core.neighbors import UNWEIGHTED, Neighbors, check_neighbor_options, require_neighbors
from reclens.models._core.rating_kernels import COMMON_COSINE, COSINE, MSD, PEARSON, predict_groups, rating_neighbours
from reclens.models._core.recommender import Recommender
from reclens.schema import ITEM, RATING, USER

__all__ = ["CENTERS", "RATING_SIMILARITIES", "RatingNeighbors", "pseudo_count"]

CENTERS: Final = ("none", "user", "item")

RATING_SIMILARITIES: Final = {
    "cosine": COSINE,
    "adjusted_cosine": COSINE,
    "common_cosine": COMMON_COSINE,
    "pearson": PEARSON,
    "msd": MSD,
}

_ROWS_A_TASK: Final = 64
_FALLBACKS: Final = ("few_neighbors", "unknown_user", "unknown_item")


_EXPLICIT: Final = Setting("feedback", "explicit", "model")


@dataclass(kw_only=True)
class RatingNeighbors(Recommender):
    """A kNN that can learn from ratings; neighbours are items in item-kNN and users in user-kNN."""

    predicts_ratings: ClassVar[bool] = True
    rows_are: ClassVar[Literal["user", "item"]]

    neighbors: int = 100
    similarity: str = "cosine"
    weighting: str = "none"
    shrinkage: float | None = None
    feedback: str = "implicit"
    center: str = "item"
    min_neighbors: int = 1
    min_similarity: float = 0.0
    min_support: int = 1

    @property
    def explicit(self) -> bool:
        """Whether it learns from ratings."""
        return self.feedback == "explicit"

    def _check(self) -> None:
        if self.feedback not in ("implicit", "explicit"):
            raise UnknownNameError("value of feedback", self.feedback, ("implicit", "explicit"))
        if self.center not in CENTERS:
            raise UnknownNameError("value of center", self.center, CENTERS)
        for what in ("min_neighbors", "min_support"):
            if getattr(self, what) < 1:
                raise ArgumentValueError(what, f"is {getattr(self, what)}, expected 1 or more.", of="model")
        if not np.isfinite(self.min_similarity):
            raise ArgumentValueError(
                "min_similarity", f"is {self.min_similarity}, expected a finite number such as 0", of="model"
            )
        if self.explicit and self.similarity not in RATING_SIMILARITIES:
            raise UnknownNameError("similarity of ratings", self.similarity, RATING_SIMILARITIES)
        if self.explicit and self.weighting != "none":
            raise UsageError(f"the weighting {self.weighting} is for histories without ratings", advice=UNWEIGHTED)
        known = "cosine" if self.explicit else self.similarity
        check_neighbor_options(
            neighbors=self.neighbors, similarity=known, weighting=self.weighting, shrinkage=self.shrinkage or 0.0
        )

    def predict(
        self,
        pairs: pl.DataFrame,
        *,
        fallback: str = "mean",
        clip: bool = True,
        threads: int | None = None,
        progress: Progress = quiet,
    ) -> pl.DataFrame:
        """The rating that each user is predicted to give each item.

        The prediction is m + Σ s·d ÷ Σ|s| over at most ``neighbors`` nearest neighbours that have the rating, where s
        is the similarity, d the neighbour's rating less its mean and m the mean of the pair asked for, by ``center``:
        of the user, of the item, or 0. A pair's own training rating has no part in its prediction.

        Args:
            pairs: ``user_id, item_id``, in any order.
            fallback: What a pair without a prediction of its own gets, as in the library Surprise: ``"mean"`` is m for
                a pair with fewer than ``min_neighbors`` neighbours (the mean of all ratings under ``center="none"``),
                and the mean of all ratings for an unknown user or item. ``"none"`` is null, as in LensKit.
            clip: Whether predictions are brought into the range of the training ratings.
            threads: Threads to use; the result does not depend on it.
            progress: Callback for the progress.

        Returns:
            The pairs, in their order, with ``prediction`` (float64), ``neighbors`` (how many took part) and
            ``fallback``: null, or why there was no prediction: ``few_neighbors``, ``unknown_user``, ``unknown_item``.

        Raises:
            NotFittedError: If the model was not fitted.
            UsageError: If the model was fitted without ratings, or ``fallback`` is unknown.

        References:
            Resnick et al. (1994); Sarwar et al. (2001); Herlocker, Konstan, Borchers, Riedl (1999).
        """
        self._need_fit()
        if not self.explicit:
            raise UsageError(
                f"this {self.name} was fitted without ratings",
                advice=Advice("fit_ratings", (_EXPLICIT,), "Fit it with {feedback}."),
            )
        if fallback not in ("mean", "none"):
            raise UnknownNameError("value of fallback", fallback, ("mean", "none"))
        absent = [column for column in (USER, ITEM) if column not in pairs.columns]
        if absent:
            raise DataError(f"the pairs lack {', '.join(absent)}", source="pairs", fix="Rename their columns.")
        users, items = encode_where_possible(self.users_, pairs[USER]), encode_where_possible(self.items_, pairs[ITEM])
        known = (users >= 0) & (items >= 0)
        deviation, counts = np.full(len(users), np.nan), np.zeros(len(users), np.int32)
        deviation[known], counts[known] = self._deviations(users[known], items[known], threads, progress)
        enough = (counts >= self.min_neighbors) & ~np.isnan(deviation)
        means = self._means()
        place = {"user": users, "item": items, "none": np.zeros(len(users), np.int32)}[self.center]
        middle = np.where(known, means[np.maximum(place, 0)], self._global_mean)
        of_few = middle if self.center != "none" else self._global_mean
        prediction = np.where(known & enough, middle + deviation, np.where(known, of_few, self._global_mean))
        if clip:
            prediction = np.clip(prediction, self.ratings_.min(), self.ratings_.max())
        why = np.select([users < 0, items < 0, ~enough], [1, 2, 0], -1)
        reasons = pl.Series("fallback", [*_FALLBACKS, None], dtype=pl.Enum(_FALLBACKS)).gather(why % 4)
        found = pl.Series("prediction", prediction)
        if fallback == "none":
            found = found.set(reasons.is_not_null(), None)
        return pairs.with_columns(found, pl.Series("neighbors", counts), reasons)

    def _deviations(
        self, users: np.ndarray, items: np.ndarray, threads: int | None, progress: Progress
    ) -> tuple[np.ndarray, np.ndarray]:
        """Σ s·d ÷ Σ|s| of known pairs, NaN without a neighbour; and the number of neighbours used."""
        target, column = (items, users) if self.rows_are == "item" else (users, items)
        order = np.argsort(target, kind="stable")
        targets, begins = np.unique(target[order], return_index=True)
        begins = np.append(begins, len(order)).astype(np.int64)
        matrix = self._prepared()
        deviations = self._turned(self.ratings_ - self._middles())
        found, counts = np.empty(len(order)), np.zeros(len(order), np.int32)
        asked, targets = column[order].astype(np.int32), targets.astype(np.int64)

        def task(part: range) -> int:
            predict_groups(
                part.start,
                part.stop,
                (targets, begins, asked),
                self._options(),
                self.neighbors,
                matrix,
                deviations,
                found,
                counts,
            )
            return len(part)

        done = 0
        for count in LocalEngine(threads).map(task, chunk_ranges(len(targets), _ROWS_A_TASK)):
            done += count
            progress(f"predict {self.name}", done, len(targets))
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        return found[back], counts[back]

    def _find_neighbors(self, engine: LocalEngine, progress: Progress) -> Neighbors:
        """The nearest rows by their ratings, for recommendations."""
        matrix = self._prepared()
        n = len(matrix[-1])
        kept = min(self.neighbors, max(n - 1, 1))
        require_neighbors(n, kept, f"fit {self.name}")
        codes, weights = np.zeros((n, kept), np.int32), np.zeros((n, kept), np.float32)
        lengths = np.zeros(n, np.int64)
        *others, min_score = self._options()
        measure = (*others, max(min_score, 0.0))

        def task(part: range) -> None:
            rating_neighbours(part.start, part.stop, measure, matrix, codes, weights, lengths)

        parts = chunk_ranges(n, _ROWS_A_TASK)
        for done, _ in enumerate(engine.map(task, parts), 1):
            progress(f"fit {self.name}", done, len(parts))
        return Neighbors(codes, weights, lengths)

    def _learn_ratings(self, train: Dataset) -> None:
        """Store the ratings in the order of the histories.

        Raises:
            UsageError: If there are none, some are missing, or a pair has several.
        """
        if not train.has_ratings:
            raise UsageError(
                "explicit feedback needs ratings, and the training data has none",
                advice=Advice("fit_histories", (Setting("feedback", "implicit", "model"),), "Use {feedback}."),
            )
        rows = train.interactions
        bad = rows.height - int(rows[RATING].cast(pl.Float64).is_finite().sum())
        if bad:
            raise UsageError(f"{bad:,} ratings are missing or not finite. Drop those rows first.")
        if len(self.seen_.indices) != rows.height:
            raise UsageError(
                f"{rows.height - len(self.seen_.indices):,} rows rate a pair that is rated already. Keep one rating a "
                "pair, such as the latest."
            )
        self.ratings_ = train.matrix(RATING).values.astype(np.float64)

    def _options(self) -> tuple[int, float, int, float]:
        kind, shrinkage = RATING_SIMILARITIES[self.similarity], float(self.in_use("shrinkage"))
        return kind, shrinkage, int(self.min_support), float(self.min_similarity)

    @property
    def _global_mean(self) -> float:
        return float(self.ratings_.mean())

    def _means(self, center: str | None = None) -> np.ndarray:
        """Mean rating of each user or item; a single 0 where ratings are not centred."""
        center = center or self.center
        if center == "none":
            return np.zeros(1)
        codes, n = (self._owners(), len(self.users_)) if center == "user" else (self.seen_.indices, len(self.items_))
        return np.bincount(codes, self.ratings_, n) / np.bincount(codes, minlength=n)

    def _middles(self, center: str | None = None) -> np.ndarray:
        """The mean that is subtracted from each rating, in the order of the ratings."""
        center = center or self.center
        place = {"user": self._owners(), "item": self.seen_.indices, "none": np.zeros(1, np.int32)}[center]
        return self._means(center)[place]

    def _owners(self) -> np.ndarray:
        return np.repeat(np.arange(len(self.users_), dtype=np.int32), np.diff(self.seen_.indptr))

    def _prepared(self) -> tuple[np.ndarray, ...]:
        """Input of the similarities: the matrix by rows, by columns, and the norms of its rows."""
        # Similarities over all ratings use centred ratings; those over common ratings are centred by the kernel.
        whole = RATING_SIMILARITIES[self.similarity] == COSINE
        center = "user" if self.similarity == "adjusted_cosine" else self.center if whole else "none"
        values = self.ratings_ - self._middles(center)
        by_user = self.seen_.indptr, self.seen_.indices, values
        by_item = *transpose(self.seen_.indptr, self.seen_.indices, len(self.items_)), values[self._by_item()]
        by_row, by_column = (by_item, by_user) if self.rows_are == "item" else (by_user, by_item)
        owners = np.repeat(np.arange(len(by_row[0]) - 1), np.diff(by_row[0]))
        norms = np.sqrt(np.bincount(owners, by_row[2] ** 2, len(by_row[0]) - 1))
        return *by_row, *by_column, norms

    def _turned(self, values: np.ndarray) -> np.ndarray:
        """Values of the ratings in the order of the columns: the raters of each item, or what each user rated."""
        return values if self.rows_are == "item" else values[self._by_item()]

    def _by_item(self) -> np.ndarray:
        """The ratings in the order of the items, and of the users for each."""
        return np.argsort(self.seen_.indices, kind="stable")

    def _rating_state(self) -> dict[str, np.ndarray]:
        return {"ratings": self.ratings_} if self.explicit else {}

    def _rating_form(self) -> dict[str, Form]:
        return {"ratings": numbers("cells", dtype="float64")} if self.explicit else {}

    def _restore_ratings(self, arrays: Mapping[str, np.ndarray]) -> None:
        if self.explicit:
            self.ratings_ = arrays["ratings"]

    def _centred(self) -> UserItemMatrix:
        """Ratings minus their means, which are the values of the cells of a history in a score."""
        values = (self.ratings_ - self._middles()).astype(np.float32)
        return UserItemMatrix(self.seen_.indptr, self.seen_.indices, values, self.seen_.n_columns)


def pseudo_count(n: float) -> Callable[[Any, Dataset], float]:
    """Shrinkage factor for a similarity that is based on n interactions."""

    def rule(model: Any, train: Dataset) -> float:
        if model.explicit or model.similarity == "dot":
            return 0.0
        values = model._weighted(train).values
        return n * float(np.square(values, dtype=np.float64).mean())

    return rule
