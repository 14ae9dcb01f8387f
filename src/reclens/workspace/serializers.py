"""The kinds of artefacts of a workspace, and how each is written and read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, asdict, fields
from pathlib import Path
from typing import Any, Final

import polars as pl

from reclens.audit.result import Audit
from reclens.data.dataset import Dataset
from reclens.data.manifest import MANIFEST, VerifiedFolder, mapping, reading
from reclens.data.read.frames import read_parquet
from reclens.data.split import Split
from reclens.errors import DataError
from reclens.evaluation import Comparison, Evaluation
from reclens.experiment.analysis.readout import Readout
from reclens.experiment.analysis.stored import from_plain, to_plain
from reclens.experiment.planning.plan import Plan, load_plan
from reclens.explore.result import Exploration
from reclens.explore.space import EmbeddingSpace
from reclens.files import write_text
from reclens.models import Recommender, get
from reclens.models._core.saving import write_model
from reclens.monitor.health import Health
from reclens.pipeline import Pipeline
from reclens.pipeline.saving import write_pipeline
from reclens.schema import ITEM, RANK, RATING, SCORE, TIMESTAMP, TIMESTAMP_TYPE, USER, WEIGHT, Recommendations
from reclens.stats.estimate import Estimate
from reclens.tuning import Tuning
from reclens.tuning.hybrid_weights import TunedWeights
from reclens.workspace.artefact import read_artefact

__all__ = ["SERIALIZERS", "read_kept"]


_SHOWN: Final = 3
"""Metrics whose numbers a list of artefacts tells."""


def _write_tables(tables: dict[str, pl.DataFrame | None], folder: Path) -> None:
    for name, table in tables.items():
        if table is not None:
            table.write_parquet(folder / f"{name}.parquet")


def _read_tables(folder: Path) -> dict[str, pl.DataFrame]:
    """Read the tables of a folder, after checking them against the manifest if there is one.

    Raises:
        DataError: If a file has changed since it was written, or a column has the wrong type.
    """
    # Artefacts saved before manifests existed can still be read; their columns are checked.
    if (folder / MANIFEST).exists():
        VerifiedFolder.open(folder)
    tables = {file.stem: read_parquet(file) for file in sorted(folder.glob("*.parquet"))}
    for name, table in tables.items():
        _check_columns(name, table)
    return tables


def _check_columns(name: str, table: pl.DataFrame) -> None:
    for column in table.columns:
        dtype, nulls = table.schema[column], table[column].null_count()
        if column in (USER, ITEM):
            fits = (dtype.is_integer() or dtype == pl.String) and not nulls
            expected = "ids without nulls, integers or text"
        elif column == RANK:
            fits = dtype.is_integer() and not nulls and not (table[column] < 1).any()
            expected = "whole numbers from 1, without nulls"
        elif column in (RATING, WEIGHT, SCORE):
            fits, expected = dtype.is_numeric(), "numbers"
        elif column == TIMESTAMP:
            fits, expected = dtype == TIMESTAMP_TYPE, str(TIMESTAMP_TYPE)
        else:
            continue
        if not fits:
            seen = f"{dtype} with {nulls:,} nulls" if nulls else str(dtype)
            raise DataError(f"it holds {seen}, expected {expected}", source=f"{name}.parquet", column=column)


def _need(tables: Mapping[str, pl.DataFrame], name: str, columns: tuple[str, ...]) -> pl.DataFrame:
    """Return a required table with some required columns.

    Raises:
        DataError: If it is missing, or lacks a column.
    """
    table = tables.get(name)
    absent = columns if table is None else [column for column in columns if column not in table.columns]
    if table is None or absent:
        raise DataError(f"the table '{name}' is missing or lacks {', '.join(absent)}")
    return table


def _card(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "card.json").read_text(encoding="utf-8"))


def _write_dataset(data: Dataset, folder: Path) -> dict[str, Any]:
    tables = {
        "interactions": data.interactions,
        "log": data.log,
        "users": data.users,
        "items": data.items,
        "segments": data.segments,
    }
    _write_tables(tables, folder)
    sizes = {"users": len(data.user_vocabulary), "items": len(data.item_vocabulary)}
    about = {"name": data.name, "interactions": data.interactions.height, **sizes}
    return {"about": about, "title": data.name, "data": dict(data.card)}


def _load_dataset(folder: Path) -> Dataset:
    tables, card = _read_tables(folder), _card(folder)
    interactions = _need(tables, "interactions", (USER, ITEM))
    parts = {name: tables.get(name) for name in ("users", "items", "segments", "log")}
    about: Any = mapping(card["data"], "its card")
    return Dataset(interactions, name=card["title"], card=about, **parts)


def _write_split(split: Split, folder: Path) -> dict[str, Any]:
    _write_tables(dict(split.tables()), folder)
    tables = {"train": split.train.interactions, "validation": split.validation, "fold_in": split.fold_in}
    parts = {name: table.height for name, table in (tables | {"test": split.test}).items() if table is not None}
    return {"about": {"name": split.train.name, "parts": parts}, "header": split.header()}


def _load_split(folder: Path) -> Split:
    tables, card = _read_tables(folder), _card(folder)
    for name in ("train", "test"):
        _need(tables, name, (USER, ITEM))
    return Split.from_tables(tables, mapping(card["header"], "its card"))


def _write_model(model: Recommender, folder: Path) -> dict[str, Any]:
    write_model(model, folder)
    own = [each for each in fields(model) if each.init and getattr(model, each.name) != _default(each)]
    changed = {each.name: _plain(getattr(model, each.name)) for each in own}
    return {"about": {"name": model.name, "changed": changed}, "model": model.name, "train": dict(model.train_)}


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _plain(value: Any) -> Any:
    """Return a hyper-parameter as JSON has it; a model by its name."""
    if isinstance(value, Recommender):
        return value.name
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _write_pipeline(pipeline: Pipeline, folder: Path) -> dict[str, Any]:
    write_pipeline(pipeline, folder)
    stages = [
        *pipeline.retrieve,
        (pipeline.rank or {}).get("model", "fusion"),
        *(each["kind"] for each in pipeline.rerank),
    ]
    return {"about": {"stages": [str(stage) for stage in stages]}, "train": dict(pipeline.train_)}


def _write_run(lists: Recommendations, folder: Path) -> dict[str, Any]:
    _write_tables({"lists": lists.table}, folder)
    users = lists.table[USER].n_unique()
    about = {"system": lists.name, "rows": lists.table.height, "users": users}
    return {"about": about, "system": lists.name, "lists": dict(lists.card)}


def _load_run(folder: Path) -> Recommendations:
    table, card = _need(_read_tables(folder), "lists", (USER, ITEM, RANK)), _card(folder)
    about: Any = mapping(card["lists"], "its card")
    return Recommendations(table, str(card["system"]), about)


def _write_evaluation(result: Evaluation, folder: Path) -> dict[str, Any]:
    result.save(folder)
    shown = {name: _of_estimate(result[name].overall) for name in result.metrics[:_SHOWN]}
    return {
        "about": {"system": result.system, "metrics": shown, "more": len(result.metrics) > _SHOWN},
        "system": result.system,
        "metrics": list(result.metrics),
        "evaluation": dict(result.card),
    }


def _write_comparison(comparison: Comparison, folder: Path) -> dict[str, Any]:
    comparison.save(folder)
    counts = dict(Counter(comparison.outcomes().values()))
    about = {"metric": comparison.metric_named(), "baseline": comparison.baseline, "outcomes": counts}
    return {"about": about, "comparison": dict(comparison.card)}


def _of_estimate(found: Estimate) -> dict[str, float | int | None]:
    return {"value": found.value, "low": found.low, "high": found.high, "n": found.n}


def _write_tuning(tuning: Tuning, folder: Path) -> dict[str, Any]:
    tuning.save(folder)
    best = {each.model: _of_estimate(each.value) for each in tuning.best}
    about = {"metric": tuning.metric, "method": tuning.method, "best": best, "cautions": len(tuning.cautions)}
    return {"about": about, "tuning": dict(tuning.card)}


def _held(load: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """Wrap a loader so that the folder is checked against its manifest first."""

    def read(folder: Path) -> Any:
        _read_tables(folder)
        return load(folder)

    return read


def _write_weights(weights: TunedWeights, folder: Path) -> dict[str, Any]:
    weights.save(folder)
    numbers = {"metric": weights.metric, "value": _of_estimate(weights.value), "gain": weights.gain.value}
    about = {"weights": dict(weights.weights), "single": weights.single, **numbers}
    return {"about": about, "weights": dict(weights.card)}


def _write_plan(plan: Plan, folder: Path) -> dict[str, Any]:
    write_text(folder / "plan.toml", plan.to_toml())
    about = {"name": plan.name, "arms": dict(plan.arms), "primary": [each.name for each in plan.primary]}
    return {"about": about, "plan": plan.name}


def _load_plan(folder: Path) -> Plan:
    VerifiedFolder.open(folder)
    return load_plan(folder / "plan.toml")


def _write_readout(readout: Readout, folder: Path) -> dict[str, Any]:
    write_text(folder / "readout.json", json.dumps(to_plain(readout), ensure_ascii=False))
    tables: dict[str, list[dict[str, Any]]] = {
        "effects": readout.to_dicts(),
        "segments": [row for each in readout.segments for row in each.to_dicts()],
        "cumulative": [dict(row) for row in readout.cumulative],
        "daily": [dict(row) for row in readout.daily],
    }
    made = {name: pl.DataFrame(rows, infer_schema_length=None) if rows else None for name, rows in tables.items()}
    _write_tables(made, folder)
    decided = {each.arm: each.code for each in readout.decisions}
    return {
        "about": {"name": readout.plan.name, "decisions": decided},
        "plan": readout.plan.name,
        "decisions": decided,
        "units": sum(readout.units.values()),
        "synthetic": readout.synthetic,
        "information": readout.interim.information if readout.interim.known else None,
    }


def _load_readout(folder: Path) -> Readout:
    return from_plain(json.loads((folder / "readout.json").read_text(encoding="utf-8")))


def _write_audit(audit: Audit, folder: Path) -> dict[str, Any]:
    audit.save(folder)
    audit.to_frame().write_parquet(folder / "numbers.parquet")
    opinions = Counter(each for each in audit.opinions.values() if each != "not_measured")
    return {
        "about": {"system": audit.system, "opinions": dict(opinions)},
        "system": audit.system,
        "opinions": dict(audit.opinions),
        "audit": dict(audit.card),
    }


def _write_space(space: EmbeddingSpace, folder: Path) -> dict[str, Any]:
    space.save(folder)
    sizes = {"entity": space.entity, "rows": len(space), "left_out": space.left_out.height}
    about = {"model": space.card.model, "dimension": space.dimension, **sizes}
    return {"about": about, "space": asdict(space.card) | sizes}


def _write_exploration(found: Exploration, folder: Path) -> dict[str, Any]:
    found.save(folder)
    counts = Counter(each.severity for each in found.findings)
    card = found.card
    return {
        "about": {"name": found.name, "items": card["items"], "space": card["space"], "findings": dict(counts)},
        "system": found.name,
        "measures": {each.measure: each.estimate.value for each in found.measures},
        "exploration": dict(card),
    }


def _write_health(health: Health, folder: Path) -> dict[str, Any]:
    health.save(folder)
    counts = {
        "series": health.detections.height,
        "moved": health.alerts.height,
        "incidents": sum(each.status != "resolved" for each in health.incidents),
    }
    return {
        "about": {"system": health.system, "day": health.day.isoformat(), **counts, "gate": health.gate.state},
        "system": health.system,
        "day": health.day.isoformat(),
        "project": health.project,
        "synthetic": health.synthetic,
    }


SERIALIZERS: Final[dict[str, tuple[type, Callable[[Any, Path], dict[str, Any]], Callable[[Path], Any]]]] = {
    "dataset": (Dataset, _write_dataset, _load_dataset),
    "split": (Split, _write_split, _load_split),
    "model": (Recommender, _write_model, lambda folder: get(_card(folder)["model"]).load(folder)),
    "pipeline": (Pipeline, _write_pipeline, Pipeline.load),
    "run": (Recommendations, _write_run, _load_run),
    "evaluation": (Evaluation, _write_evaluation, _held(Evaluation.load)),
    "comparison": (Comparison, _write_comparison, _held(Comparison.load)),
    "tuning": (Tuning, _write_tuning, _held(Tuning.load)),
    "weights": (TunedWeights, _write_weights, _held(TunedWeights.load)),
    "audit": (Audit, _write_audit, _held(Audit.load)),
    "health": (Health, _write_health, _held(Health.load)),
    "exploration": (Exploration, _write_exploration, _held(Exploration.load)),
    "space": (EmbeddingSpace, _write_space, _held(EmbeddingSpace.load)),
    "plan": (Plan, _write_plan, _load_plan),
    "readout": (Readout, _write_readout, _held(_load_readout)),
}
"""Kind -> the type, how one is written into a folder (gives what its card says), and how it is read."""


def read_kept(folder: Path, kind: str) -> Any:
    """Load the artefact in a folder.

    Raises:
        DataError: If it is broken, or an older version of RecLens made it and this one cannot read it.
    """
    try:
        with reading(folder, kind, fix="Make it again."):
            return SERIALIZERS[kind][2](folder)
    except DataError as error:
        made = read_artefact(folder)
        if made is None or not made.outdated:
            raise
        problem = "an older version of RecLens made it, and this one cannot read it"
        raise DataError(problem, source=str(folder), fix=made.made_again) from error
