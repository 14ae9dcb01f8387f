"""Vectors in Pinecone: ``pinecone:INDEX`` or ``pinecone:INDEX/NAMESPACE``.

Needs the extra ``pinecone``. The key is in the environment variable ``PINECONE_API_KEY``; another address than that
of the service in ``PINECONE_CONTROLLER_HOST``, and ``PINECONE_CLOUD`` and ``PINECONE_REGION`` say where a new index is
made (the free starter plan has ``aws`` and ``us-east-1``). ``PINECONE_PLAN=standard`` leaves out the limits of the
starter plan, which are checked before anything is written.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import quote, unquote

import numpy as np
import polars as pl

from reclens.edges._services import Service, problem_of
from reclens.engine import need
from reclens.errors import ArgumentValueError, DataError, StoreError, StoreProblem, UsageError
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

__all__ = ["PineconeStore", "connect"]

_CARDS: Final = "reclens-cards"
"""The namespace that keeps the cards of the others, one record each."""
_WRITE: Final = "reclens_write"
"""The field of a record that says which call wrote it, so that one can wait until it is visible."""

_RECORDS: Final = 1_000
_REQUEST: Final = 2_000_000
"""Records and bytes of one request to write."""
_METADATA: Final = 40_000
_ID: Final = 512
_TOP_K: Final = 10_000
_FETCHED: Final = 100
_ADDRESS: Final = 4_000
"""Characters of the ids in the address of one request to fetch."""
_DELETED: Final = 1_000
_STARTER_BYTES: Final = 2_000_000_000
_STARTER_NAMESPACES: Final = 100
_QUERIES: Final = 8
"""Queries that are under way at once."""


class PineconeStore:
    """A namespace of an index of Pinecone; each attribute is a field ``attr_NAME`` of the metadata.

    Pinecone is eventually consistent: a write returns once it is visible. Ids that are not ASCII are percent-encoded.

    Args:
        index: The index; :meth:`create` creates it.
        namespace: The namespace in it.
        key: The key; None for ``PINECONE_API_KEY``.
        tries: Number of tries of a request that failed temporarily; the newer clients try four times themselves.
        pause: Seconds before the second try.
    """

    def __init__(
        self, index: str, namespace: str = "reclens", *, key: str | None = None, tries: int = 3, pause: float = 1.0
    ) -> None:
        if not index or not namespace or namespace == _CARDS:
            raise UsageError("no index is named. Expected pinecone:INDEX or pinecone:INDEX/NAMESPACE.")
        self._library: Any = need("pinecone", extra="pinecone")
        secret = os.environ.get("PINECONE_API_KEY", "") if key is None else key
        if not secret:
            raise UsageError("there is no key of Pinecone. Set the environment variable PINECONE_API_KEY.")
        self._name, self._namespace = index, namespace
        self._service = Service("Pinecone", f"{index}/{namespace}", [secret], tries=tries, pause=pause)
        host = os.environ.get("PINECONE_CONTROLLER_HOST")
        self._client: Any = self._library.Pinecone(api_key=secret, **({"host": host} if host else {}))
        self._index: Any = None

    def create(self, card: StoreCard) -> None:
        """Create the index if it does not exist; see :class:`~reclens.protocols.VectorStore`."""
        there = self._card()
        if there is not None:
            check_same_card(there, card, self._service.place)
            return
        if self._opened() is None:
            spec = self._library.ServerlessSpec(
                cloud=os.environ.get("PINECONE_CLOUD", "aws"), region=os.environ.get("PINECONE_REGION", "us-east-1")
            )
            make = lambda: self._client.create_index(  # noqa: E731
                name=self._name, dimension=card.dimension, metric="cosine", spec=spec
            )
            self._ask("make the index", make, quota=True)
        stats = self._stats()
        if int(stats.dimension or card.dimension) != card.dimension:
            raise DataError(
                f"the index {self._name} has {stats.dimension} dimensions, and the vectors {card.dimension}",
                fix="Name another index.",
            )
        spaces = dict(stats.namespaces or {})
        if self._starter and self._namespace not in spaces and len(spaces) >= _STARTER_NAMESPACES - 1:
            raise self._over(f"{len(spaces)} namespaces, and the starter plan allows {_STARTER_NAMESPACES}")
        vector = [1.0] + [0.0] * (card.dimension - 1)
        record = {"id": self._namespace, "values": vector, "metadata": {"card": card_to_json(card)}}
        opened = self._opened()
        self._ask("write its card", lambda: opened.upsert(vectors=[record], namespace=_CARDS))
        self._service.wait("the card", lambda: self._card() is not None)

    def upsert(self, ids: Sequence[str], vectors: np.ndarray, attributes: pl.DataFrame | None = None) -> None:
        """Write vectors; see :class:`~reclens.protocols.VectorStore`. Limits are checked before the first request."""
        card = known_card(self._card(), self._service.place)
        listed, unit, table = rows_for_store(card, ids, vectors, attributes)
        if not listed:
            return
        token = uuid.uuid4().hex
        names = list(map(_encoded, listed))
        self._check_ids(names, listed)
        rows = table.to_dicts() if table.width else [{} for _ in listed]
        about = [
            {_WRITE: token}
            | {f"attr_{name}": value for name, value in row.items() if value is not None and value != []}
            for row in rows
        ]
        self._check_sizes(listed, about, card.dimension)
        opened = self._opened()
        records = (
            {"id": one, "values": vector.tolist(), "metadata": metadata}
            for one, vector, metadata in zip(names, unit, about, strict=True)
        )
        for batch in _batches(records):
            self._ask("write", lambda batch=batch: opened.upsert(vectors=batch, namespace=self._namespace))
        last, only = unit[-1].tolist(), {_WRITE: {"$eq": token}}

        def visible() -> bool:
            found = opened.query(vector=last, top_k=1, filter=only, namespace=self._namespace)
            return bool(found.matches) and len(opened.fetch(ids=[names[-1]], namespace=self._namespace).vectors) == 1

        self._service.wait("what was written", visible)

    def query(self, vectors: np.ndarray, k: int, *, where: Where | None = None) -> tuple[list[list[str]], np.ndarray]:
        """The nearest ids; see :class:`~reclens.protocols.VectorStore`. k is at most 10,000."""
        card = known_card(self._card(), self._service.place)
        unit = queries_for_store(card, vectors, k)
        if k > _TOP_K:
            raise ArgumentValueError("k", f"is {k:,}, and Pinecone gives at most {_TOP_K:,}")
        asked = [_as_filter(each) for each in conditions(where, card)]
        told: dict[str, Any] = {"top_k": k, "namespace": self._namespace}
        if asked:
            told["filter"] = asked[0] if len(asked) == 1 else {"$and": asked}
        opened = self._opened()

        def answer(vector: np.ndarray) -> list[Any]:
            return list(self._ask("search", lambda: opened.query(vector=vector.tolist(), **told)).matches)

        with ThreadPoolExecutor(_QUERIES) as pool:
            found = list(pool.map(answer, unit))
        cosines = np.full((len(unit), k), np.nan, np.float32)
        for row, matches in enumerate(found):
            cosines[row, : len(matches)] = [each.score for each in matches]
        return [[unquote(each.id) for each in matches] for matches in found], np.clip(cosines, -1, 1)

    def fetch(self, ids: Sequence[str]) -> StoredVectors:
        """Vectors by id; see :class:`~reclens.protocols.VectorStore`."""
        card = known_card(self._card(), self._service.place)
        opened = self._opened()
        records: dict[str, Any] = {}
        for batch in _addressed(list(map(_encoded, ids))):
            found = self._ask("fetch", lambda batch=batch: opened.fetch(ids=batch, namespace=self._namespace))
            records |= dict(found.vectors or {})
        there = [one for one in ids if _encoded(one) in records]
        kept = [records[_encoded(one)] for one in there]
        rows = [dict(each.metadata or {}) for each in kept]
        typed = typed_attributes(card, None, 0).schema
        columns = [
            pl.Series(name, [row.get(f"attr_{name}") for row in rows], dtype=kind, strict=False)
            for name, kind in typed.items()
        ]
        vectors = np.array([list(each.values) for each in kept], np.float32).reshape(len(kept), card.dimension)
        return StoredVectors(there, vectors, pl.DataFrame(columns))

    def delete(self, ids: Sequence[str]) -> None:
        """Remove vectors; see :class:`~reclens.protocols.VectorStore`."""
        known_card(self._card(), self._service.place)
        opened, names = self._opened(), list(map(_encoded, ids))
        for start in range(0, len(names), _DELETED):
            batch = names[start : start + _DELETED]
            remove = lambda batch=batch: opened.delete(ids=batch, namespace=self._namespace)  # noqa: E731
            self._unless_absent("delete", remove)
        if names:
            ends = [names[0], names[-1]]
            gone = lambda: not opened.fetch(ids=ends, namespace=self._namespace).vectors  # noqa: E731
            self._service.wait("what was deleted", gone)

    def count(self) -> int:
        """The number of vectors."""
        if self._opened() is None:
            return 0
        space = dict(self._stats().namespaces or {}).get(self._namespace)
        return 0 if space is None else int(space.vector_count)

    def list_ids(self) -> Iterator[list[str]]:
        """The ids, page by page."""
        opened = self._opened()
        if opened is None:
            return
        pages = self._ask("list", lambda: iter(opened.list(namespace=self._namespace, limit=_FETCHED)))
        while page := self._ask("list", lambda: next(pages, None)):
            # Older clients give lists of ids, newer ones pages of records.
            found = [str(getattr(each, "id", each)) for each in getattr(page, "vectors", page)]
            yield [unquote(one) for one in found]

    def describe(self) -> StoreDescription:
        """Information about the store. Pinecone's index is approximate, and reports no recall."""
        version = f"client {self._library.__version__}"
        details = {"namespace": self._namespace, "plan": "starter" if self._starter else "standard"}
        return StoreDescription(
            backend="pinecone",
            version=version,
            place=self._service.place,
            count=self.count(),
            exact=False,
            card=self._card(),
            details=details,
        )

    # ---------------------------------------------------------------------------------------------------- the inside

    @property
    def _starter(self) -> bool:
        return os.environ.get("PINECONE_PLAN", "starter") == "starter"

    def _opened(self) -> Any:
        """The index, or None."""
        if self._index is None:
            about = self._unless_absent("be asked for the index", lambda: self._client.describe_index(self._name))
            if about is not None:
                self._index = self._client.Index(host=about.host)
        return self._index

    def _card(self) -> StoreCard | None:
        opened = self._opened()
        if opened is None:
            return None
        found = self._ask("be asked for its card", lambda: opened.fetch(ids=[self._namespace], namespace=_CARDS))
        record = dict(found.vectors or {}).get(self._namespace)
        if record is None:
            return None
        return card_from_json(str(dict(record.metadata or {}).get("card", "")), self._service.place)

    def _stats(self) -> Any:
        return self._ask("count", lambda: self._opened().describe_index_stats())

    def _check_ids(self, names: Sequence[str], ids: Sequence[str]) -> None:
        long = next((one for name, one in zip(names, ids, strict=True) if len(name) > _ID), None)
        if long is not None:
            raise DataError(f"the id {long[:40]!r} … is longer than the {_ID} characters that Pinecone takes")

    def _check_sizes(self, ids: Sequence[str], about: Sequence[dict[str, Any]], dimension: int) -> None:
        """Reject requests that Pinecone or its starter plan would reject halfway."""
        sizes = np.array([len(json.dumps(each, ensure_ascii=False).encode()) for each in about])
        if sizes.max() > _METADATA:
            one = ids[int(sizes.argmax())]
            raise DataError(
                f"the attributes of {one!r} take {sizes.max():,} bytes, and Pinecone takes {_METADATA:,}",
                fix="Keep fewer attributes, or shorter ones.",
            )
        if self._starter:
            own = sizes + 4 * dimension
            stored = int(self._stats().total_vector_count or 0) * int(own.mean()) + int(own.sum())
            if stored > _STARTER_BYTES:
                raise self._over(f"about {stored:,} bytes, and the starter plan allows {_STARTER_BYTES:,}")

    def _over(self, what: str) -> StoreError:
        return StoreError(
            f"Pinecone at {self._service.place} would hold {what}. Nothing was written. Take fewer, or set "
            "PINECONE_PLAN=standard if the plan is a larger one.",
            code="quota",
        )

    def _ask(self, what: str, call: Callable[[], Any], *, quota: bool = False) -> Any:
        # A key with all rights except creating an index has reached the limit of its plan.
        told: Callable[[BaseException], StoreProblem] = problem_of
        if quota:
            told = lambda error: "quota" if _status(error) == 403 else problem_of(error)  # noqa: E731
        return self._service.ask(what, call, problem=told)

    def _unless_absent(self, what: str, call: Callable[[], Any]) -> Any:
        """The response; None if the index or namespace does not exist."""

        def tried() -> Any:
            try:
                return call()
            except Exception as error:
                if _status(error) == 404:
                    return None
                raise

        return self._ask(what, tried)


