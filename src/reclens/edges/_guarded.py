"""Run a command that ends when the process that asked for it ends, however that happens.

A killed process cannot stop what it started, and a system that stops a service by its process alone leaves the rest
running. So this file is also a program, ``python _guarded.py COMMAND …``, between the two: its standard input is a pipe
that the caller holds open, and it kills the group of the command when the pipe closes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["CANNOT_START", "run_guarded"]

CANNOT_START: Final = 127
"""Status when the command cannot be started, as of a shell."""


def run_guarded(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], seconds: float
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, without input.

    Args:
        command: The command.
        cwd: Its working folder.
        env: Its environment.
        seconds: Time limit; the command and what it started are killed after it.

    Returns:
        Its status and output; the status is negative if a signal killed it.

    Raises:
        subprocess.TimeoutExpired: If it did not end in time.
    """
    theirs, ours = os.pipe()
    try:
        # -I and -S: it starts in hundredths of a second, and nothing of the environment changes what it imports.
        process = subprocess.Popen(  # noqa: S603 - our own interpreter, and what the caller names
            [sys.executable, "-I", "-S", __file__, *command],
            cwd=cwd,
            env=dict(env),
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # what ends the group of the caller, such as a terminal that closes, spares it
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    with process:
        try:
            out, error = process.communicate(timeout=seconds)
        finally:
            os.close(ours)
    return subprocess.CompletedProcess(list(command), process.returncode, out, error)


def _guard(command: Sequence[str]) -> int:
    signal.signal(signal.SIGINT, lambda *_: None)  # on Windows, where the caller gets it too and closes the pipe
    try:
        process = subprocess.Popen(  # noqa: S603 - what the caller names
            command, stdin=subprocess.DEVNULL, start_new_session=True
        )
    except OSError as error:
        sys.stderr.write(str(error))
        return CANNOT_START
    threading.Thread(target=_watch, args=(process,), daemon=True).start()
    status = process.wait()
    if status < 0:
        # Ends as the command did. Of SIGINT, which is caught here, the status would be 0.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


def _watch(process: subprocess.Popen[bytes]) -> None:
    while os.read(0, 1024):  # nothing is written: it returns when the pipe closes
        pass
    with suppress(ProcessLookupError):  # it ended by itself
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(_guard(sys.argv[1:]))
