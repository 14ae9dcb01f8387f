"""The tables of a readout: effects, trust checks, segments and what is not known; and everything as plain values."""

from __future__ import annotations

from typing import Any

from reclens.errors import in_python
from reclens.experiment.analysis.readout import Readout
from reclens.report._toolkit.format import between, in_words, p_value, share
from reclens.report._toolkit.tables import Table, format_number
from reclens.report.experiment.check_words import Named, check_text
from reclens.report.experiment.decision_words import decision_sentences
from reclens.report.experiment.plan_words import decision_rule
from reclens.report.experiment.remark_words import adjustment_sentences, caveat_sentences
from reclens.report.experiment.words import CHECK_NAMES, margin_text, unknown_text

__all__ = ["check_table", "effect_table", "record_of", "segment_table", "unknown_table"]


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
    blocked_by = ", ".join(CHECK_NAMES[check.code] for check in readout.trust_checks if check.status == "fail")
    decided = {
        each.arm: f"blocked: {blocked_by}" if each.code == "blocked" else in_words(each.code)
        for each in readout.decisions
    }
    for effect in readout.effects:
        found = effect.found
        rows.append(
            (
                effect.metric.name,
                effect.metric.role,
                effect.arm,
                format_number(found.control),
                format_number(found.treatment),
                between(effect.absolute),
                share(effect.lift),
                p_value(effect.p_value),
                p_value(effect.p_adjusted),
                in_words(effect.verdict),
                decided[effect.arm],
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
        "decision",
    )
    return Table("Effects", heads, tuple(rows), tuple(readout.to_dicts()), _effect_notes(readout))


def _effect_notes(readout: Readout) -> tuple[str, ...]:
    """How the effects were computed and adjusted."""
    ways: dict[str, dict[str, None]] = {}
    for effect in readout.effects:
        ways.setdefault(effect.found.method, {})[effect.metric.name] = None
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
        f"{readout.plan.control} would be {e.relative.value:+.2%}."
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
    return Table("Trust checks", ("check", "status", "finding"), rows, records)


def segment_table(readout: Readout) -> Table:
    """Effects of primary metrics by segment."""
    records = [row for each in readout.segments for row in each.to_dicts()]
    rows = tuple(
        (
            each.by,
            each.segment,
            each.metric,
            each.arm,
            f"{each.found.absolute.n:,}",
            share(each.relative),
            p_value(each.p_value),
            p_value(each.p_adjusted),
        )
        for each in readout.segments
    )
    heads = ("by", "segment", "metric", "arm", "n", "lift", "p", "adjusted p")
    return Table("Effects by segment", heads, rows, tuple(records))


def unknown_table(readout: Readout) -> Table:
    """What the table of the experiment cannot tell."""
    records = [{**row, "not_known": unknown_text(each)} for each in readout.unknown for row in each.to_dicts()]
    rows = tuple((row["not_known"],) for row in records)
    return Table("Not known", ("not known",), rows, tuple(records))
