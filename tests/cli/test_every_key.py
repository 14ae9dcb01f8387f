"""Every key of every TOML file that a command takes: a slip and a wrong value are refused by their name."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from reclens.experiment.planning.plan import Plan
from reclens.job.audit_settings import ActionSettings, AuditJobSettings, PositionSettings, ReportSettings
from reclens.job.settings import JobSettings, SegmentSettings, TuneSettings, WeightsSettings
from reclens.lab.simulation import SimulationSettings
from reclens.pipeline.settings import PipelineSettings
from reclens.settings import write_toml

NOSUCH = {"nosuch": "nosuch"}
"""Of a wrong kind for a value, and with an unknown key for a section."""

HYBRID = {"model": "weighted_hybrid", "models": {"popular": {}, "random": {}}, "weights": {"popular": 1, "random": 1}}
SEGMENT = {"data.users": "users.csv", "data.items": "items.csv"}
BESIDE: dict[str, dict[str, Any]] = {
    **{f"segments.x.{key}": SEGMENT for key in SegmentSettings.model_fields},
    "segments.x.of": {**SEGMENT, "segments.x.bins": [3]},
    "segments.x.order": {**SEGMENT, "segments.x.column": "city"},
    "sensitivity.segments.x.of": {"sensitivity.segments.x.bins": [3]},
    "sensitivity.segments.x.order": {"sensitivity.segments.x.column": "city"},
    "split.test": {"split": {}},
    "split.validation": {"split": {"test": "truth.csv"}},
    "split.test_share": {"split": {"method": "random"}},
    "pipelines.x.rank": {"pipelines.x.retrieve": {"popular": {"k": 5}}},
    "pipelines.x.rerank": {"pipelines.x.retrieve": {"popular": {"k": 5}}},
    "pipelines.x.name": {"pipelines.x.retrieve": {"popular": {"k": 5}}},
    "pipelines.x.exclude_seen": {"pipelines.x.retrieve": {"popular": {"k": 5}}},
    "gate.segment": {**SEGMENT, "segments.x.column": "city", "gate.by": "x"},
    "data.split": {"data": {}},
    **{
        f"hypotheses.{key}": {"hypotheses": [{"measure": "exposure_share", "attribute": "popularity"}]}
        for key in ("attribute", "reference")
    },
    **{f"position.{key}": {"data.log": "log.csv"} for key in PositionSettings.model_fields},
    "model.parameters": {"model.name": "ease"},
    "mitigation.candidates": {"mitigation.attribute": "popularity", "mitigation.group": "tail"},
    "sequential.information": {"sequential.looks": 2},
    **{f"tune.{key}": {"split.validation_n": 1} for key in TuneSettings.model_fields},
    **{f"tune_weights.x.{key}": {"split.validation_n": 1, "models.x": HYBRID} for key in WeightsSettings.model_fields},
}
"""What has to be said too, so that a key is looked at."""

FREE = {
    "title",
    "pipelines.x.name",
    "name",
    "hypothesis",
    "salt",
    "layer",
    "exclusions",
    "conditions",
    "metrics.name",
    "metrics.unit",
    "data.read",
    "data.lists",
    *(f"report.{key}" for key in ReportSettings.model_fields),
    *(f"action.{key}" for key in ActionSettings.model_fields),
}
"""Free words."""

OF_DATA = {"unit", "cluster", "segments", "triggered", "metrics.value", "metrics.per", "metrics.covariates"}
"""Columns that a plan names: they are looked for when there are rows."""

FILES: dict[str, tuple[type[BaseModel], tuple[str, ...], dict[str, Any]]] = {
    "job": (
        JobSettings,
        ("run",),
        {
            "name": "j",
            "data": {"path": "events.csv"},
            "split": {"n": 2},
            "models": {"popular": {}, "random": {}},
            "evaluate": {"metrics": ["ndcg@2"], "k": 3, "replicates": 20},
            "gate": [{"metric": "ndcg@2", "at_least": 0.0}],
        },
    ),
    "pipeline": (PipelineSettings, ("pipeline", "fit"), {"retrieve": {"popular": {"k": 5}}}),
    "plan": (
        Plan,
        ("experiment", "plan"),
        {
            "name": "shop",
            "arms": {"old": 0.5, "new": 0.5},
            "metrics": [{"name": "clicks", "value": "clicks", "effect": 0.1, "baseline": {"mean": 1.0, "sd": 1.0}}],
        },
    ),
    "audit": (
        AuditJobSettings,
        ("audit", "run"),
        {
            "name": "a",
            "lists": "lists.csv",
            "data": {"truth": "truth.csv", "train": "train.csv", "users": "users.csv", "items": "items.csv"},
            "audit": {"k": 3, "by": ["city"], "metrics": ["ndcg@2"], "attributes": ["popularity"], "replicates": 200},
            "report": {"pdf": False},
            "hypotheses": [{"measure": "ndcg@2", "by": "city"}],
            "action": [{"what": "wait"}],
            "gate": [{"measure": "ndcg@2", "at_least": 0.0, "unsure": "pass"}],
        },
    ),
    "simulation": (SimulationSettings, ("experiment", "simulate"), {"size": "tiny", "days": 2, "replicates": 0}),
}


MORE = {"pipeline": ("--data", "events.csv", "--name", "new")}


def keys(kind: type[BaseModel], above: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key that holds a value, and every section, with its field."""
    for name, field in kind.model_fields.items():
        section = section_of(field.annotation)
        yield above + name, field
        if section is not None:
            between = (
                "x."
                if get_origin(field.annotation) is dict or dict in map(get_origin, get_args(field.annotation))
                else ""
            )
            yield from keys(section, f"{above}{name}.{between}")


