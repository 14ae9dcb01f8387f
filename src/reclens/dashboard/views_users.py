"""The users view: how many users get no hit and where they are, the distribution, and users to inspect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from reclens.dashboard import store
from reclens.dashboard.chart_cache import draw
from reclens.dashboard.links import lead
from reclens.dashboard.scene import Scene
from reclens.dashboard.widgets import chart, choose, empty, grid, plain, table
from reclens.evaluation import Evaluation
from reclens.evaluation.hits import share_without_hit, users_without_hit
from reclens.evaluation.views import of_segment
from reclens.metrics import direction
from reclens.report.evaluation import diagnostics as diagnosis
from reclens.report.evaluation.charts_hits import no_hit_chart, no_hit_headline

__all__ = ["draw_users"]

_EVERYBODY: Final = "all users"
_MOST: Final = 50
"""Users without a hit that are offered to look at."""


def draw_users(scene: Scene, averaged: Sequence[str]) -> None:
    """Draw the view.

    Args:
        scene: The chosen runs.
        averaged: The chosen metrics that have a value for each user.
    """
    if not averaged:
        empty("No value of a single user", "Choose a metric that is averaged over users.", ":material/person:")
        return
    systems = list(scene.results)
    left, middle, right = st.columns(3)
    with left:
        metric = choose("Metric", list(averaged), key="metric") or averaged[0]
    with middle:
        first = scene.decision.system if scene.decision.system in systems else systems[0]
        system = choose("System", systems, key="system", default=first) or first
    first_result = scene.results[system]
    places = [f"{by}: {segment}" for by, segment in first_result.summary.cells[1:]]
    with right:
        segment = choose("Segment", [_EVERYBODY, *places], key="segment") or _EVERYBODY
    result = first_result if segment == _EVERYBODY else of_segment(first_result, *segment.split(": ", 1))
    share = share_without_hit(result, metric)
    if share is not None and share.value == share.value:
        st.subheader(plain(no_hit_headline(share, system, f"by {metric}")))
        charts = {name: draw(no_hit_chart, scene.results, metric=metric, by=name) for name in scene.by}
        for name, place in grid(scene.by, charts):
            with place:
                chart(charts[name], f"Users without a hit, by {name}", key=f"no-hit-{name}", metric=metric)
    drawn = draw(diagnosis.distribution_chart, scene.results, metric=metric)
    chosen = chart(drawn, f"Share of users by their {metric}", key="distribution", metric=metric, brush=("value",))
    st.caption(f"Drag up or down on the chart to see the users of {plain(system)} with those values.")
    _worst(scene, result, system, metric, within=None if chosen is None else chosen["value"])


def _worst(
    scene: Scene, result: Evaluation, system: str, metric: str, *, within: tuple[float, float] | None = None
) -> None:
    """Draw the users with the worst values, without a row for each user without a hit, or those of a range."""
    counted = within is None and share_without_hit(result, metric) is not None
    without = users_without_hit(result, metric) if counted else None
    if within is not None:
        st.subheader(f"The users with the {plain(metric)} that is chosen, under {plain(system)}")
    elif direction(metric) is None:
        st.subheader(f"The users with the lowest {plain(metric)} under {plain(system)}")
    else:
        st.subheader(f"The users whom {plain(system)} serves worst")
    above = None if without is None else 0.0
    worst = diagnosis.worst_users_table(result, metric=metric, above=above, within=within)
    table(worst, key="worst")
    users = [str(row["user_id"]) for row in worst.records]
    missed = [] if without is None else [str(user) for user in without.head(_MOST)]
    chosen = choose(
        "Look at one of them",
        [*missed, *users],
        key="worst-user",
        format_func=lambda user: f"{user} (no hit)" if user in missed else user,
        help="Users without a hit come first, those with the most held-out items before the others.",
    )
    if chosen is not None:
        kept = set(store.names(scene.workspace, "run"))
        runs = [name for name in scene.results if name in kept]
        query = {"user": chosen, "runs": runs, "split": store.split_of(scene.workspace, runs)}
        lead(f"Open user {plain(chosen)}", "users", query, icon=":material/person:", key="user")
