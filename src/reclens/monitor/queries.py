"""The SQL of the marts: plain SELECTs, one a file of ``monitor/sql``."""

from __future__ import annotations

from importlib import resources

from reclens.errors import UnknownNameError

__all__ = ["names", "sql"]


def names() -> list[str]:
    """The names of the queries, in alphabetical order."""
    folder = resources.files("reclens.monitor") / "sql"
    return sorted(each.name.removesuffix(".sql") for each in folder.iterdir() if each.name.endswith(".sql"))


def sql(name: str) -> str:
    """The text of a query, comments and all.

    Raises:
        UnknownNameError: If there is none of that name.

    Example:
        >>> sql("user_cohort").splitlines()[0]
        '-- What each user did in a day.'
    """
    if name not in names():
        raise UnknownNameError("query", name, names())
    return (resources.files("reclens.monitor") / "sql" / f"{name}.sql").read_text(encoding="utf-8")
