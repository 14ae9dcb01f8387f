"""Standard input, pipes and devices, which can be read only once: their content is copied to a temporary file."""

from __future__ import annotations

import shutil
import stat
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from reclens.errors import DataError

__all__ = ["STANDARD_INPUT", "is_stream", "spooled"]

STANDARD_INPUT: Final = ("-", "/dev/stdin")
_BLOCK: Final = 1 << 20


def is_stream(path: str) -> bool:
    """Whether a path is ``-`` for standard input, or names a pipe, a socket or a device."""
    if path in STANDARD_INPUT:
        return True
    try:
        mode = Path(path).expanduser().stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


@contextmanager
def spooled(path: str) -> Generator[tuple[Path, str]]:
    """Copy a stream to a temporary file for the duration of the block; yields the file and its name for messages.

    Raises:
        DataError: If it cannot be read.
    """
    where = "standard input" if path in STANDARD_INPUT else path
    with tempfile.NamedTemporaryFile(prefix="reclens-stream-") as kept:
        try:
            if path in STANDARD_INPUT:
                shutil.copyfileobj(sys.stdin.buffer, kept, _BLOCK)
            else:
                with Path(path).expanduser().open("rb") as stream:
                    shutil.copyfileobj(stream, kept, _BLOCK)
            kept.flush()
        except (OSError, ValueError, AttributeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DataError(f"it cannot be read: {reason}", source=where) from None
        yield Path(kept.name), where
