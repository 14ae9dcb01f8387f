"""``reclens evaluate``, ``reclens compare``, ``reclens report``."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from reclens.cli.bundles import OUTPUT, Output
from reclens.cli.option_names import as_option, texts
from reclens.cli.reading import NOTHING, reads
from reclens.cli.registry import command
from reclens.cli.shared import (
    HtmlOption,
    QuietOption,
    SeedOption,
    WorkspaceOption,
    writable,
)
from reclens.cli.track import TrackOption
from reclens.cli.track import track as copy
from reclens.data.read.request import Reading

if TYPE_CHECKING:
    from reclens.cards import AppliedRule
    from reclens.cli.engine_tables import EngineTables
    from reclens.evaluation import Evaluation
    from reclens.schema import Recommendations
    from reclens.workspace import Workspace

__all__ = ["compare", "evaluate", "report"]


@command("evaluate")
@reads(lists="lists", truth="truth", train="train", history="history")
def evaluate(
    ctx: typer.Context,
    lists: Annotated[
        str, typer.Argument(help="Lists of any system: CSV, Parquet, a TREC .run, or a run of the workspace.")
    ],
    truth: Annotated[
        str | None, typer.Option("--truth", "-t", help="Held-out interactions: CSV, Parquet or TREC .qrels.")
    ] = None,
    train: Annotated[
        str | None, typer.Option("--train", help="Training interactions: CSV, Parquet, MovieLens.")
    ] = None,
    history: Annotated[
        str | None,
        typer.Option("--history", help="Interactions of test users that the system used (fold-in): CSV or Parquet."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", help="Split of the workspace, for truth, training data, segments and metrics."),
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", "-m", help="Metric, as ndcg@10; can be repeated.")
    ] = None,
    by: Annotated[
        list[str] | None, typer.Option("--by", help="Segmentation: a user attribute, or one of the split.")
    ] = None,
    reading: Reading = NOTHING,
    relevance: Annotated[str | None, typer.Option("--relevance", help="Column with graded relevance.")] = None,
    convention: Annotated[
        str, typer.Option("--convention", help="Conventions of a library: trec, recbole, lenskit, rectools …")
    ] = "trec",
    level: Annotated[float, typer.Option("--level", help="Confidence level.")] = 0.95,
    name: Annotated[str | None, typer.Option("--name", help="Name of the system.")] = None,
    engine: Annotated[
        str | None,
        typer.Option("--engine", help="Spark that evaluates the tables spark:NAME: sc://HOST:PORT or spark:MASTER."),
    ] = None,
    partitions: Annotated[
        int | None,
        typer.Option("--partitions", min=1, help="Partitions of the users on --engine; by default those of Spark."),
    ] = None,
    values: Annotated[
        str | None,
        typer.Option("--values", help="Folder for the values of each user, written as Parquet by the --engine."),
    ] = None,
    keep: Annotated[str | None, typer.Option("--keep", help="Keep the evaluation in the workspace.")] = None,
    html: HtmlOption = None,
    workspace: WorkspaceOption = Path("workspace"),
    track: TrackOption = None,
    seed: SeedOption = 0,
    output: Output = OUTPUT,
) -> None:
    """Evaluate the recommendation lists of any system on held-out interactions.

    With a split of the workspace, omitted options take the values of the existing evaluations of that split, so that
    the results are comparable.

    Examples:
      reclens evaluate lists.csv --split demo --keep theirs

      reclens evaluate lists.csv --truth test.csv --train train.csv -m ndcg@10 -m coverage@10

      reclens evaluate lists.parquet --truth test.csv -c user_id=customer --format json

      reclens evaluate spark:lists --truth spark:test --train spark:train --engine sc://127.0.0.1:50051
    """
    from reclens.cli.engine_tables import EngineTables
    from reclens.cli.reading import load_lists
    from reclens.cli.shared import prepare, progress_of, table_of, working
    from reclens.evaluation import DEFAULT_METRICS, EvaluationWarning
    from reclens.evaluation import evaluate as measure
    from reclens.evaluation.argument_checks import check_asked
    from reclens.report import build_report, oddities, other_names
    from reclens.workspace import Workspace

    place = Workspace(workspace)
    check_asked(metric or DEFAULT_METRICS, convention=convention, level=level)
    if keep:
        place.expect_free("evaluation", keep)
    sides = {side: reading.paths[side] for side in ("users", "items")}
    _fit_together(split=split, truth=truth, train=train, history=history, **sides)
    cluster = EngineTables.of(engine, partitions, values, (lists, truth, train, history, *sides.values()))
    with working("read lists and truth", quiet=output.quiet):
        held = _held_out(place, split, truth, train, history, reading, cluster)
        there = None if cluster is None or not cluster.holds(lists) else cluster.frame(lists, reading)
        found: Any = load_lists(lists, reading, name=name, place=place) if there is None else there
    how: dict[str, Any] = held.protocol | {
        each: value
        for each, value in {
            "metrics": metric,
            "by": by,
            "relevance": relevance or ("relevance" if held.graded else None),
            "convention": convention if _typed(ctx, "convention") else None,
            "level": level if _typed(ctx, "level") else None,
            "rng": seed if _typed(ctx, "seed") else None,
        }.items()
        if value is not None
    }
    parts: dict[str, Any] = {"train": held.train, "history": held.history}
    how |= _checked(held, how) if cluster is None else {"engine": cluster.engine}
    with progress_of(quiet=output.quiet) as progress, warnings.catch_warnings():
        prepare(progress, "data", "metrics", "stats", quiet=output.quiet)
        warnings.simplefilter("ignore", EvaluationWarning)  # the oddities below report the same
        result = measure(found, held.truth, **parts, **how, name=name, progress=progress)
    rules = [*result.card["truth_rules"], *held.rules]
    result = dataclasses.replace(result, card={**result.card, "truth_rules": rules})
    if keep:
        known = there is not None or lists in {each.name for each in place.list("run")}
        _keep(place, result, None if known else found, keep, output)
    if html is not None:
        output.say(f"report: {build_report({result.system: result}).save(html)}")
    copy(track, result, name=keep or result.system, files=[html] if html else [], quiet=output.quiet)
    for line in (*oddities(result.card, as_option, texts()), *other_names(result.card)):
        output.say(line)
    output.emit(table_of(result.system, result.to_dicts()), synthetic=bool(result.card.get("synthetic")))


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class _HeldOut:
    """The data that lists are evaluated on.

    Attributes:
        truth: The held-out interactions, or a split.
        train: The training data, with a truth.
        history: Interactions that the system used (fold-in), with a truth.
        rules: The rules for reading the truth.
        graded: Whether relevance is graded.
        protocol: Settings of the existing evaluations of the split, as arguments of ``evaluate``.
    """

    truth: Any
    train: Any = None
    history: Any = None
    rules: list[AppliedRule] = dataclasses.field(default_factory=list)
    graded: bool = False
    protocol: dict[str, Any] = dataclasses.field(default_factory=dict)


def _held_out(
    place: Workspace,
    split: str | None,
    truth: str | None,
    train: str | None,
    history: str | None,
    reading: Reading,
    cluster: EngineTables | None,
) -> _HeldOut:
    from reclens.data.read.open import load_data, load_truth
    from reclens.errors import UsageError
    from reclens.evaluation.against_split import with_ids
    from reclens.workspace import protocol_of, runs_on

    if split is not None:
        made = place.load("split", split)
        known = runs_on(place.list("evaluation"), made)
        return _HeldOut(truth=with_ids(made, reading.ids), protocol=protocol_of(known.card, made) if known else {})
    if truth is None:
        raise UsageError("there is nothing to hold the lists against: pass --truth FILE, or --split NAME.")
    if cluster is not None:
        pairs, told = (
            cluster.pairs(each, reading, table=table) for each, table in ((truth, "truth"), (history, "history"))
        )
        return _HeldOut(truth=pairs, train=cluster.training(train, reading), history=told)
    held_out, rules, graded = load_truth(truth, reading)
    learned = load_data(train, reading, table="train") if train else None
    told = load_truth(history, reading, table="history")[0] if history else None
    return _HeldOut(truth=held_out, train=learned, history=told, rules=rules, graded=graded)


def _checked(held: _HeldOut, how: dict[str, Any]) -> dict[str, Any]:
    """Refuse metrics that lack data before anything is measured; there is nothing to add to the arguments."""
    from reclens.evaluation.against_split import measured_against
    from reclens.evaluation.argument_checks import check_asked, check_data

    parts: dict[str, Any] = {"train": held.train, "history": held.history}
    given = measured_against(held.truth, **parts, metrics=how.get("metrics"), by=how.get("by"))
    check_data(check_asked(given.metrics).values(), train=given.train)
    return {}


def _typed(ctx: typer.Context, name: str) -> bool:
    """Return whether an option is given, on the command line or in the settings file."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def _keep(place: Workspace, result: Evaluation, lists: Recommendations | None, name: str, output: Output) -> None:
    """Save the evaluation, and the lists if they are from a file; report the evaluations it can be compared with."""
    from reclens.workspace import run_groups

    output.say(f"kept in {place.save(result, name)}")
    if lists is not None and name not in {each.name for each in place.list("run")}:
        place.save(lists, name)
    group = next((each for each in run_groups(place.list("evaluation")) if name in each.names), None)
    others = [] if group is None else [each for each in group.names if each != name]
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        output.say(f"measured like {', '.join(others[:3])}{more}: reclens compare {others[-1]} {name} compares them")


