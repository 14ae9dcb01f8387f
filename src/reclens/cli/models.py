"""``reclens models``, ``reclens fit``, ``reclens recommend``."""

from __future__ import annotations

import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from reclens.cli.given import refuse_unused
from reclens.cli.reading import NOTHING, Reading, reads
from reclens.cli.shared import Format, FormatOption, OutOption, QuietOption, SeedOption, WorkspaceOption
from reclens.errors import UsageError

__all__ = ["app", "fit", "list_models", "recommend", "show"]

app = typer.Typer(help="The recommenders.", no_args_is_help=True)


@app.command("list")
def list_models(format: FormatOption = Format.table, out: OutOption = None) -> None:
    """List the recommenders, a line each."""
    from reclens import models
    from reclens.cli.shared import emit, table_of

    rows = [{"model": name, "what it does": models.describe(name)} for name in models.names()]
    emit(table_of("Recommenders", rows), format=format, out=out)


@app.command()
def show(name: Annotated[str, typer.Argument(help="Name of the recommender.")]) -> None:
    """Show what a recommender is and its hyper-parameters with their defaults."""
    import inspect

    from reclens import models
    from reclens.cli.shared import put
    from reclens.models._build import defaults_of

    model = models.get(name)
    rules = {key: f"by the data: {rule.formula}" for key, rule in model.automatic.items()}
    parameters = [f"  {key} = {rules.get(key, repr(value))}" for key, value in defaults_of(model).items()]
    put("\n".join([inspect.getdoc(model) or "", "", "Hyper-parameters:", *parameters]))


@reads(data="data")
def fit(
    ctx: typer.Context,
    model: Annotated[
        str | None, typer.Argument(help="Name of the recommender; see: reclens models list. Or --config names it.")
    ] = None,
    data: Annotated[str | None, typer.Option("--data", "-d", help="What to learn from; synthetic without it.")] = None,
    split: Annotated[str | None, typer.Option("--split", help="Learn from the training part of this split.")] = None,
    reading: Reading = NOTHING,
    name: Annotated[str | None, typer.Option("--name", help="Name to keep it under; the model's by default.")] = None,
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="Hyper-parameter, as l2=500.")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="TOML file with hyper-parameters, and model = its name.")
    ] = None,
    workspace: WorkspaceOption = Path("workspace"),
    seed: SeedOption = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a model of that name.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Fit a recommender and keep it in the workspace.

    Hyper-parameters come from [bold]--config[/bold], and [bold]--param[/bold] wins over it. A value that is a list or a
    mapping is written as in TOML.

    Examples:
      reclens fit ease --data ml-100k.zip -p l2=500

      reclens fit --config hybrid.toml --data ml-100k.zip
    """
    from reclens import models
    from reclens.cli.reading import load_training
    from reclens.cli.shared import pairs, prepare, progress_of, say
    from reclens.workspace import Workspace

    if split is not None:
        refuse_unused(ctx, "with --split, whose training part is learned from", "data", "column", "read")
    parameters = _read_config(config) if config is not None else {}
    named = parameters.setdefault("model", model)
    if named is None:
        where = f"{config} names no model. Add" if config is not None else "no model is named. Name one, or give"
        raise UsageError(f'{where} model = "…"; see: reclens models list.')
    if model is not None and named != model:
        raise UsageError(f"{config} describes a '{named}', not a '{model}'. Name one of them only.")
    parameters |= {key: _value(value) for key, value in pairs(param, option="--param").items()}
    made = models.build(str(named), parameters)
    place = Workspace(workspace)
    place.expect_free("model", name or made.name, overwrite=overwrite)
    with progress_of(quiet=quiet) as progress:
        progress("read what to learn from", 0, 1)
        train = load_training(place, data, split, reading, seed=seed)
        progress("read what to learn from", 1, 1)
        prepare(progress, "models", quiet=quiet)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", models.FitWarning)  # said below
            fitted = made.fit(train, progress=progress)
    for line in models.problems_in_words(fitted.name, [asdict(each) for each in fitted.problems_]):
        say(line, quiet=quiet)
    path = place.save(fitted, name or made.name, overwrite=overwrite)
    say(f"kept in {path}", quiet=quiet)


def recommend(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(help="Name of a fitted model in the workspace.")],
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Length of the lists.")] = 10,
    user: Annotated[list[str] | None, typer.Option("--user", "-u", help="User id; all known users without it.")] = None,
    split: Annotated[
        str | None, typer.Option("--split", help="To the test users of this split, from their fold-in if it has one.")
    ] = None,
    seen: Annotated[
        bool | None,
        typer.Option(
            "--seen/--no-seen",
            help="Also recommend items of the training data, or not; by default as the "
            "task of --split asks, and not without one.",
        ),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say why, in words, for each item.")] = False,
    keep: Annotated[str | None, typer.Option("--keep", help="Keep the lists in the workspace under this name.")] = None,
    workspace: WorkspaceOption = Path("workspace"),
    format: FormatOption = Format.table,
    out: OutOption = None,
    quiet: QuietOption = False,
) -> None:
    """Recommend with a fitted model; an [bold]--out[/bold] that ends in .run is written as a TREC run.

    Examples:
      reclens recommend ease --user 42 --explain

      reclens recommend ease -k 100 --out ease.run
    """
    from reclens.cli.given import known_id
    from reclens.cli.shared import emit, prepare, progress_of, say, table_of
    from reclens.data.trec import write_run
    from reclens.schema import USER
    from reclens.workspace import Workspace

    to_run = out is not None and out.suffix in (".run", ".trec")
    if to_run or (keep and not user and out is None):
        refuse_unused(ctx, "where the lists are written as a TREC run, or kept and not shown", "explain", "format")
    place = Workspace(workspace)
    if keep:
        place.expect_free("run", keep)
    fitted = place.load("model", model)
    made = None if split is None else place.load("split", split)
    known = [fitted.users_.ids, *([made.fold_in[USER]] if made is not None and made.fold_in is not None else [])]
    wanted: Any = [known_id("user", each, *known, needed=fitted.personal) for each in user] if user else None
    if made is not None:
        wanted = wanted or made.test_users
    exclude_seen = not seen if seen is not None else made is None or made.exclude_seen
    told = None if made is None else made.fold_in
    with progress_of(quiet=quiet) as progress:
        prepare(progress, "models", quiet=quiet)
        lists = fitted.recommend(wanted, k=k, exclude_seen=exclude_seen, history=told, progress=progress)
    if keep:
        say(f"kept in {place.save(lists, keep)}", quiet=quiet)
    for rule in lists.card["rules"]:
        say(f"{rule['rule']}: {rule['count']:,} ({rule['detail']})", quiet=quiet)
    if out is not None and to_run:
        write_run(lists, out)
        return
    rows = lists.to_dicts()
    if explain:
        rows = [row | {"why": fitted.explain(row["user_id"], row["item_id"], history=told).sentence} for row in rows]
    if not keep or user or out is not None:
        columns = ["user_id", "item_id", "rank", "score", *(["why"] if explain else [])]
        emit(table_of(f"{lists.name}, top {k}", rows, columns=columns), format=format, out=out)


def _value(text: str) -> Any:
    """The value of an option: as in TOML, or the text itself where it is no TOML."""
    import tomllib

    try:
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return found["value"] if len(found) == 1 else text


def _read_config(path: Path) -> dict[str, Any]:
    from reclens.settings import read_toml

    return read_toml(path)
