"""Selections in a chart, by clicking dots and drawing ranges: the spec to send and the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

__all__ = ["ready", "selected"]

_ROWS: Final = "rows"
"""What the data of a chart are called in its spec."""

_PICK: Final = "pick"
_BRUSH: Final = "brush"
"""What a selection of dots, and one of a range, are called in a spec."""


def ready(spec: Mapping[str, Any], pick: Sequence[str] = (), brush: Sequence[str] = ()) -> dict[str, Any]:
    """Return a spec that is drawn once and supports the requested selections.

    Streamlit moves top-level data out of a spec and sends it after the first rendering, which would show an empty chart
    first. Therefore each layer holds its own data.

    Args:
        spec: The spec of a chart.
        pick: Fields of the dots that a click selects.
        brush: Fields of the axes, y or x and y, over which a range is drawn.
    """
    made: dict[str, Any] = {**spec, "padding": {"left": 0, "top": 8, "right": 5, "bottom": 2}}
    if "layer" in made and "data" in made:
        rows = made.pop("data")
        # The first layer has the rows, the others name them: copies would be sent, read and compared.
        source = {"name": _ROWS}
        made["layer"] = [{"data": source, **layer} for layer in made["layer"]]
        next(layer for layer in made["layer"] if layer["data"] is source)["data"] = {**rows, **source}
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
    """Return the fields of the clicked dot and both ends of each range, or None without a selection.

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
    """Return a copy of the layer that draws dots, so that the cached spec is unchanged."""
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
