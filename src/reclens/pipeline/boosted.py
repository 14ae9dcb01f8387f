"""A ranker learned from the candidates themselves: gradient-boosted trees under LambdaRank (LightGBM).

References:
    Burges (2010), From RankNet to LambdaRank to LambdaMART: an overview; Ke et al. (2017), LightGBM.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from reclens.cards import LearnedCard
from reclens.data.dataset import Dataset
from reclens.data.manifest import VerifiedFolder
from reclens.engine import need
from reclens.errors import DataError, UsageError
from reclens.models._core.factors import MOST_PASSES, check_whole
from reclens.pipeline._trees import check_trees
from reclens.pipeline.features import CandidateFeatures
from reclens.pipeline.requests import Known
from reclens.schema import ITEM, USER

__all__ = ["BoostedRanker"]


@dataclass(kw_only=True)
class BoostedRanker:
    """Orders candidates by trees that learned which candidates users went on to choose.

    The pipeline holds out the last interactions of its training data, retrieves without them, and shows the ranker
    which candidates were among them; the retrievers are then fitted again on everything. Needs the extra ``rank``.

    Attributes:
        trees: Trees, 1 to 10,000.
        learning_rate: Weight of each tree.
        leaves: Leaves of a tree.
        smallest_leaf: Candidates that a leaf needs.
        n_users: Users to learn from at most, chosen by a hash of their id.
        held_out: Interactions of each user that are held out to learn from.
        seed: Seed of the trees and of the choice of users.
    """

    trees: int = 200
    learning_rate: float = 0.05
    leaves: int = 31
    smallest_leaf: int = 50
    n_users: int = 5_000
    held_out: int = 3
    seed: int = 0

    def check(self) -> None:
        """Raise UsageError for a parameter out of range, MissingExtraError without LightGBM."""
        for name in ("trees", "leaves", "smallest_leaf", "n_users", "held_out"):
            most = MOST_PASSES if name == "trees" else None
            check_whole(f"boosted: {name}", getattr(self, name), 2 if name == "leaves" else 1, most)
        if not 0 < self.learning_rate <= 1:
            raise UsageError(f"boosted: learning_rate is {self.learning_rate}, expected a number in (0, 1].")
        need("lightgbm", extra="rank")

    def fit(self, candidates: pl.DataFrame, chosen: pl.DataFrame, features: CandidateFeatures, *, threads: int) -> None:
        """Learn.

        Args:
            candidates: Candidates, retrieved without knowledge of ``chosen``, sorted by user.
            chosen: What the users went on to choose, ``user_id, item_id``.
            features: Features, learned without knowledge of ``chosen``.
            threads: Threads to use; the trees do not depend on it.

        Raises:
            UsageError: If no candidate was chosen.
        """
        lightgbm = need("lightgbm", extra="rank")
        marked = candidates.join(
            chosen.select(USER, ITEM, chosen=pl.lit(1)), on=[USER, ITEM], how="left", maintain_order="left"
        )
        marked = marked.filter(pl.col("chosen").sum().over(USER) > 0)  # the others teach no order
        if not marked.height:
            raise UsageError(
                "boosted: none of the retrieved candidates was among the interactions held out to learn from. Raise "
                "the k of the retrievers, or rank with a model."
            )
        values, self.names_ = features.table(marked)
        sizes = marked.group_by(USER, maintain_order=True).len()["len"].to_numpy()
        data = lightgbm.Dataset(
            values,
            marked["chosen"].fill_null(0).to_numpy(),
            group=sizes,
            feature_name=[f"f{at}" for at in range(len(self.names_))],
        )
        settings: dict[str, Any] = {
            "objective": "lambdarank",
            "learning_rate": self.learning_rate,
            "num_leaves": self.leaves,
            "min_data_in_leaf": self.smallest_leaf,
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": threads,
            "verbosity": -1,
        }
        self.learned_: LearnedCard | None = {
            "users": len(sizes),
            "candidates": marked.height,
            "chosen": int(marked["chosen"].sum()),
        }
        self._trees: Any = lightgbm.train(settings, data, num_boost_round=self.trees)
        self.features_ = features

    def score(self, candidates: pl.DataFrame, *, threads: int, told: Known | None = None) -> np.ndarray:
        """The score of each candidate, float32, shape (candidates,).

        Args:
            candidates: The candidates.
            threads: Threads to use.
            told: What is known of the users with what came with the request; None: what the training data says.
        """
        features = self.features_ if told is None else self.features_.told(told.places, told.seen, told.items)
        values, _ = features.table(candidates)
        return np.asarray(self._trees.predict(values, num_threads=threads), np.float32)

    def importance(self) -> list[dict[str, Any]]:
        """What the trees split by: rows ``feature, gain`` (share of the total gain), the largest first."""
        gain = np.asarray(self._trees.feature_importance("gain"), np.float64)
        shares = gain / max(gain.sum(), 1e-300)
        order = np.argsort(-shares, kind="stable")
        return [{"feature": self.names_[at], "gain": float(shares[at])} for at in order]

    def learn_about(self, train: Dataset) -> None:
        """Take the features of the whole training data, once the trees are grown."""
        self.features_ = CandidateFeatures.learn(train)

    def save(self, folder: Path) -> None:
        """Write the trees, as text, and the features into an existing folder."""
        (folder / "trees.txt").write_text(self._trees.model_to_string(), encoding="utf-8")
        (folder / "names.json").write_text(json.dumps({"names": self.names_}), encoding="utf-8")
        np.savez(folder / "features.npz", allow_pickle=False, **self.features_.state())
        pl.DataFrame({USER: self.features_.users.ids}).write_parquet(folder / "users.parquet")
        pl.DataFrame({ITEM: self.features_.items.ids}).write_parquet(folder / "items.parquet")

    def restore(self, kept: VerifiedFolder) -> None:
        """Take back what :meth:`save` wrote.

        Raises:
            DataError: If it is not that.
        """
        lightgbm = need("lightgbm", extra="rank")
        names: Any = kept.json("names.json")["names"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise DataError("the names of the features are no list of texts")
        self.names_ = list(names)
        self._trees = lightgbm.Booster(model_str=check_trees(kept.text("trees.txt"), len(self.names_)))
        users, items = kept.ids("users.parquet", USER), kept.ids("items.parquet", ITEM)
        self.features_ = CandidateFeatures.of_state(kept.arrays("features.npz"), users=users, items=items)
