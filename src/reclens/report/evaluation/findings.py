"""Findings on evaluations, comparisons and searches: collected, and as sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from reclens.errors import RecLensWarning, Setting, in_python
from reclens.evaluation import Comparison, Evaluation, IdsWarning, TaskWarning
from reclens.evaluation.findings import comparison_findings, evaluation_findings
from reclens.findings import Finding
from reclens.pipeline.findings import ranker_findings
from reclens.report._toolkit.format import format_estimate, whole
from reclens.report.data.words import rule_line
from reclens.report.evaluation.problem_words import NO_TEXTS, fit_problems
from reclens.report.evaluation.tuning_words import CAUTIONS, caution_text
from reclens.report.pipeline.words import ranker_problems
from reclens.tuning import Tuning
from reclens.tuning.findings import tuning_findings

__all__ = ["finding_text", "findings"]


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
        What may be wrong with the numbers (``problem``), segments that are served worse (``gap``), conclusions that
        stand on less than they seem (``caution``), then what comparisons conclude (``verdict``).
    """
    found = [*evaluation_findings(results), *ranker_findings(results)]
    found += [each for name, tuning in (tunings or {}).items() for each in tuning_findings(name, tuning)]
    found += [each for name, one in (comparisons or {}).items() for each in comparison_findings(name, one)]
    return tuple(found)


def finding_text(
    found: Finding, named: Callable[[Setting], str] = in_python, texts: Mapping[str, str] = NO_TEXTS
) -> str:
    """A finding as a sentence, or a few; of one whose code has no words here, the code.

    Args:
        found: The finding.
        named: How the surface writes the settings of an advice.
        texts: As for :func:`reclens.report.evaluation.problem_words.id_problems`.
    """
    if found.code in _ADVISED:
        return _ADVISED[found.code](found).said(named, texts).rstrip(".")
    if found.code in CAUTIONS:
        return _caution(found, named)
    words = _WORDS.get(found.code)
    return found.code.replace("_", " ") if words is None else words(found)


def _count(what: str) -> Callable[[Finding], str]:
    return lambda found: f"{what}: {whole(found.evidence[0]['count'])}"


def _task(found: Finding) -> TaskWarning:
    row = found.evidence[0]
    card: dict[str, Any] = {"truth": {"rows": row["truth"]}, "truth_pairs_in_training": row["held"]}
    card |= {"recommendations_seen_in_training": row["seen"], "recommendations": row["of"]}
    return TaskWarning.of(found.code, card)


def _gap(found: Finding) -> str:
    row = found.evidence[0]
    return (
        f"{row['metric']} differs by {row['by']}: {row['highest']} over {row['lowest']} by {format_estimate(row)}, "
        f"an interval that allows for all {row['n_pairs']} pairs"
    )


def _caution(found: Finding, named: Callable[[Setting], str]) -> str:
    first, *others = found.evidence
    models = ", ".join(dict.fromkeys(str(each["model"]) for each in others))
    more = f" The same kind ({found.code}) is said{f' of {models}' if models else ''} too." if others else ""
    return f"{caution_text(first['kind'], first['model'], first['facts'], named)}{more}"


def _outcome(found: Finding) -> str:
    row = found.evidence[0]
    difference = format_estimate(row, value="difference", signed=True)
    return f"{row['system']} against {row['baseline']} by {row['metric']}: {found.code.replace('_', ' ')}, {difference}"


_ADVISED: Final[Mapping[str, Callable[[Finding], RecLensWarning]]] = {
    **dict.fromkeys(("few_shared", "near_ids"), lambda found: IdsWarning.of(found.evidence[0])),
    **dict.fromkeys(("seen_items_listed", "seen_items_filtered", "truth_in_training"), _task),
}
"""Code -> the warning that says it, with an advice."""
_WORDS: Final[Mapping[str, Callable[[Finding], str]]] = {
    **dict.fromkeys(
        ("vanishing_factors", "not_converged", "short_lists", "below_popular"),
        lambda found: fit_problems(str(found.evidence[0]["model"]), found.evidence)[0],
    ),
    "users_without_list": _count("users without a list"),
    "users_with_short_list": _count("users with a list shorter than asked"),
    "lists_of_users_without_truth": _count("lists of users without truth, left out"),
    "recommendations_outside_catalogue": _count("recommendations outside the catalogue"),
    "recommendations_seen_in_training": _count("recommendations of items seen in training"),
    "truth_duplicates": _count("repeated pairs in the truth, counted once"),
    "truth_rows_without_relevance": _count("rows of the truth that are not relevant"),
    "users_without_relevant_items": _count("users without a relevant item, left out"),
    "rule": lambda found: rule_line(found.evidence[0]),
    "truth_rule": lambda found: f"truth: {rule_line(found.evidence[0])}",
    "segment_gap": _gap,
    "ranker_loses": lambda found: ranker_problems({"ranker": found.evidence})[0],
    **dict.fromkeys(("better", "worse", "higher", "lower", "undecided", "not_tested", "no_users"), _outcome),
}
"""Code -> its sentence."""
