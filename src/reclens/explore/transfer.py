"""Copying a space into a store, or a store into another: what is there already is not written again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.engine import Progress, chunk_ranges, quiet
from reclens.errors import Advice, DataError, IncomparableError, Setting
from reclens.explore.space import EmbeddingSpace
from reclens.explore.stores import card_of, known_card, typed_attributes
from reclens.protocols import StoreCard, StoredVectors, VectorStore
from reclens.tabular import Tabular

__all__ = ["Moved", "move"]

_BATCH: Final = 2_000
"""Vectors between two looks of the progress: what a killed move writes again at most."""
_SAMPLE: Final = 500
_LISTED: Final = 5


@dataclass(frozen=True, kw_only=True)
class Moved(Tabular):
    """What a move did.

    Attributes:
        source: Where the vectors come from.
        target: Where they are now.
        vectors: How many there are, on both sides.
        written: How many were written by this run.
        already: How many were there before.
        compared: How many were read back and found equal.
        left_out: Ids of the source that have no vector.
    """

    source: str
    target: str
    vectors: int
    written: int
    already: int
    compared: int
    left_out: int

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row of a table."""
        return [asdict(self)]


def move(
    source: EmbeddingSpace | VectorStore,
    target: VectorStore,
    *,
    again: bool = False,
    sample: int = _SAMPLE,
    seed: int = 0,
    progress: Progress = quiet,
) -> Moved:
    """Copy vectors and attributes into a store; the source is left as it is.

    A move that was killed goes on: ids that the target lists are not written again. At the end both sides have to hold
    equally many, and a sample that is read back has to be equal: vectors to a cosine of 1 - 1e-5, attributes exactly.

    Args:
        source: A space, or a store.
        target: The store; it is created with the card of the source.
        again: Write also what is there already, as after its attributes changed.
        sample: How many ids are read back and compared.
        seed: Seed of the sample.
        progress: Called as vectors are written.

    Raises:
        IncomparableError: If the target holds vectors of another model, or ids that the source does not have.
        DataError: If what is read back differs.
        StoreError: If a store cannot be reached or refuses; what was written stays, and the next run goes on.

    Example:
        >>> import tempfile
        >>> from reclens.explore import LocalStore, read_vectors
        >>> space = read_vectors(np.eye(3), ids=["a", "b", "c"], model="by_hand")
        >>> store = LocalStore(tempfile.mkdtemp())
        >>> move(space, store).written, move(space, store).already
        (3, 3)
    """
    origin = _OfSpace(source) if isinstance(source, EmbeddingSpace) else _OfStore(source)
    target.create(origin.card)
    there = {one for page in target.list_ids() for one in page}
    wanted = origin.ids()
    others = sorted(there - set(wanted))
    if others:
        shown = ", ".join(others[:_LISTED]) + (" …" if len(others) > _LISTED else "")
        raise IncomparableError(
            f"the target holds {len(others):,} ids that the source does not have ({shown}). Delete them first, or "
            "choose another place."
        )
    missing = wanted if again else [one for one in wanted if one not in there]
    already = len(wanted) - len(missing)
    for part in chunk_ranges(len(missing), _BATCH):
        found = origin.fetch(missing[part.start : part.stop])
        target.upsert(found.ids, found.vectors, found.attributes)
        progress("move", already + part.stop, len(wanted))
    count = target.count()
    if count != len(wanted):
        raise DataError(
            f"the target holds {count:,} vectors, and the source {len(wanted):,}", fix="Run the move once more."
        )
    rng = np.random.default_rng(seed)
    chosen = [wanted[at] for at in np.sort(rng.permutation(len(wanted))[:sample])]
    _compare(origin.fetch(chosen), target.fetch(chosen), origin.card)
    place = target.describe().place
    return Moved(
        source=origin.place,
        target=place,
        vectors=count,
        written=len(missing),
        already=already,
        compared=len(chosen),
        left_out=origin.left_out,
    )


class _OfSpace:
    """A space, asked as a store is."""

    def __init__(self, space: EmbeddingSpace) -> None:
        self._space, self.card = space, card_of(space)
        self.place, self.left_out = space.name, space.left_out.height
        self._row = {one: row for row, one in enumerate(self.ids())}

    def ids(self) -> list[str]:
        return self._space.ids.cast(pl.String).to_list()

    def fetch(self, ids: list[str]) -> StoredVectors:
        rows = np.array([self._row[one] for one in ids], np.int64)
        table = self._space.attributes[rows] if self._space.attributes.width else None
        return StoredVectors(ids, self._space.unit[rows], typed_attributes(self.card, table, len(ids)))


class _OfStore:
    """A store, asked for all that it holds."""

    left_out = 0

    def __init__(self, store: VectorStore) -> None:
        about = store.describe()
        self._store, self.place = store, about.place
        self.card: StoreCard = known_card(about.card, about.place)

    def ids(self) -> list[str]:
        return [one for page in self._pages() for one in page]

    def _pages(self) -> Iterator[list[str]]:
        return self._store.list_ids()

    def fetch(self, ids: list[str]) -> StoredVectors:
        return self._store.fetch(ids)


def _compare(mine: StoredVectors, theirs: StoredVectors, card: StoreCard) -> None:
    """Refuse what differs from what was written."""
    if mine.ids != theirs.ids:
        gone = sorted(set(mine.ids) - set(theirs.ids))[:_LISTED]
        raise DataError(f"{', '.join(gone)} cannot be read back from the target", fix="Run the move once more.")
    if not mine.ids:
        return
    cosines = np.einsum("ij,ij->i", mine.vectors, theirs.vectors, dtype=np.float64)
    unlike = [mine.ids[at] for at in np.flatnonzero(~(cosines >= 1 - 1e-5)).tolist()]
    if card.attributes:
        rows, others = (each.attributes.select(list(card.attributes)).rows() for each in (mine, theirs))
        for one, row, other in zip(mine.ids, rows, others, strict=True):
            # Several texts of none are what some stores give back for a missing value, and the reverse.
            if [value or None if isinstance(value, list) else value for value in row] != [
                value or None if isinstance(value, list) else value for value in other
            ]:
                unlike.append(one)
    if unlike:
        raise DataError(
            f"{len(set(unlike)):,} of {len(mine.ids):,} vectors that were read back differ, such as {unlike[0]!r}: "
            "they were written before the source changed",
            fix=Advice("move_again", (Setting("again", True),), "Run the move with {again}."),
        )
