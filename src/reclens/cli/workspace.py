"""``reclens workspace``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reclens.cli.given import expect_workspace, refuse_unused
from reclens.cli.shared import Format, FormatOption, OutOption, WorkspaceOption

__all__ = ["app", "list_artefacts", "remove", "restore", "show", "sql"]

app = typer.Typer(help="What is kept in the workspace.", no_args_is_help=True)

Kind = Annotated[str, typer.Argument(help="dataset, split, model, run, evaluation, comparison, tuning")]
Name = Annotated[str, typer.Argument(help="Name of the artefact.")]
Folder = Path("workspace")


@app.command("list")
def list_artefacts(
    kind: Annotated[str | None, typer.Argument(help="Only this kind.")] = None,
    workspace: WorkspaceOption = Folder,
    format: FormatOption = Format.table,
    out: OutOption = None,
) -> None:
    """List the artefacts, newest first."""
    from reclens.cli.shared import emit, table_of
    from reclens.workspace import Workspace

    expect_workspace(workspace)
    rows = [row for artefact in Workspace(workspace).list(kind) for row in artefact.to_dicts()]
    emit(
        table_of(str(workspace), rows, columns=["kind", "name", "created", "bytes", "summary"]), format=format, out=out
    )


@app.command()
def show(kind: Kind, name: Name, workspace: WorkspaceOption = Folder) -> None:
    """Show the card of an artefact: what it was made from and how."""
    from reclens.cli.shared import put
    from reclens.workspace import Workspace

    put(Workspace(workspace).card(kind, name))


@app.command()
def remove(kind: Kind, name: Name, workspace: WorkspaceOption = Folder) -> None:
    """Move an artefact to the trash of the workspace."""
    from reclens.cli.shared import say
    from reclens.workspace import Workspace

    Workspace(workspace).remove(kind, name)
    say(f"removed; bring it back with: reclens workspace restore {kind} {name}")


@app.command()
def restore(kind: Kind, name: Name, workspace: WorkspaceOption = Folder) -> None:
    """Bring back what was removed last under that name."""
    from reclens.cli.shared import say
    from reclens.workspace import Workspace

    expect_workspace(workspace)
    say(f"restored to {Workspace(workspace).restore(kind, name)}")


@app.command()
def sql(
    ctx: typer.Context,
    query: Annotated[str | None, typer.Argument(help="One SELECT statement; without it the tables are listed.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Most rows to show.")] = 1000,
    seconds: Annotated[float, typer.Option("--seconds", help="Most seconds that it may take.")] = 60.0,
    workspace: WorkspaceOption = Folder,
    format: FormatOption = Format.table,
    out: OutOption = None,
) -> None:
    r"""Query the artefacts with SQL, read-only.

    Example:
      reclens workspace sql "SELECT avg(\"ndcg@10\") FROM evaluation_demo_ease_per_user"
    """
    from reclens.cli.shared import emit, keep_interrupts, say, table_of, working
    from reclens.workspace import Workspace

    expect_workspace(workspace)
    keep_interrupts()
    place = Workspace(workspace)
    if query is None:
        refuse_unused(ctx, "without a query", "limit", "seconds")
        emit(table_of("Views", [{"view": name} for name in place.views()], columns=["view"]), format=format, out=out)
        return
    with working("run the query"):
        found = place.query(query, limit=limit, seconds=seconds)
    emit(table_of("Result", found.table.to_dicts(), columns=found.table.columns), format=format, out=out)
    if found.cut is not None:
        say(found.cut)
