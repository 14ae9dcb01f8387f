"""Content: items with features like those of the user's history (Pazzani and Billsus 2007; Lops et al. 2011)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import polars as pl

from reclens.cards import AppliedRule
from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.data.manifest import mapping
from reclens.data.rules import rule
from reclens.engine import LocalEngine, Progress
from reclens.errors import Advice, ArgumentValueError, DataError, Setting, UnknownNameError, UsageError
from reclens.models._content.features import KINDS, FeatureOptions, check_stop_words, item_features
from reclens.models._core.block import Block
from reclens.models._core.form import Form, bytes_, codes, numbers, pointers
from reclens.models._core.recommender import Recommender
from reclens.models._core.search_space import Choice, Space, Whole
from reclens.schema import ITEM, RATING, TIMESTAMP, USER

__all__ = ["Content"]

_PROFILES = {
    "mean": "the mean of the vectors of the user's items",
    "rating": "each vector times the rating less the user's mean rating: what is liked less than usual counts against",
}
_DAY = 86_400_000_000


@dataclass(kw_only=True)
class Content(Recommender):
    """Recommend items whose attributes and words are similar to those of the user's history.

    An item is a vector of features from the columns of the items table: tf-idf of values and words, and given vectors
    such as embeddings, as a column of lists of numbers. ``reclens.models._content.features`` documents how columns
    become features; the vector of an item with all columns has length 1. The user's profile is the mean vector of their
    items, normalised to length 1, and the score is the dot product of profile and item: their cosine, or less if the
    item lacks columns. Items without interactions can be recommended; items without features cannot. Only items with a
    score above 0 are recommended, so lists can be shorter than asked for.

    Attributes:
        features: Columns of the items table, as a list of names, or as a mapping name -> kind: ``auto``, ``list``,
            ``category``, ``text``, ``number`` or ``vector``. None: every usable column, except those whose name ends in
            ``_id`` or ``Id``.
        weights: Column -> weight; 1 by default.
        bins: Number of quantile bins for numeric columns.
        min_items: Features of fewer items are left out; a feature of a single item adds no similarity.
        sublinear: Whether the term frequency n of a word counts as 1 + ln n.
        stop_words: Words to ignore in texts: None, ``"english"`` or a list of words.
        profile: ``mean``, or ``rating`` to weigh items by the rating less the user's mean rating (needs ratings; a user
            who rates everything alike counts as under ``mean``).
        half_life: Half-life of the weight of an item, in days before the user's last interaction (needs timestamps); 0
            for equal weights.

    References:
        Salton, Buckley (1988), Term-weighting approaches in automatic text retrieval; Information Processing and
        Management 24(5). Lops, de Gemmis, Semeraro (2011), Content-based recommender systems; Recommender Systems
        Handbook.
    """

    name: ClassVar[str] = "content"
    min_score: ClassVar[float] = 0.0
    relates_items: ClassVar[bool] = True
    space: ClassVar[Mapping[str, Space]] = {
        "min_items": Whole(1, 20),
        "bins": Whole(3, 30),
        "sublinear": Choice((True, False)),
    }

    features: Mapping[str, str] | Sequence[str] | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    bins: int = 10
    min_items: int = 2
    sublinear: bool = True
    stop_words: str | Sequence[str] | None = None
    profile: str = "mean"
    half_life: float = 0.0

    def __post_init__(self) -> None:
        """Convert lists to the form in which they are saved."""
        if isinstance(self.features, tuple):
            self.features = list(self.features)
        if isinstance(self.stop_words, tuple | set | frozenset):
            self.stop_words = sorted(self.stop_words)

    @property
    def supports_fold_in(self) -> bool:
        """Yes, except with ratings or times: a given history has none."""
        return self.profile == "mean" and not self.half_life

    @property
    def cold_items(self) -> bool:
        """Yes: an item needs features but no interactions."""
        return True

    def _check(self) -> None:
        for column, kind in self._asked().items():
            if kind not in KINDS:
                raise UnknownNameError(f"kind of the feature '{column}'", str(kind), KINDS)
        for column, weight in self.weights.items():
            if not weight > 0 or not np.isfinite(weight):
                raise UsageError(f"the weight of '{column}' is {weight}, expected a number above 0.")
        for name in ("bins", "min_items"):
            if getattr(self, name) < 1:
                raise ArgumentValueError(name, f"is {getattr(self, name)}, expected 1 or more.", of="model")
        if self.profile not in _PROFILES:
            raise UnknownNameError("profile", self.profile, _PROFILES)
        if not self.half_life >= 0:
            raise ArgumentValueError("half_life", f"is {self.half_life}, expected 0 or more days", of="model")
        check_stop_words(self.stop_words)

    def _asked(self) -> Mapping[str, str]:
        if self.features is None:
            return {}
        asked: Any = self.features
        if isinstance(asked, str) or not isinstance(asked, Mapping | Sequence):
            raise ArgumentValueError(
                "features", f"is {self.features!r}, expected a list of columns, or a mapping column -> kind", of="model"
            )
        if not asked:
            raise ArgumentValueError(
                "features", "is empty. Name columns of the items, or leave it out to take all", of="model"
            )
        return asked if isinstance(asked, Mapping) else dict.fromkeys(asked, "auto")

    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None:
        if train.items is None or train.items.width < 2:
            raise UsageError(
                f"content needs attributes of the items, and '{train.name}' has none",
                advice=Advice("read_items", (Setting("items"),), "Read them too, by {items}."),
            )
        options = FeatureOptions(
            features=self._asked(),
            weights=self.weights,
            bins=self.bins,
            min_items=self.min_items,
            sublinear=self.sublinear,
            stop_words=check_stop_words(self.stop_words),
        )
        table = item_features(train.items, self.items_, options, progress)
        self.vectors_, self.feature_names_ = table.vectors, table.names
        self.values_ = self._values(train)
        bare = int((np.diff(table.vectors.indptr) == 0).sum())
        self.train_["features"] = {"kinds": table.kinds, "n": len(table.names), "absent": table.absent, "empty": bare}
        self._get_ready()

    def _values(self, train: Dataset) -> np.ndarray:
        """Weight of each item of each history, float32, in the order of the cells of ``seen_``."""
        seen = self.seen_
        sizes = np.diff(seen.indptr)
        values = np.ones(len(seen.indices))
        if self.profile == "rating":
            if not train.has_ratings:
                raise UsageError(
                    "a profile by ratings needs ratings, and the training data has none",
                    advice=Advice("profile_of_means", (Setting("profile", "mean", "model"),), "Use {profile}."),
                )
            ratings = train.matrix(RATING).values.astype(np.float64)
            values = ratings - np.repeat(np.add.reduceat(ratings, seen.indptr[:-1]) / sizes, sizes)
            alike = np.maximum.reduceat(np.abs(values), seen.indptr[:-1]) < 1e-6
            values[np.repeat(alike, sizes)] = 1.0
        if self.half_life:
            if not train.has_timestamps:
                raise UsageError(
                    "a half-life needs timestamps, and the training data has none",
                    advice=Advice("no_half_life", (Setting("half_life", 0, "model"),), "Use {half_life}."),
                )
            last = train.interactions.group_by(USER, ITEM).agg(pl.col(TIMESTAMP).max())
            users, items = self.users_.encode(last[USER]).astype(np.int64), self.items_.encode(last[ITEM])
            times = last[TIMESTAMP].dt.epoch("us").to_numpy()[np.argsort(users * len(self.items_) + items)]
            age = np.repeat(np.maximum.reduceat(times, seen.indptr[:-1]), sizes) - times
            values = values * 0.5 ** (age / (_DAY * self.half_life))
        return values.astype(np.float32)

    def _get_ready(self) -> None:
        from scipy.sparse import csr_array

        near = self.vectors_
        self._sparse: Any = csr_array((near.values, near.indices, near.indptr), shape=(near.n_rows, near.n_columns))

    def _block_size(self) -> int:
        """Users served at a time: dense profiles and scores of a block stay within 32 MB each."""
        widest = max(self.vectors_.n_columns, len(self.items_), 1)
        return int(np.clip(8_000_000 // widest, 1, 1024))

    def _profiles(self, block: Block) -> np.ndarray:
        """The profiles of users, of length 1 or 0: float32, shape (n, features)."""
        from scipy.sparse import csr_array

        seen, users = block.seen, block.users
        values = seen.values if block.from_history else self.values_
        begins, lengths = seen.indptr[users], seen.indptr[users + 1] - seen.indptr[users]
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        cells = np.arange(indptr[-1]) + np.repeat(begins - indptr[:-1], lengths)
        shape = (len(users), len(self.items_))
        histories: Any = csr_array((values[cells], seen.indices[cells], indptr), shape=shape)
        profiles = (histories @ self._sparse).toarray()
        norms = np.sqrt(np.einsum("ij,ij->i", profiles, profiles, dtype=np.float64))[:, None]
        return np.divide(profiles, norms, out=np.zeros_like(profiles), where=norms > 1e-12, casting="same_kind")

    def _scores(self, block: Block) -> np.ndarray:
        return np.ascontiguousarray((self._sparse @ self._profiles(block).T).T)

    def _similarities(self, items: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray((self._sparse @ self._sparse[items].toarray().T).T, np.float32)

    def _reasons(self, block: Block, item: int) -> tuple[str, list[Any], np.ndarray]:
        near = self.vectors_
        part = slice(near.indptr[item], near.indptr[item + 1])
        profile = self._profiles(block)[0]
        parts = near.values[part].astype(np.float64) * profile[near.indices[part]]
        shared = parts != 0
        names = [self.feature_names_[at] for at in near.indices[part][shared]]
        return "feature", names, parts[shared]

    def _rules(self, blocks: Sequence[Block]) -> list[AppliedRule]:
        made = self.train_.get("features")
        if made is None:
            return []
        return [
            rule("items_not_in_table", made["absent"]),
            rule("items_without_feature", made["empty"]),
        ]

    def _state(self) -> dict[str, np.ndarray]:
        near = self.vectors_
        texts = [name.encode() for name in self.feature_names_]
        ends = np.cumsum([0, *map(len, texts)])
        return {
            "indptr": near.indptr,
            "features": near.indices,
            "weights": near.values,
            "values": self.values_,
            "names": np.frombuffer(b"".join(texts), np.uint8),
            "name_ends": ends,
        }

    def _form(self) -> Mapping[str, Form]:
        return {
            "indptr": pointers("items", cells="near"),
            "features": codes("near", of="names"),
            "weights": numbers("near"),
            "values": numbers("cells"),
            "names": bytes_("letters"),
            "name_ends": pointers("names", cells="letters"),
        }

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        names, ends = arrays["names"].tobytes(), arrays["name_ends"].tolist()
        self.feature_names_ = [names[a:b].decode() for a, b in pairwise(ends)]
        self.vectors_ = UserItemMatrix(
            arrays["indptr"], arrays["features"], arrays["weights"], len(self.feature_names_)
        )
        self.values_ = arrays["values"]
        about = mapping(self.train_.get("features"), "what is said of the features")
        if not all(isinstance(about.get(name), int) for name in ("absent", "empty")):
            raise DataError("what is said of the features has no counts of items, expected 'absent' and 'empty'")
        self._get_ready()
