"""Multi-stage recommenders: retrieval, ranking and re-ranking, with the lists of every stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reclens.lazy import lazy

if TYPE_CHECKING:
    from reclens.pipeline.counts import PipelineWarning, Step
    from reclens.pipeline.latency import measure_latency
    from reclens.pipeline.pipeline import Pipeline
    from reclens.pipeline.rerank.fair_top_k import adjusted_alpha, fail_probability, minimum_protected
    from reclens.pipeline.run import PipelineRun
    from reclens.pipeline.stage_losses import evaluate_stages
    from reclens.pipeline.tracing import Trace

__all__ = [
    "Pipeline",
    "PipelineRun",
    "PipelineWarning",
    "Step",
    "Trace",
    "adjusted_alpha",
    "evaluate_stages",
    "fail_probability",
    "measure_latency",
    "minimum_protected",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Pipeline": "pipeline",
        "PipelineRun": "run",
        "PipelineWarning": "counts",
        "Step": "counts",
        "Trace": "tracing",
        "adjusted_alpha": "rerank.fair_top_k",
        "evaluate_stages": "stage_losses",
        "fail_probability": "rerank.fair_top_k",
        "measure_latency": "latency",
        "minimum_protected": "rerank.fair_top_k",
    },
)
