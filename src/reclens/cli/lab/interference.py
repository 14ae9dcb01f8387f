"""``reclens experiment interference``: bias of A/B tests whose arms share training data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from reclens.cli.bundles import ARMS, STUDIED, Arms, Studied
from reclens.cli.reading import NOTHING, load_world_data, reads
from reclens.cli.registry import command
from reclens.cli.shared import SizeOption, WorldDataOption
from reclens.cli.unused_options import refuse_unused
from reclens.data.read.request import Reading

__all__ = ["interference"]


@command("experiment interference")
@reads(data="data")
def interference(
    ctx: typer.Context,
    config: Annotated[Path | None, typer.Argument(help="Simulation with two arms, as TOML.")] = None,
    example: Annotated[
        bool, typer.Option("--example", help="Print an example in which an A/B test is biased.")
    ] = False,
    size: SizeOption = "small",
    arms: Arms = ARMS,
    days: Annotated[int, typer.Option("--days", min=1, help="Days of each test.")] = 28,
    worlds: Annotated[
        int, typer.Option("--worlds", min=1, help="Number of worlds; more worlds give narrower intervals.")
    ] = 8,
    truth: Annotated[
        int, typer.Option("--truth", min=1, help="Replicates of the truth per world, with different random numbers.")
    ] = 4,
    design: Annotated[
        list[str] | None,
        typer.Option("--design", help="shared, diverted, separate, clusters or 'clusters, diverted'; can be repeated."),
    ] = None,
    metric: Annotated[str, typer.Option("--metric", help="Metric per user.")] = "expected_clicks",
    data: WorldDataOption = None,
    reading: Reading = NOTHING,
    output: Studied = STUDIED,
) -> None:
    """Run A/B tests of several designs in simulated worlds, and compare each with the true effect.

    Arms that train on the same logs learn from each other, so that the estimate can be too small or have the wrong
    sign. For each design: the truth, the estimate, their difference (bias), the share of tests with the wrong sign,
    and the coverage of the interval. Eight small worlds take about two minutes on two cores; the time increases with
    users, days, worlds, designs and replicates of the truth.

    Examples:
      reclens experiment interference --size tiny --worlds 4

      reclens experiment interference --example > exploring.toml

      reclens experiment interference exploring.toml --worlds 20 --design shared --design diverted --report bent
    """
    from reclens.cli.shared import keep_interrupts, prepare, progress_of, put
    from reclens.lab.interference_study import interference as study
    from reclens.lab.simulation import EXAMPLE_INTERFERENCE, SimulationSettings, load_simulation, make_pair
    from reclens.report.lab.studies import build_interference_report
    from reclens.report.lab.tables import interference_table
    from reclens.settings import validate

    if example:
        refuse_unused(ctx, "with --example", besides=("example",))
        put(EXAMPLE_INTERFERENCE)
        return
    if config is not None:
        refuse_unused(ctx, f"with {config}, which says it", "size", "control", "treatment", "days", "seed")
        settings = load_simulation(config)
    else:
        given: dict[str, Any] = {"size": size, "arms": arms.settings(), "days": days, "seed": output.seed}
        settings = validate(SimulationSettings, given, source="options")
    keep_interrupts()
    like = load_world_data(data, reading, seed=settings.seed)
    with progress_of(quiet=output.quiet) as progress:
        prepare(progress, "world", quiet=output.quiet)
        found = study(
            lambda luck: make_pair(settings, luck, data=like),
            designs=design or ("shared", "diverted", "clusters"),
            seeds=worlds,
            replicates=truth,
            days=settings.days,
            retrain=settings.retrain,
            metric=metric,
            level=settings.level,
            seed=settings.seed,
            progress=progress,
        )
    output.emit(interference_table(found), synthetic=like is None)
    control, treatment = settings.arms
    output.save(lambda: build_interference_report(found, arms=(treatment, control), fitted=like is not None))
