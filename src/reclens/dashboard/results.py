"""Results of an experiment, from the workspace or uploaded: the decision, then each view."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import streamlit as st

from reclens.dashboard import seen, store
from reclens.dashboard.bring_results import as_field, bring_results
from reclens.dashboard.cards import words_card
from reclens.dashboard.chart_cache import draw
from reclens.dashboard.isolated_parts import drawn_alone, standing
from reclens.dashboard.keep import keep_button, keepable
from reclens.dashboard.widgets import bullets, chart, choose, choose_view, download, empty, folded, grid, plain, table
from reclens.experiment.analysis.readout import Readout
from reclens.experiment.check_result import TrustCheckStatus
from reclens.report._toolkit.format import percent, sentence
from reclens.report.experiment import readout_charts, readout_tables, results_charts
from reclens.report.experiment.check_words import check_text
from reclens.report.experiment.decision_words import summary_of_readout
from reclens.report.experiment.readout import build_readout, check_number_tables, heterogeneity_sentences
from reclens.report.experiment.readout_card import readout_in_words
from reclens.report.experiment.remark_words import adjustment_sentences, caveat_sentences, step_sentences
from reclens.report.experiment.words import CHECK_NAMES
from reclens.workspace import Workspace

__all__ = ["draw_results", "show_results"]

_BRING: Final = "Bring results …"
_STATUS: Final[Mapping[TrustCheckStatus, tuple[str, str]]] = {
    "fail": (":red[:material/block:]", "fails"),
    "warn": (":orange[:material/warning:]", "to keep in mind"),
    "pass": (":green[:material/check_circle:]", "holds"),
    "skipped": (":material/do_not_disturb_on:", "not checked"),
}


def show_results(workspace: Workspace) -> None:
    """Draw the chosen readout, or the inputs to upload results."""
    kept = store.names(workspace, "readout")
    picked = choose("Readout", [*kept, _BRING], key="readout", help="Kept by `reclens experiment read --keep NAME`.")
    if picked is None or picked == _BRING:
        found = bring_results(workspace)
        if found is None:
            return
        draw_results(workspace, found)
        with st.expander("Keep this readout in the workspace", icon=":material/inventory_2:"):
            keep_button(workspace, found, "readout", start=keepable(found.plan.name), choose="readout")
        return
    with standing(workspace):
        draw_results(workspace, store.load(workspace, "readout", picked))


def draw_results(workspace: Workspace, found: Readout) -> None:
    """Draw a readout: the decision on each arm, then the chosen view.

    Args:
        workspace: The workspace of the page.
        found: The readout.
    """
    if found.synthetic:
        store.show_synthetic("readout")
    _decision(found)
    drawn_alone(workspace, lambda: _PARTS[choose_view(tuple(_PARTS), key="part", label="Part")](found))
    download(
        "Readout as HTML",
        lambda: build_readout(found, bayes=True).html.html,
        f"readout-{keepable(found.plan.name)}.html",
        "text/html",
        key="download-readout",
    )


def _decision(found: Readout) -> None:
    """Draw the decision on the arms as a card with the lift of the first primary metric and collapsed reasons."""
    lifts = [each.lift for each in found.effects if each.metric.role == "primary"]
    known = [
        (each.value, each.low, each.high)
        for each in lifts[:1]
        if each.low is not None and each.high is not None and each.value == each.value
    ]
    words_card(readout_in_words(found, as_field), known[0] if known else None)
    seen.choice("Experiment", found.plan.name)
    reasons = summary_of_readout(found, as_field)[len(found.decisions) :]
    seen.text("reasons", reasons)
    folded("Why", lambda: bullets(reasons), key="reasons", icon=":material/gavel:")


def _overview(found: Readout) -> None:
    lens = choose_view(("Intervals", "Probability"), key="lens", label="Show")
    if lens == "Probability":
        _probability(found)
        return
    level = percent(found.plan.level, 0)
    for role in ("primary", "secondary", "guardrail"):
        drawn = draw(results_charts.lift_chart, found, role=role)
        chart(drawn, f"{role.capitalize()} metrics: lift, with the interval that holds at {level}", key=f"lift-{role}")
    if found.plan.guardrails:
        st.caption("The tick of a guardrail is its margin: it holds when the bar lies beyond it.")
    table(readout_tables.decision_table(found), key="decisions")
    folded("All numbers", lambda: table(readout_tables.effect_table(found), key="effects"), key="effects")


def _probability(found: Readout) -> None:
    st.caption(
        "How likely each lift is, given the data and a flat prior. The decision does not rest on it, and reading it "
        "every day until it pleases is peeking too."
    )
    for metric in found.plan.primary:
        drawn = draw(results_charts.probability_chart, found, metric=metric.name)
        chart(drawn, f"{metric.name}: posterior of the lift", key=f"posterior-{metric.name}")
    table(readout_tables.posterior_table(found), key="posterior")


def _over_time(found: Readout) -> None:
    if not found.cumulative:
        empty(
            "No days",
            "The table has no day of first exposure: name its column, or read a log of events, and the effect by day "
            "stands here.",
            ":material/calendar_month:",
        )
        return
    metric, arm = _which(found)
    way = choose_view(("Cumulative", "Daily"), key="way", label="Days")
    if way == "Daily":
        chart(draw(readout_charts.daily_chart, found, metric=metric), f"{metric} of each arm by day", key="daily")
    else:
        drawn = draw(readout_charts.cumulative_chart, found, metric=metric, arm=arm)
        chart(drawn, f"{metric}, {arm}: lift as units came in", key="cumulative")
        if found.plan.sequential is not None:
            st.caption("Dashed: the bounds that hold at the looks of the plan. The band holds at one look alone.")
    drawn = draw(readout_charts.novelty_chart, found, metric=metric, arm=arm)
    chart(drawn, f"{metric}, {arm}: lift by days since first exposure", key="novelty")


def _which(found: Readout, *, by: tuple[str, ...] = ()) -> tuple[str, str]:
    places = st.columns(3 if by else 2)
    with places[0]:
        metric = choose("Metric", [each.name for each in found.plan.primary], key="metric")
    with places[1]:
        arm = choose("Arm", list(found.plan.treatments), key="arm")
    return metric or found.plan.primary[0].name, arm or found.plan.treatments[0]


def _segments(found: Readout) -> None:
    if not found.segments:
        empty("No segments", "Name them in the plan, as `segments`, and bring a table with their columns.")
        return
    metric, arm = _which(found)
    for by in dict.fromkeys(each.by for each in found.segments):
        drawn = draw(results_charts.segment_lift_chart, found, by=by, metric=metric, arm=arm)
        chart(drawn, f"{metric}, {arm}: lift by {by}", key=f"segment-{by}")
    for said in heterogeneity_sentences(found):
        st.caption(plain(said))
    folded("All numbers", lambda: table(readout_tables.segment_table(found), key="segments"), key="segments")


def _health(found: Readout) -> None:
    order = list(_STATUS)
    checks = {each.code: each for each in sorted(found.trust_checks, key=lambda each: order.index(each.status))}
    for code, place in grid(list(checks)):
        check = checks[code]
        icon, word = _STATUS[check.status]
        with place:
            name, text = plain(sentence(CHECK_NAMES[check.code])), plain(check_text(check, as_field))
            st.markdown(f"{icon} **{name}** {word}  \n{text}")
    seen.rows("checks", readout_tables.check_table(found, as_field))
    chart(draw(results_charts.units_chart, found), "New units of each arm by day", key="units")
    for at, numbers in enumerate(check_number_tables(found)):
        table(numbers, key=f"numbers-{at}")
    if found.unknown:
        table(readout_tables.unknown_table(found), key="unknown")


def _details(found: Readout) -> None:
    for title, sentences in (
        ("Next steps", step_sentences(found)),
        ("Caveats", caveat_sentences(found, as_field)),
        ("What was adjusted, and how", adjustment_sentences(found)),
    ):
        st.markdown(f"**{title}**")
        bullets(sentences)
        seen.text(title, sentences)
    table(readout_tables.effect_table(found), key="effects")


_PARTS: Final[Mapping[str, Callable[[Readout], None]]] = {
    "Overview": _overview,
    "Over time": _over_time,
    "Segments": _segments,
    "Health": _health,
    "Details": _details,
}
"""Title -> what draws it."""
