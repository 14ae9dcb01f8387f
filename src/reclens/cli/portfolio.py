"""``reclens portfolio``: finished projects as a site that others can replay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reclens.cli.bundles import OUTPUT, Output
from reclens.cli.registry import command
from reclens.cli.shared import QuietOption, WorkspaceOption

__all__ = ["build", "verify"]


@command("portfolio build")
def build(
    projects: Annotated[
        str,
        typer.Option("--projects", help="Three or four projects, separated by commas, as diagnostics,audit,monitor."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write; an older portfolio is replaced.")] = Path(
        "portfolio"
    ),
    workspace: WorkspaceOption = Path("workspace"),
    quiet: QuietOption = False,
) -> None:
    """Make finished projects a static site, with one-page PDFs, READMEs and evidence. Status 1 if something is refused.

    Example:
      reclens portfolio build --projects diagnostics,experiment,audit
    """
    from reclens.cli.shared import progress_of, say
    from reclens.learn.learner import Learner
    from reclens.learn.portfolio import build_portfolio
    from reclens.report.learn.portfolio_words import built_sentences, refused_sentence

    names = [each.strip() for each in projects.split(",") if each.strip()]
    with progress_of(quiet=quiet) as progress:
        done = build_portfolio(Learner(workspace), names, out, progress=progress)
    if done.refused:
        for each in done.refused:
            print(refused_sentence(each.project, each.remark.code, each.remark.facts))
        raise typer.Exit(1)
    for line in built_sentences(done.folder, done.numbers, {name: each.outcome for name, each in done.printed.items()}):
        say(line, quiet=quiet)


@command("portfolio verify")
def verify(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What 'portfolio build' wrote.")],
    data: Annotated[
        list[str] | None,
        typer.Option("--data", help="Data that do not travel, as diagnostics=ml-100k.zip. Can be repeated."),
    ] = None,
    output: Output = OUTPUT,
) -> None:
    """Compute every number of a portfolio again, and say how many were reproduced. Status 1 unless all were.

    Example:
      reclens portfolio verify portfolio
    """
    from reclens.cli.shared import progress_of
    from reclens.learn.portfolio_verify import verify_portfolio
    from reclens.report.learn.portfolio import verified_table
    from reclens.report.learn.portfolio_words import reproduced_sentences

    places = dict(_place(each) for each in data or ())
    with progress_of(quiet=output.quiet) as progress:
        done = verify_portfolio(folder, data=places, progress=progress)
    output.emit(verified_table(done.rows))
    remarks = [(name, each.code, each.facts) for name, each in done.remarks]
    for line in reproduced_sentences(done.reproduced, len(done.rows), done.on, done.changed, remarks):
        output.say(line)
    raise typer.Exit(0 if done.whole else 1)


def _place(said: str) -> tuple[str, str]:
    from reclens.errors import UsageError

    name, mark, path = said.partition("=")
    if not mark or not path:
        raise UsageError(f"--data is '{said}', expected a project and a path, such as diagnostics=ml-100k.zip.")
    return name, path
