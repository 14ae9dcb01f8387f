"""The lists of several systems for one user side by side, each with a picture of its hits."""

from __future__ import annotations

from typing import Final

import polars as pl
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from reclens.dashboard.colours import theme
from reclens.dashboard.drilldown import Drilldown
from reclens.dashboard.widgets import frame
from reclens.data.titles import title_column
from reclens.evaluation.inspect import UserView
from reclens.report._toolkit.static_theme import PAPER
from reclens.report.evaluation.charts_hits import places_svg

__all__ = ["side_by_side"]

_NARROW: Final = {name: st.column_config.TextColumn(name, width=width) for name, width in (("rank", 44), ("✓", 32))}
"""Columns that leave the room to the titles."""

_BESIDE: Final = 3
"""Lists that stand beside each other at most."""


def side_by_side(found: UserView, scope: Drilldown) -> None:
    """Draw the lists; ✓ marks items that the user chose later, and the picture shows their ranks in colour."""
    st.caption("✓ and a place in colour: items that the user chose later.")
    title = title_column(scope.split.train.items)
    colour, ground = PAPER[theme()]["good"], PAPER[theme()]["line"]
    for (system, rows), place in zip(found.lists.items(), _places(len(found.lists)), strict=True):
        with place:
            st.text(system)
            named = pl.col(title) if title else pl.col("item_id").cast(pl.String)
            mark = pl.when("hit").then(pl.lit("✓")).otherwise(pl.lit(""))
            shown = rows.select(pl.col("rank").cast(pl.String), mark.alias("✓"), named.alias("item"))
            if rows.height:
                st.image(places_svg(rows["hit"].to_list(), colour=colour, ground=ground))
                frame(shown, key=f"list-{system}", columns=_NARROW)
            else:
                st.caption("No list.")


def _places(count: int) -> list[DeltaGenerator]:
    """Return a container for each list, in evenly filled rows that leave room for the titles."""
    rows = -(-count // _BESIDE)
    sizes = [count // rows + (at < count % rows) for at in range(rows)] if rows else []
    return [place for size in sizes for place in st.columns(size)]
