"""Dots of a chart that are clicked, and ranges that are drawn over it: what is sent, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

__all__ = ["ready", "selected"]

_PICK: Final = "pick"
_BRUSH: Final = "brush"
"""What a selection of dots, and one of a range, are called in a spec."""


def ready(spec: Mapping[str, Any], pick: Sequence[str] = (), brush: Sequence[str] = ()) -> dict[str, Any]:
    """A spec that is drawn once, and takes the selections that are asked for.

    Streamlit takes data out of the top of a spec and sends it after the first drawing, which would draw an empty chart
    first: so each layer holds its own.

    Args:
        spec: The spec of a chart.
        pick: Fields of its dots that a click chooses.
        brush: Fields of its axes, up or across and up, over which a range is drawn.
    """
    made: dict[str, Any] = {**spec, "padding": {"left": 0, "top": 5, "right": 5, "bottom": 2}}
    if "layer" in made and "data" in made:
        rows = made.pop("data")
        made["layer"] = [{"data": rows, **layer} for layer in made["layer"]]
    asked: list[dict[str, Any]] = []
    if pick:
        asked.append({"name": _PICK, "select": {"type": "point", "fields": list(pick), "toggle": False}})
    if brush:
        across = ["x", "y"] if len(brush) > 1 else ["y"]
        asked.append({"name": _BRUSH, "select": {"type": "interval", "encodings": across}})
    if asked:
        inner = _with_dots(made)
        inner["params"] = asked
        inner["mark"] = {**inner["mark"], "cursor": "pointer" if pick else "crosshair"}
    return made


def selected(selection: Mapping[str, Any], pick: Sequence[str], brush: Sequence[str]) -> dict[str, Any] | None:
    """What was chosen: the fields of the dot that was clicked, and the two ends of each range; None without any.

    Example:
        >>> selected({"pick": [{"system": "ease"}], "brush": {"change": [0.2, -0.1]}}, ["system"], ["change"])
        {'system': 'ease', 'change': (-0.1, 0.2)}
    """
    dots = selection.get(_PICK) or []
    found = {name: dots[0].get(name) for name in pick} if dots else {}
    drawn = selection.get(_BRUSH) or {}
    for name in brush:
        ends = drawn.get(name) or []
        if len(ends) == 2 and ends[0] != ends[1]:
            found[name] = (min(ends), max(ends))
    return found or None


def _with_dots(spec: dict[str, Any]) -> dict[str, Any]:
    """The layer of a spec that draws dots, made its own, so that the spec of the cache stays as it is."""
    if "layer" not in spec:
        spec["mark"] = spec["mark"] if isinstance(spec["mark"], dict) else {"type": spec["mark"]}
        return spec
    at = next(n for n, layer in reversed(list(enumerate(spec["layer"]))) if _draws_dots(layer))
    spec["layer"] = list(spec["layer"])
    spec["layer"][at] = dict(spec["layer"][at])
    return _with_dots(spec["layer"][at])


def _draws_dots(layer: Mapping[str, Any]) -> bool:
    mark = layer.get("mark", {})
    return (mark if isinstance(mark, str) else mark.get("type")) in ("circle", "point") or any(
        map(_draws_dots, layer.get("layer", ()))
    )
