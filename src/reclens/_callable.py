"""Rooms that are also a verb: ``rl.evaluate(...)`` beside ``from reclens.evaluate import Evaluation``.

Python binds a sub-package as an attribute of its parent after it was imported, so that a function ``reclens.evaluate``
would be replaced by the module ``reclens.evaluate`` as soon as anybody imported the latter. A module that can be called
is both, whatever was imported first.
"""

from __future__ import annotations

import inspect
import sys
from types import ModuleType
from typing import Any

__all__ = ["make_callable"]


class _CallableModule(ModuleType):
    """A module whose call is the call of one of its functions."""

    __wrapped__: Any

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__wrapped__(*args, **kwargs)


def make_callable(module: str, function: Any) -> None:
    """Let a module be called as one of its functions; ``help`` and ``inspect.signature`` then describe that function.

    Args:
        module: ``__name__`` of the module, which is being imported.
        function: What a call of the module runs.
    """
    room = sys.modules[module]
    room.__class__ = _CallableModule
    room.__dict__["__wrapped__"] = function
    room.__dict__["__signature__"] = inspect.signature(function)
