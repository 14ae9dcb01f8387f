"""What the steps of a monitor work on: its folder, and its settings as each step asks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from reclens.edges.dbt import DbtMarts
from reclens.edges.great_expectations import GreatExpectationsGate
from reclens.errors import UsageError
from reclens.monitor.annotations import Annotations
from reclens.monitor.detect import DetectOptions
from reclens.monitor.incidents import IncidentStore
from reclens.monitor.indicators.registry import describe, names
from reclens.monitor.landing import Marts
from reclens.monitor.project import RUN_DAYS, Project
from reclens.monitor.records import Annotation
from reclens.monitor.rules import Rule
from reclens.monitor.settings import SETTINGS_FILE, MonitorSettings
from reclens.protocols import Gate, adapter
from reclens.workspace import Workspace

__all__ = [
    "FOLDER",
    "Tools",
    "annotations_of",
    "engine_of",
    "expect_days",
    "gate_of",
    "marts_of",
    "named_in",
    "notes_of",
    "options_of",
    "place_of",
    "project_folder",
    "rules_of",
    "store_of",
    "tools_of",
]

FOLDER: Final = "monitor"
"""Folder of a monitor in the workspace, where none is named."""


def project_folder(folder: Path | None, workspace: Path) -> Path:
    """The folder of a monitor: the one that is named, or ``monitor`` in the workspace."""
    return workspace / FOLDER if folder is None else folder


def place_of(project: str, workspace: Workspace) -> Path | None:
    """The folder of a monitor as a kept day names it; None if it is not on this machine.

    Args:
        project: A path; a relative one starts at the workspace.
        workspace: The workspace of the day.
    """
    if not project:
        return None
    place = workspace.folder / project
    return place if (place / SETTINGS_FILE).is_file() else None


def named_in(project: Project, workspace: Workspace) -> str:
    """The folder of a monitor as its days name it: relative where it is in the workspace, which may be moved."""
    place, home = project.folder.resolve(), workspace.folder.resolve()
    return str(place.relative_to(home)) if place.is_relative_to(home) else str(place)


def rules_of(settings: MonitorSettings) -> dict[str, Rule]:
    """How each indicator is judged: what it is, and what ``[indicators]`` says of it.

    Raises:
        UsageError: If ``[indicators]`` names one that does not exist.
    """
    for name in settings.indicators:
        describe(name)
    found: dict[str, Rule] = {}
    for name in names():
        info, said = describe(name), settings.of(name)
        found[name] = Rule(
            scale=info.scale,
            direction=said.direction or info.direction,
            family=info.family,
            budget=said.budget,
            watch=said.watch,
            slices=said.slices,
            drifts=info.drifts,
            owner=said.owner,
            runbook=said.runbook,
            slo=said.slo,
        )
    return found


def gate_of(settings: MonitorSettings) -> Gate | None:
    """The further gate that ``[gate]`` names.

    Raises:
        UnknownNameError: If there is no adapter of that scheme.
        UsageError: If the address has no scheme, or names no gate.
        MissingExtraError: If its library is not installed.
    """
    address = settings.gate.adapter
    return None if address is None else adapter(address, Gate)


class Tools(NamedTuple):
    """What else works on a day; None if the monitor does it itself.

    Attributes:
        gate: A further gate.
        engine: What judges the profile of the data.
        marts: What makes the marts.
    """

    gate: Gate | None
    engine: Gate | None
    marts: Marts | None


def tools_of(project: Project) -> Tools:
    """The tools that the settings name.

    Raises:
        MissingExtraError: If one of them is not installed.
        UsageError: If the settings are wrong.
        WorkspaceError: If there is no dbt project, and dbt makes the marts.
    """
    return Tools(gate_of(project.settings), engine_of(project), marts_of(project))


def engine_of(project: Project) -> Gate | None:
    """What judges the gate: None for the monitor itself.

    Raises:
        MissingExtraError: If its library is not installed.
    """
    gate = project.settings.gate
    return None if gate.engine == "native" else GreatExpectationsGate(project.folder, gate)


def marts_of(project: Project) -> Marts | None:
    """What makes the marts: None for the monitor itself.

    Raises:
        MissingExtraError: If dbt is not installed.
        WorkspaceError: If there is no dbt project.
    """
    return None if project.settings.marts.engine == "native" else DbtMarts(project)


def options_of(settings: MonitorSettings) -> DetectOptions:
    """How days are judged."""
    about = settings.detect
    return DetectOptions(
        budget=about.budget,
        cool_down=about.cool_down,
        memory=about.memory,
        warm_up=about.warm_up,
        least_rows=about.least_rows,
    )


def store_of(project: Project) -> IncidentStore:
    """The incidents of a monitor."""
    about = project.settings.detect
    return IncidentStore(
        project.state / "incidents",
        rules=rules_of(project.settings),
        resolve_days=about.resolve_days,
        cool_down=about.cool_down,
    )


def expect_days(project: Project) -> None:
    """Refuse a monitor without days.

    Raises:
        UsageError: If no day was run.
    """
    if not project.days():
        raise UsageError(f"{project.folder} has no day yet", advice=RUN_DAYS)


def notes_of(project: Project) -> Annotations:
    """Where the annotations of a monitor are kept."""
    return Annotations(project.notes)


def annotations_of(project: Project) -> list[Annotation]:
    """The annotations of a monitor."""
    return list(notes_of(project).list())
