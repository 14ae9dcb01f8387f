"""PostgreSQL as a warehouse: ``postgres:TABLE`` on the command line.

Needs the extras ``pgvector``, which brings psycopg, and ``sql``. The address and the password are read from the
environment, as every client of PostgreSQL reads them: ``PGHOST``, ``PGPORT``, ``PGUSER``, ``PGPASSWORD`` and
``PGDATABASE``.
"""

from __future__ import annotations

import weakref
from typing import Any

from reclens.data.warehouse import Warehouse
from reclens.engine import need
from reclens.errors import StoreError, first_line

__all__ = ["connect"]


def connect(rest: str = "") -> Warehouse:
    """The server that the environment names; the rest of an address is a table, which is named to the warehouse.

    Raises:
        StoreError: If it cannot be reached, or refuses the user.
        MissingExtraError: If psycopg or SQLGlot is not installed.
    """
    psycopg: Any = need("psycopg", extra="pgvector")
    need("sqlglot", extra="sql")
    try:
        connection = psycopg.connect("", autocommit=True)
        found = Warehouse(connection)
        weakref.finalize(found, connection.close)
        return found
    except psycopg.Error as error:
        raise StoreError(
            f"PostgreSQL cannot be reached: {first_line(error)}. The variables PGHOST, PGPORT, PGUSER, PGPASSWORD and "
            "PGDATABASE say where it is.",
            code="down",
        ) from None
