"""Diagnostics: which system is better, for whom, and at what cost to diversity, novelty and the long tail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlencode

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from reclens.dashboard import store
from reclens.dashboard.navigation import Page
from reclens.dashboard.show import chart, choose, choose_many, empty, explain_metrics, legend, table
from reclens.errors import IncomparableError
from reclens.evaluate import Comparison, Evaluation
from reclens.metrics import describe
from reclens.report import charts, diagnosis, tables
from reclens.workspace import Workspace

__all__ = ["PAGE", "show"]

_MOST = 6
"""Runs that are chosen to begin with."""


def show(workspace: Workspace) -> None:
    """Draw the page."""
    st.title("Diagnostics")
    known = store.names(workspace, "evaluation")
    if not known:
        empty("No evaluation yet", "Evaluate lists on the page **Upload**, with `reclens evaluate … --keep NAME`, or "
              "run the demo from **Home**.")  # fmt: skip
        return
    with st.sidebar:
        chosen = choose_many("Runs", known, key="runs", default=_newest_together(workspace, known),
                             help="Evaluations of the workspace, newest first.")  # fmt: skip
    if not chosen:
        empty("No run chosen", "Choose one or more runs in the sidebar.", ":material/checklist:")
        return
    results = store.evaluations(workspace, chosen)
    shared = _shared(list(results.values()), lambda each: each.metrics)
    segmentations = _shared(list(results.values()), lambda each: [c for c in each.segments.columns if c != "user_id"])
    if not shared:
        st.warning("These runs have no metric in common. Choose others, or evaluate them by the same metrics.")
        return
    with st.sidebar:
        metrics = choose_many("Metrics", shared, key="metrics", default=shared[:6]) or shared
        baseline = choose("Baseline", chosen, key="baseline", default=_popular(chosen))
        correction = choose("Correction", ["holm", "bh", "bonferroni", "none"], key="correction", default="holm",
                            help="Of p-values, over every system, metric and segment.")  # fmt: skip
    comparison = _comparison(workspace, chosen, baseline, correction, metrics, segmentations)
    legend(list(results))
    names = ["Leaderboard", "Segments", "Trade-off", "Long tail", "Per k", "Users"]
    tab = choose("View", names, key="view", default=names[0], label_visibility="collapsed")
    views = {"Leaderboard": _leaderboard, "Segments": _segments, "Trade-off": _trade_off, "Long tail": _long_tail,
             "Per k": _per_k, "Users": _users}  # fmt: skip
    views[tab or names[0]](results, comparison, metrics, segmentations)
    explain_metrics(metrics)


def _leaderboard(
    results: Mapping[str, Evaluation], comparison: Comparison | None, metrics: list[str], by: list[str]
) -> None:
    if comparison is not None:
        for sentence in comparison.verdict:
            st.text(f"• {sentence}")
    shown = tables.leaderboard(results, comparison=comparison, metrics=metrics)
    table(shown, key="leaderboard")
    for name, place in zip(metrics, _grid(len(metrics)), strict=True):
        with place:
            chart(charts.leaderboard_chart(results, metric=name), f"{name} of every system", key=f"leaderboard-{name}")
    if comparison is not None:
        st.subheader(f"Against {comparison.baseline}")
        table(tables.comparison_table(comparison, by="overall"), key="differences")


def _segments(
    results: Mapping[str, Evaluation], comparison: Comparison | None, metrics: list[str], by: list[str]
) -> None:
    del comparison
    if not by:
        empty("No segments", "These runs were evaluated without segments: add `--by age`, or `[segments]` in a job.")
        return
    averaged = _averaged(metrics)
    left, right = st.columns(2)
    with left:
        metric = choose("Metric", averaged, key="metric")
    with right:
        groups = choose_many("Segmentations", by, key="by", default=by)
    if metric is None:
        return
    for name, place in zip(groups, _grid(len(groups)), strict=True):
        with place:
            chart(charts.segment_chart(results, metric=metric, by=name), f"{metric} by {name}", key=f"segment-{name}")
    st.subheader("Gaps")
    st.caption("The largest difference between two segments, with an interval that allows for having looked at every "
               "pair. Faded: the interval includes zero.")  # fmt: skip
    chart(charts.gap_chart(results, metric=metric), f"Largest gap in {metric}", key="gaps")
    for name in groups:
        with st.expander(f"The numbers by {name}"):
            table(tables.segment_table(results, metric=metric, by=name), key=f"segment-{name}")


def _trade_off(
    results: Mapping[str, Evaluation], comparison: Comparison | None, metrics: list[str], by: list[str]
) -> None:
    del comparison, by
    averaged = _averaged(metrics)
    if len(averaged) < 2:
        empty("One metric has nothing to trade", "Choose two or more metrics in the sidebar.", ":material/balance:")
        return
    x = choose("Across", averaged, key="x") or averaged[0]
    others = [name for name in averaged if name != x]
    for name, place in zip(others, _grid(len(others)), strict=True):
        with place:
            chart(charts.trade_off_chart(results, x=x, y=name), f"{x} against {name}", key=f"trade-{name}")


def _long_tail(
    results: Mapping[str, Evaluation], comparison: Comparison | None, metrics: list[str], by: list[str]
) -> None:
    del comparison, by
    first = next(iter(results.values()))
    if first.card.get("recommendations_outside_catalogue") is None:
        empty("No catalogue", "Exposure needs to know the catalogue: evaluate with `--train`.")
        return
    left, right = st.columns(2)
    with left:
        chart(
            charts.lorenz_chart(results, consumed=first.lorenz("popularity")), "Lorenz curve of exposure", key="lorenz"
        )
    with right:
        chart(diagnosis.popularity_chart(results), "Exposure by popularity of the items", key="popularity")
    names = [
        name for name in metrics if name.split("@")[0] in ("coverage", "gini", "entropy", "arp", "aplt", "novelty")
    ]
    for name, place in zip(names, _grid(len(names)), strict=True):
        with place:
            chart(charts.leaderboard_chart(results, metric=name), f"{name} of every system", key=f"tail-{name}")


def _per_k(results: Mapping[str, Evaluation], comparison: Comparison | None, metrics: list[str], by: list[str]) -> None:
    del comparison, by
    families = {name.split("@")[0] for name in next(iter(results.values())).metrics if "@" in name}
    known = [name for name in sorted(families) if diagnosis.per_k_chart(results, family=name) is not None]
    if not known:
        empty("One cut-off has no curve", "Evaluate by a metric at several cut-offs, such as "
              "`-m ndcg@5 -m ndcg@10 -m ndcg@20`.", ":material/show_chart:")  # fmt: skip
        return
    for name, place in zip(known, _grid(len(known)), strict=True):
        with place:
            chart(diagnosis.per_k_chart(results, family=name), f"{name} at each cut-off", key=f"per-k-{name}")


def _users(results: Mapping[str, Evaluation], comparison: Comparison | None, metrics: list[str], by: list[str]) -> None:
    del comparison, by
    averaged = _averaged(metrics)
    metric = choose("Metric", averaged, key="metric")
    system = choose("System", list(results), key="system")
    if metric is None or system is None:
        return
    chart(diagnosis.distribution_chart(results, metric=metric), f"Share of users by their {metric}", key="distribution")
    st.subheader(f"The users whom {system} serves worst")
    shown = diagnosis.worst_users_table(results[system], metric=metric)
    table(shown, key="worst")
    users = [str(row["user_id"]) for row in shown.records]
    chosen = choose("Look at one of them", users, key="worst-user")
    if chosen is not None:
        link = urlencode({"user": chosen, "runs": list(results)}, doseq=True)
        st.link_button(f"Open user {chosen}", f"users?{link}", icon=":material/person:")


def _grid(n: int) -> list[DeltaGenerator]:
    """Places for n charts, two beside each other; Streamlit puts them below each other on a phone."""
    return [place for _ in range(0, n, 2) for place in st.columns(2)][:n]


def _averaged(metrics: list[str]) -> list[str]:
    return [name for name in metrics if describe(name).kind == "user"]


def _shared(results: list[Evaluation], of: Callable[[Evaluation], Sequence[str]]) -> list[str]:
    return [name for name in of(results[0]) if all(name in of(each) for each in results)]


def _popular(chosen: list[str]) -> str:
    return next((name for name in chosen if name == "popular" or name.endswith("-popular")), chosen[0])


def _newest_together(workspace: Workspace, known: list[str]) -> list[str]:
    """The newest runs that share the newest one's prefix: the runs of one job."""
    prefix = known[0].rpartition("-")[0]
    return [name for name in known if name.rpartition("-")[0] == prefix][:_MOST]


def _comparison(
    workspace: Workspace, chosen: list[str], baseline: str | None, correction: str | None, metrics: list[str],
    by: list[str],
) -> Comparison | None:  # fmt: skip
    if len(chosen) < 2 or baseline is None or correction is None:
        return None
    try:
        return store.compared(workspace, chosen, baseline=baseline, correction=correction, metrics=metrics, by=by)
    except IncomparableError as error:
        st.warning(f"There is no verdict: {error}", icon=":material/warning:")
        return None


PAGE = Page("Diagnostics", ":material/monitoring:", "Diagnose", 10, show, "diagnostics")
