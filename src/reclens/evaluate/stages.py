"""Where a pipeline loses what users want: the retrieval ceiling, the loss of the ranker and of each re-ranker."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.engine import Progress, quiet
from reclens.errors import UsageError
from reclens.evaluate.results import OVERALL, Evaluation
from reclens.evaluate.run import evaluate
from reclens.metrics import canonical, describe
from reclens.pipeline import Pipeline, PipelineRun
from reclens.schema import ITEM, RANK, USER, Recommendations, stable_hash
from reclens.stats.bootstrap import difference
from reclens.stats.estimate import Estimate
from reclens.stats.quantiles import quantile

__all__ = ["Latency", "StageEvaluation", "StageLoss", "evaluate_stages", "measure_latency"]

PERFECT, CEILING, RANKED = "perfect", "retrieval ceiling", "ranked"


@dataclass(frozen=True)
class StageLoss:
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


@dataclass(frozen=True)
class Latency:
    """How long a stage takes to serve one user, one request at a time.

    Attributes:
        stage: ``retrieve``, ``merge``, ``rank``, ``rerank``; ``total`` for all of them together.
        label: Name of the retriever, ranker or re-ranker.
        by: The segmentation; ``"overall"`` for all users.
        segment: The segment; ``"all"`` for all users.
        median: Median in milliseconds.
        p95: The 95 % quantile in milliseconds.
    """

    stage: str
    label: str
    by: str
    segment: str
    median: Estimate
    p95: Estimate

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        row: dict[str, Any] = {"stage": self.stage, "label": self.label, "by": self.by, "segment": self.segment}
        for name, found in (("median_ms", self.median), ("p95_ms", self.p95)):
            row |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
        return [row | {"n": self.median.n}]


@dataclass(frozen=True, eq=False)
class StageEvaluation:
    """A pipeline, measured stage by stage.

    Attributes:
        name: Name of the pipeline.
        k: Length of the final lists.
        stages: Name -> evaluation: ``perfect`` (the truth itself), ``retrieval ceiling`` (the candidates in the best
            possible order), ``ranked`` and the re-rankers, in order.
        retrievers: Label -> evaluation of the lists of each retriever; ``candidates`` for all of them together.
        losses: What each stage costs, by metric and segment.
        steps: Rows of the run: what went in and out of each stage, and the seconds for all users together.
    """

    name: str
    k: int
    stages: Mapping[str, Evaluation]
    retrievers: Mapping[str, Evaluation]
    losses: tuple[StageLoss, ...]
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
    metrics: Sequence[str] | None = None,
    by: Sequence[str | tuple[str, str]] = (),
    relevance: str | None = None,
    level: float = 0.95,
    replicates: int = 1000,
    rng: int = 0,
    threads: int | None = None,
    progress: Progress = quiet,
) -> StageEvaluation:
    """Measure every stage of a run, and what each of them loses.

    The losses add up: perfect = final + retrieval loss + ranking loss + the losses of the re-rankers. The retrieval
    ceiling is what a perfect ranker would reach with the candidates there are: relevant candidates first.

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
        progress: Called as work goes on.

    Returns:
        The evaluations, the losses with intervals that pair user by user, and the steps of the run.

    Raises:
        UsageError: If a metric does not exist or needs what was not given.
    """
    asked = tuple(canonical(name) for name in metrics or (f"ndcg@{run.k}", f"recall@{run.k}"))

    def measure(lists: Recommendations | pl.DataFrame, name: str, measured: Sequence[str]) -> Evaluation:
        return evaluate(lists, truth, train=train, metrics=measured, by=by, relevance=relevance, level=level,
                        replicates=replicates, rng=rng, name=name, threads=threads, progress=progress)  # fmt: skip

    stages = {PERFECT: _perfect(truth, relevance), CEILING: _ceiling(run.candidates, truth, relevance),
              RANKED: run.ranked, **run.reranked}  # fmt: skip
    evaluations = {name: measure(lists, name, asked) for name, lists in stages.items()}
    width = int(run.candidates.group_by(USER).len()["len"].max() or 1)  # type: ignore[arg-type]
    brought = {**run.retrieved, "candidates": dict(run.lists())["candidates"]}
    retrievers = {label: measure(lists, label, [f"recall@{width}"]) for label, lists in brought.items()}
    losses = tuple(
        loss
        for before, after in itertools.pairwise(evaluations)
        for loss in _losses(_stage_name(after), evaluations[before], evaluations[after], level)
    )
    return StageEvaluation(run.name, run.k, evaluations, retrievers, losses, tuple(run.to_dicts()))


def measure_latency(
    pipeline: Pipeline,
    users: pl.Series,
    *,
    k: int = 10,
    n: int = 200,
    segments: pl.DataFrame | None = None,
    by: Sequence[str] = (),
    level: float = 0.95,
    rng: int = 0,
    progress: Progress = quiet,
) -> tuple[Latency, ...]:
    """Serve users one at a time and time every stage.

    What is timed is this implementation on this machine with one thread, warm: it tells which stage is slow and how
    slow for whom, and not what a server in front of it would add.

    Args:
        pipeline: A fitted pipeline.
        users: Users to draw from.
        k: Length of the lists.
        n: How many users are served, chosen by a hash of (seed, id).
        segments: ``user_id`` and a column a segmentation, such as ``train.segments``.
        by: Segmentations to tell apart.
        level: Confidence level of the intervals.
        rng: Seed of the choice.
        progress: Called as work goes on.

    Returns:
        Median and 95 % quantile of each stage, in milliseconds, with distribution-free intervals.
    """
    keys = stable_hash(users) ^ (np.uint64(rng) * np.uint64(0x9E3779B97F4A7C15))
    chosen = users.gather(np.argsort(keys, kind="stable")[:n])
    for user in chosen.head(3):
        pipeline.run([user], k=k, threads=1)  # the first calls load what later ones find loaded
    rows: list[dict[str, Any]] = []
    for at, user in enumerate(chosen):
        steps = pipeline.run([user], k=k, threads=1).steps
        timed = [(step.stage, step.label, step.seconds) for step in steps]
        timed.append(("total", "all stages", sum(step.seconds for step in steps)))
        rows += [{USER: user, "stage": stage, "label": label, "ms": 1000 * s} for stage, label, s in timed]
        progress("serve one at a time", at + 1, len(chosen))
    table = pl.DataFrame(rows).with_columns(pl.lit(OVERALL[1]).alias(OVERALL[0]))
    if by and segments is not None:
        table = table.join(segments.select(USER, *by), on=USER, how="left", maintain_order="left")
    found: list[Latency] = []
    for name in (OVERALL[0], *by):
        cells = table.filter(pl.col(name).is_not_null()).group_by("stage", "label", name, maintain_order=True)
        for (stage, label, segment), cell in cells:
            ms = cell["ms"].to_numpy()
            quantiles = (quantile(ms, q, level=level) for q in (0.5, 0.95))
            found.append(Latency(str(stage), str(label), name, str(segment), *quantiles))
    return tuple(found)


def _stage_name(evaluation: str) -> str:
    return {CEILING: "retrieve", RANKED: "rank"}.get(evaluation, evaluation)


def _losses(stage: str, before: Evaluation, after: Evaluation, level: float) -> list[StageLoss]:
    found: list[StageLoss] = []
    for metric in before.metrics:
        info = describe(metric)
        if info.kind != "user" or "truth" not in info.needs:
            continue  # perfect lists have no diversity to lose
        for cell in before.summary.cells:
            loss, _ = difference(before.summary, after.summary, cell, metric, level=level)
            found.append(StageLoss(stage, metric, *cell, _mean(before, cell, metric), _mean(after, cell, metric), loss))
    return found


def _mean(evaluation: Evaluation, cell: tuple[str, str], metric: str) -> float:
    summary = evaluation.summary
    at = summary.index(cell, metric)
    return float(summary.total[at] / summary.n[at]) if summary.n[at] else float("nan")


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
