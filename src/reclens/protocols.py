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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from reclens.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

__all__ = ["Gate", "GateCheck", "Notifier", "Tracker", "VectorStore", "adapter", "schemes"]

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9_-]*):(.*)", re.DOTALL)


@runtime_checkable
class VectorStore(Protocol):
    """Vectors by id, and the nearest of them.

    Similarity is the cosine. Ids are text and unique. Writes are visible to the next call of the same object. Every
    method raises :class:`~reclens.errors.WorkspaceError`, with the answer of the store, if the store cannot be reached
    or refuses the request.
    """

    def upsert(self, ids: Sequence[str], vectors: np.ndarray, attributes: pl.DataFrame | None = None) -> None:
        """Write vectors; those of ids that are there are replaced.

        Args:
            ids: n ids.
            vectors: Shape (n, d), float32, finite, of any length but 0. d is the same in every call.
            attributes: n rows in the order of ``ids``, of text, numbers and booleans, to filter by.

        Raises:
            DataError: If d differs from that of the store, an id repeats, or a vector is 0 or not finite.
        """
        ...

    def search(
        self, vectors: np.ndarray, k: int, *, where: Mapping[str, Any] | None = None
    ) -> tuple[list[list[str]], np.ndarray]:
        """The nearest ids of each vector, the nearest first.

        Args:
            vectors: Shape (q, d), float32.
            k: Ids to return; all that match where there are fewer.
            where: Attribute -> value that it has to equal.

        Returns:
            q lists of at most k ids; their cosines, shape (q, k), float32 in [-1, 1], NaN where a list is shorter.

        Raises:
            UnknownNameError: If ``where`` names an attribute that the store does not have.
        """
        ...

    def delete(self, ids: Sequence[str]) -> None:
        """Remove vectors; ids that are not there are ignored."""
        ...

    def count(self) -> int:
        """The number of vectors."""
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
        """Add a file, which exists and is whole."""
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
    ) -> None:
        """Send a message, or raise: it returns when the message was accepted.

        Args:
            title: One line, plain text.
            text: Lines of plain text; markup of the service in it is escaped.
            severity: How urgent it is.
            key: What the message is about. A second message of the same key continues the thread of the first, where
                the service has threads.
            link: Address of the page that shows more.

        Raises:
            WorkspaceError: If the service does not accept it within the time and the tries of the adapter, with what it
                answered and without its secret address.
        """
        ...


@dataclass(frozen=True)
class GateCheck:
    """One check of a table.

    Attributes:
        code: What was checked, such as ``not_null``.
        passed: Whether the table passed.
        column: The column, or None for the whole table.
        failed_rows: Rows that failed; None where the check is not about rows.
        rows: Rows that were checked.
    """

    code: str
    passed: bool
    column: str | None
    failed_rows: int | None
    rows: int


@runtime_checkable
class Gate(Protocol):
    """Checks a table before it is used."""

    def check(self, table: pl.DataFrame, *, name: str) -> Sequence[GateCheck]:
        """Check a table.

        Args:
            table: The table; it is not changed.
            name: Its name, such as ``interactions``: it chooses the checks.

        Returns:
            Every check that was run. A table may be used where all of them passed.

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
        protocol: What it has to be: :class:`VectorStore`, :class:`Tracker`, :class:`Notifier` or :class:`Gate`.

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
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == "connect" for node in tree.body)
