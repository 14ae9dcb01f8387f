"""What stands against the outcome of a search, in a few lines: the gravest kinds first, the rest counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Final

from reclens.errors import Setting, in_python
from reclens.report._toolkit.format import format_estimate, significant, typed
from reclens.report.evaluation.findings import finding_text
from reclens.stats.estimate import Estimate
from reclens.tuning import TunedWeights, Tuning
from reclens.tuning.findings import tuning_findings

__all__ = ["MOST", "best_lines", "cautions_in_words", "weights_line"]

MOST: Final = 3
"""Kinds of cautions that are shown."""


def best_lines(tuning: Tuning) -> list[str]:
    """One line a model: its best value on the validation part, and the hyper-parameters that gave it."""
    return [
        f"tune {best.model}: {tuning.metric} {_estimate(tuning.metric, best.value)} on the validation part, "
        + (", ".join(f"{name}={_value(value)}" for name, value in best.parameters.items()) or "nothing to search")
        for best in tuning
    ]


def weights_line(label: str, weights: TunedWeights) -> str:
    """The weights of a hybrid, their value, and the gain over the best single model."""
    shares = ", ".join(f"{part} {significant(share)}" for part, share in weights.weights.items())
    gain = format_estimate({**asdict(weights.gain), "metric": weights.metric}, signed=True)
    return (
        f"tune_weights {label}: {shares}; {weights.metric} {_estimate(weights.metric, weights.value)} on the "
        f"validation part, {gain} over {weights.single} alone"
    )


def _estimate(metric: str, found: Estimate) -> str:
    return format_estimate({**asdict(found), "metric": metric})


def _value(value: object) -> str:
    return typed(value) if isinstance(value, float) else str(value)


def cautions_in_words(tuning: Tuning, *, most: int = MOST, named: Callable[[Setting], str] = in_python) -> list[str]:
    """One line a kind, the gravest first; then one line that counts the rest, which is on the card.

    Args:
        tuning: The outcome.
        most: Kinds to show.
        named: How the surface writes a setting.
    """
    lines = [finding_text(each, named) for each in tuning_findings(tuning.metric, tuning)[:most]]
    rest = tuning.groups[most:]
    if rest:
        n = sum(len(group.cautions) for group in rest)
        kinds = ", ".join(f"{len(group.cautions)} {group.kind}" for group in rest)
        lines.append(f"{n} more {'caution is' if n == 1 else 'cautions are'} on the card: {kinds}.")
    return lines
