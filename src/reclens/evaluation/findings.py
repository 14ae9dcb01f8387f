"""What evaluations and comparisons find, as records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from reclens.evaluation.compare import Comparison
from reclens.evaluation.results import OVERALL, Evaluation
from reclens.findings import Finding, Severity
from reclens.stats.estimate import Estimate

__all__ = [
    "OF_LISTS",
    "comparison_findings",
    "evaluation_findings",
    "gap_findings",
    "problem_findings",
    "shared_problems",
]

OF_LISTS: Final = (
    "vanishing_factors",
    "not_converged",
    "short_lists",
    "below_popular",
    "users_without_list",
    "users_with_short_list",
    "lists_of_users_without_truth",
    "recommendations_outside_catalogue",
    "recommendations_seen_in_training",
    "rule",
)
"""Codes of what is said of a system: of its fit and its lists; the others are about ids, the task or the truth."""

_COUNTS: Final = {
    "users_without_list": "n_users",
    "users_with_short_list": "n_users",
    "lists_of_users_without_truth": None,
    "recommendations_outside_catalogue": "recommendations",
    "recommendations_seen_in_training": "recommendations",
    "truth_duplicates": None,
    "truth_rows_without_relevance": None,
    "users_without_relevant_items": None,
}
"""Counts of a card that are found where they are not 0 -> the count that they are a part of, where it has one."""


def evaluation_findings(results: Mapping[str, Evaluation]) -> list[Finding]:
    """Go through evaluations for what may be wrong with their numbers, and for whom they serve worse.

    Args:
        results: Name -> evaluation.

    Returns:
        Problems, what is the same for several runs once; then the largest gap of each segmentation by the first
        metric that is averaged over users, where its interval, which allows for all pairs, excludes zero.
    """
    gaps = (each for name, result in results.items() for each in gap_findings(result, name))
    return [*shared_problems(results), *gaps]


def shared_problems(results: Mapping[str, Evaluation]) -> list[Finding]:
    """What may be wrong with the numbers of evaluations; what is the same for several of them once."""
    together: dict[str, Finding] = {}
    for name, result in results.items():
        for each in problem_findings(result.card):
            key = json.dumps([each.code, each.evidence], default=str)
            known = together.get(key)
            together[key] = replace(each, about=(*(known.about if known else ()), name))
    return list(together.values())


def problem_findings(card: Mapping[str, Any]) -> Iterator[Finding]:
    """What the card of an evaluation says of ids, task, fit, lists and truth; about nothing yet."""
    for each in card.get("id_problems", ()):
        found = _problem(each["code"], each, severity="critical")
        yield replace(found, examples=tuple(map(tuple, each["examples"])), suspects=(each["cause"],))
    counts = {"truth": card["truth"]["rows"], "held": card.get("truth_pairs_in_training") or 0}
    counts |= {"seen": card.get("recommendations_seen_in_training") or 0, "of": card.get("recommendations") or 0}
    for code in card.get("task_problems", ()):
        yield _problem(code, counts, severity="critical")
    lists = card.get("lists") or {}
    for each in lists.get("problems", ()):
        if isinstance(each, Mapping):  # those of the stages of a pipeline are among its rules
            yield _problem(each["code"], {"model": lists.get("model"), **each})
    for code, whole in _COUNTS.items():
        if card.get(code):
            of = {"of": card[whole]} if whole is not None and card.get(whole) else {}
            yield _problem(code, {"count": card[code], **of})
    for key in ("rules", "truth_rules"):
        for rule in card.get(key, ()):
            if rule["count"]:
                yield _problem(key.removesuffix("s"), rule)


def _problem(code: str, row: Mapping[str, Any], *, severity: Severity = "warning") -> Finding:
    return Finding(severity=severity, kind="problem", code=code, about=(), evidence=(row,))


def gap_findings(result: Evaluation, name: str) -> Iterator[Finding]:
    """The conclusive gaps between segments by the first metric that is averaged over users."""
    metric = next((each for each in result.metrics if each in result.summary.columns), None)
    if metric is None:
        return
    for gap in result[metric].gaps.values():
        if gap.conclusive:
            (row,) = gap.to_dicts()
            worth = Estimate(
                gap.value, low=gap.low, high=gap.high, n=result.summary.cell_sizes[OVERALL], level=gap.level
            )
            yield Finding(
                severity="warning", kind="gap", code="segment_gap", about=(name,), estimate=worth, evidence=(row,)
            )


def comparison_findings(name: str, comparison: Comparison) -> list[Finding]:
    """What the primary metric concludes for each system over all users; the code is :data:`.Outcome`."""
    metric = comparison.metric_named()
    return [
        Finding(
            severity="warning" if row.outcome == "worse" else "note",
            kind="verdict",
            code=row.outcome,
            about=(name, row.system),
            estimate=Estimate(row.difference, low=row.low, high=row.high, n=row.n, level=comparison.level),
            evidence=(dict(vars(row)),),
        )
        for row in comparison.differences
        if row.metric == metric and row.by == OVERALL[0]
    ]
