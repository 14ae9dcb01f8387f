"""What every re-ranker is: it takes the ranked candidates of a block of users and gives them in another order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.errors import Advice, Setting, UnknownNameError, UsageError
from reclens.memory import require_memory
from reclens.models._core.form import Form, check_arrays
from reclens.schema import ITEM, Vocabulary

__all__ = ["RankedLists", "Reranker", "check_weight", "item_labels", "named_labels", "places_of", "scaled"]


_ATTRIBUTE: Final = Setting("attribute", of="model")


@dataclass(frozen=True, eq=False, kw_only=True)
class RankedLists:
    """The lists of a block of users, best first, by code.

    Attributes:
        users: Row of each user in ``seen``; -1 for a user without history; int64, shape (n,).
        items: Item codes, -1 fills up on the right; int32, shape (n, depth).
        scores: What each place is worth, falling; float32, same shape. They come from the ranker and stay where they
            are when items move: the next re-ranker starts from the order it is given, and not from the ranker's.
        seen: Histories.
        k: Places that will be shown.
    """

    users: np.ndarray
    items: np.ndarray
    scores: np.ndarray
    seen: UserItemMatrix
    k: int

    @property
    def listed(self) -> np.ndarray:
        """Which places hold an item, bool, shape (n, depth)."""
        return self.items >= 0

    @property
    def relevance(self) -> np.ndarray:
        """The scores of each list brought to 0 … 1 (its worst and its best item), float64; -inf where there is no item.

        Scores of any ranker become comparable to a diversity or a coverage this way. A list of equal scores is all 1.
        """
        scores = self.scores.astype(np.float64)
        low = np.where(self.listed, scores, np.inf).min(axis=1, keepdims=True, initial=np.inf)
        high = np.where(self.listed, scores, -np.inf).max(axis=1, keepdims=True, initial=-np.inf)
        span = high - low
        varied = np.isfinite(span) & (span > 0)
        scaled = np.where(varied, (scores - low) / np.where(varied, span, 1.0), 1.0)
        return np.where(self.listed, scaled, -np.inf)

    def reordered(self, order: np.ndarray) -> RankedLists:
        """The lists in another order; ``order`` holds places, shape (n, depth)."""
        return replace(self, items=np.take_along_axis(self.items, order, axis=1))

    def without(self, dropped: np.ndarray) -> RankedLists:
        """The lists less some places, bool, shape (n, depth); those behind move up."""
        kept = self.listed & ~dropped
        order = np.argsort(~kept, axis=1, kind="stable")
        gone = ~np.take_along_axis(kept, order, axis=1)
        items, scores = (np.take_along_axis(each, order, axis=1) for each in (self.items, self.scores))
        return replace(self, items=np.where(gone, -1, items), scores=np.where(gone, np.nan, scores))


@dataclass(kw_only=True)
class Reranker(ABC):
    """The contract of a re-ranker. Hyper-parameters are fields; what was learned ends in an underscore."""

    kind: ClassVar[str]
    together: ClassVar[bool] = False
    """Whether the lists of all users of a request are arranged together, and not some hundreds at a time."""

    def prepare(self, train: Dataset, items: Vocabulary) -> None:
        """Learn what is needed of the items from the training data; by default nothing.

        Args:
            train: The training part.
            items: The items of the pipeline; their codes are those of the lists.

        Raises:
            UsageError: If a hyper-parameter is out of range, or the data lacks what is needed.
        """
        self._check()
        self._prepare(train, items)

    @abstractmethod
    def rerank(self, lists: RankedLists) -> RankedLists:
        """The same items, or fewer, in another order."""

    def state(self) -> dict[str, np.ndarray]:
        """What was learned, as arrays: every attribute that ends in an underscore."""
        return {name: value for name, value in vars(self).items() if name.endswith("_")}

    def form(self) -> Mapping[str, Form]:
        """What each array of :meth:`state` has to be; by default there is none."""
        return {}

    def restore(self, arrays: Mapping[str, np.ndarray], items: Vocabulary) -> None:
        """Take back what :meth:`state` gave.

        Args:
            arrays: The arrays.
            items: The items of the pipeline.

        Raises:
            UsageError: If a hyper-parameter is out of range.
            DataError: If an array is not what it has to be.
        """
        self._check()
        for name, value in check_arrays(arrays, self.form(), {"items": len(items)}).items():
            setattr(self, name, value)

    def _check(self) -> None:
        """Raise UsageError for a hyper-parameter out of range."""
        return

    def _prepare(self, train: Dataset, items: Vocabulary) -> None:
        """Learn; see :meth:`prepare`."""
        del train, items


def check_weight(kind: str, weight: float) -> None:
    """Raise UsageError unless a weight lies between 0 and 1."""
    if not 0 <= weight <= 1:
        raise UsageError(f"{kind}: weight is {weight}, expected 0 (the ranker alone) to 1 (the re-ranker alone).")


def places_of(lists: RankedLists) -> tuple[np.ndarray, int]:
    """Room for the places in a new order, int64, shape (n, depth), and how many of them are shown."""
    n, depth = lists.items.shape
    return np.empty((n, depth), np.int64), min(lists.k, depth)


def scaled(lists: RankedLists, by: float) -> np.ndarray:
    """The relevance of each place times a weight, laid out by rows; 0 where there is no item."""
    return np.ascontiguousarray(by * np.where(lists.listed, lists.relevance, 0.0))


def item_labels(kind: str, train: Dataset, items: Vocabulary, attribute: str | None) -> np.ndarray:
    """Which labels each item has, float32 zeros and ones, shape (items, labels), labels in alphabetical order.

    See :func:`named_labels`.
    """
    return named_labels(kind, train, items, attribute)[1]


def named_labels(kind: str, train: Dataset, items: Vocabulary, attribute: str | None) -> tuple[list[str], np.ndarray]:
    """The labels of an attribute in alphabetical order, and which of them each item has.

    Args:
        kind: Who asks, for messages.
        train: The training part, whose items table holds the labels.
        items: The items.
        attribute: Column of the items table; None for its only list-valued one, such as genres.

    Returns:
        The labels, and float32 zeros and ones, shape (items, labels).

    Raises:
        UsageError: If there is no such column, or no single one.
    """
    table = train.items
    listed = [] if table is None else [name for name, type_ in table.schema.items() if isinstance(type_, pl.List)]
    if attribute is None:
        if len(listed) != 1:
            raise UsageError(
                f"{kind} needs labels of the items, and the items table has {len(listed)} list-valued columns",
                advice=Advice(
                    "name_attribute", (Setting("attribute", "genres", "model"),), "Name one, as in {attribute}."
                ),
            )
        attribute = listed[0]
    if table is None or attribute == ITEM or attribute not in table.columns:
        known: Any = () if table is None else (name for name in table.columns if name != ITEM)
        raise UnknownNameError("item attribute", attribute, known)
    column = table[attribute]
    several = isinstance(column.dtype, pl.List)
    labels = column.cast(pl.List(pl.String) if several else pl.String)
    pairs = pl.DataFrame({"code": items.encode(table[ITEM]), "label": labels})
    pairs = (pairs.explode("label") if several else pairs).drop_nulls().unique().filter(pl.col("code") >= 0)
    words = Vocabulary(pairs["label"])
    require_memory(
        12 * len(items) * len(words),
        f"{kind}: the {len(words):,} labels of {len(items):,} items",
        advice=Advice("fewer_values", (_ATTRIBUTE,), "Name an attribute with fewer values by {attribute}."),
    )
    found = np.zeros((len(items), len(words)), np.float32)
    found[pairs["code"].to_numpy(), words.encode(pairs["label"])] = 1.0
    return words.ids.to_list(), found
