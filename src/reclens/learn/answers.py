"""Reading the files of an answer: whole, as text, and of bounded size."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from reclens.errors import DataError
from reclens.learn.exercise import Draw, Exercise
from reclens.learn.headers import check_header

__all__ = ["MOST_BYTES", "check_texts", "read_answer"]

MOST_BYTES: Final = 1_000_000
"""Most bytes of a file of an answer."""


def read_answer(exercise: Exercise, folder: Path, draw: Draw) -> dict[str, str]:
    """The files of an answer.

    Raises:
        DataError: If one is missing, empty, no text, too large, no file, or of another exercise or learner.
    """
    texts = {name: _text(folder / name) for name in exercise.files}
    check_texts(exercise, texts, draw)
    return texts


def check_texts(exercise: Exercise, texts: Mapping[str, str], draw: Draw) -> None:
    """Refuse texts that are no answer to this exercise.

    Raises:
        DataError: If a file is not there, its TOML cannot be read, or it is of another exercise or learner.
    """
    for name in exercise.files:
        if name not in texts:
            raise DataError(f"{name} is missing. An answer to {exercise.code} has {', '.join(exercise.files)}.")
        check_header(name, texts[name], draw)
        if name.endswith(".toml"):
            try:
                tomllib.loads(texts[name])
            except tomllib.TOMLDecodeError as error:
                raise DataError(f"{name} is no TOML: {error}. Mend that line.") from error


def _text(path: Path) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(f"{path} is no regular file. Put a text file there.")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise DataError(f"{path} is missing. Write it, or run 'reclens learn start' for its template.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    if len(content) > MOST_BYTES:
        raise DataError(f"{path} is larger than {MOST_BYTES:,} bytes. An answer is short: hand in what is asked for.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path} is no text in UTF-8. Save it as UTF-8.") from None
    if "\0" in text:
        raise DataError(f"{path} is no text: it holds zero bytes. Save it as UTF-8.")
    if not text.strip():
        raise DataError(f"{path} is empty. Write your answer into it.")
    return text
