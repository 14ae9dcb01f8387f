"""Settings of a monitor: the log and how it is read, indicators and slices, detection and notification.

They are read from ``monitor.toml``. Only the path of the log is required; everything else has a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from reclens.schema import POSITION, RETRIEVER, SURFACE, VARIANT, VERSION
from reclens.settings import Checked, Section, read_toml, validate

__all__ = [
    "SETTINGS_FILE",
    "DetectSettings",
    "DimensionSettings",
    "GateSettings",
    "IndicatorSettings",
    "LogSettings",
    "MartsSettings",
    "MonitorSettings",
    "NotifySettings",
    "ReferenceSettings",
    "ReportSettings",
    "TablesSettings",
    "load_monitor_settings",
]

SETTINGS_FILE: Final = "monitor.toml"

_Share = Annotated[float, Field(ge=0, le=1)]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"time_zone is '{name}': expected a name such as UTC or Europe/Berlin") from None
    return name


class LogSettings(Section):
    """The log of what was shown.

    Attributes:
        path: A Parquet file; a folder of them, by day (``2026-01-05.parquet``, ``day=2026-01-05/``) or of any names; or
            a DuckDB file. Relative paths start at the folder of ``monitor.toml``.
        table: The table, where ``path`` is a DuckDB file.
        shape: ``impressions``: one row per item that was shown. ``requests``: one row per request, its items in a list.
        clicks: Path of a separate log of clicks, of the same kinds.
        click_hours: How long after an impression a click still belongs to it, in hours.
        time_zone: Time zone of the days, and of times without a zone.
        columns: Name here -> name in the log, such as ``timestamp = "ts"``.
        click_columns: The same for ``clicks``.
        late_after: An event that arrives at least this many hours later is late.
        list_length: Items that a list should have; 0 takes the usual length of the first day.
        hit_at: First places in which a click is a hit.
        cutoff: Places that NDCG looks at.
        cold_days: Number of days for which users and items are new.
        fresh_days: Number of days after release for which items are fresh.
    """

    path: str
    table: str | None = None
    shape: Literal["impressions", "requests"] = "impressions"
    clicks: str | None = None
    click_hours: Annotated[float, Field(gt=0, le=48)] = 1.0
    time_zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    columns: Mapping[str, str] = Field(default_factory=dict)
    click_columns: Mapping[str, str] = Field(default_factory=dict)
    late_after: Annotated[float, Field(gt=0)] = 1.0
    list_length: Annotated[int, Field(ge=0)] = 0
    hit_at: Annotated[int, Field(ge=1)] = 3
    cutoff: Annotated[int, Field(ge=1)] = 10
    cold_days: Annotated[int, Field(ge=1)] = 7
    fresh_days: Annotated[int, Field(ge=1)] = 30

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the days."""
        return ZoneInfo(self.time_zone)


class TablesSettings(Section):
    """Further tables, each a Parquet file or a folder of them; each is optional.

    Attributes:
        users: ``user_id`` and the column of ``segment``.
        segment: Column of ``users`` that groups them.
        items: ``item_id`` and the columns below: the catalogue.
        category: Column of ``items`` by which lists are diverse.
        released: Column of ``items`` with the day of release.
        retrievers: One row per request and retriever: ``timestamp, request_id, retriever, candidates, latency_ms?``.
        stages: One row per request and stage: ``timestamp, request_id, stage, relevant?, lost?, latency_ms?``, where
            ``lost`` of the ``relevant`` items that entered the stage did not leave it.
        measures: Folder of values that other modules measured, ``2026-01-05.json`` each.
    """

    users: str | None = None
    segment: str = "segment"
    items: str | None = None
    category: str = "category"
    released: str = "released"
    retrievers: str | None = None
    stages: str | None = None
    measures: str = "measures"


class DimensionSettings(Section):
    """What indicators are sliced by.

    Attributes:
        names: Columns of impressions; ``segment`` is the user's.
        most: Slices of a dimension; the rarest ones beyond are ``other``.
    """

    names: tuple[Literal["surface", "model", "model_version", "variant", "segment", "position", "retriever"], ...] = (
        SURFACE,
        VERSION,
        VARIANT,
        "segment",
        POSITION,
        RETRIEVER,
    )
    most: Annotated[int, Field(ge=1, le=1000)] = 30


class ReferenceSettings(Section):
    """The reference days that distributions are compared with.

    Attributes:
        days: Days before the judged one.
        fewest: With fewer of them there is no value.
        start: First day of a fixed past; ``end`` its last one. Then ``days`` is not used.
        end: Last day of a fixed past.
        bins: Bins of numbers, as many rows in each on the first day, and the values of a text that have a bin of their
            own.
    """

    days: Annotated[int, Field(ge=1)] = 28
    fewest: Annotated[int, Field(ge=1)] = 1
    start: date | None = None
    end: date | None = None
    bins: Annotated[int, Field(ge=2, le=50)] = 10

    @model_validator(mode="after")
    def _whole(self) -> ReferenceSettings:
        if (self.start is None) != (self.end is None):
            raise ValueError("start and end go together: give both, or neither")
        if self.start is not None and self.end is not None and self.end < self.start:
            raise ValueError(f"end is {self.end}, before start, {self.start}")
        return self


