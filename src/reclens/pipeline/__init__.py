"""Retrieve, rank, re-rank: the pipeline of production systems, with the lists of every stage kept."""

from __future__ import annotations

from reclens.pipeline.pipeline import Pipeline
from reclens.pipeline.run import PipelineRun, Step, Trace

__all__ = ["Pipeline", "PipelineRun", "Step", "Trace"]
