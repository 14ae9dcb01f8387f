"""Functions of a learner, called in a process of their own that is killed when it takes too long."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from reclens.errors import WorkspaceError
from reclens.learn.exercise import Remark

__all__ = ["Called", "call_functions"]

_START: Final = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from reclens.learn.inside import main; main()"
_BYTES: Final = 2_000_000_000
_MOST_OUTPUT: Final = 50_000_000


@dataclass(frozen=True)
class Called:
    """What one call gave.

    Attributes:
        value: The number, or what JSON made of the value; None if the function returned None.
        failed: The exception, as ``Type: message``; empty if there was none.
    """

    value: Any = None
    failed: str = ""


def call_functions(
    file: str, source: str, calls: Sequence[tuple[str, Sequence[Any]]], *, seconds: float = 20.0, as_json: bool = False
) -> list[Called] | Remark:
    """Call functions of an answer.

    Args:
        file: Name of the file.
        source: Its text, which :func:`~reclens.learn.code_rules.forbidden` let through.
        calls: Name of a function and its arguments, which JSON can hold.
        seconds: Most seconds for all calls together.
        as_json: Whether the functions give lists and tables rather than numbers.

    Returns:
        What each call gave, or why there is nothing.

    Raises:
        WorkspaceError: If no process can be started.
    """
    functions = list(dict.fromkeys(name for name, _ in calls))
    asked = {
        "source": source,
        "file": file,
        "functions": functions,
        "calls": calls,
        "as_json": as_json,
        "cpu_seconds": max(1, int(seconds)),
        "bytes": _BYTES,
    }
    # Few threads: each takes address space, which is limited.
    environment = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")}
    command = [sys.executable, "-I", "-c", _START, json.dumps([each or os.getcwd() for each in sys.path])]  # noqa: PTH109
    try:
        ended = subprocess.run(  # noqa: S603 - nothing of the command comes from outside
            command,
            input=json.dumps(asked).encode(),
            capture_output=True,
            timeout=seconds + 10,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Remark("too_slow", {"file": file, "seconds": seconds})
    except OSError as error:
        raise WorkspaceError(
            f"An answer runs in a process of its own, and none can be started here ({error})."
        ) from error
    if ended.returncode != 0 or not ended.stdout or len(ended.stdout) > _MOST_OUTPUT:
        slow = ended.returncode in (-24, -9)  # SIGXCPU, and SIGKILL where the hard limit is reached
        facts = {"file": file, "seconds": seconds} if slow else {"file": file, "status": ended.returncode}
        return Remark("too_slow" if slow else "ended_itself", facts)
    try:
        found: dict[str, Any] = json.loads(ended.stdout, parse_int=_whole)
    except RecursionError:
        return Remark("values_too_deep", {"file": file})
    except ValueError:
        found = {}
    if not _is_reply(found, len(calls)):
        return Remark("wrote_into_reply", {"file": file})
    if "failed" in found:
        return Remark("does_not_run", {"file": file, "error": found["failed"]})
    if "missing" in found:
        return Remark("no_function", {"file": file, "missing": found["missing"]})
    return [Called(each.get("value"), each.get("failed", "")) for each in found["results"]]


def _is_reply(found: Any, calls: int) -> bool:
    """Whether this is what :mod:`~reclens.learn.inside` writes; code that reaches its file can write anything."""
    if not isinstance(found, dict) or len(found) != 1:
        return False
    results = found.get("results")
    whole = isinstance(results, list) and len(results) == calls and all(isinstance(each, dict) for each in results)
    return whole or isinstance(found.get("failed"), str) or isinstance(found.get("missing"), list)


def _whole(text: str) -> int | float:
    """A whole number; infinity where no float can hold it."""
    return int(text) if len(text) < 300 else float(text)
