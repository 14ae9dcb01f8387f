"""What a workspace can keep, and how each kind is written and read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import polars as pl

from reclens.data.dataset import Dataset
from reclens.data.frames import read_parquet
from reclens.data.split import Split
from reclens.evaluate import Comparison, Evaluation, Tuning
from reclens.models import Recommender, get
from reclens.pipeline import Pipeline
from reclens.schema import Recommendations

__all__ = ["FORMS"]


def _write_tables(tables: dict[str, pl.DataFrame | None], folder: Path) -> None:
    for name, table in tables.items():
        if table is not None:
            table.write_parquet(folder / f"{name}.parquet")


def _read_tables(folder: Path) -> dict[str, pl.DataFrame]:
    return {file.stem: read_parquet(file) for file in sorted(folder.glob("*.parquet"))}


def _card(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "card.json").read_text(encoding="utf-8"))


def _write_dataset(data: Dataset, folder: Path) -> dict[str, Any]:
    tables = {"interactions": data.interactions, "log": data.log, "users": data.users, "items": data.items,
              "segments": data.segments}  # fmt: skip
    _write_tables(tables, folder)
    return {"summary": repr(data), "title": data.name, "data": dict(data.card)}


def _load_dataset(folder: Path) -> Dataset:
    tables, card = _read_tables(folder), _card(folder)
    parts = {name: tables.get(name) for name in ("users", "items", "segments", "log")}
    return Dataset(tables["interactions"], name=card["title"], card=card["data"], **parts)


def _write_split(split: Split, folder: Path) -> dict[str, Any]:
    _write_tables(dict(split.tables()), folder)
    return {"summary": repr(split), "header": split.header()}


def _write_model(model: Recommender, folder: Path) -> dict[str, Any]:
    model.save(folder)
    return {"summary": repr(model), "model": model.name}


def _write_pipeline(pipeline: Pipeline, folder: Path) -> dict[str, Any]:
    pipeline.save(folder)
    stages = [
        *pipeline.retrieve,
        (pipeline.rank or {}).get("model", "fusion"),
        *(each["kind"] for each in pipeline.rerank),
    ]
    return {"summary": " -> ".join(str(stage) for stage in stages)}


def _write_run(lists: Recommendations, folder: Path) -> dict[str, Any]:
    _write_tables({"lists": lists.table}, folder)
    return {"summary": repr(lists), "system": lists.name, "lists": dict(lists.card)}


def _load_run(folder: Path) -> Recommendations:
    card = _card(folder)
    return Recommendations(read_parquet(folder / "lists.parquet"), card["system"], card["lists"])


def _write_evaluation(result: Evaluation, folder: Path) -> dict[str, Any]:
    result.save(folder)
    return {"summary": repr(result)}


def _write_comparison(comparison: Comparison, folder: Path) -> dict[str, Any]:
    comparison.save(folder)
    return {"summary": comparison.verdict[0] if comparison.verdict else ""}


def _write_tuning(tuning: Tuning, folder: Path) -> dict[str, Any]:
    tuning.save(folder)
    return {"summary": repr(tuning)}


FORMS: Final[dict[str, tuple[type, Callable[[Any, Path], dict[str, Any]], Callable[[Path], Any]]]] = {
    "dataset": (Dataset, _write_dataset, _load_dataset),
    "split": (Split, _write_split, lambda folder: Split.from_tables(_read_tables(folder), _card(folder)["header"])),
    "model": (Recommender, _write_model, lambda folder: get(_card(folder)["model"]).load(folder)),
    "pipeline": (Pipeline, _write_pipeline, Pipeline.load),
    "run": (Recommendations, _write_run, _load_run),
    "evaluation": (Evaluation, _write_evaluation, Evaluation.load),
    "comparison": (Comparison, _write_comparison, Comparison.load),
    "tuning": (Tuning, _write_tuning, Tuning.load),
}
"""Kind -> the type, how one is written into a folder (gives what its card says), and how it is read."""
