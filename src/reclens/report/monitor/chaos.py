"""What was found of faults that were put in: a row a kind and strength."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

__all__ = ["chaos_rows"]


def chaos_rows(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row a kind and strength: faults, how many were found, the median delay in days, and the share of right slices.

    Args:
        lines: What :func:`~reclens.job.monitor_chaos.run_chaos` returns.
    """
    schema = {"kind": pl.String, "strength": pl.String, "delay": pl.Int64, "right": pl.Boolean, "z_delay": pl.Int64}
    listed = [{name: each[name] for name in schema} for line in lines for each in line["faults"]]
    faults = pl.DataFrame(listed, schema=schema)
    if faults.is_empty():
        return []
    found = pl.col("delay").is_not_null()
    return (
        faults.group_by("kind", "strength", maintain_order=True)
        .agg(
            faults=pl.len(),
            found=found.sum(),
            recall=found.mean(),
            delay=pl.col("delay").median(),
            root_slices=pl.col("right").cast(pl.Float64).mean(),
            z_score_recall=pl.col("z_delay").is_not_null().mean(),
        )
        .to_dicts()
    )
