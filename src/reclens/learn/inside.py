"""What the process runs that a learner's Python is given to: no files, no network, no other process, little memory.

It guards against accidents and against answers that were copied without being read. It is no prison for hostile code:
the code is the learner's own, on the learner's own machine. :mod:`reclens.learn.code_rules` reads it first.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any, Final

__all__ = ["main"]

_DENIED: Final = (
    "socket.",
    "subprocess.",
    "os.",
    "shutil.",
    "ctypes.",
    "sqlite3.",
    "tempfile.",
    "webbrowser.",
    "ftplib.",
    "http.",
    "urllib.",
    "pty.",
    "fcntl.",
    "mmap.",
    "signal.",
    "syslog.",
    "winreg.",
    "pickle.",
    "marshal.",
)
_HARMLESS: Final = frozenset({"os.listdir", "os.scandir", "os.getxattr", "marshal.loads", "os.putenv"})
"""What imports do."""


def main() -> None:
    """Read one request from stdin, answer it on stdout."""
    asked = json.loads(sys.stdin.buffer.read())
    out = os.fdopen(os.dup(1), "wb")
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    _limit(asked["cpu_seconds"], asked["bytes"])
    out.write(json.dumps(_answered(asked)).encode())
    out.flush()


def _limit(seconds: int, size: int) -> None:
    importlib.import_module("numpy")  # while files are in reach

    sys.setrecursionlimit(2000)
    try:
        import resource
    except ImportError:  # Windows: the wall clock of the other side is the only limit
        return
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def _answered(asked: dict[str, Any]) -> dict[str, Any]:
    """Define the functions, call them, and say what each call gave."""
    place: dict[str, Any] = {"__name__": "answer"}
    code = compile(asked["source"], asked["file"], "exec")
    sys.addaudithook(_refuse)
    try:
        exec(code, place)  # noqa: S102 - what this process is for
    except BaseException as error:
        return {"failed": _said(error)}
    missing = [name for name in asked["functions"] if not callable(place.get(name))]
    if missing:
        return {"missing": missing}
    return {"results": [_called(place[name], arguments, asked["as_json"]) for name, arguments in asked["calls"]]}


def _called(function: Any, arguments: list[Any], as_json: bool) -> dict[str, Any]:
    try:
        value = function(*arguments)
        if as_json:
            return {"value": json.loads(json.dumps(value))}
        return {"value": None if value is None else float(value)}
    except BaseException as error:
        return {"failed": _said(error)}


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def _refuse(event: str, args: tuple[Any, ...]) -> None:
    if event == "open":
        mode, flags = args[1], args[2]
        writes = isinstance(mode, str) and any(letter in mode for letter in "wax+")
        if writes or (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
            raise PermissionError("an answer writes no files")
        if not str(args[0]).startswith((sys.prefix, sys.base_prefix, sys.exec_prefix)):
            raise PermissionError("an answer reads no files")
    elif event.startswith(_DENIED) and event not in _HARMLESS:
        raise PermissionError(f"an answer may not use {event}")
