"""The root of the command line. Commands are discovered; see :mod:`reclens.cli.registry`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from reclens import __version__
from reclens.cli.ending import end
from reclens.cli.registry import SETTINGS, Group

__all__ = ["Root", "app", "root"]


class Root(Group):
    """The root command. A failing command ends with one message and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        """Run the named command."""
        try:
            return super().invoke(ctx)
        except BaseException as error:
            # Typer handles its own exceptions, which report usage errors and exit statuses.
            if isinstance(error, SystemExit):
                raise
            if type(error).__module__.partition(".")[0] in ("click", "typer"):
                _in_our_words(error)
                raise
            raise SystemExit(end(error)) from None


app = typer.Typer(
    name="reclens",
    cls=Root,
    help="Evaluate recommender systems: metrics of any system's lists, by segment, with confidence intervals.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings=SETTINGS,
)


def _in_our_words(error: Any) -> None:
    """Rewrite Typer's pydantic messages to state the given and the expected value."""
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
