"""The lists of several systems for one user, beside each other."""

from __future__ import annotations

import polars as pl
import streamlit as st

from reclens.dashboard.drilldown import Drilldown
from reclens.dashboard.widgets import frame
from reclens.data.titles import title_column
from reclens.evaluation.inspect import UserView

__all__ = ["side_by_side"]


def side_by_side(found: UserView, scope: Drilldown) -> None:
    """Draw the lists; ✓ marks items that the user chose later."""
    st.caption("✓ marks items that the user chose later.")
    title = title_column(scope.split.train.items)
    for (system, rows), place in zip(found.lists.items(), st.columns(len(found.lists)), strict=True):
        with place:
            st.text(system)
            named = pl.col(title) if title else pl.col("item_id").cast(pl.String)
            shown = rows.select(
                "rank", pl.when("hit").then(pl.lit("✓")).otherwise(pl.lit("")).alias("✓"), named.alias("item")
            )
            if rows.height:
                frame(shown, key=f"list-{system}")
            else:
                st.caption("No list.")
