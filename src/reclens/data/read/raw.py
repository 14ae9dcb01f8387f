"""Rows of a source before any column is renamed or checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from reclens.cards import AppliedRule

__all__ = ["Raw"]


@dataclass(frozen=True, kw_only=True)
class Raw:
    """Rows of a source, and what is known about them.

    Attributes:
        frame: The rows.
        where: File or table, for messages.
        name: A short name for it.
        text: Whether every column is text because the file had no types.
        decimal: The decimal mark of numbers in text; None to find it out.
        doubtful: Names of the header that look like values, unless the caller confirmed the header.
        rules: Rules that were already applied, with counts.
    """

    frame: pl.DataFrame
    where: str
    name: str
    text: bool = False
    decimal: Literal[".", ","] | None = None
    doubtful: tuple[str, ...] = ()
    rules: tuple[AppliedRule, ...] = ()
