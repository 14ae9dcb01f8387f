"""Users whose items are held out twice, and what lists for them are worth: relevance and diversity, user by user."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from reclens.learn.exercise import Draw

if TYPE_CHECKING:
    from reclens.data.dataset import Dataset

__all__ = [
    "HEAD",
    "LENGTH",
    "METRICS",
    "SEGMENTS",
    "Paired",
    "Split",
    "fitted_lists",
    "make_split",
    "paired",
    "values_of",
]

LENGTH: Final = 10
METRICS: Final = ("ndcg", "tail")
SEGMENTS: Final = ("all", "light", "heavy")
_USERS, _ITEMS, _RATINGS = 300, 200, 10_000
HEAD: Final = 40
"""Items that are popular; all others are the long tail."""
_FEW: Final = 60
"""Users of the light and of the heavy segment each."""
_HELD_OUT: Final = 0.25

Lists = Mapping[int, list[int]]
"""User -> items, best first."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Split:
    """A split of the interactions of a learner's users.

    Attributes:
        train: What models learn from, with the genres of the items.
        truth: Columns ``user_id, item_id``: what is held out.
        users: Columns ``user_id, segment``: ``light`` and ``heavy`` are those with the fewest and most interactions in
            both parts together, the others are ``middle``.
    """

    train: Dataset
    truth: pl.DataFrame
    users: pl.DataFrame

    @property
    def head(self) -> set[int]:
        """The items with the most users in the training part; of equal ones the lowest ids."""
        counts = self.train.interactions["item_id"].value_counts()
        return set(counts.sort("count", "item_id", descending=[True, False])["item_id"].head(HEAD).to_list())

    def inside(self, segment: str) -> np.ndarray:
        """Whether each user belongs to a segment."""
        return np.ones(self.users.height, bool) if segment == "all" else (self.users["segment"] == segment).to_numpy()


@dataclass(frozen=True)
class Paired:
    """Mean of the differences of users, with its t interval.

    Attributes:
        value: The mean.
        error: Its standard error.
        half: Half the width of the 95 % interval.
    """

    value: float
    error: float
    half: float

    @property
    def z(self) -> float:
        """Standard errors away from 0; 0 where nobody differs."""
        return self.value / self.error if self.error else 0.0


@lru_cache(maxsize=16)
def make_split(origin: Draw, draw: Draw) -> Split:
    """Hold out a quarter of the interactions.

    Args:
        origin: The draw of the learner, which makes the users.
        draw: What is held out: the same draw for the learner's own split, a hidden one for another.
    """
    from reclens.data.dataset import Dataset

    rows, items, users = _interactions(origin)
    held = draw.rng("held out").random(rows.height) < _HELD_OUT
    train = Dataset(rows.filter(~held), items=items)
    return Split(train=train, truth=rows.filter(held).select("user_id", "item_id"), users=users)


@lru_cache(maxsize=8)
def _interactions(origin: Draw) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    from reclens.data.synthetic import synthetic_movielens

    data = synthetic_movielens(n_users=_USERS, n_items=_ITEMS, n_ratings=_RATINGS, rng=origin.rng("interactions"))
    rows = data.interactions.select("user_id", "item_id", "timestamp").sort("user_id", "item_id")
    assert data.items is not None
    counts = rows["user_id"].value_counts().sort("count", "user_id")
    segments = ["light"] * _FEW + ["middle"] * (counts.height - 2 * _FEW) + ["heavy"] * _FEW
    users = counts.select("user_id", pl.Series("segment", segments)).sort("user_id")
    return rows, data.items.select("item_id", "genres"), users


def fitted_lists(split: Split, model: str, parameters: Mapping[str, Any]) -> dict[int, list[int]]:
    """Lists of a model for the users of a split.

    Args:
        split: What it learns from.
        model: Name of the model.
        parameters: Its parameters.
    """
    from reclens.models import build

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # short lists are lists too
        fitted = build(model, {"model": model, **parameters}).fit(split.train)
        found = fitted.recommend(split.users["user_id"], k=LENGTH).table
    return _in_order(found)


def _in_order(rows: pl.DataFrame) -> dict[int, list[int]]:
    """User -> items by rank."""
    lists: dict[int, list[int]] = {}
    for user, item in rows.sort("user_id", "rank").select("user_id", "item_id").iter_rows():
        lists.setdefault(user, []).append(item)
    return lists


def values_of(split: Split, lists: Lists) -> dict[str, np.ndarray]:
    """NDCG at 10 and the number of items of the long tail, a value a user; 0 for a user without a list.

    NDCG is nan for users of whom nothing was held out.
    """
    wanted: dict[int, set[int]] = {}
    for user, item in split.truth.iter_rows():
        wanted.setdefault(user, set()).add(item)
    head, users = split.head, split.users["user_id"].to_list()
    shown = [lists.get(user, [])[:LENGTH] for user in users]
    ndcg = [_ndcg(items, wanted.get(user, set())) for user, items in zip(users, shown, strict=True)]
    counts = [sum(item not in head for item in items) for items in shown]
    return {"ndcg": np.array(ndcg), "tail": np.array(counts, float)}


def _ndcg(items: list[int], wanted: set[int]) -> float:
    """Järvelin and Kekäläinen (2002), with gain 1 for what was held out and the discount log2(rank + 1)."""
    if not wanted:
        return math.nan
    gain = sum(1 / math.log2(rank + 1) for rank, item in enumerate(items, 1) if item in wanted)
    return gain / sum(1 / math.log2(rank + 1) for rank in range(1, min(LENGTH, len(wanted)) + 1))


def paired(one: np.ndarray, other: np.ndarray) -> Paired:
    """The difference of two systems, over the users that have a value.

    >>> found = paired(np.array([1.0, 2.0, 6.0]), np.array([0.0, 1.0, 2.0]))
    >>> round(found.value, 3), round(found.error, 3)
    (2.0, 1.0)
    """
    from scipy import stats

    differences = (one - other)[np.isfinite(one) & np.isfinite(other)]
    error = float(differences.std(ddof=1) / math.sqrt(len(differences)))
    return Paired(float(differences.mean()), error, error * float(stats.t.ppf(0.975, len(differences) - 1)))
