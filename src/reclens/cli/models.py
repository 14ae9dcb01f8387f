"""List and describe the recommenders."""

from __future__ import annotations

import warnings
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import typer

from reclens.cli.bundles import OUTPUT, Output
from reclens.cli.reading import NOTHING, reads
from reclens.cli.registry import command
from reclens.cli.serving import (
    CandidatesOption,
    ColdUsersOption,
    ExcludeOption,
    HistoryModeOption,
    HistoryOption,
    is_typed,
    told_and_limits,
    wanted_users,
)
from reclens.cli.shared import Format, FormatOption, OutOption, QuietOption, SeedOption, WorkspaceOption
from reclens.cli.track import TrackOption, track_training
from reclens.cli.unused_options import refuse_unused
from reclens.data.read.request import Reading
from reclens.errors import UsageError

__all__ = ["fit", "list_models", "recommend", "show", "similar"]


@command("models list")
def list_models(format: FormatOption = Format.table, out: OutOption = None) -> None:
    """List the recommenders, one per line."""
    from reclens import models
    from reclens.cli.shared import emit, table_of

    rows = [{"model": name, "what it does": models.describe(name)} for name in models.names()]
    emit(table_of("Recommenders", rows), format=format, out=out)


@command("models show")
def show(name: Annotated[str, typer.Argument(help="Name of the recommender.")]) -> None:
    """Show the description and the hyper-parameters of a recommender."""
    import inspect

    from reclens import models
    from reclens.cli.shared import put
    from reclens.models._core.parameters import defaults_of

    model = models.get(name)
    rules = {key: f"by the data: {rule.formula}" for key, rule in model.automatic.items()}
    parameters = [f"  {key} = {rules.get(key, repr(value))}" for key, value in defaults_of(model).items()]
    put("\n".join([inspect.getdoc(model) or "", "", "Hyper-parameters:", *parameters]))


@command("fit")
@reads(data="data")
def fit(
    ctx: typer.Context,
    model: Annotated[
        str | None, typer.Argument(help="Name of the recommender, see reclens models list; or set it in --config.")
    ] = None,
    data: Annotated[str | None, typer.Option("--data", "-d", help="Training data; synthetic data if omitted.")] = None,
    split: Annotated[str | None, typer.Option("--split", help="Fit to the training part of this split.")] = None,
    reading: Reading = NOTHING,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the fitted model; by default that of the recommender.")
    ] = None,
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="Hyper-parameter, as l2=500.")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="TOML file with hyper-parameters, and model = NAME.")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="Folder for the epochs of a deep model; a killed fit goes on from it."),
    ] = None,
    workspace: WorkspaceOption = Path("workspace"),
    seed: SeedOption = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing model of that name.")] = False,
    track: TrackOption = None,
    quiet: QuietOption = False,
) -> None:
    """Fit a recommender and save it in the workspace.

    [bold]--param[/bold] overrides hyper-parameters of [bold]--config[/bold]. A list or a mapping is written as in TOML.
    If [bold]--split[/bold] has a validation part, a model that is worse than popular there gets a warning.

    Examples:
      reclens fit ease --data ml-100k.zip -p l2=500

      reclens fit --config hybrid.toml --data ml-100k.zip
    """
    from reclens import models
    from reclens.cli.shared import pairs, prepare, progress_of, say, say_origin
    from reclens.data.origin import says_synthetic
    from reclens.data.read.open import load_data
    from reclens.tuning import hold_against_popular
    from reclens.workspace import Workspace

    if split is not None:
        refuse_unused(ctx, "with --split, whose training part is learned from", "data", "column", "read")
        reading.refuse_all("--split holds the data")
    parameters = _read_config(config) if config is not None else {}
    named = parameters.setdefault("model", model)
    if named is None:
        where = f"{config} names no model. Add" if config is not None else "no model is named. Name one, or give"
        raise UsageError(f'{where} model = "…"; see: reclens models list.')
    if model is not None and named != model:
        raise UsageError(f"{config} describes a '{named}', not a '{model}'. Name one of them only.")
    parameters |= {key: _value(value) for key, value in pairs(param, option="--param").items()}
    made = models.build(str(named), parameters)
    if made.extra is None:
        refuse_unused(ctx, f"with '{made.name}', which is not trained in epochs", "checkpoint")
    more: dict[str, Any] = {} if checkpoint is None else {"checkpoint": checkpoint}
    place = Workspace(workspace)
    place.expect_free("model", name or made.name, overwrite=overwrite)
    with progress_of(quiet=quiet) as progress:
        progress("read what to learn from", 0, 1)
        held = None if split is None else place.load("split", split)
        train = load_data(data, reading, seed=seed) if held is None else held.train
        progress("read what to learn from", 1, 1)
        prepare(progress, "models", quiet=quiet)
        started = monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", models.FitWarning)  # said below
            fitted = made.fit(train, progress=progress, **more)
        seconds = monotonic() - started
        if held is not None:
            hold_against_popular(fitted, held)
    from reclens.report import fit_problems

    for line in fit_problems(fitted.name, [asdict(each) for each in fitted.problems_]):
        say(line, quiet=quiet)
    path = place.save(fitted, name or made.name, overwrite=overwrite)
    say(f"kept in {path}", quiet=quiet)
    say_origin(synthetic=says_synthetic(fitted.train_), quiet=quiet)
    track_training(track, fitted, name=name or made.name, seconds=seconds, quiet=quiet)


