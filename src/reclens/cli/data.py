"""Fetch, inspect, split, query and convert data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from reclens.cli.reading import NOTHING, reads
from reclens.cli.registry import command
from reclens.cli.shared import Format, FormatOption, OutOption, QuietOption, SeedOption, TaskOption, WorkspaceOption
from reclens.cli.unused_options import refuse_unused
from reclens.data.read.request import Reading

if TYPE_CHECKING:
    import polars as pl

    from reclens.data.dataset import Dataset
    from reclens.data.split import Split

__all__ = ["convert", "fetch", "info", "split", "sql"]

_METHODS: Final = {
    "last_n": ("n", "ties", "validation_n"),
    "by_time": ("test_share", "validation_share"),
    "random": ("test_share", "validation_share"),
    "by_user": ("test_share",),
}
"""Ways to split, each with the options that it takes."""

Path_ = Annotated[
    str | None,
    typer.Argument(
        help="Zip or folder of MovieLens or the Complete Journey, RecBole folder, CSV, Parquet, DuckDB file; synthetic "
        "data if omitted."
    ),
]


@command("data info")
@reads(data="path")
def info(
    path: Path_ = None,
    reading: Reading = NOTHING,
    seed: SeedOption = 0,
    format: FormatOption = Format.table,
    out: OutOption = None,
) -> None:
    """Profile a data set: size, long tails, cold users and items, time range, problems with row counts.

    Example:
      reclens data info ml-100k.zip
    """
    from reclens.cli.shared import emit, table_of, working
    from reclens.data.origin import says_synthetic
    from reclens.data.profile import profile
    from reclens.data.read.open import load_data
    from reclens.report.data.profile_words import profile_rows

    with working("read and profile the data"):
        data = load_data(path, reading, seed=seed)
        found = profile(data)
    emit(table_of(found.name, profile_rows(found)), format=format, out=out, synthetic=says_synthetic(data.card))


@command("data split")
@reads(data="path", test="test", validation="validation")
def split(
    ctx: typer.Context,
    path: Path_ = None,
    test: Annotated[
        str | None, typer.Option("--test", help="Test part of an existing split; PATH is the training part.")
    ] = None,
    validation: Annotated[
        str | None, typer.Option("--validation", help="Validation part of an existing split.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Name of the split in the workspace.")] = "split",
    method: Annotated[str, typer.Option("--method", help="last_n, by_time, random or by_user.")] = "last_n",
    n: Annotated[int, typer.Option("--n", min=1, help="last_n: interactions held out per user.")] = 1,
    test_share: Annotated[
        float, typer.Option("--test-share", help="by_time, random, by_user: share that is held out.")
    ] = 0.2,
    validation_share: Annotated[
        float, typer.Option("--validation-share", help="by_time, random: share held out for validation.")
    ] = 0.0,
    validation_n: Annotated[
        int, typer.Option("--validation-n", min=0, help="last_n: interactions before those, for validation.")
    ] = 0,
    ties: Annotated[
        str, typer.Option("--ties", help="last_n: how to break ties in time: hash, or order (of the file).")
    ] = "hash",
    task: TaskOption = "new_items",
    min_rating: Annotated[
        float | None, typer.Option("--min-rating", help="Keep ratings of at least this value.")
    ] = None,
    k_core: Annotated[
        int | None, typer.Option("--k-core", min=1, help="Keep users and items with at least this many interactions.")
    ] = None,
    reading: Reading = NOTHING,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing split of that name.")] = False,
    workspace: WorkspaceOption = Path("workspace"),
    seed: SeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Split interactions into training and test data, or read an existing split, and save it in the workspace.

    The event log is split first, and repeats of a user and item are merged within each part.

    Examples:
      reclens data split ml-100k.zip --method by_time --test-share 0.2 --name by-time

      reclens data split baskets.csv --method by_time --task with_repeats

      reclens data split u1.base --test u1.test --name u1

      reclens data split shop.train.inter --validation shop.valid.inter --test shop.test.inter
    """
    from reclens.cli.shared import say, working
    from reclens.data import filters
    from reclens.data import split as splits
    from reclens.data.read.open import load_data, load_split
    from reclens.errors import UnknownNameError, UsageError
    from reclens.workspace import Workspace

    ready = test is not None or validation is not None
    if method not in _METHODS:
        raise UnknownNameError("method", method, _METHODS)
    others = {each for names in _METHODS.values() for each in names} - set(() if ready else _METHODS[method])
    if ready:
        refuse_unused(ctx, "as a split that was made elsewhere is not cut again", "method", "seed", *others)
        if path is None or test is None:
            raise UsageError(
                "a split that was made elsewhere has two files at least: name PATH, to learn from, and --test."
            )
    refuse_unused(ctx, f"by --method {method}", *others)
    place = Workspace(workspace)
    place.expect_free("split", name, overwrite=overwrite)
    given: dict[str, Any] = {
        "n": n,
        "ties": ties,
        "validation_n": validation_n,
        "test_share": test_share,
        "validation_share": validation_share,
    }
    options = {each: given[each] for each in _METHODS[method]} | ({} if method == "by_time" else {"rng": seed})
    with working("read and split the data", quiet=quiet):
        if ready:
            made = load_split(
                str(path),
                reading,
                test=str(test),
                validation=validation,
                task=task,
                filtered=min_rating is not None or k_core is not None,
            )
        else:
            data = load_data(path, reading, seed=seed)
            data = data if min_rating is None else filters.min_rating(data, min_rating)
            data = data if k_core is None else filters.k_core(data, users=k_core, items=k_core)
            made = getattr(splits, method)(data, task=task, **options)
        folder = place.save(made, name, overwrite=overwrite)
    _say_split(made, quiet=quiet)
    say(f"kept in {folder}", quiet=quiet)


