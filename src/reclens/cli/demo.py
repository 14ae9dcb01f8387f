"""``reclens demo`` and ``reclens run``: a whole job in one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reclens.cli.bundles import OUTPUT, Output
from reclens.cli.reading import NOTHING, reads
from reclens.cli.registry import command
from reclens.cli.shared import SeedOption, TaskOption, WorkspaceOption
from reclens.cli.track import TrackOption
from reclens.cli.track import track as copy
from reclens.cli.unused_options import refuse_unused
from reclens.data.read.open import translated
from reclens.data.read.request import Reading
from reclens.job.reading import reading_of

if TYPE_CHECKING:
    from reclens.job.settings import JobSettings

__all__ = ["demo", "run"]


@command("demo")
@reads(data="data")
def demo(
    ctx: typer.Context,
    data: Annotated[
        str | None, typer.Option("--data", "-d", help="MovieLens zip or folder, or a table; synthetic data if omitted.")
    ] = None,
    files: Annotated[
        Path | None,
        typer.Option("--files", metavar="FOLDER", help="Only write sample files of every kind to this folder."),
    ] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Add the deep models; needs the extra deep.")] = False,
    reading: Reading = NOTHING,
    task: TaskOption = "new_items",
    workspace: WorkspaceOption = Path("workspace"),
    seed: SeedOption = 0,
    output: Output = OUTPUT,
) -> None:
    """Fit six recommenders, evaluate them by segment, compare them with popular, and write a report.

    Without [bold]--data[/bold] it runs on synthetic data in the shape of MovieLens 100K, clearly labelled, and needs no
    network. The last ten interactions of each user are held out; ties in time are broken by a seeded hash.

    Examples:
      reclens demo

      reclens demo --data ml-100k.zip --workspace my-workspace

      reclens demo --deep

      reclens demo --files samples
    """
    if files is not None:
        refuse_unused(ctx, "with --files", "data", "deep", "task", "workspace", "format", "out")
        reading.refuse_all("sample files are written, and none is read")
        _write_samples(files, seed, output)
        return
    from reclens.job.settings import JobSettings, validate_settings

    content: dict[str, Any] = {"seed": seed, "split": {"task": task}}
    if data is not None:
        content["data"] = {"path": data}
    if deep:
        from reclens.job.deep_demo import deep_models

        content["models"] = {**JobSettings().models, **deep_models()}
    settings = validate_settings(content, source="demo")
    _run(settings, reading, workspace=workspace, output=output)


def _write_samples(folder: Path, seed: int, output: Output) -> None:
    """Write the sample files, and describe each of them."""
    from reclens.cli.shared import put, working
    from reclens.job.samples import SAMPLES, write_samples

    with working("write the sample files", quiet=output.quiet):
        written = write_samples(folder, rng=seed)
    for path in written:
        put(f"{path}: {SAMPLES[path.name]}")
    output.say("Everything in these files is synthetic.")


@command("run")
def run(
    config: Annotated[Path, typer.Argument(help="TOML file of the job; docs/cli.md describes it.")],
    workspace: WorkspaceOption = Path("workspace"),
    track: TrackOption = None,
    output: Output = OUTPUT,
) -> None:
    """Run a job from a TOML file: data, split, segments, models, metrics, comparison, report.

    Example:
      reclens run job.toml --workspace my-workspace
    """
    from reclens.job.settings import load_settings

    settings = load_settings(config)
    with translated("toml"):
        _run(settings, reading_of(settings), workspace=workspace, output=output, track=track)


def _run(settings: JobSettings, reading: Reading, *, workspace: Path, output: Output, track: str | None = None) -> None:
    from reclens.cli.shared import heed, prepare, progress_of
    from reclens.job import run as job
    from reclens.models._core import kernels as _loops  # noqa: F401 # pyright: ignore[reportUnusedImport] - so that its loops are prepared with the others
    from reclens.report import comparison_text, leaderboard
    from reclens.workspace import Workspace

    with progress_of(quiet=output.quiet) as progress:
        found = job.run_job(
            settings,
            reading=reading,
            workspace=Workspace(workspace),
            say=output.say,
            progress=progress,
            before_fit=lambda: prepare(progress, quiet=output.quiet),
        )
    made_up = any(each.card.get("synthetic") for each in found.results.values())
    output.emit(leaderboard(found.results, comparison=found.comparison), synthetic=made_up)
    for sentence in comparison_text(found.comparison) if found.comparison is not None else ():
        output.say(f"- {sentence}")
    output.say(f"report: {found.report}")
    copy(track, found.results, name=settings.name, files=[found.report], quiet=output.quiet)
    heed(found.gate, quiet=output.quiet)
