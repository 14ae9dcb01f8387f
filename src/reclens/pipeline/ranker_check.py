"""Whether the ranker of a pipeline is worth its place: it is held against plain fusion of the same candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from reclens.evaluation.results import OVERALL, Evaluation
from reclens.metrics import describe
from reclens.stats.bootstrap import difference
from reclens.stats.estimate import Estimate
from reclens.tabular import Tabular

__all__ = [
    "RankerGain",
    "RankerVerdict",
    "cell_mean",
    "hold_ranker",
    "judged_metrics",
    "with_ranker",
]

RankerVerdict = Literal["better", "worse", "undecided"]
"""``better`` or ``worse`` where the interval of the difference lies on one side of 0."""


@dataclass(frozen=True, kw_only=True)
class RankerGain(Tabular):
    """The ranker against reciprocal-rank fusion of the same candidates, for the same users, by one metric.

    Attributes:
        ranker: Name of the ranker.
        metric: The metric.
        by: The segmentation; ``"overall"`` for all users.
        segment: The segment; ``"all"`` for all users.
        fusion: Mean of the lists in the order of the fusion.
        ranked: Mean of the lists in the order of the ranker.
        gain: Ranked less fusion, paired user by user.
        verdict: What follows for the ranker.
    """

    ranker: str
    metric: str
    by: str
    segment: str
    fusion: float
    ranked: float
    gain: Estimate
    verdict: RankerVerdict

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        row = {"ranker": self.ranker, "metric": self.metric, "by": self.by, "segment": self.segment}
        return [row | {"fusion": self.fusion, "ranked": self.ranked} | asdict(self.gain) | {"verdict": self.verdict}]


def judged_metrics(metrics: Sequence[str]) -> list[str]:
    """The metrics by which a ranker can be better or worse: those of users that need truth and have a direction."""
    found = [(metric, describe(metric)) for metric in metrics]
    return [
        metric
        for metric, info in found
        if info.kind == "user" and "truth" in info.needs and info.higher_is_better is not None
    ]


def hold_ranker(ranker: str, ranked: Evaluation, fused: Evaluation, *, level: float) -> tuple[RankerGain, ...]:
    """Hold the lists of a ranker against those of plain fusion of the same candidates.

    Args:
        ranker: Name of the ranker.
        ranked: The lists of the ranker, measured.
        fused: The lists of the fusion, measured on the same users with the same seed.
        level: Confidence level of the intervals.

    Returns:
        One row a metric and cell, all users first.
    """
    found: list[RankerGain] = []
    for metric in judged_metrics(ranked.metrics):
        sign = 1 if describe(metric).higher_is_better else -1
        for cell in ranked.summary.cells:
            gain, _ = difference(ranked.summary, fused.summary, cell, metric, level=level)
            plain, ours = (cell_mean(each, cell, metric) for each in (fused, ranked))
            found.append(
                RankerGain(
                    ranker=ranker,
                    metric=metric,
                    by=cell[0],
                    segment=cell[1],
                    fusion=plain,
                    ranked=ours,
                    gain=gain,
                    verdict=_verdict(gain, sign),
                )
            )
    return tuple(found)


def cell_mean(evaluation: Evaluation, cell: tuple[str, str], metric: str) -> float:
    """Mean of a metric over the users of a segment; NaN where none of them has a value."""
    summary = evaluation.summary
    at = summary.index(cell, metric)
    return float(summary.total[at] / summary.n[at]) if summary.n[at] else float("nan")


def with_ranker(evaluation: Evaluation, gains: Sequence[RankerGain]) -> Evaluation:
    """The evaluation of a pipeline's lists, with what its ranker gains over all users on the card as ``ranker``."""
    rows = [row for each in gains if (each.by, each.segment) == OVERALL for row in each.to_dicts()]
    return replace(evaluation, card={**evaluation.card, "ranker": rows})


def _verdict(gain: Estimate, sign: int) -> RankerVerdict:
    if gain.low is None or gain.high is None or gain.low <= 0 <= gain.high:
        return "undecided"
    return "better" if sign * gain.low > 0 else "worse"
