"""``reclens monitor annotate | learn``: annotate events, and learn settings from past days."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from reclens.cli.bundles import OUTPUT, Output
from reclens.cli.monitor.places import DAY, ByOption, ProjectOption, opened, person
from reclens.cli.registry import command
from reclens.cli.shared import WorkspaceOption

__all__ = ["annotate", "learn"]


@command("monitor annotate")
def annotate(
    ctx: typer.Context,
    text: Annotated[str | None, typer.Argument(help="What happened; the annotations are listed if omitted.")] = None,
    kind: Annotated[
        str, typer.Option("--kind", help="deploy, experiment, holiday, incident (elsewhere) or note.")
    ] = "note",
    first: Annotated[datetime | None, typer.Option("--from", formats=DAY, help="First day; today if omitted.")] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=DAY, help="Last day; the first one if omitted.")
    ] = None,
    of: Annotated[
        str | None, typer.Option("--of", metavar="DIMENSION=SLICE", help="What it concerns, such as surface=home.")
    ] = None,
    suppress: Annotated[
        bool | None,
        typer.Option("--suppress/--explain", help="Whether these days are judged; those of holidays are not."),
    ] = None,
    by: ByOption = None,
    remove: Annotated[
        str | None, typer.Option("--remove", metavar="ID", help="Take the annotation of this id back.")
    ] = None,
    project: ProjectOption = None,
    workspace: WorkspaceOption = Path("workspace"),
    output: Output = OUTPUT,
) -> None:
    """Note what happened: it is the first suspect of an incident, or its days are not judged.

    Run the days again that it is about, if they were run before.

    Examples:
      reclens monitor annotate "ranker 2.4" --kind deploy --from 2026-03-05 --of surface=home

      reclens monitor annotate "Christmas" --kind holiday --from 2025-12-24 --to 2025-12-26
    """
    from datetime import date
    from typing import Any, get_args

    from reclens.cli.shared import pairs
    from reclens.errors import UnknownNameError
    from reclens.job.monitor_inputs import annotations_of, notes_of
    from reclens.monitor.records import AnnotationKind
    from reclens.report.monitor.sentences import annotation_sentence
    from reclens.report.monitor.tables import annotation_table

    place = opened(project, workspace, ctx)
    book = notes_of(place)
    if remove is not None:
        output.say(f"removed: {annotation_sentence(book.remove(remove))}")
    if text is not None:
        if kind not in get_args(AnnotationKind):
            raise UnknownNameError("kind of annotation", kind, get_args(AnnotationKind))
        about: dict[str, Any] = {"suppress": suppress}
        for dimension, name in pairs(None if of is None else [of], option="--of").items():
            about |= {"dimension": dimension, "slice": name}
        start = date.today() if first is None else first.date()
        end = None if last is None else last.date()
        made = book.add(kind, start, text, by=person(by), end=end, **about)  # type: ignore[arg-type]
        output.say(f"noted: {annotation_sentence(made)}")
    output.emit(annotation_table(annotations_of(place)))


@command("monitor learn")
def learn(
    ctx: typer.Context,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=DAY, help="First day to learn from; all if omitted.")
    ] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=DAY, help="Last day to learn from.")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="Write the proposal into monitor.toml.")] = False,
    project: ProjectOption = None,
    workspace: WorkspaceOption = Path("workspace"),
    output: Output = OUTPUT,
) -> None:
    """Propose bounds of checks and values to keep from the past, as a diff of monitor.toml.

    Examples:
      reclens monitor learn

      reclens monitor learn --accept
    """
    from dataclasses import asdict

    from reclens.cli.shared import table_of
    from reclens.monitor.learn import accept as write
    from reclens.monitor.learn import learn as propose

    place = opened(project, workspace, ctx)
    days = {"start": None if first is None else first.date(), "end": None if last is None else last.date()}
    found = propose(place, **days)
    columns = ["section", "key", "was", "value", "low", "high", "days"]
    output.emit(table_of("Proposed settings", [asdict(each) for each in found.changes], columns=columns))
    if not found.changes:
        output.say("nothing to change: the settings fit the past")
        return
    output.say(found.diff)
    if accept:
        write(place, found)
        output.say(f"written: {place.folder / 'monitor.toml'}")
    else:
        output.say("nothing is written: --accept writes it")
