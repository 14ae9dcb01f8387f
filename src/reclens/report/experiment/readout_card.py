"""The card of a readout: what is decided on the arms, by how much, who loses, what it costs, how sure that is."""

from __future__ import annotations

import math
from typing import Final

from reclens.errors import in_python
from reclens.experiment.analysis.decision import DecisionCode
from reclens.experiment.analysis.readout import Readout
from reclens.experiment.planning.metric import Metric
from reclens.report._toolkit.card import DecisionWords, Tone
from reclens.report._toolkit.format import count_of, in_words, listed, percent, share, whole
from reclens.report.experiment.check_words import Named
from reclens.report.experiment.decision_words import decision_sentences
from reclens.report.experiment.words import CHECK_NAMES, gap_text, look_text
from reclens.stats.estimate import Estimate

__all__ = ["readout_in_words"]

_TONES: Final[dict[DecisionCode, Tone]] = {
    "ship": "good",
    "do_not_ship": "good",
    "no_material_difference": "good",
    "stop_for_futility": "good",
    "undecided": "open",
    "blocked": "bad",
}
_MOST: Final = 3
"""Segments and metrics that are named in a line."""


def readout_in_words(readout: Readout, named: Named = in_python) -> DecisionWords:
    """The card of a readout.

    Args:
        readout: What was read.
        named: How the parameters that it advises to give are written.
    """
    codes: list[DecisionCode] = [each.code for each in readout.decisions]
    heads = [decision_sentences(readout, each, named)[0] for each in readout.decisions]
    tones = [_TONES[code] for code in codes]
    tone: Tone = "bad" if "bad" in tones else "good" if "ship" in codes or "open" not in tones else "open"
    opening = "No winner. " if "ship" not in codes and "blocked" not in codes else ""
    units = ", ".join(f"{arm} {whole(n)}" for arm, n in readout.units.items())
    lines = [("Lift", _lifts(readout)), ("Who loses", _losers(readout)), ("Cost", _costs(readout))]
    return DecisionWords(
        f"{readout.plan.name} · {units} · unit {readout.plan.unit}",
        opening + " ".join(heads),
        tone,
        (*lines, ("How sure", _sure(readout))),
    )


def _lifts(readout: Readout) -> str:
    several = len(readout.plan.treatments) > 1
    return "; ".join(
        f"{each.metric.name}{f', {each.arm}' if several else ''}: " + _moved(each.lift, each.absolute, each.metric)
        for each in readout.effects
        if each.metric.role == "primary"
    )


def _moved(relative: Estimate, absolute: Estimate, metric: Metric) -> str:
    """The lift; where the control has none of it, and so no lift, the difference in its own unit."""
    return share(relative) if math.isfinite(relative.value) else gap_text(metric, absolute)


def _losers(readout: Readout) -> str:
    """Segments that lose by a primary metric, after the correction."""
    if not readout.segments:
        return "No segments were read"
    signs = {metric.name: metric.sign for metric in readout.plan.metrics}
    shown = [each for each in readout.segments if each.p_adjusted <= readout.plan.alpha]
    lost = [each for each in shown if signs[each.metric] * each.found.absolute.value < 0]
    if lost:
        metrics = {metric.name: metric for metric in readout.plan.metrics}
        moves = [_moved(each.found.relative, each.found.absolute, metrics[each.metric]) for each in lost]
        names = [f"{each.by} {each.segment} ({each.metric} {move})" for each, move in zip(lost, moves, strict=True)]
        return f"Worse for {listed(names, _MOST)}"
    said = f"No segment of {len(readout.segments)} is shown to lose"
    open_ = [f"{each.by} {each.segment}" for each in readout.segments if each not in shown]
    return f"{said}; not concluded for {listed(open_, _MOST)}" if open_ else said


def _costs(readout: Readout) -> str:
    """Guardrails, and how coverage and concentration moved where they were measured."""
    rails = [each for each in readout.effects if each.metric.role == "guardrail"]
    said = [
        f"{each.metric.name} {in_words(each.verdict)}: {_moved(each.relative, each.absolute, each.metric)}"
        for each in rails
    ]
    said += [
        f"{each.metric.name} {_moved(each.relative, each.absolute, each.metric)}"
        for each in readout.effects
        if each.metric.kind in ("coverage", "gini", "effective_items") and each.metric.role != "guardrail"
    ]
    return "; ".join(said) if said else "The plan has no guardrail, and coverage was not measured"


def _sure(readout: Readout) -> str:
    failed = [CHECK_NAMES[check.code] for check in readout.trust_checks if check.status == "fail"]
    warned = sum(check.status == "warn" for check in readout.trust_checks)
    checks = (
        f"{listed(failed, _MOST)} {'fails' if len(failed) == 1 else 'fail'}: do not act on these numbers"
        if failed
        else "no trust check fails" + (f", {count_of(warned, 'check')} to look at" if warned else "")
    )
    return f"{percent(readout.plan.level, 0)} intervals; {checks}; {look_text(readout.interim)}"
