"""``reclens monitor chaos``: inject faults into simulated logs, and show which ones the monitor finds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reclens.cli.bundles import OUTPUT, Output
from reclens.cli.registry import command
from reclens.report._toolkit.format import decimal, whole

__all__ = ["chaos"]


@command("monitor chaos")
def chaos(
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=1000, help="Simulated logs, some ten seconds each.")] = 3,
    first: Annotated[int, typer.Option("--first-seed", min=0, help="Seed of the first one.")] = 0,
    kinds: Annotated[
        list[str] | None, typer.Option("--kind", help="A kind of fault, such as slice_down; repeat it. All if omitted.")
    ] = None,
    strengths: Annotated[
        list[str] | None, typer.Option("--strength", help="weak, medium or strong; repeat it. All if omitted.")
    ] = None,
    results: Annotated[
        Path, typer.Option("--results", help="File of results, a line a seed: what is in it is not run again.")
    ] = Path("chaos.jsonl"),
    output: Output = OUTPUT,
) -> None:
    """Put faults of known kind and strength into simulated logs, and see what the monitor finds.

    Stopped at any time, it goes on with the seeds that are missing.

    Example:
      reclens monitor chaos --seeds 5 --kind slice_down --kind null_feature
    """
    from reclens.cli.shared import progress_of, table_of
    from reclens.job.monitor_chaos import run_chaos
    from reclens.report.monitor.chaos import chaos_rows

    with progress_of(quiet=output.quiet) as progress:
        lines = run_chaos(
            results,
            range(first, first + seeds),
            kinds=kinds or (),
            strengths=strengths or (),  # type: ignore[arg-type]
            progress=progress,
        )
    columns = ["kind", "strength", "faults", "found", "recall", "delay", "root_slices", "z_score_recall"]
    output.emit(table_of("Faults that were found", chaos_rows(lines), columns=columns), synthetic=True)
    alerts, years = sum(line["false_alerts"] for line in lines), sum(line["metric_days"] for line in lines) / 365.25
    output.say(f"{whole(alerts)} false alerts in {decimal(years, 1)} years of metrics without a fault")
