"""Models of the library as strategies of the simulated world: the world knows codes, a model knows tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.models import build
from reclens.pipeline.pipeline import Pipeline
from reclens.schema import ITEM, RANK, TIMESTAMP, TIMESTAMP_TYPE, USER

if TYPE_CHECKING:
    from reclens.models._core.recommender import Recommender
    from reclens.world.population import World
    from reclens.world.strategies import Consumed

__all__ = ["ModelStrategy"]

_DEPTH: Final = 100
"""Candidates of re-rankers."""


class ModelStrategy:
    """Any model of the library, refitted each time on the consumed items.

    Users that it cannot serve, and positions that it cannot fill, get the most popular items of its training data.

    Args:
        label: Name of a model, or any name with ``model`` among the parameters; see ``reclens.models.build``.
        parameters: Hyper-parameters.
        rerank: Re-rankers behind the model, each with its ``kind``, as in a pipeline; they work on its 100 best.
        weights: Makes weights of the training data, as for ``fit``, anew each time; see ``reclens.audit.mitigate``.
        world: Gives the attributes of users and items, for models that use them.
        threads: Threads of the model.

    Raises:
        UnknownNameError: If there is no such model or hyper-parameter.

    Example:
        >>> ModelStrategy("item_knn", {"neighbors": 20}).name
        'item_knn'
    """

    def __init__(
        self,
        label: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        rerank: Sequence[Mapping[str, Any]] = (),
        weights: Callable[[Dataset], Any] | None = None,
        world: World | None = None,
        threads: int | None = None,
    ) -> None:
        self.name, self.parameters, self.world, self.threads = label, dict(parameters or {}), world, threads
        self.rerank, self.weights = tuple(rerank), weights
        self.model = self._build()
        self._popular = np.zeros(0, np.int32)

    def fit(self, consumed: Consumed, /) -> None:
        """Train on the consumed items with their times."""
        self.model = self._build()
        self._popular = np.argsort(-np.bincount(consumed.items, minlength=consumed.n_items), kind="stable").astype(
            np.int32
        )
        data = self._dataset(consumed)
        weights: dict[str, Any] = {} if self.weights is None else {"weights": self.weights(data)}
        self.model.fit(data, threads=self.threads, **weights)

    def recommend(self, users: np.ndarray, k: int, /) -> np.ndarray:
        """The k best items of the model for each user, then popular items."""
        lists = self.model.recommend(pl.Series(USER, users.astype(np.int64)), k=k, threads=self.threads).table
        found = np.full((len(users), k), -1, np.int32)
        place = np.full(int(users.max(initial=-1)) + 1, -1, np.int64)
        place[users] = np.arange(len(users))
        found[place[lists[USER].to_numpy()], lists[RANK].to_numpy() - 1] = lists[ITEM].to_numpy()
        return _fill(found, self._popular)

    def _build(self) -> Recommender | Pipeline:
        if not self.rerank:
            return build(self.name, self.parameters)
        ranker = {"model": self.name, **self.parameters}
        candidates = {"candidates": {**ranker, "k": _DEPTH}}
        return Pipeline(retrieve=candidates, rank={**ranker, "keep": _DEPTH}, rerank=self.rerank)

    def _dataset(self, consumed: Consumed) -> Dataset:
        start = self.world.settings.start if self.world is not None else datetime(2026, 1, 5, tzinfo=UTC)
        zero = datetime(start.year, start.month, start.day, tzinfo=UTC)
        micro = int(zero.timestamp() * 1e6) + consumed.days.astype(np.int64) * int(
            timedelta(days=1).total_seconds() * 1e6
        )
        interactions = pl.DataFrame(
            {
                USER: consumed.users.astype(np.int64),
                ITEM: consumed.items.astype(np.int64),
                TIMESTAMP: pl.Series(micro).cast(TIMESTAMP_TYPE),
            }
        )
        if self.world is None:
            return Dataset(interactions.unique([USER, ITEM], keep="last", maintain_order=True), name="world")
        users, items = self.world.users, self.world.items
        return Dataset(
            interactions.unique([USER, ITEM], keep="last", maintain_order=True),
            users=users.with_columns(pl.Series(USER, np.arange(users.height))),
            items=items.with_columns(pl.Series(ITEM, np.arange(items.height)), pl.col("topic").cast(pl.String)),
            name="world",
        )


def _fill(found: np.ndarray, popular: np.ndarray) -> np.ndarray:
    """Fill the end of a list with popular items that it does not contain."""
    short = np.flatnonzero((found < 0).any(axis=1))
    if not len(short):
        return found
    k = found.shape[1]
    best = popular[: 2 * k]
    rows = found[short]
    held = (rows[:, :, None] == best[None, None, :]).any(axis=1)
    # A list, then the popular items that it does not hold: stable order keeps both as they were.
    wide = np.concatenate([rows, np.where(held, -1, best[None, :])], axis=1)
    order = np.argsort(wide < 0, axis=1, kind="stable")[:, :k]
    found[short] = np.take_along_axis(wide, order, axis=1)
    return found
