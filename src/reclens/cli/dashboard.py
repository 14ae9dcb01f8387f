"""``reclens dashboard``: the application over a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reclens.cli.shared import QuietOption, WorkspaceOption

__all__ = ["dashboard"]


def dashboard(
    workspace: WorkspaceOption = Path("workspace"),
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", "-p", help="Port to listen on.")] = 8501,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen on an address others can reach, without a login.")
    ] = False,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
    quiet: QuietOption = False,
) -> None:
    """Open the dashboard of a workspace. Needs the extra dashboard.

    It listens on this machine alone. Another address needs a login (OpenID Connect) or --insecure.

    Example:
      reclens dashboard --workspace my-workspace --port 8600
    """
    import subprocess

    from reclens.cli.shared import say
    from reclens.dashboard import plan_launch

    plan = plan_launch(workspace, host=host, port=port, insecure=insecure, browser=browser)
    say(f"dashboard of {workspace}: {plan.url} ({plan.note}; stop with Ctrl+C)", quiet=quiet)
    raise typer.Exit(subprocess.run(plan.command, check=False).returncode)  # noqa: S603 - made by plan_launch
