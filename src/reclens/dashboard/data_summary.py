"""The summary of a data set or a split on the Data page, computed once for each content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from reclens.dashboard import store
from reclens.data.curves import by_popularity, over_time, part_of, split_problems, tail_curve
from reclens.data.problems import Problem
from reclens.data.profile import Profile, profile
from reclens.data.split import Split, Task
from reclens.report.data.words import note_line
from reclens.workspace import Workspace

__all__ = ["Described", "describe_data", "table_of", "tables_of"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Described:
    """The description of a part of a data set or split.

    Attributes:
        profile: Its profile.
        tails: Items and users -> Lorenz curve of their interactions.
        places: Items and users -> interactions by rank.
        step: The unit of time.
        times: Interactions per unit of time, of all parts.
        problems: The problems that the profile and the split found.
        notes: Warnings in words.
        task: The task of the split; None for a data set.
    """

    profile: Profile
    tails: Mapping[str, Any]
    places: Mapping[str, Any]
    step: str
    times: list[dict[str, Any]]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    task: Task | None


def describe_data(workspace: Workspace, kind: str, name: str, part: str) -> Described:
    """Describe one part."""
    stamp = next((each.created.isoformat() for each in store.listing(workspace, kind) if each.name == name), "")
    return _described(str(workspace.folder), kind, name, part, stamp)


def tables_of(workspace: Workspace) -> dict[str, dict[str, str]]:
    """Return the SQL tables with their columns."""
    stamps = tuple(each.created.isoformat() for each in store.listing(workspace))
    return _tables(str(workspace.folder), stamps)


def table_of(workspace: Workspace, kind: str, name: str, table: str) -> str | None:
    """Return the SQL name of an artefact's table, or None if there is no such table."""
    stamps = tuple(each.created.isoformat() for each in store.listing(workspace))
    return _table(str(workspace.folder), kind, name, table, stamps)


@st.cache_resource(show_spinner=False, max_entries=64)
def _table(folder: str, kind: str, name: str, table: str, stamps: tuple[str, ...]) -> str | None:
    del stamps
    return Workspace(folder).table_name(kind, name, table)


@st.cache_resource(show_spinner="Reading the tables …", max_entries=8)
def _tables(folder: str, stamps: tuple[str, ...]) -> dict[str, dict[str, str]]:
    del stamps
    return Workspace(folder).tables()


@st.cache_resource(show_spinner="Describing the data …", max_entries=32)
def _described(folder: str, kind: str, name: str, part: str, stamp: str) -> Described:
    del stamp
    found = store.load(Workspace(folder), kind, name)
    data = part_of(found, part)
    step, times = over_time(found)
    split = isinstance(found, Split)
    profiled = profile(data)
    return Described(
        profile=profiled,
        tails={"items": tail_curve(data), "users": tail_curve(data, of="users")},
        places={"items": by_popularity(data), "users": by_popularity(data, of="users")},
        step=step,
        times=times,
        problems=(*profiled.problems, *(split_problems(found) if split else ())),
        notes=tuple(map(note_line, found.card.get("notes", ()))) if split else (),
        task=found.task if split else None,
    )