def _status(error: BaseException) -> int | None:
    found = getattr(error, "status", None) or getattr(error, "status_code", None)
    return found if isinstance(found, int) else None


def _encoded(one: str) -> str:
    """An id in ASCII; percent signs are encoded too, so that ids round-trip."""
    return quote(one, safe=" !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~")


def _batches(records: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Batches of records within the request limits."""
    batch: list[dict[str, Any]] = []
    size = 0
    for record in records:
        own = len(json.dumps(record)) + 2
        if batch and (size + own > _REQUEST - 1_000 or len(batch) == _RECORDS):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += own
    if batch:
        yield batch


def _addressed(names: Sequence[str]) -> Iterator[list[str]]:
    """Batches of ids that keep the URL short."""
    batch: list[str] = []
    size = 0
    for name in names:
        own = len(quote(name, safe="")) + 5
        if batch and (size + own > _ADDRESS or len(batch) == _FETCHED):
            yield batch
            batch, size = [], 0
        batch.append(name)
        size += own
    if batch:
        yield batch


def _as_filter(condition: Condition) -> dict[str, Any]:
    """A condition as Pinecone writes it; a multi-valued field matches if one of its values does."""
    return {f"attr_{condition.attribute}": {f"${condition.operator}": condition.value}}


def connect(rest: str) -> PineconeStore:
    """The store in an index, in the namespace that follows the slash."""
    index, _, namespace = rest.partition("/")
    return PineconeStore(index, namespace or "reclens")
