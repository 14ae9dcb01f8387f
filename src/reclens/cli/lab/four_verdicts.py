"""``reclens experiment verdicts`` and ``off-policy``: compare two recommenders by several methods."""

from __future__ import annotations

from typing import Annotated

import typer

from reclens.cli.bundles import ARMS, OUTPUT, STUDIED, Arms, Output, Studied
from reclens.cli.reading import NOTHING, load_world_data, reads
from reclens.cli.registry import command
from reclens.cli.shared import SeedOption, SizeOption, WorldDataOption
from reclens.cli.unused_options import refuse_unused
from reclens.data.read.request import Reading

__all__ = ["off_policy", "verdicts"]


@command("experiment verdicts")
@reads(attributes=False, data="data")
def verdicts(
    ctx: typer.Context,
    size: SizeOption = "small",
    arms: Arms = ARMS,
    days: Annotated[int, typer.Option("--days", min=1, help="Simulated days of the truth and of the A/B test.")] = 14,
    truth: Annotated[
        int, typer.Option("--truth", min=1, help="Replicates of the truth, with different random numbers.")
    ] = 8,
    k: Annotated[
        int, typer.Option("--k", min=1, help="Length of the lists; optimised interleaving needs 10 or less.")
    ] = 5,
    lists: Annotated[
        int, typer.Option("--lists", min=1, help="Lists per user, for interleaving and for the log.")
    ] = 10,
    looks: Annotated[
        int, typer.Option("--looks", min=1, help="Planned looks at the interleaved lists, with O'Brien-Fleming bounds.")
    ] = 1,
    click_rate: Annotated[float, typer.Option("--click-rate", help="Share of popularity lists with a click.")] = 0.1,
    data: WorldDataOption = None,
    reading: Reading = NOTHING,
    output: Studied = STUDIED,
) -> None:
    """Compare the true effect with an A/B test, interleaving and off-policy estimates in a simulated world.

    Examples:
      reclens experiment verdicts --size tiny --days 7

      reclens experiment verdicts --treatment ease --data ml-100k.zip --format csv --out verdicts.csv --report verdicts
    """
    from reclens.cli.shared import keep_interrupts, prepare, progress_of, table_of
    from reclens.lab.method_comparison import four_verdicts
    from reclens.lab.simulation import ArmSettings, make_arm
    from reclens.report.experiment.off_policy_words import off_policy_text
    from reclens.report.lab.four_verdicts import build_verdicts_report, verdict_rows
    from reclens.settings import validate
    from reclens.stats.sequential import group_sequential
    from reclens.world.fitting import fit_world
    from reclens.world.population import draw_world
    from reclens.world.settings import WorldSettings, preset

    if data is not None:
        refuse_unused(ctx, "with --data, to which the world is fitted", "size")
    seed = output.seed
    keep_interrupts()
    real = load_world_data(data, reading, seed=seed)
    with progress_of(quiet=output.quiet) as progress:
        prepare(progress, "world", quiet=output.quiet)
        if real is None:
            world = draw_world(preset(size, click_rate=click_rate), seed=seed)
        else:
            like = {"users": len(real.user_vocabulary), "click_rate": click_rate}
            world = fit_world(real, validate(WorldSettings, like, source="options"), seed=seed)
        made = {
            name: make_arm(name, validate(ArmSettings, one, source="options"), world, seed=seed)
            for name, one in arms.settings(k=k).items()
        }
        planned = group_sequential(looks) if looks > 1 else None
        found = four_verdicts(
            world,
            made["treatment"],
            made["control"],
            days=days,
            replicates=truth,
            lists=lists,
            looks=planned,
            seed=seed,
            progress=progress,
        )
    for what, each in (("by item and place", found.off_policy), ("by whole lists", found.off_policy_lists)):
        output.say(f"off-policy, {what}: {off_policy_text(each)}")
    shown = table_of("One world, four verdicts", verdict_rows(found))
    output.emit(shown, synthetic=real is None)
    output.save(lambda: build_verdicts_report(found, fitted=real is not None))


@command("experiment off-policy")
@reads(attributes=False, ids=False, log="log", target="target")
def off_policy(
    ctx: typer.Context,
    log: Annotated[
        str, typer.Argument(help="Impressions with propensities: CSV, Parquet, DuckDB; or the Open Bandit Dataset.")
    ],
    target: Annotated[
        str, typer.Argument(help="Target policy: a table of item_id, probability, and optionally position.")
    ],
    reading: Reading = NOTHING,
    behavior: Annotated[str, typer.Option("--behavior", help="Open Bandit: random or bts.")] = "random",
    campaign: Annotated[str, typer.Option("--campaign", help="Open Bandit: all, men or women.")] = "all",
    reward: Annotated[str, typer.Option("--reward", help="Column with the reward.")] = "clicked",
    level: Annotated[float, typer.Option("--level", help="Confidence level.")] = 0.95,
    method: Annotated[
        str, typer.Option("--method", help="Interval: hall, which is valid with few clicks, or normal.")
    ] = "hall",
    seed: SeedOption = 0,
    output: Output = OUTPUT,
) -> None:
    """Estimate the reward of a policy from the log of another. Exit status 1 if the log does not allow it.

    The target policy has the same item probabilities for all users; for one that depends on the user, use
    reclens.experiment.off_policy in Python.

    Examples:
      reclens experiment off-policy impressions.parquet target.csv

      reclens experiment off-policy open_bandit.zip target.csv --campaign men
    """
    from reclens.cli.reading import load_raw
    from reclens.cli.shared import table_of, working
    from reclens.data.origin import file_is_synthetic
    from reclens.data.read.bandit import read_open_bandit
    from reclens.data.read.open import holds_open_bandit
    from reclens.data.read.raw import Raw
    from reclens.experiment.off_policy import evaluate_policy
    from reclens.experiment.off_policy.common import read_common_policy
    from reclens.report.experiment.off_policy_words import off_policy_text

    with working(f"read {log} and estimate", quiet=output.quiet):
        if holds_open_bandit(log):
            raw = Raw(
                frame=read_open_bandit(log, behavior=behavior, campaign=campaign).impressions, where=log, name="log"
            )
        else:
            refuse_unused(ctx, f"with {log}, which is not the Open Bandit Dataset", "behavior", "campaign")
            raw = load_raw(log, reading, table="log")
        decisions, policy = read_common_policy(raw, load_raw(target, reading, table="target"), reward=reward)
        found = evaluate_policy(decisions, policy, level=level, method=method, rng=seed)  # type: ignore[arg-type]
    shown = table_of("What the target would have earned", found.to_dicts())
    output.emit(shown, synthetic=file_is_synthetic(log))
    output.say(off_policy_text(found))
    if found.verdict == "none":
        raise typer.Exit(1)
