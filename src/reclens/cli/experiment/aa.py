"""``reclens experiment aa``: A/A tests of the metrics of a plan on past units."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reclens.cli.bundles import OUTPUT, Output
from reclens.cli.reading import NOTHING, reads
from reclens.cli.registry import command
from reclens.cli.shared import SeedOption
from reclens.data.read.request import Reading
from reclens.report._toolkit.format import whole

__all__ = ["aa"]


@command("experiment aa")
@reads(attributes=False, ids=False, rows="data")
def aa(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, as TOML.")],
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="One row per unit, all treated in the same way: CSV or Parquet.")
    ],
    reading: Reading = NOTHING,
    splits: Annotated[int, typer.Option("--splits", min=1, help="Number of random splits.")] = 1000,
    seed: SeedOption = 0,
    output: Output = OUTPUT,
) -> None:
    """Run A/A tests on random splits of the units, and report the false positive rate of each metric.

    Each treatment is tested against control at its share of the plan; the caps of the plan apply.

    Exits with status 1 if the false positive rate differs significantly from the level of the plan.

    Examples:
      reclens experiment aa plan.toml users.parquet
    """
    from reclens.cli.reading import load_rows
    from reclens.cli.shared import table_of, working
    from reclens.data.origin import file_is_synthetic
    from reclens.experiment.analysis.aa import aa_of_plan
    from reclens.experiment.planning.plan import load_plan
    from reclens.report._toolkit.format import percent

    made = load_plan(plan)
    with working(f"read {data} and test {whole(splits)} splits", quiet=output.quiet):
        rows, left_out = aa_of_plan(made, load_rows(data, reading, table="rows"), splits=splits, rng=seed)
    output.emit(table_of("A/A tests", rows), synthetic=file_is_synthetic(data))
    if left_out:
        output.say(f"- not tested, as these need more than a row a unit: {', '.join(left_out)}.")
    off = dict.fromkeys(row["metric"] for row in rows if not row["low"] <= made.alpha <= row["high"])
    if off:
        output.say(
            f"- {', '.join(off)}: not {percent(made.alpha, 0)} of the splits are significant. "
            "Cap outliers, or take more units."
        )
        raise typer.Exit(1)