def section_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := section_of(part)) is not None), None)


def kinds_of(annotation: Any) -> set[Any]:
    parts = get_args(annotation)
    if get_origin(annotation) is Literal:
        return {Literal}
    return {annotation} if not parts else set().union(*map(kinds_of, parts))


def outside(field: FieldInfo) -> list[Any]:
    """A value just beyond each bound of a field."""
    found: list[Any] = []
    for bound in field.metadata:
        found += [
            value
            for name, value in (("gt", 0), ("ge", -1), ("lt", 0), ("le", 1))
            if (edge := getattr(bound, name, None)) is not None
            for value in [edge + value]
        ]
    return found


def wrong_values(key: str, field: FieldInfo) -> list[Any]:
    annotation = field.annotation
    kinds = kinds_of(annotation)
    values: list[Any] = [NOSUCH]
    if kinds & {int, float}:
        values += [math.nan, *outside(field)]
    if kinds & {str, Literal} and key not in FREE | OF_DATA:
        listed = get_origin(annotation) in (list, tuple) or {list, tuple} & {
            get_origin(p) for p in get_args(annotation)
        }
        values.append(["nosuch"] if listed else "nosuch")
    return values


def put(content: dict[str, Any], key: str, value: Any) -> None:
    *above, name = key.split(".")
    for part in above:
        content = content.setdefault(part, {})
        content = content[0] if isinstance(content, list) else content
    content[name] = value


@pytest.mark.parametrize("file", FILES)
def test_a_wrong_value_of_any_key_is_refused_by_its_name(file: str, shop: Path, typed, tmp_path: Path) -> None:
    kind, command, base = FILES[file]
    skipped = []
    for key, field in keys(kind):
        for value in wrong_values(key, field):
            content = deepcopy(base)
            for other, said in BESIDE.get(key, {}).items():
                put(content, other, said)
            put(content, key, value)
            path = tmp_path / "it.toml"
            path.write_text(write_toml(content))
            assert tomllib.loads(path.read_text()) is not None
            said = typed(*command, str(path), *MORE.get(file, ()), cwd=shop)
            named = "nosuch" in said.stderr or key.rpartition(".")[2] in said.stderr
            if said.status != 2 or said.stdout or not named:
                skipped.append(f"{key} = {value!r} -> {said.status}: {said.stderr[-250:]}")
    assert not skipped, "\n".join(skipped)


@pytest.mark.parametrize("file", FILES)
def test_an_unknown_key_of_any_section_is_refused(file: str, shop: Path, typed, tmp_path: Path) -> None:
    kind, command, base = FILES[file]
    sections = {"", *(key.rpartition(".")[0] for key, _ in keys(kind) if "." in key)}
    for section in sections:
        content = deepcopy(base)
        for other, said in BESIDE.get(f"{section}.column", {}).items():
            put(content, other, said)
        put(content, f"{section}.nosuch".lstrip("."), 1)
        (tmp_path / "it.toml").write_text(write_toml(content))
        said = typed(*command, str(tmp_path / "it.toml"), *MORE.get(file, ()), cwd=shop)
        assert said.status == 2 and "has no key 'nosuch'" in said.stderr, (section, said)
