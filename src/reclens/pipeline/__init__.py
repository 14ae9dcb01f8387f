"""Retrieve, rank, re-rank: the pipeline of production systems, with the lists of every stage kept."""

from __future__ import annotations

from reclens.pipeline.counts import PipelineWarning, Step
from reclens.pipeline.pipeline import Pipeline
from reclens.pipeline.run import PipelineRun
from reclens.pipeline.tracing import Trace

__all__ = ["Pipeline", "PipelineRun", "PipelineWarning", "Step", "Trace"]
