"""``reclens experiment``: plan, size, assign and check an experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reclens.cli.shared import OutOption

__all__ = ["app", "plan"]

app = typer.Typer(help="Plan, simulate and read A/B tests of recommender changes.", no_args_is_help=True)


@app.command()
def plan(
    source: Annotated[Path | None, typer.Argument(metavar="PLAN", help="The plan, as TOML.")] = None,
    example: Annotated[bool, typer.Option("--example", help="Print a plan to start from.")] = False,
    out: OutOption = None,
) -> None:
    """Check a plan, and write it whole.

    Examples:
      reclens experiment plan --example > plan.toml

      reclens experiment plan plan.toml
    """
    from reclens.errors import UsageError
    from reclens.experiment.plan import EXAMPLE_PLAN, load_plan
    from reclens.workspace import write_text

    if (source is None) == (not example):
        raise UsageError("say which plan to check, or --example for one to start from: expected one of the two.")
    text = EXAMPLE_PLAN if source is None else load_plan(source).to_toml()
    if out is None:
        print(text, end="")
    else:
        write_text(out, text)
