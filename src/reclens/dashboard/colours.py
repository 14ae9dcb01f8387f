"""The colours of systems on a page, and the legend that tells them."""

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
    """``light`` or ``dark``: what the reader sees."""
    return "dark" if st.context.theme.type == "dark" else "light"


def system_colours(systems: Sequence[str]) -> dict[str, str]:
    """The colours of systems in the theme of the page; those that are grey are left out."""
    return {name: THEME[theme()][at] for name, at in places_of(systems).items() if at is not None}


def legend(systems: list[str]) -> None:
    """Which colour is which system, for all charts of a page; those beyond the colours are grey together."""
    told = [(colour, name) for name, colour in system_colours(systems).items()]
    if len(systems) > len(told):
        told.append((PAPER[theme()]["muted"], f"{len(systems) - len(told)} others"))
    dots = "".join(f'<li><i style="background:{colour}"></i>{html.escape(name)}</li>' for colour, name in told)
    st.html(f'<ul class="legend" aria-label="Colours of the systems">{dots}</ul>')
