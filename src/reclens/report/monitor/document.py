"""The weekly report: what happened in plain words, trends, incidents, data, deploys, and what to look at next."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from reclens.monitor.records import OVERALL, Incident, SeriesKey
from reclens.monitor.week import HISTORY, Week
from reclens.report._toolkit.document import DocumentPart, RenderedDocument, write_document
from reclens.report._toolkit.format import count_of, whole
from reclens.report._toolkit.html import Figure, figure_of
from reclens.report.monitor import charts
from reclens.report.monitor.sentences import (
    annotation_sentence,
    event_sentence,
    gate_sentence,
    gravest_first,
    incident_sentence,
    incident_title,
    why_sentences,
)
from reclens.report.monitor.tables import gate_days_table, incident_table, trend_table
from reclens.report.monitor.values import day_text, days_text, series_text
from reclens.report.monitor.weekly import compared_sentence, headline_keys, next_steps, week_card, week_sentences

__all__ = ["build_weekly_report"]

_INCIDENTS = 5
_SLICES = 60
"""Rows of the table of slices; the numbers of all of them are in the published tables."""
_ALIKE = 3
"""Slices of an indicator and a dimension that the table shows: ten positions that fell alike are one message."""


def build_weekly_report(week: Week) -> RenderedDocument:
    """Write the report of a week.

    Charts are drawn beforehand: the page needs neither the network nor a script, and stays far below 1 MB.

    Args:
        week: The week.

    Returns:
        The document as HTML and Markdown.
    """
    parts = [
        _trends(week),
        *(_incident(week, each) for each in _told(week)),
        _incidents(week),
        _data(week),
        _annotations(week),
        DocumentPart(title="What to look at next", points=tuple(next_steps(week)), ordered=True),
        _slices(week),
    ]
    counted = (count_of(len(week.gates), "day"), count_of(week.numbers["indicator"].n_unique(), "indicator"))
    # Other indicators may count a row of the log more than once, or leave it out.
    rows = week.numbers.filter((pl.col("indicator") == "traffic") & (pl.col("dimension") == OVERALL))["n"]
    return write_document(
        title=f"Health of {week.system}, {days_text(week.first, week.last)}",
        subject=" · ".join([*counted, *(f"{whole(n)} impressions" for n in rows)]),
        heading="What happened",
        summary=week_sentences(week),
        parts=[each for each in parts if each is not None],
        card=week_card(week),
        synthetic=week.synthetic,
        still=True,
    )


def _trends(week: Week) -> DocumentPart:
    figures: list[Figure] = []
    for key in headline_keys(week):
        drawn = charts.history_chart(week, key=key, annotations=week.annotations)
        if drawn is not None:
            figures.append(figure_of(drawn, series_text(SeriesKey(*key))))
    return DocumentPart(
        title="Trends",
        lead="Grey: the band that the days before lead to expect. Red: beyond it, or drifting. Dotted: something "
        f"happened. {compared_sentence(week)}".rstrip(),
        figures=tuple(figures),
        tables=(trend_table(week),),
    )


def _told(week: Week) -> list[Incident]:
    return [each for each in gravest_first(week.incidents) if each.kind != "gate"][:_INCIDENTS]


def _incident(week: Week, incident: Incident) -> DocumentPart:
    """One incident: what it is, where it comes from, and what was done."""
    figures = []
    drawn = charts.contribution_chart(incident)
    if drawn is not None:
        figures.append(figure_of(drawn, "What each slice added to the change over all"))
    done = [event_sentence(each) for each in incident.trail if each.code != "continued"]
    return DocumentPart(
        title=incident_title(incident),
        lead=incident_sentence(incident),
        points=(*why_sentences(incident), *done[-4:]),
        figures=tuple(figures),
    )


def _incidents(week: Week) -> DocumentPart:
    if not week.incidents:
        return DocumentPart(title="Incidents", lead="There was none.")
    first = week.last - timedelta(days=HISTORY * 7 - 1)
    drawn = charts.incidents_chart(week.incidents, first=first, last=week.last)
    figures = (
        () if drawn is None else (figure_of(drawn, "Incidents over eight weeks; faded: acknowledged or resolved"),)
    )
    return DocumentPart(title="Incidents", figures=figures, tables=(incident_table(week.incidents),))


def _data(week: Week) -> DocumentPart:
    wrong = [f"{day_text(each.day)}: {gate_sentence(each)}" for each in week.gates if each.state != "passed"]
    lead = "Every day passed its checks." if not wrong and not week.missing else ""
    missing = [f"{day_text(each)}: not run." for each in week.missing]
    return DocumentPart(
        title="Data quality",
        lead=lead,
        points=(*wrong, *missing),
        tables=(gate_days_table(week.gates, missing=week.missing),),
    )


def _annotations(week: Week) -> DocumentPart:
    points = tuple(annotation_sentence(each) for each in week.annotations)
    lead = "" if points else "None was noted: reclens monitor annotate notes one."
    return DocumentPart(title="Experiments and deploys", lead=lead, points=points)


def _slices(week: Week) -> DocumentPart | None:
    """The slices whose change is clearest, three of an indicator and a dimension."""
    sliced = week.numbers.filter((pl.col("dimension") != "overall") & pl.col("low").is_not_null())
    clear = sliced.filter((pl.col("low") > 0) | (pl.col("high") < 0))
    if clear.is_empty():
        return None
    order = (clear["high"] - clear["low"]) / clear["change"].abs()
    alike = pl.int_range(pl.len()).over("indicator", "dimension")
    shown = clear.with_columns(order.alias("order")).sort("order").filter(alike < _ALIKE).head(_SLICES).drop("order")
    return DocumentPart(
        title="Slices that changed",
        lead=f"{count_of(clear.height, 'slice')} of {whole(sliced.height)} changed by more than noise; "
        "of so many some do by chance. Shown are the clearest, at most three of an indicator and a dimension.",
        tables=(trend_table(week, of=shown),),
    )
