"""Metrics at several cut-offs: already measured, or computed on request from lists in the workspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import streamlit as st

from reclens.dashboard import store
from reclens.dashboard.chart_cache import draw
from reclens.dashboard.scene import Scene
from reclens.dashboard.widgets import chart, choose, empty, grid
from reclens.evaluation import Evaluation, evaluate
from reclens.metrics import describe
from reclens.report.evaluation.diagnostics import metric_by_cutoff_chart
from reclens.workspace import Workspace
from reclens.workspace.groups import protocol_of

__all__ = ["draw_cutoffs"]

_CUTOFFS: Final = (1, 2, 3, 5, 10, 20, 50, 100)
"""The cut-offs that are computed, as far as the lists are long enough."""


def draw_cutoffs(scene: Scene) -> None:
    """Draw each metric that was measured at several cut-offs; compute others on request."""
    families = sorted({name.split("@")[0] for name in next(iter(scene.results.values())).metrics if "@" in name})
    drawn = {name: draw(metric_by_cutoff_chart, scene.results, family=name) for name in families}
    known = [name for name, each in drawn.items() if each is not None]
    for name, place in grid(known):
        with place:
            chart(drawn[name], f"{name} at each cut-off", key=f"per-k-{name}", metric=name)
    _computed(scene, [name for name in families if name not in known], drawn=bool(known))


def _computed(scene: Scene, families: Sequence[str], *, drawn: bool) -> None:
    """Compute the chosen metric, measured at one cut-off only, on the lists in the workspace."""
    asked = [name for name in families if describe(name).kind == "user"]
    if not asked:
        return
    runs = list(scene.results)
    kept = set(store.names(scene.workspace, "run"))
    split = store.split_of(scene.workspace, runs) if kept.issuperset(runs) else None
    if split is None:
        empty(
            "Metrics of one cut-off have no curve",
            "Others are computed here where the workspace has the lists of the runs and their split: keep them, or "
            "evaluate by a metric at several cut-offs, such as `-m ndcg@5 -m ndcg@10 -m ndcg@20`.",
            ":material/show_chart:",
        )
        return
    chosen = choose("Compute at more cut-offs", ["none", *asked], key="cutoffs", help="Of the lists in the workspace.")
    if chosen not in asked and not drawn:
        empty(
            "Each metric was measured at one cut-off",
            "Choose one above: it is computed at others, on the lists in the workspace.",
            ":material/show_chart:",
        )
    if chosen in asked:
        made = draw(metric_by_cutoff_chart, _measured(scene, split, chosen), family=chosen)
        if made is None:
            empty("Lists of one item have no curve", "Recommend more items to each user.", ":material/show_chart:")
            return
        chart(made, f"{chosen} at each cut-off, computed now", key=f"per-k-{chosen}", metric=chosen)


def _measured(scene: Scene, split: str, family: str) -> Mapping[str, Evaluation]:
    stamps = {each.name: each.created.isoformat() for each in store.listing(scene.workspace, "evaluation")}
    return {
        name: _at_cutoffs(str(scene.workspace.folder), split, name, family, stamps.get(name, ""))
        for name in scene.results
    }


@st.cache_resource(show_spinner="Measuring at each cut-off …", max_entries=64)
def _at_cutoffs(folder: str, split: str, run: str, family: str, stamp: str) -> Evaluation:
    """Evaluate one run with its protocol by one metric at each cut-off up to the list length, over all users."""
    del stamp
    place = Workspace(folder)
    ground, lists = store.load(place, "split", split), store.load(place, "run", run)
    how = protocol_of(store.load(place, "evaluation", run).card, ground)
    longest = int(lists.table["rank"].max() or 1)
    how |= {"metrics": [f"{family}@{k}" for k in _CUTOFFS if k <= longest], "by": []}
    return evaluate(lists, ground, **how, name=run)
