"""Compare: one system in the place of another; who gains, who loses, by segment, with examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import streamlit as st

from reclens.dashboard import store
from reclens.dashboard.chart_cache import draw
from reclens.dashboard.drilldown import Drilldown
from reclens.dashboard.lists import side_by_side
from reclens.dashboard.navigation import Page
from reclens.dashboard.together import choose_group
from reclens.dashboard.widgets import chart, choose, choose_many, empty, explain_metrics, folded, grid, plain, table
from reclens.evaluation import Comparison, Evaluation
from reclens.evaluation.inspect import view_user
from reclens.report import comparison_table, verdict
from reclens.report.evaluation import comparison as gains
from reclens.workspace import Workspace

__all__ = ["PAGE", "show"]


def show(workspace: Workspace) -> None:
    """Draw the page."""
    st.title("Compare")
    group = choose_group(workspace, keys=("system", "baseline"))
    if group is None or len(group.names) < 2:
        empty(
            "Two runs make a comparison",
            "Evaluate lists on the page **Upload**, with `reclens evaluate … --keep "
            "NAME`, with a job (`reclens run job.toml`), or run the demo from **Home**.",
            ":material/compare_arrows:",
        )
        return
    baseline, system = _pair(workspace, group.names)
    if baseline is None or system is None or baseline == system:
        empty("Choose two different runs", "A run against itself neither gains nor loses.", ":material/compare_arrows:")
        return
    results = store.evaluations(workspace, [system, baseline])
    shared, segmentations, _ = store.shared(results)
    averaged = store.averaged(results)
    if not averaged:
        st.warning("These runs have no metric in common that has a value for each user.")
        return
    with st.sidebar:
        metric = choose("Metric", averaged, key="metric") or averaged[0]
        by = choose_many("Segmentations", segmentations, key="by", default=segmentations)
        together = choose(
            "Intervals",
            ["single", "simultaneous"],
            key="intervals",
            default="single",
            help="Each for its own difference, or those of a family of tests all together.",
        )
    comparison = _comparison(workspace, [system, baseline], [averaged[0], *shared], segmentations, together)
    st.markdown("\n".join(f"- {plain(sentence)}" for sentence in verdict(comparison, metric)))
    _differences(comparison, results, system, metric, by)
    st.subheader("Examples")
    moved = gains.movers_tables(*results.values(), metric=metric)
    for at, place in enumerate(st.columns(2)):
        with place:
            table(moved[at], key=f"movers-{at}")
    users = [row["user_id"] for each in moved for row in each.records]
    _example(workspace, users, [system, baseline])
    explain_metrics([metric])


def _differences(
    comparison: Comparison, results: Mapping[str, Evaluation], system: str, metric: str, by: Sequence[str]
) -> None:
    """Who gains and who loses, and by how much: charts over all users and by segment, and the numbers."""
    st.subheader("Who gains, who loses")
    for name, place in grid(["overall", *by]):
        with place:
            drawn = draw(gains.gain_chart, comparison, system=system, metric=metric, by=name)
            chart(drawn, _where("Users who gain and who lose", name), key=f"gain-{name}", metric=metric)
    st.subheader("By how much")
    chart(
        draw(gains.change_chart, *results.values(), metric=metric),
        f"Change of each user's {metric}",
        key="change",
        metric=metric,
    )
    for name, place in grid(by):
        with place:
            drawn = draw(gains.gain_difference_chart, comparison, system=system, metric=metric, by=name)
            chart(drawn, _where(f"Difference in {metric}", name), key=f"difference-{name}", metric=metric)
    numbers = comparison_table(comparison, by=None, metric=metric)
    folded("The numbers", lambda: table(numbers, key="differences"), key="differences")


def _comparison(
    workspace: Workspace, runs: list[str], metrics: list[str], segmentations: list[str], intervals: str | None
) -> Comparison:
    """The system against the baseline, by all metrics, so that looking at one after the other is corrected for.

    The first metric is the main question whichever one is looked at: choosing another makes it no family of its own.
    """
    together = intervals == "simultaneous"
    return store.compared(
        workspace,
        runs,
        baseline=runs[1],
        correction="holm",
        metrics=list(dict.fromkeys(metrics)),
        by=segmentations,
        intervals="simultaneous" if together else "single",
    )


def _pair(workspace: Workspace, known: Sequence[str]) -> tuple[str | None, str | None]:
    """The baseline and the system, in the sidebar: to begin with, the newest run against the popular items."""
    custom = store.popular_of(workspace, known)
    newest = next(name for name in known if name != custom)
    with st.sidebar:
        system = choose("System", list(known), key="system", default=newest)
        baseline = choose("In the place of", list(known), key="baseline", default=custom)
    return baseline, system


def _example(workspace: Workspace, users: Sequence[object], systems: list[str]) -> None:
    """Both lists of one of the users, where the workspace has them."""
    if not users:
        empty(
            "No differences", "Every user has the same value of this metric under both systems.", ":material/balance:"
        )
        return
    chosen = choose("Look at one of them", list(dict.fromkeys(map(str, users))), key="user")
    runs = {name: store.load(workspace, "run", name) for name in systems if name in store.names(workspace, "run")}
    name = store.split_of(workspace, list(runs))
    if len(runs) < 2 or name is None or chosen is None:
        st.caption("The lists of both runs and their split are not in the workspace: a job keeps them.")
        return
    split = store.load(workspace, "split", name)
    user = next(each for each in users if str(each) == chosen)
    side_by_side(view_user(user, runs, split.train, split.test, k=10), Drilldown(split, runs))
    link = urlencode({"user": chosen, "split": name, "runs": list(runs)}, doseq=True)
    st.link_button(f"Open user {plain(chosen)}", f"users?{link}", icon=":material/person:")


def _where(what: str, by: str) -> str:
    return f"{what}, {'all users' if by == 'overall' else by}"


PAGE = Page("Compare", ":material/compare_arrows:", "Diagnose", 15, show, "compare")
