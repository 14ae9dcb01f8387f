"""``reclens dashboard``: start the application for a workspace."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reclens.cli.registry import command
from reclens.cli.shared import QuietOption, WorkspaceOption

if TYPE_CHECKING:
    import subprocess

__all__ = ["dashboard"]


@command("dashboard", serves=True)
def dashboard(
    workspace: WorkspaceOption = Path("workspace"),
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", "-p", help="Port to listen on.")] = 8501,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen without a login on an address that others can reach.")
    ] = False,
    public_url: Annotated[
        str | None,
        typer.Option("--public-url", help="Public address behind a reverse proxy: https://example.org/team."),
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
    quiet: QuietOption = False,
) -> None:
    """Open the dashboard of a workspace. Needs the extra dashboard.

    By default it only listens on the local machine. Other addresses need a login (OpenID Connect) or --insecure.

    Example:
      reclens dashboard --workspace my-workspace --port 8600
    """
    from reclens.cli.shared import say
    from reclens.dashboard import plan_launch

    plan = plan_launch(workspace, host=host, port=port, insecure=insecure, browser=browser, public_url=public_url)
    say(f"dashboard of {workspace}: {plan.url} ({plan.note}; stop with Ctrl+C)", quiet=quiet)
    raise typer.Exit(_serve(plan.command))


def _serve(command: Sequence[str]) -> int:
    """Run the server until it or this process ends. A signal to this process stops the server and frees the port."""
    import signal
    import subprocess
    from types import FrameType

    with subprocess.Popen(command) as server:  # noqa: S603 - made by plan_launch
        told: list[int] = []

        def end(number: int, frame: FrameType | None) -> None:
            told.append(number)
            server.terminate()

        for name in ("SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), end)
        try:
            code = _ended(server)
            # The shell's exit status for a signal; the server itself may exit with 0 once it has its own handler.
            return 128 + told[0] if told else 128 - code if code < 0 else code
        except KeyboardInterrupt:
            _ended(server)  # Ctrl-C reached the server too
            return 130
        finally:
            server.terminate()


def _ended(server: subprocess.Popen[bytes]) -> int:
    """Wait for the server and return its exit status, in short waits: an unlimited wait can delay signals."""
    import subprocess

    while True:
        with suppress(subprocess.TimeoutExpired):
            return server.wait(timeout=0.5)
