"""RecBole's atomic files: ``NAME.inter``, ``NAME.user``, ``NAME.item``, tab-separated, with typed headers.

A header such as ``user_id:token  timestamp:float  genre:token_seq`` gives each field a type: ``token`` and
``token_seq`` are names (one, or several with blanks between), ``float`` and ``float_seq`` numbers. Here ``token`` is
integers where all of it is written as integers are, else text; ``token_seq`` is a list of text. Empty is missing, in a
sequence no value.
See https://recbole.io/docs/user_guide/data/atomic_files.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl

from reclens.data.dataset import Dataset
from reclens.data.read.attributes import clean_attributes
from reclens.data.read.clean import BadRows, Cleaner, clean_numbers
from reclens.data.read.columns import Columns
from reclens.data.read.delimited import read_delimited
from reclens.data.read.duplicates import Duplicates
from reclens.data.read.ids import as_integers
from reclens.data.read.raw import Raw
from reclens.data.read.tables import make_dataset
from reclens.data.read.zips import atomic_path
from reclens.errors import Advice, ArgumentValueError, DataError, Setting
from reclens.schema import ITEM, TIMESTAMP, USER

__all__ = ["read_recbole", "write_recbole"]

_TYPES: Final = ("token", "token_seq", "float", "float_seq")


def read_recbole(
    path: str | Path,
    *,
    columns: Columns | None = None,
    duplicates: Duplicates = "last",
    bad_rows: BadRows = "error",
    sequence_separator: str = " ",
    delimiter: str = "\t",
    encoding: str | None = None,
) -> Dataset:
    """Read a data set in RecBole's atomic files.

    Args:
        path: A folder with one ``.inter`` file, that file itself, or its path without ``.inter``.
        columns: As for :func:`reclens.read`.
        duplicates: As for :func:`reclens.read`.
        bad_rows: As for :func:`reclens.read`.
        sequence_separator: Separator of the values of a sequence (RecBole's ``seq_separator``).
        delimiter: Separator of the fields (RecBole's ``field_separator``).
        encoding: Of the text; UTF-8 where it is not given.

    Returns:
        The data set; ``users`` and ``items`` where ``.user`` and ``.item`` are there. Other atomic files (``.kg``,
        ``.link``, ``.net``) are not read.

    Raises:
        DataError: If a file is missing, or does not match its header.
    """
    inter = _find(Path(path).expanduser())
    form = {"delimiter": delimiter, "encoding": encoding}
    raw = _read_file(inter, sequence_separator, form)
    tables: dict[str, tuple[pl.DataFrame, Cleaner] | None] = {}
    for key, ending in ((USER, ".user"), (ITEM, ".item")):
        file = inter.with_name(re.sub(r"\.(train|valid|test)$", "", inter.stem) + ending)  # part of a ready-made split
        own = _read_file(file, sequence_separator, form) if file.is_file() else None
        tables[key] = None if own is None else clean_attributes(own, key, columns=columns, bad_rows=bad_rows)
    return make_dataset(
        raw,
        users=tables[USER],
        items=tables[ITEM],
        columns=columns,
        name=inter.stem,
        duplicates=duplicates,
        bad_rows=bad_rows,
        card={"layout": "RecBole atomic files"},
    )


def write_recbole(
    data: Dataset, folder: str | Path, *, name: str | None = None, sequence_separator: str = " "
) -> list[Path]:
    """Write a data set as RecBole's atomic files, ready for ``data_path`` of its configuration.

    Times are seconds since 1970. Integers, text and truth values become ``token``, floats ``float``; lists of text
    become ``token_seq``, lists of numbers ``float_seq``. A missing list comes back as an empty one.

    Args:
        data: What to write, with all repeats of a pair; segments and card are not part of the format.
        folder: Where to put ``NAME.inter``, ``NAME.user``, ``NAME.item``; made if it is not there.
        name: The ``NAME``; by default that of the data.
        sequence_separator: What to put between the values of a sequence (RecBole's ``seq_separator``).

    Returns:
        The files.

    Raises:
        DataError: If a value holds a tab, a line break or, in a sequence, the separator: the format has no quotes.
    """
    if not sequence_separator or set(sequence_separator) & {"\t", "\n", "\r"}:
        raise ArgumentValueError(
            "sequence_separator", "has to be text without tabs and line breaks, such as ' ' or '|'."
        )
    name = name or data.name
    if not name or Path(name).name != name:
        raise ArgumentValueError("name", f"is {name!r}, expected a file name without its ending")
    written: list[Path] = []
    for ending, table in ((".inter", data.events), (".user", data.users), (".item", data.items)):
        if table is None:
            continue
        path = Path(folder).expanduser() / f"{name}{ending}"
        fields = [_to_text(column, path.name, sequence_separator) for column in table]
        with atomic_path(path) as temporary:
            pl.DataFrame(fields).write_csv(temporary, separator="\t", quote_style="never", null_value="")
        written.append(path)
    return written


def _find(path: Path) -> Path:
    if path.is_dir():
        found = sorted(path.glob("*.inter"))
        if len(found) != 1:
            names = ", ".join(file.name for file in found) or "none"
            raise DataError(
                f"the folder has {len(found)} .inter files ({names}), expected one",
                source=str(path),
                fix="Name the file itself.",
            )
        return found[0]
    inter = path if path.suffix == ".inter" else path.with_name(path.name + ".inter")
    if not inter.is_file():
        raise DataError(
            "there is no such file", source=str(inter), fix="Expected a folder with NAME.inter, or that file."
        )
    return inter


def _read_file(path: Path, separator: str, form: Mapping[str, Any]) -> Raw:
    """Read a table; its header gives each column its name and type."""
    source = str(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"it cannot be read: {error.strerror or error}", source=source) from None
    # The format has no quoting: a quotation mark is part of a value.
    frame = read_delimited(data, source=source, quote=None, **form)
    cleaner = Cleaner(source)
    made: list[pl.Series] = []
    for header in frame.columns:
        field, _, kind = header.rpartition(":")
        if kind not in _TYPES or not field:
            raise DataError(
                f"the header is '{header}', expected name:type",
                source=source,
                fix=f"Types are {', '.join(_TYPES)}, such as user_id:token.",
            )
        values = frame[header].alias(field)
        if field in (USER, ITEM, TIMESTAMP):
            made.append(_token(values))  # cleaned later, with the rules for bad rows
        elif kind == "token":
            made.append(_token(values))
        elif kind == "float":
            made.append(clean_numbers(values, cleaner, column=field, missing_ok=True))
        else:
            parts = values.fill_null("").str.split(separator).list.eval(pl.element().filter(pl.element() != ""))
            made.append(parts if kind == "token_seq" else _numbers(parts, frame[header], source, field))
    return Raw(frame=pl.DataFrame(made), where=source, name=path.stem)


def _token(values: pl.Series) -> pl.Series:
    whole = as_integers(values)
    return values if whole is None else whole


def _numbers(parts: pl.Series, given: pl.Series, source: str, field: str) -> pl.Series:
    numbers = parts.list.eval(pl.element().cast(pl.Float64, strict=False))
    bad = numbers.list.eval(pl.element().is_null()).list.any()
    if bad.any():
        row = int(bad.fill_null(False).arg_true()[0])
        raise DataError(f"{given[row]!r} is not a list of numbers", source=source, column=field, row=row + 1)
    return numbers


def _to_text(column: pl.Series, source: str, separator: str) -> pl.Series:
    """Convert a column to text; returns it under its typed header."""
    dtype = column.dtype
    if isinstance(dtype, pl.Datetime):
        kind, text = "float", _seconds(column)
    elif dtype.is_float():
        kind, text = "float", column.cast(pl.String)
    elif isinstance(dtype, pl.List):
        inner: Any = dtype.inner
        kind = "float_seq" if inner.is_numeric() else "token_seq"
        values = column.cast(pl.List(pl.String))
        _refuse(
            values.list.eval(pl.element().str.contains(separator, literal=True)).list.any(),
            column,
            source,
            f"a value holds the separator {separator!r} of sequences",
            Advice("other_separator", (Setting("sequence_separator", "|"),), "Pass {sequence_separator}, or another."),
        )
        text = values.list.join(separator).fill_null("")
    elif dtype.is_numeric() or isinstance(dtype, pl.String | pl.Boolean | pl.Categorical | pl.Enum | pl.Date):
        kind, text = "token", column.cast(pl.String)
    else:
        raise DataError(f"the column is {dtype}, which the format cannot hold", source=source, column=column.name)
    _refuse(
        text.str.contains(r"[\t\r\n]"),
        column,
        source,
        "a value holds a tab or a line break",
        "The format has no quotes: clean the text first.",
    )
    return text.alias(f"{column.name}:{kind}")


def _seconds(times: pl.Series) -> pl.Series:
    """Seconds since 1970 as text, with a fraction only where there is one."""
    micro = times.dt.epoch("us")
    fraction = micro % 1_000_000
    whole = (micro // 1_000_000).cast(pl.String)
    digits = fraction.cast(pl.String).str.zfill(6)
    return whole.zip_with(fraction.fill_null(0) == 0, whole + "." + digits)


def _refuse(bad: pl.Series, column: pl.Series, source: str, problem: str, fix: str | Advice) -> None:
    bad = bad.fill_null(False)
    if bad.any():
        raise DataError(problem, source=source, column=column.name, row=int(bad.arg_true()[0]) + 1, fix=fix)
