"""SLIM: a sparse linear item-item model with non-negative weights (Ning and Karypis 2011)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.engine import LocalEngine, Progress, chunk_ranges
from reclens.errors import ArgumentValueError
from reclens.models._core.block import rows_of
from reclens.models._core.co_occurrence import Gram, gram_of, weighted_gram
from reclens.models._core.defaults import Extent, Rule
from reclens.models._core.degenerate import FitProblem
from reclens.models._core.factors import check_whole
from reclens.models._core.fit_weights import FitWeights
from reclens.models._core.form import Form, numbers
from reclens.models._core.item_weights import ItemWeights
from reclens.models._core.search_space import Float, Space
from reclens.models._core.slim_kernels import block_net, near_net

__all__ = ["SLIM"]

_ITEMS_A_TASK = 16
_CROWDED = 0.15
"""Share of pairs of candidates with a common user from which on dense rows are faster than lists."""
_MOST_SWEEPS = 1_000_000
"""An item's weights settle within a few hundred passes; more than this is a slip of the hand."""


@dataclass(kw_only=True)
class SLIM(ItemWeights):
    """Predict each item from all others by an elastic net with non-negative weights.

    For each item j, the column w of the weights minimises ½ |x_j - Xw|² + ½ l2 |w|² + l1 Σw with w ≥ 0 and w_j = 0,
    where X is the user-item matrix of ones. Solved exactly, item by item on all threads, by coordinate descent on the
    co-occurrence XᵀX (Friedman, Hastie and Tibshirani 2010) with a growing active set and warm starts. Items that share
    no more than l1 users with j are screened out first, which is exact because XᵀX and w are non-negative. Memory: the
    co-occurrence, sparse if most of it is 0 (8 bytes per pair of items with a common user), else dense in float32; and
    for each thread the part of it that one item depends on.

    In scikit-learn's units, ``ElasticNet(alpha, l1_ratio, positive=True, fit_intercept=False)``, and so in RecBole's
    SLIMElastic, for n users: l1 = n × alpha × l1_ratio and l2 = n × alpha × (1 - l1_ratio). RecBole's n is one too
    large. The l2 of EASE has the same unit.

    Attributes:
        l1: Penalty on the sum of the weights, in users: an item has a weight for another only if more users than this
            have both, beyond what the other weights explain. Larger is sparser and faster, and items with no more users
            than this are never recommended. None: √(interactions per user) ÷ 4, because the standard deviation of a
            chance co-occurrence count is its root.
        l2: Penalty on the squares of the weights, in users. None: 2 × interactions per user.
        tolerance: Largest violation of the optimality conditions, as a share of the item's users.
        sweeps: Maximum number of passes over an item's weights; ``unsettled_`` counts the items that did not converge.
    """

    name: ClassVar[str] = "slim"
    takes_weights: ClassVar[bool] = True
    space: ClassVar[Mapping[str, Space]] = {"l1": Float(0.5, 50), "l2": Float(10, 10_000)}

    automatic: ClassVar[Mapping[str, Rule]] = {
        "l1": Rule("√(interactions per user) ÷ 4", lambda _, train: Extent.of(train).per_user ** 0.5 / 4),
        "l2": Rule("2 × interactions per user", lambda _, train: 2 * Extent.of(train).per_user),
    }

    l1: float | None = None
    l2: float | None = None
    tolerance: float = 1e-4
    sweeps: int = 1000

    def _check(self) -> None:
        if self.l1 is not None and not (self.l1 > 0 and np.isfinite(self.l1)):
            raise ArgumentValueError(
                "l1", f"is {self.l1}, expected a number of users above 0; without it, use ease", of="model"
            )
        if self.l2 is not None and not (self.l2 >= 0 and np.isfinite(self.l2)):
            raise ArgumentValueError("l2", f"is {self.l2}, expected a number of users, 0 or more", of="model")
        if not 0 < self.tolerance < 1:
            raise ArgumentValueError(
                "tolerance", f"is {self.tolerance}, expected a share between 0 and 1, such as 1e-4", of="model"
            )
        check_whole("sweeps", self.sweeps, 1, _MOST_SWEEPS)

    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None:
        self._solve(gram_of(self.seen_, engine=engine, progress=progress, what="fit slim"), engine, progress)

    def _fit_weighted(self, train: Dataset, weights: FitWeights, engine: LocalEngine, progress: Progress) -> None:
        self._solve(weighted_gram(weights.rooted(self.seen_), what="fit slim"), engine, progress)

    def _solve(self, gram: Gram, engine: LocalEngine, progress: Progress) -> None:
        """The weights from the co-occurrence."""
        n = len(self.items_)
        rows = gram.indptr, gram.near, gram.common
        penalties = float(self.in_use("l1")), float(self.in_use("l2")), float(self.tolerance), int(self.sweeps)

        def task(part: range) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
            column = np.full(n, -1, np.int32)
            room = near, values, found = np.empty(n, np.int32), np.empty(n, np.float32), np.zeros(1, np.int64)
            kept: list[tuple[np.ndarray, np.ndarray]] = []
            unsettled = 0
            for place in part:
                if len(gram.dense):
                    used = block_net(place, gram.users[place], gram.dense, *penalties, *room)
                else:
                    used = near_net(place, gram.users[place], _CROWDED, rows, penalties, column, *room)
                kept.append((gram.order[near[: found[0]]], values[: found[0]].copy()))
                unsettled += used < 0
            lengths = np.array([len(each) for each, _ in kept])
            codes, weights = (np.concatenate(side) for side in zip(*kept, strict=True))
            return lengths, codes, weights, unsettled

        # Where places are by popularity, what takes longest begins first.
        parts = chunk_ranges(n, _ITEMS_A_TASK)
        found: list[tuple[np.ndarray, np.ndarray, np.ndarray, int]] = []
        for result in engine.map(task, parts):
            found.append(result)
            progress("fit slim", len(found), len(parts))
        lengths, codes, weights = (np.concatenate([result[at] for result in found]) for at in range(3))
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        by_place, places = UserItemMatrix(indptr, codes, weights, n), np.argsort(gram.order)
        # Solved by the item that is predicted; asked for by the items of the history.
        self.weights_ = rows_of(by_place, places).transposed
        self.unsettled_ = sum(result[3] for result in found)

    def _problems(self) -> list[FitProblem]:
        n, of = self.unsettled_, len(self.items_)
        return [FitProblem(code="not_converged", value=n / of, limit=0.0, n=n, of=of)] if n else []

    def _state(self) -> dict[str, np.ndarray]:
        return super()._state() | {"unsettled": np.array(self.unsettled_)}

    def _form(self) -> Mapping[str, Form]:
        return {**super()._form(), "unsettled": numbers(dtype="int64", low=0, high="items")}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        super()._restore(arrays)
        self.unsettled_ = int(arrays["unsettled"])
