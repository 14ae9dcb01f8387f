"""A process that is killed at one of its writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Killed", "dying"]


class Killed(BaseException):
    """The process ends here: nothing catches it."""


def dying(write: Callable[..., Any], at: int, *, after: bool) -> Callable[..., None]:
    """A function that writes and ends the process at its call number ``at``, before or after it has written."""
    writes = 0

    def write_or_die(*content: Any) -> None:
        nonlocal writes
        writes += 1
        if writes == at and not after:
            raise Killed
        write(*content)
        if writes == at:
            raise Killed

    return write_or_die