def _say_split(made: Split, *, quiet: bool) -> None:
    from reclens.cli.shared import say
    from reclens.report.data.words import note_line, rule_line

    say(repr(made), quiet=quiet)
    for rule in made.card.get("rules", []):
        say(rule_line(rule), quiet=quiet)
    for note in made.card.get("notes", []):
        say(f"note: {note_line(note)}", quiet=quiet)


@command("data fetch")
def fetch(
    name: Annotated[str, typer.Argument(help="ml-100k, ml-1m, ml-latest-small, ml-20m or ml-25m.")],
    folder: Annotated[Path, typer.Option("--folder", help="Folder for the download.")] = Path(),
    quiet: QuietOption = False,
) -> None:
    """Download a MovieLens data set from GroupLens, with resume and checksum.

    Example:
      reclens data fetch ml-latest-small
    """
    from reclens.cli.shared import progress_of, put
    from reclens.data.read.fetch import fetch as download

    with progress_of(quiet=quiet) as progress:
        path = download(name, folder=folder, progress=progress)
    put(str(path))


@command("data sql")
@reads(data="path")
def sql(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Name of the query; if omitted, all queries are listed.")] = None,
    path: Annotated[
        str | None,
        typer.Option(
            "--data", "-d", help="Run the query on this data, or on postgres:TABLE; if omitted, it is printed."
        ),
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", "-p", help="Parameter of the query, as at_least=5.")
    ] = None,
    dialect: Annotated[
        str | None, typer.Option("--dialect", help="Dialect to print: postgres, snowflake, bigquery, databricks …")
    ] = None,
    reading: Reading = NOTHING,
    format: FormatOption = Format.table,
    out: OutOption = None,
) -> None:
    """Print or run one of the SQL queries that turn an event log into analysis tables.

    The queries run on all events of [bold]--data[/bold]: repeats of a user and item are not merged.

    Examples:
      reclens data sql item_popularity

      reclens data sql item_popularity --data ml-100k.zip --format csv

      reclens data sql interactions --data baskets.csv

      reclens data sql item_popularity --dialect snowflake

      reclens data sql item_popularity --data postgres:shop.events
    """
    from reclens.cli.shared import emit, pairs, put, table_of, working
    from reclens.cli.warehouse_tables import in_warehouse
    from reclens.data import queries
    from reclens.data.origin import says_synthetic
    from reclens.data.read.open import load_data

    if name is None:
        refuse_unused(ctx, "without the name of a query", "path", "param", "dialect")
        rows = [{"query": query, "what it gives": about} for query, about in queries.names().items()]
        emit(table_of("Queries", rows), format=format, out=out)
        return
    if path is None and not reading.said:
        refuse_unused(ctx, "without --data: the query is printed", "param", "format")
        put(queries.text(name, dialect), out)
        return
    refuse_unused(ctx, "where the query is run", "dialect")
    values: dict[str, Any] = {key: _json(value) for key, value in pairs(param, option="--param").items()}
    if path is not None and in_warehouse(path):
        found = _there(name, path, reading, values)
        emit(table_of(name, found.to_dicts(), columns=found.columns), format=format, out=out)
        return
    with working(f"read the data and run {name}"):
        data = load_data(path, reading)
        found = queries.run(name, data, **values)
    shown = table_of(name, found.to_dicts(), columns=found.columns)
    emit(shown, format=format, out=out, synthetic=says_synthetic(data.card))


