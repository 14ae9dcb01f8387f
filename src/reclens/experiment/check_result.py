"""What a trust check says: its code, whether it blocks, what was seen, and the numbers behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from reclens.tabular import Tabular

__all__ = ["BEYOND_CHANCE", "SUSPECT", "TrustCheck", "TrustCheckCode", "TrustCheckStatus"]

TrustCheckCode = Literal[
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
"""The trust checks, in the order to read them."""

TrustCheckStatus = Literal["pass", "warn", "fail", "skipped"]

_NAMES: Final[dict[TrustCheckCode, str]] = {
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
    """One trust check.

    Attributes:
        code: Which trust check it is.
        status: ``pass``; ``warn``: something to keep in mind; ``fail``: no decision before it is explained;
            ``skipped``: the data for it were not there.
        finding: What was seen, in a sentence.
        rows: The numbers behind it.
    """

    code: TrustCheckCode
    status: TrustCheckStatus
    finding: str
    rows: tuple[dict[str, Any], ...] = ()

    @property
    def name(self) -> str:
        """What is checked, for readers."""
        return _NAMES[self.code]

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [{"code": self.code, "check": self.name, "status": self.status, "finding": self.finding}]
