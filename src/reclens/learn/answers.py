"""Reading the files of an answer: whole, as text, and of bounded size."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from reclens.errors import DataError
from reclens.learn.exercise import Draw, Exercise
from reclens.learn.headers import check_header

__all__ = ["MOST_BYTES", "check_texts", "read_answer", "read_toml_text"]

MOST_BYTES: Final = 1_000_000
"""Most bytes of a file of an answer."""


def read_answer(exercise: Exercise, folder: Path, draw: Draw) -> dict[str, str]:
    """The files of an answer.

    Raises:
        DataError: If one is missing, empty, no text, too large, no file, a link that leads out of the folder, or of
            another exercise or learner.
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
            read_toml_text(name, texts[name])


def read_toml_text(name: str, text: str) -> dict[str, Any]:
    """The values of a text in TOML, without whole numbers that no float can hold.

    Args:
        name: What the text is, for messages.
        text: The text.

    Raises:
        DataError: If it is no TOML.
    """
    try:
        found = tomllib.loads(text)
    except RecursionError:
        raise DataError(f"{name} is no TOML: its lists or tables lie too deep in each other. Mend it.") from None
    except ValueError as error:  # of numbers with thousands of digits it is none of TOML
        raise DataError(f"{name} is no TOML: {error}. Mend that line.") from error
    left: list[Any] = [found]
    while left:
        each = left.pop()
        if isinstance(each, dict | list):
            left += each.values() if isinstance(each, dict) else each
        elif isinstance(each, int) and not -(2**63) <= each < 2**63:
            raise DataError(f"{name} is no TOML: a whole number in it is beyond 64 bits. Mend it.")
    return found


def _text(path: Path) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(f"{path} is no regular file. Put a text file there.")
        if not path.resolve().is_relative_to(path.parent.resolve()):  # whatever is read here leaves with an export
            raise DataError(f"{path} is a link to {path.resolve()}, outside of the folder. Put a copy there.")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise DataError(
            f"{path} is missing. README.md beside it says what makes it; 'reclens learn start' writes it anew where "
            "it has a template."
        ) from None
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
