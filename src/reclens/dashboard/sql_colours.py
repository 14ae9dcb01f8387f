"""Highlighting of the SQL in a text field while it is typed: a Streamlit component that draws over the field.

The editors for Streamlit that colour SQL had their last releases in 2021 (streamlit-ace) and 2024
(streamlit-code-editor), and would replace the field whose text the URL keeps.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

from streamlit.components import v2

from reclens.dashboard.colours import theme

__all__ = ["colour_sql"]

_COLOURS: Final = {
    "light": {"keyword": "#0059a8", "text": "#116329", "number": "#8a3b00", "note": "#57606a"},
    "dark": {"keyword": "#8ecbff", "text": "#7ee787", "number": "#ffb570", "note": "#9aa4b2"},
}
"""Theme -> kind of a token -> its colour; each has a contrast of at least 4.5 with the ground of the field."""


@cache
def _component() -> Any:
    return v2.component("reclens_sql_colours", js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"))


def colour_sql(key: str) -> None:
    """Colour the SQL in a text field.

    Args:
        key: The key of the field.
    """
    _component()(data={"key": key, "colours": _COLOURS[theme()]}, key=f"colours-of-{key}")
