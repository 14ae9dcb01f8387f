"""What of a workspace wants a person to look at it, the most pressing first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from reclens.evaluation import Comparison, Evaluation
from reclens.pipeline.ranker_check import ranker_problems
from reclens.report._toolkit.tables import format_estimate
from reclens.report.evaluation.report import oddities
from reclens.report.evaluation.tuning import cautions_in_words
from reclens.report.evaluation.words import verdict
from reclens.tabular import Tabular
from reclens.tuning import Tuning

__all__ = ["Finding", "findings"]


@dataclass(frozen=True)
class Finding(Tabular):
    """Something that wants a person to look at it.

    Attributes:
        kind: ``"problem"`` (a number may be wrong), ``"gap"`` (some are served worse), ``"caution"`` (a conclusion
            stands on less than it seems) or ``"verdict"``.
        about: The artefact it is about.
        text: One sentence, or a few.
    """

    kind: Literal["problem", "gap", "caution", "verdict"]
    about: str
    text: str

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [asdict(self)]


def findings(
    results: Mapping[str, Evaluation],
    *,
    comparisons: Mapping[str, Comparison] | None = None,
    tunings: Mapping[str, Tuning] | None = None,
) -> tuple[Finding, ...]:
    """Go through evaluations, comparisons and searches for what wants attention.

    Args:
        results: Name -> evaluation.
        comparisons: Name -> comparison.
        tunings: Name -> search over hyper-parameters.

    Returns:
        What may be wrong with the numbers, then segments that are served worse (the largest gap of each segmentation
        by the first metric, where its simultaneous interval excludes zero), then cautions, then verdicts.
    """
    found: list[Finding] = []
    said: dict[str, list[str]] = {}
    for name, result in results.items():
        for line in oddities(result.card):
            said.setdefault(line, []).append(name)
    # What is the same for all runs of a job (users without truth, say) is said once.
    found += [Finding("problem", ", ".join(names), _capital(line) + ".") for line, names in said.items()]
    for name, result in results.items():
        found += [Finding("gap", name, text) for text in _gaps(result)]
        found += [Finding("caution", name, _capital(line) + ".") for line in ranker_problems(result.card)]
    for name, tuning in (tunings or {}).items():
        found += [Finding("caution", name, line) for line in cautions_in_words(tuning)]
    for name, comparison in (comparisons or {}).items():
        found += [Finding("verdict", name, sentence) for sentence in verdict(comparison)]
    return tuple(found)


def _gaps(result: Evaluation) -> list[str]:
    metric = next((name for name in result.metrics if name in result.summary.columns), None)
    if metric is None:
        return []
    return [
        f"{metric} differs by {gap.by}: {gap.highest} over {gap.lowest} by {format_estimate(gap.to_dicts()[0])}, "
        f"an interval that allows for all {gap.n_pairs} pairs."
        for gap in result[metric].gaps.values()
        if gap.conclusive
    ]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
