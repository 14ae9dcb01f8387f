"""Where a pipeline loses what users want: the retrieval ceiling, the loss of the ranker and of each re-ranker."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from reclens.data.dataset import Dataset
from reclens.engine import Progress, quiet
from reclens.errors import UsageError
from reclens.evaluation.results import OVERALL, Evaluation
from reclens.evaluation.run import evaluate
from reclens.metrics import Metric, canonical, describe
from reclens.metrics.registry import Asked
from reclens.pipeline import PipelineRun
from reclens.pipeline.candidates import FUSION
from reclens.pipeline.ranker_check import RankerGain, cell_mean, hold_ranker, with_ranker
from reclens.schema import ITEM, RANK, USER, Recommendations
from reclens.stats.bootstrap import difference
from reclens.stats.estimate import Estimate
from reclens.tabular import Tabular

__all__ = ["StageEvaluation", "StageLoss", "evaluate_stages"]

PERFECT, CEILING, RANKED = "perfect", "retrieval ceiling", "ranked"


@dataclass(frozen=True, kw_only=True)
class StageLoss(Tabular):
    """What one stage of a pipeline costs, by one metric in one segment.

    Attributes:
        stage: ``retrieve`` (perfect lists against the best that the candidates allow), ``rank`` (that against the order
            of the ranker) or the label of a re-ranker (the order before against the order after).
        metric: The metric.
        by: The segmentation; ``"overall"`` for all users.
        segment: The segment; ``"all"`` for all users.
        before: Mean before the stage.
        after: Mean after it.
        loss: Before less after, paired user by user; a negative loss is a gain.
    """

    stage: str
    metric: str
    by: str
    segment: str
    before: float
    after: float
    loss: Estimate

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        row = {"stage": self.stage, "metric": self.metric, "by": self.by, "segment": self.segment}
        return [row | {"before": self.before, "after": self.after} | asdict(self.loss)]


@dataclass(frozen=True, eq=False, kw_only=True)
class StageEvaluation(Tabular):
    """A pipeline, measured stage by stage.

    Attributes:
        name: Name of the pipeline.
        k: Length of the final lists.
        stages: Name -> evaluation: ``perfect`` (the truth itself), ``retrieval ceiling`` (the candidates in the best
            possible order), ``ranked`` and the re-rankers, in order.
        retrievers: Label -> evaluation of the lists of each retriever; ``candidates`` for all of them together.
        losses: What each stage costs, by metric and segment.
        gains: The ranker against plain fusion of the same candidates, by metric and segment; empty without a ranker.
        final: The final lists, measured; ``card["ranker"]`` has the gains over all users.
        steps: Rows of the run: what went in and out of each stage, and the seconds for all users together.
    """

    name: str
    k: int
    stages: Mapping[str, Evaluation]
    retrievers: Mapping[str, Evaluation]
    losses: tuple[StageLoss, ...]
    gains: tuple[RankerGain, ...]
    final: Evaluation
    steps: tuple[Mapping[str, Any], ...]

    def loss(self, stage: str, metric: str, *, by: str = OVERALL[0], segment: str = OVERALL[1]) -> StageLoss:
        """The loss of one stage by one metric in one segment.

        Raises:
            UsageError: If it was not measured.
        """
        for row in self.losses:
            if (row.stage, row.metric, row.by, row.segment) == (stage, metric, by, segment):
                return row
        known = ", ".join(dict.fromkeys(row.stage for row in self.losses))
        raise UsageError(f"no loss of '{stage}' by {metric} in {by} {segment}. Stages: {known}.")

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row a stage, metric and segment."""
        return [row for each in self.losses for row in each.to_dicts()]


