"""``reclens experiment``: plan, size, assign and check an experiment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reclens.cli.bundles import DOCUMENTED, OUTPUT, Documented, Output
from reclens.cli.reading import NOTHING, reads
from reclens.cli.registry import command
from reclens.cli.shared import (
    Format,
    QuietOption,
    SeedOption,
    WorkspaceOption,
    writable,
)
from reclens.cli.unused_options import refuse_unused
from reclens.data.read.request import Reading

if TYPE_CHECKING:
    import polars as pl

    from reclens.experiment import Plan

__all__ = ["assign", "check", "plan", "size"]

PlanArgument = Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, as TOML.")]
UnitsArgument = Annotated[
    str, typer.Argument(metavar="UNITS", help="File with the ids, in the column that the plan names.")
]


@command("experiment plan")
@reads(attributes=False, ids=False, history="history", exposures="exposures")
def plan(
    ctx: typer.Context,
    source: Annotated[Path | None, typer.Argument(metavar="PLAN", help="The plan, as TOML.")] = None,
    example: Annotated[bool, typer.Option("--example", help="Print an example plan.")] = False,
    history: Annotated[
        str | None, typer.Option("--history", help="Past units, for variances, the gain of CUPED, and clusters.")
    ] = None,
    exposures: Annotated[
        str | None, typer.Option("--exposures", help="Items shown in the past, for coverage, Gini and effective items.")
    ] = None,
    reading: Reading = NOTHING,
    keep: Annotated[str | None, typer.Option("--keep", help="Keep the plan in the workspace.")] = None,
    workspace: WorkspaceOption = Path("workspace"),
    seed: SeedOption = 0,
    output: Documented = DOCUMENTED,
) -> None:
    """Validate a plan, compute the sample sizes, and write the test plan as Markdown and HTML.

    Examples:
      reclens experiment plan --example > plan.toml

      reclens experiment plan plan.toml --history users.parquet --out test-plan --keep home-page
    """
    from reclens.cli.reading import load_rows
    from reclens.cli.shared import put, working
    from reclens.data.origin import file_is_synthetic
    from reclens.errors import UsageError
    from reclens.experiment.planning.metric import OF_ARM
    from reclens.experiment.planning.plan import EXAMPLE_PLAN, load_plan
    from reclens.experiment.planning.sizing import size_plan
    from reclens.report.experiment.plan import build_plan_document, summary_of
    from reclens.report.experiment.plan_tables import size_table
    from reclens.workspace import Workspace

    if (source is None) == (not example):
        raise UsageError("say which plan, or --example for one to start from: expected one of the two.")
    if source is None:
        refuse_unused(ctx, "with --example", "history", "exposures", "keep", "out", "seed", "format")
        put(EXAMPLE_PLAN)
        return
    place = Workspace(workspace)
    if keep:
        place.expect_free("plan", keep)
    made = load_plan(source)
    if not any(metric.kind in OF_ARM for metric in made.metrics):
        refuse_unused(ctx, "as no metric of the plan is of exposure", "exposures")
    if history is None and exposures is None:
        reading.refuse_all("there is no --history and no --exposures to be read")
    with working("read the past and size the plan", quiet=output.quiet):
        past, shown = (
            None if path is None else load_rows(path, reading, table=table)
            for table, path in (("history", history), ("exposures", exposures))
        )
        synthetic = file_is_synthetic(history) or file_is_synthetic(exposures)
        sizing = size_plan(made, history=past, exposures=shown, rng=seed, synthetic=synthetic)
    if keep:
        output.say(f"kept in {place.save(made, keep)}")
    output.emit(size_table(sizing), synthetic=sizing.synthetic)
    for sentence in summary_of(sizing):
        output.say(f"- {sentence}")
    output.save(lambda: build_plan_document(sizing), name="test plan")


@command("experiment size")
def size(
    ctx: typer.Context,
    mean: Annotated[float, typer.Option("--mean", help="Mean, share, ratio or quantile in control.")],
    kind: Annotated[str, typer.Option("--kind", help="mean, proportion, ratio or quantile.")] = "proportion",
    sd: Annotated[float | None, typer.Option("--sd", help="Standard deviation over units.")] = None,
    effect: Annotated[float | None, typer.Option("--effect", help="Relative effect: 0.03 is 3 %.")] = None,
    n: Annotated[float | None, typer.Option("--n", help="Number of units over all arms.")] = None,
    margin: Annotated[
        float | None, typer.Option("--margin", help="Margin of non-inferiority: the relative loss to exclude.")
    ] = None,
    equivalence: Annotated[
        bool, typer.Option("--equivalence", help="Use the margin in both directions (equivalence).")
    ] = False,
    power: Annotated[float, typer.Option("--power", help="Required power.")] = 0.8,
    level: Annotated[float, typer.Option("--level", help="Confidence level.")] = 0.95,
    arms: Annotated[int, typer.Option("--arms", min=2, help="Number of arms, including control.")] = 2,
    treated: Annotated[float | None, typer.Option("--treated", help="Share of units in each treatment.")] = None,
    correction: Annotated[str, typer.Option("--correction", help="Correction for several treatments.")] = "holm",
    r2: Annotated[float, typer.Option("--r2", help="Share of the variance that CUPED removes: 0.4 is 40 %.")] = 0.0,
    icc: Annotated[float, typer.Option("--icc", help="Intra-cluster correlation.")] = 0.0,
    cluster_size: Annotated[float, typer.Option("--cluster-size", help="Mean number of units per cluster.")] = 1.0,
    cluster_cv: Annotated[
        float, typer.Option("--cluster-cv", help="Coefficient of variation of the cluster sizes.")
    ] = 0.0,
    looks: Annotated[int, typer.Option("--looks", min=1, help="Number of looks, including the last.")] = 1,
    spending: Annotated[str, typer.Option("--spending", help="Bounds of the looks.")] = "lan_demets_obrien_fleming",
    daily: Annotated[float | None, typer.Option("--daily", help="New units per day.")] = None,
    formula: Annotated[str | None, typer.Option("--formula", help="Alternative formula.")] = None,
    output: Output = OUTPUT,
) -> None:
    """Compute the sample size (without --n), the smallest effect (without --effect), or the power (with both).

    Examples:
      reclens experiment size --mean 0.2 --effect 0.25

      reclens experiment size --kind mean --mean 4.2 --sd 6.3 --n 50000 --r2 0.4 --daily 4000
    """
    from reclens.experiment.planning.calculator import calculate
    from reclens.report.experiment.design_words import calculation_text
    from reclens.report.experiment.method_words import adjustment_text
    from reclens.report.experiment.plan_tables import neighbour_table

    if looks == 1:
        refuse_unused(ctx, "with one look", "spending")
    if arms == 2:
        refuse_unused(ctx, "with two arms, which make one comparison", "correction")
    if margin is None:
        refuse_unused(ctx, "without --margin", "equivalence")
    if cluster_size == 1:
        refuse_unused(ctx, "with clusters of one unit: give --cluster-size", "icc", "cluster_cv")
    asked: dict[str, Any] = {"kind": kind, "spending": spending}
    found = calculate(
        mean=mean,
        sd=sd,
        effect=effect,
        n=n,
        margin=margin,
        equivalence=equivalence,
        power=power,
        level=level,
        arms=arms,
        treated=treated,
        correction=correction,
        r2=r2,
        icc=icc,
        cluster_size=cluster_size,
        cluster_cv=cluster_cv,
        looks=looks,
        daily=daily,
        formula=formula,
        **asked,
    )
    output.say(calculation_text(found))
    for each in found.answer.adjustments:
        output.say(f"- {adjustment_text(each)}")
    output.emit(neighbour_table([(kind, found.answer)]))


@command("experiment assign")
@reads(attributes=False, ids=False, units="units")
def assign(
    source: PlanArgument,
    units: UnitsArgument,
    reading: Reading = NOTHING,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", callback=writable, help="Write the arms to this file (CSV), or the SQL."),
    ] = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print SQL that computes the same arms instead.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Assign units to arms; an id gets the same arm on every machine.

    Examples:
      reclens experiment assign plan.toml users.csv --out arms.csv
    """
    from reclens.cli.shared import emit, put, say, say_origin, table_of, working
    from reclens.data.origin import file_is_synthetic
    from reclens.experiment.assignment.assign import assign as divide
    from reclens.experiment.assignment.assign import sql_of
    from reclens.experiment.planning.plan import load_plan

    made = load_plan(source)
    if sql:
        put(sql_of(made, table=units), out)
        return
    with working(f"read {units} and assign", quiet=quiet):
        assigned = divide(_ids(units, reading, made), made)
    synthetic = file_is_synthetic(units)
    put(assigned.table.write_csv(), out)
    if out is None:
        say_origin(synthetic=synthetic, quiet=quiet)
        return
    emit(table_of("Arms", assigned.to_dicts()), format=Format.table, out=None, synthetic=synthetic, quiet=quiet)
    say(f"arms: {out}", quiet=quiet)


