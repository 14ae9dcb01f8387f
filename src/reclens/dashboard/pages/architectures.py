"""Architectures: classic and deep models side by side, and the training of the deep ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import polars as pl
import streamlit as st

from reclens import models
from reclens.dashboard import store
from reclens.dashboard.chart_cache import draw
from reclens.dashboard.colours import legend
from reclens.dashboard.isolated_parts import readable
from reclens.dashboard.navigation import Page
from reclens.dashboard.scene import keep_runs, kept_runs
from reclens.dashboard.together import choose_group
from reclens.dashboard.widgets import (
    bullets,
    chart,
    choose_many,
    choose_view,
    empty,
    explain_metrics,
    filters,
    grid,
    table,
)
from reclens.report.evaluation import architectures, charts, training
from reclens.workspace import Workspace

__all__ = ["PAGE", "show"]


def show(workspace: Workspace) -> None:
    """Draw the page."""
    st.title("Architectures")
    view = choose_view(list(_VIEWS))
    _VIEWS[view](workspace)


def _trade_offs(workspace: Workspace) -> None:
    if not store.groups(workspace):
        empty(
            "No evaluation yet",
            "`reclens demo --deep` fits classic and deep models on the same data and measures them alike; a job "
            "(`reclens run job.toml`) does so with yours.",
        )
        return
    with filters("runs, metrics, segmentations"):
        group = choose_group(workspace, keys=("runs",))
        known = [] if group is None else list(group.names)
        chosen = choose_many("Runs", known, key="runs", default=known, start=kept_runs(known))
    chosen = readable(workspace, "evaluation", chosen)
    if not chosen:
        empty("No run chosen", "Choose one or more runs above.", ":material/checklist:")
        return
    keep_runs(chosen)
    results = store.evaluations(workspace, chosen)
    sides = architectures.sides_of(results)
    if not sides:
        st.warning("These runs have no metric in common that has a value for each user.")
        return
    _, segmentations, _ = store.shared(results)
    found = architectures.deep_against_classic(results, metrics=sides, by=segmentations)
    bullets(architectures.architecture_text(found, results))
    legend(list(results))
    table(architectures.architecture_table(results, metrics=sides), key="architectures")
    for name, place in grid(sides[1:]):
        with place:
            drawn = draw(charts.trade_off_chart, results, x=sides[0], y=name)
            chart(drawn, f"{sides[0]} against {name}", key=f"trade-{name}", metric=name)
    if found:
        st.subheader("What deep models have over classic ones")
        rows = [row for each in found for row in each.to_dicts()]
        for name, place in grid(sides):
            with place:
                drawn = draw(architectures.contrast_chart, rows, metric=name)
                chart(drawn, f"{name}: deep less classic models", key=f"contrast-{name}", metric=name)
        st.caption("Faded: the interval includes zero, so that no difference is concluded.")
        table(architectures.contrast_table(found), key="contrasts")
    explain_metrics(sides)


def _training(workspace: Workspace) -> None:
    trainings = {name: _curves(workspace, name) for name in _deep(workspace)}
    if not trainings:
        empty(
            "No deep model yet",
            "`reclens demo --deep` fits five of them, and `reclens fit sasrec` one. Their training curves "
            "are shown without PyTorch too.",
        )
        return
    chosen = choose_many("Models", list(trainings), key="models", default=list(trainings)[: store.MOST])
    shown = {name: trainings[name] for name in chosen}
    if not shown:
        empty("No model chosen", "Choose one or more models above.", ":material/checklist:")
        return
    found = {training.metric_of(curves) for curves, _ in shown.values()}
    columns = ["loss", *sorted(name for name in found if name is not None)]
    for name, place in grid(columns):
        with place:
            caption = "Mean loss of each epoch" if name == "loss" else f"{name} of held-out training data"
            drawn = draw(training.curve_chart, training.curve_rows(shown, name), column=name)
            chart(drawn, caption, key=f"curve-{name}")
    st.caption(
        "The large dot is the epoch whose weights a model has. Losses of several models are shares of "
        "that of the first epoch: their kinds cannot be compared."
    )
    table(training.training_table(shown), key="trainings")


def _deep(workspace: Workspace) -> list[str]:
    """Names of the deep models of the workspace, newest first."""
    known = {name for name in models.names() if models.get(name).extra == "deep"}
    found = [each.name for each in store.listing(workspace, "model") if each.card.get("model") in known]
    return readable(workspace, "model", found)


def _curves(workspace: Workspace, name: str) -> tuple[pl.DataFrame, int]:
    model = store.load(workspace, "model", name)
    return model.curves_, model.best_epoch_


_VIEWS: Final[Mapping[str, Callable[[Workspace], None]]] = {"Trade-offs": _trade_offs, "Training": _training}
"""Title -> what draws it."""


PAGE = Page(
    title="Architectures",
    icon=":material/account_tree:",
    section="Diagnose",
    order=32,
    show=show,
    path="architectures",
)
