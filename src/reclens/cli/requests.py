"""``reclens evaluate-requests``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reclens.cli.bundles import OUTPUT, Output
from reclens.cli.option_names import as_option, texts
from reclens.cli.reading import NOTHING, reads
from reclens.cli.registry import command
from reclens.cli.shared import SeedOption, WorkspaceOption
from reclens.data.read.request import Reading
from reclens.report._toolkit.format import whole

if TYPE_CHECKING:
    import polars as pl

__all__ = ["evaluate_requests"]


@command("evaluate-requests")
@reads(attributes=False, ids=False, candidates="candidates")
def evaluate_requests(
    candidates: Annotated[
        str,
        typer.Argument(
            help="One row per candidate: request_id, user_id, item_id, clicked, and score or rank. Or MIND's "
            "behaviors.tsv, with --predictions."
        ),
    ],
    predictions: Annotated[
        str | None,
        typer.Option(
            "--predictions", help="MIND: the submission, with one impression and its ranks, as [3,1,2], per line."
        ),
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", "-m", help="Metric, as ndcg@5; by default those of MIND.")
    ] = None,
    split: Annotated[str | None, typer.Option("--split", help="Split of the workspace, for --by.")] = None,
    by: Annotated[list[str] | None, typer.Option("--by", help="Segmentation of the split.")] = None,
    reading: Reading = NOTHING,
    level: Annotated[float, typer.Option("--level", help="Confidence level.")] = 0.95,
    name: Annotated[str | None, typer.Option("--name", help="Name of the system; by default that of the file.")] = None,
    keep: Annotated[str | None, typer.Option("--keep", help="Keep the evaluation in the workspace.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Also write an HTML report to this file.")] = None,
    workspace: WorkspaceOption = Path("workspace"),
    seed: SeedOption = 0,
    output: Output = OUTPUT,
) -> None:
    """Evaluate the ranking of the candidates of each request, averaged by request and then by user.

    Examples:
      reclens evaluate-requests shown.csv -c request_id=impression -m candidate_auc -m ndcg@10

      reclens evaluate-requests behaviors.tsv --predictions prediction.txt
    """
    from reclens.cli.shared import prepare, progress_of, table_of
    from reclens.data.read.mind import read_mind
    from reclens.evaluation import REQUEST_METRICS
    from reclens.evaluation import evaluate_requests as measure
    from reclens.report import build_report, format_number, oddities, other_names
    from reclens.workspace import Workspace

    place = Workspace(workspace)
    if predictions is not None:
        reading.refuse_all("the layout of MIND's files is known")
        rows = read_mind(candidates, predictions)
    else:
        rows = _read(candidates, reading)
    train = None if split is None else place.load("split", split).train
    with progress_of(quiet=output.quiet) as progress:
        prepare(progress, "stats", quiet=output.quiet)
        result = measure(
            rows,
            metrics=metric or list(REQUEST_METRICS),
            train=train,
            by=by or (),
            level=level,
            rng=seed,
            name=name or Path(predictions or candidates).name.split(".")[0] or "system",
        )
    if keep:
        output.say(f"kept in {place.save(result, keep)}")
    if html is not None:
        output.say(f"report: {build_report({result.system: result}).save(html)}")
    card = result.card
    output.say(
        f"{whole(card.get('requests', 0))} requests of {whole(card['n_users'])} users: means by user of means by "
        "request"
    )
    for metric_name, value in card.get("means_over_requests", {}).items():
        output.say(f"plain mean over requests: {metric_name} {format_number(value)}")
    left = {
        "requests without a click, left out": card.get("requests_without_click", 0),
        "requests with all candidates clicked, without AUC": card.get("requests_all_clicked", 0),
    }
    for line in (
        *(f"{what}: {whole(count)}" for what, count in left.items() if count),
        *oddities(card, as_option, texts()),
        *other_names(card),
    ):
        output.say(line)
    output.emit(table_of(result.system, result.to_dicts()), synthetic=bool(card.get("synthetic")))


def _read(path: str, reading: Reading) -> pl.DataFrame:
    from reclens.data.read.open import translated
    from reclens.data.read.tables import read_table_and_rules
    from reclens.schema import ITEM, USER

    with translated(reading.words, reading.prefix("candidates")):
        return read_table_and_rules(path, required=(USER, ITEM), **reading.of("candidates"))[0]
