"""Copies of results at a tracker, such as ``wandb:PROJECT``: numbers under plain names, and the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from reclens.evaluation import Evaluation
from reclens.experiment.analysis.readout import Readout
from reclens.protocols import Tracker, adapter
from reclens.tuning import Tuning

__all__ = ["Trackable", "track", "tracked_numbers"]

Trackable = Evaluation | Readout | Tuning | Mapping[str, Evaluation]
"""An evaluation, or several by the names of their systems; a search; the readout of an experiment."""


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
    tracker.start(name, {"systems": list(result)} if isinstance(result, Mapping) else {})
    status: Any = "failed"
    try:
        for step, numbers in tracked_numbers(result):
            tracker.log(numbers, step=step)
        for file in files:
            tracker.attach(file)
        status = "done"
    finally:
        tracker.finish(status)


def tracked_numbers(result: Trackable) -> Iterator[tuple[int | None, dict[str, float]]]:
    """The numbers of a result, as a tracker takes them: step, and name -> value.

    Names are ``metric`` or ``metric/segmentation/segment``, after the system where there are several; trials of a
    search are steps, ``model/metric``; effects are ``arm/metric/lift`` with ``lift_low``, ``lift_high`` and
    ``p_adjusted``.
    """
    match result:
        case Evaluation():
            yield None, _of_evaluation(result)
        case Tuning():
            steps: dict[str, int] = {}
            for row in result.trial_dicts():
                model, value = str(row["model"]), row["value"]
                steps[model] = steps.get(model, -1) + 1
                if value is not None:
                    yield steps[model], {f"{model}/{result.metric}": float(value)}
            best = [row for row in result.to_dicts() if row["value"] is not None]
            yield None, {f"{row['model']}/best {result.metric}": float(row["value"]) for row in best}
        case Readout():
            shown = ("lift", "lift_low", "lift_high", "p_adjusted")
            rows = [(f"{row['arm']}/{row['metric']}", row) for row in result.to_dicts()]
            yield (
                None,
                {f"{name}/{key}": float(row[key]) for name, row in rows for key in shown if row[key] is not None},
            )
        case _:
            for name, each in result.items():
                yield None, {f"{name}/{key}": value for key, value in _of_evaluation(each).items()}


def _of_evaluation(result: Evaluation) -> dict[str, float]:
    rows = [row for row in result.to_dicts() if row["value"] is not None]
    overall = {row["metric"]: float(row["value"]) for row in rows if row["by"] == "overall"}
    segments = [row for row in rows if row["by"] != "overall"]
    return overall | {f"{row['metric']}/{row['by']}/{row['segment']}": float(row["value"]) for row in segments}
