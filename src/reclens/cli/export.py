"""Export the results of a workspace to other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reclens.cli.registry import command
from reclens.cli.shared import QuietOption, WorkspaceOption
from reclens.report._toolkit.format import whole

if TYPE_CHECKING:
    from reclens.edges import Exported

__all__ = ["looker", "tableau"]

EvaluationOption = Annotated[
    list[str] | None,
    typer.Option(
        "--evaluations",
        "-e",
        help="Evaluation to export; can be repeated. By default the newest that can be compared with each other.",
    ),
]
ComparisonOption = Annotated[
    str | None, typer.Option("--comparison", help="Comparison with the verdicts; by default the newest of each run.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace the files of an earlier export.")]
Folder = Path("workspace")


@command("export tableau")
def tableau(
    workspace: WorkspaceOption = Folder,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the extracts.")] = Path("tableau"),
    evaluations: EvaluationOption = None,
    comparison: ComparisonOption = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write an extract (.hyper) and a data source (.tds) per table. Needs the extra tableau.

    Example:
      reclens export tableau --workspace my-workspace --out tableau
    """
    from reclens.cli.shared import progress_of
    from reclens.edges.tableau import export_tableau
    from reclens.workspace import Workspace

    with progress_of(quiet=quiet) as progress:
        found = export_tableau(
            Workspace(workspace),
            out,
            evaluations=evaluations,
            comparison=comparison,
            overwrite=force,
            progress=progress,
        )
    _say(found, quiet=quiet)


@command("export looker")
def looker(
    workspace: WorkspaceOption = Folder,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the LookML project.")] = Path("looker"),
    evaluations: EvaluationOption = None,
    comparison: ComparisonOption = None,
    connection: Annotated[str, typer.Option("--connection", help="Name of the connection in Looker.")] = "reclens",
    schema: Annotated[str, typer.Option("--schema", help="Schema that holds the tables.")] = "main",
    database: Annotated[
        Path | None,
        typer.Option("--database", help="Write the tables into this DuckDB file; otherwise they are Parquet files."),
    ] = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a LookML project, and its tables as Parquet files or into a DuckDB file.

    Example:
      reclens export looker --workspace my-workspace --out looker --database reclens.duckdb
    """
    from reclens.cli.shared import progress_of
    from reclens.edges.looker import export_looker
    from reclens.workspace import Workspace

    with progress_of(quiet=quiet) as progress:
        found = export_looker(
            Workspace(workspace),
            out,
            evaluations=evaluations,
            comparison=comparison,
            connection=connection,
            schema=schema,
            database=database,
            overwrite=force,
            progress=progress,
        )
    _say(found, quiet=quiet)


def _say(found: Exported, *, quiet: bool) -> None:
    from reclens.cli.shared import say

    for row in found.to_dicts():
        what = f"{whole(row['rows'])} rows" if row["rows"] else f"no rows: {row['why']}"
        say(f"{row['table']}: {what}", quiet=quiet)
    for file in found.files:
        say(f"written: {file}", quiet=quiet)
