"""``--track``, and ``reclens track-sync``: copies of results at a tracker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reclens.cli.registry import command
from reclens.cli.shared import QuietOption

if TYPE_CHECKING:
    from reclens.job.track import Trackable

__all__ = ["TrackOption", "track", "track_sync"]


def _checked(address: str | None) -> str | None:
    """The address; raises an error before any work is done if there is no such tracker."""
    if address is not None:
        from reclens.protocols import Tracker, adapter

        adapter(address, Tracker)
    return address


TrackOption = Annotated[
    str | None,
    typer.Option(
        "--track", callback=_checked, help="Copy the numbers to a tracker, as wandb:PROJECT (offline by default)."
    ),
]


def track(address: str | None, result: Trackable, *, name: str, files: Sequence[Path] = (), quiet: bool) -> None:
    """Copy a result to the tracker of ``--track``, if there is one."""
    if address is None:
        return
    from reclens.cli.shared import say, working
    from reclens.job.track import track as copy

    with working(f"track {address}", quiet=quiet):
        copy(address, result, name=name, files=files)
    say(f"tracked: {address}, run {name}", quiet=quiet)


@command("track-sync")
def track_sync(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs, as wandb/offline-run-…", exists=True)],
    timeout: Annotated[float, typer.Option("--timeout", min=1, help="Seconds that it may take.")] = 120.0,
    quiet: QuietOption = False,
) -> None:
    """Send runs that --track wrote offline to Weights & Biases.

    The key stands in the environment, as WANDB_API_KEY.

    Example:
      reclens track-sync wandb/offline-run-* --timeout 60
    """
    from reclens.cli.shared import say, working
    from reclens.edges.wandb import sync

    with working("send runs to W&B", quiet=quiet):
        sync(runs, seconds=timeout)
    say(f"sent: {len(runs)} {'run' if len(runs) == 1 else 'runs'}", quiet=quiet)
