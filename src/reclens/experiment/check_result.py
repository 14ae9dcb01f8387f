"""What a guard says: its code, whether it blocks, what was seen, and the numbers behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from reclens.tabular import Tabular

__all__ = ["BEYOND_CHANCE", "SUSPECT", "GuardCode", "GuardStatus", "TrustCheck"]

GuardCode = Literal[
    "sample_ratio",
    "triggered_ratio",
    "untriggered",
    "rows",
    "missing_values",
    "duplicates",
    "extreme_units",
    "unit",
    "balance",
    "outliers",
    "skewness",
    "peeking",
    "power",
    "weeks",
]
"""The guards, in the order to read them."""

GuardStatus = Literal["fine", "look", "blocks", "not checked"]

_NAMES: Final[dict[GuardCode, str]] = {
    "sample_ratio": "sample ratio",
    "triggered_ratio": "sample ratio of triggered units",
    "rows": "rows",
    "missing_values": "missing values",
    "duplicates": "duplicates",
    "extreme_units": "extreme units",
    "unit": "unit",
    "untriggered": "untriggered units",
    "balance": "A/A on the past",
    "outliers": "outliers",
    "skewness": "skewness",
    "peeking": "peeking",
    "power": "power",
    "weeks": "whole weeks",
}

BEYOND_CHANCE: Final = 0.001
"""p-value below which arms differ beyond chance: many experiments are checked, most days."""

SUSPECT: Final = 0.05
"""p-value below which a difference is mentioned."""


@dataclass(frozen=True)
class TrustCheck(Tabular):
    """One guard.

    Attributes:
        code: Which guard it is.
        status: ``fine``; ``look``: something to keep in mind; ``blocks``: no verdict before it is explained; ``not
            checked``: the data for it were not there.
        finding: What was seen, in a sentence.
        rows: The numbers behind it.
    """

    code: GuardCode
    status: GuardStatus
    finding: str
    rows: tuple[dict[str, Any], ...] = ()

    @property
    def name(self) -> str:
        """What is guarded, for readers."""
        return _NAMES[self.code]

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [{"code": self.code, "guard": self.name, "status": self.status, "finding": self.finding}]
