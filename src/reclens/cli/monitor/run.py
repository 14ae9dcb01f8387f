"""``reclens monitor init | run | backfill | replay | report | check``: set up a monitor and process its days."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from reclens.cli.bundles import OUTPUT, Output
from reclens.cli.monitor.places import DAY, FromOption, ProjectOption, ToOption, WaitOption, day_of, opened
from reclens.cli.registry import command
from reclens.cli.shared import QuietOption, SeedOption, WorkspaceOption
from reclens.cli.track import TrackOption, track_monitor
from reclens.report._toolkit.format import whole

__all__ = ["backfill", "check", "init", "replay", "report", "run"]

DateOption = Annotated[
    datetime | None, typer.Option("--date", formats=DAY, help="The day; by default, yesterday in the zone of the log.")
]


@command("monitor init")
def init(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Its folder; by default, monitor in the workspace.")
    ] = None,
    log: Annotated[
        str | None, typer.Option("--log", help="Path of the log of impressions; an example log is written if omitted.")
    ] = None,
    system: Annotated[str, typer.Option("--system", help="Name of the system that is watched.")] = "recommender",
    dbt: Annotated[
        bool,
        typer.Option("--dbt", help="Write its dbt project too; that of a monitor that is there anew."),
    ] = False,
    workspace: WorkspaceOption = Path("workspace"),
    seed: SeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Make a monitor: a folder with its settings, and an example log of eight weeks unless --log names one.

    With --dbt, dbt makes the marts of its days, by a project in the folder dbt that is written from the queries of the
    monitor. Write it anew after a change of owners, runbooks or tables in monitor.toml.

    Examples:
      reclens monitor init

      reclens monitor init --dbt

      reclens monitor init watch --log /logs/impressions --system shop
    """
    from reclens.cli.shared import say
    from reclens.edges.dbt import write_project
    from reclens.job.monitor_init import init_project
    from reclens.job.monitor_inputs import project_folder
    from reclens.monitor.project import Project
    from reclens.monitor.settings import SETTINGS_FILE

    place = project_folder(folder, workspace)
    if dbt and (place / SETTINGS_FILE).exists():
        say(f"written: {write_project(Project(place))}", quiet=quiet)
        if Project(place).settings.marts.engine != "dbt":
            say(f'to use it, put into {place / SETTINGS_FILE}:\n[marts]\nengine = "dbt"', quiet=quiet)
        return
    made = init_project(place, log=log, system=system, seed=seed, dbt=dbt)
    say(f"made: {made.project.folder}/monitor.toml", quiet=quiet)
    option = "" if folder is None else f" --project {folder}"
    if made.first is not None and made.last is not None:
        say(f"an example log of {made.first} to {made.last}, made up. Next:", quiet=quiet)
        say(f"  reclens monitor backfill --from {made.first} --to {made.last}{option}", quiet=quiet)
    else:
        say(f"next: reclens monitor run --date YYYY-MM-DD{option}", quiet=quiet)


@command("monitor run")
def run(
    date: DateOption = None,
    project: ProjectOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print notices instead of sending them; the next run sends them.")
    ] = False,
    wait: WaitOption = 0.0,
    track: TrackOption = None,
    workspace: WorkspaceOption = Path("workspace"),
    output: Output = OUTPUT,
) -> None:
    """Do one day: data gate, indicators, detections, incidents, notices, and the report on the last day of a week.

    A day can be run again at any time, such as after a correction of its log: nothing is told twice.

    Examples:
      reclens monitor run --date 2026-01-05

      reclens monitor run --date 2026-01-05 --dry-run
    """
    from reclens.job.monitor import run_monitor
    from reclens.job.monitor_tell import words_of
    from reclens.report.monitor.sentences import day_sentence
    from reclens.report.monitor.tables import run_table
    from reclens.workspace import Workspace

    place = opened(project, workspace)
    done = run_monitor(
        place,
        day_of(date, place),
        workspace=Workspace(workspace),
        dry_run=dry_run,
        wait=wait,
        say=output.say,
    )
    output.emit(run_table(done.days), synthetic=done.days[-1].synthetic)
    output.say(day_sentence(done.days[0]))
    if dry_run:
        for each in done.notices:
            words = words_of(place, each)
            output.say(f"not sent: {words.title}\n{words.text}")
    track_monitor(track, done.days[0], reports=done.reports, quiet=output.quiet)


