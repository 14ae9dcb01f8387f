"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from reclens.drafts import draft_file
from reclens.errors import WorkspaceError

__all__ = ["is_device", "locked", "made_folder", "write_bytes", "write_text"]

_DEVICES: Final = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(10))}


def is_device(name: str) -> bool:
    """Whether Windows keeps a name of a file or folder for a device, with whatever ending.

    >>> [is_device(name) for name in ("con", "Aux.v2", "console")]
    [True, True, False]
    """
    return name.split(".", 1)[0].upper() in _DEVICES


def made_folder(path: str | Path) -> Path:
    """A folder to save into: made, with those above it, where it is not there.

    Raises:
        WorkspaceError: If a file has that name, or it cannot be made.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise WorkspaceError(f"{folder} is a file. Name a folder.") from None
    except OSError as error:
        raise WorkspaceError(f"{folder} cannot be made: {error.strerror or error}. Choose another place.") from error
    return folder


def write_text(path: Path, text: str) -> None:
    """Write a text file as :func:`write_bytes` does, in UTF-8.

    Raises:
        WorkspaceError: If it cannot be written.
    """
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; of a link the file that it names, which keeps its mode.

    What is no regular file cannot be replaced by one: a device or a named pipe is written through, as by ``>`` of a
    shell, and ``-`` is standard output. A folder that is named and does not exist is made.

    Raises:
        WorkspaceError: If it cannot be written.
    """
    if str(path) == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        target = Path(os.path.realpath(path)) if path.is_symlink() else path
        mode = target.stat().st_mode if target.exists() else None
        if mode is not None and stat.S_ISDIR(mode):
            raise WorkspaceError(f"{path} is a folder. Name a file in it, such as {path / 'out.txt'}.")
        if mode is not None and not stat.S_ISREG(mode):
            with target.open("wb") as file:
                file.write(content)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, content, 0o644 if mode is None else stat.S_IMODE(mode))
    except WorkspaceError:
        raise
    except OSError as error:
        raise WorkspaceError(f"{path} cannot be written: {error.strerror or error}. Choose another place.") from error


def _replace(target: Path, content: bytes, mode: int) -> None:
    with draft_file(target.parent) as (draft, file):
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        draft.chmod(mode)
        draft.replace(target)


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold the lock of a file, which is made; another process that wants it waits.

    The system drops the lock when the process ends, however it ends. Where there are no such locks (Windows), nothing
    is locked.

    Raises:
        WorkspaceError: If the file cannot be made.
    """
    try:
        file = path.open("a+b")
    except OSError as error:
        raise WorkspaceError(f"{path} cannot be written: {error.strerror or error}. Choose another place.") from error
    with file:
        try:
            import fcntl
        except ImportError:
            yield
            return
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        yield
