"""A bundle of options is one parameter in the code, and its fields are the options on the command line."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from reclens.cli.bundles import expanded


@dataclass(frozen=True)
class Place:
    city: Annotated[str, typer.Option("--city", "-c")] = "Riga"
    street: Annotated[str | None, typer.Option("--street")] = None


NOWHERE = Place()


def visit(name: str, place: Place = NOWHERE, loud: bool = False) -> None:
    """Go there."""
    typer.echo(f"{name} {place.city} {place.street} {loud}")


def plain(name: str) -> None:
    """Stay."""
    typer.echo(name)


def test_the_fields_of_a_bundle_are_options_and_reach_the_command_as_one() -> None:
    app = typer.Typer()
    app.command()(expanded(visit))
    run = CliRunner().invoke
    assert run(app, ["Ann"]).output.split() == ["Ann", "Riga", "None", "False"]
    assert run(app, ["Ann", "-c", "Oslo", "--street", "A", "--loud"]).output.split() == ["Ann", "Oslo", "A", "True"]
    assert run(app, ["Ann", "--place", "x"]).exit_code == 2


def test_options_stand_in_the_place_of_their_bundle_and_the_help_stays() -> None:
    call = expanded(visit)
    assert [*inspect.signature(call).parameters] == ["name", "city", "street", "loud"]
    assert call.__doc__ == "Go there." and expanded(plain) is plain
