"""``--track`` and ``reclens track-sync``: copy results to an experiment tracker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reclens.cli.registry import command
from reclens.cli.shared import QuietOption

if TYPE_CHECKING:
    from reclens.job.track import Trackable
    from reclens.models import Recommender
    from reclens.monitor.health import Health
    from reclens.monitor.week import Week
    from reclens.pipeline import Pipeline

__all__ = ["TrackOption", "track", "track_monitor", "track_sync", "track_training"]


def _checked(address: str | None) -> str | None:
    """Return the address; raise an error before any work is done if there is no such tracker."""
    if address is not None:
        from reclens.protocols import Tracker, adapter

        adapter(address, Tracker)
    return address


TrackOption = Annotated[
    str | None,
    typer.Option(
        "--track",
        callback=_checked,
        help="Copy the numbers to a tracker, as wandb:PROJECT (offline by default) or runs:FOLDER.",
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


def track_training(
    address: str | None, model: Recommender | Pipeline, *, name: str, seconds: float, quiet: bool
) -> None:
    """Copy the metadata of a fit to the tracker of ``--track``, if there is one."""
    if address is None:
        return
    from reclens.job.track import Training

    track(address, Training(model=model, seconds=seconds), name=name, quiet=quiet)


def track_monitor(address: str | None, result: Health | Week, *, reports: Sequence[Path] = (), quiet: bool) -> None:
    """Copy a day or a week of a monitor to the tracker of ``--track``, if there is one."""
    if address is None:
        return
    from reclens.cli.shared import say, working
    from reclens.job.track import track_monitor as copy

    with working(f"track {address}", quiet=quiet):
        name = copy(address, result, reports=reports)
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
