"""Vectors from files and tables: Parquet, npy, safetensors, and frames of any library."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.data.read.frames import from_frame, is_frame, read_parquet
from reclens.errors import (
    Advice,
    ArgumentTypeError,
    DataError,
    Setting,
    UnknownNameError,
    UsageError,
    first_line,
)
from reclens.explore.space import EmbeddingCard, EmbeddingSpace, Entity
from reclens.explore.vectors import as_vectors, check_ids, unit_vectors

__all__ = ["read_safetensors", "read_vectors"]

_KINDS: Final[Mapping[str, str]] = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I32": "<i4", "I64": "<i8"}
_HEADER: Final = 100_000_000
"""Bytes of the largest header that the format allows."""


def read_vectors(
    source: Any,
    *,
    ids: Any = None,
    id_column: str = "item_id",
    vector_column: str | None = None,
    tensor: str | None = None,
    model: str | None = None,
    revision: str | None = None,
    entity: Entity = "item",
    name: str | None = None,
    invalid: Literal["refuse", "leave_out"] = "refuse",
    normalize: bool = False,
) -> EmbeddingSpace:
    """Vectors that another system made, as a space.

    Args:
        source: A file (``.parquet``, ``.npy``, ``.safetensors``), a frame of any library that speaks Arrow, or an
            array, shape (n, d).
        ids: Ids of an array, in its order, or a table that has them in ``id_column``; its other columns become
            attributes. None numbers the rows from 0.
        id_column: The column of ids.
        vector_column: The column of vectors of a table; None where only one column holds lists of numbers.
        tensor: The tensor of a safetensors file; None where it holds one table.
        model: What made the vectors; None for the name of the file.
        revision: Which version of it; None for a hash of the vectors.
        entity: What the ids are.
        name: Name of the space; None for that of the model.
        invalid: What is done about vectors that are 0 or not finite: ``"refuse"``, or list them in ``left_out``.
        normalize: Divide each vector by its length.

    Raises:
        DataError: If the file is broken, an id repeats, or vectors differ in length, are 0 or are not finite.
        UnknownNameError: If there is no such column or tensor.
        UsageError: If it does not say which column or tensor holds the vectors.

    Example:
        >>> space = read_vectors(np.eye(2), ids=["a", "b"], model="by_hand")
        >>> space.ids.to_list(), space.card.model, space.card.dimension
        (['a', 'b'], 'by_hand', 2)
    """
    where = source if isinstance(source, str | Path) else None
    found = _read(source, tensor) if where is not None else source
    column, of = id_column, where
    if isinstance(found, np.ndarray):
        vectors, known, table = found, *_ids_of(ids, len(found), id_column)
        of = ids if isinstance(ids, str | Path) else None
        column = id_column if of is not None or is_frame(ids) else None
    elif is_frame(found):
        frame = from_frame(found)
        if id_column not in frame.columns:
            raise UnknownNameError("column", id_column, frame.columns)
        chosen = _vector_column(frame, vector_column)
        vectors, known = (
            _stacked(frame, chosen, id_column, source=None if where is None else str(where)),
            frame[id_column],
        )
        table = frame.drop(id_column, chosen)
    else:
        raise ArgumentTypeError("source", source, expected="a file, a frame or an array")
    vectors = as_vectors(vectors)
    if len(known) != len(vectors):
        raise DataError(
            f"there are {len(known):,} ids and {len(vectors):,} vectors",
            source=None if where is None else str(where),
            fix="Give one id a vector.",
        )
    check_ids(known, column=column, source=None if of is None else str(of))
    if normalize:
        vectors = unit_vectors(vectors)
    label = model or ("array" if where is None else Path(where).stem)
    digest = hashlib.blake2b(np.ascontiguousarray(vectors).view(np.uint8).data, digest_size=8).hexdigest()
    card = EmbeddingCard(
        model=label, revision=revision or digest, dimension=vectors.shape[1], source="file", normalized=normalize
    )
    table = table.rename({"id": "id_"}) if "id" in table.columns else table
    make = EmbeddingSpace.of_usable if invalid == "leave_out" else EmbeddingSpace
    return make(ids=known, vectors=vectors, card=card, entity=entity, name=name or label, attributes=table)


def _read(source: str | Path, tensor: str | None) -> np.ndarray | pl.DataFrame:
    path = Path(source)
    readers: dict[str, Callable[[Path], Any]] = {
        ".npy": lambda path: np.load(path, allow_pickle=False),
        ".parquet": read_parquet,
        ".safetensors": lambda path: read_safetensors(path, tensor),
    }
    if path.suffix.lower() not in readers:
        raise UsageError(f"{path} is of no kind that is read. Expected {', '.join(readers)}.")
    if not path.exists():
        raise DataError("there is no such file or folder", source=str(path), fix="Check the path.")
    try:
        return readers[path.suffix.lower()](path)
    except (OSError, ValueError, EOFError, pl.exceptions.PolarsError) as error:
        if isinstance(error, DataError | UsageError):
            raise
        raise DataError(
            f"it cannot be read: {first_line(error)}", source=str(path), fix="Write the file again."
        ) from error


def _ids_of(ids: Any, n: int, id_column: str) -> tuple[pl.Series, pl.DataFrame]:
    if ids is None:
        return pl.Series(range(n), dtype=pl.Int64), pl.DataFrame()
    if isinstance(ids, str | Path):
        ids = _read(ids, None)
    if is_frame(ids):
        table = from_frame(ids)
        if id_column not in table.columns:
            raise UnknownNameError("column of the table of ids", id_column, table.columns)
        return table[id_column], table.drop(id_column)
    return pl.Series(ids), pl.DataFrame()


def _vector_column(frame: pl.DataFrame, asked: str | None) -> str:
    if asked is not None:
        if asked not in frame.columns:
            raise UnknownNameError("column", asked, frame.columns)
        return asked
    able = [
        column
        for column, dtype in frame.schema.items()
        if isinstance(dtype, pl.List | pl.Array) and dtype.inner.is_numeric()
    ]
    if len(able) != 1:
        seen = (
            f"{len(able)} columns hold lists of numbers: {', '.join(able)}"
            if able
            else "no column holds lists of numbers"
        )
        told = Advice("name_column", (Setting("vector_column"),), "Name the column of the vectors by {vector_column}.")
        raise UsageError(f"{seen}.", advice=told)
    return able[0]


def _stacked(frame: pl.DataFrame, column: str, id_column: str, *, source: str | None) -> np.ndarray:
    """A column of vectors as an array; a missing one is not finite."""
    dtype = frame.schema[column]
    if not (isinstance(dtype, pl.List | pl.Array) and dtype.inner.is_numeric()):
        raise DataError(f"it is {dtype}, expected lists of numbers", source=source, column=column)
    lists = frame[column].cast(pl.List(pl.Float32 if dtype.inner != pl.Float64 else pl.Float64))
    lengths = lists.list.len()
    sizes = lengths.drop_nulls().unique(maintain_order=True)
    if not len(sizes):
        raise DataError("every vector is missing", source=source, column=column)
    if len(sizes) > 1:
        usual = max(sizes, key=lambda size: (lengths == size).sum())
        row = int(np.flatnonzero((lengths.fill_null(usual) != usual).to_numpy())[0])
        raise DataError(
            f"the vector of {frame[id_column][row]!r} has {lengths[row]} dimensions, and others have {usual}",
            source=source,
            column=column,
            row=row + 1,
            fix="Embed all with one model.",
        )
    size = int(sizes[0])
    missing = lists.is_null().to_numpy()
    flat = np.full((len(lists), size), np.nan, np.float64 if dtype.inner == pl.Float64 else np.float32)
    flat[~missing] = lists.drop_nulls().explode().fill_null(np.nan).to_numpy().reshape(-1, size)
    return flat


def read_safetensors(path: str | Path, tensor: str | None = None) -> np.ndarray:
    """One tensor of a safetensors file, shape (n, d): a header of JSON, and the numbers after it.

    Args:
        path: The file.
        tensor: Its name; None if the file holds one table of numbers.

    Raises:
        DataError: If it is no such file, or states more than it holds.
        UnknownNameError: If it has no such tensor.
        UsageError: If it has several and none is named.
    """
    path = Path(path)
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if not 2 <= size <= min(_HEADER, path.stat().st_size - 8):
            raise DataError("it is no safetensors file: its header is longer than the file", source=str(path))
        try:
            header = json.loads(file.read(size))
            parts: dict[str, Any] = {name: about for name, about in header.items() if name != "__metadata__"}
            tables = [name for name, about in parts.items() if len(about["shape"]) == 2]
            chosen = _chosen(tensor, parts, tables, path)
            about = parts[chosen]
            start, stop = about["data_offsets"]
            kind, shape = np.dtype(_KINDS[about["dtype"]]), tuple(map(int, about["shape"]))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            if isinstance(error, UsageError):
                raise
            raise DataError(f"its header cannot be read: {first_line(error)}", source=str(path)) from error
        stated = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        if start < 0 or stop - start != stated or 8 + size + stop > path.stat().st_size or min(shape, default=0) < 0:
            raise DataError(f"the tensor '{chosen}' states more than the file holds", source=str(path))
        file.seek(8 + size + start)
        values = np.frombuffer(file.read(stated), kind).reshape(shape)
    if about["dtype"] == "BF16":  # the upper half of a float32
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values


def _chosen(tensor: str | None, parts: Mapping[str, Any], tables: Sequence[str], path: Path) -> str:
    if tensor is not None:
        if tensor not in parts:
            raise UnknownNameError(f"tensor of {path.name}", tensor, parts)
        return tensor
    if len(tables) != 1:
        raise UsageError(
            f"{path} holds {len(tables)} tables of numbers ({', '.join(sorted(tables)[:10])}).",
            advice=Advice("name_tensor", (Setting("tensor"),), "Name one by {tensor}."),
        )
    return tables[0]
