"""The monitor: a daily check of whether the recommender is healthy and, if not, where and why it fails.

::

    project = rl.monitor.Project("workspace/monitor")
    run = rl.monitor.run(project, date(2026, 3, 2), workspace=rl.Workspace("workspace"))
    run.days[-1].alerts
    rl.monitor.read_incidents(project, status="open")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reclens.lazy import lazy

if TYPE_CHECKING:
    from reclens.job.monitor import MonitorRun, backfill, replay
    from reclens.job.monitor import run_monitor as run
    from reclens.job.monitor_check import RunCheck
    from reclens.job.monitor_check import check_run as check
    from reclens.job.monitor_init import MadeProject
    from reclens.job.monitor_init import init_project as init
    from reclens.job.monitor_people import act
    from reclens.job.monitor_people import incidents_of as read_incidents
    from reclens.job.monitor_week import read_week, write_week
    from reclens.monitor.annotations import Annotations
    from reclens.monitor.day import DayRun, run_day
    from reclens.monitor.health import Health
    from reclens.monitor.indicators.registry import IndicatorInfo, compute, describe, indicator, names
    from reclens.monitor.learn import Change, Proposal
    from reclens.monitor.learn import accept as accept_settings
    from reclens.monitor.learn import learn as learn_settings
    from reclens.monitor.measures import keep_results
    from reclens.monitor.outbox import Delivery
    from reclens.monitor.partitions import sum_day
    from reclens.monitor.project import Project
    from reclens.monitor.records import (
        Annotation,
        DataCheck,
        GateResult,
        Incident,
        IncidentEvent,
        Notice,
        SeriesKey,
    )
    from reclens.monitor.settings import MonitorSettings
    from reclens.monitor.settings import load_monitor_settings as load_settings
    from reclens.monitor.summary import Summary
    from reclens.monitor.warehouse_marts import mart, mart_sql
    from reclens.monitor.week import Week

__all__ = [
    "Annotation",
    "Annotations",
    "Change",
    "DataCheck",
    "DayRun",
    "Delivery",
    "GateResult",
    "Health",
    "Incident",
    "IncidentEvent",
    "IndicatorInfo",
    "MadeProject",
    "MonitorRun",
    "MonitorSettings",
    "Notice",
    "Project",
    "Proposal",
    "RunCheck",
    "SeriesKey",
    "Summary",
    "Week",
    "accept_settings",
    "act",
    "backfill",
    "check",
    "compute",
    "describe",
    "indicator",
    "init",
    "keep_results",
    "learn_settings",
    "load_settings",
    "mart",
    "mart_sql",
    "names",
    "read_incidents",
    "read_week",
    "replay",
    "run",
    "run_day",
    "sum_day",
    "write_week",
]

# What joins the steps is a job, in a layer above: it is found by its name, when it is asked for.
__getattr__, __dir__ = lazy(
    __name__,
    {
        "Annotation": "records",
        "Annotations": "annotations",
        "Change": "learn",
        "DataCheck": "records",
        "DayRun": "day",
        "Delivery": "outbox",
        "GateResult": "records",
        "Health": "health",
        "Incident": "records",
        "IncidentEvent": "records",
        "IndicatorInfo": "indicators.registry",
        "MadeProject": "reclens.job.monitor_init",
        "MonitorRun": "reclens.job.monitor",
        "MonitorSettings": "settings",
        "Notice": "records",
        "Project": "project",
        "Proposal": "learn",
        "RunCheck": "reclens.job.monitor_check",
        "SeriesKey": "records",
        "Summary": "summary",
        "Week": "week",
        "accept_settings": "learn:accept",
        "act": "reclens.job.monitor_people",
        "backfill": "reclens.job.monitor",
        "check": "reclens.job.monitor_check:check_run",
        "compute": "indicators.registry",
        "describe": "indicators.registry",
        "indicator": "indicators.registry",
        "init": "reclens.job.monitor_init:init_project",
        "keep_results": "measures",
        "learn_settings": "learn:learn",
        "load_settings": "settings:load_monitor_settings",
        "mart": "warehouse_marts",
        "mart_sql": "warehouse_marts",
        "names": "indicators.registry",
        "read_incidents": "reclens.job.monitor_people:incidents_of",
        "read_week": "reclens.job.monitor_week",
        "replay": "reclens.job.monitor",
        "run": "reclens.job.monitor:run_monitor",
        "run_day": "day",
        "sum_day": "partitions",
        "write_week": "reclens.job.monitor_week",
    },
)