def _fit_together(**given: str | None) -> None:
    """Raise an error for options that would not be used.

    Raises:
        UsageError: If an option is given with another that replaces it, or without the option that it needs.
    """
    from reclens.errors import UsageError

    named = {name: value for name, value in given.items() if value is not None}
    beside = [f"--{name}" for name in ("truth", "train", "users", "items", "history") if name in named]
    if "split" in named and beside:
        held = f"--split {named['split']} holds truth, training data and attributes"
        raise UsageError(f"{held}: leave {', '.join(beside)} out, or leave --split out.")
    attributes = [f"--{name}" for name in ("users", "items") if name in named]
    if attributes and "train" not in named:
        raise UsageError(f"{' and '.join(attributes)} describe the training data: pass --train FILE too.")
    if "history" in named and "train" not in named:
        raise UsageError("--history adds to the training data: pass --train FILE too.")


@command("compare")
def compare(
    evaluations: Annotated[list[str], typer.Argument(help="Two or more evaluations of the workspace.")],
    baseline: Annotated[
        str | None,
        typer.Option("--baseline", "-b", help="Baseline of the comparison; by default the first evaluation."),
    ] = None,
    correction: Annotated[
        str, typer.Option("--correction", help="holm, bonferroni, hochberg, hommel, sidak, bh, by or none.")
    ] = "holm",
    metric: Annotated[
        list[str] | None, typer.Option("--metric", "-m", help="Metric; all common ones by default.")
    ] = None,
    by: Annotated[list[str] | None, typer.Option("--by", help="Segmentation; all common ones by default.")] = None,
    primary: Annotated[str | None, typer.Option("--primary", help="Primary metric; the first by default.")] = None,
    intervals: Annotated[
        Literal["single", "simultaneous"],
        typer.Option("--intervals", help="Intervals per difference, or simultaneous within a family."),
    ] = "single",
    segments: Annotated[bool, typer.Option("--segments/--overall", help="Show all segments.")] = False,
    gate: Annotated[
        Path | None,
        typer.Option("--gate", help=r"TOML file with \[\[gate]] rows: exit status 1 unless all hold."),
    ] = None,
    fail_on_loss: Annotated[
        bool,
        typer.Option("--fail-on-loss", help="Exit status 1 if an interval over all users is on the worse side of 0."),
    ] = False,
    keep: Annotated[str | None, typer.Option("--keep", help="Keep the comparison in the workspace.")] = None,
    html: HtmlOption = None,
    workspace: WorkspaceOption = Path("workspace"),
    seed: SeedOption = 0,
    output: Output = OUTPUT,
) -> None:
    """Compare evaluations with a baseline, paired by user, with tests corrected within families.

    There are three families: the primary metric over all users, the other metrics, and the segments.

    Example:
      reclens compare demo-popular demo-ease --baseline demo-popular --fail-on-loss
    """
    from reclens.cli.shared import heed
    from reclens.evaluation import compare as hold
    from reclens.evaluation import gate as check_gate
    from reclens.evaluation import no_loss_rules
    from reclens.job.settings import load_gate
    from reclens.report import build_report, comparison_table, comparison_text
    from reclens.report.evaluation.problem_words import id_problems
    from reclens.workspace import Workspace
    from reclens.workspace.groups import measured_alike

    place = Workspace(workspace)
    rules = [] if gate is None else load_gate(gate)
    if keep:
        place.expect_free("comparison", keep)
    results = {name: place.load("evaluation", name) for name in evaluations}
    found = hold(
        results,
        baseline=baseline or evaluations[0],
        correction=correction,
        metrics=metric,
        by=by,
        primary=primary,
        intervals=intervals,
        rng=seed,
    )
    if keep:
        output.say(f"kept in {place.save(found, keep)}")
    rules += no_loss_rules(found) if fail_on_loss else []
    held = check_gate(results, rules, comparison=found) if rules else None
    if html is not None:
        alike = measured_alike(place.list("evaluation"), evaluations[0])
        document = build_report(results, comparison=found, gate=held, measured_alike=alike)
        output.say(f"report: {document.save(html)}")
    shown = comparison_table(found, by=None if segments else "overall")
    output.emit(shown, synthetic=bool(found.card.get("synthetic")))
    for name, result in results.items():
        for problem in id_problems(result.card, as_option, texts()):
            output.say(f"{name}: {problem}")
    for sentence in comparison_text(found):
        output.say(f"- {sentence}")
    heed(held, quiet=output.quiet)


@command("report")
def report(
    evaluations: Annotated[list[str], typer.Argument(help="Evaluations of the workspace.")],
    baseline: Annotated[str | None, typer.Option("--baseline", "-b", help="Evaluation to compare with.")] = None,
    title: Annotated[str, typer.Option("--title", help="Title of the report.")] = "Offline evaluation",
    out: Annotated[Path, typer.Option("--out", "-o", callback=writable, help="The HTML file.")] = Path("report.html"),
    workspace: WorkspaceOption = Path("workspace"),
    quiet: QuietOption = False,
) -> None:
    """Write one self-contained HTML report on evaluations of the workspace.

    Example:
      reclens report demo-popular demo-ease --baseline demo-popular --out report.html
    """
    from reclens.cli.shared import say
    from reclens.evaluation import compare as hold
    from reclens.report import build_report
    from reclens.workspace import Workspace
    from reclens.workspace.groups import measured_alike

    place = Workspace(workspace)
    results = {name: place.load("evaluation", name) for name in evaluations}
    found = hold(results, baseline=baseline) if baseline else None
    alike = measured_alike(place.list("evaluation"), evaluations[0])
    build_report(results, comparison=found, title=title, measured_alike=alike).save(out)
    say(f"report: {out}", quiet=quiet)
