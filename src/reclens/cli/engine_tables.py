"""Tables of an engine on the command line: ``spark:NAME`` beside files, and the engine that evaluates them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from reclens.data.read.request import Reading
from reclens.errors import UsageError

__all__ = ["EngineTables"]

_SCHEME: Final = "spark:"


@dataclass(frozen=True)
class EngineTables:
    """An engine, and what the command line names in it.

    Attributes:
        engine: The engine.
    """

    engine: Any

    @classmethod
    def of(
        cls, address: str | None, partitions: int | None, values: str | None, paths: Iterable[str | None]
    ) -> EngineTables | None:
        """Connect to the engine of ``--engine``; None where neither it nor a table of an engine is named.

        Raises:
            UsageError: If a table or an option needs the engine, and there is none.
        """
        from reclens.engine import TableEngine, engine_address
        from reclens.protocols import adapter

        if address is None:
            named = [path for path in paths if path is not None and path.startswith(_SCHEME)]
            named += ["--partitions"] * (partitions is not None) + ["--values"] * (values is not None)
            if named:
                raise UsageError(f"{named[0]} needs --engine: sc://HOST:PORT, or spark:local[2] for this machine.")
            return None
        engine: Any = adapter(engine_address(address), TableEngine)
        return cls(replace(engine, partitions=partitions, values=values))

    @staticmethod
    def holds(path: str | None) -> bool:
        """Whether a path names a table of the engine."""
        return path is not None and path.startswith(_SCHEME)

    def frame(self, path: str, reading: Reading, *, table: str = "lists") -> Any:
        """A table of the engine, its columns named by ``--column``."""
        from reclens.edges._spark_frames import column_of

        frame = self.engine.table(path.removeprefix(_SCHEME))
        columns: Any = reading.of(table).get("columns") or {}
        for ours, theirs in columns.items():
            if theirs not in frame.columns:
                raise UsageError(f"--column {ours}={theirs}: {path} has {', '.join(frame.columns)}.")
        if not columns:
            return frame
        kept = {name: name for name in frame.columns if name not in {*columns, *columns.values()}} | columns
        return frame.select(*[column_of(theirs).alias(ours) for ours, theirs in kept.items()])

    def pairs(self, path: str | None, reading: Reading, *, table: str) -> Any:
        """A truth or histories: a table of the engine, or a file."""
        from reclens.data.read.open import load_truth

        if path is None:
            return None
        return self.frame(path, reading, table=table) if self.holds(path) else load_truth(path, reading, table=table)[0]

    def training(self, path: str | None, reading: Reading) -> Any:
        """Training data and attributes: tables of the engine, or files.

        Raises:
            UsageError: If attributes lie elsewhere than the interactions.
        """
        from reclens.data.read.open import load_data
        from reclens.edges.spark import SparkTables

        if path is None:
            return None
        sides = {side: own for side in ("users", "items") if (own := reading.paths.get(side)) is not None}
        for side, own in sides.items():
            if self.holds(own) != self.holds(path):
                raise UsageError(
                    f"--train is {path}, and --{side} is {own}: give both as files, or both as spark:NAME."
                )
        if not self.holds(path):
            return load_data(path, reading, table="train")
        frames = {side: self.frame(own, reading, table=side) for side, own in sides.items()}
        return SparkTables(interactions=self.frame(path, reading, table="train"), **frames)
