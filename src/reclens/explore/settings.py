"""What an exploration looks at, and from when on it calls something a finding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reclens.errors import ArgumentValueError

__all__ = ["ExploreSettings"]


@dataclass(frozen=True, kw_only=True)
class ExploreSettings:
    """What is looked at, and from when on it is a finding.

    Attributes:
        k: Places of a list that count as shown, and neighbours that count for hubs.
        neighbours: Of each item in the graph, at least ``k``.
        regions: Regions of the space; None for one per 100 items, 2 … 60.
        level: Confidence level.
        duplicate: Cosine from which two items are near-duplicates.
        rare: Share that has to be surely exceeded before far queries, dead stock, duplicates, hubs or moved items are a
            warning: the lower end of their interval.
        recall: Recall that an index should have.
        most_exact: Items that are tested exactly for structural reachability, at most.
        probes: Queries that an index is probed with, at most.
        remedies: Whether remedies for hubs are compared.
        text: Column of text, whose absence is a suspect; None for the first text column of the card.
        labels: Columns whose values name regions beside the words of texts, such as genres.
        category: Column that regions are held against for purity.
        price: Column of the price, a suspect.
        filters: Filters under which the recall of the index is measured.
        seed: Of samples and starts.
        threads: How many; None for one a core.

    Raises:
        UsageError: If a number is out of range.
    """

    k: int = 10
    neighbours: int = 15
    regions: int | None = None
    level: float = 0.95
    duplicate: float = 0.95
    rare: float = 0.002
    recall: float = 0.95
    most_exact: int = 500
    probes: int = 2_000
    remedies: bool = True
    text: str | None = None
    labels: tuple[str, ...] = ()
    category: str | None = None
    price: str | None = None
    filters: tuple[Mapping[str, Any], ...] = ()
    seed: int = 0
    threads: int | None = None

    def __post_init__(self) -> None:
        shares = {"level": self.level, "duplicate": self.duplicate, "rare": self.rare, "recall": self.recall}
        for name, value in shares.items():
            if not 0 < value < 1:
                raise ArgumentValueError(name, f"is {value:g}, expected a number between 0 and 1.")
        for name in ("k", "neighbours", "probes"):
            if getattr(self, name) < 1:
                raise ArgumentValueError(name, f"is {getattr(self, name)}, expected 1 or more.")
        if self.neighbours < self.k:
            raise ArgumentValueError("neighbours", f"is {self.neighbours}, expected {self.k} or more: k of them count")
