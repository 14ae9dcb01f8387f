"""List, show, remove and query the artefacts of a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reclens.cli.registry import command
from reclens.cli.shared import Format, FormatOption, OutOption, WorkspaceOption
from reclens.cli.unused_options import expect_workspace, refuse_unused
from reclens.report._toolkit.format import whole

if TYPE_CHECKING:
    from reclens.workspace import Workspace

__all__ = ["clean", "empty_trash", "list_artefacts", "remove", "restore", "show", "sql", "trash"]

Kind = Annotated[
    str,
    typer.Argument(help="dataset, split, model, pipeline, run, evaluation, comparison, tuning, weights, plan, readout"),
]
Name = Annotated[str, typer.Argument(help="Name of the artefact.")]
Folder = Path("workspace")


def _there(folder: Path) -> Workspace:
    """Return the workspace, which must exist: an empty table would hide a misspelled path."""
    from reclens.workspace import Workspace

    expect_workspace(folder)
    return Workspace(folder)


@command("workspace list")
def list_artefacts(
    kind: Annotated[str | None, typer.Argument(help="Only this kind.")] = None,
    workspace: WorkspaceOption = Folder,
    format: FormatOption = Format.table,
    out: OutOption = None,
) -> None:
    """List the artefacts, newest first."""
    from reclens.cli.shared import emit, say, table_of
    from reclens.report.data.artefact_words import artefact_summary

    place = _there(workspace)
    rows = [
        row | {"synthetic": "yes" if artefact.synthetic else "no", "summary": artefact_summary(artefact)}
        for artefact in place.list(kind)
        for row in artefact.to_dicts()
    ]
    heads = ["kind", "name", "created", "bytes", "synthetic", "summary"]
    emit(table_of(str(workspace), rows, columns=heads), format=format, out=out)
    lying = place.trash()
    if lying:
        say(
            f"and in the trash {whole(len(lying))} copies of {whole(sum(each.bytes for each in lying))} bytes: reclens "
            "workspace trash"
        )


@command("workspace show")
def show(kind: Kind, name: Name, workspace: WorkspaceOption = Folder) -> None:
    """Show the card of an artefact: its inputs and settings."""
    from reclens.cli.shared import put

    put(_there(workspace).card(kind, name))


@command("workspace remove")
def remove(kind: Kind, name: Name, workspace: WorkspaceOption = Folder) -> None:
    """Move an artefact to the trash of the workspace."""
    from reclens.cli.shared import say

    _there(workspace).remove(kind, name)
    say(f"removed; bring it back with: reclens workspace restore {kind} {name}")


@command("workspace restore")
def restore(kind: Kind, name: Name, workspace: WorkspaceOption = Folder) -> None:
    """Restore the artefact that was last removed under a name."""
    from reclens.cli.shared import say

    say(f"restored to {_there(workspace).restore(kind, name)}")


@command("workspace trash")
def trash(workspace: WorkspaceOption = Folder, format: FormatOption = Format.table, out: OutOption = None) -> None:
    """List removed or replaced artefacts that can be restored, with their sizes."""
    from reclens.cli.shared import emit, say, table_of
    from reclens.workspace.trash import COPIES, DAYS

    lying = _there(workspace).trash()
    rows = [row for each in lying for row in each.to_dicts()]
    emit(table_of("Trash", rows, columns=["kind", "name", "removed", "bytes"]), format=format, out=out)
    say(
        f"{whole(len(lying))} copies of {whole(sum(each.bytes for each in lying))} bytes. Of each name the {COPIES} "
        f"that were removed last are kept, for {DAYS} days; 'reclens workspace empty-trash' deletes them now."
    )


@command("workspace empty-trash")
def empty_trash(
    kind: Annotated[str | None, typer.Argument(help="Only this kind.")] = None,
    name: Annotated[str | None, typer.Argument(help="Only artefacts of this name.")] = None,
    days: Annotated[
        float, typer.Option("--days", help="Only artefacts that were removed at least this many days ago.")
    ] = 0.0,
    workspace: WorkspaceOption = Folder,
) -> None:
    """Permanently delete the contents of the trash.

    Examples:
      reclens workspace empty-trash

      reclens workspace empty-trash model demo-ease --days 7
    """
    from reclens.cli.shared import say

    gone = _there(workspace).empty_trash(kind=kind, name=name, days=days)
    say(f"deleted {whole(len(gone))} copies of {whole(sum(each.bytes for each in gone))} bytes")


@command("workspace clean")
def clean(workspace: WorkspaceOption = Folder, format: FormatOption = Format.table, out: OutOption = None) -> None:
    """Remove partial output of killed runs, and expired copies in the trash.

    Folders that another process is writing are kept.
    """
    from reclens.cli.shared import emit, table_of

    words = {"drafts": "temporary folders of killed runs", "copies": "old copies in the trash"}
    rows = [row | {"removed": words[row["removed"]]} for row in _there(workspace).clean().to_dicts()]
    emit(table_of("Cleaned", rows), format=format, out=out)


@command("workspace sql")
def sql(
    ctx: typer.Context,
    query: Annotated[
        str | None, typer.Argument(help="One SELECT statement; if omitted, the tables are listed.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Maximum number of rows.")] = 1000,
    seconds: Annotated[float, typer.Option("--seconds", help="Time limit in seconds.")] = 60.0,
    workspace: WorkspaceOption = Folder,
    format: FormatOption = Format.table,
    out: OutOption = None,
) -> None:
    r"""Query the artefacts with SQL, read-only.

    Example:
      reclens workspace sql "SELECT avg(\"ndcg@10\") FROM evaluation_demo_ease_per_user"
    """
    from reclens.cli.shared import emit, keep_interrupts, say, table_of, working
    from reclens.report.data.words import cut_text

    place = _there(workspace)
    keep_interrupts()
    if query is None:
        refuse_unused(ctx, "without a query", "limit", "seconds")
        emit(table_of("Views", [{"view": name} for name in place.views()], columns=["view"]), format=format, out=out)
        return
    with working("run the query"):
        found = place.query(query, limit=limit, seconds=seconds)
    shown = table_of("Result", found.table.to_dicts(), columns=found.table.columns)
    emit(shown, format=format, out=out, synthetic=found.synthetic)
    if (cut := cut_text(found)) is not None:
        say(cut)
