"""The files of a dbt project: the SELECTs of ``monitor/sql`` with ``ref``, and the project configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import Any, Final

import polars as pl

from reclens.edges._dbt_texts import COLUMNS, MACROS, OVERVIEW, PROFILES, SOURCES, TESTS
from reclens.monitor.indicators.registry import compute, describe
from reclens.monitor.indicators.registry import names as indicator_names
from reclens.monitor.landing import LANDED
from reclens.monitor.project import Project
from reclens.monitor.queries import MARTS, asked, names, sql, variables
from reclens.monitor.summary import Summary

__all__ = ["MODELS", "dbt_files"]

NAME: Final = "reclens_monitor"
MODELS: Final = ("impressions", "lists")
"""Queries that are views; the others are marts."""

_OPTIONAL: Final = {"retrievers": "retriever_log", "stages": "stage_log", "joins": "click_log"}
_TABLE: Final = re.compile(r"\b(FROM|JOIN) (\w+)\b(?! *\()")
_WITHIN: Final = re.compile(r"^(?:WITH )?(\w+) AS \($", re.MULTILINE)


def dbt_files(project: Project, *, today: date) -> dict[str, str]:
    """The files of the dbt project of a monitor: path -> text.

    Args:
        project: The monitor: its owners, runbooks and tables.
        today: Default first day of a build if no day was run yet.
    """
    chosen = [name for name in names() if _OPTIONAL.get(name, "events") in _landed(project)]
    begin = min(project.days(), default=today)
    files = {
        "dbt_project.yml": _yaml(_settings(project)),
        "profiles.yml": PROFILES,
        "macros/microbatch.sql": MACROS,
        "models/overview.md": OVERVIEW,
        "models/sources.yml": _yaml(_sources(project)),
        "models/models.yml": _yaml({"models": [_described(project, name) for name in chosen]}),
        "models/exposures.yml": _yaml({"exposures": _exposures(project, chosen)}),
        ".gitignore": "logs/\ntarget/\nwarehouse.duckdb*\n",
    }
    for name in chosen:
        folder = "staging" if name in MODELS else "marts"
        files[f"models/{folder}/{name}.sql"] = _model(name, begin)
    return files | {f"tests/generic/{name}.sql": text for name, text in TESTS.items()}


# ---------------------------------------------------------------------------------------------------------- the models


def _model(name: str, begin: date) -> str:
    """A query as a model: its configuration, and the SELECT with ``ref``, ``source`` and ``var``."""
    if name in MODELS:
        config = "{{ config(materialized='view', event_time='day') }}"
    else:
        config = (
            "{{\n    config(\n        materialized='incremental',\n        incremental_strategy='microbatch',\n"
            f"        event_time='day',\n        batch_size='day',\n        begin='{begin}',\n"
            "        concurrent_batches=false,\n    )\n}}"
        )
    text = sql(name)
    within = set(_WITHIN.findall(text))
    text = _TABLE.sub(partial(_referred, within=within), text)
    for variable in asked(name):
        text = re.sub(rf"\${variable}\b", f"{{{{ var('{variable}') }}}}", text)
    return f"{config}\n\n{text}"


def _referred(found: re.Match[str], *, within: set[str]) -> str:
    word, name = found.groups()
    if name in within:
        return found.group()
    asked_for = f"source('landed', '{name}')" if name in LANDED else f"ref('{name}')"
    # Filtered by its days, a table may have an alias already: one within brackets can be given another.
    return f"{word} (SELECT * FROM {{{{ {asked_for} }}}}) AS {name}" if name in (*LANDED, *MODELS) else found.group()


def _about(name: str) -> str:
    """Description of a query from its comment."""
    lines: list[str] = []
    for line in sql(name).splitlines():
        if not line.startswith("--") or line == "-- Parameters":
            break
        lines.append(line.removeprefix("-- "))
    return " ".join(lines)


def _described(project: Project, name: str) -> dict[str, Any]:
    """A model with its columns, its tests, and the owners of its indicators."""
    about: dict[str, Any] = {"name": name, "description": _about(name)}
    if name in MODELS:
        return about
    fed = [each for each in indicator_names() if name in _read_by(each)]
    owners = sorted({owner for each in fed if (owner := project.settings.of(each).owner) is not None})
    runbooks = {each: book for each in fed if (book := project.settings.of(each).runbook) is not None}
    about["config"] = {"meta": {"owners": owners, "runbooks": runbooks, "indicators": fed}}
    keys, columns = COLUMNS[name]
    about["data_tests"] = [{"one_row_each": {"arguments": {"columns": ["day", *keys]}}}]
    about["columns"] = [
        {"name": "day", "description": "The day, in the zone of the log.", "data_tests": ["not_null"]},
        *({"name": each, "description": "Tells the rows of a day apart; null is a value too."} for each in keys),
        *({"name": each, "description": text, "data_tests": list(tests)} for each, (text, tests) in columns.items()),
    ]
    return about


# ------------------------------------------------------------------------------------------------------ around them


def _settings(project: Project) -> dict[str, Any]:
    return {
        "name": NAME,
        "config-version": 2,
        "profile": NAME,
        "flags": {"send_anonymous_usage_stats": False},
        "vars": variables(project.settings.log),
    }


def _landed(project: Project) -> list[str]:
    """The tables that a monitor lands."""
    tables = project.settings.tables
    there = {
        "retriever_log": tables.retrievers is not None,
        "stage_log": tables.stages is not None,
        "click_log": project.settings.log.clicks is not None,
    }
    return [name for name in LANDED if there.get(name, True)]


def _sources(project: Project) -> dict[str, Any]:
    place = "{{ env_var('RECLENS_LANDED', '../state/landed') }}"
    landed = {
        "name": "landed",
        "description": "What the monitor lands of each day, after its data gate.",
        "schema": "landed",
        "config": {"meta": {"external_location": f"read_parquet('{place}/{{name}}/*.parquet', union_by_name = true)"}},
        "tables": [
            {"name": name, "description": SOURCES[name], "config": {"event_time": "day"}} for name in _landed(project)
        ],
    }
    return {"sources": [landed]}


def _exposures(project: Project, chosen: list[str]) -> list[dict[str, Any]]:
    """The exposures of the marts: the page, the report, and each indicator with its owner and runbook."""
    system = project.settings.system
    marts = [name for name in chosen if name not in MODELS]
    found = [
        _exposure("health", "dashboard", "The page Health: today, incidents, slices.", system, marts),
        _exposure("weekly_report", "analysis", "The report of each week.", system, marts),
    ]
    for name in indicator_names():
        info, said = describe(name), project.settings.of(name)
        read = [mart for mart in _read_by(name) if mart in chosen]
        if not read:
            continue
        one = _exposure(f"indicator_{name}", "application", info.summary, said.owner or system, read)
        meta = {"runbook": said.runbook, "direction": said.direction or info.direction, "slo": said.slo}
        one["config"] = {"meta": {key: value for key, value in meta.items() if value is not None}}
        if said.runbook is not None and said.runbook.startswith(("http://", "https://")):
            one["url"] = said.runbook
        found.append(one)
    return found


def _exposure(name: str, kind: str, about: str, owner: str, marts: list[str]) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind,
        "description": about,
        "owner": {"name": owner},
        "depends_on": [f"ref('{mart}')" for mart in marts],
    }


class _Asked(Summary):
    """An empty summary that records the requested tables."""

    def table(self, name: str) -> pl.DataFrame | None:
        self._kept.setdefault(f"asked {name}", None)
        return None


def _read_by(indicator: str) -> list[str]:
    """The marts that an indicator uses."""
    empty = _Asked(days=(date.min,), tables={})
    compute(empty, only=(indicator,))
    return [mart for mart, table in MARTS.items() if f"asked {table}" in empty._kept]


# ---------------------------------------------------------------------------------------------------------------- YAML


def _yaml(value: Mapping[str, Any]) -> str:
    """YAML of dicts, lists and scalars; strings are JSON-quoted, which is valid YAML."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> list[str]:
    if isinstance(value, Mapping) and value:
        found: list[str] = []
        for key, inner in value.items():
            nested = isinstance(inner, (Mapping, list)) and bool(inner)
            found.append(f"{key}:" if nested else f"{key}: {_scalar(inner)}")
            found += [f"  {line}" for line in _lines(inner)] if nested else []
        return found
    if isinstance(value, list) and value:
        found = []
        for inner in value:
            first, *rest = _lines(inner)
            found += [f"- {first}", *(f"  {line}" for line in rest)]
        return found
    return [_scalar(value)]


def _scalar(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
