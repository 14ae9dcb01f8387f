"""Tables of a warehouse on the command line: ``postgres:TABLE`` beside files."""

from __future__ import annotations

from typing import Final

from reclens.data.warehouse import Warehouse
from reclens.errors import UsageError

__all__ = ["in_warehouse", "warehouse_table"]

_SCHEME: Final = "postgres:"


def in_warehouse(path: str | None) -> bool:
    """Whether a path names a table of a warehouse."""
    return path is not None and path.startswith(_SCHEME)


def warehouse_table(path: str) -> tuple[Warehouse, str]:
    """The warehouse of a path, and its table.

    Raises:
        UsageError: If no table is named.
    """
    from reclens.protocols import adapter

    table = path.removeprefix(_SCHEME)
    if not table:
        raise UsageError(f"'{path}' names no table. Expected {_SCHEME}TABLE, such as {_SCHEME}shop.events.")
    return adapter(path, Warehouse), table
