"""BPR: matrix factorisation that ranks items with interactions above items without (Rendle et al. 2009)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reclens.data.dataset import Dataset
from reclens.engine import LocalEngine, Progress
from reclens.errors import Advice, ArgumentValueError, Setting, UnknownNameError, UsageError
from reclens.models._core.block import Block
from reclens.models._core.bpr_fold_in import Others, solve_user
from reclens.models._core.bpr_kernels import descend
from reclens.models._core.defaults import Extent, Rule
from reclens.models._core.degenerate import FitProblem, vanishing
from reclens.models._core.factors import MOST_PASSES, FactorModel, check_whole, require_factors
from reclens.models._core.fit_weights import FitWeights
from reclens.models._core.form import Form, numbers
from reclens.models._core.search_space import Choice, Float, Space, Whole

__all__ = ["BPR"]

NEGATIVES = {
    "uniform": "every item that the user does not have is drawn equally often",
    "popular": "as often as users have it: harder, and further from what popularity alone explains",
}

_STEPS, _FEWEST, _MOST = 2_500, 30, 200
"""Steps that a vector should get, and the fewest and most passes that are made for it."""
_GROUPS = 8
_ITEMS_A_GROUP = 64


@dataclass(kw_only=True)
class BPR(FactorModel):
    """Maximise Σ ln σ(s(u, i) - s(u, j)) over items i of user u and other items j, with s = x·y + bias.

    Fitted by stochastic gradient steps: one per interaction in each epoch, with a new negative j for every step; the
    learning rate falls linearly to 0. Users and items are split into up to eight groups, and cells that share neither
    are processed in parallel (Gemulla et al. 2011), so that the result does not depend on the number of cores. The
    groups of items are drawn anew for every epoch, and j comes from the group of i.

    The number of updates per vector matters most: on sparse data, 30 epochs leave most vectors near their initial
    values. ``l2`` comes second: 0.002 costs a tenth of the NDCG@10 on MovieLens 1M.

    The history of a new user is folded in as by Rendle and Schmidt-Thieme (2008): the vector of the user is optimised
    with the vectors of the items fixed. The result is the exact optimum, which the stochastic steps of the fit only
    approximate.

    Attributes:
        factors: Length d of the vectors.
        epochs: Passes over the interactions, 1 to 10,000. None: 2,500 × (users + items) ÷ interactions, 30 to 200,
            which gives each vector 2,500 steps on average.
        learning_rate: Initial learning rate.
        l2: Weight of the ridge penalty.
        negatives: ``uniform`` or ``popular``.
        seed: Seed of the initial vectors and of all draws.

    References:
        Rendle, Freudenthaler, Gantner, Schmidt-Thieme (2009), BPR: Bayesian personalized ranking from implicit
        feedback; UAI.
        Rendle, Schmidt-Thieme (2008), Online-updating regularized kernel matrix factorization models for large-scale
        recommender systems; RecSys.
        Gemulla, Nijkamp, Haas, Sismanis (2011), Large-scale matrix factorization with distributed stochastic gradient
        descent; KDD.
    """

    name: ClassVar[str] = "bpr"
    takes_weights: ClassVar[bool] = True
    space: ClassVar[Mapping[str, Space]] = {
        "factors": Whole(16, 256),
        "epochs": Whole(20, 200),
        "learning_rate": Float(0.005, 0.2),
        "l2": Float(1e-4, 0.1),
        "negatives": Choice(tuple(NEGATIVES)),
    }

    automatic: ClassVar[Mapping[str, Rule]] = {
        "epochs": Rule("2,500 × (users + items) ÷ interactions, 30 to 200", lambda _, train: _epochs(train))
    }

    factors: int = 64
    epochs: int | None = None
    learning_rate: float = 0.15
    l2: float = 0.01
    negatives: str = "uniform"
    seed: int = 0

    @property
    def supports_fold_in(self) -> bool:
        """Yes: their vector is the optimum of the same criterion, with the vectors of the items fixed."""
        return True

    @property
    def exact_fold_in(self) -> bool:
        """No: the vectors of the training users come from stochastic steps, together with those of the items."""
        return False

    def _check(self) -> None:
        check_whole("factors", self.factors, 1)
        check_whole("epochs", 1 if self.epochs is None else self.epochs, 1, MOST_PASSES)
        if not self.learning_rate > 0 or not np.isfinite(self.learning_rate):
            raise ArgumentValueError("learning_rate", f"is {self.learning_rate}, expected a number above 0", of="model")
        if not self.l2 >= 0 or not np.isfinite(self.l2):
            raise ArgumentValueError("l2", f"is {self.l2}, expected 0 or more", of="model")
        if self.negatives not in NEGATIVES:
            raise UnknownNameError("kind of negatives", self.negatives, NEGATIVES)

    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None:
        self._descend(None, engine, progress)

    def _fit_weighted(self, train: Dataset, weights: FitWeights, engine: LocalEngine, progress: Progress) -> None:
        self._descend(weights.cells, engine, progress)

    def _descend(self, weights: np.ndarray | None, engine: LocalEngine, progress: Progress) -> None:
        """All passes; an interaction is drawn in proportion to its weight."""
        require_factors(self.name, self.factors, users=len(self.users_), items=len(self.items_))
        rng = np.random.default_rng(self.seed)
        users, items = (
            rng.standard_normal((n, self.factors + 1), np.float32) * np.float32(0.1 / np.sqrt(self.factors))
            for n in (len(self.users_), len(self.items_))
        )
        users[:, -1], items[:, -1] = 1, 0
        epochs = self.in_use("epochs")
        for epoch in range(epochs):
            progress("fit bpr", epoch, epochs)
            self._pass(users, items, self.learning_rate * (1 - epoch / epochs), rng, engine, weights)
        if not np.isfinite(users).all() or not np.isfinite(items).all():
            raise UsageError(
                f"the vectors grew without bound at a learning rate of {self.learning_rate:g}",
                advice=Advice("learn_slower", (Setting("learning_rate", of="model"),), "Lower {learning_rate}."),
            )
        self.user_factors_, self.item_factors_ = users, items

    def _problems(self) -> list[FitProblem]:
        return vanishing(self.user_factors_[:, :-1], self.item_factors_[:, :-1], self.seen_)

    def _pass(
        self,
        users: np.ndarray,
        items: np.ndarray,
        rate: float,
        rng: np.random.Generator,
        engine: LocalEngine,
        weights: np.ndarray | None,
    ) -> None:
        """Take one step per interaction, or as many as their total weight."""
        seen, n_users, n_items = self.seen_, len(users), len(items)
        # How many groups there are depends on the data alone, never on the threads.
        groups = int(np.clip(min(n_items // _ITEMS_A_GROUP, n_users), 1, _GROUPS))
        # Groups of users are consecutive and have about equally many interactions.
        user_group = (seen.indptr[:-1] * groups // seen.indptr[-1]).astype(np.uint8)
        item_group = rng.permutation((np.arange(n_items) % groups).astype(np.uint8))
        rows = np.repeat(np.arange(n_users, dtype=np.int32), np.diff(seen.indptr))
        cells = user_group[rows] * np.uint8(groups) + item_group[seen.indices]
        order = np.argsort(cells, kind="stable").astype(np.int32)
        ends = np.cumsum(np.bincount(cells, minlength=groups * groups))
        choices = [np.flatnonzero(item_group == group).astype(np.int32) for group in range(groups)]
        seeds = rng.integers(0, 2**64, groups * groups, np.uint64)
        mass = np.zeros(0) if weights is None else np.cumsum(weights[order])

        def task(cell: int) -> None:
            begin = ends[cell - 1] if cell else 0
            places, sums = order[begin : ends[cell]], mass[begin : ends[cell]]
            if len(sums) and begin:
                sums = sums - mass[begin - 1]
            descend(
                places,
                sums,
                rows,
                seen.indptr,
                seen.indices,
                choices[cell % groups],
                self.negatives == "popular",
                users,
                items,
                np.float32(rate),
                np.float32(self.l2),
                seeds[cell],
            )

        for shift in range(groups):
            for _ in engine.map(task, [group * groups + (group + shift) % groups for group in range(groups)]):
                pass

    def _vectors(self, block: Block) -> np.ndarray:
        if not block.from_history:
            return self.user_factors_[block.users]
        others = self._kept(
            "others",
            self.seen_,
            lambda _: Others.of(self._popularity, popular=self.negatives == "popular", seed=self.seed),
        )

        def solve(row: int) -> np.ndarray:
            return solve_user(block.seen.indices[block.history(row)], others, self.item_factors_, l2=self.l2)

        # One thread: systems this small are held up by the threads of a library.
        return np.stack(list(LocalEngine(1).map(solve, range(len(block.users)))))

    def _item_vectors(self) -> np.ndarray:
        return self.item_factors_[:, :-1]  # without the bias: how popular an item is does not say what it is like

    def _reasons(self, block: Block, item: int) -> tuple[str, list[Any], np.ndarray]:
        parts = self._vectors(block)[0].astype(np.float64) * self.item_factors_[item]
        return "factor", [*(f"factor {at}" for at in range(1, len(parts))), "popularity"], parts

    def _state(self) -> dict[str, np.ndarray]:
        return {"users": self.user_factors_, "items": self.item_factors_}

    def _form(self) -> Mapping[str, Form]:
        return {"users": numbers("users", "factors+1"), "items": numbers("items", "factors+1")}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.user_factors_, self.item_factors_ = arrays["users"], arrays["items"]


def _epochs(train: Dataset) -> int:
    data = Extent.of(train)
    return int(np.clip(np.ceil(_STEPS * (data.users + data.items) / data.interactions), _FEWEST, _MOST))
