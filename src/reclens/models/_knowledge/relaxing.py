"""Relaxation of requirements that no item meets: minimal relaxations and minimal conflicts.

An item fits if the requirements that it fails are dropped. The minimal sets of requirements to drop are therefore the
minimal ones among the sets that items fail, the minimal diagnoses of Felfernig et al. (2012). The minimal sets of
requirements that no item meets together, the conflicts of Junker (2004), are the minimal hitting sets of the minimal
relaxations. Both are exact: the failed requirements of an item are encoded as the bits of an integer, and there are few
distinct integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from reclens.tabular import Tabular

__all__ = ["Relaxation", "Relaxations", "minimal_conflicts", "minimal_relaxations"]


@dataclass(frozen=True)
class Relaxation:
    """Requirements that can be dropped together, so that an item fits.

    Attributes:
        dropped: The requirements.
        n_items: How many items then fit.
        items: The best of them, by score.
        instead: If one requirement on a number is dropped: the nearest value with a fitting item; else None.
    """

    dropped: tuple[str, ...]
    n_items: int
    items: tuple[Any, ...]
    instead: str | None


@dataclass(frozen=True)
class Relaxations(Tabular):
    """Alternatives for requirements that no item meets.

    Attributes:
        requirements: The requirements.
        n_fit: Number of items that meet all of them.
        alternatives: The minimal relaxations, ordered by the number of dropped requirements, then by the number of
            items, descending. Empty if an item fits.
        conflicts: Minimal sets of requirements that no item meets together; dropping one of a set resolves it.
    """

    requirements: tuple[str, ...]
    n_fit: int
    alternatives: tuple[Relaxation, ...]
    conflicts: tuple[tuple[str, ...], ...]

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row a relaxation."""
        return [
            {
                "rank": rank,
                "drop": "; ".join(each.dropped),
                "items": each.n_items,
                "instead": each.instead,
                "for example": ", ".join(map(str, each.items)),
            }
            for rank, each in enumerate(self.alternatives, 1)
        ]


def minimal_relaxations(failed: np.ndarray) -> list[tuple[int, int]]:
    """Find the minimal sets among the sets of requirements that items fail.

    Args:
        failed: Bit j of an item's value is 1 if it fails requirement j: int64, shape (items,).

    Returns:
        Sets as bits with the number of items that fail exactly those. They are ordered by fewest requirements, then by
        most items, then by later requirements, so that the ones declared first are kept longest.

    Example:
        >>> minimal_relaxations(np.array([0b011, 0b100, 0b110, 0b100]))
        [(4, 2), (3, 1)]
    """
    sets, counts = np.unique(failed, return_counts=True)
    sizes = np.bitwise_count(sets)
    kept: list[int] = []
    found: list[tuple[int, int]] = []
    for at in np.lexsort((-sets, -counts, sizes)):
        inside = np.array(kept, np.int64)
        if not np.any((inside & sets[at]) == inside):
            kept.append(int(sets[at]))
            found.append((int(sets[at]), int(counts[at])))
    return found


def minimal_conflicts(relaxations: list[int]) -> list[int]:
    """Find the minimal hitting sets of the minimal relaxations (Berge 1989), the smallest first.

    Example:
        >>> minimal_conflicts([0b100, 0b011])
        [5, 6]
    """
    if 0 in relaxations:
        return []
    found = {0}
    for each in relaxations:
        bits = [1 << at for at in range(each.bit_length()) if each >> at & 1]
        grown = {old for old in found if old & each} | {old | bit for old in found if not old & each for bit in bits}
        found = set[int]()
        for one in sorted(grown, key=int.bit_count):
            if not any(kept & one == kept for kept in found):
                found.add(one)
    return sorted(found, key=lambda one: (one.bit_count(), one))
