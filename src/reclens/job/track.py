"""Copies of results at a tracker, such as ``wandb:PROJECT``: numbers under plain names, tables, and reports."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from reclens.evaluation import Evaluation
from reclens.experiment.analysis.readout import Readout
from reclens.models import Recommender
from reclens.monitor.health import Health, health_name
from reclens.monitor.records import OVERALL
from reclens.monitor.week import Week
from reclens.pipeline import Pipeline
from reclens.protocols import Tracker, adapter
from reclens.report.monitor.tables import incident_table
from reclens.tuning import Tuning

__all__ = ["Trackable", "Training", "track", "track_monitor", "tracked_numbers"]


@dataclass(frozen=True, kw_only=True)
class Training:
    """A model that was fitted.

    Attributes:
        model: The model, or a pipeline of several.
        seconds: How long the fit took.
    """

    model: Recommender | Pipeline
    seconds: float


Trackable = Evaluation | Readout | Tuning | Training | Health | Week | Mapping[str, Evaluation]
"""An evaluation, or several by the names of their systems; a search; the readout of an experiment; a model that was
fitted; a day or a week of a monitor."""


def track(address: str, result: Trackable, *, name: str, files: Sequence[Path] = ()) -> None:
    """Write a result to a tracker.

    Args:
        address: Of the tracker, as ``wandb:PROJECT``.
        result: What is tracked.
        name: Name of the run there.
        files: Files that go with it, such as the report.

    Raises:
        UnknownNameError: If there is no such tracker.
        UsageError: If the address is not one.
        MissingExtraError: If its library is not installed.
    """
    tracker: Tracker = adapter(address, Tracker)
    tracker.start(name, _settings(result))
    status: Any = "failed"
    try:
        for step, numbers in tracked_numbers(result):
            tracker.log(numbers, step=step)
        for file in files:
            tracker.attach(file)
        status = "done"
    finally:
        tracker.finish(status)


def track_monitor(address: str, result: Health | Week, *, reports: Sequence[Path] = ()) -> str:
    """Write a day or a week of a monitor to a tracker: its indicators, a table of its incidents, and its reports.

    Args:
        address: Of the tracker, as ``wandb:PROJECT``.
        result: The day or the week.
        reports: Files of the weekly report.

    Returns:
        Name of the run there.

    Raises:
        UnknownNameError: If there is no such tracker.
        UsageError: If the address is not one.
        MissingExtraError: If its library is not installed.
    """
    day = isinstance(result, Health)
    name = health_name(result.system, result.day) if day else health_name(f"{result.system}-week-to", result.last)
    with TemporaryDirectory() as folder:
        files = list(reports)
        if result.incidents:
            files.insert(0, Path(folder) / "incidents.csv")
            pl.DataFrame(list(incident_table(result.incidents).records)).write_csv(files[0])
        track(address, result, name=name, files=files)
    return name


def tracked_numbers(result: Trackable) -> Iterator[tuple[int | None, dict[str, float]]]:
    """The numbers of a result, as a tracker takes them: step, and name -> value.

    Names are ``metric`` or ``metric/segmentation/segment``, after the system where there are several; trials of a
    search are steps, ``model/metric``, and so are the epochs of a deep model, ``epoch/loss``; effects are
    ``arm/metric/lift`` with ``lift_low``, ``lift_high`` and ``p_adjusted``; indicators are ``indicator`` or
    ``indicator/dimension/slice``.
    """
    match result:
        case Evaluation():
            yield None, _of_evaluation(result)
        case Tuning():
            yield from _of_tuning(result)
        case Readout():
            shown = ("lift", "lift_low", "lift_high", "p_adjusted")
            rows = [(f"{row['arm']}/{row['metric']}", row) for row in result.to_dicts()]
            yield (
                None,
                {f"{name}/{key}": float(row[key]) for name, row in rows for key in shown if row[key] is not None},
            )
        case Training():
            curves: pl.DataFrame | None = getattr(result.model, "curves_", None)  # of deep models
            for row in [] if curves is None else curves.iter_rows(named=True):
                yield row.pop("epoch"), {f"epoch/{key}": value for key, value in row.items()}
            yield None, _of_training(result)
        case Health():
            counts = {"alerts": result.alerts.height, "gate/passed": result.gate.state == "passed"}
            yield None, _of_series(result.detections) | _counted(result) | counts
        case Week():
            yield None, _of_series(result.numbers) | _counted(result) | {"days missing": len(result.missing)}
        case _:
            for name, each in result.items():
                yield None, {f"{name}/{key}": value for key, value in _of_evaluation(each).items()}


def _settings(result: Trackable) -> dict[str, Any]:
    """What a result was made from."""
    match result:
        case Training():
            model = result.model
            made = model.settings() if isinstance(model, Recommender) else asdict(model)
            found = {"model": model.name, "parameters": made, "data": dict(model.train_)}
        case Health():
            found = {"system": result.system, "day": result.day, "synthetic": result.synthetic}
        case Week():
            found = {"system": result.system, "first": result.first, "last": result.last}
        case Evaluation() | Tuning() | Readout():
            found = {}
        case _:
            found = {"systems": list(result)}
    return json.loads(json.dumps(found, default=str))


def _of_evaluation(result: Evaluation) -> dict[str, float]:
    rows = [row for row in result.to_dicts() if row["value"] is not None]
    overall = {row["metric"]: float(row["value"]) for row in rows if row["by"] == "overall"}
    segments = [row for row in rows if row["by"] != "overall"]
    return overall | {f"{row['metric']}/{row['by']}/{row['segment']}": float(row["value"]) for row in segments}


def _of_tuning(result: Tuning) -> Iterator[tuple[int | None, dict[str, float]]]:
    steps: dict[str, int] = {}
    for row in result.trial_dicts():
        model, value = str(row["model"]), row["value"]
        steps[model] = steps.get(model, -1) + 1
        if value is not None:
            yield steps[model], {f"{model}/{result.metric}": float(value)}
    best = [row for row in result.to_dicts() if row["value"] is not None]
    yield None, {f"{row['model']}/best {result.metric}": float(row["value"]) for row in best}


def _of_training(result: Training) -> dict[str, float]:
    model = result.model
    sizes = {"users": len(model.users_), "items": len(model.items_), "interactions": len(model.seen_.indices)}
    problems = {"problems": len(model.problems_)} if isinstance(model, Recommender) else {}
    return {"seconds": result.seconds, **{name: float(value) for name, value in (sizes | problems).items()}}


def _of_series(rows: pl.DataFrame) -> dict[str, float]:
    """Indicator, or indicator/dimension/slice -> value, where there is one."""
    return {
        row["indicator"]
        if row["dimension"] == OVERALL
        else f"{row['indicator']}/{row['dimension']}/{row['slice']}": row["value"]
        for row in rows.drop_nulls("value").iter_rows(named=True)
    }


def _counted(result: Health | Week) -> dict[str, float]:
    still = [each for each in result.incidents if each.status != "resolved"]
    critical = [each for each in still if each.severity == "critical"]
    return {"incidents/open": float(len(still)), "incidents/critical": float(len(critical))}
