"""The subject of the drill-down pages: a split and the lists made for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from reclens.dashboard import store
from reclens.dashboard.isolated_parts import readable
from reclens.dashboard.scene import kept_runs
from reclens.dashboard.widgets import choose, choose_many, empty, filters, plain
from reclens.data.split import Split
from reclens.data.titles import title_column
from reclens.schema import ITEM, Recommendations
from reclens.workspace import Workspace

__all__ = ["Drilldown", "drilldown_of"]

_MOST = 4
"""Lists that stand beside each other to begin with."""


@dataclass(frozen=True, eq=False)
class Drilldown:
    """A split and the lists of some systems for it.

    Attributes:
        split: The split.
        runs: System -> lists.
        name: Name of the split in the workspace.
    """

    split: Split
    runs: Mapping[str, Recommendations]
    name: str = ""

    def title(self, item: Any) -> str:
        """Return the title of an item."""
        items = self.split.train.items
        title = title_column(items)
        if items is None or title is None:
            return str(item)
        rows = items.filter(items[ITEM] == item)
        return f"{rows[title][0]}" if rows.height else str(item)


def drilldown_of(workspace: Workspace) -> Drilldown | None:
    """Let the reader choose a split and lists; return None, with a message, if there are none."""
    splits, runs = store.names(workspace, "split"), store.names(workspace, "run")
    if not splits or not runs:
        empty(
            "No lists yet",
            "A user is looked at through a split and lists: `reclens run job.toml` makes both, and "
            "the demo on **Home** does too.",
        )
        return None
    with filters("split, lists"):
        asked = [name for name in st.query_params.get_all("runs") if name in runs] or kept_runs(runs)
        fitting = store.split_of(workspace, asked) or splits[0]
        split = choose("Split", splits, key="split", start=fitting) or splits[0]
        if not readable(workspace, "split", [split]):
            return None
        fit = store.fitting(workspace, split)
        near = [name for name in runs if name in fit]
        begun = [name for name in asked if name in near] or near
        chosen = choose_many("Lists", runs, key="runs", default=near[:_MOST], start=begun[:_MOST])
    unlike = [name for name in chosen if name not in near]
    if unlike:
        st.warning(
            f"{plain(', '.join(unlike))}: learned from other data than the split {plain(split)}. Hits would be "
            "wrong, so these lists are left out; choose their split.",
            icon=":material/warning:",
        )
        chosen = [name for name in chosen if name in near]
    chosen = readable(workspace, "run", chosen)
    if not chosen:
        empty("No lists chosen", "Choose the lists of one or more systems above.", ":material/checklist:")
        return None
    found = {name: store.load(workspace, "run", name) for name in chosen}
    return Drilldown(store.load(workspace, "split", split), found, split)
