"""The root of the command line: every command under its name."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from reclens import __version__
from reclens.cli import (
    dashboard,
    data,
    demo,
    doctor,
    evaluate,
    export,
    knowledge,
    metrics,
    models,
    pipeline,
    predictions,
    requests,
    tune,
    workspace,
)
from reclens.cli.ending import end
from reclens.cli.experiment import aa as experiment_aa
from reclens.cli.experiment import plan as experiment
from reclens.cli.experiment import read as experiment_read
from reclens.cli.lab import (
    correlate as experiment_correlate,
)
from reclens.cli.lab import (
    four_verdicts as experiment_verdicts,
)
from reclens.cli.lab import (
    holdout as experiment_holdout,
)
from reclens.cli.lab import (
    interference as experiment_interference,
)
from reclens.cli.lab import (
    simulate as experiment_simulate,
)

__all__ = ["Root", "app", "root"]


class Root(TyperGroup):
    """The root, which ends every command that fails with one message and a status."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except BaseException as error:
            # What Typer raises says how a command was typed, or with which status it ends: it knows what to do.
            if isinstance(error, SystemExit):
                raise
            if type(error).__module__.partition(".")[0] in ("click", "typer"):
                _in_our_words(error)
                raise
            raise SystemExit(end(error)) from None


app = typer.Typer(
    name="reclens",
    cls=Root,
    help="The workbench of a recommender-systems analyst: measure any system's lists, by segment, with intervals.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("run")(demo.run)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(evaluate.compare)
app.command("report")(evaluate.report)
app.command("fit")(models.fit)
app.command("recommend")(models.recommend)
app.command("similar")(models.similar)
app.command("predict")(predictions.predict)
app.command("evaluate-predictions")(predictions.evaluate_predictions)
app.command("evaluate-requests")(requests.evaluate_requests)
app.command("tune")(tune.tune)
app.command("dashboard")(dashboard.dashboard)
app.command("doctor")(doctor.doctor)
app.add_typer(data.app, name="data")
app.add_typer(models.app, name="models")
app.add_typer(pipeline.app, name="pipeline")
app.add_typer(knowledge.app, name="knowledge")
experiment.app.command("aa")(experiment_aa.aa)
experiment.app.command("read")(experiment_read.read)
experiment.app.command("simulate")(experiment_simulate.simulate)
experiment.app.command("correlate")(experiment_correlate.correlate)
experiment.app.command("interference")(experiment_interference.interference)
experiment.app.command("holdout")(experiment_holdout.holdout)
experiment.app.command("realism")(experiment_simulate.realism)
experiment.app.command("verdicts")(experiment_verdicts.verdicts)
experiment.app.command("off-policy")(experiment_verdicts.off_policy)
app.add_typer(experiment.app, name="experiment")
app.add_typer(metrics.app, name="metrics")
app.add_typer(workspace.app, name="workspace")
app.add_typer(export.app, name="export")


def _in_our_words(error: Any) -> None:
    """Let an error of an option say what was seen and expected: Typer takes the words of pydantic."""
    found = getattr(error.__cause__, "errors", None)
    if found is not None and hasattr(error, "message"):
        from reclens.settings import seen_and_expected

        error.message = f"{seen_and_expected(found()[0])}."


def _version(value: bool) -> None:
    if value:
        print(f"reclens {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of every command."""
