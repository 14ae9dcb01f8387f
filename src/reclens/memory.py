"""Memory is known before it is taken: what allocates more than its input states its bytes here first.

A process that takes more memory than there is, is killed without a word: the kernel hands out pages when they are first
written, long after the allocation succeeded. So the bytes are worked out beforehand, held against what is available,
and refused with the numbers and a smaller way.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from reclens.errors import Advice, NotEnoughMemoryError

__all__ = ["available_memory", "require_memory"]

_PROC: Final = Path("/proc")
_GROUPS: Final = Path("/sys/fs/cgroup")
_SMALL: Final = 1_000_000
"""Bytes below which nothing is asked: reading what is available takes half a millisecond."""
_LIMITS: Final = (
    ("memory.max", "memory.current", "inactive_file"),  # cgroup v2
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),  # cgroup v1
)
"""Files of a control group with its limit and its use, and the part of the use that the kernel can take back."""


def require_memory(size: int, what: str, *, advice: str | Advice) -> None:
    """Refuse a step that takes more memory than there is, before it begins.

    Args:
        size: Bytes that the step will hold at once.
        what: The step, as the subject of a sentence: ``"ease on 60,000 items"``.
        advice: A smaller way, as a sentence.

    Raises:
        NotEnoughMemoryError: If more bytes are needed than are available, or than an address can reach.

    Example:
        >>> require_memory(1_000, "a small table", advice="Take fewer rows.")
    """
    if size < _SMALL:
        return
    available = available_memory()
    if size > sys.maxsize or (available is not None and size > available):
        raise NotEnoughMemoryError(what, size, available, advice)


def available_memory() -> int | None:
    """Bytes that this process can take without being killed or driving the machine into swap; None if unknown.

    The least of ``MemAvailable`` of the machine and, for each control group (container, batch job) that the process is
    in, its limit less its use; pages of files that the kernel can drop are not counted as used. On Windows the free
    physical memory. Where there is neither, the memory of the machine, used or not: nothing that is larger can succeed.
    """
    found = [*_of_machine(), *_of_groups(), *_of_windows()]
    return max(min(found), 0) if found else None


def _of_machine() -> Iterator[int]:
    for line in _lines(_PROC / "meminfo"):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024
            return
    try:
        yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of Windows."""

    _fields_ = (
        ("dwLength", ctypes.c_uint32),
        ("dwMemoryLoad", ctypes.c_uint32),
        ("ullTotalPhys", ctypes.c_uint64),
        ("ullAvailPhys", ctypes.c_uint64),
        ("ullTotalPageFile", ctypes.c_uint64),
        ("ullAvailPageFile", ctypes.c_uint64),
        ("ullTotalVirtual", ctypes.c_uint64),
        ("ullAvailVirtual", ctypes.c_uint64),
        ("ullAvailExtendedVirtual", ctypes.c_uint64),
    )


def _of_windows() -> Iterator[int]:
    """Free memory as reported by Windows; None on other systems, or without an answer."""
    windows = getattr(ctypes, "windll", None)
    if windows is None:
        return
    status = _MemoryStatus(dwLength=ctypes.sizeof(_MemoryStatus))
    try:
        answered = windows.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
    except (AttributeError, OSError):
        return
    if answered:
        yield status.ullAvailPhys


def _of_groups() -> Iterator[int]:
    """What each limit leaves that the kernel holds this process to: of its group, and of all groups around it."""
    for line in _lines(_PROC / "self" / "cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        # v2 has one tree; v1 one for each controller. In a container the path may be that outside it, and the root of
        # the tree is the container's own group: folders that do not exist are passed over.
        root = _GROUPS / "memory" if controllers else _GROUPS
        parts = [part for part in path.strip("/").split("/") if part]
        for depth in range(len(parts), -1, -1):
            yield from _left_in(root.joinpath(*parts[:depth]))


def _left_in(group: Path) -> Iterator[int]:
    for limit_file, use_file, idle in _LIMITS:
        limit, use = _number(group / limit_file), _number(group / use_file)
        if limit is None or use is None:
            continue
        droppable = [int(line.split()[1]) for line in _lines(group / "memory.stat") if line.split()[0] == idle]
        yield limit - use + sum(droppable)


def _number(path: Path) -> int | None:
    """The number in a file; None where there is none, as for ``max``."""
    lines = _lines(path)
    return int(lines[0]) if lines and lines[0].strip().isdigit() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
