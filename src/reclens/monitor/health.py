"""A day of a monitored system in the workspace: measurements, detections and open incidents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import polars as pl
from pydantic import TypeAdapter

from reclens.data.read.frames import read_parquet
from reclens.files import write_text
from reclens.findings import Finding
from reclens.monitor.findings import health_findings
from reclens.monitor.records import DETECTIONS, OVERALL, Annotation, GateResult, Incident, SeriesKey
from reclens.tabular import Tabular

__all__ = ["ALERTING", "JUDGED", "Health", "History", "health_name"]

ALERTING: Final = ("level", "drift")
"""States of a detection that say that something moved."""

JUDGED: Final = ("ok", "short_history", *ALERTING)
"""States of a detection that was held against its band."""

LEVEL: Final = 0.95
"""Level of the intervals in :meth:`Health.to_dicts`."""

_NORMAL: Final = 1.959963984540054
"""Quantile of the normal distribution for :data:`LEVEL`."""

_GATE: Final = TypeAdapter(GateResult)
_INCIDENTS: Final = TypeAdapter(tuple[Incident, ...])
_ANNOTATIONS: Final = TypeAdapter(tuple[Annotation, ...])


def health_name(system: str, day: date) -> str:
    """The name of a day in the workspace.

    Example:
        >>> health_name("shop", date(2026, 1, 5))
        'shop-2026-01-05'
    """
    return f"{system}-{day.isoformat()}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Health(Tabular):
    """One day of a monitored system.

    Attributes:
        system: Its name.
        day: The day.
        detections: The columns of :data:`~reclens.monitor.records.DETECTIONS`, one row per indicator and slice.
        gate: The data gate of the day.
        incidents: Incidents that the day opened, or that were unresolved on it.
        annotations: Annotations that cover the day.
        project: Folder of the monitor, used to acknowledge incidents; empty if there is none.
        synthetic: Whether the log is simulated.
    """

    system: str
    day: date
    detections: pl.DataFrame
    gate: GateResult
    incidents: tuple[Incident, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    project: str = ""
    synthetic: bool = False

    @property
    def alerts(self) -> pl.DataFrame:
        """The detections with a change."""
        return self.detections.filter(pl.col("state").is_in(ALERTING))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What wants a person to look at it: the unresolved incidents, the gravest first."""
        return tuple(health_findings(self.system, self.incidents))

    def status(self, key: SeriesKey, state: str | None) -> str | None:
        """State of a series: ``ok``, ``warning`` or ``alert``; None if the day was not judged.

        It is an alert if it is the root or a symptom of an unresolved critical incident.

        Args:
            key: The series.
            state: State of its detection.
        """
        if state == "ok":
            return "ok"
        if state not in ALERTING:
            return None
        critical = (each for each in self.incidents if each.severity == "critical" and each.status != "resolved")
        return "alert" if any(key in (each.root, *each.symptoms) for each in critical) else "warning"

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per indicator and slice, in the columns of daily health; with intervals for sampled values."""
        return [self._row(each) for each in self.detections.iter_rows(named=True)]

    def _row(self, each: dict[str, Any]) -> dict[str, Any]:
        value: float | None = each["value"]
        half = None if value is None or each["error"] is None else _NORMAL * each["error"]
        key = SeriesKey(each["indicator"], each["dimension"], each["slice"])
        return {
            "day": self.day,
            "system": self.system,
            "indicator": key.indicator,
            "segmentation": key.dimension,
            "segment": "all" if key.dimension == OVERALL else key.slice,
            "value": value,
            "low": None if value is None or half is None else value - half,
            "high": None if value is None or half is None else value + half,
            "n": each["n"],
            "level": None if half is None else LEVEL,
            "expected": each["expected"],
            "status": self.status(key, each["state"]),
            "note": None if each["state"] == "ok" else each["state"],
        }

    def save(self, folder: Path) -> None:
        """Write it into a folder."""
        self.detections.select(list(DETECTIONS)).write_parquet(folder / "detections.parquet")
        record = {
            "system": self.system,
            "day": self.day.isoformat(),
            "gate": _GATE.dump_python(self.gate, mode="json"),
            "incidents": _INCIDENTS.dump_python(self.incidents, mode="json"),
            "annotations": _ANNOTATIONS.dump_python(self.annotations, mode="json"),
            "project": self.project,
            "synthetic": self.synthetic,
        }
        write_text(folder / "health.json", json.dumps(record, ensure_ascii=False))

    @classmethod
    def load(cls, folder: Path) -> Health:
        """Read what :meth:`save` wrote."""
        record = json.loads((folder / "health.json").read_text(encoding="utf-8"))
        return cls(
            system=record["system"],
            day=date.fromisoformat(record["day"]),
            detections=read_parquet(folder / "detections.parquet"),
            gate=_GATE.validate_python(record["gate"]),
            incidents=_INCIDENTS.validate_python(record["incidents"]),
            annotations=_ANNOTATIONS.validate_python(record["annotations"]),
            project=record["project"],
            synthetic=record["synthetic"],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class History(Tabular):
    """Days of one system, for pages and reports.

    Attributes:
        days: The days, the oldest first; at least one.
        detections: All of their detections.
    """

    days: tuple[Health, ...]
    detections: pl.DataFrame

    @classmethod
    def of(cls, days: Sequence[Health]) -> History:
        """Combine days of one system, given in any order."""
        ordered = sorted(days, key=lambda each: each.day)
        return cls(
            days=tuple(ordered),
            detections=pl.concat([each.detections for each in ordered], how="vertical_relaxed"),
        )

    @property
    def last(self) -> Health:
        """The newest day."""
        return self.days[-1]

    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows of all days."""
        return [row for day in self.days for row in day.to_dicts()]
