"""What comes with a request to a pipeline, and how its stages hear of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from reclens.cards import ListsCard
from reclens.data.dataset import UserItemMatrix
from reclens.errors import DataError
from reclens.models._core.block import Block, encode_where_possible, popular_scores, rows_of, top_of_scores
from reclens.models._core.requests import ColdUsers, Histories, HistoryMode, Items, Limits
from reclens.pipeline.candidates import FUSED, FUSION_CONSTANT
from reclens.schema import ITEM, USER, Vocabulary

__all__ = ["Known", "Request", "in_order"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Request:
    """What comes with a request beside the users; the arguments of :meth:`Pipeline.recommend`."""

    exclude: Items | None = None
    candidates: Items | None = None
    history: pl.DataFrame | None = None
    history_mode: HistoryMode = "add"
    cold_users: ColdUsers = "popular"

    def __post_init__(self) -> None:
        for name in ("exclude", "candidates"):  # each stage reads them
            given = getattr(self, name)
            if given is not None and not isinstance(given, pl.DataFrame | pl.Series):
                object.__setattr__(self, name, pl.Series(ITEM, list(given)))

    def about(self, users: pl.Series) -> Request:
        """The same for some of the users."""
        if self.history is None or USER not in self.history.columns:
            return self
        mine = encode_where_possible(Vocabulary(users), self.history[USER]) >= 0
        return replace(self, history=self.history.filter(pl.Series(mine, dtype=pl.Boolean)))

    def of_retrievers(self, users: pl.Series, items: Vocabulary) -> dict[str, Any]:
        """The arguments of a retriever: one that knows nothing of a user brings nothing, which would be its vote.

        Args:
            users: The users who are asked for.
            items: The items that the retriever knows; if none of the candidates is among them, it brings nothing.
        """
        candidates = self.known_candidates(users, items)
        return {"exclude": self.exclude, "candidates": candidates, "cold_users": "none", **self.of_rankers()}

    def known_candidates(self, users: pl.Series, items: Vocabulary) -> pl.DataFrame | pl.Series | None:
        """The candidates; none of them where no candidate of these users is among the items."""
        asked = self._candidates_of(users)
        if asked is None or (encode_where_possible(items, asked) >= 0).any():
            return self.candidates  # type: ignore[return-value] # of __post_init__
        return self.candidates[:0]  # type: ignore[index,return-value]

    def check_candidates(self, users: pl.Series, items: Vocabulary) -> None:
        """Refuse candidates of which no stage knows any.

        Raises:
            DataError: If there are candidates of these users, and none of them is among the items.
        """
        asked = self._candidates_of(users)
        if asked is None or not len(asked) or (encode_where_possible(items, asked) >= 0).any():
            return
        examples = ", ".join(map(str, asked.head(3)))
        raise DataError(
            f"none of the {len(asked):,} candidates is known to any stage, such as {examples}",
            source="candidates",
            fix=f"Their items are like {', '.join(map(str, items.ids.head(3)))}.",
        )

    def _candidates_of(self, users: pl.Series) -> pl.Series | None:
        given = self.candidates
        if not isinstance(given, pl.DataFrame):
            return given  # type: ignore[return-value]
        if ITEM not in given.columns:
            raise DataError(f"'candidates' lacks {ITEM}", source="candidates", fix="Rename its columns.")
        if USER not in given.columns:
            return given[ITEM]
        mine = encode_where_possible(Vocabulary(users), given[USER]) >= 0
        return given.filter(pl.Series(mine, dtype=pl.Boolean))[ITEM]

    def of_rankers(self) -> dict[str, Any]:
        """The arguments of a ranker's scores."""
        return {"history": self.history, "history_mode": self.history_mode}

    def card(self) -> ListsCard:
        """What the card of the lists says of it."""
        said: ListsCard = {"cold_users": self.cold_users}
        if self.history is not None:
            said["history"] = {"mode": self.history_mode}
        return said


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of the users of a request: the training data, and what came with it.

    Attributes:
        users: The users asked for, in their order.
        places: Them sorted, as re-rankers look them up.
        seen: Their histories in that order, by the items of the pipeline …
        items: … which are these.
    """

    users: pl.Series
    places: Vocabulary
    seen: UserItemMatrix
    items: Vocabulary

    @classmethod
    def of(
        cls, users: pl.Series, request: Request, *, known: Vocabulary, items: Vocabulary, seen: UserItemMatrix
    ) -> Known:
        """Put together what the training data and the request say."""
        places = Vocabulary(users)
        trained = encode_where_possible(known, places.ids).astype(np.int64)
        if request.history is None:
            return cls(users, places, rows_of(seen, trained), items)
        told = Histories.of(request.history, users=known, items=items, seen=seen, mode=request.history_mode)
        rows, own = told.places(places.ids, trained)
        parts = [rows_of(told.matrix, rows), rows_of(seen, own)]  # each user has their items in one of them
        owners = np.concatenate([np.repeat(np.arange(len(places)), np.diff(part.indptr)) for part in parts])
        order = np.argsort(owners, kind="stable")
        indptr = parts[0].indptr + parts[1].indptr
        indices = np.concatenate([part.indices for part in parts])[order]
        whole = UserItemMatrix(indptr, indices, np.ones(len(indices), np.float32), len(items))
        return cls(users, places, whole, items)

    @property
    def n_strangers(self) -> int:
        """Users of whom no item is known."""
        return int((np.diff(self.seen.indptr) == 0).sum())

    @property
    def n_items(self) -> int:
        """Items of all histories."""
        return len(self.seen.indices)

    def with_popular(
        self,
        candidates: pl.DataFrame,
        request: Request,
        popularity: UserItemMatrix,
        items: Vocabulary,
        *,
        n: int,
        exclude_seen: bool,
    ) -> tuple[pl.DataFrame, int]:
        """The candidates, and the n most popular items for users to whom no retriever brought one.

        Returns:
            The candidates; and to how many users popular ones were added.
        """
        without = ~self.users.is_in(candidates[USER].implode())
        if request.cold_users == "none" or not without.any():
            return candidates, 0
        cold = self.users.filter(without)
        rows = np.repeat(popular_scores(popularity)[None, :], len(cold), axis=0)
        allowed = request.known_candidates(cold, items)
        limits = Limits.of(cold, items, exclude=request.exclude, candidates=allowed)
        limits.apply(rows, np.arange(len(cold)))
        own = self.places.encode(cold).astype(np.int64)
        block = Block.of_training(
            own, self.seen, np.zeros(len(cold), np.uint64), k=min(n, len(items)), exclude_seen=exclude_seen
        )
        codes, _ = top_of_scores(rows, block, 0.0)
        user, place = np.nonzero(codes >= 0)
        added = pl.DataFrame(
            {
                USER: cold.gather(user),
                ITEM: items.decode(codes[user, place]),
                FUSED: 1 / (FUSION_CONSTANT + 1.0 + place),
            }
        )
        return pl.concat([candidates, added], how="diagonal_relaxed"), added[USER].n_unique()


def in_order(table: pl.DataFrame, users: pl.Series) -> pl.DataFrame:
    """The rows of a table in the order of the users, as they stand for each of them."""
    if len(users) == 1:
        return table
    return users.alias(USER).to_frame().join(table, on=USER, how="inner", maintain_order="left_right")
