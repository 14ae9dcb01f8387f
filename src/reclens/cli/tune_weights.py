"""Choose the weights of a weighted hybrid on the validation part."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from reclens.cli.bundles import OUTPUT, Output
from reclens.cli.registry import command
from reclens.cli.shared import SeedOption, WorkspaceOption
from reclens.errors import UsageError
from reclens.report._toolkit.format import significant

__all__ = ["tune_weights"]


@command("tune-weights")
def tune_weights(
    config: Annotated[
        Path,
        typer.Argument(help='TOML file of the hybrid, as of reclens fit: model = "weighted_hybrid" and its models.'),
    ],
    split: Annotated[str, typer.Option("--split", help="Split of the workspace with a validation part.")],
    metric: Annotated[str, typer.Option("--metric", help="Metric to optimise, as ndcg@10.")] = "ndcg@10",
    search: Annotated[str, typer.Option("--search", help="grid or random.")] = "grid",
    step: Annotated[float, typer.Option("--step", help="Step of the grid; 1 must be a multiple of it.")] = 0.1,
    draws: Annotated[int, typer.Option("--draws", min=0, help="Number of random points.")] = 50,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Name of the weights and the fitted hybrid; by default that of the file."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing artefacts of that name.")] = False,
    workspace: WorkspaceOption = Path("workspace"),
    seed: SeedOption = 0,
    output: Output = OUTPUT,
) -> None:
    """Select the weights of a weighted hybrid on validation data, and save the hybrid.

    Every model is fitted once, on the training part. The table is the validation curve, with the chosen weights first.
    The validation value of the best weights is too optimistic: measure the test part with [bold]reclens
    recommend[/bold] and [bold]reclens evaluate[/bold].

    Example:
      reclens tune-weights blend.toml --split demo --step 0.25
    """
    from reclens import models
    from reclens.cli.shared import prepare, progress_of, table_of
    from reclens.settings import read_toml
    from reclens.tuning import tune_weights as choose
    from reclens.workspace import Workspace

    about = {"model": config.stem, **read_toml(config)}
    hybrid = models.build(str(about["model"]), about)
    if not isinstance(hybrid, models.WeightedHybrid):
        raise UsageError(f'{config} is of a {hybrid.name}. Give it model = "weighted_hybrid" and its models.')
    place, label = Workspace(workspace), name or config.stem
    for kind in ("weights", "model"):
        place.expect_free(kind, label, overwrite=overwrite)
    made = place.load("split", split)
    if made.validation is None:
        raise UsageError(f"the split '{split}' has no validation part. Split again, with one.")
    how: dict[str, Any] = {"metric": metric, "search": search, "step": step, "draws": draws}
    with progress_of(quiet=output.quiet) as progress:
        prepare(progress, "models", "stats", quiet=output.quiet)
        found = choose(
            hybrid.models, made.train, made.validation, scale=hybrid.scale, rng=seed, progress=progress, **how
        )
    shares = ", ".join(f"{part} {significant(share)}" for part, share in found.weights.items())
    output.say(f"weights: {shares}; {found.metric} {found.value} on the validation part")
    output.say(f"against {found.single} alone: {found.gain}")
    output.say(f"kept in {place.save(found, label, overwrite=overwrite)}")
    output.say(f"kept in {place.save(found.model, label, overwrite=overwrite)}")
    curve = sorted(found.curve, key=lambda point: dict(point.weights) != dict(found.weights))
    rows = [row for point in curve for row in point.to_dicts()]
    output.emit(table_of(f"{found.metric} by weights", rows), synthetic=bool(found.card.get("synthetic")))
