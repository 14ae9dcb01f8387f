"""The readout of an experiment as a document: the decision first, then the effects, what was adjusted, and the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from reclens.errors import in_python
from reclens.experiment.analysis.effects import Effect
from reclens.experiment.analysis.readout import Readout
from reclens.report._toolkit.document import DocumentPart, RenderedDocument, appendix, write_document
from reclens.report._toolkit.format import (
    NOTHING,
    decimal,
    format_number,
    in_words,
    p_text,
    p_value,
    percent,
    share,
    significant,
    whole,
)
from reclens.report._toolkit.html import Figure, figure_of
from reclens.report._toolkit.tables import Table
from reclens.report.experiment import readout_charts
from reclens.report.experiment.check_words import Named
from reclens.report.experiment.decision_words import summary_of_readout
from reclens.report.experiment.plan_tables import metric_table
from reclens.report.experiment.plan_words import decision_rule
from reclens.report.experiment.readout_card import readout_in_words
from reclens.report.experiment.readout_tables import (
    check_table,
    decision_table,
    effect_table,
    posterior_table,
    record_of,
    segment_table,
    unknown_table,
)
from reclens.report.experiment.remark_words import adjustment_sentences, caveat_sentences, step_sentences
from reclens.report.experiment.terms import READING, definitions
from reclens.report.experiment.words import CHECK_NAMES, amount, gap_text, look_text, margin_text, value_text

__all__ = ["build_readout", "check_number_tables", "heterogeneity_sentences"]


def build_readout(readout: Readout, *, bayes: bool = False, named: Named = in_python) -> RenderedDocument:
    """Write the readout of an experiment.

    Args:
        readout: What was read.
        bayes: Whether to show the Bayesian view beside the decision, which does not rest on it.
        named: How parameters that the sentences name are written: as arguments of Python, or as options.

    Returns:
        The document as HTML and Markdown.
    """
    plan = readout.plan
    parts = [
        DocumentPart(title="Why", points=tuple(summary_of_readout(readout, named))),
        DocumentPart(
            title="Effects",
            lead=f"Against {plan.control}. {_level(readout)}",
            figures=_figures(readout),
            tables=(decision_table(readout), effect_table(readout)),
        ),
        *_guardrails(readout),
        *_segments(readout),
        *_diluted(readout),
        *(_bayes(readout) if bayes else []),
        DocumentPart(
            title="Trust checks",
            lead="What has to be right before any decision. One that fails forbids the decision to ship.",
            tables=(check_table(readout, named), *check_number_tables(readout)),
        ),
        *_unknown(readout),
        DocumentPart(title="Caveats", points=tuple(caveat_sentences(readout, named))),
        DocumentPart(title="Next steps", points=tuple(step_sentences(readout)), ordered=True),
        DocumentPart(title="What was adjusted, and how", points=tuple(adjustment_sentences(readout))),
        _power(readout),
        DocumentPart(
            title="How it was decided",
            lead="Written in the plan, before the data. The first that applies is the decision.",
            points=decision_rule(plan),
            ordered=True,
            tables=(metric_table(plan),),
        ),
        definitions(*_TERMS),
        appendix(record_of(readout, named)),
    ]
    units = ", ".join(f"{arm} {whole(n)}" for arm, n in readout.units.items())
    return write_document(
        title=f"Readout: {plan.name}",
        subject=f"{units} · unit {plan.unit} · {look_text(readout.interim)}",
        heading="Decision",
        summary=(),
        card=readout_in_words(readout, named),
        reading=READING,
        parts=parts,
        synthetic=readout.synthetic,
    )


def _unknown(readout: Readout) -> list[DocumentPart]:
    if not readout.unknown:
        return []
    return [
        DocumentPart(
            title="What the table cannot tell",
            lead="The checks that rest on it are skipped.",
            tables=(unknown_table(readout),),
        )
    ]


def _figures(readout: Readout) -> tuple[Figure, ...]:
    """The forest, then for each primary metric the effect as it grew, the days, and novelty."""
    drawn: list[tuple[Any, str]] = [(readout_charts.forest_chart(readout), "Lift of every metric over control")]
    for metric in readout.plan.primary:
        for arm in readout.plan.treatments:
            drawn.append(
                (
                    readout_charts.cumulative_chart(readout, metric=metric.name, arm=arm),
                    f"{metric.name}, {arm}: lift as users came in",
                )
            )
            drawn.append(
                (
                    readout_charts.novelty_chart(readout, metric=metric.name, arm=arm),
                    f"{metric.name}, {arm}: lift by days since first exposure",
                )
            )
        drawn.append((readout_charts.daily_chart(readout, metric=metric.name), f"{metric.name} of each arm by day"))
    return tuple(figure_of(chart, caption) for chart, caption in drawn if chart is not None)


def _level(readout: Readout) -> str:
    return (
        f"Intervals hold with {percent(readout.plan.level, 0)} confidence at this look: {look_text(readout.interim)}."
    )


def check_number_tables(readout: Readout) -> list[Table]:
    """The numbers of checks that have something to show."""
    found = []
    for check in readout.trust_checks:
        numbers = check.rows
        if check.status in ("warn", "fail") and numbers:
            keys = [
                key
                for key in dict.fromkeys(key for row in numbers for key in row)
                if any(row.get(key) is not None for row in numbers)
            ]
            ids = {readout.plan.unit, readout.plan.cluster, "unit", "cluster", "id"}
            rows = tuple(
                tuple(_cell(row.get(key), code=key in _CODES, name=key in ids) for key in keys) for row in numbers[:40]
            )
            heads = tuple(key if key in readout.plan.arms else key.replace("_", " ") for key in keys)
            more = (f"{whole(len(numbers) - 40)} further rows are in the appendix.",) if len(numbers) > 40 else ()
            found.append(
                Table(
                    title=f"Numbers of the check: {CHECK_NAMES[check.code]}",
                    columns=heads,
                    rows=rows,
                    records=numbers,
                    notes=more,
                )
            )
    return found


def _guardrails(readout: Readout) -> list[DocumentPart]:
    rails = [effect for effect in readout.effects if effect.metric.role == "guardrail"]
    if not rails:
        return []
    rows = tuple(
        (
            e.metric.name,
            e.arm,
            share(e.relative),
            margin_text(e.metric)
            if e.metric.equivalence
            else amount(e.metric, -e.metric.sign * e.metric.loss[0], signed=True),
            p_value(e.p_adjusted),
            in_words(e.verdict),
        )
        for e in rails
    )
    lead = "Tests of non-inferiority: a guardrail holds when its interval excludes a loss beyond the margin."
    if any(e.metric.equivalence for e in rails):
        lead += " With ±, of equivalence: it holds when its interval lies within the margin."
    table = Table(
        title="Guardrails",
        columns=("metric", "arm", "lift", "margin", "p", "verdict"),
        rows=rows,
        records=tuple(_records(rails)),
    )
    return [DocumentPart(title="Guardrails", lead=lead, tables=(table,))]


def _diluted(readout: Readout) -> list[DocumentPart]:
    if not readout.diluted:
        return []
    inside = {(effect.metric.name, effect.arm): effect for effect in readout.effects}
    rows = tuple(
        (
            each.metric,
            each.arm,
            percent(each.share, 1),
            share(inside[each.metric, each.arm].relative),
            value_text(readout.plan.metric(each.metric), each.control),
            gap_text(readout.plan.metric(each.metric), each.absolute),
            share(each.relative),
        )
        for each in readout.diluted
    )
    lead = (
        "Effects and decision are of the units whose experience could differ. Over all units the effect is diluted "
        "by the others, who are the same in both arms (Deng and Hu 2015); ratios without covariates."
    )
    heads = (
        "metric",
        "arm",
        "triggered",
        "lift of triggered",
        f"{readout.plan.control}, all",
        "difference, all",
        "lift, all",
    )
    records = tuple(row for each in readout.diluted for row in each.to_dicts())
    return [
        DocumentPart(
            title="Triggered units and all units",
            lead=lead,
            tables=(Table(title="Diluted effects", columns=heads, rows=rows, records=records),),
        )
    ]


def _segments(readout: Readout) -> list[DocumentPart]:
    if not readout.segments:
        return []
    segmentations = list(dict.fromkeys(each.by for each in readout.segments))
    drawn = [
        (readout_charts.segment_forest_chart(readout, by=by), f"{readout.plan.primary[0].name} by {by}")
        for by in segmentations
    ]
    points = heterogeneity_sentences(readout)
    lead = "The false discovery rate is controlled over all segments together. Faded dots are not significant."
    figures = tuple(figure_of(chart, caption) for chart, caption in drawn if chart is not None)
    return [DocumentPart(title="Segments", lead=lead, points=points, tables=(segment_table(readout),), figures=figures)]


def heterogeneity_sentences(readout: Readout) -> tuple[str, ...]:
    """Whether effects differ between the segments of each segmentation."""
    return tuple(
        f"{each.metric}, {each.arm}, by {each.by}: "
        + ("the effect differs" if each.p_adjusted <= readout.plan.alpha else "no difference between segments is shown")
        + f" (Cochran's Q = {decimal(each.q, 2)} on {each.df}, adjusted {p_text(each.p_adjusted)})."
        for each in readout.heterogeneity
    )


def _power(readout: Readout) -> DocumentPart:
    rows = tuple(
        (
            e.metric.name,
            e.arm,
            percent(e.metric.effect),
            percent(e.power, 0),
            percent(e.detectable),
        )
        for e in readout.effects
    )
    lead = (
        "By the standard errors that were seen, at the planned sample, with the correction and the looks of the "
        "plan: the chance that the effect worth finding is found, and the smallest effect that is found with a "
        f"power of {percent(readout.plan.power, 0)}."
    )
    heads = ("metric", "arm", "worth finding", "power", "detectable")
    return DocumentPart(
        title="Power achieved",
        lead=lead,
        tables=(Table(title="Power", columns=heads, rows=rows, records=tuple(readout.to_dicts())),),
    )


def _bayes(readout: Readout) -> list[DocumentPart]:
    lead = (
        "Posterior of the lift under a flat prior, normal. Losses are of the metric getting worse; the decision "
        "does not "
        "rest on this, and reading it every day until it pleases is peeking too."
    )
    return [DocumentPart(title="Bayesian view", lead=lead, tables=(posterior_table(readout),))]


def _records(effects: Sequence[Effect]) -> list[dict[str, Any]]:
    return [row for effect in effects for row in effect.to_dicts()]


_TERMS: Final = ("lift", "interval", "p-value", "primary_metric", "guardrail", "trust_check", "segment", "control")
"""What is defined at the back."""

_CODES: Final = ("code", "handled")
"""Columns of words that programs tell apart: people read them without underscores."""


def _cell(value: Any, *, code: bool = False, name: bool = False) -> str:
    """A number or a text of a check; an id is a name, also where it is a number."""
    if name and value is not None:
        return str(value)
    if isinstance(value, bool) or value is None:
        return NOTHING if value is None else "yes" if value else "no"
    if isinstance(value, int):
        return whole(value)
    if isinstance(value, float) and value.is_integer():  # a count that was summed up
        return whole(value)
    if isinstance(value, float):
        return format_number(value) if abs(value) >= 1 else significant(value, 4)
    return str(value).replace("_", " ") if code else str(value)
