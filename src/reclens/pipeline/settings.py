"""The settings of a pipeline: a TOML file of its own, or a table of a job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from reclens.settings import Section, read_toml, validate

__all__ = ["PipelineSettings", "load_pipeline_settings"]


class PipelineSettings(Section):
    """A pipeline: what :class:`reclens.pipeline.Pipeline` is made with."""

    name: str = "pipeline"
    retrieve: dict[str, dict[str, Any]]
    rank: dict[str, Any] | None = None
    rerank: list[dict[str, Any]] = Field(default_factory=list)
    exclude_seen: bool = True


def load_pipeline_settings(path: str | Path) -> PipelineSettings:
    """Read a pipeline from a TOML file.

    Raises:
        UsageError: As :func:`load_settings`.
    """
    return validate(PipelineSettings, read_toml(path), source=str(path))
