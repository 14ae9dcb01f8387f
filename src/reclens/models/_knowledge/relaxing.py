"""Which requirements to drop when no item meets them all: minimal relaxations and minimal conflicts.

An item fits once the requirements that it fails are dropped. So the sets of requirements that can be dropped to let
some item fit, and from which nothing can be left out, are the minimal ones among the sets that items fail: what
Felfernig et al. (2012) call minimal diagnoses. The sets of requirements that no item meets together, and from which
nothing can be left out (the conflicts of Junker 2004), are the minimal sets that meet every minimal relaxation. Both
are exact: the failed requirements of an item are the bits of a number, and there are few different numbers.
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
        instead: Where one requirement on a number is dropped: the nearest one that lets an item fit, or None.
    """

    dropped: tuple[str, ...]
    n_items: int
    items: tuple[Any, ...]
    instead: str | None


@dataclass(frozen=True)
class Relaxations(Tabular):
    """What to drop when no item meets all requirements.

    Attributes:
        requirements: The requirements.
        n_fit: Items that meet all of them.
        alternatives: The minimal relaxations: first those that drop the fewest, and of these those that bring the most
            items. None where an item fits.
        conflicts: The requirements that no item meets together; leaving out any one of a conflict resolves it.
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
    """The minimal sets among those that items fail.

    Args:
        failed: Bit j of an item's number is 1 where it fails requirement j: int64, shape (items,).

    Returns:
        Sets as bits with the number of items that fail just those: the fewest requirements first, of these the most
        items, of these the later requirements: what is declared first is kept longest.

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
    """The minimal sets that share a requirement with each minimal relaxation (Berge 1989), the smallest first.

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
