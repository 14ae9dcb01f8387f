"""Rename a finished folder to its final name atomically, without a moment in which the name does not exist."""

from __future__ import annotations

import errno
import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

__all__ = ["put", "replace"]

_TAKEN: Final = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR)
"""What a rename of a folder says when something has the name; which, depends on the system."""

_CANNOT: Final = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


def put(folder: Path, home: Path) -> bool:
    """Rename a folder to a free name; return whether it was free. Of several processes exactly one succeeds.

    Raises:
        OSError: If it cannot be renamed for another reason.
    """
    try:
        folder.rename(home)
    except OSError as error:
        if error.errno in _TAKEN and os.path.lexists(home):
            return False
        raise
    return True


def replace(folder: Path, home: Path, spare: Callable[[], Path]) -> None:
    """Rename a folder to a name that may be taken; the old folder moves to a spare place.

    The two are exchanged in one step, so that readers always find the old or the new one. If the file system does not
    support that (Windows, some network drives), the old one is moved first, and the name is missing for a moment.

    Args:
        folder: The new folder.
        home: Its destination.
        spare: Returns a free path on the same file system for the old folder at ``home``.

    Raises:
        OSError: If it cannot be renamed.
    """
    new = folder
    while not put(new, home):
        # Move it to the spare place first: if killed between the two steps, only a surplus copy is left.
        while not put(new, place := spare()):
            pass
        new = place
        try:
            if _exchange(new, home):
                return
            home.rename(spare())
        except FileNotFoundError:  # removed by another process: the name is free again
            if not new.exists():
                raise
        except OSError:
            new.rename(folder)
            raise


def _exchange(one: Path, other: Path) -> bool:
    """Swap the names of two folders in one step; return False if the system does not support it.

    Raises:
        OSError: If one of them does not exist or cannot be renamed.
    """
    call = _system_call()
    if call is None:
        return False
    import ctypes

    ctypes.set_errno(0)
    if call(os.fsencode(one), os.fsencode(other)) == 0:
        return True
    code = ctypes.get_errno()
    if code in _CANNOT:
        return False
    raise OSError(code, os.strerror(code), str(one), None, str(other))


@functools.cache
def _system_call() -> Callable[[bytes, bytes], int] | None:
    """Return ``renameat2`` of Linux or ``renamex_np`` of macOS, with the flag for exchanging."""
    if sys.platform not in ("linux", "darwin"):
        return None
    import ctypes

    library: Any = ctypes.CDLL(None, use_errno=True)
    exchange = 2  # RENAME_EXCHANGE and RENAME_SWAP
    if sys.platform == "darwin":
        found = getattr(library, "renamex_np", None)
        return None if found is None else lambda one, other: int(found(one, other, exchange))
    found = getattr(library, "renameat2", None)
    here = -100  # AT_FDCWD: paths are those of the process
    return None if found is None else lambda one, other: int(found(here, one, here, other, exchange))
