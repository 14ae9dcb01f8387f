"""``reclens experiment correlate``: which offline metric tells who wins online, in a world where that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from reclens.cli.shared import Format, FormatOption, OutOption, QuietOption, SeedOption

if TYPE_CHECKING:
    from reclens.engine import Progress
    from reclens.experiment.correlation import OfflineOnline
    from reclens.world.population import World

__all__ = ["correlate", "offline_online"]

_BY: Final = "cohort"


def correlate(
    size: Annotated[str, typer.Option("--size", help="World: tiny, small, medium or large.")] = "small",
    data: Annotated[
        str | None, typer.Option("--data", "-d", help="Fit the world to MovieLens, RecBole or a table.")
    ] = None,
    days: Annotated[int, typer.Option("--days", help="Days that everybody lives under each strategy.")] = 14,
    segments: Annotated[bool, typer.Option("--segments/--overall", help="By cohort of users too.")] = True,
    seed: SeedOption = 0,
    format: FormatOption = Format.table,
    out: OutOption = None,
    quiet: QuietOption = False,
) -> None:
    """Rank 14 strategies by every offline metric and by their true lift over popular, and correlate the two.

    Offline: on a tenth of each user's history, held out by lot. Online: everybody lives under each strategy. The regret
    is the lift of the best strategy minus that of the one the metric puts first.

    Examples:
      reclens experiment correlate --size tiny

      reclens experiment correlate --data ml-100k.zip --format csv --out correlations.csv
    """
    from reclens.cli.reading import load_data
    from reclens.cli.shared import emit, prepare, progress_of, table_of
    from reclens.world.fitting import fit_world
    from reclens.world.population import draw_world
    from reclens.world.settings import preset

    with progress_of(quiet=quiet) as progress:
        prepare(progress, "world", quiet=quiet)
        if data is None:
            world = draw_world(preset(size), seed=seed)
        else:
            world = fit_world(load_data(data, seed=seed), seed=seed)
        found = offline_online(world, days=days, seed=seed, progress=progress)
    rows = [row for row in found.to_dicts() if segments or row["by"] == "all"]
    emit(table_of("Offline metrics against true lifts, by rank", rows), format=format, out=out)


def offline_online(world: World, *, days: int, seed: int, progress: Progress) -> OfflineOnline:
    """Evaluate a family of models on the history of a world, let everybody live under each, and correlate."""
    from reclens.data import split
    from reclens.evaluate import evaluate
    from reclens.experiment.correlation import correlate as hold_against
    from reclens.experiment.family import FAMILY, OVERALL, true_lifts
    from reclens.experiment.strategies import ModelStrategy
    from reclens.metrics import describe, names
    from reclens.models import build
    from reclens.world.realism import history_of
    from reclens.world.simulate import Arm

    made = split.random(history_of(world), test_share=0.1)
    train = made.train.with_segments(**{_BY: _BY})
    metrics = [f"{name}@10" if describe(name).cut else name for name in names()]
    offline: dict[str, dict[tuple[str, str], dict[str, float]]] = {}
    for name, parameters in FAMILY.items():
        lists = build(name, parameters).fit(train, progress=progress).recommend(made.test_users, k=10)
        result = evaluate(lists, made.test, train=train, metrics=metrics, by=[_BY], features="topic", replicates=0)
        cells: dict[tuple[str, str], dict[str, float]] = {OVERALL: {}}
        for each in result:
            # Where lower is better the order is turned.
            sign = -1.0 if describe(each.name.partition("@")[0]).higher_is_better is False else 1.0
            cells[OVERALL][each.name] = sign * each.overall.value
            for segment, value in each.by.get(_BY, {}).items():
                cells.setdefault((_BY, segment), {})[each.name] = sign * value.value
        offline[name] = cells
    arms = {name: Arm(name=name, strategy=ModelStrategy(name, parameters, world=world), changed=name != "popular")
            for name, parameters in FAMILY.items()}  # fmt: skip
    lifts = true_lifts(world, arms, control="popular", by=_BY, days=days, seed=seed, progress=progress)
    return hold_against(offline, lifts)
