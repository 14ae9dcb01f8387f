"""How long a pipeline takes to serve one user, by the wall clock and once it is warm."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from reclens.engine import Progress, quiet
from reclens.errors import UsageError
from reclens.evaluation.results import OVERALL
from reclens.pipeline import Pipeline, PipelineWarning
from reclens.schema import USER, stable_hash
from reclens.stats.estimate import Estimate
from reclens.stats.quantiles import quantile
from reclens.tabular import Tabular

__all__ = ["Latency", "measure_latency", "warm_up"]

_WARM: int = 20
"""Requests before the first one that is timed: they load what all others find loaded."""


@dataclass(frozen=True, kw_only=True)
class Latency(Tabular):
    """How long a stage takes to serve one user, one request at a time.

    Attributes:
        stage: ``retrieve``, ``merge``, ``rank``, ``rerank``; ``total`` for the whole request.
        label: Name of the retriever, ranker or re-ranker.
        by: The segmentation; ``"overall"`` for all users.
        segment: The segment; ``"all"`` for all users.
        median: Median in milliseconds.
        p95: The 95 % quantile in milliseconds.
        p99: The 99 % quantile in milliseconds.
    """

    stage: str
    label: str
    by: str
    segment: str
    median: Estimate
    p95: Estimate
    p99: Estimate

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        row: dict[str, Any] = {"stage": self.stage, "label": self.label, "by": self.by, "segment": self.segment}
        for name, found in (("median_ms", self.median), ("p95_ms", self.p95), ("p99_ms", self.p99)):
            row |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
        return [row | {"n": self.median.n}]


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

    The times are of this implementation on this machine with one thread: they show which stage is slow and how slow for
    whom, and not what a server in front of it would add. Twenty requests of other users (of the same, where there are
    no others) are served first and not timed. All times are by the wall clock; the total is that of the whole request,
    with what lies between the stages.

    Args:
        pipeline: A fitted pipeline.
        users: Users to draw from.
        k: Length of the lists.
        n: How many users are served, chosen by a hash of (seed, id).
        segments: ``user_id`` and a column a segmentation, such as ``train.segments``.
        by: Segmentations.
        level: Confidence level of the intervals.
        rng: Seed of the choice.
        progress: Callback for the progress.

    Returns:
        Median, 95 % and 99 % quantile of each stage, in milliseconds, with distribution-free intervals.

    Raises:
        UsageError: If there are no users, or n is below 1.
    """
    if not len(users) or n < 1:
        raise UsageError(f"there are {len(users):,} users to draw {n:,} from: expected 1 or more of both.")
    keys = stable_hash(users) ^ (np.uint64(rng) * np.uint64(0x9E3779B97F4A7C15))
    order = users.gather(np.argsort(keys, kind="stable"))
    chosen, others = order[:n], order[n:]
    rows: list[dict[str, Any]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PipelineWarning)  # once is enough, and whoever ran the pipeline had it
        warm_up(pipeline, others if len(others) else chosen, k=k)
        for at, user in enumerate(chosen):
            started = time.perf_counter()
            steps = pipeline.run([user], k=k, threads=1).steps
            whole = time.perf_counter() - started
            timed = [(step.stage, step.label, step.seconds) for step in steps] + [("total", "whole request", whole)]
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
            median, p95, p99 = (quantile(ms, q, level=level) for q in (0.5, 0.95, 0.99))
            found.append(
                Latency(
                    stage=str(stage), label=str(label), by=name, segment=str(segment), median=median, p95=p95, p99=p99
                )
            )
    return tuple(found)


def warm_up(pipeline: Pipeline, users: pl.Series, *, k: int) -> None:
    """Serve twenty requests, so that what is timed next finds every loop, table and library loaded."""
    for at in range(_WARM):
        pipeline.run([users[at % len(users)]], k=k, threads=1)
