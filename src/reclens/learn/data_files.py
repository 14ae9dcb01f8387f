"""The data of a task, written again: what was drawn for a learner is the same each time, and can be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from reclens.errors import DataError, WorkspaceError
from reclens.learn.exercise import Draw, Exercise

__all__ = ["check_data", "digest_of_data", "write_data"]

_ENDINGS: Final = frozenset({".csv", ".json", ".parquet", ".txt"})
"""Of tables. Settings and programs that stand beside them are there to be changed."""
_DIGITS: Final = 9
"""Significant digits of a float that are compared: the last ones differ from machine to machine."""


def write_data(exercise: Exercise, draw: Draw, folder: Path) -> None:
    """Write the data of a task.

    Raises:
        WorkspaceError: If the folder cannot be written.
    """
    try:
        exercise.write_data(draw, folder)
    except OSError as error:
        raise WorkspaceError(f"{folder} cannot be written: {error.strerror or error}.") from error


def digest_of_data(exercise: Exercise, draw: Draw, answer: Mapping[str, str]) -> str:
    """SHA-256 of the tables that a task has for an answer.

    Args:
        exercise: The exercise.
        draw: What its data are drawn from.
        answer: File -> its text; some tasks draw data from what an answer seals.
    """
    return _digest(_made(exercise, draw, answer))


def check_data(exercise: Exercise, draw: Draw, answer: Mapping[str, str], folder: Path) -> str:
    """The digest of the data that a folder holds.

    Args:
        exercise: The exercise.
        draw: What its data are drawn from.
        answer: File -> its text.
        folder: Where the answer was made.

    Raises:
        DataError: If a table there is not the one that the task has.
    """
    made = _made(exercise, draw, answer)
    for name, (digest, size) in made.items():
        path = folder / name
        if not _fits(path, size) or _content(path) != digest:
            raise DataError(
                f"{path} is not what the task has for you: it was changed or removed, or was drawn ahead of this "
                f"answer or by another version. Run 'reclens learn start {exercise.code}', which writes it anew and "
                "leaves your answer as it is."
            )
    return _digest(made)


def _made(exercise: Exercise, draw: Draw, answer: Mapping[str, str]) -> dict[str, tuple[str, int]]:
    """Table -> digest and size."""
    try:
        with TemporaryDirectory(prefix="reclens-data-") as name:
            place = Path(name)
            for file, text in answer.items():
                (place / file).parent.mkdir(parents=True, exist_ok=True)
                (place / file).write_text(text, encoding="utf-8")
            exercise.write_data(draw, place)
            return {
                path.relative_to(place).as_posix(): (_content(path), path.stat().st_size)
                for path in sorted(place.rglob("*"))
                if path.suffix in _ENDINGS and path.relative_to(place).as_posix() not in answer
            }
    except OSError as error:
        where = error.filename or "a temporary folder"
        raise WorkspaceError(f"{where} cannot be written: {error.strerror or error}. Set TMPDIR to one.") from error


def _digest(made: Mapping[str, tuple[str, int]]) -> str:
    return hashlib.sha256("".join(f"{name}\0{digest}\n" for name, (digest, _) in made.items()).encode()).hexdigest()


def _fits(path: Path, size: int) -> bool:
    """Whether a file may be the same: of a size that can be read."""
    try:
        return path.is_file() and path.stat().st_size <= 10_000_000 + 4 * size
    except OSError:
        return False


def _content(path: Path) -> str:
    """SHA-256 of the bytes of a file; of a table in Parquet of its rows, whichever version wrote them."""
    if path.suffix != ".parquet":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    import polars as pl
    import polars.selectors as cs

    try:
        rows = pl.read_parquet(path).with_columns(cs.float().round_sig_figs(_DIGITS))
    except (OSError, pl.exceptions.PolarsError) as error:
        return str(error)
    return hashlib.sha256(rows.write_ndjson().encode()).hexdigest()
