"""The tables of a readout: effects, trust checks, segments and what is not known; and everything as plain values."""

from __future__ import annotations

from typing import Any

from reclens.errors import in_python
from reclens.experiment.analysis.decision import Decision
from reclens.experiment.analysis.readout import Readout
from reclens.report._toolkit.format import NOTHING, chance, in_words, p_value, percent, share, whole
from reclens.report._toolkit.tables import Table
from reclens.report.experiment.check_words import Named, check_text
from reclens.report.experiment.decision_words import decision_sentences
from reclens.report.experiment.method_words import method_text
from reclens.report.experiment.plan_words import decision_rule
from reclens.report.experiment.remark_words import adjustment_sentences, caveat_sentences
from reclens.report.experiment.words import CHECK_NAMES, gap_text, margin_text, unknown_text, value_text

__all__ = [
    "check_table",
    "decision_table",
    "effect_table",
    "posterior_table",
    "record_of",
    "segment_table",
    "unknown_table",
]


def record_of(readout: Readout, named: Named = in_python) -> dict[str, Any]:
    """Every number of a readout, and what is said of them."""
    record = readout.record()
    said = {
        "decisions": [" ".join(decision_sentences(readout, each, named)) for each in readout.decisions],
        "trust_checks": [check_text(each, named) for each in readout.trust_checks],
        "adjustments": adjustment_sentences(readout),
        "caveats": caveat_sentences(readout, named),
        "unknown": [unknown_text(each) for each in readout.unknown],
    }
    for name, texts in said.items():
        record[name] = [{**row, "text": text} for row, text in zip(record[name], texts, strict=True)]
    return record | {"rule": list(decision_rule(readout.plan))}


def effect_table(readout: Readout) -> Table:
    """Every metric of every arm: values, difference and lift with intervals, p-values, and what may be said."""
    rows = []
    for effect in readout.effects:
        found = effect.found
        rows.append(
            (
                effect.metric.name,
                effect.metric.role,
                effect.arm,
                value_text(effect.metric, found.control),
                value_text(effect.metric, found.treatment),
                gap_text(effect.metric, effect.absolute),
                share(effect.lift),
                p_value(effect.p_value),
                p_value(effect.p_adjusted),
                in_words(effect.verdict),
            )
        )
    heads = (
        "metric",
        "role",
        "arm",
        readout.plan.control,
        "treated",
        "difference",
        "lift",
        "p",
        "adjusted p",
        "verdict",
    )
    # The decision is on an arm: beside a metric it would read as what that metric says.
    notes = (*map(_decided, readout.decisions), *_effect_notes(readout))
    return Table(title="Effects", columns=heads, rows=tuple(rows), records=tuple(readout.to_dicts()), notes=notes)


def decision_table(readout: Readout) -> Table:
    """The decision on each arm, the metrics that it rests on, and what stands against it."""
    rows = tuple(
        (
            each.arm,
            in_words(each.code),
            ", ".join(each.metrics) or NOTHING,
            ", ".join(name + " (not measured)" * (name in each.unmeasured) for name in each.open_guardrails) or NOTHING,
            ", ".join(CHECK_NAMES[code] for code in each.failed_checks) or NOTHING,
        )
        for each in readout.decisions
    )
    heads = ("arm", "decision", "by", "guardrails not shown to hold", "failed checks")
    return Table(
        title="Decisions",
        columns=heads,
        rows=rows,
        records=tuple(row for each in readout.decisions for row in each.to_dicts()),
    )


def _decided(decision: Decision) -> str:
    """The decision on an arm, and which checks block it."""
    why = ", ".join(CHECK_NAMES[code] for code in decision.failed_checks)
    return f"Decision on {decision.arm}: {in_words(decision.code)}{f': {why}' if why else ''}."


def _effect_notes(readout: Readout) -> tuple[str, ...]:
    """How the effects were computed and adjusted."""
    ways: dict[str, dict[str, None]] = {}
    for effect in readout.effects:
        ways.setdefault(method_text(effect.found.method), {})[effect.metric.name] = None
    methods = [f"{', '.join(names)}: {method}." for method, names in ways.items()]
    notes = [
        f"p-values are adjusted within a family: primary metrics ({readout.plan.correction}), secondary ones (bh).",
        "Adjusted p of a guardrail: one-sided, of a loss of its margin or more, or of a move beyond it.",
    ]
    notes += [
        f"{e.metric.name}, {e.arm}: p = {p_value(e.p_equivalence)} of a difference beyond {margin_text(e.metric)}."
        for e in readout.effects
        if e.metric.role != "guardrail" and e.p_equivalence == e.p_equivalence
    ]
    notes += [
        f"{e.metric.name}, {e.arm}: the lift is the median-unbiased one of a stop at this look; difference ÷ "
        f"{readout.plan.control} would be {percent(e.relative.value, 2, signed=True)}."
        for e in readout.effects
        if e.stopped is not None
    ]
    return (*methods, *notes)


def check_table(readout: Readout, named: Named = in_python) -> Table:
    """The trust checks and what was seen."""
    records = tuple(
        {**check.to_dicts()[0], "check": CHECK_NAMES[check.code], "finding": check_text(check, named)}
        for check in readout.trust_checks
    )
    rows = tuple((row["check"], row["status"], row["finding"]) for row in records)
    return Table(title="Trust checks", columns=("check", "status", "finding"), rows=rows, records=records)


def segment_table(readout: Readout) -> Table:
    """Effects of primary metrics by segment."""
    records = [row for each in readout.segments for row in each.to_dicts()]
    rows = tuple(
        (
            each.by,
            each.segment,
            each.metric,
            each.arm,
            whole(each.found.absolute.n),
            share(each.relative),
            p_value(each.p_value),
            p_value(each.p_adjusted),
        )
        for each in readout.segments
    )
    heads = ("by", "segment", "metric", "arm", "n", "lift", "p", "adjusted p")
    return Table(title="Effects by segment", columns=heads, rows=rows, records=tuple(records))


def posterior_table(readout: Readout) -> Table:
    """The Bayesian view of the primary metrics, under a flat prior."""
    rows = tuple(
        (
            each.metric,
            each.arm,
            share(each.posterior.value),
            chance(each.posterior.p_win),
            percent(each.posterior.loss_treatment, 3),
            percent(each.posterior.loss_control, 3),
        )
        for each in readout.posteriors
    )
    heads = ("metric", "arm", "lift", "better than control", "expected loss if shipped", "expected loss if not")
    return Table(
        title="Posterior",
        columns=heads,
        rows=rows,
        records=tuple(row for each in readout.posteriors for row in each.to_dicts()),
    )


def unknown_table(readout: Readout) -> Table:
    """What the table of the experiment cannot tell."""
    records = [{**row, "not_known": unknown_text(each)} for each in readout.unknown for row in each.to_dicts()]
    rows = tuple((row["not_known"],) for row in records)
    return Table(title="Not known", columns=("not known",), rows=rows, records=tuple(records))
