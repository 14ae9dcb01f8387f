"""How work is run: chunks mapped over threads and reduced with ``+``, progress, and optional libraries.

Every heavy loop of RecLens releases the interpreter lock (NumPy, Polars, compiled kernels), so that plain threads are
enough, and no library with a thread pool of its own is needed. Chunks are cut by the data alone and reduced in their
order: the number of threads never changes a result.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache
from types import ModuleType
from typing import Any, Protocol, TypeVar, runtime_checkable

from reclens.errors import ArgumentValueError, MissingExtraError, UsageError
from reclens.protocols import adapter

__all__ = [
    "Engine",
    "LocalEngine",
    "Progress",
    "TableEngine",
    "chunk_ranges",
    "engine_address",
    "need",
    "quiet",
    "table_engine",
]

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")


class Progress(Protocol):
    """Called as work goes on: ``progress("fit ease", 3, 10)`` means step 3 of 10 is done; a total of 0 is unknown."""

    def __call__(self, what: str, done: int, total: int, /) -> None:
        """Say that ``done`` of ``total`` steps of something are done."""
        ...


def quiet(what: str, done: int, total: int, /) -> None:
    """The progress of those who did not ask for one."""


class Engine(Protocol):
    """Where chunks of work are run: here threads; elsewhere the partitions of a cluster."""

    def map(self, function: Callable[[Chunk], Result], chunks: Iterable[Chunk]) -> Iterator[Result]:
        """Results in the order of the chunks, with no more than a few chunks in flight."""
        ...


class LocalEngine:
    """Threads on this machine.

    Args:
        threads: How many; None means one a core that this process may use.
    """

    def __init__(self, threads: int | None = None) -> None:
        if threads is not None and threads < 1:
            raise ArgumentValueError("threads", f"is {threads}, expected 1 or more, or None for one a core")
        self.threads = threads or _usable_cores()

    def map(self, function: Callable[[Chunk], Result], chunks: Iterable[Chunk]) -> Iterator[Result]:
        """Results in the order of the chunks, with no more than two chunks in flight for each thread.

        Inside, the linear algebra of NumPy keeps to the thread that called it: the threads are these. Left alone, each
        of them would start as many again, and they would wait for each other.
        """
        with _blas().limit(limits=1):
            yield from self._map(function, chunks)

    def _map(self, function: Callable[[Chunk], Result], chunks: Iterable[Chunk]) -> Iterator[Result]:
        if self.threads == 1:
            yield from map(function, chunks)
            return
        pending: list[Future[Result]] = []
        with ThreadPoolExecutor(self.threads) as pool:
            try:
                for chunk in chunks:
                    pending.append(pool.submit(function, chunk))
                    # One chunk waits for each thread; more would hold memory and gain nothing.
                    if len(pending) >= 2 * self.threads:
                        yield pending.pop(0).result()
                while pending:
                    yield pending.pop(0).result()
            finally:
                for future in pending:
                    future.cancel()


@cache
def _blas() -> Any:
    """The libraries of linear algebra that this process has loaded, found once."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


def _usable_cores() -> int:
    # os.cpu_count() counts the machine's cores, also those that a container keeps from this process.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def chunk_ranges(n: int, size: int) -> list[range]:
    """0 … n-1 cut into consecutive ranges of ``size``, the last one shorter.

    >>> chunk_ranges(5, 2)
    [range(0, 2), range(2, 4), range(4, 5)]
    """
    return [range(start, min(start + size, n)) for start in range(0, n, size)]


def need(module: str, *, extra: str) -> ModuleType:
    """Import an optional library, or say how to install it.

    Args:
        module: Its import name.
        extra: The extra of RecLens that brings it.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # A library that is there but lacks one of its own needs must not be reported as absent.
        if error.name and error.name.split(".")[0] != module.split(".")[0]:
            raise
        message = f"this needs '{module}', which is not installed. Run: pip install 'reclens[{extra}]'"
        raise MissingExtraError(message) from None


@runtime_checkable
class TableEngine(Protocol):
    """Evaluates tables where they lie: an engine of a cluster, which this process holds no rows of."""

    def evaluate(self, recommendations: Any, truth: Any, **how: Any) -> Any:
        """As :func:`reclens.evaluate`, of tables of the engine; ``how`` has all of its other arguments.

        Returns:
            An :class:`~reclens.evaluation.Evaluation` without the values of single users.
        """
        ...

    def audit(self, recommendations: Any, truth: Any, **how: Any) -> Any:
        """As :func:`reclens.audit.measure.measure_audit`, of tables of the engine; ``how`` has its other arguments.

        Returns:
            :class:`~reclens.audit.measure.AuditMeasures` without the values of single users.
        """
        ...

    def sum_day(self, source: Any, day: Any, **how: Any) -> Any:
        """As :func:`reclens.monitor.partitions.sum_day`, of a log of the engine; ``how`` has its other arguments."""
        ...

    def as_table(self, source: Any) -> AbstractContextManager[tuple[Any, str]]:
        """A frame as a table for SQL: a :class:`~reclens.data.warehouse.Warehouse`, and its name there."""
        ...


def engine_address(text: str) -> str:
    """The address of an engine for :func:`reclens.protocols.adapter`: ``sc://host:port`` is one of Spark.

    Raises:
        UsageError: If it is neither that nor ``spark:MASTER``, or holds a token. That belongs in the environment:
            jobs, histories of shells and lists of processes show an address.

    Example:
        >>> engine_address("sc://127.0.0.1:50051")
        'spark:sc://127.0.0.1:50051'
    """
    if "token=" in text.lower():
        raise UsageError("the address of the engine holds a token. Set SPARK_CONNECT_AUTHENTICATE_TOKEN in its place.")
    if text.startswith("sc://"):
        return f"spark:{text}"
    if not text.startswith("spark:"):
        raise UsageError(f"the engine is '{text}'. Expected sc://HOST:PORT or spark:MASTER, such as spark:local[2].")
    return text


def table_engine(frame: Any, engine: Any = None) -> TableEngine | None:
    """The engine whose tables are to be evaluated: the one that is given, or that of a frame; None for local ones."""
    if isinstance(engine, TableEngine):
        return engine
    library = type(frame).__module__.partition(".")[0]
    return adapter("spark:", TableEngine) if library == "pyspark" else None
