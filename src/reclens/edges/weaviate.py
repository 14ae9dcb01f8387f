"""Vectors in Weaviate: ``weaviate:COLLECTION``.

Needs the extra ``weaviate``. The server is configured by environment variables: ``WEAVIATE_URL``
(``http://localhost:8080``, ``https://NAME.weaviate.cloud``), ``WEAVIATE_GRPC`` (``host:port``) if gRPC is not at the
default port, and ``WEAVIATE_API_KEY``.
"""

from __future__ import annotations

import os
import re
import uuid
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
import polars as pl

from reclens.edges._services import Service
from reclens.engine import need
from reclens.errors import ArgumentValueError, UsageError
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

__all__ = ["WeaviateStore", "connect"]

_NAME: Final = re.compile(r"[A-Z][_0-9A-Za-z]{0,200}")
_SPACE: Final = uuid.UUID("6f1c55f4-0a0c-4f0e-9f0b-5d5a6a0b8c11")
"""The name space of the UUIDs that stand for ids."""
_ID: Final = "reclens_id"
_BATCH: Final = 500
_MOST: Final = 10_000
"""The largest list that a server gives by default (``QUERY_MAXIMUM_RESULTS``)."""


class WeaviateStore:
    """A collection of Weaviate; the card is its description, and each attribute a property ``attrN_NAME``.

    Weaviate identifies objects by UUIDs: each is derived from the id (UUID 5), and the id is a property.

    Args:
        collection: Name of the collection, which starts with a capital letter; :meth:`create` creates it.
        url: Address of the server; None for ``WEAVIATE_URL``.
        key: The key; None for ``WEAVIATE_API_KEY``; empty for a server without keys.
        tries: Number of tries of a request that failed temporarily.
        pause: Seconds before the second try.
    """

    def __init__(
        self, collection: str, *, url: str | None = None, key: str | None = None, tries: int = 5, pause: float = 0.5
    ) -> None:
        if not _NAME.fullmatch(collection):
            raise UsageError(
                f"{collection!r} is no collection of Weaviate. Expected weaviate:COLLECTION, a capital letter and then "
                "letters, digits and underscores."
            )
        place = os.environ.get("WEAVIATE_URL", "") if url is None else url
        parts = urlsplit(place)
        if not parts.hostname:
            raise UsageError("there is no server. Set WEAVIATE_URL, such as http://localhost:8080.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of what its client is made of: not ours to mend
            self._library: Any = need("weaviate", extra="weaviate")
            self._classes: Any = need("weaviate.classes", extra="weaviate")
        secret = os.environ.get("WEAVIATE_API_KEY", "") if key is None else key
        self._name, self._key, self._parts = collection, secret, parts
        self._service = Service("Weaviate", f"{parts.hostname}/{collection}", [secret], tries=tries, pause=pause)
        self._client: Any = None

    def create(self, card: StoreCard) -> None:
        """Make the collection; see :class:`~reclens.protocols.VectorStore`."""
        there = self._card()
        if there is not None:
            check_same_card(there, card, self._service.place)
            return
        config = self._classes.config
        kinds = {
            "text": config.DataType.TEXT,
            "number": config.DataType.NUMBER,
            "boolean": config.DataType.BOOL,
            "texts": config.DataType.TEXT_ARRAY,
        }
        # Not tokenised into words, because a filter for "Drama" would find "Drama queens" too.
        whole = {"tokenization": config.Tokenization.FIELD}
        properties = [config.Property(name=_ID, data_type=config.DataType.TEXT, **whole)]
        for name, kind in card.attributes.items():
            more = whole if kind in ("text", "texts") else {}
            properties.append(config.Property(name=_property(card, name), data_type=kinds[kind], **more))
        near = config.Configure.VectorIndex.hnsw(distance_metric=config.VectorDistances.COSINE)
        self._ask(
            "make the collection",
            lambda: self._connected().collections.create(
                self._name,
                description=card_to_json(card),
                properties=properties,
                vector_config=config.Configure.Vectors.self_provided(vector_index_config=near),
            ),
        )

    def upsert(self, ids: Sequence[str], vectors: np.ndarray, attributes: pl.DataFrame | None = None) -> None:
        """Write vectors; see :class:`~reclens.protocols.VectorStore`."""
        card = known_card(self._card(), self._service.place)
        listed, unit, table = rows_for_store(card, ids, vectors, attributes)
        rows = table.to_dicts() if table.width else [{} for _ in listed]
        make = self._classes.data.DataObject
        objects = [
            make(properties={_ID: one, **_present(card, row)}, uuid=_uuid(one), vector=vector.tolist())
            for one, vector, row in zip(listed, unit, rows, strict=True)
        ]
        for start in range(0, len(objects), _BATCH):
            batch = objects[start : start + _BATCH]

            def write(batch: list[Any] = batch) -> None:
                done = self._collection().data.insert_many(batch)
                if done.has_errors:
                    first = next(iter(done.errors.values()))
                    raise RuntimeError(f"{len(done.errors):,} of {len(batch):,} were not written: {first.message}")

            self._ask("write", write)

    def query(self, vectors: np.ndarray, k: int, *, where: Where | None = None) -> tuple[list[list[str]], np.ndarray]:
        """The nearest ids; see :class:`~reclens.protocols.VectorStore`. k is at most 10,000."""
        card = known_card(self._card(), self._service.place)
        unit = queries_for_store(card, vectors, k)
        if k > _MOST:
            raise ArgumentValueError("k", f"is {k:,}, and Weaviate gives at most {_MOST:,}")
        told: dict[str, Any] = {
            "limit": k,
            "return_metadata": self._classes.query.MetadataQuery(distance=True),
            "return_properties": [_ID],
            "filters": self._filter(card, conditions(where, card)),
        }
        lists: list[list[str]] = []
        cosines = np.full((len(unit), k), np.nan, np.float32)
        for row, vector in enumerate(unit.tolist()):
            ask = lambda vector=vector: self._collection().query.near_vector(near_vector=vector, **told)  # noqa: E731
            found = self._ask("search", ask).objects
            lists.append([str(each.properties[_ID]) for each in found])
            cosines[row, : len(found)] = [1 - each.metadata.distance for each in found]
        return lists, np.clip(cosines, -1, 1)

    def fetch(self, ids: Sequence[str]) -> StoredVectors:
        """Vectors by id; see :class:`~reclens.protocols.VectorStore`."""
        card = known_card(self._card(), self._service.place)
        found: dict[str, Any] = {}
        asked = [_ID, *(_property(card, name) for name in card.attributes)]
        for start in range(0, len(ids), _BATCH):
            names = [_uuid(one) for one in ids[start : start + _BATCH]]
            told: dict[str, Any] = {"limit": len(names), "include_vector": True, "return_properties": asked}
            ask = lambda names=names, told=told: self._collection().query.fetch_objects_by_ids(names, **told)  # noqa: E731
            found |= {str(each.properties[_ID]): each for each in self._ask("fetch", ask).objects}
        there = [one for one in ids if one in found]
        columns = [
            pl.Series(name, [found[one].properties.get(_property(card, name)) for one in there], dtype=kind)
            for name, kind in typed_attributes(card, None, 0).schema.items()
        ]
        vectors = [next(iter(found[one].vector.values())) for one in there]
        return StoredVectors(
            there, np.array(vectors, np.float32).reshape(len(there), card.dimension), pl.DataFrame(columns)
        )

    def delete(self, ids: Sequence[str]) -> None:
        """Remove vectors; see :class:`~reclens.protocols.VectorStore`."""
        known_card(self._card(), self._service.place)
        for start in range(0, len(ids), _BATCH):
            names = [_uuid(one) for one in ids[start : start + _BATCH]]
            chosen = self._classes.query.Filter.by_id().contains_any(names)
            self._ask("delete", lambda chosen=chosen: self._collection().data.delete_many(where=chosen))

    def count(self) -> int:
        """The number of vectors."""
        if self._card() is None:
            return 0
        return int(self._ask("count", lambda: self._collection().aggregate.over_all(total_count=True)).total_count)

    def list_ids(self) -> Iterator[list[str]]:
        """The ids, page by page."""
        if self._card() is None:
            return
        objects = self._ask("list", lambda: iter(self._collection().iterator(return_properties=[_ID])))

        def page() -> list[str]:
            # By next alone: iter(), and with it every loop, sends the iterator of the client back to its beginning.
            found = [next(objects, None) for _ in range(_BATCH)]
            return [str(each.properties[_ID]) for each in found if each is not None]

        while found := self._ask("list", page):
            yield found

    def describe(self) -> StoreDescription:
        """Information about the store. Weaviate's index is approximate."""
        server = str(self._ask("describe", lambda: self._connected().get_meta())["version"])
        return StoreDescription(
            backend="weaviate",
            version=server,
            place=self._service.place,
            count=self.count(),
            exact=False,
            card=self._card(),
        )

    # ---------------------------------------------------------------------------------------------------- the inside

    def _connected(self) -> Any:
        if self._client is None:
            parts, secure = self._parts, self._parts.scheme == "https"
            host = str(parts.hostname)
            cloud = host.endswith((".weaviate.cloud", ".weaviate.network"))
            usual = f"{'grpc-' if cloud else ''}{host}:{443 if secure else 50051}"
            grpc_host, _, grpc_port = os.environ.get("WEAVIATE_GRPC", usual).rpartition(":")
            init = self._classes.init
            self._client = self._library.connect_to_custom(
                http_host=host,
                http_port=parts.port or (443 if secure else 80),
                http_secure=secure,
                grpc_host=grpc_host,
                grpc_port=int(grpc_port),
                grpc_secure=secure,
                auth_credentials=init.Auth.api_key(self._key) if self._key else None,
                additional_config=init.AdditionalConfig(timeout=init.Timeout(init=10, query=60, insert=120)),
            )
            weakref.finalize(self, self._client.close)
        return self._client

    def _collection(self) -> Any:
        return self._connected().collections.get(self._name)

    def _card(self) -> StoreCard | None:
        def asked() -> str | None:
            client = self._connected()
            if not client.collections.exists(self._name):
                return None
            return str(client.collections.get(self._name).config.get().description or "")

        told = self._ask("be asked for its card", asked)
        return None if told is None else card_from_json(told, self._service.place)

    def _filter(self, card: StoreCard, asked: Sequence[Condition]) -> Any:
        """Conditions as a filter of the client; None without any."""
        filters = self._classes.query.Filter
        made = [self._condition(filters.by_property(_property(card, each.attribute)), each) for each in asked]
        return None if not made else made[0] if len(made) == 1 else filters.all_of(made)

    @staticmethod
    def _condition(target: Any, condition: Condition) -> Any:
        # An integer would only be compared with integer properties.
        number = condition.kind == "number"
        if condition.operator == "in" or condition.kind == "texts":
            values = condition.value if condition.operator == "in" else [condition.value]
            return target.contains_any([float(value) if number else value for value in values])
        value = float(condition.value) if number else condition.value
        calls = {
            "eq": target.equal,
            "gt": target.greater_than,
            "gte": target.greater_or_equal,
            "lt": target.less_than,
            "lte": target.less_or_equal,
        }
        return calls[condition.operator](value)

    def _ask(self, what: str, call: Callable[[], Any]) -> Any:
        return self._service.ask(what, call)


def _uuid(one: str) -> str:
    return str(uuid.uuid5(_SPACE, one))


def _property(card: StoreCard, name: str) -> str:
    """The property of an attribute: Weaviate takes letters, digits and underscores."""
    plain = re.sub(r"[^0-9A-Za-z]", "_", name)
    return f"attr{sorted(card.attributes).index(name)}_{plain}"


def _present(card: StoreCard, row: dict[str, Any]) -> dict[str, Any]:
    return {_property(card, name): value for name, value in row.items() if value is not None and value != []}


def connect(rest: str) -> WeaviateStore:
    """The store in a collection."""
    return WeaviateStore(rest)
