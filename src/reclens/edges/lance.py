"""Vectors in LanceDB, a second embedded store: ``lance:FOLDER`` or ``lance:FOLDER#TABLE``.

Needs the extra ``lance``. It keeps versions, and several processes may write; search is exact, and slower than that of
the built-in store.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.edges._services import Service
from reclens.engine import need
from reclens.errors import UsageError
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

__all__ = ["LanceStore", "connect"]

_CARD: Final = b"reclens.card"
_PAGE: Final = 10_000
_IDS: Final = 2_000
"""Ids that one filter names."""


class LanceStore:
    """A table of LanceDB; each attribute is a column ``attr_NAME``, and the card is in the schema.

    Args:
        folder: The folder of the database.
        table: The table.
    """

    def __init__(self, folder: str, table: str = "vectors") -> None:
        if not folder:
            raise UsageError("no folder is named. Expected lance:FOLDER.")
        self._lance: Any = need("lancedb", extra="lance")
        self._arrow: Any = need("pyarrow", extra="lance")
        self._table = table
        self._service = Service("LanceDB", f"{folder}#{table}", tries=2)
        self._database: Any = self._ask("be opened", lambda: self._lance.connect(folder))

    def create(self, card: StoreCard) -> None:
        """Create the table; see :class:`~reclens.protocols.VectorStore`."""
        there = self._card()
        if there is not None:
            check_same_card(there, card, self._service.place)
            return
        odd = [name for name in card.attributes if "`" in name]
        if odd:
            raise UsageError(f"LanceDB takes no attribute called {odd[0]!r}: rename it.")
        arrow = self._arrow
        kinds = {"text": arrow.string(), "number": arrow.float64(), "boolean": arrow.bool_()}
        columns = [
            (f"attr_{name}", kinds.get(kind, arrow.list_(arrow.string()))) for name, kind in card.attributes.items()
        ]
        vector = arrow.list_(arrow.float32(), card.dimension)
        schema = arrow.schema([("id", arrow.string()), ("vector", vector), *columns])
        schema = schema.with_metadata({_CARD: card_to_json(card).encode()})
        self._ask("create the table", lambda: self._database.create_table(self._table, schema=schema))

    def upsert(self, ids: Sequence[str], vectors: np.ndarray, attributes: pl.DataFrame | None = None) -> None:
        """Write vectors; see :class:`~reclens.protocols.VectorStore`."""
        card = known_card(self._card(), self._service.place)
        listed, unit, table = rows_for_store(card, ids, vectors, attributes)
        if not listed:
            return
        opened, arrow = self._opened(), self._arrow
        values = arrow.FixedSizeListArray.from_arrays(arrow.array(unit.ravel()), card.dimension)
        columns = {"id": arrow.array(listed), "vector": values}
        columns |= {f"attr_{name}": table[name].to_arrow() for name in card.attributes}
        schema = opened.schema.remove_metadata()
        rows = arrow.table(columns).select(schema.names).cast(schema)

        def write() -> None:
            opened.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(rows)

        self._ask("write", write)

    def query(self, vectors: np.ndarray, k: int, *, where: Where | None = None) -> tuple[list[list[str]], np.ndarray]:
        """The nearest ids; see :class:`~reclens.protocols.VectorStore`."""
        card = known_card(self._card(), self._service.place)
        unit = queries_for_store(card, vectors, k)
        asked = " AND ".join(map(_as_sql, conditions(where, card)))
        opened = self._opened()
        lists: list[list[str]] = []
        cosines = np.full((len(unit), k), np.nan, np.float32)
        for row, vector in enumerate(unit):
            search = opened.search(vector).distance_type("dot").select(["id", "_distance"]).limit(k)
            search = search.where(asked, prefilter=True) if asked else search
            found = self._ask("search", search.to_arrow)
            lists.append(found["id"].to_pylist())
            cosines[row, : len(found)] = 1 - found["_distance"].to_numpy()  # it is 1 - the product
        return lists, np.clip(cosines, -1, 1)

    def fetch(self, ids: Sequence[str]) -> StoredVectors:
        """Vectors by id; see :class:`~reclens.protocols.VectorStore`."""
        card = known_card(self._card(), self._service.place)
        opened = self._opened()
        names = typed_attributes(card, None, 0)
        parts = [pl.DataFrame({"id": pl.Series([], dtype=pl.String)})]
        found: dict[str, np.ndarray] = {}
        for start in range(0, len(ids), _IDS):
            listed = ", ".join(_quoted(one) for one in ids[start : start + _IDS])
            rows = self._ask("fetch", opened.search().where(f"id IN ({listed})").limit(_IDS).to_arrow)
            values = rows["vector"].combine_chunks()
            numbers = np.asarray(values.flatten()).reshape(-1, card.dimension)
            found |= dict(zip(rows["id"].to_pylist(), numbers, strict=True))
            parts.append(pl.DataFrame(pl.from_arrow(rows.drop_columns(["vector"]))))
        there = [one for one in ids if one in found]
        vectors = np.array([found[one] for one in there], np.float32).reshape(len(there), card.dimension)
        table = pl.concat(parts, how="diagonal").rename(
            lambda name: name.removeprefix("attr_") if name != "id" else name
        )
        joined = pl.DataFrame({"id": pl.Series(there, dtype=pl.String)}).join(
            table.unique("id"), on="id", how="left", maintain_order="left"
        )
        return StoredVectors(
            there, vectors, typed_attributes(card, joined.drop("id"), len(there)).select(names.columns)
        )

    def delete(self, ids: Sequence[str]) -> None:
        """Remove vectors; see :class:`~reclens.protocols.VectorStore`."""
        known_card(self._card(), self._service.place)
        opened = self._opened()
        for start in range(0, len(ids), _IDS):
            listed = ", ".join(_quoted(one) for one in ids[start : start + _IDS])
            self._ask("delete", lambda listed=listed: opened.delete(f"id IN ({listed})"))

    def count(self) -> int:
        """The number of vectors."""
        return 0 if self._card() is None else int(self._ask("count", self._opened().count_rows))

    def list_ids(self) -> Iterator[list[str]]:
        """The ids, page by page."""
        if self._card() is None:
            return
        opened = self._opened()
        for start in range(0, self.count(), _PAGE):
            search = opened.search().select(["id"]).limit(_PAGE).offset(start)
            yield self._ask("list", search.to_arrow)["id"].to_pylist()

    def describe(self) -> StoreDescription:
        """Information about the store."""
        card = self._card()
        details = {} if card is None else {"table_version": int(self._opened().version)}
        return StoreDescription(
            backend="lance",
            version=self._lance.__version__,
            place=self._service.place,
            count=self.count(),
            exact=True,
            card=card,
            details=details,
        )

    def _opened(self) -> Any:
        return self._ask("be opened", lambda: self._database.open_table(self._table))

    def _card(self) -> StoreCard | None:
        names = self._ask("list its tables", lambda: list(self._database.list_tables().tables))
        if self._table not in names:
            return None
        told = (self._opened().schema.metadata or {}).get(_CARD, b"")
        return card_from_json(told.decode(), self._service.place)

    def _ask(self, what: str, call: Any) -> Any:
        return self._service.ask(what, call)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _as_sql(condition: Condition) -> str:
    """A condition as DataFusion SQL, without bound values: strings are quoted."""
    column = f"`attr_{condition.attribute}`"
    values = condition.value if condition.operator == "in" else [condition.value]
    written = [
        _quoted(value)
        if isinstance(value, str)
        else str(value).lower()
        if isinstance(value, bool)
        else repr(float(value))
        for value in values
    ]
    if condition.kind == "texts":
        return f"array_has_any({column}, make_array({', '.join(written)}))"
    if condition.operator == "in":
        return f"{column} IN ({', '.join(written)})"
    signs = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
    return f"{column} {signs[condition.operator]} {written[0]}"


def connect(rest: str) -> LanceStore:
    """The store in a folder, in the table that follows ``#``."""
    folder, _, table = rest.partition("#")
    return LanceStore(folder, table or "vectors")
