"""Options that all readers of tables share."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypedDict

from reclens.errors import Advice, ArgumentValueError, Setting, UsageError

__all__ = [
    "FORMS",
    "NAME_ENCODING",
    "OF_TEXT",
    "TAKE_LESS",
    "ReadOptions",
    "TextOptions",
    "codec_of",
    "leave_out",
    "name_column",
    "refuse_text_options",
]

FORMS: Final = ("rows", "cell", "adjacency")
"""Layouts of items in a table."""
OF_TEXT: Final = ("delimiter", "quote", "escape", "decimal", "encoding", "header")
"""Options of delimited text; ``encoding`` applies to JSON too."""

NAME_ENCODING: Final = Advice(
    "name_encoding",
    (Setting("encoding", "latin-1"), Setting("encoding", "cp1252")),
    "Name the encoding it was written in, such as {0} or {1}.",
)
TAKE_LESS: Final = Advice(
    "take_less",
    (Setting("query"),),
    "Take the rows and columns that are needed by {query}, or write it as Parquet first.",
)
"""Advice that several readers give."""


class TextOptions(TypedDict, total=False):
    r"""Options for parsing delimited text.

    Attributes:
        delimiter: Separator of the fields, one or more characters; None to find out.
        quote: What encloses a field that holds the delimiter; ``'"'`` where it is not given, None for nothing. With a
            delimiter of several characters there are no quotes.
        escape: What makes the next character part of the value, such as a backslash; by default nothing does, and a
            quote within quotes is doubled.
        encoding: Of the text; a byte-order mark overrules it. UTF-8 where it is not given.
        header: Whether the first line names the columns. Where it is not given, it does unless columns are named by
            place, and a first line that looks like values is an error.
    """

    delimiter: str | None
    quote: str | None
    escape: str | None
    encoding: str | None
    header: bool | None


class ReadOptions(TextOptions, total=False):
    """How a source is read; what has no meaning for a source is an error.

    Attributes:
        decimal: The decimal mark of numbers in text, ``"."`` or ``","``; found column by column where it is not given.
        ids: ``"text"`` keeps the ids of users and items text, also where all of them are integers; ``"unpadded"`` takes
            leading zeros off too, so that ``007`` and ``7`` are the same.
        form: ``"rows"`` has one item a row; ``"cell"`` has the items of a row in one cell, as a submission
            ``user, "i1 i2 i3"`` does (columns of lists are told by their type); ``"adjacency"`` has lines
            ``user i1 i2 …`` without a header.
        between: What stands between the items of a cell or a line; found out where it is not given: ``|``, ``;`` or
            ``,`` where there is one, and blanks.
        query: SQL for DuckDB.
        params: Values for the placeholders of the query; they are bound, never pasted.
        table: A table of a DuckDB database, or a member of a zip.
    """

    decimal: Literal[".", ","] | None
    ids: Literal["text", "unpadded"] | None
    form: Literal["rows", "cell", "adjacency"] | None
    between: str | None
    query: str | None
    params: Mapping[str, Any] | Sequence[Any] | None
    table: str | None


def refuse_text_options(how: Mapping[str, Any], what: str, *, besides: str | None = None) -> None:
    """Raise an error if options of delimited text are given for another kind of source.

    Args:
        how: The options that were given.
        what: What the source is, for the message.
        besides: An option that applies to the source nevertheless.

    Raises:
        UsageError: If there is one.
    """
    for name in OF_TEXT:
        given = name in how and (how[name] is not None or name == "quote")
        if given and name != besides:
            raise UsageError(f"{name} is an option of delimited text, and {what}", advice=leave_out(Setting(name)))


def leave_out(*settings: Setting) -> Advice:
    """Advice to omit settings.

    >>> leave_out(Setting("quote"), Setting("escape")).said()
    'Leave out quote= and escape=.'
    """
    return Advice("leave_out", settings, f"Leave out {' and '.join(f'{{{each.name}}}' for each in settings)}.")


def name_column(ours: str, theirs: str = "your name") -> Advice:
    """Advice to name a column of the schema.

    >>> name_column("user_id", "customer").said()
    "Name it: columns={'user_id': 'customer'}."
    """
    return Advice("name_column", (Setting("columns", {ours: theirs}),), "Name it: {columns}.")


def codec_of(encoding: str | None) -> str:
    """Python's name of a text encoding.

    Raises:
        UsageError: If Python does not know it, or it is not a text encoding (such as base64).

    Example:
        >>> codec_of("latin1"), codec_of(None)
        ('iso8859-1', 'utf-8')
    """
    try:
        found = codecs.lookup(encoding or "utf-8")
    except (LookupError, ValueError):
        raise ArgumentValueError(
            "encoding", f"is {encoding!r}, which Python does not know; try 'utf-8' or 'latin-1'"
        ) from None
    # str.encode and open() use the same flag to reject bytes-to-bytes codecs.
    if not getattr(found, "_is_text_encoding", True):
        raise ArgumentValueError("encoding", f"is {encoding!r}, which is no encoding of text; try 'utf-8' or 'latin-1'")
    return found.name
