"""The public names of a room, each loaded when it is first used: a room of many files costs what is asked of it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

from reclens.errors import suggest

__all__ = ["lazy"]


def lazy(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package.

    Args:
        package: Its ``__name__``.
        homes: Public name -> where it lives: ``"module"`` below the package, whose attribute has the same name, or
            ``"module:attribute"``; a module that begins with the name of the root is meant as it is, and ``"module:"``
            is the module itself.

    Example:
        >>> look, _ = lazy("reclens.stats", {"Question": "power.question"})
        >>> look("Question").__name__
        'Question'
    """

    def load(name: str) -> Any:
        if name not in homes:
            hint = "" if name.startswith("_") else suggest(name, homes)
            raise AttributeError(f"module '{package}' has no attribute '{name}'.{hint}")
        module, colon, attribute = homes[name].partition(":")
        whole = module if module.partition(".")[0] == package.partition(".")[0] else f"{package}.{module}"
        found: Any = importlib.import_module(whole)
        if attribute or not colon:
            found = getattr(found, attribute or name)
        setattr(sys.modules[package], name, found)
        return found

    def names() -> list[str]:
        return sorted(homes)

    return load, names
