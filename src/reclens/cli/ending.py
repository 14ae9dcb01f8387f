"""How a failing command ends: one message on standard error and an exit status."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final

from reclens.errors import RecLensError, first_line, show_bytes

__all__ = ["FAULT", "WRONG", "closed_streams_stand_in", "end", "interrupts_are_noted", "out_of_memory"]

WRONG: Final = 2
"""Status of wrong use, and of data or a machine with which it cannot be done."""
FAULT: Final = 70
"""Status of a fault of RecLens itself: ``EX_SOFTWARE`` of sysexits.h."""
_INTERRUPTED: Final = 130

_interrupted: Final = threading.Event()


def end(error: BaseException) -> int:
    """Print an error as one message, and return the exit status. ``RECLENS_TRACEBACK=1`` adds the traceback."""
    if _interrupted.is_set() or isinstance(error, KeyboardInterrupt):
        # Ctrl-C during an import can surface as any error of the half-loaded library.
        _say("interrupted; nothing half-written was left.")
        return _INTERRUPTED
    if isinstance(error, BrokenPipeError):
        _leave_stdout()  # the reader of the output has closed it: not an error
        return 0
    if os.environ.get("RECLENS_TRACEBACK"):
        traceback.print_exception(error)
    if isinstance(error, RecLensError):
        from reclens.cli.option_names import as_option, texts  # what a command that succeeds does not need

        _say(error.said(as_option, texts()))
    elif isinstance(error, MemoryError):
        _say(out_of_memory(error, "this"))
    elif isinstance(error, OSError):
        _say(_of_the_system(error))
    else:
        _say(_fault(error))
        return FAULT
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        return WRONG
    _leave_stdout()
    return WRONG


def out_of_memory(error: MemoryError, step: str) -> str:
    """Return the message of an out-of-memory error: the step, the bytes and a smaller alternative.

    Args:
        error: The error. NumPy's has the shape of the array; otherwise the message states the memory of the process.
        step: The step that was running.
    """
    shape, dtype = getattr(error, "shape", None), getattr(error, "dtype", None)
    if shape is not None and dtype is not None:
        size = dtype.itemsize
        for length in shape:
            size *= int(length)
        what = f"{step} asked for an array of {show_bytes(size)}, which this machine does not have"
    else:
        held = _bytes_held()
        what = f"{step} ran out of memory" + (f" when it held {show_bytes(held)}" if held else "")
    return (
        f"{what}. Take smaller numbers (factors, neighbors, replicates, k), less data (--k-core of reclens data "
        "split, or a part of the users), or a machine with more memory."
    )


def _bytes_held() -> int | None:
    """Return the peak memory of this process, or None if the system does not report it."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _of_the_system(error: OSError) -> str:
    """Return the message of an operating system error, with the file if there is one."""
    names = [str(each) for each in (error.filename, error.filename2) if each is not None]
    what = " -> ".join(_short(name) for name in names) or "standard output"
    why = error.strerror or first_line(error)
    mends = {
        errno.ENOSPC: "Free some space, or choose another place.",
        errno.EROFS: "Choose another place.",
        errno.EACCES: "Ask for the right to it, or choose another place.",
        errno.EISDIR: "Name a file in it.",
        errno.ENAMETOOLONG: "Choose a shorter name.",
        errno.EBADF: "Write to a file by --out.",
    }
    return f"{what}: {why}. {mends.get(error.errno or 0, 'Check the path.')}"


def _short(name: str) -> str:
    return name if len(name) <= 200 else f"{name[:100]}…{name[-60:]}"


def _fault(error: BaseException) -> str:
    """Return the message of an unexpected error: where it occurred, and how to see the traceback."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "reclens" in frame.filename]
    where = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return (
        f"a fault of RecLens: {type(error).__name__}{where}: {first_line(error)}. Please report it, with what "
        "RECLENS_TRACEBACK=1 shows."
    )


def _say(text: str) -> None:
    with suppress(OSError, ValueError):  # the message cannot be delivered
        print(f"reclens: {text}", file=sys.stderr, flush=True)


# ------------------------------------------------------------------------------------------------------------ streams


class _Closed:
    """Standard output that was closed before the program started."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        """Raise an error on every write."""
        raise OSError(errno.EBADF, "it is closed")

    def flush(self) -> None:
        """Do nothing: no output is buffered."""

    def isatty(self) -> bool:
        """Return False: it is not a terminal."""
        return False


def closed_streams_stand_in() -> None:
    """Keep a command from failing because a stream is closed or stdout cannot encode a character."""
    streams: Any = sys
    if streams.stdout is None:
        streams.stdout = _Closed()
    if streams.stderr is None:
        streams.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def _leave_stdout() -> None:
    """Stop all output to standard output, also at exit, because it would fail again."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# --------------------------------------------------------------------------------------------------------- interrupts


@contextmanager
def interrupts_are_noted() -> Generator[None]:
    """Record Ctrl-C, because a library may convert the KeyboardInterrupt into another error."""
    _interrupted.clear()
    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, _note)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _note(number: int, frame: FrameType | None) -> None:
    _interrupted.set()
    raise KeyboardInterrupt
