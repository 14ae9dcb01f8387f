"""List and describe the metrics."""

from __future__ import annotations

from typing import Annotated

import typer

from reclens.cli.registry import command
from reclens.cli.shared import Format, FormatOption, OutOption

__all__ = ["conventions", "list_metrics", "show"]


@command("metrics list")
def list_metrics(format: FormatOption = Format.table, out: OutOption = None) -> None:
    """List the metrics, one per line."""
    from reclens import metrics
    from reclens.cli.shared import emit, table_of

    found = [metrics.describe(name) for name in metrics.names()]
    also = {name: ", ".join(other for other, of in metrics.ALIASES.items() if of == name) for name in metrics.names()}
    rows = [
        {
            "metric": f"{info.name}@k" if info.cut else info.name,
            "also": also[info.name],
            "title": info.title,
            "kind": info.kind,
            "what it says": info.summary,
            "use when": info.use_when,
        }
        for info in found
    ]
    emit(table_of("Metrics", rows), format=format, out=out)


@command("metrics show")
def show(name: Annotated[str, typer.Argument(help="Name of the metric, such as ndcg.")]) -> None:
    """Show the definition of a metric: formula, range, denominator, rules, source."""
    from reclens import metrics
    from reclens.cli.shared import put

    info = metrics.describe(name)
    put(f"{info.name}: {info.title}\n\n{info.doc}")


@command("metrics conventions")
def conventions(format: FormatOption = Format.table, out: OutOption = None) -> None:
    """List the conventions: what the same names mean in other libraries."""
    from reclens.cli.shared import emit, table_of
    from reclens.metrics import CONVENTIONS

    rows = [{"convention": each.name, "what it does": each.summary} for each in CONVENTIONS.values()]
    emit(table_of("Conventions", rows), format=format, out=out)
