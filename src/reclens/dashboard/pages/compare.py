"""Compare: one system replaces another; who gains and who loses, by segment, with examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from reclens.dashboard import store
from reclens.dashboard.advice import said_on_page
from reclens.dashboard.cards import decision_card, more, say_tested
from reclens.dashboard.chart_cache import draw
from reclens.dashboard.drilldown import Drilldown
from reclens.dashboard.isolated_parts import readable, standing
from reclens.dashboard.links import lead
from reclens.dashboard.lists import side_by_side
from reclens.dashboard.navigation import Page
from reclens.dashboard.scene import Scene, keep_runs, kept_runs, scene_of
from reclens.dashboard.together import choose_group
from reclens.dashboard.widgets import (
    chart,
    choose,
    choose_many,
    empty,
    explain_metrics,
    filters,
    folded,
    grid,
    plain,
    table,
)
from reclens.errors import RecLensError
from reclens.evaluation import Comparison
from reclens.evaluation.decision import decide
from reclens.evaluation.inspect import view_user
from reclens.report import comparison_table, comparison_text
from reclens.report.evaluation import comparison as gains
from reclens.workspace import Workspace

__all__ = ["PAGE", "show"]


def show(workspace: Workspace) -> None:
    """Draw the page."""
    st.title("Compare")
    if len(store.groups(workspace)) == len(store.names(workspace, "evaluation")):  # no two evaluations are comparable
        empty(
            "Two runs make a comparison",
            "Evaluate lists on the page **Upload**, with `reclens evaluate … --keep "
            "NAME`, with a job (`reclens run job.toml`), or run the demo from **Home**.",
            ":material/compare_arrows:",
        )
        return
    top = st.container()
    place = filters("runs, system, baseline, metric, segmentations")
    with place:
        group = choose_group(workspace, keys=("runs", "system", "baseline"))
        runs, baseline, system = _pair(workspace, [] if group is None else list(group.names))
    if baseline is None or system is None or baseline == system:
        empty("Choose two different runs", "A run against itself neither gains nor loses.", ":material/compare_arrows:")
        return
    results = store.evaluations(workspace, runs)
    averaged = store.averaged(results)
    if not averaged:
        st.warning("These runs have no metric in common that has a value for each user.")
        return
    _, segmentations, _ = store.shared(results)
    with place:
        one, two, three = st.columns(3)
        with one:
            metric = choose("Metric", averaged, key="metric") or averaged[0]
        with two:
            by = choose_many("Segmentations", segmentations, key="by", default=segmentations)
        with three:
            together = choose(
                "Intervals",
                ["single", "simultaneous"],
                key="intervals",
                default="single",
                help="Each for its own difference, or those of a family of tests all together.",
            )
    try:
        scene = scene_of(
            workspace,
            runs,
            baseline=baseline,
            intervals="simultaneous" if together == "simultaneous" else "single",
            segments_of=system,
        )
    except RecLensError as error:
        store.redraw_if_changed(workspace)
        st.error(plain(said_on_page(error)), icon=":material/error:")
        return
    _draw(scene, system, metric, by, top)


def _draw(scene: Scene, system: str, metric: str, by: Sequence[str], top: DeltaGenerator) -> None:
    """Draw the decision on the pair at the top, then the differences, the users, the tests and examples."""
    comparison = _only(scene, system)
    pair = {name: scene.results[name] for name in (system, comparison.baseline)}
    with top:
        decision_card(decide(pair, comparison, metric=metric))
        say_tested(scene)
    _differences(scene, comparison, system, metric, by)
    more(comparison_text(comparison, metric), label="What was tested, in words", key="verdict")
    st.subheader("Examples")
    moved = gains.movers_tables(*pair.values(), metric=metric)
    users = [row["user_id"] for each in moved for row in each.records]
    for at, column in enumerate(st.columns(2) if users else ()):
        with column:
            table(moved[at], key=f"movers-{at}")
    with standing(scene.workspace):
        _example(scene.workspace, users, list(pair))
    explain_metrics([metric])


def _only(scene: Scene, system: str) -> Comparison:
    """Return the differences of one system, with p-values corrected over all chosen systems."""
    comparison = scene.comparison
    assert comparison is not None, "a scene with a baseline and two runs has a comparison"
    rows = tuple(row for row in comparison.differences if row.system == system)
    return replace(comparison, differences=rows, card={**comparison.card, "systems": [system, comparison.baseline]})


def _differences(scene: Scene, comparison: Comparison, system: str, metric: str, by: Sequence[str]) -> None:
    """Draw who gains, who loses and by how much: charts over all users and by segment, and the numbers."""
    ours, theirs = scene.results[system], scene.results[comparison.baseline]
    st.subheader("By how much")
    picked: tuple[str, str] | None = None
    drawn = {
        name: draw(gains.gain_difference_chart, scene.comparison, system=system, metric=metric, by=name) for name in by
    }
    for name, place in grid(by, drawn):
        with place:
            caption = _where(f"Difference in {metric}", name)
            found = chart(drawn[name], caption, key=f"difference-{name}", metric=metric, pick=("segment",))
            picked = (name, found["segment"]) if found else picked
    if picked is not None:
        query = {"runs": list(scene.results), "view": "Users", "metric": metric, "system": system}
        label = f"Users of {plain(picked[0])} {plain(picked[1])} under {plain(system)}"
        place = {"segment": f"{picked[0]}: {picked[1]}"}
        lead(label, "diagnostics", query | place, icon=":material/group:", key="segment-users")
    elif by:
        st.caption(
            "Click a dot to see the users of its segment. Faded: not shown to differ. An arrow: the interval goes on."
        )
    chosen = chart(
        draw(gains.change_chart, ours, theirs, metric=metric),
        f"Change of each user's {metric}",
        key="change",
        metric=metric,
        brush=("change",),
    )
    if chosen is None:
        st.caption("Drag up or down on the chart to see the users who change by so much.")
    else:
        table(gains.changes_table(ours, theirs, metric=metric, ends=chosen["change"]), key="changes")
    st.subheader("Who gains, who loses")
    every = ["overall", *by]
    drawn = {name: draw(gains.gain_chart, scene.comparison, system=system, metric=metric, by=name) for name in every}
    for name, place in grid(every, drawn):
        with place:
            chart(drawn[name], _where("Users who gain and who lose", name), key=f"gain-{name}", metric=metric)
    numbers = comparison_table(comparison, by=None, metric=metric)
    folded("The numbers", lambda: table(numbers, key="differences"), key="differences")


def _pair(workspace: Workspace, known: list[str]) -> tuple[list[str], str | None, str | None]:
    """Return the runs that are tested together, the baseline and the system, as on Diagnostics or the newest."""
    asked = [name for name in st.query_params.get_all("runs") if name in known]
    start = asked or kept_runs(known) or known[: store.MOST]
    named = [name for key in ("system", "baseline") for name in st.query_params.get_all(key) if name in known]
    runs = choose_many(
        "Runs",
        known,
        key="runs",
        default=known[: store.MOST],
        start=list(dict.fromkeys([*start, *named])),
        help="They are tested together: p-values are corrected over all of them, as on the page Diagnostics.",
    )
    runs = readable(workspace, "evaluation", runs)
    if len(runs) < 2:
        return runs, None, None
    keep_runs(runs)
    custom = store.popular_of(workspace, runs)
    first = next(name for name in runs if name != custom)
    left, right = st.columns(2)
    with left:
        system = choose("System", runs, key="system", default=_best(workspace, runs, custom) or first)
    with right:
        baseline = choose("In the place of", runs, key="baseline", default=custom)
    return runs, baseline, system


def _best(workspace: Workspace, runs: list[str], baseline: str) -> str | None:
    """Return the recommended system of the runs, or None if they cannot be compared."""
    try:
        found = scene_of(workspace, runs, baseline=baseline).decision.system
    except RecLensError:
        return None
    return None if found == baseline else found


def _example(workspace: Workspace, users: Sequence[object], systems: list[str]) -> None:
    """Draw both lists of one of the users, if they are in the workspace."""
    if not users:
        empty(
            "No differences", "Every user has the same value of this metric under both systems.", ":material/balance:"
        )
        return
    chosen = choose("Look at one of them", list(dict.fromkeys(map(str, users))), key="user")
    kept = set(store.names(workspace, "run"))
    runs = {name: store.load(workspace, "run", name) for name in systems if name in kept}
    name = store.split_of(workspace, list(runs))
    if len(runs) < 2 or name is None or chosen is None:
        st.caption("The lists of both runs and their split are not in the workspace: a job keeps them.")
        return
    split = store.load(workspace, "split", name)
    user = next(each for each in users if str(each) == chosen)
    side_by_side(view_user(user, runs, split.train, split.test, k=10), Drilldown(split, runs, name))
    query = {"user": chosen, "split": name, "runs": list(runs)}
    lead(f"Open user {plain(chosen)}", "users", query, icon=":material/person:", key="user")


def _where(what: str, by: str) -> str:
    return f"{what}, {'all users' if by == 'overall' else by}"


PAGE = Page(title="Compare", icon=":material/compare_arrows:", section="Diagnose", order=15, show=show, path="compare")
