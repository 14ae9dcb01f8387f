"""Reading of rows from any source into one Polars frame: files, folders, DuckDB, SQL, frames of other libraries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Unpack

import polars as pl

from reclens.data.read.columns import Columns, find_columns, positional
from reclens.data.read.database import is_connection, is_database, read_query, read_table
from reclens.data.read.delimited import SAMPLE, as_utf8, has_mark, read_delimited, read_in_place
from reclens.data.read.folders import PARQUET, files_of, matching
from reclens.data.read.frames import from_frame, is_frame
from reclens.data.read.header import refuse_names_among_rows, values_among_names
from reclens.data.read.ids import as_integers
from reclens.data.read.json_rows import json_kind, read_json
from reclens.data.read.nested import PLACE, adjacency, unfold
from reclens.data.read.options import FORMS, OF_TEXT, TAKE_LESS, ReadOptions, codec_of, leave_out, refuse_text_options
from reclens.data.read.packed import is_packed, unpack
from reclens.data.read.raw import Raw
from reclens.data.read.streams import is_stream, spooled
from reclens.data.read.zips import open_members
from reclens.errors import (
    Advice,
    ArgumentTypeError,
    ArgumentValueError,
    DataError,
    Setting,
    UnknownNameError,
    UsageError,
    first_line,
    suggest,
)
from reclens.memory import require_memory
from reclens.schema import ITEM, RANK, TIMESTAMP, USER

__all__ = ["load"]

_DELIMITED: Final = (
    ".csv",
    ".tsv",
    ".txt",
    ".dat",
    ".data",
    ".base",
    ".test",
    ".inter",
    ".user",
    ".item",
    ".json",
    ".jsonl",
    ".ndjson",
    ".gz",
    ".bz2",
    ".xz",
    ".zst",
)
_BROKEN: Final = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)
"""Errors for broken files. Polars panics on some of them, and a panic is not an ``Exception``."""


def load(source: Any, *, columns: Columns | None = None, wanted: Sequence[str] = (), **how: Unpack[ReadOptions]) -> Raw:
    """Read rows from any source, with one item per row.

    Args:
        source: As for :func:`reclens.data.read.tables.read`.
        columns: As for :func:`reclens.data.read.tables.read`; columns by index imply that a text has no header.
        wanted: Columns of ours that the table may hold, for the advice where its header is none.
        **how: As for :class:`reclens.data.read.options.ReadOptions`.

    Raises:
        DataError: If the source does not exist, cannot be read or has an unknown format.
        UsageError: If arguments contradict each other.
    """
    if how.get("decimal") not in (None, ".", ","):
        raise ArgumentValueError("decimal", f"is {how.get('decimal')!r}, expected '.' or ','")
    if how.get("ids") not in (None, "text", "unpadded"):
        raise ArgumentValueError("ids", f"is {how.get('ids')!r}, expected 'text' or 'unpadded'")
    if how.get("form") not in (None, *FORMS):
        raise UnknownNameError("form", str(how.get("form")), FORMS)
    if how.get("between") is not None and how.get("form") not in ("cell", "adjacency"):
        raise UsageError(
            "what stands between items is said, and not that a row has several.",
            advice=Advice("say_form", (Setting("form", "cell"), Setting("form", "adjacency")), "Say {0} or {1} too."),
        )
    _ = codec_of(how.get("encoding"))
    raw = _loaded(source, columns, wanted, how)
    if how.get("form") == "adjacency" and not raw.text:
        raise UsageError(
            f"lines of a user and their items are text, and {raw.where} is none",
            advice=leave_out(Setting("form", "adjacency")),
        )
    return _unfolded(raw, columns, wanted, how)


def _unfolded(raw: Raw, columns: Columns | None, wanted: Sequence[str], how: ReadOptions) -> Raw:
    """Unfold cells with several items; in lists the order of the items is their rank."""
    named = {ITEM: columns[ITEM]} if columns and ITEM in columns else None
    column = (
        find_columns(raw.frame.columns, wanted=(ITEM,), required=(), columns=named, source=raw.where, strict=False).get(
            ITEM
        )
        if ITEM in wanted
        else None
    )
    if column is None:
        return raw
    as_lists = RANK in wanted and TIMESTAMP not in wanted and RANK not in (columns or {})
    place = RANK if as_lists and RANK not in raw.frame.columns else PLACE
    frame, rules = unfold(
        raw.frame, column, source=raw.where, place=place, cell=how.get("form") == "cell", between=how.get("between")
    )
    return raw if frame is raw.frame else replace(raw, frame=frame, rules=(*raw.rules, *rules))


def _loaded(source: Any, columns: Columns | None, wanted: Sequence[str], how: ReadOptions) -> Raw:
    """Read the rows without unfolding cells."""
    query, params, table = how.get("query"), how.get("params"), how.get("table")
    if query is not None:
        return _from_query(source, query, params, table, how)
    if params is not None:
        raise UsageError(
            "params are values for a query, and there is none",
            advice=Advice("give_query", (Setting("query"),), "Give it by {query}."),
        )
    if isinstance(source, Raw):
        refuse_text_options(how, "the rows were read before")
        return source
    form = _Form(how, columns, wanted)
    if isinstance(source, str | Path):
        return _from_path(str(source), table, form)
    if is_connection(source):
        refuse_text_options(how, "this is a connection of DuckDB")
        return read_table(source, "DuckDB", table)
    if table is not None:
        raise UsageError(
            "a table is named, and this is neither a DuckDB file or connection nor a zip",
            advice=leave_out(Setting("table")),
        )
    if isinstance(source, bytes):
        return _from_bytes(source, "bytes", "data", form)
    refuse_text_options(how, f"this is a {type(source).__name__}")
    if not is_frame(source):
        raise ArgumentTypeError(
            "source",
            source,
            expected="a path, a frame (Polars, pandas, PyArrow, DuckDB, or anything with __arrow_c_stream__), a "
            "mapping of columns, or a query",
        )
    return Raw(frame=from_frame(source), where=f"the {type(source).__name__}", name="data")


class _Form:
    """Options for parsing text, including those of its header."""

    def __init__(self, how: ReadOptions, columns: Columns | None, wanted: Sequence[str]) -> None:
        by_place = positional(columns)
        self.how, self.wanted, self.columns = how, wanted, columns
        self.text: dict[str, Any] = {
            "delimiter": how.get("delimiter"),
            "escape": how.get("escape"),
            "encoding": how.get("encoding"),
            "quote": how.get("quote", '"'),
        }
        given = how.get("header")
        self.header = given if given is not None else False if by_place else None

    def refuse(self, what: str, *, besides: str | None = None) -> None:
        refuse_text_options(self.how, what, besides=besides)

    def read(self, data: bytes, where: str) -> pl.DataFrame:
        """Read delimited text or JSON."""
        kind = json_kind(data)
        if kind is not None:
            self.refuse(f"{where} is JSON", besides="encoding")
            return read_json(as_utf8(data, where, self.text["encoding"]), kind, source=where)
        whole = self.integers(data, where)
        frame = read_delimited(data, source=where, header=self.header, wanted=self.wanted, whole=whole, **self.text)
        if self.header is False:
            refuse_names_among_rows(frame, where)
        return frame

    def read_in_place(self, place: Path, where: str) -> pl.DataFrame | None:
        """Read a long UTF-8 table with integer columns; None for any other file."""
        with place.open("rb") as file:
            head = file.read(SAMPLE + 1)
        given = self.how.get("escape") or self.how.get("encoding") or self.how.get("form") not in (None, "rows")
        if given or has_mark(head) or is_packed(head) or json_kind(head) is not None:
            return None
        whole = self.integers(head, where)
        if not whole:
            return None
        text = {"delimiter": self.text["delimiter"], "quote": self.text["quote"]}
        return read_in_place(place, source=where, header=self.header, wanted=self.wanted, whole=whole, **text)

    def integers(self, data: bytes, where: str) -> list[int]:
        """Indices of the id and time columns that begin with integers, in a long text with a header."""
        if len(data) <= SAMPLE or self.header is False or self.how.get("form") not in (None, "rows"):
            return []
        try:
            text = as_utf8(data[: data.rfind(b"\n", 0, SAMPLE) + 1], where, self.text["encoding"])
            how: dict[str, Any] = {**self.text, "encoding": None}
            sample = read_delimited(text, source=where, **how)
            known = find_columns(
                sample.columns,
                wanted=(USER, ITEM, TIMESTAMP),
                required=(),
                columns=self.columns,
                source=where,
                strict=False,
            )
        except (DataError, UsageError):  # reading the whole text reports the error
            return []
        return [sample.columns.index(name) for name in known.values() if as_integers(sample[name]) is not None]

    def raw(self, frame: pl.DataFrame, where: str, name: str, *, text: bool) -> Raw:
        doubtful = values_among_names(frame) if text and self.header is None else ()
        return Raw(frame=frame, where=where, name=name, text=text, decimal=self.how.get("decimal"), doubtful=doubtful)


def _from_bytes(data: bytes, where: str, name: str, form: _Form) -> Raw:
    """Read the bytes of a file, whose format is detected."""
    data = unpack(data, where)
    if form.how.get("form") == "adjacency":
        form.refuse("these are lines of ids", besides="encoding")
        frame = adjacency(data, source=where, encoding=form.how.get("encoding"), between=form.how.get("between"))
        return Raw(frame=frame, where=where, name=name, text=True)
    if data[:4] == b"PAR1":
        form.refuse(f"{where} is Parquet")
        return Raw(frame=_guarded(lambda: pl.read_parquet(data), where), where=where, name=name)
    if data[:6] == b"ARROW1":
        form.refuse(f"{where} is an Arrow file")
        return Raw(frame=_guarded(lambda: pl.read_ipc(data), where), where=where, name=name)
    return form.raw(form.read(data, where), where, name, text=json_kind(data) is None)


def _from_path(path: str, table: str | None, form: _Form) -> Raw:
    if is_stream(path):
        with spooled(path) as (place, where):
            return _from_file(place, where, "data", table, form)
    place = Path(path).expanduser()
    if place.is_dir():
        return _from_many(files_of(place), path, place.name, form)
    if not place.exists():
        matches = matching(place) if any(sign in path for sign in "*?[") else []
        if matches:
            return _from_many([Path(match) for match in matches], path, Path(path).parent.name or "data", form)
        near = suggest(place.name, [p.name for p in place.parent.iterdir()]).strip() if place.parent.is_dir() else ""
        fix = near if near.startswith("Did you mean") else "Check the path."
        raise DataError("there is no such file or folder", source=path, fix=fix)
    return _from_file(place, path, place.name.split(".")[0] or place.name, table, form)


def _from_file(place: Path, where: str, name: str, table: str | None, form: _Form) -> Raw:
    try:
        with place.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise DataError(f"it cannot be read: {error.strerror or error}", source=where) from None
    if head[8:12] == b"DUCK":
        form.refuse(f"{where} is a DuckDB file")
        return read_table(str(place), where, table)
    if head[:2] == b"PK":
        return _from_zip(place, where, table, form)
    if table is not None:
        raise UsageError(
            f"a table is named, and {where} is neither a DuckDB file nor a zip", advice=leave_out(Setting("table"))
        )
    if not head:
        raise DataError("the file is empty", source=where, fix="Expected CSV or Parquet.")
    if head[:4] == b"PAR1":
        form.refuse(f"{where} is Parquet")
        return Raw(frame=_parquet(str(place), where), where=where, name=name)
    if place.suffix.lower() in PARQUET:
        raise DataError("this is not a Parquet file (it does not begin with PAR1)", source=where, fix="Write it again.")
    frame = form.read_in_place(place, where)
    if frame is not None:
        return form.raw(frame, where, name, text=True)
    return _from_bytes(_bytes_of(place, where), where, name, form)


def _from_many(files: list[Path], path: str, name: str, form: _Form) -> Raw:
    if all(file.suffix.lower() in PARQUET for file in files):
        form.refuse(f"{path} is Parquet")
        folder = Path(path).expanduser()
        # A folder may be partitioned (day=2024-01-01/…): its columns then stand in the paths.
        hive = folder.is_dir() and any("=" in part for part in files[0].relative_to(folder).parts[:-1])
        try:
            return Raw(
                frame=pl.read_parquet([str(file) for file in files], hive_partitioning=hive, glob=False),
                where=path,
                name=name,
            )
        except _BROKEN as error:
            raise _broken_among(files, error, path) from None
    parts: list[Raw] = []
    for file in files:
        part = _from_bytes(_bytes_of(file, str(file)), str(file), name, form)
        if parts and part.frame.columns != parts[0].frame.columns:
            raise DataError(
                f"its columns are {', '.join(part.frame.columns)}; those of {files[0]} are "
                f"{', '.join(parts[0].frame.columns)}",
                source=str(file),
                fix="Files that are read together need equal columns.",
            )
        parts.append(part)
    try:
        frame = pl.concat([part.frame for part in parts], how="vertical_relaxed")
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"its files cannot be put together: {first_line(error)}",
            source=path,
            fix="Files that are read together need columns of equal types.",
        ) from None
    return replace(parts[0], frame=frame, where=path)


def _broken_among(files: list[Path], error: BaseException, path: str) -> DataError:
    """The error of the first file that cannot be read; if each can be read alone, the error of all together."""
    for file in files:
        try:
            pl.read_parquet(str(file), glob=False, hive_partitioning=False)
        except _BROKEN as own:
            return DataError(
                f"it cannot be read: {first_line(own)}", source=str(file), fix="Was it written to the end?"
            )
    return DataError(
        f"its files cannot be put together: {first_line(error)}",
        source=path,
        fix="Files that are read together need equal columns.",
    )


def _from_zip(path: Path, where: str, member: str | None, form: _Form) -> Raw:
    with open_members(path) as members:
        tables = [name for name in members.names if name.lower().endswith((*_DELIMITED, *PARQUET))]
        chosen = [name for name in tables if member in (name, name.rpartition("/")[2])] if member else tables
        if len(chosen) != 1:
            what = f"no one table '{member}'" if member else f"{len(tables)} tables"
            raise DataError(
                f"the zip has {what}: {', '.join(tables[:20]) or 'none'}",
                source=where,
                fix=Advice(
                    "choose_member",
                    (Setting("table"),),
                    "Choose one by {table}, or read a published data set with load(path).",
                ),
            )
        return _from_bytes(
            members.read(chosen[0]), f"{where}/{chosen[0]}", chosen[0].rpartition("/")[2].split(".")[0], form
        )


def _parquet(path: str, where: str) -> pl.DataFrame:
    return _guarded(lambda: pl.read_parquet(path, glob=False, hive_partitioning=False), where)


def _guarded(read: Any, where: str) -> pl.DataFrame:
    try:
        return read()
    except _BROKEN as error:
        raise _unreadable(error, where) from None


def _unreadable(error: BaseException, where: str) -> DataError:
    return DataError(f"it cannot be read: {first_line(error)}", source=where, fix="Was it written to the end?")


def _bytes_of(path: Path, where: str) -> bytes:
    try:
        require_memory(
            3 * path.stat().st_size,
            f"reading {where}",
            advice=TAKE_LESS,
        )
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"it cannot be read: {error.strerror or error}", source=where) from None


def _from_query(source: Any, query: str, params: Any, table: str | None, how: ReadOptions) -> Raw:
    """Run a query on a database, on the rows of another source, or without a source."""
    if table is not None:
        raise UsageError(
            "a query and a table are both given: name the table in the query.", advice=leave_out(Setting("table"))
        )
    text: Any = {name: value for name, value in how.items() if name in OF_TEXT}
    if source is None or is_connection(source):
        refuse_text_options(text, "the query reads no file")
        return read_query(source, query, params, where="the query")
    if isinstance(source, str | Path) and is_database(Path(source)):
        refuse_text_options(text, f"{source} is a DuckDB file")
        return read_query(str(source), query, params, where=f"the query on {source}")
    raw = load(source, **text)
    return read_query(None, query, params, where=f"the query on {raw.where}", rows=raw.frame)
