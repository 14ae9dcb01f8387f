"""Multi-stage recommenders: retrieval, ranking and re-ranking, with the lists of every stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reclens.lazy import lazy

if TYPE_CHECKING:
    from reclens.pipeline.counts import PipelineWarning, Step
    from reclens.pipeline.latency import measure_latency
    from reclens.pipeline.pipeline import Pipeline
    from reclens.pipeline.run import PipelineRun
    from reclens.pipeline.stage_losses import evaluate_stages
    from reclens.pipeline.tracing import Trace

__all__ = ["Pipeline", "PipelineRun", "PipelineWarning", "Step", "Trace", "evaluate_stages", "measure_latency"]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Pipeline": "pipeline",
        "PipelineRun": "run",
        "PipelineWarning": "counts",
        "Step": "counts",
        "Trace": "tracing",
        "evaluate_stages": "stage_losses",
        "measure_latency": "latency",
    },
)
