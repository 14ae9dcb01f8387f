"""Option bundles: a frozen dataclass of options that several commands share, as one parameter.

A command takes ``output: Output = OUTPUT``, which adds ``--format``, ``--out`` and ``--quiet`` to the command line. A
field is declared like an option parameter: its type holds the name and the help.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, get_type_hints

import typer

from reclens.cli.shared import (
    DocumentOption,
    Format,
    FormatOption,
    OutOption,
    QuietOption,
    ReportOption,
    SeedOption,
    emit,
    say,
)

if TYPE_CHECKING:
    from reclens.report import Table
    from reclens.report._toolkit.document import RenderedDocument

__all__ = [
    "ARMS",
    "DOCUMENTED",
    "OUTPUT",
    "REPORTED",
    "STUDIED",
    "Arms",
    "Documented",
    "Output",
    "Reported",
    "Studied",
    "expanded",
    "with_parameters",
]


@dataclass(frozen=True)
class Output:
    """Where a command writes its table, and whether it prints messages."""

    format: FormatOption = Format.table
    out: OutOption = None
    quiet: QuietOption = False

    def emit(self, table: Table, *, synthetic: bool = False) -> None:
        """Write the table to stdout or to the file."""
        emit(table, format=self.format, out=self.out, synthetic=synthetic, quiet=self.quiet)

    def say(self, text: str) -> None:
        """Print a message on stderr, unless --quiet is given."""
        say(text, quiet=self.quiet)


OUTPUT: Final = Output()


@dataclass(frozen=True)
class Documented(Output):
    """A table on stdout, and a document with ``--out``."""

    out: DocumentOption = None

    def emit(self, table: Table, *, synthetic: bool = False) -> None:
        """Write the table to stdout."""
        emit(table, format=self.format, out=None, synthetic=synthetic, quiet=self.quiet)

    def save(self, build: Callable[[], RenderedDocument], *, name: str) -> None:
        """Build and write the document, if --out is given."""
        _save(build, self.out, name=name, quiet=self.quiet)


DOCUMENTED: Final = Documented()


@dataclass(frozen=True)
class Reported(Output):
    """A table, and a document with charts with ``--report``."""

    report: ReportOption = None

    def save(self, build: Callable[[], RenderedDocument]) -> None:
        """Build and write the document, if --report is given."""
        _save(build, self.report, name="report", quiet=self.quiet)


REPORTED: Final = Reported()


@dataclass(frozen=True)
class Studied(Reported):
    """The result of a study with random numbers: a table, ``--report`` and ``--seed``."""

    seed: SeedOption = 0


STUDIED: Final = Studied()


def _save(build: Callable[[], RenderedDocument], stem: Path | None, *, name: str, quiet: bool) -> None:
    if stem is not None:
        text, page = build().save(stem)
        say(f"{name}: {text}, {page}", quiet=quiet)


@dataclass(frozen=True)
class Arms:
    """The two models of a simulated experiment."""

    control: Annotated[str, typer.Option("--control", help="Model of the control arm.")] = "popular"
    treatment: Annotated[str, typer.Option("--treatment", help="Model of the treated arm, or oracle.")] = "item_knn"

    def settings(self, **of_both: Any) -> dict[str, Any]:
        """Return the arms as settings of a simulation, with the treatment as the change."""
        return {
            "control": {"model": self.control, **of_both},
            "treatment": {"model": self.treatment, "changed": True, **of_both},
        }


ARMS: Final = Arms()


def expanded(command: Callable[..., Any]) -> Callable[..., Any]:
    """Replace each bundle parameter of a command by its options."""
    own = inspect.signature(command, eval_str=True)
    bundles: dict[str, Any] = {
        each.name: each.annotation for each in own.parameters.values() if is_dataclass(each.annotation)
    }
    if not bundles:
        return command
    parameters: list[inspect.Parameter] = []
    for each in own.parameters.values():
        parameters += _options_of(bundles[each.name]) if each.name in bundles else [each]

    def call(**values: Any) -> Any:
        made = {
            name: bundle(**{each.name: values.pop(each.name) for each in fields(bundle)})
            for name, bundle in bundles.items()
        }
        return command(**values, **made)

    return with_parameters(call, command, parameters)


def with_parameters(
    call: Callable[..., Any], command: Callable[..., Any], parameters: Sequence[inspect.Parameter]
) -> Callable[..., Any]:
    """Replace the signature of a function that Typer reads."""
    functools.update_wrapper(call, command)
    del call.__wrapped__  # type: ignore[attr-defined]  # its signature is not that of the command
    own = inspect.signature(command, eval_str=True)
    call.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {each.name: each.annotation for each in parameters}
    return call


def _options_of(bundle: Any) -> list[inspect.Parameter]:
    """Return the fields of a bundle as parameters of a command."""
    hints = get_type_hints(bundle, include_extras=True)
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [
        inspect.Parameter(
            each.name,
            kind,
            default=inspect.Parameter.empty if each.default is MISSING else each.default,
            annotation=hints[each.name],
        )
        for each in fields(bundle)
    ]
