"""``reclens audit``: who and what is treated worse by a system, by how much, and how sure that is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reclens.cli.bundles import OUTPUT, REPORTED, Output, Reported
from reclens.cli.reading import NOTHING, reads
from reclens.cli.registry import command
from reclens.cli.shared import SeedOption, WorkspaceOption, writable, writable_pair
from reclens.cli.unused_options import refuse_unused
from reclens.data.read.request import Reading
from reclens.report._toolkit.format import significant, whole

if TYPE_CHECKING:
    from reclens.job.audit import AuditJobResult
    from reclens.job.audit_settings import AuditJobSettings
    from reclens.workspace import Workspace

__all__ = ["compare", "demo", "plan", "run"]

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="The audit, as TOML; see audit plan.")]
AuditOption = Annotated[
    Path | None,
    typer.Option(
        "--report",
        callback=writable_pair,
        help="Write the report as NAME.html, .md, .csv and .pdf instead of in the workspace.",
    ),
]


@command("audit run")
def run(
    config: ConfigArgument,
    report: AuditOption = None,
    workspace: WorkspaceOption = Path("workspace"),
    output: Output = OUTPUT,
) -> None:
    r"""Audit the lists of any system, and write the report as HTML, PDF, Markdown and CSV.

    The audit is kept in the workspace. Exits with status 1 if a \[\[gate]] of the file is breached.

    Example:
      reclens audit run audit.toml
    """
    from reclens.cli.shared import heed
    from reclens.job.audit_settings import load_audit_settings
    from reclens.report.audit.sentences import overall_sentence
    from reclens.report.audit.tables import opinion_table
    from reclens.workspace import Workspace

    settings = load_audit_settings(config)
    found = _audited(settings, Workspace(workspace), report, output, command=f"reclens audit run {config}")
    output.emit(opinion_table(found.audit), synthetic=bool(found.audit.card.get("synthetic")))
    output.say(overall_sentence(found.audit))
    _say_findings(found, output)
    heed(found.gate, quiet=output.quiet)


@command("audit plan")
def plan(
    ctx: typer.Context,
    config: Annotated[Path | None, typer.Argument(metavar="CONFIG", help="The audit, as TOML.")] = None,
    example: Annotated[bool, typer.Option("--example", help="Print an example audit.")] = False,
    mean: Annotated[float | None, typer.Option("--mean", help="Expected mean of the primary metric.")] = None,
    spread: Annotated[
        float | None, typer.Option("--spread", help="Standard deviation of the primary metric over users.")
    ] = None,
    declared: Annotated[
        Path | None,
        typer.Option("--declared", callback=writable, help="Write the audit with its hypotheses to this file."),
    ] = None,
    workspace: WorkspaceOption = Path("workspace"),
    output: Output = OUTPUT,
) -> None:
    """Declare the hypotheses of an audit, and compute which gaps are detectable with the available users.

    Of the lists, only the user ids are read.

    Examples:
      reclens audit plan --example > draft.toml

      reclens audit plan draft.toml --declared audit.toml
    """
    from reclens.cli.shared import put
    from reclens.errors import UsageError
    from reclens.files import write_text
    from reclens.job.audit import plan_audit_job
    from reclens.job.audit_settings import EXAMPLE_AUDIT, load_audit_settings
    from reclens.report.audit.tables import plan_table
    from reclens.settings import to_toml
    from reclens.workspace import Workspace

    if (config is None) == (not example):
        raise UsageError("say which audit, or --example for one to start from: expected one of the two.")
    if config is None:
        refuse_unused(ctx, "with --example", "mean", "spread", "declared", "format", "out")
        put(EXAMPLE_AUDIT)
        return
    found, made = plan_audit_job(load_audit_settings(config), workspace=Workspace(workspace), mean=mean, spread=spread)
    output.emit(plan_table(found))
    small = sum(each.small for each in found.gaps)
    if small:
        output.say(
            f"{whole(small)} of {whole(len(found.gaps))} groups have too few users to be tested: they are inconclusive."
        )
    if declared is not None:
        write_text(declared, to_toml(made))
        output.say(f"declared: {whole(len(made.hypotheses or ()))} hypotheses in {declared}")


@command("audit compare")
def compare(
    before: Annotated[str, typer.Argument(help="An audit of the workspace.")],
    after: Annotated[str, typer.Argument(help="Another audit, with the same groups.")],
    workspace: WorkspaceOption = Path("workspace"),
    output: Reported = REPORTED,
) -> None:
    """Compare two audits: what improved and what got worse, with intervals.

    Example:
      reclens audit compare audit-popular audit-ease
    """
    from reclens.audit import compare as hold
    from reclens.report.audit.comparison import build_audit_comparison, comparison_sentence
    from reclens.report.audit.tables import change_table
    from reclens.workspace import Workspace

    place = Workspace(workspace)
    audits = [place.load("audit", name) for name in (before, after)]
    found = hold(*audits)
    synthetic = any(each.card.get("synthetic") for each in audits)
    output.emit(change_table(found), synthetic=synthetic)
    output.say(comparison_sentence(found))
    output.save(lambda: build_audit_comparison(found, synthetic=synthetic))


@command("audit demo")
@reads(data="data")
def demo(
    data: Annotated[
        str | None,
        typer.Option("--data", "-d", help="A data set, such as ml-1m.zip; a synthetic marketplace if omitted."),
    ] = None,
    reading: Reading = NOTHING,
    workspace: WorkspaceOption = Path("workspace"),
    seed: SeedOption = 0,
    output: Output = OUTPUT,
) -> None:
    """Tune and evaluate Popular, item-kNN and EASE on a split by time, and audit the best beside Popular.

    The synthetic marketplace comes with lists of a known bias: they are audited too, and the result is compared with
    that bias.

    Examples:
      reclens audit demo

      reclens audit demo --data complete_journey.zip
    """
    from reclens.audit import compare as hold
    from reclens.cli.shared import prepare, progress_of
    from reclens.job.audit_demo import audits_of, demo_job, found_of_injected, keep_candidates, keep_market, ranked
    from reclens.job.run import run_job
    from reclens.report import leaderboard
    from reclens.report._toolkit.format import between
    from reclens.report.audit.comparison import build_audit_comparison, comparison_sentence
    from reclens.report.audit.sentences import overall_sentence
    from reclens.report.audit.words import INJECTED
    from reclens.workspace import Workspace

    place = Workspace(workspace)
    injected = keep_market(place, seed=seed) if data is None else None
    with progress_of(quiet=output.quiet) as progress:
        done = run_job(
            demo_job(data, seed=seed),
            reading=reading,
            workspace=place,
            say=output.say,
            progress=progress,
            before_fit=lambda: prepare(progress, quiet=output.quiet),
        )
    made_up = any(each.card.get("synthetic") for each in done.results.values())
    output.emit(leaderboard(done.results, comparison=done.comparison), synthetic=made_up)
    winner, *others = ranked(done.results)
    other = others[0] if winner == "popular" else winner
    second = f"{other}, the best of the others, is" if winner == "popular" else "it is"
    output.say(f"{winner} wins by NDCG: {second} audited beside popular")
    audited: dict[str, AuditJobResult] = {}
    mitigate = keep_candidates(place, other)
    for name, settings in audits_of(place, other, market=injected is not None, mitigate=mitigate).items():
        audited[name] = _audited(settings, place, None, output, command="reclens audit demo")
        output.say(overall_sentence(audited[name].audit))
    first, last = audited["popular"].audit, audited[other].audit
    _say_findings(audited[other], output)
    if injected is not None:
        output.say("the marketplace's own lists:")
        _say_findings(audited["marketplace"], output)
        for name, (put, found) in found_of_injected(injected, audited["marketplace"].audit).items():
            output.say(
                f"- {INJECTED[name]}: {significant(put, 3)} was put in, {between(found, signed=False)} is measured"
            )
    found = hold(first, last)
    page = build_audit_comparison(found, synthetic=bool(last.card.get("synthetic")))
    written = page.save(place.folder / "reports" / "audit-demo-comparison")
    output.say(f"{comparison_sentence(found)} ({', '.join(map(str, written))})")


def _audited(
    settings: AuditJobSettings, place: Workspace, stem: Path | None, output: Output, *, command: str
) -> AuditJobResult:
    from reclens.cli.shared import prepare, progress_of
    from reclens.job.audit import run_audit_job

    with progress_of(quiet=output.quiet) as progress:
        how: dict[str, Any] = {"say": output.say, "progress": progress, "command": command}
        how["before_work"] = lambda: prepare(progress, "data", "metrics", "stats", "audit", quiet=output.quiet)
        return run_audit_job(settings, workspace=place, stem=stem, **how)


def _say_findings(found: AuditJobResult, output: Output) -> None:
    from reclens.report.audit.sentences import finding_sentence, top_findings

    for each in top_findings(found.audit):
        output.say(f"- {finding_sentence(found.audit, each)}")
