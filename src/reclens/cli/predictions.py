"""``reclens predict``, ``reclens evaluate-predictions``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reclens.cli.bundles import OUTPUT, Output
from reclens.cli.reading import NOTHING, reads
from reclens.cli.registry import command
from reclens.cli.shared import SeedOption, WorkspaceOption
from reclens.cli.unused_options import refuse_unused
from reclens.data.read.request import Reading
from reclens.report._toolkit.format import whole

__all__ = ["evaluate_predictions", "predict"]


@command("predict")
@reads(attributes=False, pairs="pairs")
def predict(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(help="Name of a model in the workspace, fitted with feedback=explicit.")],
    split: Annotated[str | None, typer.Option("--split", help="Predict the test part of this split.")] = None,
    pairs: Annotated[str | None, typer.Option("--pairs", help="Pairs user_id, item_id: CSV or Parquet.")] = None,
    reading: Reading = NOTHING,
    fallback: Annotated[
        str, typer.Option("--fallback", help="Prediction of a pair without neighbours: mean, or none.")
    ] = "mean",
    clip: Annotated[
        bool, typer.Option("--clip/--no-clip", help="Clip predictions to the range of the training ratings.")
    ] = True,
    workspace: WorkspaceOption = Path("workspace"),
    output: Output = OUTPUT,
) -> None:
    """Predict the ratings of user-item pairs.

    Examples:
      reclens fit item_knn --split s -p feedback=explicit

      reclens predict item_knn --split s --format csv --out predictions.csv
    """
    from reclens.cli.shared import prepare, progress_of, table_of
    from reclens.data.origin import says_synthetic
    from reclens.data.read.open import load_truth
    from reclens.errors import UsageError
    from reclens.workspace import Workspace

    if (split is None) == (pairs is None):
        raise UsageError("name what to predict: --split NAME for its test part, or --pairs FILE; one of them.")
    if split is not None:
        refuse_unused(ctx, "with --split: no file is read", "column", "read")
    place = Workspace(workspace)
    fitted = place.load("model", model)
    if split is not None:
        reading.refuse_all("--split holds what is predicted")
        asked = place.load("split", split).test
    else:
        asked = load_truth(str(pairs), reading, table="pairs")[0]
    with progress_of(quiet=output.quiet) as progress:
        prepare(progress, "models", quiet=output.quiet)
        found = fitted.predict(asked, fallback=fallback, clip=clip, progress=progress)
    for reason, count in found["fallback"].drop_nulls().value_counts(sort=True).iter_rows():
        output.say(f"{reason}: {whole(count)} of {whole(found.height)} pairs")
    columns = ["user_id", "item_id", *(["rating"] if "rating" in found.columns else []), "prediction", "neighbors"]
    rows = found.select(*columns, "fallback").to_dicts()
    shown = table_of(f"Predictions of {model}", rows, columns=[*columns, "fallback"])
    output.emit(shown, synthetic=says_synthetic(fitted.train_))


@command("evaluate-predictions")
@reads(attributes=False, predictions="predictions", truth="truth")
def evaluate_predictions(
    ctx: typer.Context,
    predictions: Annotated[str, typer.Argument(help="user_id, item_id, prediction: CSV or Parquet of any system.")],
    truth: Annotated[
        str | None,
        typer.Option("--truth", "-t", help="True ratings; by default the column rating of the predictions."),
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", help="Split of the workspace, for truth and training data.")
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", "-m", help="rmse, mae, user_rmse or user_mae; all by default.")
    ] = None,
    by: Annotated[list[str] | None, typer.Option("--by", help="Segmentation of the split.")] = None,
    reading: Reading = NOTHING,
    level: Annotated[float, typer.Option("--level", help="Confidence level.")] = 0.95,
    name: Annotated[str | None, typer.Option("--name", help="Name of the system; by default that of the file.")] = None,
    workspace: WorkspaceOption = Path("workspace"),
    seed: SeedOption = 0,
    output: Output = OUTPUT,
) -> None:
    """Evaluate predicted ratings: RMSE and MAE over ratings, and over users.

    Example:
      reclens evaluate-predictions predictions.csv --truth test.csv -m rmse -m mae
    """
    from reclens.cli.shared import table_of
    from reclens.data.read.ids import ids_as
    from reclens.data.read.open import load_truth
    from reclens.evaluation import evaluate_predictions as measure
    from reclens.metrics import OF_PREDICTIONS
    from reclens.workspace import Workspace

    if split is None:
        refuse_unused(ctx, "without --split, which holds the segments", "by")
    rows = load_truth(predictions, reading, table="predictions")[0]
    train, held_out = None, None
    if split is not None:
        made = Workspace(workspace).load("split", split)
        train, held_out = made.train, made.test
        train, held_out = train.with_ids(reading.ids), ids_as(held_out, reading.ids)
    if train is not None and by:
        absent = [each for each in by if train.segments is None or each not in train.segments.columns]
        train = train.with_segments(**{each: each for each in absent if not {"×", "*"} & set(each)})
    if truth is not None:
        held_out = load_truth(truth, reading)[0]
    found = measure(
        rows,
        held_out,
        train=train,
        metrics=metric or list(OF_PREDICTIONS),
        by=by or (),
        level=level,
        rng=seed,
        name=name or Path(predictions).stem,
    )
    left_out = found.card["ratings_without_prediction"]
    if left_out:
        output.say(f"ratings without a prediction, left out: {whole(left_out)}")
    for reason, count in found.card.get("fallbacks", {}).items():
        output.say(f"predicted by {reason}: {whole(count)} of {whole(found.card['n_ratings'])}")
    output.emit(table_of(found.system, found.to_dicts()), synthetic=bool(found.card.get("synthetic")))
