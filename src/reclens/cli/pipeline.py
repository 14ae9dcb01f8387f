"""Fit, trace, measure and draw staged recommenders."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reclens.cli.bundles import OUTPUT, Output
from reclens.cli.reading import NOTHING, load_training, reads
from reclens.cli.registry import command
from reclens.cli.serving import (
    CandidatesOption,
    ColdUsersOption,
    ExcludeOption,
    HistoryModeOption,
    HistoryOption,
    told_and_limits,
    wanted_users,
)
from reclens.cli.shared import (
    Format,
    FormatOption,
    HtmlOption,
    OutOption,
    QuietOption,
    SeedOption,
    WorkspaceOption,
)
from reclens.cli.track import TrackOption, track_training
from reclens.cli.unused_options import known_id, refuse_unused
from reclens.data.read.open import load_data, load_truth
from reclens.data.read.request import Reading

if TYPE_CHECKING:
    from reclens.data.dataset import Dataset
    from reclens.pipeline import Pipeline

__all__ = ["Drawing", "diagram", "evaluate", "fit", "list_rerankers", "recommend", "trace"]

NameArgument = Annotated[str, typer.Argument(help="Name of a pipeline in the workspace.")]
SplitOption = Annotated[str | None, typer.Option("--split", help="A split of the workspace.")]


class Drawing(StrEnum):
    """Format of a diagram."""

    mermaid = "mermaid"
    svg = "svg"


@command("pipeline rerankers")
def list_rerankers(format: FormatOption = Format.table, out: OutOption = None) -> None:
    """List the re-rankers, one per line."""
    from reclens.cli.shared import emit, table_of
    from reclens.pipeline import rerank

    rows = [{"kind": kind, "what it does": rerank.describe(kind)} for kind in rerank.kinds()]
    emit(table_of("Re-rankers", rows), format=format, out=out)


@command("pipeline fit")
@reads(data="data")
def fit(
    ctx: typer.Context,
    config: Annotated[Path, typer.Argument(help="TOML file of the pipeline; docs/pipeline.md describes it.")],
    data: Annotated[str | None, typer.Option("--data", "-d", help="Training data; synthetic data if omitted.")] = None,
    split: SplitOption = None,
    reading: Reading = NOTHING,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the pipeline; by default that of the file.")
    ] = None,
    workspace: WorkspaceOption = Path("workspace"),
    seed: SeedOption = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing pipeline of that name.")] = False,
    track: TrackOption = None,
    quiet: QuietOption = False,
) -> None:
    """Fit every stage of a pipeline and save it in the workspace.

    Example:
      reclens pipeline fit shop.toml --data ml-100k.zip
    """
    from reclens.cli.shared import progress_of, say, say_origin
    from reclens.data.origin import says_synthetic
    from reclens.pipeline import Pipeline
    from reclens.workspace import Workspace

    if split is not None:
        refuse_unused(ctx, "with --split, whose training part is learned from", "data")
    made = Pipeline.from_toml(config)
    place = Workspace(workspace)
    place.expect_free("pipeline", name or made.name, overwrite=overwrite)
    with progress_of(quiet=quiet) as progress:
        progress("read what to learn from", 0, 0)
        train = load_training(place, data, split, reading, seed=seed)
        started = monotonic()
        made.fit(train, progress=progress)
        seconds = monotonic() - started
    say(f"kept in {place.save(made, name or made.name, overwrite=overwrite)}", quiet=quiet)
    say_origin(synthetic=says_synthetic(made.train_), quiet=quiet)
    track_training(track, made, name=name or made.name, seconds=seconds, quiet=quiet)


@command("pipeline recommend")
@reads(attributes=False, exclude="exclude", candidates="candidates", history="history")
def recommend(
    ctx: typer.Context,
    pipeline: NameArgument,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Length of the lists.")] = 10,
    user: Annotated[list[str] | None, typer.Option("--user", "-u", help="User id; by default all known users.")] = None,
    exclude: ExcludeOption = None,
    candidates: CandidatesOption = None,
    history: HistoryOption = None,
    history_mode: HistoryModeOption = "add",
    cold_users: ColdUsersOption = "popular",
    reading: Reading = NOTHING,
    keep: Annotated[str | None, typer.Option("--keep", help="Name to save the lists under in the workspace.")] = None,
    workspace: WorkspaceOption = Path("workspace"),
    output: Output = OUTPUT,
) -> None:
    """Recommend with a fitted pipeline.

    Examples:
      reclens pipeline recommend shop --user 42

      reclens pipeline recommend shop --history today.csv --exclude sold-out.csv
    """
    from reclens.cli.shared import progress_of, table_of
    from reclens.data.origin import says_synthetic
    from reclens.workspace import Workspace

    place = Workspace(workspace)
    if keep:
        place.expect_free("run", keep)
    fitted = place.load("pipeline", pipeline)
    files = {"exclude": exclude, "candidates": candidates, "history": history}
    told, limits, rules = told_and_limits(ctx, fitted, files, None, reading)
    wanted = wanted_users(user, fitted.users_.ids, told, strangers=True)
    how: dict[str, Any] = {"history": told, "history_mode": history_mode, "cold_users": cold_users, **limits}
    with progress_of(quiet=output.quiet) as progress, _rules_are_said():
        lists = fitted.recommend(wanted, k=k, progress=progress, **how)
    _say_rules({"rules": rules}, quiet=output.quiet)
    _say_rules(lists.card, quiet=output.quiet)
    if keep:
        output.say(f"kept in {place.save(lists, keep)}")
    if not keep or user or output.out is not None:
        output.emit(table_of(f"{lists.name}, top {k}", lists.to_dicts()), synthetic=says_synthetic(fitted.train_))


@command("pipeline trace")
@reads(attributes=False, history="history")
def trace(
    ctx: typer.Context,
    pipeline: NameArgument,
    user: Annotated[str, typer.Argument(help="User id.")],
    item: Annotated[list[str] | None, typer.Option("--item", "-i", help="Item id; can be repeated.")] = None,
    split: Annotated[
        str | None, typer.Option("--split", help="Trace the user's items in the test part of this split.")
    ] = None,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Length of the list.")] = 10,
    history: HistoryOption = None,
    history_mode: HistoryModeOption = "add",
    reading: Reading = NOTHING,
    workspace: WorkspaceOption = Path("workspace"),
    format: FormatOption = Format.table,
    out: OutOption = None,
) -> None:
    """Show at which stage items were lost for one user; all candidates without --item or --split.

    For a user of the training data without candidates, the reason is shown for each retriever.

    Example:
      reclens pipeline trace shop 42 --split demo
    """
    import polars as pl

    from reclens.cli.shared import emit, say, table_of
    from reclens.data.origin import says_synthetic
    from reclens.report.pipeline.trace_words import retrieved_line, trace_rows
    from reclens.workspace import Workspace

    place = Workspace(workspace)
    fitted = place.load("pipeline", pipeline)
    told, _, rules = told_and_limits(ctx, fitted, {"history": history}, None, reading)
    (who,) = wanted_users([user], fitted.users_.ids, told, strangers=True)
    items = [known_id("item", each, fitted.items_.ids) for each in item] if item else None
    if split is not None:
        test = place.load("split", split).test
        items = [*(items or []), *test.filter(pl.col("user_id") == who)["item_id"]]
    found = fitted.trace(who, items, k=k, history=told, history_mode=history_mode)
    _say_rules({"rules": rules}, quiet=False)
    if not found.candidates:
        say(f"user {user} is in the training data, and no retriever has a candidate:")
    for each in found.retrievers:
        say(f"- {retrieved_line(each)}")
    heads = [*(name for name in found.table.columns if not name.startswith("whole: ")), "why"]
    shown = table_of(f"The way of items to user {user}", trace_rows(found), columns=heads)
    emit(shown, format=format, out=out, synthetic=says_synthetic(fitted.train_))


@command("pipeline evaluate")
@reads(truth="truth", train="train")
def evaluate(
    ctx: typer.Context,
    pipeline: NameArgument,
    split: SplitOption = None,
    truth: Annotated[str | None, typer.Option("--truth", help="Held-out interactions.")] = None,
    train: Annotated[str | None, typer.Option("--train", help="Training data, with --truth.")] = None,
    reading: Reading = NOTHING,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Length of the lists.")] = 10,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", "-m", help="Metric, as ndcg@10; the first is the primary one.")
    ] = None,
    by: Annotated[list[str] | None, typer.Option("--by", help="Segmentation; can be repeated.")] = None,
    requests: Annotated[
        int, typer.Option("--requests", min=0, help="Number of users to time, one at a time; 0 for none.")
    ] = 100,
    keep: Annotated[
        str | None, typer.Option("--keep", help="Keep the evaluation of the final lists in the workspace.")
    ] = None,
    html: HtmlOption = None,
    workspace: WorkspaceOption = Path("workspace"),
    seed: SeedOption = 0,
    output: Output = OUTPUT,
) -> None:
    """Evaluate every stage: the retrieval loss, the loss of the ranker and of each re-ranker, and the time.

    The ranker is compared with plain fusion of the same candidates; a warning says if it is worse.

    Example:
      reclens pipeline evaluate shop --split demo --by activity --html shop.html
    """
    from reclens.cli.shared import progress_of
    from reclens.errors import UsageError
    from reclens.evaluation.argument_checks import check_asked
    from reclens.pipeline.latency import measure_latency, warm_up
    from reclens.pipeline.stage_losses import evaluate_stages
    from reclens.report.pipeline.report import build_pipeline_report, loss_table, ranker_in_words
    from reclens.workspace import Workspace

    place = Workspace(workspace)
    if keep:
        place.expect_free("evaluation", keep)
    if metric:
        check_asked(metric)
    fitted = place.load("pipeline", pipeline)
    if split is not None:
        refuse_unused(ctx, "with --split, which holds truth and training data", "truth", "train")
        reading.refuse_all("--split holds the data")
        made = place.load("split", split)
        learned, held_out, users = made.train, made.test, made.test_users
    elif truth is not None and train is not None:
        learned, held_out = load_data(train, reading, table="train"), load_truth(truth, reading)[0]
        users = held_out["user_id"].unique().sort()
    else:
        raise UsageError("there is nothing to hold the lists against: pass --split NAME, or --truth and --train.")
    learned = _with_segments(learned, by or [])
    with progress_of(quiet=output.quiet) as progress, _rules_are_said():
        warm_up(fitted, users, k=k)
        run = fitted.run(users, k=k, progress=progress)
        found = evaluate_stages(run, held_out, train=learned, metrics=metric, by=by or (), rng=seed, progress=progress)
        latency = (
            ()
            if requests < 1
            else measure_latency(
                fitted, users, k=k, n=requests, segments=learned.segments, by=by or (), rng=seed, progress=progress
            )
        )
    _say_rules(run.final.card, quiet=output.quiet)
    for sentence in ranker_in_words(found):
        output.say(sentence)
    if keep:
        output.say(f"kept in {place.save(found.final, keep)}")
    if html is not None:
        output.say(f"report: {build_pipeline_report(found, latency=latency).save(html)}")
    table = loss_table(found, metric=found.losses[0].metric, by=None if by else "overall")
    output.emit(table, synthetic=bool(found.final.card.get("synthetic")))


@command("pipeline diagram")
@reads(attributes=False, data="data")
def diagram(
    ctx: typer.Context,
    pipeline: Annotated[str, typer.Argument(help="Name of a pipeline in the workspace, or its TOML file.")],
    data: Annotated[str | None, typer.Option("--data", "-d", help="Training data for a TOML file.")] = None,
    split: SplitOption = None,
    reading: Reading = NOTHING,
    users: Annotated[int, typer.Option("--users", min=1, help="Number of users for the counts and times.")] = 1000,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Length of the lists.")] = 10,
    format: Annotated[Drawing, typer.Option("--format", "-f", help="Format of the diagram.")] = Drawing.mermaid,
    workspace: WorkspaceOption = Path("workspace"),
    seed: SeedOption = 0,
    out: OutOption = None,
    quiet: QuietOption = False,
) -> None:
    """Draw a pipeline, with items and time per user on the arrows.

    A TOML file is fitted first: on --data, on the training part of --split, or on synthetic data.

    Example:
      reclens pipeline diagram shop --format svg --out shop.svg
    """
    from reclens.cli.shared import progress_of, put, say_origin
    from reclens.data.origin import says_synthetic
    from reclens.pipeline.latency import warm_up
    from reclens.report.pipeline.diagram import pipeline_mermaid, pipeline_svg
    from reclens.workspace import Workspace

    place = Workspace(workspace)
    with progress_of(quiet=quiet) as progress, _rules_are_said():
        if Path(pipeline).suffix != ".toml":
            refuse_unused(ctx, "with a pipeline that is fitted", "data", "split")
        fitted = _fitted(place, pipeline, data, split, reading, seed, progress)
        served = fitted.users_.ids.head(users)
        warm_up(fitted, served, k=k)
        run = fitted.run(served, k=k, progress=progress)
    draw = pipeline_mermaid if format is Drawing.mermaid else pipeline_svg
    text = draw(run.to_dicts(), k=k)
    put(text, out)
    say_origin(synthetic=says_synthetic(fitted.train_), quiet=quiet)


@contextmanager
def _rules_are_said() -> Generator[None]:
    """Suppress Python's warning, because the rules and their counts are printed."""
    import warnings

    from reclens.pipeline import PipelineWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PipelineWarning)
        yield


def _say_rules(card: Mapping[str, Any], *, quiet: bool) -> None:
    from reclens.cli.shared import say
    from reclens.report.pipeline.words import rule_line

    for rule in card["rules"]:
        say(rule_line(rule), quiet=quiet)


def _fitted(
    place: Any, pipeline: str, data: str | None, split: str | None, reading: Reading, seed: int, progress: Any
) -> Pipeline:
    from reclens.pipeline import Pipeline

    if Path(pipeline).suffix != ".toml":
        reading.refuse_all(f"'{pipeline}' is fitted already")
        return place.load("pipeline", pipeline)
    return Pipeline.from_toml(pipeline).fit(load_training(place, data, split, reading, seed=seed), progress=progress)


def _with_segments(train: Dataset, by: list[str]) -> Dataset:
    """Return the training part with the requested segment columns added."""
    known = [] if train.segments is None else train.segments.columns
    plain = {each: each for each in by if each not in known and not {"×", "*"} & set(each)}
    return train.with_segments(**plain)