@command("experiment check")
@reads(attributes=False, ids=False, units="units")
def check(
    source: PlanArgument,
    units: UnitsArgument,
    reading: Reading = NOTHING,
    other: Annotated[
        list[Path] | None, typer.Option("--other", help="Plan that runs at the same time; can be repeated.")
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option("--by", help="Column of UNITS that must be balanced between arms; can be repeated."),
    ] = None,
    output: Output = OUTPUT,
) -> None:
    """Test an assignment before the start: shares, uniformity, independence. Exits with status 1 if a test fails.

    Examples:
      reclens experiment check plan.toml users.csv --other search.toml --by country
    """
    from reclens.cli.reading import load_rows
    from reclens.cli.shared import table_of, working
    from reclens.data.origin import file_is_synthetic
    from reclens.experiment.assignment.assign import check_layers
    from reclens.experiment.assignment.checks import check_assignment
    from reclens.experiment.planning.plan import load_plan
    from reclens.report.experiment.design_words import assignment_check_name, assignment_check_text, layer_text

    made, others = load_plan(source), [load_plan(path) for path in other or []]
    for pair in check_layers([made, *others]):
        output.say(layer_text(pair))
    with working(f"read {units} and check", quiet=output.quiet):
        attributes = _columns(load_rows(units, reading, table="units"), by) if by else None
        found = check_assignment(_ids(units, reading, made), made, others=others, attributes=attributes)
    rows = [{"check": assignment_check_name(each), **row} for each in found for row in each.to_dicts()]
    shown = table_of("Checks", rows, columns=["check", "statistic", "df", "p", "n", "fine"])
    output.emit(shown, synthetic=file_is_synthetic(units))
    for each in found:
        output.say(assignment_check_text(each))
    if not all(each.fine for each in found):
        raise typer.Exit(1)


def _ids(path: str, reading: Reading, made: Plan) -> pl.Series:
    """Return the ids in a file: the column named in the plan, or the only column."""
    from reclens.cli.reading import load_raw
    from reclens.errors import UnknownNameError

    frame = load_raw(path, reading, table="units").frame
    if made.unit in frame.columns:
        return frame[made.unit]
    if frame.width == 1:
        return frame.to_series().alias(made.unit)
    raise UnknownNameError(f"column of {path}", made.unit, frame.columns)


def _columns(frame: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    from reclens.errors import UnknownNameError

    for name in names:
        if name not in frame.columns:
            raise UnknownNameError("column", name, frame.columns)
    return frame.select(names)