def evaluate_stages(
    run: PipelineRun,
    truth: pl.DataFrame,
    *,
    train: Dataset,
    metrics: Sequence[Asked] | None = None,
    by: Sequence[str | tuple[str, str]] = (),
    relevance: str | None = None,
    level: float = 0.95,
    replicates: int = 1000,
    rng: int = 0,
    threads: int | None = None,
    progress: Progress = quiet,
) -> StageEvaluation:
    """Evaluate every stage of a run, and its loss.

    The losses add up: perfect = final + retrieval loss + ranking loss + the losses of the re-rankers. The retrieval
    ceiling is what a perfect ranker would reach with the candidates there are: relevant candidates first. A ranker, if
    there is one, is held against reciprocal-rank fusion of the same candidates, cut at the same ``keep``.

    Args:
        run: A run of :meth:`reclens.pipeline.Pipeline.run` over the users of the truth.
        truth: Held-out interactions ``user_id, item_id``.
        train: The training part, with its segments.
        metrics: Metrics with cut-offs; by default ndcg and recall at the length of the final lists.
        by: Segmentations of ``train.segments``.
        relevance: Column of the truth with graded relevance; None: every row is relevant.
        level: Confidence level of the intervals.
        replicates: Bootstrap replicates behind them.
        rng: Seed of the replicates.
        threads: Threads to use; the result does not depend on it.
        progress: Callback for the progress.

    Returns:
        The evaluations, the losses and the gain of the ranker with intervals that pair user by user, and the steps of
        the run.

    Raises:
        UsageError: If a metric does not exist or needs what was not given, or none of them can be lost.
    """
    asked = tuple(canonical(name) for name in metrics or (f"ndcg@{run.k}", f"recall@{run.k}"))
    if not any(_can_be_lost(describe(metric)) for metric in asked):
        raise UsageError(f"of {', '.join(asked)} nothing can be lost: name a metric that needs truth, such as ndcg@10.")

    def measure(lists: Recommendations | pl.DataFrame, name: str, measured: Sequence[str]) -> Evaluation:
        return evaluate(
            lists,
            truth,
            train=train,
            metrics=measured,
            by=by,
            relevance=relevance,
            level=level,
            replicates=replicates,
            rng=rng,
            name=name,
            threads=threads,
            progress=progress,
        )

    stages = {
        PERFECT: _perfect(truth, relevance),
        CEILING: _ceiling(run.candidates, truth, relevance),
        RANKED: run.ranked,
        **run.reranked,
    }
    evaluations = {name: measure(lists, name, asked) for name, lists in stages.items()}
    width = int(run.candidates.group_by(USER).len()["len"].max() or 1)  # type: ignore[arg-type]
    brought = {**run.retrieved, "candidates": dict(run.lists())["candidates"]}
    retrievers = {label: measure(lists, label, [f"recall@{width}"]) for label, lists in brought.items()}
    losses = tuple(
        loss
        for before, after in itertools.pairwise(evaluations)
        for loss in _losses(_stage_name(after), evaluations[before], evaluations[after], level)
    )
    gains: tuple[RankerGain, ...] = ()
    if run.ranked.name != FUSION:
        fused = measure(run.fused, FUSION, asked)
        gains = hold_ranker(run.ranked.name, evaluations[RANKED], fused, level=level)
    final = with_ranker(measure(run.final, run.name, asked), gains)
    return StageEvaluation(
        name=run.name,
        k=run.k,
        stages=evaluations,
        retrievers=retrievers,
        losses=losses,
        gains=gains,
        final=final,
        steps=tuple(run.to_dicts()),
    )


def _stage_name(evaluation: str) -> str:
    return {CEILING: "retrieve", RANKED: "rank"}.get(evaluation, evaluation)


def _can_be_lost(info: Metric) -> bool:
    return info.kind == "user" and "truth" in info.needs


def _losses(stage: str, before: Evaluation, after: Evaluation, level: float) -> list[StageLoss]:
    found: list[StageLoss] = []
    for metric in before.metrics:
        if not _can_be_lost(describe(metric)):
            continue  # perfect lists have no diversity to lose
        for cell in before.summary.cells:
            loss, _ = difference(before.summary, after.summary, cell, metric, level=level)
            found.append(
                StageLoss(
                    stage=stage,
                    metric=metric,
                    by=cell[0],
                    segment=cell[1],
                    before=cell_mean(before, cell, metric),
                    after=cell_mean(after, cell, metric),
                    loss=loss,
                )
            )
    return found


def _perfect(truth: pl.DataFrame, relevance: str | None) -> pl.DataFrame:
    """The truth as lists: the most relevant items first."""
    gain = pl.col(relevance).cast(pl.Float64) if relevance else pl.lit(1.0)
    rows = truth.select(USER, ITEM, gain.alias("gain")).filter(pl.col("gain") > 0)
    rows = rows.group_by(USER, ITEM).agg(pl.col("gain").max()).sort(USER, "gain", ITEM, descending=[False, True, False])
    return rows.select(USER, ITEM, pl.int_range(1, pl.len() + 1).over(USER).alias(RANK))


def _ceiling(candidates: pl.DataFrame, truth: pl.DataFrame, relevance: str | None) -> pl.DataFrame:
    """The candidates in the best possible order: relevant ones first, the most relevant at the top."""
    gain = pl.col(relevance).cast(pl.Float64) if relevance else pl.lit(1.0)
    gains = truth.select(USER, ITEM, gain.alias("gain")).group_by(USER, ITEM).agg(pl.col("gain").max())
    rows = candidates.select(USER, ITEM).join(gains, on=[USER, ITEM], how="left", maintain_order="left")
    rows = rows.with_columns(pl.col("gain").fill_null(0.0)).with_row_index("row")
    rows = rows.sort(USER, "gain", "row", descending=[False, True, False])
    return rows.select(USER, ITEM, pl.int_range(1, pl.len() + 1).over(USER).alias(RANK))
