"""The page of health: today, incidents and their life, slices, the data gate, annotations, weekly reports."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from reclens.dashboard.health_views import dimensions, overall_keys
from reclens.job.monitor_inputs import notes_of, store_of
from reclens.job.monitor_week import write_week
from reclens.monitor.project import Project
from reclens.monitor.records import Incident
from reclens.workspace import Workspace

PARTS = ("Today", "Incidents", "Slices", "Data", "Annotations", "Weekly reports")


@pytest.fixture(scope="module")
def kept(watched: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine days of a shop, with its monitor; its only incident by the store is the day whose data failed."""
    folder = tmp_path_factory.mktemp("health") / "workspace"
    write_week(watched.keep(folder), watched.LAST, workspace=Workspace(folder))
    return folder


@pytest.fixture
def health_workspace(kept: Path, tmp_path: Path) -> Path:
    return shutil.copytree(kept, tmp_path / "workspace")


def test_slices_begin_with_the_dimension_that_has_an_alert(watched: ModuleType) -> None:
    day = watched.days()[-1]
    rows = day.detections.filter(dimension="surface")
    versions = rows.with_columns(dimension=pl.lit("model_version"), state=pl.lit("warming_up"))
    assert dimensions(replace(day, detections=pl.concat([versions, rows]))) == {"ctr": ["surface", "model_version"]}
    assert overall_keys(day)[0] == ("ctr", "overall", "all")


def words(app: Any) -> str:
    shown = [*app.markdown, *app.caption, *app.text, *app.info, *app.subheader, *app.warning]
    return "\n".join(str(each.value) for each in shown).replace("\\", "")


def root_of(folder: Path) -> Incident:
    return next(each for each in store_of(Project(folder / "monitor")).list() if each.root.indicator == "ctr")


@pytest.mark.parametrize("part", PARTS)
def test_each_part_draws(part: str, open_page: Any, kept: Path) -> None:
    app = open_page("health", folder=kept, part=part)
    assert (len(app.get("vega_lite_chart")) > 0) == (part in ("Today", "Incidents", "Slices"))
    said = words(app)
    assert "Synthetic data" in said and "series are beyond their bands" in said
    told = {
        "Today": "Click-through rate",
        "Incidents": "Who did what",
        "Slices": "Click-through rate on 8 Mar 2026",
        "Data": "The data of the day passed their checks",
        "Annotations": "Annotations",
        "Weekly reports": "**2 to 8 Mar 2026**",
    }
    assert told[part].lower() in said.lower()


def test_without_a_monitor_it_says_how_to_begin(open_page: Any, tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    assert "reclens monitor init" in words(open_page("health", folder=tmp_path / "workspace"))


def test_another_day_is_shown_as_it_was(open_page: Any, kept: Path) -> None:
    app = open_page("health", folder=kept, day="2026-03-03", part="Data")
    assert "number of rows: 4,000, expected at least 12,000" in words(app)
    assert "series are beyond" not in words(app)


def test_an_incident_is_acknowledged_from_the_page(open_page: Any, health_workspace: Path) -> None:
    incident = root_of(health_workspace)
    assert incident.status == "open"
    app = open_page("health", folder=health_workspace, part="Incidents", incident=incident.id)
    app.text_input(key=f"by-{incident.id}").set_value(" ")
    press(app, "Acknowledge")
    assert "Say who you are" in words(app) and root_of(health_workspace).status == "open"
    app.text_input(key=f"by-{incident.id}").set_value("ann")
    app.text_input(key=f"note-{incident.id}").set_value("rolled back")
    press(app, "Acknowledge")
    assert not app.exception
    done = root_of(health_workspace)
    assert (done.status, done.trail[-1].by, done.trail[-1].note) == ("acknowledged", "ann", "rolled back")
    assert "Acknowledged by ann." in words(app)
    app.text_input(key=f"by-{incident.id}").set_value("bob")
    press(app, "Snooze for 7 days")
    assert root_of(health_workspace).snoozed_until == date.today() + timedelta(days=7)
    assert "Acknowledged by ann; no notices until" in words(app)
    app.text_input(key=f"by-{incident.id}").set_value("bob")
    press(app, "Resolve")
    assert root_of(health_workspace).status == "resolved"
    # What is resolved is so in the headline too, while the numbers are as they were.
    assert "Look" in words(app) and "beyond their bands or drifting; no incident." in words(app)


def press(app: Any, label: str) -> None:
    next(each for each in app.button if each.label == label).click().run()


def test_an_annotation_is_written_from_the_page(open_page: Any, health_workspace: Path) -> None:
    app = open_page("health", folder=health_workspace, part="Annotations")
    press(app, "Note it")
    assert "Say what happened" in words(app)
    app.text_input(key="annotation-by").set_value("ann")
    app.text_input(key="annotation-text").set_value("new catalogue")
    app.checkbox(key="annotation-suppress").check()
    press(app, "Note it")
    assert not app.exception
    noted = notes_of(Project(health_workspace / "monitor")).list()[-1]
    assert (noted.text, noted.by, noted.suppress, noted.start) == ("new catalogue", "ann", True, date(2026, 3, 8))


def test_where_the_monitor_is_elsewhere_it_is_only_read(open_page: Any, health_workspace: Path) -> None:
    shutil.rmtree(health_workspace / "monitor")
    app = open_page("health", folder=health_workspace, part="Incidents", incident="ctr-home-0305")
    assert "not on this machine" in words(app) and not [each for each in app.button if each.label == "Acknowledge"]
    assert "First suspects: a deploy" in words(app)
