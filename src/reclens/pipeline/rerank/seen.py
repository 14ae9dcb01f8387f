"""Drop what the user has already had: for pipelines whose retrievers may bring it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reclens.pipeline.rerank._base import RankedLists, Reranker

__all__ = ["Seen"]


@dataclass(kw_only=True)
class Seen(Reranker):
    """Items of the user's history are dropped; those behind move up."""

    kind: ClassVar[str] = "seen"

    def rerank(self, lists: RankedLists) -> RankedLists:
        """The lists less the items of the histories."""
        dropped = np.zeros(lists.items.shape, bool)
        for at, user in enumerate(lists.users):
            if user >= 0:
                own = lists.seen.indices[lists.seen.indptr[user] : lists.seen.indptr[user + 1]]
                dropped[at] = np.isin(lists.items[at], own)
        return lists.without(dropped)