@command("recommend")
@reads(attributes=False, exclude="exclude", candidates="candidates", history="history")
def recommend(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(help="Name of a fitted model in the workspace.")],
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Length of the lists.")] = 10,
    user: Annotated[list[str] | None, typer.Option("--user", "-u", help="User id; by default all known users.")] = None,
    split: Annotated[
        str | None,
        typer.Option(
            "--split", help="Recommend to the test users of this split, with their fold-in history if it has one."
        ),
    ] = None,
    seen: Annotated[
        bool | None,
        typer.Option(
            "--seen/--no-seen",
            help="Whether to recommend items of the user's training data too; by default as in the "
            "task of --split; without a split, no.",
        ),
    ] = None,
    exclude: ExcludeOption = None,
    candidates: CandidatesOption = None,
    history: HistoryOption = None,
    history_mode: HistoryModeOption = "add",
    cold_users: ColdUsersOption = "popular",
    reading: Reading = NOTHING,
    explain: Annotated[bool, typer.Option("--explain", help="Add an explanation for each item.")] = False,
    keep: Annotated[str | None, typer.Option("--keep", help="Name to save the lists under in the workspace.")] = None,
    workspace: WorkspaceOption = Path("workspace"),
    output: Output = OUTPUT,
) -> None:
    """Recommend with a fitted model; an [bold]--out[/bold] file with the suffix .run is a TREC run.

    Examples:
      reclens recommend ease --user 42 --explain

      reclens recommend ease -k 100 --out ease.run

      reclens recommend ease --history today.csv --exclude sold-out.csv
    """
    from reclens.cli.shared import prepare, progress_of, say_origin, table_of
    from reclens.data.origin import says_synthetic
    from reclens.data.read.trec import write_run
    from reclens.workspace import Workspace

    to_run = output.out is not None and output.out.suffix in (".run", ".trec")
    if to_run or (keep and not user and output.out is None):
        refuse_unused(ctx, "where the lists are written as a TREC run, or kept and not shown", "explain", "format")
    place = Workspace(workspace)
    if keep:
        place.expect_free("run", keep)
    fitted = place.load("model", model)
    made = None if split is None else place.load("split", split)
    if not fitted.is_personalized:
        refuse_unused(ctx, f"with '{model}', which serves every user alike", "cold_users")
    files = {"exclude": exclude, "candidates": candidates, "history": history}
    told, limits, rules = told_and_limits(ctx, fitted, files, made, reading)
    strangers = not fitted.is_personalized or (is_typed(ctx, "cold_users") and not explain)
    wanted = wanted_users(user, fitted.users_.ids, told, strangers=strangers)
    wanted = wanted or (None if made is None else made.test_users)
    exclude_seen = not seen if seen is not None else made is None or made.exclude_seen
    with progress_of(quiet=output.quiet) as progress:
        prepare(progress, "models", quiet=output.quiet)
        lists = fitted.recommend(
            wanted,
            k=k,
            exclude_seen=exclude_seen,
            history=told,
            history_mode=history_mode,
            cold_users=cold_users,
            progress=progress,
            **limits,
        )
    if keep:
        output.say(f"kept in {place.save(lists, keep)}")
    from reclens.report import explanation_text
    from reclens.report.data.words import rule_line

    for rule in (*rules, *lists.card["rules"]):
        output.say(rule_line(rule))
    if output.out is not None and to_run:
        write_run(lists, output.out)
        say_origin(synthetic=says_synthetic(lists.card), quiet=output.quiet)
        return
    rows, how = lists.to_dicts(), {"history": told, "history_mode": history_mode}
    if explain:
        rows = [row | {"why": explanation_text(fitted.explain(row["user_id"], row["item_id"], **how))} for row in rows]
    if not keep or user or output.out is not None:
        columns = ["user_id", "item_id", "rank", "score", *(["why"] if explain else [])]
        output.emit(table_of(f"{lists.name}, top {k}", rows, columns=columns), synthetic=says_synthetic(lists.card))


@command("similar")
def similar(
    item: Annotated[list[str], typer.Argument(help="Item ids.")],
    model: Annotated[str, typer.Option("--model", "-m", help="Name of a fitted model in the workspace.")],
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Number of similar items per item.")] = 10,
    workspace: WorkspaceOption = Path("workspace"),
    output: Output = OUTPUT,
) -> None:
    """Show the items that are most similar to the given items, by a fitted model.

    Example:
      reclens similar 50 172 --model ease -k 5
    """
    from reclens.cli.shared import table_of
    from reclens.cli.unused_options import known_id
    from reclens.data.origin import says_synthetic
    from reclens.workspace import Workspace

    fitted = Workspace(workspace).load("model", model)
    seeds = [known_id("item", each, fitted.items_.ids) for each in item]
    found = fitted.similar_items(seeds, k=k)
    alone = [str(seed) for seed in dict.fromkeys(seeds) if seed not in set(found["seed_item"])]
    if alone:
        output.say(f"items without a similar one: {', '.join(alone)}")
    shown = table_of(f"Similar items by {model}, top {k}", found.to_dicts(), columns=found.columns)
    output.emit(shown, synthetic=says_synthetic(fitted.train_))


def _value(text: str) -> Any:
    """Parse the value of an option as TOML; text that is not TOML is returned as it is."""
    import tomllib

    try:
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return found["value"] if len(found) == 1 else text


def _read_config(path: Path) -> dict[str, Any]:
    from reclens.settings import read_toml

    return read_toml(path)
