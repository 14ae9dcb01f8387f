"""Charts in fixed colours, for where there is no style sheet to follow: a canvas, a file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from reclens.report._toolkit.charts import THEME
from reclens.report._toolkit.html import Figure

__all__ = ["PAPER", "painted", "to_svg"]

PAPER: Final = {
    "light": {
        "paper": "#ffffff",
        "ink": "#1b1f24",
        "muted": "#57606a",
        "line": "#c9d1d9",
        "grid": "#eaeef2",
        "soft": "#f6f8fa",
        "good": "#1a7f37",
        "bad": "#e0115f",
        "open": "#bf8700",
        "high": "#d9739a",
        "low": "#a08a5a",
        "favoured": "#6b9478",
    },
    "dark": {
        "paper": "#14171c",
        "ink": "#e6e9ee",
        "muted": "#a3adb8",
        "line": "#48515c",
        "grid": "#262c34",
        "soft": "#1c2128",
        "good": "#56d364",
        "bad": "#ff3d8b",
        "open": "#ffb000",
        "high": "#c2708f",
        "low": "#b09a6a",
        "favoured": "#7fa98c",
    },
}
"""The colours of the page beside those of the systems, as the style sheet of the report has them.

``good``, ``bad`` and ``open`` tell verdicts, gains and losses; no system has one of them. ``high``, ``low`` and
``favoured`` are duller steps of ``bad``, ``open`` and ``good``, for severities: the more saturated is the graver.
"""


def painted(spec: Mapping[str, Any], *, theme: Literal["light", "dark"]) -> dict[str, Any]:
    """A spec with colours in the place of CSS variables, and null in the place of NaN, which JSON does not have."""
    colours = {**PAPER[theme], **{f"s{at}": colour for at, colour in enumerate(THEME[theme])}}
    return _painted(spec, colours)


def to_svg(figure: Figure, *, width: int = 640) -> str:
    """A chart as SVG on white, for print and for slides.

    Args:
        figure: The chart.
        width: Of the whole picture, in pixels.
    """
    import vl_convert

    spec = painted(figure.spec, theme="light")
    spec |= {"width": width, "background": "white", "padding": 8, "autosize": {"type": "fit-x", "contains": "padding"}}
    return vl_convert.vegalite_to_svg(spec)


def _painted(spec: Any, colours: Mapping[str, str]) -> Any:
    if isinstance(spec, Mapping):
        return {name: _painted(each, colours) for name, each in spec.items()}
    if isinstance(spec, list | tuple):
        return [_painted(each, colours) for each in spec]
    if isinstance(spec, str):
        return re.sub(r"var\(--(\w+)\)", lambda found: colours.get(found[1], found[0]), spec)
    if isinstance(spec, float) and spec != spec:
        return None
    return spec
