"""The views of the Diagnostics page: each answers one question about the chosen runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import streamlit as st

from reclens.dashboard import store
from reclens.dashboard.chart_cache import draw
from reclens.dashboard.cutoffs import draw_cutoffs
from reclens.dashboard.history import draw_history
from reclens.dashboard.links import lead
from reclens.dashboard.run_list import run_list
from reclens.dashboard.scene import Scene
from reclens.dashboard.views_users import draw_users
from reclens.dashboard.widgets import chart, choose, choose_many, empty, folded, grid, plain, table
from reclens.evaluation import Evaluation
from reclens.evaluation.against_split import SPLIT_METRICS
from reclens.evaluation.decision import COSTS
from reclens.evaluation.trade_off import other_sides, trade_off
from reclens.evaluation.views import crossings_of
from reclens.metrics import describe, family_of
from reclens.report.evaluation import charts, tables
from reclens.report.evaluation import diagnostics as diagnosis

__all__ = ["VIEWS", "Shown"]

_MOST_CELLS: Final = 200
"""Segments up to which a product of two segmentations is offered: more would be few users each, and take long."""

_MOST_ROWS: Final = 40
"""Segments that a chart shows at most."""

_TAIL: Final = ("exposure", "popularity", "novelty")
"""Families of metrics that tell of the long tail."""


@dataclass(frozen=True, eq=False)
class Shown:
    """The choices on the page.

    Attributes:
        scene: The chosen runs with their comparison and decision.
        together: All runs that were measured in the same way, newest first.
        metrics: The metrics chosen.
    """

    scene: Scene
    together: list[str]
    metrics: list[str]

    @property
    def results(self) -> Mapping[str, Evaluation]:
        """Name -> evaluation."""
        return self.scene.results

    @property
    def averaged(self) -> list[str]:
        """Those of the metrics that are averaged over users."""
        return [name for name in self.metrics if name in self.scene.averaged]


def _leaderboard(shown: Shown) -> None:
    scene = shown.scene
    comparison = scene.comparison
    baseline = None if comparison is None else comparison.baseline
    run_list(scene.workspace, shown.together, list(shown.results), baseline=baseline)
    picked: str | None = None
    for name, place in grid(shown.metrics):
        with place:
            drawn = draw(charts.leaderboard_chart, shown.results, metric=name)
            found = chart(drawn, f"{name} of every system", key=f"leaderboard-{name}", metric=name, pick=("system",))
            picked = found["system"] if found else picked
    _lead_to_compare(shown, picked)
    numbers = tables.leaderboard(shown.results, comparison=comparison, metrics=shown.metrics)
    folded("The numbers", lambda: table(numbers, key="leaderboard"), key="leaderboard")
    if comparison is not None:
        differences = tables.comparison_table(comparison, by="overall")
        folded("The differences", lambda: table(differences, key="differences"), key="differences")


def _lead_to_compare(shown: Shown, system: str | None) -> None:
    """Draw the link for a clicked system."""
    comparison = shown.scene.comparison
    if comparison is None:
        return
    if system is None or system == comparison.baseline:
        st.caption("Click a dot to compare its system with the baseline.")
        return
    query = {"runs": list(shown.results), "system": system, "baseline": comparison.baseline}
    label = f"Compare {plain(system)} with {plain(comparison.baseline)}"
    lead(label, "compare", query, icon=":material/compare_arrows:", key=f"compare-{system}")


def _segments(shown: Shown) -> None:
    by = shown.scene.by
    if not by or not shown.averaged:
        empty("No segments", "These runs were evaluated without segments: add `--by age`, or `[segments]` in a job.")
        return
    first = next(iter(shown.results.values()))
    crossings = crossings_of(first, by, most=_MOST_CELLS)
    left, right = st.columns(2)
    with left:
        metric = choose("Metric", shown.averaged, key="metric") or shown.averaged[0]
    with right:
        groups = choose_many(
            "Segmentations",
            [*by, *crossings],
            key="by",
            default=by,
            help=f"Two names joined by × are the product of both, offered up to {_MOST_CELLS} segments.",
        )
    sources = {
        name: store.crossed(shown.scene.workspace, list(shown.results), *crossings[name])
        if name in crossings
        else shown.results
        for name in groups
    }
    picked: tuple[str, str, str] | None = None
    drawn = {
        name: draw(charts.segment_chart, sources[name], metric=metric, by=name, most=_MOST_ROWS) for name in groups
    }
    for name, place in grid(groups, drawn):
        with place:
            fields = ("segment", "system") if name in by else ()
            found = chart(drawn[name], f"{metric} by {name}", key=f"segment-{name}", metric=metric, pick=fields)
            if found is not None:
                picked = (name, found["segment"], found["system"])
            if (count := charts.segment_count(sources[name], metric=metric, by=name)) > _MOST_ROWS:
                st.caption(f"The {_MOST_ROWS} segments with the most users, of {count}: the numbers below have all.")
    _lead_to_users(shown, metric, picked)
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


def _lead_to_users(shown: Shown, metric: str, picked: tuple[str, str, str] | None) -> None:
    """Draw the link for a clicked segment."""
    if picked is None:
        st.caption("Click a dot to see the users of its segment. Faded: too few users. An arrow: the interval goes on.")
        return
    by, segment, system = picked
    query = {"runs": list(shown.results), "view": "Users", "metric": metric, "system": system}
    label = f"Users of {plain(by)} {plain(segment)} under {plain(system)}"
    place = {"segment": f"{by}: {segment}"}
    lead(label, "diagnostics", query | place, icon=":material/group:", key="segment-users")


def _numbers(results: Mapping[str, Evaluation], metric: str, by: str) -> None:
    table(tables.segment_table(results, metric=metric, by=by), key=f"segment-table-{by}")


def _trade_off(shown: Shown) -> None:
    every = list(next(iter(shown.results.values())).metrics)
    metrics = [name for name in every if all(name in each.metrics for each in shown.results.values())]
    if len(metrics) < 2:
        empty("One metric has nothing to trade", "Evaluate by two or more metrics.", ":material/balance:")
        return
    accurate = [name for name in metrics if family_of(name) == "accuracy"]
    left, right = st.columns(2)
    with left:
        x = choose("Across", accurate or metrics, key="x") or metrics[0]
    sides = other_sides(metrics, x)
    with right:
        up = choose_many("Against", [name for name in metrics if name != x], key="y", default=sides)
    measured = {name.partition("@")[0] for name in metrics}
    usual = [name.partition("@")[0] for name in SPLIT_METRICS if family_of(name) in COSTS]
    missing = [name for name in usual if name not in measured]
    if missing:
        named = ", ".join(f"{name} ({describe(name).title})" for name in missing)
        st.caption(f"Not measured on these runs: {plain(named)}. Name them in the evaluation to see them here.")
    picked: str | None = None
    inside: tuple[str, ...] = ()
    for name, place in grid(up):
        with place:
            drawn = draw(charts.trade_off_chart, shown.results, x=x, y=name)
            found = chart(
                drawn, f"{x} against {name}", key=f"trade-{name}", metric=name, pick=("system",), brush=("x", "y")
            )
            picked = (found or {}).get("system", picked)
            if found is not None and {"x", "y"} <= set(found):
                inside = trade_off(shown.results, x, name).inside(found["x"], found["y"])
            _say_front(shown, x, name)
    _lead_to_compare(shown, picked)
    _lead_to_several(inside)


def _lead_to_several(systems: Sequence[str]) -> None:
    """Draw the link for the dots in a selected range."""
    if len(systems) < 2:
        st.caption("Drag over two dots or more to compare their systems alone.")
        return
    label = f"Compare {plain(', '.join(systems))} alone"
    lead(label, "compare", {"runs": list(systems)}, icon=":material/compare_arrows:", key="compare-several")


def _say_front(shown: Shown, x: str, y: str) -> None:
    """Name the systems that no other one beats on both axes, and the better direction of each axis."""
    found = trade_off(shown.results, x, y)
    side = "more" if found.y_more else "less"
    held = " by convention: neither side is better in itself" if y in found.by_convention else ""
    st.caption(f"Pareto front (more {plain(x)}, {side} {plain(y)}{held}): {plain(', '.join(found.front))}.")


def _long_tail(shown: Shown) -> None:
    first = next(iter(shown.results.values()))
    if first.card.get("recommendations_outside_catalogue") is None:
        empty("No catalogue", "Exposure needs the catalogue: evaluate with `--train`.")
        return
    left, right = st.columns(2)
    with left:
        lorenz = draw(charts.lorenz_chart, shown.results, consumed=first.lorenz("popularity"))
        chart(lorenz, "Lorenz curve of exposure", key="lorenz")
        st.caption("Dashed: what users consumed in training. The thin diagonal: equal exposure of all items.")
    with right:
        chart(draw(diagnosis.popularity_chart, shown.results), "Exposure by popularity of the items", key="popularity")
        st.caption("The line in the colour of the text: what users consumed in training.")
    for name, place in grid([name for name in shown.metrics if family_of(name) in _TAIL]):
        with place:
            drawn = draw(charts.leaderboard_chart, shown.results, metric=name)
            chart(drawn, f"{name} of every system", key=f"tail-{name}", metric=name)
    lead("See the items that are shown most and never", "items", {}, icon=":material/inventory_2:", key="items")


VIEWS: Final[Mapping[str, Callable[[Shown], None]]] = {
    "Leaderboard": _leaderboard,
    "Segments": _segments,
    "Trade-off": _trade_off,
    "Long tail": _long_tail,
    "Per k": lambda shown: draw_cutoffs(shown.scene),
    "Users": lambda shown: draw_users(shown.scene, shown.averaged),
    "History": lambda shown: draw_history(shown.scene.workspace, shown.together),
}
"""Title -> what draws it."""
