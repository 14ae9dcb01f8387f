"""What a comparison comes to: which system is recommended, whom it serves worse, what it costs, how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np

from reclens.evaluation.compare import Comparison
from reclens.evaluation.differences import PairedDifference
from reclens.evaluation.findings import shared_problems
from reclens.evaluation.hits import share_without_hit
from reclens.evaluation.results import OVERALL, Evaluation
from reclens.findings import Finding
from reclens.metrics.registry import Family, direction, family_of
from reclens.stats.best import could_be_best
from reclens.stats.bootstrap import replicate_means
from reclens.stats.estimate import Estimate
from reclens.tabular import Tabular

__all__ = ["COSTS", "Decision", "DecisionCode", "decide"]

DecisionCode = Literal[
    "winner", "tied", "baseline", "undecided", "faulty", "no_direction", "different_users", "not_compared"
]
"""What can be recommended.

``winner``: one system is better than the baseline, and no other may be the best. ``tied``: the first is better than the
baseline, and others may be as good. ``baseline``: every other system is worse. ``undecided``: no system is shown to be
better. ``faulty``: the numbers may be wrong. ``no_direction``: neither more nor less of the metric is better.
``different_users``: the systems have values for different users. ``not_compared``: there is no comparison.
"""

COSTS: Final[tuple[Family, ...]] = ("exposure", "popularity", "diversity", "novelty", "calibration")
"""Families of metrics that a gain in accuracy may cost."""


@dataclass(frozen=True, kw_only=True)
class Decision(Tabular):
    """What is recommended after some systems were measured and compared.

    Attributes:
        code: What can be recommended.
        data: Name of the training data; None where it was not given.
        synthetic: Whether the data were made by the library.
        n_users: Users measured.
        systems: How many systems were measured.
        metric: The metric of the main question; None where no metric is averaged over users.
        baseline: The baseline; None without a comparison.
        system: The system that is recommended; where none can be, the one that comes first.
        tied_with: Other systems that are better than the baseline and may be the best.
        lift: The difference of ``system`` from the baseline by ``metric``; None where it is the baseline.
        worse_for: Segments in which ``system`` is worse than the baseline by ``metric``.
        open_for: Segments in which no difference is shown, those that are too small included.
        segments: How many segments were looked at.
        costs: Differences of ``system`` from the baseline by coverage, exposure, popularity, diversity, novelty.
        without_hit: Share of the users whose value of ``metric`` is 0 under ``system``; None of metrics whose 0 says
            nothing.
        level: Confidence level of the set of systems that may be the best, and of the intervals.
        correction: How p-values were corrected; None without a comparison.
        findings: What may be wrong with the numbers.
    """

    code: DecisionCode
    data: str | None
    synthetic: bool
    n_users: int
    systems: int
    metric: str | None
    baseline: str | None
    system: str
    tied_with: tuple[str, ...] = ()
    lift: PairedDifference | None = None
    worse_for: tuple[PairedDifference, ...] = ()
    open_for: tuple[PairedDifference, ...] = ()
    segments: int = 0
    costs: tuple[PairedDifference, ...] = ()
    without_hit: Estimate | None = None
    level: float
    correction: str | None = None
    findings: tuple[Finding, ...] = ()

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [asdict(self)]


def decide(
    results: Mapping[str, Evaluation], comparison: Comparison | None = None, *, metric: str | None = None
) -> Decision:
    """Decide what can be recommended.

    Args:
        results: Name -> evaluation.
        comparison: Their comparison with a baseline; the metrics and segments in it are looked at.
        metric: The metric to decide by; by default the primary one of the comparison.

    Returns:
        The decision. A system is recommended where it is better than the baseline after the correction; which others
        may be the best is told by multiple comparisons with the best (Hsu 1984).

    Raises:
        UnknownNameError: If the metric was not compared.

    Example:
        >>> import reclens as rl
        >>> truth = {"user_id": [1, 2], "item_id": [5, 6]}
        >>> ours = rl.evaluate({"user_id": [1, 2], "item_id": [5, 6], "rank": [1, 1]}, truth, name="ours")
        >>> theirs = rl.evaluate({"user_id": [1, 2], "item_id": [5, 7], "rank": [1, 1]}, truth, name="theirs")
        >>> both = {"ours": ours, "theirs": theirs}
        >>> found = decide(both, rl.compare(both, baseline="theirs"))
        >>> found.code, found.system, found.lift.difference
        ('undecided', 'ours', 0.5)
    """
    first = next(iter(results.values()))
    faults = tuple(shared_problems(results))
    about: dict[str, Any] = {
        "data": (first.card.get("train") or {}).get("name"),
        "synthetic": any(bool(each.card.get("synthetic")) for each in results.values()),
        "n_users": int(first.card["n_users"]),
        "systems": len(results),
        "level": first.level if comparison is None else comparison.level,
        "findings": faults,
    }
    averaged = [name for name in first.metrics if name in first.summary.columns]
    if comparison is None:
        named = metric or next(iter(averaged), None)
        best = _first_of(results, named)
        missed = share_without_hit(results[best], named)
        return Decision(code="not_compared", metric=named, baseline=None, system=best, without_hit=missed, **about)
    named = comparison.metric_named(metric)
    rows = [row for row in comparison.differences if (row.metric, row.by) == (named, OVERALL[0])]
    about |= {"metric": named, "baseline": comparison.baseline, "correction": comparison.correction}
    code, system, others = _chosen(rows, results, comparison, named)
    if any(each.severity == "critical" for each in faults):
        code = "faulty"
    own = [row for row in comparison.differences if row.system == system]
    by_segment = [row for row in own if row.metric == named and row.by != OVERALL[0]]
    return Decision(
        code=code,
        system=system,
        tied_with=others,
        lift=next((row for row in rows if row.system == system), None),
        worse_for=tuple(row for row in by_segment if row.outcome == "worse"),
        open_for=tuple(row for row in by_segment if row.outcome in ("undecided", "not_tested", "no_users")),
        segments=len(by_segment),
        costs=tuple(row for row in own if row.by == OVERALL[0] and family_of(row.metric) in COSTS),
        without_hit=share_without_hit(results[system], named) if system in results else None,
        **about,
    )


def _chosen(
    rows: list[PairedDifference], results: Mapping[str, Evaluation], comparison: Comparison, metric: str
) -> tuple[DecisionCode, str, tuple[str, ...]]:
    """What is recommended, the system, and those that may be as good."""
    better = direction(metric)
    usable = [row for row in rows if row.n]
    if better is None:
        return "no_direction", rows[0].system, ()
    sign = 1.0 if better else -1.0
    first = max(usable, key=lambda row: sign * row.difference, default=rows[0])
    if len(usable) < len(rows) or any(row.system_only or row.baseline_only for row in rows):
        return "different_users", first.system, ()
    wins = {row.system for row in rows if row.outcome == "better"}
    if first.system in wins:
        others = tuple(name for name in _best(results, metric, sign, comparison) if name in wins - {first.system})
        return ("tied" if others else "winner"), first.system, others
    if all(row.outcome == "worse" for row in rows):
        return "baseline", comparison.baseline, ()
    return "undecided", first.system, ()


def _best(results: Mapping[str, Evaluation], metric: str, sign: float, comparison: Comparison) -> list[str]:
    """The systems that may be the best by a metric."""
    known = [name for name, each in results.items() if metric in each.summary.columns and each.summary.replicates]
    if len(known) < 2:
        return known
    values = sign * np.array([_mean(results[name], metric) for name in known])
    drawn = np.stack([sign * replicate_means(results[name].summary, OVERALL, metric) for name in known])
    stays = could_be_best(drawn, values, level=comparison.level)
    return [name for name, stay in zip(known, stays, strict=True) if stay]


def _first_of(results: Mapping[str, Evaluation], metric: str | None) -> str:
    """The system with the best value; the first one where no direction is better."""
    better = None if metric is None else direction(metric)
    if metric is None or better is None:
        return next(iter(results))
    sign = 1.0 if better else -1.0
    return max(results, key=lambda name: sign * _mean(results[name], metric))


def _mean(result: Evaluation, metric: str) -> float:
    """The mean over users, without the interval, which takes a moment."""
    at = result.summary.index(OVERALL, metric)
    return float(result.summary.total[at] / max(result.summary.n[at], 1))
