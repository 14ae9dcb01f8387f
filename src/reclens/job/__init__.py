"""Whole jobs from one TOML file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reclens.lazy import lazy

if TYPE_CHECKING:
    from reclens.job.run import JobResult, run_job
    from reclens.job.settings import JobSettings

__all__ = ["JobResult", "JobSettings", "run_job"]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "JobResult": "run",
        "JobSettings": "settings",
        "run_job": "run",
    },
)
