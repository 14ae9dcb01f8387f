"""``reclens experiment read``: analyse the results of an experiment."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from reclens.cli.bundles import DOCUMENTED, Documented
from reclens.cli.option_names import as_option
from reclens.cli.reading import NOTHING, reads
from reclens.cli.registry import command
from reclens.cli.shared import WorkspaceOption
from reclens.cli.track import TrackOption
from reclens.cli.track import track as copy
from reclens.cli.unused_options import refuse_unused
from reclens.data.read.request import Reading

if TYPE_CHECKING:
    from reclens.experiment import Readout
    from reclens.workspace import Workspace

__all__ = ["read"]


@command("experiment read")
@reads(attributes=False, ids=False, rows="data", exposures="exposures", catalogue="catalogue")
def read(
    ctx: typer.Context,
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, as TOML.")],
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="Parquet, CSV, a DuckDB file, postgres:TABLE or spark:NAME.")
    ],
    arm: Annotated[str, typer.Option("--arm", help="Column with the arm.")] = "variant",
    no_ids: Annotated[bool, typer.Option("--no-ids", help="DATA has no id column: each row is a unit.")] = False,
    aggregated: Annotated[
        bool, typer.Option("--aggregated", help="DATA has counts by arm: n and successes, or n, mean and sd.")
    ] = False,
    events: Annotated[bool, typer.Option("--events", help="DATA is a log of events, not one row per unit.")] = False,
    time: Annotated[str, typer.Option("--time", help="Column with the time of an event.")] = "timestamp",
    start: Annotated[
        datetime | None, typer.Option("--start", help="Start of the experiment, if the plan has none.")
    ] = None,
    day: Annotated[str | None, typer.Option("--day", help="Column with the day of first exposure.")] = None,
    exposures: Annotated[
        str | None,
        typer.Option("--exposures", help="Items shown: unit, arm, item_id; for coverage, Gini, effective items."),
    ] = None,
    catalogue: Annotated[
        str | None,
        typer.Option("--catalogue", help="Table of all items (item_id), for coverage, Gini, effective items."),
    ] = None,
    table: Annotated[str | None, typer.Option("--table", help="Table of a DuckDB file.")] = None,
    engine: Annotated[
        str | None,
        typer.Option("--engine", help="Spark that sums up DATA, which is spark:NAME: sc://HOST:PORT or spark:MASTER."),
    ] = None,
    reading: Reading = NOTHING,
    counts: Annotated[
        list[str] | None, typer.Option("--counts", help="Column that must not be negative; can be repeated.")
    ] = None,
    event_id: Annotated[
        str | None, typer.Option("--event-id", help="Column with the id of each event, to identify duplicates.")
    ] = None,
    drop_duplicates: Annotated[
        bool, typer.Option("--drop-duplicates", help="Count each event once, and report the number of duplicates.")
    ] = False,
    triggered: Annotated[
        str | None, typer.Option("--triggered", help="Triggered units: a column of 0 and 1, or a SELECT of their ids.")
    ] = None,
    planned_units: Annotated[
        float | None, typer.Option("--planned-units", help="Planned number of units over all arms.")
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", help="Days that the experiment has run, if DATA has no day.")
    ] = None,
    looks_taken: Annotated[
        list[float] | None,
        typer.Option(
            "--looks-taken", help="Share of the sample at an earlier look, if not as planned; can be repeated."
        ),
    ] = None,
    stratify: Annotated[str | None, typer.Option("--stratify", help="Segment to post-stratify by.")] = None,
    intervals: Annotated[
        Literal["each", "simultaneous"],
        typer.Option("--intervals", help="Intervals per metric, or simultaneous over the metrics of a role."),
    ] = "each",
    bayes: Annotated[bool, typer.Option("--bayes", help="Add the posterior of the lift to the document.")] = False,
    drop_two_arms: Annotated[bool, typer.Option("--drop-two-arms", help="Leave out units in two arms.")] = False,
    drop_unknown_arms: Annotated[
        bool, typer.Option("--drop-unknown-arms", help="Leave out arms that are not in the plan.")
    ] = False,
    keep: Annotated[str | None, typer.Option("--keep", help="Keep the readout in the workspace.")] = None,
    track: TrackOption = None,
    workspace: WorkspaceOption = Path("workspace"),
    output: Documented = DOCUMENTED,
) -> None:
    """Read an experiment: trust checks, effects, guardrails, and the decision.

    Exits with status 1 if a trust check fails or an arm must not be shipped.

    Examples:
      reclens experiment read plan.toml users.parquet --day first_day --out readout

      reclens experiment read plan.toml events.parquet --events --start 2026-01-05 --keep week-1

      reclens experiment read plan.toml counts.csv --aggregated --arm version -c n=users

      reclens experiment read plan.toml spark:users --engine sc://127.0.0.1:50051 --day first_day
    """
    from reclens.cli.reading import rows_or_path
    from reclens.cli.shared import working
    from reclens.experiment.analysis.aggregated import read_aggregated
    from reclens.experiment.analysis.readout import read_experiment
    from reclens.experiment.planning.metric import OF_ARM
    from reclens.experiment.planning.plan import load_plan

    place, made = _place(workspace, keep), load_plan(plan)
    exposed = any(metric.kind in OF_ARM for metric in made.metrics)
    _refuse(ctx, aggregated=aggregated, events=events, written=output.out is not None, exposed=exposed)
    with working(f"read {data}", quiet=output.quiet):
        items = None if catalogue is None else _items_of(catalogue, reading)
        rows, table = _rows_of(data, table, engine, reading, aggregated=aggregated)
        shown = None if exposures is None else rows_or_path(exposures, reading, table="exposures")
        shared: dict[str, Any] = {
            "arm": arm,
            "day": day,
            "table": table,
            "planned_units": planned_units,
            "days": days,
            "looks_taken": tuple(looks_taken or ()),
            "unknown_arms": "drop" if drop_unknown_arms else "error",
            "stratify": stratify,
            "intervals": intervals,
        }
        found = (
            read_aggregated(made, rows, **shared)
            if aggregated
            else read_experiment(
                made,
                rows,
                catalogue=items,
                ids=not no_ids,
                events=events,
                time=time,
                start=start,
                exposures=shown,
                two_arms="drop" if drop_two_arms else "error",
                counts=counts or (),
                event_id=event_id,
                triggered=triggered,
                duplicates="drop" if drop_duplicates else "keep",
                **shared,
            )
        )
    _show(found := _of_origin(found, data, exposures), output, bayes=bayes)
    _keep(found, place, keep, output)
    copy(track, found, name=keep or found.plan.name, quiet=output.quiet)
    if any(decision.code in ("blocked", "do_not_ship", "stop_for_futility") for decision in found.decisions):
        raise typer.Exit(1)


def _rows_of(
    data: str, table: str | None, engine: str | None, reading: Reading, *, aggregated: bool
) -> tuple[Any, str | None]:
    """Return the rows and the name of their table: of a file, of an engine, or in a warehouse."""
    from reclens.cli.engine_tables import EngineTables
    from reclens.cli.reading import rows_or_path
    from reclens.cli.warehouse_tables import in_warehouse, warehouse_table
    from reclens.errors import UsageError

    far = EngineTables.of(engine, None, None, (data,))
    if far is not None:
        if not far.holds(data) or table is not None:
            raise UsageError(f"--engine sums up tables, such as spark:users, and DATA is {data}.")
        return far.frame(data, reading, table="rows"), None
    if not in_warehouse(data):
        return rows_or_path(data, reading, table="rows"), table
    if aggregated or table is not None or reading.said:
        raise UsageError(f"DATA is {data}: --aggregated, --table and options of reading do not apply there.")
    return warehouse_table(data)


def _of_origin(found: Readout, *files: str | None) -> Readout:
    """Mark the readout as synthetic if its data are."""
    from reclens.data.origin import file_is_synthetic

    return replace(found, synthetic=any(map(file_is_synthetic, files)))


def _place(folder: Path, keep: str | None) -> Workspace:
    """Return the workspace; raise an error if the name of the readout is taken."""
    from reclens.workspace import Workspace

    place = Workspace(folder)
    if keep:
        place.expect_free("readout", keep)
    return place


def _keep(found: Readout, place: Workspace, name: str | None, output: Documented) -> None:
    if name:
        output.say(f"kept in {place.save(found, name)}")


def _refuse(ctx: typer.Context, *, aggregated: bool, events: bool, written: bool, exposed: bool) -> None:
    """Raise an error for options that this table or plan would not use."""
    if aggregated:
        whole = ("no_ids", "events", "exposures", "catalogue", "counts", "triggered", "drop_two_arms", "engine")
        refuse_unused(ctx, "with --aggregated", *whole)
    if not events:
        refuse_unused(ctx, "without --events", "time", "start", "event_id", "drop_duplicates")
    if not written:
        refuse_unused(ctx, "without --out", "bayes")
    if not exposed:
        refuse_unused(ctx, "as no metric of the plan is of exposure", "exposures", "catalogue")


def _show(found: Readout, output: Documented, *, bayes: bool) -> None:
    """Print the decision, and write the table and the document."""
    from reclens.report.experiment.decision_words import summary_of_readout
    from reclens.report.experiment.readout import build_readout
    from reclens.report.experiment.readout_tables import effect_table
    from reclens.report.experiment.words import unknown_text

    for sentence in summary_of_readout(found, as_option):
        output.say(f"- {sentence}")
    for each in found.unknown:
        output.say(f"- not known ({each.code}): {unknown_text(each)}")
    output.emit(effect_table(found), synthetic=found.synthetic)
    output.save(lambda: build_readout(found, bayes=bayes, named=as_option), name="readout")


def _items_of(catalogue: str, reading: Reading) -> list[Any]:
    """Return the ids of the items that could have been shown."""
    from reclens.cli.reading import load_rows
    from reclens.errors import UnknownNameError
    from reclens.schema import ITEM

    table = load_rows(catalogue, reading, table="catalogue")
    if ITEM not in table.columns:
        raise UnknownNameError(f"column of {catalogue}", ITEM, table.columns)
    return table[ITEM].to_list()
