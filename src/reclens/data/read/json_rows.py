"""JSON as rows: JSON Lines, as Yelp and Amazon publish reviews, or an array of objects."""

from __future__ import annotations

import io
import json
import re
from typing import Final, Literal

import polars as pl

from reclens.data.read.options import NAME_ENCODING
from reclens.errors import DataError, first_line

__all__ = ["json_kind", "read_json"]

Kind = Literal["lines", "array", "literals"]

_MEND: Final = (
    'python -c "import ast, json, sys; [print(json.dumps(ast.literal_eval(line))) for line in sys.stdin]" '
    "< FILE > rows.jsonl"
)
_HEAD: Final = 1 << 10
_FORMS: Final[tuple[tuple[Kind, bytes], ...]] = (
    ("literals", rb"\s*\[?\s*\{\s*[uUbB]?'"),
    ("lines", rb'\s*\{\s*("|\})'),
    ("array", rb"\s*\[\s*(\{|\]\s*$)"),
)


def json_kind(data: bytes) -> Kind | None:
    r"""Detect the kind of JSON: ``"lines"``, ``"array"``, Python ``"literals"``, or None if it is not JSON.

    Example:
        >>> json_kind(b'{"user": 1}\n{"user": 2}'), json_kind(b"{u'user': 1}"), json_kind(b"user,item\n1,2")
        ('lines', 'literals', None)
    """
    head = data[:_HEAD].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe")
    return next((kind for kind, form in _FORMS if re.match(form, head)), None)


def read_json(data: bytes, kind: Kind, *, source: str) -> pl.DataFrame:
    """Read rows of JSON; missing keys become null.

    Args:
        data: UTF-8.
        kind: As :func:`json_kind` says.
        source: File, for messages.

    Raises:
        DataError: If it is not valid JSON, or does not hold objects.
    """
    if kind == "literals":
        raise DataError(
            "the rows are literals of Python ('single quotes'), which are no JSON",
            source=source,
            fix=f"Write them as JSON first: {_MEND}",
        )
    try:
        if kind == "lines":
            frame = pl.read_ndjson(data, infer_schema_length=None)
        else:
            frame = pl.read_json(io.BytesIO(data), infer_schema_length=None)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError) as error:
        raise _explained(data, kind, error, source) from None
    if not frame.width:
        raise DataError("there are no rows", source=source, fix='Expected objects, such as {"user_id": 1}.')
    return frame


def _explained(data: bytes, kind: Kind, error: BaseException, source: str) -> DataError:
    """Find the error in JSON that the fast reader could not read."""
    fix = 'Expected an object a line, such as {"user_id": 1, "item_id": 7}, or one array of objects.'
    row = None
    try:
        text = data.decode("utf-8")
        if kind == "lines":
            for number, line in enumerate(text.splitlines(), 1):
                row = number
                if line.strip() and not isinstance(json.loads(line), dict):
                    return DataError("the line is no object", source=source, row=number, fix=fix)
        else:
            for number, each in enumerate(json.loads(text), 1):
                if not isinstance(each, dict):
                    return DataError("what the array holds here is no object", source=source, row=number, fix=fix)
    except UnicodeDecodeError as bad:
        return DataError(
            f"it is not UTF-8: {bad.reason} at byte {bad.start:,}",
            source=source,
            fix=NAME_ENCODING,
        )
    except ValueError as bad:
        return DataError(f"it is no JSON: {bad}", source=source, row=row, fix=fix)
    return DataError(f"it cannot be read as a table: {first_line(error)}", source=source, fix=fix)