class GateSettings(Section):
    """Bounds of the data gate.

    Attributes:
        engine: Engine of the gate: the monitor itself, or Great Expectations, which also writes Data Docs.
        least_rows: Minimum number of rows per day.
        volume_low: Least rows, as a share of the usual ones of that weekday.
        volume_high: Most rows, likewise.
        null_share: Most values that are missing in a column that has to be there.
        bad_share: Most values out of range or of the wrong type.
        duplicate_share: Most rows that repeat another.
        late_share: Most rows that arrived late.
        outside_share: Most rows of the file of a day that belong to another one.
        blocking: Codes of checks that make the numbers of a day worthless.
        adapter: An additional blocking gate, as ``scheme:rest``.
    """

    engine: Literal["native", "great_expectations"] = "native"
    least_rows: Annotated[int, Field(ge=1)] = 1
    volume_low: Annotated[float, Field(ge=0)] = 0.5
    volume_high: Annotated[float, Field(gt=0)] = 3.0
    null_share: _Share = 0.01
    bad_share: _Share = 0.01
    duplicate_share: _Share = 0.01
    late_share: _Share = 0.1
    outside_share: _Share = 0.01
    blocking: tuple[str, ...] = ("readable", "rows", "columns", "types", "not_null", "in_range", "volume_low")
    adapter: str | None = None


class MartsSettings(Section):
    """What makes the marts of a day.

    Attributes:
        engine: The monitor itself, in one process; or dbt, by the project that ``reclens monitor init --dbt`` writes.
        project: Folder of the dbt project.
        target: Target of its profile.
        command: Command that starts dbt, such as ``["/opt/dbt/bin/dbt"]``; empty takes the dbt of this environment.
        minutes: Time limit of a build in minutes.
    """

    engine: Literal["native", "dbt"] = "native"
    project: str = "dbt"
    target: Literal["duckdb", "postgres"] = "duckdb"
    command: tuple[str, ...] = ()
    minutes: Annotated[float, Field(gt=0)] = 120.0


class IndicatorSettings(Section):
    """Settings of one indicator.

    Attributes:
        owner: Owner.
        runbook: Link to the runbook.
        direction: Which direction is bad; None keeps the one of the indicator.
        slo: Objective of the indicator, or None.
        watch: Whether it raises incidents.
        slices: Whether its slices are watched too.
        budget: False alerts a year, all slices together; None keeps that of ``[detect]``.
    """

    owner: str | None = None
    runbook: str | None = None
    direction: Literal["up", "down", "both"] | None = None
    slo: float | None = None
    watch: bool = True
    slices: bool = True
    budget: Annotated[float | None, Field(gt=0)] = None


class DetectSettings(Section):
    """Detection.

    Attributes:
        budget: False alerts that an indicator may cost a year, all its slices together.
        cool_down: Days after an alert within which a series raises none.
        warm_up: Weeks that a forecast needs; its spread needs as many forecasts before the first judgement.
        memory: Weeks in a forecast.
        least_rows: Slices with less traffic a day are not judged.
        resolve_days: Calm days after which an incident is resolved.
    """

    budget: Annotated[float, Field(gt=0)] = 1.0
    cool_down: Annotated[int, Field(ge=0)] = 7
    warm_up: Annotated[int, Field(ge=1)] = 3
    memory: Annotated[int, Field(ge=1)] = 8
    least_rows: Annotated[int, Field(ge=0)] = 200
    resolve_days: Annotated[int, Field(ge=1)] = 2

    @model_validator(mode="after")
    def _in_order(self) -> DetectSettings:
        if self.warm_up > self.memory:
            raise ValueError(f"warm_up is {self.warm_up}, more than memory, {self.memory}")
        return self


class NotifySettings(Section):
    """Notices.

    Attributes:
        to: Addresses of notifiers, such as ``"file:notices.jsonl"``.
        least: Minimum severity of notices.
        link: Address of the page Health, put into notices.
    """

    to: tuple[str, ...] = ("file:notices.jsonl",)
    least: Literal["note", "warning", "critical"] = "warning"
    link: str | None = None


class ReportSettings(Section):
    """The weekly report.

    Attributes:
        week_ends: Day of the week on which the run writes it.
        folder: Output folder.
    """

    week_ends: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] = "sunday"
    folder: str = "reports"


class MonitorSettings(Checked, Section):
    """All settings of ``monitor.toml``.

    Attributes:
        system: Name of the monitored system.
        log: The log.
        tables: Further tables.
        dimensions: Slices.
        reference: The reference days that distributions are compared with.
        gate: Bounds of the data gate.
        marts: What makes the marts.
        indicators: Name of an indicator -> its settings.
        detect: Detection.
        holidays: Exceptional days, which are neither judged nor learned from.
        calendar: Path of a calendar of more of them (``.ics``), such as the public holidays of a country.
        notify: Notices.
        report: The weekly report.
    """

    system: Annotated[str, Field(min_length=1)] = "recommender"
    log: LogSettings
    tables: TablesSettings = TablesSettings()
    dimensions: DimensionSettings = DimensionSettings()
    reference: ReferenceSettings = ReferenceSettings()
    gate: GateSettings = GateSettings()
    marts: MartsSettings = MartsSettings()
    indicators: Mapping[str, IndicatorSettings] = Field(default_factory=dict)
    detect: DetectSettings = DetectSettings()
    holidays: tuple[date, ...] = ()
    calendar: str | None = None
    notify: NotifySettings = NotifySettings()
    report: ReportSettings = ReportSettings()

    def of(self, indicator: str) -> IndicatorSettings:
        """The settings of an indicator, or the defaults."""
        return self.indicators.get(indicator, IndicatorSettings())


def load_monitor_settings(path: str | Path) -> MonitorSettings:
    """The settings of a monitor.

    Args:
        path: ``monitor.toml``, or its folder.

    Raises:
        UsageError: If the file cannot be read, a key is unknown or a value is wrong.
    """
    place = Path(path)
    file = place / SETTINGS_FILE if place.is_dir() else place
    return validate(MonitorSettings, read_toml(file), source=str(file))
