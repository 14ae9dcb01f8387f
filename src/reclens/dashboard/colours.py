"""The colours of systems on a page, and their legend."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Literal

import streamlit as st

from reclens.report._toolkit.charts import THEME
from reclens.report._toolkit.static_theme import PAPER
from reclens.report._toolkit.system_colours import places_of

__all__ = ["legend", "system_colours", "theme"]


def theme() -> Literal["light", "dark"]:
    """Return the reader's theme, ``light`` or ``dark``."""
    return "dark" if st.context.theme.type == "dark" else "light"


def system_colours(systems: Sequence[str]) -> dict[str, str]:
    """Return the colours of systems in the theme of the page, without grey ones."""
    return {name: THEME[theme()][at] for name, at in places_of(systems).items() if at is not None}


def legend(names: list[str], *, systems: bool = True) -> None:
    """Draw the colour of each name for all charts of a page; names without a colour share grey.

    Args:
        names: What is told apart.
        systems: Whether they are systems, whose colours follow their names; others have colours in their order.
    """
    colours = system_colours(names) if systems else dict(zip(names, THEME[theme()], strict=False))
    told = [(colour, name) for name, colour in colours.items()]
    if len(names) > len(told):
        told.append((PAPER[theme()]["muted"], f"{len(names) - len(told)} others"))
    dots = "".join(f'<li><i style="background:{colour}"></i>{html.escape(name)}</li>' for colour, name in told)
    st.html(f'<ul class="legend" aria-label="Colours">{dots}</ul>')
