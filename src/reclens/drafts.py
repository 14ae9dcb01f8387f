"""Temporary folders and files beside what they become: locked while they are written, removed however that ends.

A draft is ``.writing-*`` in the folder of what is written, and is renamed when it is whole. The process that writes it
holds a lock on it (``flock``, which the system drops when a process ends, however it ends). So :func:`sweep` can tell
the draft of a killed run from one that is still being written. Where the system or the file system has no such locks,
a draft counts as left behind when nothing in it has changed for a day.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import stat
import tempfile
import threading
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Final

from reclens.errors import NameTakenError

__all__ = ["Swept", "draft_file", "draft_folder", "sweep"]

PREFIX: Final = ".writing-"

STALE: Final = 24 * 3600.0
"""Seconds without a change after which a draft counts as left behind, where there are no locks."""

_TRIES: Final = 100
_SIGNALS: Final = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))

_open: dict[Path, int] = {}
"""Drafts that are being written -> the process that writes them: a forked one has a copy of this, and leaves them."""

_watched: dict[int, int] = {}
"""Signal -> how many drafts of the main thread wait for its handler to be taken away again."""


@dataclass(frozen=True)
class Swept:
    """What :func:`sweep` removed.

    Attributes:
        count: Drafts.
        bytes: Size of their files.
    """

    count: int = 0
    bytes: int = 0


@contextmanager
def draft_folder(parent: Path, *, name: str | None = None) -> Generator[Path]:
    """A locked temporary folder, which is removed at the end unless it was renamed.

    Args:
        parent: The folder that it is made in.
        name: Make it ``.writing-NAME``, which one process at a time can write; without a name any number can.

    Raises:
        NameTakenError: If another process writes the draft of that name.
        OSError: If it cannot be made.
    """
    while True:
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=PREFIX)) if name is None else _named(parent, name)
        held = _own(folder)
        if held is not None:
            break
    mine = _identity(folder)
    try:
        with _removed_when_ended(folder):
            yield folder
    finally:
        if _identity(folder) == mine:  # renamed, its name may be that of another's draft by now
            _clear(folder)
        held.release()


@contextmanager
def draft_file(parent: Path) -> Generator[tuple[Path, IO[bytes]]]:
    """A locked temporary file, open for writing, which is removed at the end unless it was renamed.

    Raises:
        OSError: If it cannot be made.
    """
    while True:
        handle, place = tempfile.mkstemp(dir=parent, prefix=PREFIX)
        held = _own(Path(place))
        if held is not None:
            break
        os.close(handle)
    try:
        with _removed_when_ended(Path(place)), os.fdopen(handle, "wb") as file:
            yield Path(place), file
    finally:
        _clear(Path(place))
        held.release()


def sweep(folders: Iterable[Path]) -> Swept:
    """Remove the drafts in some folders that nobody writes any more, as killed runs leave them."""
    count, size = 0, 0
    for folder in folders:
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError), os.scandir(folder) as entries:
            drafts = [Path(entry.path) for entry in entries if entry.name.startswith(PREFIX) and not entry.is_symlink()]
            for draft in drafts:
                bytes_ = _size(draft)
                if _sweep(draft):
                    count, size = count + 1, size + bytes_
    return Swept(count, size)


# ------------------------------------------------------------------------------------------------------------- locks


class _Held:
    """A lock on a draft; of no effect where there are no locks."""

    def __init__(self, handle: int | None) -> None:
        self.handle = handle

    def release(self) -> None:
        if self.handle is not None:
            os.close(self.handle)


def _own(draft: Path) -> _Held | None:
    """The lock of a draft that was just made; None if a sweep was faster, and took it for one that was left."""
    try:
        held = _lock(draft)
    except (BlockingIOError, FileNotFoundError):
        return None
    if held.handle is not None and _identity(draft) != _identity(held.handle):
        held.release()
        return None
    return held


def _lock(draft: Path) -> _Held:
    """The lock of a draft.

    Raises:
        BlockingIOError: If another process holds it.
        OSError: If the draft is gone or may not be opened.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return _Held(None)
    handle = os.open(draft, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise
    except OSError:  # a network drive without such locks
        os.close(handle)
        return _Held(None)
    return _Held(handle)


def _sweep(draft: Path) -> bool:
    """Remove a draft that no process is writing; returns whether it is gone."""
    try:
        held = _lock(draft)
    except FileNotFoundError:
        return True
    except OSError:  # written at this moment, or that of another user
        return False
    try:
        if held.handle is None and time.time() - _changed(draft) < STALE:
            return False
        shutil.rmtree(draft, ignore_errors=True) if draft.is_dir() else draft.unlink(missing_ok=True)
        return not draft.exists()
    except OSError:
        return False
    finally:
        held.release()


def _named(parent: Path, name: str) -> Path:
    folder = parent / f"{PREFIX}{name}"
    for _ in range(_TRIES):
        try:
            folder.mkdir(mode=0o700)
            return folder
        except FileExistsError:
            if not _sweep(folder):
                break
    raise NameTakenError(
        f"{parent / name} is being written by another process, into {folder}. Choose another name, or wait for its end."
    )


# ------------------------------------------------------------------------------------------------- ends of the process


@contextmanager
def _removed_when_ended(draft: Path) -> Generator[None]:
    """Remove a draft if the process is terminated (SIGTERM, SIGHUP), or ends while a thread still writes."""
    _open[draft] = os.getpid()
    watched: list[int] = []
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            # Whoever has a handler of their own, or ignores a signal (nohup), has decided what it does.
            if number in _watched or signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _end)
                _watched[number] = _watched.get(number, 0) + 1
                watched.append(number)
    try:
        yield
    finally:
        _open.pop(draft, None)
        for number in watched:
            _watched[number] -= 1
            if not _watched[number]:
                del _watched[number]
                if signal.getsignal(number) is _end:
                    signal.signal(number, signal.SIG_DFL)


def _end(number: int, frame: FrameType | None) -> None:
    """Remove the drafts, then let the signal do what it does."""
    del frame
    _remove_open()
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)


@atexit.register
def _remove_open() -> None:
    for draft, process in list(_open.items()):
        if process == os.getpid():
            _clear(draft)


# --------------------------------------------------------------------------------------------------------------- files


def _clear(draft: Path) -> None:
    """Remove a draft, also one that a thread of an interrupted write still puts a file into."""
    interrupted: KeyboardInterrupt | None = None
    for _ in range(_TRIES):
        try:
            if not draft.is_dir():
                draft.unlink(missing_ok=True)
                break
            shutil.rmtree(draft, ignore_errors=True)
            if not draft.exists():
                break
            time.sleep(0.02)
        except KeyboardInterrupt as error:  # once more while clearing up: that is finished first
            interrupted = error
        except OSError:
            break
    if interrupted is not None:
        raise interrupted


def _identity(place: Path | int) -> tuple[int, int] | None:
    try:
        found = os.stat(place)  # noqa: PTH116 - of an open handle too
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _files(draft: Path) -> Iterable[os.stat_result]:
    """What is known of a draft and of every file in it; what vanishes meanwhile is not among them."""
    inside = (Path(folder) / name for folder, _, names in os.walk(draft) for name in names)
    for each in (draft, *inside):
        with suppress(OSError):
            yield each.lstat()


def _size(draft: Path) -> int:
    return sum(each.st_size for each in _files(draft) if not stat.S_ISDIR(each.st_mode))


def _changed(draft: Path) -> float:
    return max((each.st_mtime for each in _files(draft)), default=0.0)
