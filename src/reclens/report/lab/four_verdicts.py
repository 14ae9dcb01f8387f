"""One world, four verdicts, as a document: the truth beside what an A/B test, interleaving and a log say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from reclens.lab.method_comparison import MethodComparison
from reclens.report._toolkit.card import DecisionWords
from reclens.report._toolkit.charts import dots, rows_of, zero
from reclens.report._toolkit.document import DocumentPart, RenderedDocument, appendix, write_document
from reclens.report._toolkit.format import NOTHING, format_estimate, format_number, in_words
from reclens.report._toolkit.html import figure_of
from reclens.report._toolkit.tables import Table
from reclens.report.experiment.terms import READING, definitions
from reclens.report.lab.words import (
    WAYS,
    WAYS_EXPLAINED,
    WAYS_LEAD,
    caution_text,
    doubts_of,
    method_name,
    summary_of_verdicts,
    ways_in_words,
)

__all__ = ["build_verdicts_report", "summary_of_verdicts", "verdict_chart", "verdict_rows", "verdict_table"]


def build_verdicts_report(found: MethodComparison, *, fitted: bool = False) -> RenderedDocument:
    """The verdicts side by side.

    Args:
        found: The verdicts.
        fitted: Whether the world is fitted to data; a drawn one is made up, which the page then says.
    """
    rows = verdict_rows(found)
    measures = list(dict.fromkeys(row["measure"] for row in rows))
    drawn = [(verdict_chart(rows, measure=name), f"Effect on {in_words(name)}") for name in measures]
    parts = [
        DocumentPart(title="The ways to find out", lead=WAYS_LEAD, points=WAYS_EXPLAINED),
        DocumentPart(
            title="Side by side",
            tables=(verdict_table(rows),),
            figures=tuple(figure_of(chart, caption) for chart, caption in drawn if chart is not None),
            lead="The dashed line is the truth that an estimate is about. Faded: no verdict, and "
            "its interval may reach beyond the chart. Interleaving counts "
            "credit, which has the sign of the effect and not its size.",
        ),
        DocumentPart(
            title="How many users each way needs",
            tables=(_sensitivity_table(rows),),
            lead="For 80 % power on the same lists of the first day. The gain is the users of an A/B test over those "
            "of the other way; it is measured in this world, and another world has another.",
        ),
        DocumentPart(title="What the log cannot tell", points=doubts_of(found)),
        definitions(*_TERMS),
        appendix({"verdicts": rows}),
    ]
    treatment, control = found.names
    return write_document(
        title=f"Four verdicts: {treatment} against {control}",
        subject=f"{treatment} against {control}, one world",
        heading="In short",
        summary=(),
        card=_answer(found),
        reading=READING,
        parts=parts,
        synthetic=not fitted,
    )


_TERMS: Final = ("A/B_test", "control", "credit", "interleaving", "interval", "off-policy_estimate", "power", "truth")
"""What is defined at the back."""


_LONGEST: Final = 18
"""Letters of a method that have room behind its way in a label of 190 pixels."""


def _answer(found: MethodComparison) -> DecisionWords:
    """The true winner, the methods that find it, and how certain they are."""
    treatment, control = found.names
    said = summary_of_verdicts(found)
    rows = found.to_dicts()
    truths = [row for row in rows if row["verdict"] == "truth"]
    headline = {"treatment": f"{treatment} is better", "control": f"{treatment} is worse"}.get(
        truths[0]["says"], "No winner"
    )
    lines = [(way, ways_in_words(rows, way)) for way in WAYS[1:] if any(row["verdict"] == way for row in rows)]
    return DecisionWords(
        f"{treatment} against {control} · one simulated world",
        headline,
        "good" if truths[0]["says"] in ("treatment", "control") else "open",
        (("Lift", " ".join(said[: len(truths)])), *lines, ("How sure", said[-1])),
    )


def verdict_rows(found: MethodComparison) -> list[dict[str, Any]]:
    """The verdicts as rows, with what to keep in mind of each as a sentence."""
    return [{**row.to_dict(), "note": caution_text(row)} for row in found.rows]


def verdict_chart(rows: Sequence[Mapping[str, Any]], *, measure: str) -> Any:
    """Every estimate of one measure with its interval, and zero; faded where it gives no verdict."""
    import altair as alt

    shown = [
        {
            **row,
            "name": "truth" if row["verdict"] == "truth" else _row_name(row),
            "system": row["verdict"],
            "value": row["effect"],
            "small": row["says"] == "none",
            "tip": f"{row['verdict']}, {_method(row)}: {format_estimate(row, value='effect', signed=True)}; says "
            f"{row['says']}; truth {format_number(row['truth'], signed=True)}",
        }
        for row in rows
        if row["measure"] == measure
    ]
    if not shown:
        return None
    ways = [way for way in WAYS if any(row["system"] == way for row in shown)]
    # Estimates without a verdict can have intervals so wide that all others would be a dot: the scale follows those.
    ends = [
        0.0,
        *(
            float(row[end])
            for row in rows
            if row["measure"] == measure and row["says"] != "none"
            for end in ("effect", "low", "high", "truth")
            if row[end] is not None
        ),
    ]
    room = 0.1 * (max(ends) - min(ends))
    domain = (min(ends) - room, max(ends) + room) if room > 0 else None
    order = rows_of("name", [row["name"] for row in shown], widest=190)
    chart = dots(
        shown, y=order, row_height=28 * len(shown), systems=ways, title=f"effect on {in_words(measure)}", domain=domain
    )
    truth = alt.Chart(alt.Data(values=[{"truth": shown[0]["truth"]}]))  # type: ignore[arg-type]
    return alt.layer(
        zero(), truth.mark_rule(strokeWidth=2, strokeDash=[4, 3], color="var(--s0)").encode(x="truth:Q"), chart
    )


def verdict_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Every estimate beside the truth it is about; what is to be said of one stands below, once."""
    notes = list(dict.fromkeys(row["note"] for row in rows if row["note"]))
    heads = ("verdict", "method", "measure", "effect", "truth", "says", "right", "note")
    cells = tuple(
        (
            row["verdict"],
            _method(row),
            in_words(row["measure"]),
            format_estimate(row, value="effect", signed=True),
            format_number(row["truth"], signed=True),
            "no verdict" if row["says"] == "none" else row["says"],
            NOTHING if row["right"] is None else "yes" if row["right"] else "no",
            str(notes.index(row["note"]) + 1) if row["note"] else NOTHING,
        )
        for row in rows
    )
    told = tuple(f"{at}: {note.removesuffix('.')}." for at, note in enumerate(notes, 1))
    return Table(title="Verdicts", columns=heads, rows=cells, records=tuple(rows), footnotes=told)


def _row_name(row: Mapping[str, Any]) -> str:
    """The way and the method, or the method alone where both have no room beside a chart on a phone."""
    method = _method(row)
    return f"{row['verdict']}: {method}" if len(method) <= _LONGEST else method


def _method(row: Mapping[str, Any]) -> str:
    return method_name(row["method"])


def _sensitivity_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    mine = [row for row in rows if row["users_needed"] is not None]
    cells = tuple(
        (
            _method(row),
            format_number(row["users_needed"]),
            format_estimate({"value": row["gain"], "low": row["gain_low"], "high": row["gain_high"]}),
        )
        for row in mine
    )
    return Table(title="Users needed", columns=("method", "users", "gain over A/B"), rows=cells, records=tuple(mine))
