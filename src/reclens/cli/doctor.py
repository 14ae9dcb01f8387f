"""``reclens doctor``: check the installation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from reclens.cli.registry import command
from reclens.cli.shared import Format, FormatOption, WorkspaceOption
from reclens.cli.unused_options import expect_workspace
from reclens.report._toolkit.format import decimal, whole

__all__ = ["doctor"]


@command("doctor")
def doctor(workspace: WorkspaceOption = Path("workspace"), format: FormatOption = Format.table) -> None:
    """Check versions, compiled code, threads and the workspace, and remove partial output of killed runs.

    Exit status 1 if something is wrong.
    """
    import os
    import time

    from reclens import kernels
    from reclens.cli.shared import emit, progress_of, table_of
    from reclens.engine import LocalEngine
    from reclens.evaluation import run as _run  # noqa: F401 # pyright: ignore[reportUnusedImport] - the kernels of the metrics
    from reclens.models._core import kernels as _loops  # noqa: F401 # pyright: ignore[reportUnusedImport] - the kernels of the models
    from reclens.schema import versions

    if workspace.exists():
        expect_workspace(workspace)
    rows = [{"check": name, "result": version, "well": True} for name, version in versions().items()]
    started = time.monotonic()
    with progress_of(quiet=False) as progress:
        compiled = kernels.warm_up(progress)
    took = f"{decimal(time.monotonic() - started, 1)} s"
    rows.append(
        {"check": "compiled loops", "result": f"{compiled} compiled now, the rest cached; {took}", "well": True}
    )
    rows.append({"check": "threads", "result": str(LocalEngine().threads), "well": True})
    place = workspace if workspace.exists() else workspace.absolute().parent
    writable = os.access(place, os.W_OK)
    rows.append(
        {"check": "workspace", "result": f"{workspace} {'can' if writable else 'cannot'} be written", "well": writable}
    )
    if workspace.exists():
        rows += _tidied(workspace)
    emit(table_of("Doctor", rows), format=format, out=None)
    if not all(row["well"] for row in rows):
        raise typer.Exit(1)


def _tidied(folder: Path) -> list[dict[str, Any]]:
    """Remove partial output of killed runs, and report the contents of the trash."""
    from reclens.errors import RecLensError
    from reclens.workspace import Workspace

    what = "temporary folders of killed runs"
    try:
        place = Workspace(folder)
        drafts, lying = place.clean().drafts, place.trash()
    except RecLensError as error:
        return [{"check": what, "result": str(error), "well": False}]
    size = sum(each.bytes for each in lying)
    return [
        {
            "check": what,
            "result": f"{whole(drafts.count)} found and removed, {whole(drafts.bytes)} bytes",
            "well": True,
        },
        {"check": "trash", "result": f"{whole(len(lying))} copies, {whole(size)} bytes", "well": True},
    ]