def _there(name: str, path: str, reading: Reading, values: dict[str, Any]) -> pl.DataFrame:
    """Run a query in the warehouse of a table, and of the table of items."""
    from reclens.cli.shared import working
    from reclens.cli.warehouse_tables import in_warehouse, warehouse_table
    from reclens.data import queries
    from reclens.errors import UsageError

    items = reading.paths.get("items")
    if reading.said or (items is not None and not in_warehouse(items)):
        raise UsageError(f"--data is {path}: options of reading do not apply there, and --items is postgres:TABLE too.")
    with working(f"run {name} in PostgreSQL"):
        warehouse, table = warehouse_table(path)
        named = None if items is None else warehouse_table(items)[1]
        return queries.run(name, warehouse, table=table, items=named, **values)


@command("data convert")
@reads(data="path")
def convert(
    path: Annotated[str, typer.Argument(help="Data set to read.")],
    target: Annotated[Path, typer.Argument(help="A folder for RecBole files, or a .csv, .parquet or .qrels file.")],
    reading: Reading = NOTHING,
    quiet: QuietOption = False,
) -> None:
    """Write a data set as RecBole atomic files, CSV, Parquet or TREC qrels.

    Example:
      reclens data convert ml-100k.zip recbole-ml-100k
    """
    from reclens.cli.shared import say, working, writable
    from reclens.data.read.open import load_data
    from reclens.errors import UsageError

    if target.suffix not in ("", ".csv", ".parquet", ".qrels"):
        raise UsageError(f"'{target}': give a folder for RecBole files, or a .csv, .parquet or .qrels file.")
    if target.suffix:
        writable(target)
    with working(f"read the data and write {target}", quiet=quiet):
        _write(load_data(path, reading), target)
    say(f"written: {target}", quiet=quiet)


def _write(data: Dataset, target: Path) -> None:
    import io

    from reclens.data.read.recbole import write_recbole
    from reclens.data.read.trec import write_qrels
    from reclens.files import write_bytes

    if target.suffix == ".qrels":
        write_qrels(data.interactions, target)
    elif target.suffix:
        buffer = io.BytesIO()
        write = data.events.write_csv if target.suffix == ".csv" else data.events.write_parquet
        write(buffer)
        write_bytes(target, buffer.getvalue())
    else:
        write_recbole(data, target)


def _json(value: str) -> object:
    """Parse a parameter as a number, a list or text."""
    import json

    try:
        return json.loads(value)
    except ValueError:
        return value
