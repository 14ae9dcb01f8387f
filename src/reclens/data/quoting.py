"""Names, texts and paths as SQL takes them literally: what is put into a query is data and never a part of it."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["constant", "literal_path", "quoted"]


def quoted(name: str) -> str:
    """A name as an identifier: within double quotes, and its own doubled.

    >>> quoted("days since")
    '"days since"'
    """
    return '"' + name.replace('"', '""') + '"'


def constant(value: str) -> str:
    """A text as a constant: within single quotes, and its own doubled.

    >>> constant("it's")
    "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"


def literal_path(path: Path) -> str:
    """A path that a reader of patterns takes for itself alone, such as ``out[1]``."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))
