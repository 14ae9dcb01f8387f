"""The embedded vector store: a folder with the original vectors and an index over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.engine import Progress, chunk_ranges, quiet
from reclens.explore.approximate import ApproximateIndex, IndexPlan
from reclens.explore.exact import top_k
from reclens.explore.segments import Manifest, Segment, SegmentFiles
from reclens.explore.stores import (
    Condition,
    card_from_json,
    card_to_json,
    check_same_card,
    conditions,
    known_card,
    queries_for_store,
    rows_for_store,
    typed_attributes,
)
from reclens.protocols import StoreCard, StoreDescription, StoredVectors, Where
from reclens.schema import Vocabulary, versions

__all__ = ["EXACT_UP_TO", "LocalStore"]

EXACT_UP_TO: Final = 50_000
"""Vectors, of all or of those that a filter leaves, up to which search is exact."""
_PAGE: Final = 10_000
_PIECES: Final = 16
"""Segments after the first that are merged into one."""
_INDEX: Final = "index.faiss"


class LocalStore:
    """Vectors in a folder: exact up to 50,000, beyond that by an index if one was built.

    A filter is answered exactly: DuckDB finds the rows that match, and where they are few, all of them are compared.
    Where they are many, the index probes the more lists the fewer they are, and a query that finds fewer than k is
    answered exactly.

    Args:
        folder: The folder; :meth:`create` makes it.

    Example:
        >>> import tempfile
        >>> store = LocalStore(tempfile.mkdtemp())
        >>> store.create(StoreCard(model="by_hand", revision="1", dimension=2, attributes={"year": "number"}))
        >>> store.upsert(["a", "b"], np.array([[1.0, 0.0], [0.6, 0.8]]), pl.DataFrame({"year": [1999, 2001]}))
        >>> store.query(np.array([[1.0, 0.0]]), 2, where={"year": {"gte": 2000}})[0]
        [['b']]
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._files = SegmentFiles(self.folder)
        self._manifest: Manifest | None = None
        self._card: StoreCard | None = None
        self._segments: list[Segment] = []
        self._index: ApproximateIndex | None = None
        self._refresh()

    def create(self, card: StoreCard) -> None:
        """Create the store; see :class:`~reclens.protocols.VectorStore`."""
        self._refresh()
        if self._card is not None:
            check_same_card(self._card, card, str(self.folder))
            return
        self._files.put(Manifest(card_to_json(card)))
        self._refresh()

    def upsert(self, ids: Sequence[str], vectors: np.ndarray, attributes: pl.DataFrame | None = None) -> None:
        """Write vectors; see :class:`~reclens.protocols.VectorStore`."""
        self._refresh()
        card = known_card(self._card, str(self.folder))
        listed, unit, table = rows_for_store(card, ids, vectors, attributes)
        if listed:
            self._append(unit, pl.DataFrame({"id": listed}).hstack(table), pl.Series([], dtype=pl.String))

    def delete(self, ids: Sequence[str]) -> None:
        """Remove vectors; see :class:`~reclens.protocols.VectorStore`."""
        self._refresh()
        card = known_card(self._card, str(self.folder))
        if len(ids):
            none = np.zeros((0, card.dimension), np.float32)
            self._append(none, _no_rows(card), pl.Series(list(ids), dtype=pl.String))

    def query(self, vectors: np.ndarray, k: int, *, where: Where | None = None) -> tuple[list[list[str]], np.ndarray]:
        """The nearest ids; see :class:`~reclens.protocols.VectorStore`."""
        self._refresh()
        card = known_card(self._card, str(self.folder))
        queries = queries_for_store(card, vectors, k)
        asked = conditions(where, card)
        live = [each for each in self._segments if len(each.ids)]
        kept = [each.alive & self._matching(each, asked) if asked else each.alive for each in live]
        return self._nearest(queries, k, live, kept)

    def fetch(self, ids: Sequence[str]) -> StoredVectors:
        """Vectors by id; see :class:`~reclens.protocols.VectorStore`."""
        self._refresh()
        card = known_card(self._card, str(self.folder))
        wanted = pl.Series(list(ids), dtype=pl.String)
        found = np.zeros((len(ids), card.dimension), np.float32)
        there = np.zeros(len(ids), bool)
        tables: list[pl.DataFrame] = []
        for segment in self._segments:
            if not len(segment.ids):
                continue
            known = Vocabulary(segment.ids)
            row_of_code = np.empty(len(segment.ids), np.int64)
            row_of_code[known.encode(segment.ids)] = np.arange(len(segment.ids))
            codes = known.encode(wanted)
            rows = np.where(codes < 0, -1, row_of_code[codes])
            hit = np.flatnonzero((rows >= 0) & segment.alive[rows])
            found[hit], there[hit] = segment.vectors[rows[hit]], True
            about = self._files.attributes(segment, rows[hit])
            tables.append(about.with_columns(pl.Series("_at", hit, dtype=pl.Int64)))
        kept = np.flatnonzero(there)
        table = typed_attributes(card, None, len(kept))
        if tables and len(kept) and table.width:
            table = pl.concat(tables).sort("_at").drop("_at").select(table.columns)
        return StoredVectors([ids[at] for at in kept.tolist()], found[kept], table)

    def count(self) -> int:
        """The number of vectors."""
        self._refresh()
        return int(sum(each.alive.sum() for each in self._segments))

    def list_ids(self) -> Iterator[list[str]]:
        """The ids, page by page."""
        self._refresh()
        for segment in self._segments:
            rows = np.flatnonzero(segment.alive)
            for part in chunk_ranges(len(rows), _PAGE):
                yield segment.ids.gather(rows[part.start : part.stop]).to_list()

    def describe(self) -> StoreDescription:
        """Information about the store; ``details`` has the parameters of the index and its measured recall."""
        count = self.count()
        plan = self._manifest.index if self._manifest else {}
        details = {"segments": len(self._segments), "index": plan or None}
        exact = not plan or count <= EXACT_UP_TO
        return StoreDescription(
            backend="local",
            version=versions()["reclens"],
            place=str(self.folder),
            count=count,
            exact=exact,
            card=self._card,
            details=details,
        )

    def build_index(
        self,
        *,
        target: float = 0.95,
        k: int = 10,
        queries: np.ndarray | None = None,
        progress: Progress = quiet,
    ) -> IndexPlan | None:
        """Merge everything into one segment, and build an index over it if there are more than 50,000 vectors.

        Args:
            target: The recall to reach; see :meth:`ApproximateIndex.build`.
            k: Cutoff of the recall.
            queries: Queries of the kind that will be asked.
            progress: Called to report progress.

        Returns:
            The parameters and the recall that was measured; None if search stays exact.

        Raises:
            MissingExtraError: If FAISS is not installed and there are more than 50,000 vectors.
            NameTakenError: If another process writes.
        """
        self._refresh()
        known_card(self._card, str(self.folder))
        self._merge(first=0, build=(target, k, queries, progress))
        index = self._opened_index()
        return None if index is None else index.plan

    # ---------------------------------------------------------------------------------------------------- the inside

    def _refresh(self) -> None:
        """Reload the changes of other objects or processes."""
        manifest = self._files.manifest()
        if manifest == self._manifest:
            return
        card = None if manifest is None else card_from_json(manifest.card, str(self.folder))
        known = {each.name: each for each in self._segments} if self._appended(manifest) else {}
        dimension = 0 if card is None else card.dimension
        segments: list[Segment] = []
        for name in () if manifest is None else manifest.segments:
            segment = known.get(name) or self._files.open(name, dimension)
            if name not in known:
                for earlier in segments:
                    earlier.bury(segment)
            segments.append(segment)
        self._index = self._index if known else None
        self._manifest, self._card, self._segments = manifest, card, segments

    def _appended(self, manifest: Manifest | None) -> bool:
        """Whether segments were only added, so that loaded data remain valid."""
        old = () if self._manifest is None else self._manifest.segments
        return manifest is not None and manifest.segments[: len(old)] == old

    def _append(self, vectors: np.ndarray, table: pl.DataFrame, deleted: pl.Series) -> None:
        with self._files.writing() as draft:
            self._refresh()
            manifest = self._manifest
            assert manifest is not None
            self._files.write_rows(draft, vectors, table, deleted)
            name = self._files.settle(draft, manifest.next)
            segments = (*manifest.segments, name)
            self._files.put(replace(manifest, segments=segments, next=manifest.next + 1))
        self._refresh()
        if len(self._segments) > _PIECES:
            later = sum(len(each.ids) for each in self._segments[1:])
            indexed = bool(self._manifest and self._manifest.index)
            self._merge(first=1 if indexed or later < len(self._segments[0].ids) // 2 else 0)

    def _merge(self, *, first: int, build: tuple[Any, ...] | None = None) -> None:
        """Make one segment of those from ``first`` on, and an index over it if asked."""
        with self._files.writing() as draft:
            self._refresh()
            manifest, card = self._manifest, self._card
            assert manifest is not None and card is not None
            parts = self._segments[first:]
            rows = [np.flatnonzero(each.alive) for each in parts]
            vectors = [each.vectors[row] for each, row in zip(parts, rows, strict=True)]
            whole = np.concatenate([np.zeros((0, card.dimension), np.float32), *vectors])
            tables = [
                pl.DataFrame([each.ids.gather(row)]).hstack(self._files.attributes(each, row))
                for each, row in zip(parts, rows, strict=True)
            ]
            # Keep their deletions from the remaining segments.
            gone = [each.ids.filter(pl.Series(~each.alive)) for each in self._segments[:first]]
            deleted = pl.concat([pl.Series("id", [], dtype=pl.String), *gone])
            self._files.write_rows(draft, whole, pl.concat([_no_rows(card), *tables]), deleted)
            index: ApproximateIndex | None = None
            if build is not None and len(whole) > EXACT_UP_TO:
                target, k, queries, progress = build
                index = ApproximateIndex.build(whole, target=target, k=k, queries=queries, progress=progress)
                index.write(draft / _INDEX)
            name = self._files.settle(draft, manifest.next)
            kept = manifest.index if first else ({} if index is None else index.plan.to_dict())
            self._files.put(Manifest(manifest.card, (*manifest.segments[:first], name), manifest.next + 1, kept))
        self._refresh()

    def _nearest(
        self, queries: np.ndarray, k: int, live: list[Segment], kept: list[np.ndarray]
    ) -> tuple[list[list[str]], np.ndarray]:
        """The nearest of the kept rows of all segments."""
        parts: list[tuple[np.ndarray, np.ndarray]] = []
        offset = 0
        for at, (segment, keep) in enumerate(zip(live, kept, strict=True)):
            rows, cosines = self._of_segment(queries, k, segment, keep, indexed=at == 0)
            parts.append((np.where(rows < 0, -1, rows + offset), cosines))
            offset += len(segment.ids)
        if not parts:
            return [[] for _ in queries], np.full((len(queries), k), np.nan, np.float32)
        rows, cosines = (np.concatenate(each, axis=1) for each in zip(*parts, strict=True))
        order = np.lexsort((rows, np.where(rows < 0, np.inf, -cosines)), axis=1)[:, :k]
        rows, cosines = np.take_along_axis(rows, order, axis=1), np.take_along_axis(cosines, order, axis=1)
        ids = pl.concat([each.ids for each in live])
        flat = ids.gather(rows[rows >= 0]).to_list()
        ends = np.cumsum((rows >= 0).sum(axis=1)).tolist()
        return [flat[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)], np.clip(cosines, -1, 1)

    def _of_segment(
        self, queries: np.ndarray, k: int, segment: Segment, keep: np.ndarray, *, indexed: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        vectors, matching = segment.vectors, int(keep.sum())
        index = self._opened_index() if indexed and matching > EXACT_UP_TO else None
        if index is None:
            return _exact(queries, k, vectors, keep)
        rows, cosines = index.search(queries, k, keep=None if matching == len(keep) else keep)
        short = np.flatnonzero((rows >= 0).sum(axis=1) < min(k, matching))
        if len(short):
            rows[short], cosines[short] = _exact(queries[short], k, vectors, keep)
        return rows, cosines

    def _opened_index(self) -> ApproximateIndex | None:
        manifest = self._manifest
        if self._index is None and manifest is not None and manifest.index:
            first = self._segments[0]
            path = self.folder / first.name / _INDEX
            self._index = ApproximateIndex.read(path, IndexPlan.from_dict(manifest.index), first.vectors)
        return self._index

    def _matching(self, segment: Segment, asked: Sequence[Condition]) -> np.ndarray:
        """Which rows of a segment meet all conditions, by DuckDB over its Parquet file."""
        sql, values = zip(*map(_as_sql, asked), strict=True)
        query = f"SELECT file_row_number FROM read_parquet(?, file_row_number=true) WHERE {' AND '.join(sql)}"
        with _duckdb().cursor() as cursor:
            found = cursor.execute(query, [str(segment.rows), *values]).fetchnumpy()
        keep = np.zeros(len(segment.ids), bool)
        keep[np.asarray(found["file_row_number"], np.int64)] = True
        return keep


@cache
def _duckdb() -> Any:
    """A shared in-memory database, because creating one is slower than a query."""
    import duckdb

    return duckdb.connect()


def _exact(queries: np.ndarray, k: int, vectors: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if keep.all():
        rows, cosines = top_k(queries, vectors, k)
        return rows.astype(np.int64), cosines
    chosen = np.flatnonzero(keep)
    rows, cosines = top_k(queries, vectors[chosen], k)
    return np.where(rows < 0, -1, chosen[rows] if len(chosen) else -1), cosines


def _as_sql(condition: Condition) -> tuple[str, Any]:
    """A condition as SQL, and its bound value."""
    name = '"' + condition.attribute.replace('"', '""') + '"'
    if condition.kind == "texts":
        return (f"list_has_any({name}, ?)", condition.value if condition.operator == "in" else [condition.value])
    if condition.operator == "in":
        return f"list_contains(?, {name})", condition.value
    signs = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
    return f"{name} {signs[condition.operator]} ?", condition.value


def _no_rows(card: StoreCard) -> pl.DataFrame:
    return pl.DataFrame({"id": pl.Series([], dtype=pl.String)}).hstack(typed_attributes(card, None, 0))
