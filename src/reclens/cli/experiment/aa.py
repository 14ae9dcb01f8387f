"""``reclens experiment aa``: A/A tests of the metrics of a plan on units of the past."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reclens.cli.reading import NOTHING, reads
from reclens.cli.registry import command
from reclens.cli.shared import Format, FormatOption, OutOption, SeedOption
from reclens.data.read.request import Reading

__all__ = ["aa"]


@command("experiment aa")
@reads(attributes=False, ids=False, rows="data")
def aa(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, as TOML.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="One row a unit, all treated alike: CSV or Parquet.")],
    reading: Reading = NOTHING,
    splits: Annotated[int, typer.Option("--splits", min=1, help="Random splits.")] = 1000,
    seed: SeedOption = 0,
    format: FormatOption = Format.table,
    out: OutOption = None,
) -> None:
    """Run A/A tests on random splits of the units, and report the false positive rate of each metric.

    Each treated arm of the plan is tested at its own share against control; values are cut off where the plan does.

    Ends with status 1 where the share of false positives is not that of the plan's level, beyond chance.

    Examples:
      reclens experiment aa plan.toml users.parquet
    """
    from reclens.cli.reading import load_rows
    from reclens.cli.shared import emit, say, table_of, working
    from reclens.experiment.analysis.aa import aa_of_plan
    from reclens.experiment.planning.plan import load_plan

    made = load_plan(plan)
    with working(f"read {data} and test {splits:,} splits"):
        rows, left_out = aa_of_plan(made, load_rows(data, reading, table="rows"), splits=splits, rng=seed)
    emit(table_of("A/A tests", rows), format=format, out=out)
    if left_out:
        say(f"- not tested, as these need more than a row a unit: {', '.join(left_out)}.")
    off = dict.fromkeys(row["metric"] for row in rows if not row["low"] <= made.alpha <= row["high"])
    if off:
        say(
            f"- {', '.join(off)}: not {made.alpha:.0%} of the splits are significant. Cap outliers, or take more units."
        )
        raise typer.Exit(1)