@command("monitor backfill")
def backfill(
    first: FromOption,
    last: ToOption,
    project: ProjectOption = None,
    wait: WaitOption = 0.0,
    workspace: WorkspaceOption = Path("workspace"),
    output: Output = OUTPUT,
) -> None:
    """Do the days of the past, as if they had been run one by one; no notice is sent.

    Example:
      reclens monitor backfill --from 2026-01-05 --to 2026-03-08
    """
    from reclens.cli.shared import progress_of
    from reclens.job.monitor import backfill as do
    from reclens.report.monitor.tables import run_table
    from reclens.workspace import Workspace

    place = opened(project, workspace)
    with progress_of(quiet=output.quiet) as progress:
        done = do(
            place,
            first.date(),
            last.date(),
            workspace=Workspace(workspace),
            wait=wait,
            progress=progress,
            say=output.say,
        )
    output.emit(run_table(done.days), synthetic=done.days[-1].synthetic)


@command("monitor replay")
def replay(
    ctx: typer.Context,
    first: FromOption,
    last: ToOption,
    project: ProjectOption = None,
    workspace: WorkspaceOption = Path("workspace"),
    output: Output = OUTPUT,
) -> None:
    """Judge days that were measured by the present settings, and change nothing: what they would have raised.

    Example:
      reclens monitor replay --from 2026-01-05 --to 2026-03-08
    """
    from tempfile import TemporaryDirectory

    from reclens.job.monitor import replay as do
    from reclens.report.monitor.tables import incident_table

    with TemporaryDirectory() as folder:
        done = do(opened(project, workspace, ctx), first.date(), last.date(), folder=Path(folder))
    found = {each.id: each for day in done.days for each in day.incidents}
    output.emit(incident_table(list(found.values()), title="Incidents by the present settings"))
    output.say(f"{whole(len(found))} incidents and {whole(len(done.notices))} notices on {whole(len(done.days))} days")


@command("monitor report")
def report(
    week: Annotated[
        datetime | None,
        typer.Option("--week", formats=DAY, help="A day of the week; by default, the last day that was run."),
    ] = None,
    project: ProjectOption = None,
    track: TrackOption = None,
    workspace: WorkspaceOption = Path("workspace"),
    output: Output = OUTPUT,
) -> None:
    """Write the report of a week as HTML and Markdown.

    Example:
      reclens monitor report --week 2026-03-04
    """
    from reclens.job.monitor_inputs import expect_days
    from reclens.job.monitor_week import last_of_week, read_week, write_week
    from reclens.report.monitor.tables import trend_table
    from reclens.workspace import Workspace

    place, kept = opened(project, workspace), Workspace(workspace)
    expect_days(place)
    last = last_of_week(place, place.days()[-1] if week is None else week.date())
    pages, _ = write_week(place, last, workspace=kept)
    found = read_week(place, last, workspace=kept)
    output.emit(trend_table(found), synthetic=found.synthetic)
    output.say(f"report: {', '.join(map(str, pages))}")
    track_monitor(track, found, reports=pages, quiet=output.quiet)


@command("monitor check")
def check(
    ctx: typer.Context,
    date: DateOption = None,
    project: ProjectOption = None,
    failed: Annotated[
        str | None, typer.Option("--failed", help="Tell that this step of a scheduler failed, such as run.")
    ] = None,
    log: Annotated[str | None, typer.Option("--log", help="Where the log of that step is, for the notice.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the notice instead of sending it.")] = False,
    workspace: WorkspaceOption = Path("workspace"),
    quiet: QuietOption = False,
) -> None:
    """See whether the run of a day happened, and send a notice and exit with status 1 if it did not.

    Start it apart from the run, some hours after it: a run that never starts, or never ends, cannot say so itself.

    Examples:
      reclens monitor check

      reclens monitor check --date 2026-01-05 --failed run --log http://airflow/log/run
    """
    from reclens.cli.shared import say
    from reclens.errors import UsageError
    from reclens.job.monitor_check import check_run

    place = opened(project, workspace, ctx)
    if log is not None and failed is None:
        raise UsageError("--log is given without --failed: say which step failed.")
    found = check_run(place, day_of(date, place), failed=failed, log=log, dry_run=dry_run)
    say("\n".join(found.words), quiet=quiet)
    if not found.ran:
        raise typer.Exit(1)
