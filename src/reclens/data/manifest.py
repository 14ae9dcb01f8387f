"""A manifest with the hash of every file of a folder, written last, and reading that checks files against it.

A folder without a manifest was not written to its end. A file that is not what the manifest says, was changed or
damaged. And since whoever changes a file can write its hash anew, what is in the files is checked as well: by
:func:`reclens.schema.read_arrays` and the forms of :mod:`reclens.models._core.form`. Nothing that is read is executed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Final, Self

import numpy as np
import polars as pl

from reclens.data.read.frames import read_parquet
from reclens.errors import DataError, MissingExtraError, NotEnoughMemoryError, first_line
from reclens.files import write_text
from reclens.schema import Vocabulary, read_arrays

__all__ = ["MANIFEST", "VerifiedFolder", "mapping", "reading", "start_writing", "write_manifest"]

MANIFEST: Final = "manifest.json"
"""The file that states the size and the SHA-256 of every other file of the folder and the folders in it."""


def start_writing(folder: Path) -> None:
    """Take the manifest away: until a new one is written, the folder counts as half written."""
    (folder / MANIFEST).unlink(missing_ok=True)


def write_manifest(folder: Path) -> None:
    """State every file of a folder that was written; the manifest appears whole or not at all."""
    files = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": _hash(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / MANIFEST
    }
    write_text(folder / MANIFEST, json.dumps({"files": files}, indent=1))


class VerifiedFolder:
    """A folder whose files are as its manifest says; files are read through it, by their names.

    Args:
        folder: The folder, or one inside that of the manifest.
        files: The files that the manifest names, relative to its folder.
        home: Path of the folder in that of the manifest.
    """

    def __init__(self, folder: Path, files: frozenset[str], home: PurePosixPath) -> None:
        self.folder, self._files, self._home = folder, files, home

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Hold every file of a folder against the manifest.

        Raises:
            DataError: If there is no manifest, or a file is missing or not what it says.
        """
        path = folder / MANIFEST
        if not path.is_file():
            raise DataError("there is no manifest: it was not written to its end, or by an older version of RecLens")
        stated = mapping(mapping(_json(path), "the manifest").get("files"), "the files of the manifest")
        for name, about in stated.items():
            file, said = folder / name, mapping(about, f"what the manifest says of '{name}'")
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise DataError(f"the manifest names '{name}', expected a file inside the folder")
            if not file.is_file():
                raise DataError(f"'{name}' is missing")
            if file.stat().st_size != said.get("bytes") or _hash(file) != said.get("sha256"):
                raise DataError(f"'{name}' is not what was written: its hash differs from that of the manifest")
        return cls(folder, frozenset(stated), PurePosixPath())

    def part(self, name: str) -> Self:
        """The folder of that name inside this one."""
        return type(self)(self.folder / name, self._files, self._home / name)

    def json(self, name: str) -> dict[str, Any]:
        """A JSON file that holds a mapping."""
        return mapping(_json(self._path(name)), f"'{name}'")

    def text(self, name: str) -> str:
        """A text file."""
        return self._path(name).read_text(encoding="utf-8")

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """The arrays of an ``.npz`` file."""
        return read_arrays(self._path(name))

    def ids(self, name: str, column: str) -> Vocabulary:
        """The ids of a Parquet file, which have to be sorted, each once: their places are the codes."""
        table = read_parquet(self._path(name))
        if table.columns != [column]:
            raise DataError(f"'{name}' has the columns {', '.join(table.columns) or 'none'}, expected {column}")
        found = Vocabulary(table[column])
        if not found.ids.equals(table[column]):
            raise DataError(f"the ids of '{name}' are not sorted, or some are repeated")
        return found

    def texts(self, name: str, column: str, n: int) -> pl.Series:
        """A column of n texts, some of them null, of a Parquet file."""
        table = read_parquet(self._path(name))
        if table.schema != {column: pl.String()} or table.height != n:
            raise DataError(f"'{name}' holds {table.height:,} rows of {dict(table.schema)}, expected {n:,} texts")
        return table[column]

    def _path(self, name: str) -> Path:
        if (self._home / name).as_posix() not in self._files:
            raise DataError(f"the manifest does not name '{self._home / name}'")
        return self.folder / name


@contextmanager
def reading(folder: Path, what: str, *, fix: str) -> Generator[None]:
    """Turn whatever a broken or crafted folder drives its reader to into one kind of error.

    Args:
        folder: The folder.
        what: What it should hold, such as ``"'ease' model"``.
        fix: What the reader can do.

    Raises:
        DataError: If the block raises anything but that an optional library or memory is missing.
    """
    try:
        yield
    except (MissingExtraError, NotEnoughMemoryError):
        raise
    except DataError as error:
        if error.source == str(folder):
            raise  # it was said already
        raise DataError(f"not a whole {what} ({error})", source=str(folder), fix=fix) from error
    # No list of exceptions is complete for files that can hold anything; Polars panics with an exception of its own.
    except (Exception, pl.exceptions.PanicException) as error:
        raise DataError(f"not a whole {what} ({first_line(error)})", source=str(folder), fix=fix) from error


def mapping(value: Any, what: str) -> dict[str, Any]:
    """A value that has to be a mapping with names as keys.

    Raises:
        DataError: If it is not.
    """
    if not isinstance(value, dict):
        raise DataError(f"{what} is a {type(value).__name__}, expected a mapping")
    return {str(key): each for key, each in value.items()}  # type: ignore[misc]


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
