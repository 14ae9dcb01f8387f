"""``reclens tune``: search hyper-parameters on the validation part, with an equal budget for every model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reclens.cli.reading import NOTHING, reads
from reclens.cli.registry import command
from reclens.cli.shared import Format, FormatOption, QuietOption, SeedOption, WorkspaceOption, writable
from reclens.cli.track import TrackOption
from reclens.cli.track import track as copy
from reclens.data.read.request import Reading
from reclens.report._toolkit.format import typed

if TYPE_CHECKING:
    from reclens.data.split import Split
    from reclens.engine import Progress
    from reclens.tuning import Tuning
    from reclens.tuning.search import Search
    from reclens.workspace import Workspace

__all__ = ["tune"]


@command("tune")
@reads(data="data")
def tune(
    model: Annotated[list[str], typer.Option("--model", "-m", help="Model or baseline to tune; can be repeated.")],
    data: Annotated[
        str | None, typer.Option("--data", "-d", help="Data, which is split at random; synthetic data if omitted.")
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", help="Split of the workspace with a validation part, instead of --data.")
    ] = None,
    reading: Reading = NOTHING,
    metric: Annotated[str, typer.Option("--metric", help="Metric to optimise, as ndcg@10.")] = "ndcg@10",
    method: Annotated[str, typer.Option("--method", help="random or halving.")] = "random",
    trials: Annotated[int, typer.Option("--trials", min=1, help="Budget of each model, in full fits.")] = 20,
    seconds: Annotated[float | None, typer.Option("--seconds", help="Time limit of each model.")] = None,
    range_: Annotated[
        list[str] | None,
        typer.Option("--range", help="Range of a hyper-parameter, as ease.l2=1:1e5 or item_knn.weighting=none,bm25."),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Name of the search in the workspace.")] = "tuning",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", callback=writable, help="Write the best configurations as TOML.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing search of that name.")] = False,
    show_trials: Annotated[bool, typer.Option("--show-trials", help="Print every trial instead of the best.")] = False,
    workspace: WorkspaceOption = Path("workspace"),
    track: TrackOption = None,
    seed: SeedOption = 0,
    format: FormatOption = Format.table,
    quiet: QuietOption = False,
) -> None:
    """Search hyper-parameters with an equal budget for every model, and report which may be under-tuned.

    All values are measured on the validation part. [bold]--data[/bold] is split at random, 80 : 10 : 10 of each user's
    interactions, and the split is saved under the name of the search, so that the test part can be used once, at the
    end. The same command resumes a search that was killed.

    Examples:
      reclens tune --data ml-100k.zip -m popular -m item_knn -m ease --trials 20

      reclens tune --data ml-100k.zip -m item_knn -m ease --method halving --name first --out best.toml
    """
    from reclens import kernels
    from reclens.cli.option_names import as_option
    from reclens.cli.shared import emit, pairs, progress_of, say, table_of
    from reclens.files import write_text
    from reclens.models._core import kernels as _loops  # noqa: F401 # pyright: ignore[reportUnusedImport] - so that its loops are prepared before they are timed
    from reclens.report.evaluation.tuning import cautions_in_words
    from reclens.report.evaluation.tuning_words import note_texts
    from reclens.tuning.ranges import spaces_of
    from reclens.tuning.tune import plan_search
    from reclens.workspace import Workspace

    place = Workspace(workspace)
    place.expect_free("tuning", name, overwrite=True)  # resume the search of that name
    made = _split(place, data, split, name, reading, seed=seed, overwrite=overwrite)
    search = plan_search(
        made,
        model,
        metric=metric,
        method=method,
        trials=trials,
        seconds=seconds,
        spaces=spaces_of(pairs(range_, option="--range")),
        rng=seed,
    )
    if split is None and not _keeps(place, name, made):
        place.save(made, name, overwrite=overwrite)
    with progress_of(quiet=quiet) as progress:
        kernels.warm_up(progress)
        found = _run(place, search, name, overwrite=overwrite, progress=progress)
    copy(track, found, name=name, quiet=quiet)
    rows = found.trial_dicts() if show_trials else found.to_dicts()
    if format in (Format.table, Format.md):
        rows = [_trial_in_words(row) if show_trials else _best_in_words(row) for row in rows]
    title = f"{found.metric} on the validation part, {method} search"
    emit(table_of(title, rows), format=format, out=None, synthetic=bool(found.card.get("synthetic")), quiet=quiet)
    for note in note_texts(found):
        say(note, quiet=quiet)
    for line in cautions_in_words(found, named=as_option):
        say(f"- {line}", quiet=quiet)
    job = found.to_toml(data=reading.to_settings(), split=None if split is None else {"kept": split})
    if out is None:
        say(f"\nfor a job, as of reclens run:\n\n{job}", quiet=quiet)
    else:
        write_text(out, job)
        say(f"best configurations: {out}", quiet=quiet)
    say(f"kept in {workspace / 'tuning' / name}", quiet=quiet)


def _split(
    place: Workspace, data: str | None, split: str | None, name: str, reading: Reading, *, seed: int, overwrite: bool
) -> Split:
    """Return the given split, or a new one with the name of the search."""
    from reclens.data import split as splits
    from reclens.data.read.open import load_data
    from reclens.errors import UsageError, WorkspaceError

    if data is not None and split is not None:
        raise UsageError("--data and --split are both given; give one of them.")
    if split is not None:
        reading.refuse_all("--split holds the data")
        return place.load("split", split)
    made = splits.random(load_data(data, reading, seed=seed), test_share=0.1, validation_share=0.1, rng=seed)
    if not overwrite and name in [each.name for each in place.list("split")] and not _keeps(place, name, made):
        raise WorkspaceError(
            f"the workspace holds another split named '{name}'. Choose another --name, search on it "
            "by --split, or say --overwrite."
        )
    return made


def _keeps(place: Workspace, name: str, made: Split) -> bool:
    """Return whether the workspace has an identical split under that name."""
    kept = name in [each.name for each in place.list("split")]
    return kept and place.load("split", name).card.get("hashes") == made.card.get("hashes")


def _run(place: Workspace, search: Search, name: str, *, overwrite: bool, progress: Progress) -> Tuning:
    """Run a search, resume one, or load the result of a finished one from its journal."""
    import shutil

    journal = place.folder / "tuning" / f".{name}"
    if overwrite:
        shutil.rmtree(journal, ignore_errors=True)
    found = search.run(folder=journal, progress=progress)
    kept = place.load("tuning", name) if name in [each.name for each in place.list("tuning")] else None
    if kept is None or kept.trial_dicts() != found.trial_dicts():
        place.save(found, name, overwrite=kept is not None)
    return found


def _best_in_words(row: dict[str, Any]) -> dict[str, Any]:
    from reclens.report._toolkit.format import format_estimate

    gain = {"gain": row["gain"], "low": row["gain_low"], "high": row["gain_high"]}
    return {
        "model": row["model"],
        row["metric"]: format_estimate(row),
        "default": row["default"],
        "gain": None if row["gain"] is None else format_estimate(gain, value="gain", signed=True),
        "optimism": row["optimism"],
        "configurations": row["configurations"],
        "full fits": row["spent"],
        "seconds": row["seconds"],
        "cautions": row["cautions"],
        "parameters": _in_words(row["parameters"]),
    }


def _trial_in_words(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"parameters": _in_words(row["parameters"])}


def _in_words(parameters: dict[str, Any]) -> str:
    return (
        ", ".join(
            f"{name}={typed(value)}" if isinstance(value, float) else f"{name}={value}"
            for name, value in parameters.items()
        )
        or "–"
    )
