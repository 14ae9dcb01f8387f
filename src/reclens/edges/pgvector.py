"""Vectors in PostgreSQL with the extension pgvector: ``pgvector:TABLE``.

Needs the extra ``pgvector``. The address of the server is read from the environment variable ``PGVECTOR_URL``
(``postgresql://user:password@host/database``), or from those of libpq (``PGHOST``, ``PGUSER``, ``PGPASSWORD`` …).
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import numpy as np
import polars as pl

from reclens.edges._services import Service
from reclens.engine import need
from reclens.errors import StoreProblem, UsageError
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

__all__ = ["PgVectorStore", "connect"]

_TYPES: Final = {"text": "text", "number": "double precision", "boolean": "boolean", "texts": "text[]"}
_PAGE: Final = 5_000
_BATCH: Final = 1_000
_WIDE: Final = 1_000
"""The largest list that an index of pgvector looks for (``hnsw.ef_search``)."""
_STATES: Final[dict[str, StoreProblem]] = {
    "28": "wrong_key",
    "42501": "wrong_key",
    "53": "quota",
    "57014": "slow",
    "57P": "down",
    "08": "down",
}


class PgVectorStore:
    """A table of PostgreSQL; each attribute is a column ``attr_NAME``, and the card is the comment of the table.

    Search is exact unless :meth:`build_index` was called; filtered search is always exact.

    Args:
        table: The table; :meth:`create` creates it, and the extension if permitted.
        url: Address of the server; None for ``PGVECTOR_URL`` or the variables of libpq.
        tries: Number of connection attempts.
    """

    def __init__(self, table: str, *, url: str | None = None, tries: int = 5) -> None:
        if not table:
            raise UsageError("no table is named. Expected pgvector:TABLE.")
        self._psycopg: Any = need("psycopg", extra="pgvector")
        self._sql: Any = need("psycopg.sql", extra="pgvector")
        self._url = os.environ.get("PGVECTOR_URL", "") if url is None else url
        password = urlsplit(self._url).password or ""
        secrets = [password, unquote(password), os.environ.get("PGPASSWORD", "")]
        self._table = self._sql.Identifier(table)
        self._name = table
        self._service = Service("PostgreSQL", f"table {table}", secrets, tries=tries)
        self._connection: Any = None

    def create(self, card: StoreCard) -> None:
        """Make the table; see :class:`~reclens.protocols.VectorStore`."""
        there = self._card()
        if there is not None:
            check_same_card(there, card, self._service.place)
            return
        columns = [
            self._sql.SQL("{} {}").format(self._column(name), self._sql.SQL(_TYPES[kind]))
            for name, kind in card.attributes.items()
        ]
        fixed = self._sql.SQL('id text COLLATE "C" PRIMARY KEY, embedding vector({}) NOT NULL').format(
            self._sql.Literal(card.dimension)
        )
        make = self._sql.SQL("CREATE TABLE {} ({})").format(self._table, self._sql.SQL(", ").join([fixed, *columns]))
        note = self._sql.SQL("COMMENT ON TABLE {} IS {}").format(self._table, self._sql.Literal(card_to_json(card)))

        def made() -> None:
            with self._connected().transaction():
                self._connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
                self._connection.execute(make)
                self._connection.execute(note)

        self._ask("create the table", made)

    def upsert(self, ids: Sequence[str], vectors: np.ndarray, attributes: pl.DataFrame | None = None) -> None:
        """Write vectors, all or none; see :class:`~reclens.protocols.VectorStore`."""
        card = known_card(self._card(), self._service.place)
        listed, unit, table = rows_for_store(card, ids, vectors, attributes)
        if not listed:
            return
        names = [self._sql.Identifier("id"), self._sql.Identifier("embedding"), *map(self._column, card.attributes)]
        sets = [self._sql.SQL("{0} = EXCLUDED.{0}").format(name) for name in names[1:]]
        insert = self._sql.SQL("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT (id) DO UPDATE SET {}").format(
            self._table,
            self._sql.SQL(", ").join(names),
            self._sql.SQL(", ").join([self._sql.SQL("%s")] * len(names)),
            self._sql.SQL(", ").join(sets),
        )
        about = table.rows() if table.width else [()] * len(listed)
        rows = [(one, _text(vector), *row) for one, vector, row in zip(listed, unit, about, strict=True)]

        def write() -> None:
            with self._connected().transaction(), self._connection.cursor() as cursor:
                for start in range(0, len(rows), _BATCH):
                    cursor.executemany(insert, rows[start : start + _BATCH])

        self._ask("write", write)

    def query(self, vectors: np.ndarray, k: int, *, where: Where | None = None) -> tuple[list[list[str]], np.ndarray]:
        """The nearest ids; see :class:`~reclens.protocols.VectorStore`."""
        card = known_card(self._card(), self._service.place)
        unit = queries_for_store(card, vectors, k)
        asked = [self._condition(each) for each in conditions(where, card)]
        source = self._table
        given: list[Any] = []
        head = self._sql.SQL("")
        if asked or k > _WIDE:
            # Filter first, because an index could stop before it finds k matches.
            parts = [part for part, _ in asked] or [self._sql.SQL("true")]
            head = self._sql.SQL("WITH kept AS MATERIALIZED (SELECT id, embedding FROM {} WHERE {}) ").format(
                self._table, self._sql.SQL(" AND ").join(parts)
            )
            source, given = self._sql.Identifier("kept"), [value for _, value in asked]
        ask = self._sql.SQL("SELECT id, -(embedding <#> %s::vector) FROM {} ORDER BY embedding <#> %s::vector LIMIT %s")
        statement = head + ask.format(source)

        def answer() -> list[list[tuple[str, float]]]:
            with self._connected().transaction():
                wide = min(max(40, 4 * k), _WIDE)
                self._connection.execute(self._sql.SQL("SET LOCAL hnsw.ef_search = {}").format(wide))
                self._connection.execute("SET LOCAL hnsw.iterative_scan = strict_order")
                rows = [(*given, text, text, k) for text in map(_text, unit)]
                return [self._connection.execute(statement, row).fetchall() for row in rows]

        lists = self._ask("search", answer)
        cosines = np.full((len(unit), k), np.nan, np.float32)
        for row, found in enumerate(lists):
            cosines[row, : len(found)] = [cosine for _, cosine in found]
        return [[one for one, _ in found] for found in lists], np.clip(cosines, -1, 1)

    def fetch(self, ids: Sequence[str]) -> StoredVectors:
        """Vectors by id; see :class:`~reclens.protocols.VectorStore`."""
        card = known_card(self._card(), self._service.place)
        names = self._sql.SQL(", ").join(map(self._sql.SQL, ["id", "embedding::text"]))
        if card.attributes:
            names = self._sql.SQL("{}, {}").format(names, self._sql.SQL(", ").join(map(self._column, card.attributes)))
        statement = self._sql.SQL("SELECT {} FROM {} WHERE id = ANY(%s)").format(names, self._table)
        rows = self._ask("fetch", lambda: self._connected().execute(statement, [list(ids)]).fetchall())
        by_id = {row[0]: row for row in rows}
        found = [by_id[one] for one in ids if one in by_id]
        vectors = np.array([np.fromstring(row[1][1:-1], np.float32, sep=",") for row in found], np.float32)
        raw = pl.DataFrame([row[2:] for row in found], orient="row", schema=typed_attributes(card, None, 0).schema)
        return StoredVectors([row[0] for row in found], vectors.reshape(len(found), card.dimension), raw)

    def delete(self, ids: Sequence[str]) -> None:
        """Remove vectors; see :class:`~reclens.protocols.VectorStore`."""
        known_card(self._card(), self._service.place)
        statement = self._sql.SQL("DELETE FROM {} WHERE id = ANY(%s)").format(self._table)
        self._ask("delete", lambda: self._connected().execute(statement, [list(ids)]))

    def count(self) -> int:
        """The number of vectors."""
        if self._card() is None:
            return 0
        statement = self._sql.SQL("SELECT count(*) FROM {}").format(self._table)
        return int(self._ask("count", lambda: self._connected().execute(statement).fetchone()[0]))

    def list_ids(self) -> Iterator[list[str]]:
        """The ids, page by page."""
        if self._card() is None:
            return
        statement = self._sql.SQL("SELECT id FROM {} WHERE id > %s ORDER BY id LIMIT %s").format(self._table)
        last = ""
        while page := self._ask(
            "list", lambda last=last: self._connected().execute(statement, [last, _PAGE]).fetchall()
        ):
            yield [row[0] for row in page]
            last = page[-1][0]

    def describe(self) -> StoreDescription:
        """Information about the store."""
        asked = (
            "SELECT current_setting('server_version'), "
            "coalesce((SELECT extversion FROM pg_extension WHERE extname = 'vector'), 'none')"
        )
        server, extension = self._ask("describe", lambda: self._connected().execute(asked).fetchone())
        indexed = "SELECT count(*) FROM pg_indexes WHERE tablename = %s AND indexdef LIKE '%%USING hnsw%%'"
        has_index = bool(self._ask("describe", lambda: self._connected().execute(indexed, [self._name]).fetchone()[0]))
        return StoreDescription(
            backend="pgvector",
            version=f"{extension} of PostgreSQL {server}",
            place=self._service.place,
            count=self.count(),
            exact=not has_index,
            card=self._card(),
            details={"index": "hnsw" if has_index else None},
        )

    def build_index(self) -> None:
        """Build an HNSW index: unfiltered searches become fast but approximate."""
        known_card(self._card(), self._service.place)
        statement = self._sql.SQL("CREATE INDEX ON {} USING hnsw (embedding vector_ip_ops)").format(self._table)
        self._ask("build an index", lambda: self._connected().execute(statement))

    # ---------------------------------------------------------------------------------------------------- the inside

    def _column(self, name: str) -> Any:
        return self._sql.Identifier(f"attr_{name}")

    def _condition(self, condition: Condition) -> tuple[Any, Any]:
        """A condition as SQL, and its bound value."""
        column = self._column(condition.attribute)
        several = condition.operator == "in"
        if condition.kind == "texts":
            return self._sql.SQL("{} && %s::text[]").format(column), condition.value if several else [condition.value]
        if several:
            kind = self._sql.SQL(_TYPES[condition.kind])
            return self._sql.SQL("{} = ANY(%s::{}[])").format(column, kind), list(condition.value)
        signs = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
        return self._sql.SQL("{} {} %s").format(column, self._sql.SQL(signs[condition.operator])), condition.value

    def _card(self) -> StoreCard | None:
        """The card, from the comment of the table; None if there is no table."""
        statement = "SELECT c.oid, obj_description(c.oid) FROM pg_class c WHERE c.oid = to_regclass(quote_ident(%s))"
        row = self._ask("be asked for its card", lambda: self._connected().execute(statement, [self._name]).fetchone())
        return None if row is None else card_from_json(row[1] or "", self._service.place)

    def _connected(self) -> Any:
        """The connection; reconnects if it was lost."""
        if self._connection is None or self._connection.closed:
            self._connection = self._psycopg.connect(self._url, autocommit=True, connect_timeout=10)
            weakref.finalize(self, self._connection.close)
        return self._connection

    def _ask(self, what: str, call: Any) -> Any:
        return self._service.ask(what, call, problem=self._problem)

    def _problem(self, error: BaseException) -> StoreProblem:
        state = getattr(error, "sqlstate", None)
        if state is not None:
            for start, code in _STATES.items():
                if str(state).startswith(start):
                    return code
            return "refused"
        if isinstance(error, self._psycopg.OperationalError):
            if self._connection is not None:
                with suppress(self._psycopg.Error):
                    self._connection.close()
            # libpq gives no code for errors before the server answers, but its message names authentication failures.
            return "slow" if isinstance(error, self._psycopg.errors.ConnectionTimeout) else "down"
        return "refused"


def _text(vector: np.ndarray) -> str:
    """A vector as pgvector text; nine digits preserve every float32."""
    return f"[{','.join(format(value, '.9g') for value in vector.tolist())}]"


def connect(rest: str) -> PgVectorStore:
    """The store in a table."""
    return PgVectorStore(rest)
