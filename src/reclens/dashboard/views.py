"""The views of the page Diagnostics: each draws one question about the runs that were chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import urlencode

import streamlit as st

from reclens.dashboard import store
from reclens.dashboard.chart_cache import draw
from reclens.dashboard.widgets import chart, choose, choose_many, empty, folded, grid, plain, table
from reclens.evaluation import Comparison, Evaluation
from reclens.evaluation.views import crossings_of
from reclens.metrics import direction, family_of
from reclens.report.evaluation import charts, tables
from reclens.report.evaluation import diagnostics as diagnosis
from reclens.report.evaluation.words import verdict
from reclens.workspace import Workspace

__all__ = ["VIEWS", "Shown"]

_MOST_CELLS: Final = 200
"""Segments up to which a product of two segmentations is offered: more would be few users each, and take long."""

_MOST_ROWS: Final = 40
"""Segments that a chart shows at most."""

_TAIL: Final = ("exposure", "popularity", "novelty")
"""Families of metrics that tell of the long tail."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What was chosen on the page.

    Attributes:
        workspace: Where the runs lie.
        results: Name -> evaluation.
        comparison: All of them against the baseline; None where there is nothing to compare.
        metrics: The metrics chosen.
        by: The segmentations that all of them have.
    """

    workspace: Workspace
    results: Mapping[str, Evaluation]
    comparison: Comparison | None
    metrics: list[str]
    by: list[str]

    @property
    def averaged(self) -> list[str]:
        """Those of the metrics that are averaged over users."""
        known = store.averaged(self.results)
        return [name for name in self.metrics if name in known]


def _leaderboard(shown: Shown) -> None:
    comparison = shown.comparison
    if comparison is not None:
        st.markdown("\n".join(f"- {plain(sentence)}" for sentence in verdict(comparison)))
    table(tables.leaderboard(shown.results, comparison=comparison, metrics=shown.metrics), key="leaderboard")
    for name, place in grid(shown.metrics):
        with place:
            drawn = draw(charts.leaderboard_chart, shown.results, metric=name)
            chart(drawn, f"{name} of every system", key=f"leaderboard-{name}", metric=name)
    if comparison is not None:
        table(tables.comparison_table(comparison, by="overall"), key="differences")


def _segments(shown: Shown) -> None:
    if not shown.by or not shown.averaged:
        empty("No segments", "These runs were evaluated without segments: add `--by age`, or `[segments]` in a job.")
        return
    first = next(iter(shown.results.values()))
    crossings = crossings_of(first, shown.by, most=_MOST_CELLS)
    left, right = st.columns(2)
    with left:
        metric = choose("Metric", shown.averaged, key="metric") or shown.averaged[0]
    with right:
        groups = choose_many(
            "Segmentations",
            [*shown.by, *crossings],
            key="by",
            default=shown.by,
            help=f"Two names joined by × are the product of both, offered up to {_MOST_CELLS} segments.",
        )
    sources = {
        name: store.crossed(shown.workspace, list(shown.results), *crossings[name])
        if name in crossings
        else shown.results
        for name in groups
    }
    for name, place in grid(groups):
        with place:
            drawn = draw(charts.segment_chart, sources[name], metric=metric, by=name, most=_MOST_ROWS)
            chart(drawn, f"{metric} by {name}", key=f"segment-{name}", metric=metric)
            if (count := charts.segment_count(sources[name], metric=metric, by=name)) > _MOST_ROWS:
                st.caption(f"The {_MOST_ROWS} segments with the most users, of {count}: the numbers below have all.")
    st.subheader("Gaps")
    st.caption(
        "The largest difference between two segments, with an interval that allows for having looked at every "
        "pair. Faded: the interval includes zero."
    )
    gaps = draw(charts.gap_chart, shown.results, metric=metric, by=groups)
    chart(gaps, f"Largest gap in {metric}", key="gaps", metric=metric)
    for name in groups:
        numbers = partial(_numbers, sources[name], metric, name)
        folded(f"The numbers by {plain(name)}", numbers, key=f"segments-{name}")


def _numbers(results: Mapping[str, Evaluation], metric: str, by: str) -> None:
    table(tables.segment_table(results, metric=metric, by=by), key=f"segment-table-{by}")


def _trade_off(shown: Shown) -> None:
    if len(shown.averaged) < 2:
        empty("One metric has nothing to trade", "Choose two or more metrics in the sidebar.", ":material/balance:")
        return
    x = choose("Across", shown.averaged, key="x") or shown.averaged[0]
    for name, place in grid([name for name in shown.averaged if name != x]):
        with place:
            drawn = draw(charts.trade_off_chart, shown.results, x=x, y=name)
            chart(drawn, f"{x} against {name}", key=f"trade-{name}", metric=name)


def _long_tail(shown: Shown) -> None:
    first = next(iter(shown.results.values()))
    if first.card.get("recommendations_outside_catalogue") is None:
        empty("No catalogue", "Exposure needs the catalogue: evaluate with `--train`.")
        return
    left, right = st.columns(2)
    with left:
        lorenz = draw(charts.lorenz_chart, shown.results, consumed=first.lorenz("popularity"))
        chart(lorenz, "Lorenz curve of exposure", key="lorenz")
    with right:
        chart(draw(diagnosis.popularity_chart, shown.results), "Exposure by popularity of the items", key="popularity")
    for name, place in grid([name for name in shown.metrics if family_of(name) in _TAIL]):
        with place:
            drawn = draw(charts.leaderboard_chart, shown.results, metric=name)
            chart(drawn, f"{name} of every system", key=f"tail-{name}", metric=name)


def _per_k(shown: Shown) -> None:
    families = {name.split("@")[0] for name in next(iter(shown.results.values())).metrics if "@" in name}
    drawn = {name: draw(diagnosis.per_k_chart, shown.results, family=name) for name in sorted(families)}
    known = [name for name, each in drawn.items() if each is not None]
    if not known:
        empty(
            "One cut-off has no curve",
            "Evaluate by a metric at several cut-offs, such as `-m ndcg@5 -m ndcg@10 -m ndcg@20`.",
            ":material/show_chart:",
        )
        return
    for name, place in grid(known):
        with place:
            chart(drawn[name], f"{name} at each cut-off", key=f"per-k-{name}", metric=name)


def _users(shown: Shown) -> None:
    if not shown.averaged:
        empty("No value of a single user", "Choose a metric that is averaged over users.", ":material/person:")
        return
    left, right = st.columns(2)
    with left:
        metric = choose("Metric", shown.averaged, key="metric") or shown.averaged[0]
    with right:
        system = choose("System", list(shown.results), key="system") or next(iter(shown.results))
    drawn = draw(diagnosis.distribution_chart, shown.results, metric=metric)
    chart(drawn, f"Share of users by their {metric}", key="distribution", metric=metric)
    better = direction(metric)
    st.subheader(
        f"The users whom {plain(system)} serves worst"
        if better is not None
        else f"The users with the lowest {plain(metric)} under {plain(system)}"
    )
    worst = diagnosis.worst_users_table(shown.results[system], metric=metric)
    table(worst, key="worst")
    users = [str(row["user_id"]) for row in worst.records]
    chosen = choose("Look at one of them", users, key="worst-user")
    if chosen is not None:
        runs = [name for name in shown.results if name in store.names(shown.workspace, "run")]
        split = store.split_of(shown.workspace, runs)
        link = urlencode({"user": chosen, "runs": runs} | ({"split": split} if split else {}), doseq=True)
        st.link_button(f"Open user {plain(chosen)}", f"users?{link}", icon=":material/person:")


VIEWS: Final[Mapping[str, Callable[[Shown], None]]] = {
    "Leaderboard": _leaderboard,
    "Segments": _segments,
    "Trade-off": _trade_off,
    "Long tail": _long_tail,
    "Per k": _per_k,
    "Users": _users,
}
"""Title -> what draws it."""
