"""``reclens experiment correlate``: which offline metrics predict the online winner, in a simulated world."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from reclens.cli.bundles import STUDIED, Studied
from reclens.cli.reading import NOTHING, load_world_data, reads
from reclens.cli.registry import command
from reclens.cli.shared import SizeOption, WorldDataOption
from reclens.cli.unused_options import refuse_unused
from reclens.data.read.request import Reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reclens.data.split import Split
    from reclens.schema import Recommendations

__all__ = ["correlate"]

_BY: Final = "cohort"


@command("experiment correlate")
@reads(data="data")
def correlate(
    ctx: typer.Context,
    size: SizeOption = "small",
    data: WorldDataOption = None,
    reading: Reading = NOTHING,
    days: Annotated[int, typer.Option("--days", min=1, help="Simulated days under each strategy.")] = 14,
    truth: Annotated[
        int, typer.Option("--truth", min=1, help="Replicates per strategy, with different random numbers.")
    ] = 4,
    segments: Annotated[
        bool, typer.Option("--segments/--overall", help="Also report the correlations by cohort of users.")
    ] = True,
    output: Studied = STUDIED,
) -> None:
    """Rank 14 strategies by every offline metric and by their true lift over popular, and correlate the two.

    Offline: on a tenth of each user's history, held out at random. Online: all users get each strategy. The regret
    is the lift of the best strategy minus that of the strategy with the best value of the metric. A small world takes
    about a minute on two cores.

    Examples:
      reclens experiment correlate --size tiny

      reclens experiment correlate --data ml-100k.zip --format csv --out correlations.csv --report correlations
    """
    from reclens.cli.shared import keep_interrupts, prepare, progress_of
    from reclens.lab.offline_online_study import offline_online
    from reclens.report.lab.studies import build_correlation_report
    from reclens.report.lab.tables import correlation_table
    from reclens.world.fitting import fit_world
    from reclens.world.population import draw_world
    from reclens.world.settings import preset

    if data is not None:
        refuse_unused(ctx, "with --data, to which the world is fitted", "size")
    seed = output.seed
    keep_interrupts()
    like = load_world_data(data, reading, seed=seed)
    with progress_of(quiet=output.quiet) as progress:
        prepare(progress, "world", quiet=output.quiet)
        world = draw_world(preset(size), seed=seed) if like is None else fit_world(like, seed=seed)
        found = offline_online(world, _measure, by=_BY, days=days, replicates=truth, seed=seed, progress=progress)
    output.emit(correlation_table(found, segments=segments), synthetic=like is None)
    output.save(lambda: build_correlation_report(found, fitted=like is not None))


def _measure(lists: Recommendations, made: Split, metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Evaluate lists. It is passed in, because the experiment package does not depend on the evaluation package."""
    from reclens.evaluation import evaluate

    result = evaluate(lists, made.test, train=made.train, metrics=metrics, by=[_BY], features="topic", replicates=0)
    return result.to_dicts()
