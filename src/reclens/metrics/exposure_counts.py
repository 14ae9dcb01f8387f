"""Exposure: how often each item was recommended. Counts add up over chunks and days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reclens.errors import IncomparableError

__all__ = ["Exposure"]


@dataclass(frozen=True, eq=False)
class Exposure:
    """How often each item of the catalogue stands in the lists of a group of users.

    Attributes:
        counts: int64, one number a catalogue item, shape (items,); items never recommended count 0.
        outside: Recommendations of items that are not in the catalogue.
    """

    counts: np.ndarray
    outside: int = 0

    def __add__(self, other: Exposure) -> Exposure:
        """Exposure over both groups.

        Raises:
            IncomparableError: If the catalogues differ in size.
        """
        if len(self.counts) != len(other.counts):
            raise IncomparableError(
                f"catalogues of {len(self.counts):,} and {len(other.counts):,} items cannot be added up. "
                "Evaluate both against the same catalogue."
            )
        return Exposure(self.counts + other.counts, self.outside + other.outside)
