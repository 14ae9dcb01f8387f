"""What a table of an experiment cannot tell, as codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from reclens.tabular import Tabular

__all__ = ["Unknown", "UnknownCode"]

UnknownCode = Literal[
    "repeated_units",
    "crossed_units",
    "shared_ids",
    "missing_values",
    "extreme_units",
    "outliers",
    "skewness",
    "covariates",
    "cap",
    "segments",
    "unread_metrics",
]


@dataclass(frozen=True)
class Unknown(Tabular):
    """One thing that a table cannot tell.

    Attributes:
        code: What it is.
        of: The metrics or columns that it is about; empty where it is the whole table.
    """

    code: UnknownCode
    of: tuple[str, ...] = ()

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [{"code": self.code, "of": ", ".join(self.of)}]
