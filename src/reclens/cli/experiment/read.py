"""``reclens experiment read``: from results and a plan to the decision."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from reclens.cli.options import as_option
from reclens.cli.reading import NOTHING, reads
from reclens.cli.registry import command
from reclens.cli.shared import DocumentOption, Format, FormatOption, QuietOption, WorkspaceOption
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
    data: Annotated[str, typer.Argument(metavar="DATA", help="Parquet, CSV or a DuckDB file.")],
    arm: Annotated[str, typer.Option("--arm", help="Column of the arm.")] = "variant",
    no_ids: Annotated[bool, typer.Option("--no-ids", help="DATA has no column of ids: each row is a unit.")] = False,
    aggregated: Annotated[
        bool, typer.Option("--aggregated", help="DATA has counts of arms: n and successes, or n, mean and sd.")
    ] = False,
    events: Annotated[bool, typer.Option("--events", help="DATA is a log of events, not one row a unit.")] = False,
    time: Annotated[str, typer.Option("--time", help="Column of the time of an event.")] = "timestamp",
    start: Annotated[datetime | None, typer.Option("--start", help="When it began, if the plan does not say.")] = None,
    day: Annotated[str | None, typer.Option("--day", help="Column of the day of first exposure.")] = None,
    exposures: Annotated[
        str | None,
        typer.Option("--exposures", help="Items shown: unit, arm, item_id; for coverage, Gini, effective items."),
    ] = None,
    catalogue: Annotated[
        str | None,
        typer.Option("--catalogue", help="Table of all items (item_id), for coverage, Gini, effective items."),
    ] = None,
    table: Annotated[str | None, typer.Option("--table", help="Table of a DuckDB file.")] = None,
    reading: Reading = NOTHING,
    counts: Annotated[
        list[str] | None, typer.Option("--counts", help="A column that may not be negative; repeat it for more.")
    ] = None,
    event_id: Annotated[
        str | None, typer.Option("--event-id", help="Column of an id of each event, to tell duplicates by.")
    ] = None,
    drop_duplicates: Annotated[
        bool, typer.Option("--drop-duplicates", help="Count each event once, and say how many stood there twice.")
    ] = False,
    triggered: Annotated[
        str | None, typer.Option("--triggered", help="Units that could be treated differently: a column, or a SELECT.")
    ] = None,
    planned_units: Annotated[float | None, typer.Option("--planned-units", help="Units planned, all arms.")] = None,
    days: Annotated[int | None, typer.Option("--days", help="Days that have run, where DATA has no day.")] = None,
    looks_taken: Annotated[
        list[float] | None, typer.Option("--looks-taken", help="Share in at a look made before, if not as planned.")
    ] = None,
    stratify: Annotated[str | None, typer.Option("--stratify", help="Segment to post-stratify by.")] = None,
    intervals: Annotated[
        Literal["each", "simultaneous"],
        typer.Option("--intervals", help="Each by itself, or simultaneous over the metrics of a role."),
    ] = "each",
    bayes: Annotated[bool, typer.Option("--bayes", help="Show the Bayesian view in the document.")] = False,
    drop_two_arms: Annotated[bool, typer.Option("--drop-two-arms", help="Leave units in two arms out.")] = False,
    drop_unknown_arms: Annotated[bool, typer.Option("--drop-unknown-arms", help="Leave other arms out.")] = False,
    keep: Annotated[str | None, typer.Option("--keep", help="Keep the readout in the workspace.")] = None,
    workspace: WorkspaceOption = Path("workspace"),
    format: FormatOption = Format.table,
    out: DocumentOption = None,
    quiet: QuietOption = False,
) -> None:
    """Read an experiment: trust checks, effects, guardrails, and the decision.

    Ends with status 1 where a trust check fails or an arm is not to be shipped.

    Examples:
      reclens experiment read plan.toml users.parquet --day first_day --out readout

      reclens experiment read plan.toml events.parquet --events --start 2026-01-05 --keep week-1

      reclens experiment read plan.toml counts.csv --aggregated --arm version -c n=users
    """
    from reclens.cli.reading import rows_or_path
    from reclens.cli.shared import working
    from reclens.experiment.analysis.aggregated import read_aggregated
    from reclens.experiment.analysis.readout import read_experiment
    from reclens.experiment.planning.metric import OF_ARM
    from reclens.experiment.planning.plan import load_plan

    place = _place(workspace, keep)
    made = load_plan(plan)
    exposed = any(metric.kind in OF_ARM for metric in made.metrics)
    _refuse(ctx, aggregated=aggregated, events=events, written=out is not None, exposed=exposed)
    with working(f"read {data}", quiet=quiet):
        items = None if catalogue is None else _items_of(catalogue, reading)
        rows = rows_or_path(data, reading, table="rows")
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
    _show(found, format, out, bayes=bayes, quiet=quiet)
    _keep(found, place, keep, quiet=quiet)
    if any(decision.code in ("blocked", "do_not_ship", "stop_for_futility") for decision in found.decisions):
        raise typer.Exit(1)


def _place(folder: Path, keep: str | None) -> Workspace:
    """The workspace, where the name to keep the readout under is free."""
    from reclens.workspace import Workspace

    place = Workspace(folder)
    if keep:
        place.expect_free("readout", keep)
    return place


def _keep(found: Readout, place: Workspace, name: str | None, *, quiet: bool) -> None:
    from reclens.cli.shared import say

    if name:
        say(f"kept in {place.save(found, name)}", quiet=quiet)


def _refuse(ctx: typer.Context, *, aggregated: bool, events: bool, written: bool, exposed: bool) -> None:
    """Refuse the options that this table or plan would not use."""
    if aggregated:
        whole = ("no_ids", "events", "exposures", "catalogue", "counts", "triggered", "drop_two_arms")
        refuse_unused(ctx, "with --aggregated", *whole)
    if not events:
        refuse_unused(ctx, "without --events", "time", "start", "event_id", "drop_duplicates")
    if not written:
        refuse_unused(ctx, "without --out", "bayes")
    if not exposed:
        refuse_unused(ctx, "as no metric of the plan is of exposure", "exposures", "catalogue")


def _show(found: Readout, format: Format, out: Path | None, *, bayes: bool, quiet: bool) -> None:
    """Say the decision, and write the table and the document."""
    from reclens.cli.shared import emit, say
    from reclens.report.experiment.decision_words import summary_of_readout
    from reclens.report.experiment.readout import build_readout
    from reclens.report.experiment.readout_tables import effect_table
    from reclens.report.experiment.words import unknown_text

    for sentence in summary_of_readout(found, as_option):
        say(f"- {sentence}", quiet=quiet)
    for each in found.unknown:
        say(f"- not known ({each.code}): {unknown_text(each)}", quiet=quiet)
    emit(effect_table(found), format=format, out=None)
    if out is not None:
        text, page = build_readout(found, bayes=bayes, named=as_option).save(out)
        say(f"readout: {text}, {page}", quiet=quiet)


def _items_of(catalogue: str, reading: Reading) -> list[Any]:
    """The ids of the items that could have been shown."""
    from reclens.cli.reading import load_rows
    from reclens.errors import UnknownNameError
    from reclens.schema import ITEM

    table = load_rows(catalogue, reading, table="catalogue")
    if ITEM not in table.columns:
        raise UnknownNameError(f"column of {catalogue}", ITEM, table.columns)
    return table[ITEM].to_list()
