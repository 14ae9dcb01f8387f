"""``reclens experiment holdout``: power of a long-term holdout, and prediction from early outcomes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reclens.cli.bundles import ARMS, STUDIED, Arms, Studied
from reclens.cli.reading import NOTHING, load_world_data, reads
from reclens.cli.registry import command
from reclens.cli.shared import Format, NoSizeOption, WorldDataOption
from reclens.cli.unused_options import refuse_unused
from reclens.data.read.request import Reading

if TYPE_CHECKING:
    from reclens.lab.simulation import SimulationSettings

__all__ = ["holdout"]


@command("experiment holdout")
@reads(attributes=False, data="data")
def holdout(
    ctx: typer.Context,
    users: Annotated[int | None, typer.Option("--users", min=1, help="Total number of users.")] = None,
    share: Annotated[float, typer.Option("--share", help="Share of the users in the holdout.")] = 0.05,
    mean: Annotated[float | None, typer.Option("--mean", help="Monthly mean per user.")] = None,
    sd: Annotated[
        float | None, typer.Option("--sd", help="Standard deviation of the monthly total over users.")
    ] = None,
    correlation: Annotated[
        float, typer.Option("--correlation", help="Correlation of a user's totals in two months.")
    ] = 0.5,
    lift: Annotated[
        float, typer.Option("--lift", help="True lift of the treatment, which the holdout does not get: 0.02 is 2 %.")
    ] = 0.02,
    months: Annotated[int, typer.Option("--months", min=1, help="Number of months.")] = 12,
    attrition: Annotated[float, typer.Option("--attrition", help="Share of users lost per month.")] = 0.0,
    level: Annotated[float, typer.Option("--level", help="Confidence level.")] = 0.95,
    power: Annotated[float, typer.Option("--power", help="Power for the smallest detectable lift.")] = 0.8,
    world: Annotated[Path | None, typer.Option("--world", help="Simulation with two arms, as TOML.")] = None,
    size: NoSizeOption = None,
    arms: Arms = ARMS,
    short: Annotated[int, typer.Option("--short", min=1, help="Days of the short-term surrogates.")] = 14,
    long: Annotated[int, typer.Option("--long", min=1, help="Days of the long-term outcome.")] = 56,
    metric: Annotated[str, typer.Option("--metric", help="Outcome: a total per user.")] = "clicks",
    data: WorldDataOption = None,
    reading: Reading = NOTHING,
    output: Studied = STUDIED,
) -> None:
    """Compute the power of a long-term holdout by month, or predict its effect from early outcomes in a world.

    With [bold]--users --mean --sd[/bold]: power and smallest detectable lift after each month. In a world
    ([bold]--size[/bold] or [bold]--world[/bold]): the long-term effect that a surrogate index predicts after a few
    days, the estimate of the whole test, and the true effect; and the effect by days since first exposure. A small
    world takes 20 seconds on two cores, a medium one about a minute.

    Examples:
      reclens experiment holdout --users 500000 --share 0.02 --mean 12 --sd 20 --correlation 0.4 --lift 0.03

      reclens experiment holdout --size tiny --report holdout

      reclens experiment simulate --example > simulation.toml && reclens experiment holdout --world simulation.toml
    """
    from reclens.cli.shared import keep_interrupts, prepare, progress_of, table_of
    from reclens.errors import UsageError
    from reclens.lab.holdout import holdout_power
    from reclens.lab.long_run import LongRun, simulate_holdout
    from reclens.report.lab.studies import build_holdout_report
    from reclens.report.lab.tables import long_run_tables

    numbers = {"users": users, "mean": mean, "sd": sd}
    absent = [f"--{name}" for name, value in numbers.items() if value is None]
    lived = world is not None or size is not None or data is not None
    if absent and (len(absent) < 3 or not lived):
        raise UsageError(
            f"{', '.join(absent)} not given: expected --users, --mean and --sd for the power, or a world: --size small."
        )
    _refuse(ctx, lived=lived, counted=not absent, world=world)
    if not lived:
        reading.refuse_all("there is no --data to be read")
    parts: dict[str, Any] = {}
    if users is not None and mean is not None and sd is not None:
        rows = holdout_power(
            users=users,
            share=share,
            mean=mean,
            sd=sd,
            correlation=correlation,
            lift=lift,
            months=months,
            attrition=attrition,
            level=level,
            power=power,
        )
        parts |= {"power": tuple(rows), "lift": lift, "goal": power}
    if lived:
        settings = _settings(world, size, arms, level=level, seed=output.seed)
        keep_interrupts()
        like = load_world_data(data, reading, seed=settings.seed)
        with progress_of(quiet=output.quiet) as progress:
            prepare(progress, "world", quiet=output.quiet)
            study, ages = simulate_holdout(
                settings, short=short, long=long, metric=metric, data=like, progress=progress
            )
        parts |= {"surrogate": study, "ages": tuple(ages), "fitted": like is not None}
    found = LongRun(**parts, metric=metric, short=short, long=long)
    tables = [table_of("The long run", found.to_dicts())]
    for table in long_run_tables(found) if output.format is Format.table and output.out is None else tables:
        output.emit(table, synthetic=parts.get("fitted") is False)
    output.save(lambda: build_holdout_report(found))


def _settings(world: Path | None, size: str | None, arms: Arms, *, level: float, seed: int) -> SimulationSettings:
    """Return the simulation from a file, or of two models in a world of the given size."""
    from reclens.lab.simulation import SimulationSettings, load_simulation
    from reclens.settings import validate

    if world is not None:
        return load_simulation(world)
    given = {"size": size or "small", "arms": arms.settings(), "level": level, "seed": seed}
    return validate(SimulationSettings, given, source="options")


def _refuse(ctx: typer.Context, *, lived: bool, counted: bool, world: Path | None) -> None:
    """Raise an error for options of a part that does not run."""
    if not lived:
        refuse_unused(
            ctx, "without a world: give --size or --world", "control", "treatment", "short", "long", "metric", "seed"
        )
    if not counted:
        refuse_unused(
            ctx, "without --users, --mean and --sd", "share", "correlation", "lift", "months", "attrition", "power"
        )
    if world is not None:
        refuse_unused(ctx, f"with {world}, which says it", "size", "control", "treatment", "seed")
