"""Drop what cannot be had: items that do not meet a requirement, and items named one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.errors import Advice, Setting, UsageError
from reclens.models._core.form import Form, flags
from reclens.pipeline.rerank._base import RankedLists, Reranker
from reclens.pipeline.rerank._where import items_where
from reclens.schema import Vocabulary

__all__ = ["Available"]


@dataclass(kw_only=True)
class Available(Reranker):
    """Items are dropped unless they meet ``where``; those behind move up.

    What is in stock changes faster than models: fit the pipeline again, or give the items that ran out as ``exclude``.
    An item whose attribute is not known does not meet a requirement.

    Attributes:
        where: A requirement on the attributes of the items, such as ``"stock > 0"``, or several.
        exclude: Ids of items to drop whatever their attributes.
    """

    kind: ClassVar[str] = "available"

    where: str | Sequence[str] = ()
    exclude: Sequence[Any] = field(default_factory=list)

    def _check(self) -> None:
        if not self.where and not self.exclude:
            raise UsageError(
                "available: nothing says what is available",
                advice=Advice(
                    "say_available",
                    (Setting("where", "stock > 0", "model"), Setting("exclude", of="model")),
                    "Give a condition such as {where}, or {exclude}.",
                ),
            )

    def _prepare(self, train: Dataset, items: Vocabulary) -> None:
        self.dropped_ = ~items_where(self.kind, self.where, train, items)
        if self.exclude:
            named = pl.Series(list(self.exclude), dtype=items.ids.dtype, strict=False)
            codes = items.encode(named.drop_nulls())
            self.dropped_[codes[codes >= 0]] = True

    def form(self) -> Mapping[str, Form]:
        """What the learned array has to be."""
        return {"dropped_": flags("items")}

    def rerank(self, lists: RankedLists) -> RankedLists:
        """The lists less the items that cannot be had."""
        dropped: np.ndarray = self.dropped_[lists.items]
        return lists.without(dropped)
