"""The graph of nearest neighbours: computed once, and used for hubs, duplicates, dimension and the map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.engine import Progress, chunk_ranges, quiet
from reclens.errors import ArgumentValueError, DataError
from reclens.explore.exact import top_k
from reclens.explore.local_store import EXACT_UP_TO
from reclens.explore.space import EmbeddingSpace
from reclens.protocols import VectorStore
from reclens.tabular import Tabular

__all__ = ["NeighbourGraph", "neighbour_graph", "rows_of_answers"]

_BATCH: Final = 4_096
"""Queries that a store gets at once."""


@dataclass(frozen=True, eq=False)
class NeighbourGraph(Tabular):
    """The nearest neighbours of each vector by cosine, without itself.

    Attributes:
        rows: Shape (n, k), int32: rows of the space, the nearest first; -1 where there are fewer than k others.
        similarities: Their cosines, shape (n, k), float32; NaN where there is none.
        exact: Whether every pair was compared; otherwise a store was asked, which may miss some.
        revision: Of the space that it belongs to.
    """

    rows: np.ndarray
    similarities: np.ndarray
    exact: bool
    revision: str

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def k(self) -> int:
        """Neighbours of each."""
        return self.rows.shape[1]

    def first(self, k: int) -> NeighbourGraph:
        """The graph of fewer neighbours.

        Raises:
            UsageError: If k is not between 1 and the neighbours of this graph.
        """
        if not 1 <= k <= self.k:
            raise ArgumentValueError(
                "k", f"is {k}, and the graph has {self.k} neighbours of each: expected 1 to {self.k}"
            )
        return NeighbourGraph(self.rows[:, :k], self.similarities[:, :k], self.exact, self.revision)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per pair."""
        return self.to_frame().to_dicts()

    def to_frame(self) -> pl.DataFrame:
        """One row per pair: ``row``, ``neighbour``, ``rank`` from 1 and ``similarity``."""
        row, place = np.nonzero(self.rows >= 0)
        return pl.DataFrame(
            {
                "row": row.astype(np.int32),
                "neighbour": self.rows[row, place],
                "rank": (place + 1).astype(np.int32),
                "similarity": self.similarities[row, place],
            }
        )

    def _about(self) -> str:
        return f"NeighbourGraph of {len(self):,} vectors, {self.k} each, {'exact' if self.exact else 'by a store'}"


def neighbour_graph(
    space: EmbeddingSpace,
    *,
    k: int = 15,
    store: VectorStore | None = None,
    exact_up_to: int = EXACT_UP_TO,
    threads: int | None = None,
    progress: Progress = quiet,
) -> NeighbourGraph:
    """The k nearest neighbours of each vector.

    Args:
        space: The vectors. Neighbours are by cosine, whatever the model compares by: the map and the diagnostics of
            neighbourhoods are about direction.
        k: Neighbours of each.
        store: A store that holds the same ids; asked for spaces of more than ``exact_up_to`` vectors. Without one
            every pair is compared, which takes time that grows with the square.
        exact_up_to: Vectors up to which every pair is compared.
        threads: How many; None for one a core. The result is the same.
        progress: Called as work goes on.

    Raises:
        UsageError: If k is below 1.
        DataError: If there is a single vector.

    Example:
        >>> import polars as pl
        >>> from reclens.explore.space import EmbeddingCard
        >>> vectors = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
        >>> card = EmbeddingCard(model="m", revision="1", dimension=2, source="file")
        >>> space = EmbeddingSpace(ids=pl.Series(["a", "b", "c"]), vectors=vectors, card=card)
        >>> neighbour_graph(space, k=1).rows[:, 0].tolist()
        [1, 0, 1]
    """
    if k < 1:
        raise ArgumentValueError("k", f"is {k}, expected 1 or more")
    if len(space) < 2:
        raise DataError(f"'{space.name}' holds a single vector, expected 2 or more: it has no neighbours.")
    if store is None or len(space) <= exact_up_to:
        own = np.arange(len(space), dtype=np.int32)
        rows, similarities = top_k(space.unit, space.unit, k, skip=own, threads=threads, progress=progress)
        return NeighbourGraph(rows, similarities, True, space.revision)
    rows, similarities = _asked(space, store, k, progress)
    return NeighbourGraph(rows, similarities, False, space.revision)


def rows_of_answers(space: EmbeddingSpace, answers: list[list[str]], k: int) -> np.ndarray:
    """Results of a store as rows of a space, shape (q, k), int32: -1 where a list is shorter or an id is foreign."""
    lengths = np.array([min(len(each), k) for each in answers], np.int64)
    flat = [name for each in answers for name in each[:k]]
    rows = np.full((len(answers), k), -1, np.int32)
    if flat:
        known = pl.DataFrame({"id": space.ids.cast(pl.String), "row": np.arange(len(space), dtype=np.int32)})
        asked = pl.DataFrame({"id": flat}, schema={"id": pl.String})
        found = asked.join(known, on="id", how="left", maintain_order="left")["row"].fill_null(-1).to_numpy()
        query = np.repeat(np.arange(len(answers)), lengths)
        place = np.arange(len(flat)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        rows[query, place] = found
    return rows


def _asked(space: EmbeddingSpace, store: VectorStore, k: int, progress: Progress) -> tuple[np.ndarray, np.ndarray]:
    """The graph from a store, without each vector itself."""
    rows = np.full((len(space), k), -1, np.int32)
    similarities = np.full((len(space), k), np.nan, np.float32)
    parts = chunk_ranges(len(space), _BATCH)
    for done, part in enumerate(parts):
        answers, cosines = store.query(space.unit[part.start : part.stop], k + 1)
        found = rows_of_answers(space, answers, k + 1)
        for at, row in enumerate(part):
            keep = np.flatnonzero((found[at] >= 0) & (found[at] != row))[:k]
            rows[row, : len(keep)] = found[at, keep]
            similarities[row, : len(keep)] = cosines[at, keep]
        progress("neighbours", done + 1, len(parts))
    return rows, similarities
