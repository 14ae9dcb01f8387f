"""The re-rankers: one file each. The folder is the registry; a spec names one by its ``kind``."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from reclens.errors import UnknownNameError, UsageError
from reclens.pipeline.rerank._base import RankedLists, Reranker

__all__ = ["RankedLists", "Reranker", "build", "describe", "get", "kinds"]


def kinds() -> list[str]:
    """The kinds of re-rankers, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def get(kind: str) -> type[Reranker]:
    """The class of a re-ranker.

    Raises:
        UnknownNameError: If there is none of that kind.

    Example:
        >>> get("mmr").__name__
        'MMR'
    """
    if kind not in kinds():
        raise UnknownNameError("re-ranker", kind, kinds())
    module = importlib.import_module(f"reclens.pipeline.rerank.{kind}")
    found: Any = next(
        value for value in vars(module).values() if inspect.isclass(value) and getattr(value, "kind", None) == kind
    )
    return found


def describe(kind: str) -> str:
    """One line on a re-ranker."""
    return (inspect.getdoc(inspect.getmodule(get(kind))) or "").split("\n", 1)[0]


def build(spec: Mapping[str, Any]) -> Reranker:
    """Make a re-ranker from ``{"kind": "mmr", "weight": 0.3}``.

    Raises:
        UnknownNameError: If there is no such kind, or it has no such parameter.
        UsageError: If the kind is missing.
    """
    parameters = dict(spec)
    kind = parameters.pop("kind", None)
    if not isinstance(kind, str):
        raise UsageError(f"a re-ranker needs a kind, one of {', '.join(kinds())}; got {dict(spec)}.")
    made = get(kind)
    known = [field.name for field in fields(made)]
    for name in parameters:
        if name not in known:
            raise UnknownNameError(f"parameter of the re-ranker {kind}", name, known)
    return made(**parameters)
