"""``reclens experiment aa``: A/A tests of the metrics of a plan on units of the past."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reclens.cli.shared import Format, FormatOption, OutOption, SeedOption

__all__ = ["aa"]


def aa(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, as TOML.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="One row a unit, all treated alike: CSV or Parquet.")],
    splits: Annotated[int, typer.Option("--splits", help="Random splits.")] = 1000,
    seed: SeedOption = 0,
    format: FormatOption = Format.table,
    out: OutOption = None,
) -> None:
    """Test random splits of units that were treated alike: how often does each metric find a difference?

    Ends with status 1 where the share of false positives is not that of the plan's level, beyond chance.

    Examples:
      reclens experiment aa plan.toml users.parquet
    """
    from reclens.cli.shared import emit, say, table_of
    from reclens.experiment.history import read_columns
    from reclens.experiment.plan import load_plan
    from reclens.experiment.sums import measures
    from reclens.stats.aa import aa_tests

    made = load_plan(plan)
    places = {name: place for name, place in measures(made.metrics).items() if place.metric.cap is None}
    frame = read_columns(data)
    columns = {name: frame[name].cast(float).to_numpy() for place in places.values() for name in place.columns}
    found = aa_tests(
        columns, {name: place.of for name, place in places.items()}, splits=splits, rng=seed, level=made.level,
        covariates={name: place.covariates for name, place in places.items()},
        share=made.arms[made.treatments[0]] / (made.arms[made.treatments[0]] + made.arms[made.control]),
    )  # fmt: skip
    emit(table_of("A/A tests", found.to_dicts()), format=format, out=out)
    off = [row["metric"] for row in found.to_dicts() if not row["low"] <= made.alpha <= row["high"]]
    if off:
        say(
            f"- {', '.join(off)}: not {made.alpha:.0%} of the splits are significant. Cap outliers, or take more units."
        )
        raise typer.Exit(1)
