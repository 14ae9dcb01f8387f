"""``reclens experiment simulate`` and ``realism``: simulated experiments, and worlds fitted to data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from reclens.cli.bundles import ARMS, OUTPUT, STUDIED, Arms, Output, Studied
from reclens.cli.reading import NOTHING, load_world_data, reads
from reclens.cli.registry import command
from reclens.cli.shared import SeedOption, SizeOption, WorldDataOption
from reclens.cli.unused_options import refuse_unused
from reclens.data.read.request import Reading
from reclens.report._toolkit.format import decimal, whole

if TYPE_CHECKING:
    from reclens.data.dataset import Dataset
    from reclens.engine import Progress
    from reclens.stats.estimate import Estimate

__all__ = ["realism", "simulate"]

_MODELS: Final = ("random", "popular", "user_knn", "item_knn", "ease", "pure_svd")
"""Whose order is compared."""


@command("experiment simulate")
@reads(data="data")
def simulate(
    ctx: typer.Context,
    config: Annotated[
        Path | None, typer.Argument(help="Simulation, as TOML; if omitted, the options define it.")
    ] = None,
    example: Annotated[bool, typer.Option("--example", help="Print an example simulation.")] = False,
    size: SizeOption = "small",
    arms: Arms = ARMS,
    days: Annotated[int, typer.Option("--days", min=1, help="Days of the experiment.")] = 28,
    training: Annotated[
        str, typer.Option("--training", help="Training data of the arms: shared, diverted or separate.")
    ] = "shared",
    truth: Annotated[
        int, typer.Option("--truth", min=0, help="Replicates of the truth; 1: no interval, 0: no truth.")
    ] = 8,
    data: WorldDataOption = None,
    reading: Reading = NOTHING,
    logs: Annotated[Path | None, typer.Option("--logs", help="Folder for the logs; it must not exist.")] = None,
    output: Studied = STUDIED,
) -> None:
    """Run an A/B test in a simulated world, and compare its estimate with the true effect.

    The true effect compares all users treated with no user treated, on the same random numbers, over eight
    replicates. [bold]--logs[/bold] writes the impressions (with propensities), the totals per user and day, and the
    consumed items as Parquet.

    Examples:
      reclens experiment simulate --size tiny --days 7

      reclens experiment simulate --example > simulation.toml

      reclens experiment simulate simulation.toml --logs logs --report simulation
    """
    from reclens.cli.shared import keep_interrupts, prepare, progress_of, put, say, table_of
    from reclens.lab.simulation import EXAMPLE_SIMULATION, SimulationSettings, load_simulation, run_simulation
    from reclens.report.lab.studies import build_simulation_report
    from reclens.report.lab.tables import simulation_table
    from reclens.settings import validate

    if example:
        refuse_unused(ctx, "with --example", besides=("example",))
        put(EXAMPLE_SIMULATION)
        return
    if config is not None:
        said = ("size", "control", "treatment", "days", "training", "truth", "seed")
        refuse_unused(ctx, f"with {config}, which says it", *said)
        settings = load_simulation(config)
    else:
        given: dict[str, Any] = {
            "size": size,
            "arms": arms.settings(),
            "days": days,
            "training": training,
            "replicates": truth,
            "seed": output.seed,
        }
        settings = validate(SimulationSettings, given, source="options")
    keep_interrupts()
    like = load_world_data(data, reading, seed=settings.seed)
    with progress_of(quiet=output.quiet) as progress:
        prepare(progress, "world", quiet=output.quiet)
        found = run_simulation(settings, data=like, folder=logs, progress=progress)
    if not output.quiet:
        for row in found.run.to_dicts():
            say(
                f"{row['variant']}: {whole(row['users'])} users, {whole(row['impressions'])} impressions, "
                f"{decimal(row['clicks_per_user'], 3)} clicks a user, {whole(row['items_shown'])} items shown"
            )
    compared = len(found.run.arms) > 1
    table = simulation_table(found) if compared else table_of("What happened", found.run.to_dicts())
    output.emit(table, synthetic=like is None)
    output.save(lambda: build_simulation_report(found, fitted=like is not None))
    if logs is not None:
        output.say(f"logs: {logs}")


@command("experiment realism")
@reads(data="data", impressions="impressions")
def realism(
    data: Annotated[str, typer.Argument(help="Data to fit the world to: MovieLens, RecBole or a table.")],
    factors: Annotated[int, typer.Option("--factors", min=1, help="Number of latent factors of taste.")] = 16,
    impressions: Annotated[
        str | None,
        typer.Option("--impressions", help="Shown lists: user_id, item_id, position (from 1), clicked."),
    ] = None,
    reading: Reading = NOTHING,
    order: Annotated[
        bool, typer.Option("--order/--no-order", help="Check whether models have the same ranking as on the data.")
    ] = True,
    past_test: Annotated[
        str | None,
        typer.Option(
            "--past-test", help="Interval of the lift of clicks in a real A/B test: treatment:control:low:high."
        ),
    ] = None,
    seed: SeedOption = 0,
    output: Output = OUTPUT,
) -> None:
    """Fit a simulated world to data and compare their measures. Exits with status 1 if one is out of its range.

    Two measures constrain the size of effects: how well a recommender separates held-out items from equally popular
    items, and whether a classifier separates users of the world from those of the data. [bold]--impressions[/bold]
    adds clicks by position and the share of repeated clicks, compared with two weeks of popularity lists in the
    world. [bold]--past-test[/bold] checks whether the world has the lift that your own A/B test found.

    Examples:
      reclens experiment realism ml-100k.zip

      reclens experiment realism events.parquet --impressions lists.parquet

      reclens experiment realism events.parquet --past-test ease:popular:0.05:0.12
    """
    from reclens.cli.reading import load_rows
    from reclens.cli.shared import keep_interrupts, prepare, progress_of, table_of
    from reclens.data.read.open import load_data
    from reclens.lab.simulation import ArmSettings, make_arm
    from reclens.report.lab.realism_words import realism_table
    from reclens.world import _answers as _loops  # noqa: F401 # pyright: ignore[reportUnusedImport] - so that its loops are prepared
    from reclens.world.fitting import fit_world
    from reclens.world.realism_result import Realism, history_of, lists_of, order_check, past_test_check
    from reclens.world.realism_result import realism as measure
    from reclens.world.settings import WorldSettings

    keep_interrupts()
    past = _past(past_test) if past_test is not None else None
    real = load_data(data, reading, seed=seed)
    theirs = load_rows(impressions, reading, table="impressions") if impressions is not None else None
    with progress_of(quiet=output.quiet) as progress:
        prepare(progress, "world", quiet=output.quiet)
        progress("fit the world", 0, 1)
        users = len(real.user_vocabulary)
        world = fit_world(real, WorldSettings(users=users, factors=factors, new_share=0, births=0), seed=seed)
        progress("fit the world", 1, 1)
        ours = lists_of(world, seed=seed, progress=progress)
        found = measure(world, real, impressions=ours, reference_impressions=theirs)
        if order:
            ours, theirs = (_offline(each, progress) for each in (history_of(world), real))
            found = Realism((*found.checks, order_check(ours, theirs)))
        if past is not None:
            treatment, control, lift = past
            new, old = (make_arm(name, ArmSettings(model=name), world, seed=seed) for name in (treatment, control))
            found = Realism((*found.checks, past_test_check(world, new, old, lift, seed=seed, progress=progress)))
    table = table_of("The world against its data", found.to_dicts())
    output.emit(realism_table(table, found.checks))
    if not found.passed:
        raise typer.Exit(1)


def _past(text: str) -> tuple[str, str, Estimate]:
    """Parse ``treatment:control:low:high``: two models and an interval of the lift."""
    from reclens import models
    from reclens.errors import UnknownNameError, UsageError
    from reclens.stats.estimate import Estimate

    parts = text.split(":")
    try:
        low, high = (float(part) for part in parts[2:])
        treatment, control = parts[:2]
    except ValueError:
        raise UsageError(
            f"--past-test is '{text}', expected treatment:control:low:high, such as ease:popular:0.05:0.12."
        ) from None
    for name in (treatment, control):
        if name != "oracle" and name not in models.names():
            raise UnknownNameError("model of --past-test", name, [*models.names(), "oracle"])
    if not -1 < low < high < float("inf"):
        raise UsageError(f"--past-test is '{text}': expected a lift with its interval, low before high.")
    return treatment, control, Estimate((low + high) / 2, low=low, high=high, n=0)


def _offline(data: Dataset, progress: Progress) -> dict[str, float]:
    """Return the NDCG@10 of each model on a random tenth of each user's interactions."""
    from reclens.data import split
    from reclens.evaluation import evaluate
    from reclens.models import build

    made = split.random(data, test_share=0.1)
    found: dict[str, float] = {}
    for name in _MODELS:
        lists = build(name).fit(made.train, progress=progress).recommend(made.test_users, k=10, progress=progress)
        result = evaluate(lists, made.test, train=made.train, metrics=["ndcg@10"], replicates=0)
        found[name] = result["ndcg@10"].overall.value
    return found
