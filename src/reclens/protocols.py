"""What an adapter to another system has to do, and how one is found by its scheme.

A room takes an object of one of these protocols and does not depend on the system behind it. An adapter is a module of
``reclens.edges``, named after its scheme, with a function ``connect(rest)`` that returns such an object:
``adapter("pinecone:items")`` calls ``reclens.edges.pinecone.connect("items")``. The module imports its library inside
functions with :func:`reclens.engine.need`, which names the extra when the library is missing. Exports
(``reclens.edges.tableau``, ``reclens.edges.looker``) are called by name: they have no ``connect``.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from reclens.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

__all__ = [
    "AttributeKind",
    "CheckState",
    "EncoderCard",
    "Gate",
    "GateCheck",
    "Notifier",
    "StoreCard",
    "StoreDescription",
    "StoredVectors",
    "TextEncoder",
    "Tracker",
    "VectorStore",
    "Where",
    "adapter",
    "schemes",
]

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9_-]*):(.*)", re.DOTALL)


AttributeKind = Literal["text", "number", "boolean", "texts"]
"""What an attribute of a store holds: one text, number or truth value, or several texts."""

Where = Mapping[str, Any]
"""A filter: attribute -> what it has to be. All conditions have to hold, and a missing value meets none.

=======================================  ==============================================================================
``{"language": "en"}``                   equal; of several texts, one that is equal
``{"language": ["en", "fr"]}``           equal to one of these
``{"year": {"gte": 1990, "lt": 2000}}``  in a range: ``gt``, ``gte``, ``lt``, ``lte``; of numbers alone
=======================================  ==============================================================================
"""


@dataclass(frozen=True, kw_only=True)
class StoreCard:
    """What the vectors of a store are, kept in the store: vectors of another model are refused by it.

    Attributes:
        model: What made the vectors.
        revision: Which version of it: a revision, or a hash of what it learned.
        dimension: Length of the vectors.
        id_type: What the ids are outside of the store, where they are text.
        attributes: Attribute -> kind.
    """

    model: str
    revision: str
    dimension: int
    id_type: Literal["integer", "text"] = "text"
    attributes: Mapping[str, AttributeKind] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StoreDescription:
    """What a store says of itself.

    Attributes:
        backend: The system, such as ``pgvector``.
        version: Its version, or that of its client.
        place: Where it is, without keys.
        count: Vectors in it.
        exact: Whether a query finds the nearest ones for certain.
        card: What the vectors are; None before :meth:`VectorStore.create`.
        details: What else it tells, such as the parameters of its index.
    """

    backend: str
    version: str
    place: str
    count: int
    exact: bool
    card: StoreCard | None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class StoredVectors:
    """Vectors as a store holds them.

    Attributes:
        ids: n ids.
        vectors: Shape (n, d), float32, of length 1.
        attributes: n rows; the columns that the card names.
    """

    ids: list[str]
    vectors: np.ndarray
    attributes: pl.DataFrame


@runtime_checkable
class VectorStore(Protocol):
    """Vectors by id, and the nearest of them.

    Similarity is the cosine, and vectors are kept at length 1. Ids are text and unique. Writes are visible to the next
    call of the same object: where a service is slower than that, the adapter waits. Batches are the adapter's: callers
    hand over as much as they have. Every method raises :class:`~reclens.errors.StoreError`, with a code and the answer
    of the store without its key, if the store cannot be reached or refuses the request.
    """

    def create(self, card: StoreCard) -> None:
        """Make the store, or see that the one that is there holds vectors of the same kind.

        Raises:
            IncomparableError: If there is one with vectors of another model, revision or dimension.
        """
        ...

    def upsert(self, ids: Sequence[str], vectors: np.ndarray, attributes: pl.DataFrame | None = None) -> None:
        """Write vectors; those of ids that are there are replaced, with their attributes.

        Args:
            ids: n ids, each once.
            vectors: Shape (n, d), float32, finite, of any length but 0.
            attributes: n rows in the order of ``ids``; those that the card names are kept, to filter by.

        Raises:
            DataError: If d differs from that of the card, an id repeats, or a vector is 0 or not finite.
            NotFittedError: If there is no card yet: call :meth:`create` first.
        """
        ...

    def query(self, vectors: np.ndarray, k: int, *, where: Where | None = None) -> tuple[list[list[str]], np.ndarray]:
        """The nearest ids of each vector, the nearest first; with a filter, the nearest of those that match.

        Args:
            vectors: Shape (q, d), float32.
            k: Ids to return; all that match where there are fewer.
            where: The filter.

        Returns:
            q lists of at most k ids; their cosines, shape (q, k), float32 in [-1, 1], NaN where a list is shorter.

        Raises:
            UnknownNameError: If ``where`` names an attribute that the store does not have.
            UsageError: If ``where`` asks an attribute for what its kind cannot be.
        """
        ...

    def fetch(self, ids: Sequence[str]) -> StoredVectors:
        """Vectors and attributes by id, in the order of ``ids``; ids that are not there are left out."""
        ...

    def delete(self, ids: Sequence[str]) -> None:
        """Remove vectors; ids that are not there are ignored."""
        ...

    def count(self) -> int:
        """The number of vectors; 0 before :meth:`create`."""
        ...

    def list_ids(self) -> Iterator[list[str]]:
        """The ids, page by page, each once, in any order."""
        ...

    def describe(self) -> StoreDescription:
        """What it is and holds."""
        ...


@dataclass(frozen=True, kw_only=True)
class EncoderCard:
    """What an encoder of texts is.

    Attributes:
        model: Its name.
        revision: Which version of it: a revision, or a hash of its weights.
        dimension: Length of its vectors.
        pooling: How the vectors of words become one, such as ``mean``.
        settings: What else makes a difference, such as the number of tokens that are read; JSON values.
        address: How :func:`adapter` opens it again; empty where it cannot.
    """

    model: str
    revision: str
    dimension: int
    pooling: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    address: str = ""


@runtime_checkable
class TextEncoder(Protocol):
    """Makes vectors of texts."""

    @property
    def card(self) -> EncoderCard:
        """What it is."""
        ...

    def encode(self, texts: Sequence[str], /) -> np.ndarray:
        """Texts as vectors of length 1: float32, shape (n, dimension); 0 for a text that says nothing to it.

        Each text is encoded by itself: what else is asked for changes nothing but the last bits.
        """
        ...


@runtime_checkable
class Tracker(Protocol):
    """Keeps the settings, numbers and files of runs, elsewhere.

    A tracker holds copies: the originals are in the workspace. No method fails a run because the network is down: it
    warns once and buffers on disk. Calls come in the order ``start``, any number of ``log`` and ``attach``, ``finish``.
    """

    def start(self, name: str, settings: Mapping[str, Any]) -> None:
        """Begin a run.

        Args:
            name: Name of the run.
            settings: What it was made from: JSON values.

        Raises:
            UsageError: If a run is open.
        """
        ...

    def log(self, values: Mapping[str, float], *, step: int | None = None) -> None:
        """Add numbers, finite or NaN, under names such as ``ndcg@10``.

        Args:
            values: Name -> value, in the metric's own unit.
            step: Place on the axis of the run, from 0 upwards; None for numbers of the whole run.
        """
        ...

    def attach(self, path: Path) -> None:
        """Add a file, which exists and is whole; a CSV is a table, where the tracker has tables."""
        ...

    def finish(self, status: Literal["done", "failed"]) -> None:
        """End the run; what waits is written first."""
        ...


@runtime_checkable
class Notifier(Protocol):
    """Sends a message to people."""

    def send(
        self,
        title: str,
        text: str,
        *,
        severity: Literal["info", "warning", "critical"] = "info",
        key: str | None = None,
        link: str | None = None,
        message_id: str | None = None,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """Send a message, or raise: it returns when the message was accepted.

        Args:
            title: One line, plain text.
            text: Lines of plain text; markup of the service in it is escaped.
            severity: How urgent it is.
            key: What the message is about. A second message of the same key continues the thread of the first, where
                the service has threads.
            link: Address of the page that shows more.
            message_id: Identity of the message. After a crash the same message may come again with the same identity:
                the adapter leaves it out if it can see that it was sent, or hands the identity on.
            facts: Short facts beside the text, label -> value, such as a number and its usual band; a value may be an
                address.

        Raises:
            WorkspaceError: If the service does not accept it within the time and the tries of the adapter, with what it
                answered and without its secret address.
        """
        ...


CheckState = Literal["passed", "failed", "errored", "not_evaluated"]
"""How a check ended. ``errored``: it broke. ``not_evaluated``: there was nothing to check, which is not the same
as ``passed``."""


@dataclass(frozen=True, kw_only=True)
class GateCheck:
    """One check of a table.

    Attributes:
        code: What was checked, such as ``not_null``.
        state: How it ended.
        column: The column, or None for the whole table.
        failed_rows: Rows that failed; None where the check is not about rows.
        rows: Rows that were checked.
        problem: What broke, where the check errored.
    """

    code: str
    state: CheckState
    column: str | None = None
    failed_rows: int | None = None
    rows: int = 0
    problem: str | None = None


@runtime_checkable
class Gate(Protocol):
    """Checks a table before it is used."""

    def check(self, table: pl.DataFrame, *, name: str) -> Sequence[GateCheck]:
        """Check a table.

        Args:
            table: The table; it is not changed.
            name: Its name, such as ``interactions``: it chooses the checks.

        Returns:
            Every check, in order. A table may be used where none of them failed or errored.

        Raises:
            UnknownNameError: If there are no checks of that name: an unchecked table must not look like a good one.
        """
        ...


def schemes() -> list[str]:
    """The schemes of :func:`adapter`: modules of ``reclens.edges`` that have a ``connect``. None is imported."""
    modules = pkgutil.iter_modules(importlib.import_module("reclens.edges").__path__)
    return sorted(each.name for each in modules if not each.name.startswith("_") and _connects(each))


def adapter(address: str, protocol: type[Any] = object) -> Any:
    """Find an adapter by its scheme, and connect it.

    Args:
        address: ``"scheme:rest"``, such as ``"pinecone:items"``. The adapter says what the rest means.
        protocol: What it has to be: :class:`VectorStore`, :class:`TextEncoder`, :class:`Tracker`, :class:`Notifier` or
            :class:`Gate`.

    Returns:
        What ``reclens.edges.<scheme>.connect(rest)`` returns.

    Raises:
        UnknownNameError: If there is no adapter of that scheme.
        UsageError: If the address has no scheme, or the adapter is of another protocol.
        MissingExtraError: If the library of the adapter is not installed.

    Example:
        >>> adapter("items")
        Traceback (most recent call last):
        ...
        reclens.errors.UsageError: 'items' has no scheme. Expected scheme:rest, such as lance:folder.
    """
    parts = _ADDRESS.fullmatch(address)
    if parts is None:
        raise UsageError(f"'{address}' has no scheme. Expected scheme:rest, such as lance:folder.")
    scheme = parts[1].lower().replace("-", "_")
    if scheme not in (known := schemes()):
        raise UnknownNameError("adapter", parts[1], known)
    made = importlib.import_module(f"reclens.edges.{scheme}").connect(parts[2])
    if not isinstance(made, protocol):
        raise UsageError(f"'{address}' is no {protocol.__name__}: {scheme} makes a {type(made).__name__}.")
    return made


def _connects(module: pkgutil.ModuleInfo) -> bool:
    """Whether a module defines ``connect``, by its source."""
    spec = module.module_finder.find_spec(module.name, None)
    if spec is None or spec.origin is None or module.ispkg:
        return False
    return _defines_connect(spec.origin)


@cache
def _defines_connect(file: str) -> bool:
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == "connect" for node in tree.body)
