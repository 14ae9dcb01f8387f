"""The history view: a metric of a named system over time, compared with a bound."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from reclens.dashboard import store
from reclens.dashboard.chart_cache import draw
from reclens.dashboard.widgets import chart, choose, empty, table
from reclens.evaluation.history import history_of, systems_in_time
from reclens.metrics import direction
from reclens.report.evaluation.history import history_chart, history_table
from reclens.stats.gate import Bound
from reclens.workspace import Workspace

__all__ = ["draw_history"]


def draw_history(workspace: Workspace, together: Sequence[str]) -> None:
    """Draw the view.

    Args:
        workspace: The workspace of the runs.
        together: The runs that were measured alike; runs on other data are not comparable on one axis.
    """
    estimates = store.estimates(workspace, together)
    systems = systems_in_time(estimates)
    if not systems:
        empty(
            "Every system has one run",
            "Keep the next run of a system under a name of its own, such as `--keep ease-2024-06`: its metrics stand "
            "here run by run, and a bound says which of them pass.",
            ":material/history:",
        )
        return
    one, two, three = st.columns(3)
    with one:
        system = choose("System", systems, key="system") or systems[0]
    metrics = list(dict.fromkeys(estimates.filter(estimates["system"] == system)["metric"]))
    with two:
        metric = choose("Metric", metrics, key="metric") or metrics[0]
    falling = direction(metric) is False
    with three:
        limit = st.number_input(
            "At most" if falling else "At least",
            value=None,
            format="%.4f",
            step=0.001,
            key="bound",
            bind="query-params",
            placeholder="no bound",
        )
    bound = None if limit is None else Bound(at_most=limit) if falling else Bound(at_least=limit)
    rows = history_of(estimates, system, metric, bound=bound)
    chart(
        draw(history_chart, rows, metric=metric, at_least=limit), f"{metric} of {system} in time", key="history-chart"
    )
    table(history_table(rows, system=system, metric=metric), key="history")
