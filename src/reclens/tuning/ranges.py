"""Parse ranges of hyper-parameters from the command line and from jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["spaces_of"]


def spaces_of(ranges: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Parse ranges: ``{"ease.l2": "1:1e5"}``, ``…:linear``, ``{"item_knn.weighting": "none,bm25"}``.

    Raises:
        UsageError: If a range is not valid.
        UnknownNameError: If there is no such model.
    """
    from reclens import models
    from reclens.models._core.search_space import Choice, Float, Whole

    found: dict[str, dict[str, Any]] = {}
    for key, text in ranges.items():
        model, dot, parameter = key.partition(".")
        linear = text.endswith(":linear")
        low, colon, high = text.removesuffix(":linear").partition(":")
        if not dot:
            raise _unreadable(key, text)
        before = models.get(model).space.get(parameter)
        if not colon:
            space: Any = Choice(tuple(_typed(each) for each in text.split(",")))
        else:
            try:
                edges = float(low), float(high)
            except ValueError:
                raise _unreadable(key, text) from None
            log = not linear and edges[0] > 0
            if not edges[0] < edges[1]:
                raise _unreadable(key, text)
            space = Whole(int(edges[0]), int(edges[1]), log) if isinstance(before, Whole) else Float(*edges, log)
        found.setdefault(model, {})[parameter] = space
    return found


def _typed(text: str) -> Any:
    """Convert a choice to a number if it is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text, text)


def _unreadable(key: str, text: str) -> Exception:
    from reclens.errors import UsageError

    return UsageError(
        f"the range {key}={text}: expected a range such as ease.l2=1:1e5, "
        "item_knn.shrinkage=0:100:linear, or choices such as item_knn.weighting=none,bm25."
    )
