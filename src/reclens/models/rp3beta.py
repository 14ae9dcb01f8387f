"""RP3beta: a random walk of three steps with a discount for popular items (Paudel et al. 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.engine import LocalEngine, Progress
from reclens.errors import ArgumentValueError, UnknownNameError
from reclens.models._core.item_weights import ItemWeights
from reclens.models._core.neighbors import find_neighbors
from reclens.models._core.search_space import Choice, Float, Space, Whole

__all__ = ["RP3beta"]


@dataclass(kw_only=True)
class RP3beta(ItemWeights):
    """Score items by a random walk of three steps from the user, with a discount for popular items.

    The walk goes from the user to an item j of their history, on to a user v who has it, and on to an item i of v. The
    weight from j to i is Σ over v of (1 ÷ users of j)^alpha × (1 ÷ items of v)^alpha ÷ (users of i)^beta, and the score
    of i is the sum over the history. The factor of the first step, (1 ÷ items of the user)^alpha, is the same for all
    items of a user and is omitted; so are walks back to j itself. P3alpha (Cooper et al. 2014) is beta = 0.

    On sparse data the plain discounts favour items with a single user. ``shrinkage`` is added to the number of users of
    an item in both discounts; the papers use 0.

    Attributes:
        alpha: Exponent of the transition probabilities; 1 is the plain walk, 0 counts paths.
        beta: Exponent of the popularity that a score is divided by; 0 is no discount.
        shrinkage: Number added to the users of every item.
        neighbors: Number of weights kept per item.
        neighbors_of: Which weights are kept: the largest towards each ``candidate`` (better on MovieLens), or from each
            item of the ``history``.
    """

    name: ClassVar[str] = "rp3beta"
    space: ClassVar[Mapping[str, Space]] = {
        "alpha": Float(0.1, 2, log=False),
        "beta": Float(0, 1.2, log=False),
        "shrinkage": Float(0.1, 1000),
        "neighbors": Whole(5, 1000),
        "neighbors_of": Choice(("candidate", "history")),
    }

    alpha: float = 0.6
    beta: float = 0.5
    shrinkage: float = 20.0
    neighbors: int = 100
    neighbors_of: str = "candidate"

    def _check(self) -> None:
        for what, value in (("alpha", self.alpha), ("beta", self.beta)):
            if not value >= 0 or not np.isfinite(value):
                raise ArgumentValueError(what, f"is {value}, expected a power of 0 or more.", of="model")
        if not self.shrinkage >= 0 or not np.isfinite(self.shrinkage):
            raise ArgumentValueError(
                "shrinkage", f"is {self.shrinkage}, expected a number of users, 0 or more", of="model"
            )
        if self.neighbors < 1:
            raise ArgumentValueError("neighbors", f"is {self.neighbors}, expected 1 or more", of="model")
        if self.neighbors_of not in ("candidate", "history"):
            raise UnknownNameError("value of neighbors_of", self.neighbors_of, ("candidate", "history"))

    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None:
        turned = self.seen_.transposed
        n_users = np.diff(turned.indptr) + np.float64(self.shrinkage)
        n_items = np.diff(self.seen_.indptr).astype(np.float64)
        leave, arrive = n_users**-self.alpha, n_users**-self.beta
        # A dot product is symmetric and the weights are not: the factor of the columns is in it, so that the right
        # ones are kept, and that of the rows is made good afterwards.
        column, row = (arrive, leave) if self.neighbors_of == "history" else (leave, arrive)
        steps = np.sqrt(n_items**-self.alpha)[turned.indices] * np.repeat(column, np.diff(turned.indptr))
        walks = UserItemMatrix(turned.indptr, turned.indices, steps.astype(np.float32), turned.n_columns)
        kept = find_neighbors(
            walks,
            neighbors=self.neighbors,
            similarity="dot",
            shrinkage=0.0,
            engine=engine,
            progress=progress,
            what="fit rp3beta",
        ).as_matrix()
        values = kept.values * np.repeat(row / column, np.diff(kept.indptr))
        found = UserItemMatrix(kept.indptr, kept.indices, values.astype(np.float32), kept.n_columns)
        self.weights_ = found if self.neighbors_of == "history" else found.transposed
