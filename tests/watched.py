"""Nine weeks of a watched shop, made by hand: a drop on one surface, a day whose data failed, a deploy."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from reclens.job.monitor_inputs import notes_of, store_of
from reclens.monitor.health import Health, health_name
from reclens.monitor.project import Project
from reclens.monitor.records import (
    DETECTIONS,
    Annotation,
    DataCheck,
    GateResult,
    Incident,
    IncidentEvent,
    SeriesKey,
)
from reclens.workspace import Workspace

FIRST, LAST, DAYS = date(2026, 1, 5), date(2026, 3, 8), 63
"""Monday to Sunday."""
FAILED = date(2026, 3, 3)
"""The day whose data failed."""
DROP = date(2026, 3, 5)
"""The day from which the surface is down."""
ROOT = SeriesKey("ctr", "surface", "home")
SURFACES = {"home": 0.06, "search": 0.05, "basket": 0.04}
WEEKDAYS = (1.0, 1.0, 1.02, 1.0, 1.05, 1.12, 1.1)
DEPLOY = Annotation(
    id="1",
    kind="deploy",
    start=DROP,
    end=DROP,
    text="ranker 2.4 <b>on home</b>",
    suppress=False,
    dimension="surface",
    slice="home",
    by="ann",
    at=datetime(2026, 3, 5, 8, 0, tzinfo=UTC),
)


def event(code: str, day: date | None, by: str = "monitor", note: str = "") -> IncidentEvent:
    at = datetime(2026, 3, 9, 9, 0, tzinfo=UTC) if day is None else datetime.combine(day, datetime.min.time(), UTC)
    return IncidentEvent(code=code, day=day, by=by, at=at, note=note)


def drop(status: str = "open") -> Incident:
    """The drop of the click rate on one surface."""
    trail = [event("opened", DROP), event("continued", date(2026, 3, 6)), event("worse", date(2026, 3, 7))]
    trail += [event("continued", LAST)]
    if status != "open":
        trail.append(event("acknowledged", None, "ann", "rolled back"))
    return Incident(
        id="ctr-home-0305",
        root=ROOT,
        direction="down",
        kind="level",
        status=status,  # type: ignore[arg-type]
        severity="critical",
        first_day=DROP,
        last_day=LAST,
        days=4,
        effect=-0.0264,
        traffic=0.5,
        symptoms=(SeriesKey("ctr"), SeriesKey("ndcg")),
        contributions=(
            {"dimension": "surface", "slice": "home", "mix": 0.0004, "rate": -0.0131, "share": 0.97},
            {"dimension": "surface", "slice": "search", "mix": 0.0, "rate": -0.0003, "share": 0.02},
            {"dimension": "surface", "slice": "basket", "mix": 0.0, "rate": -0.0001, "share": 0.01},
        ),
        suspects=("deploy", "model_version"),
        owner="ranking team",
        runbook="https://wiki.example/ctr",
        facts={"expected": 0.066},
        trail=tuple(trail),
    )


def resolved() -> Incident:
    """A drift that ended before the week."""
    return Incident(
        id="nulls-0210",
        root=SeriesKey("feature_nulls", "feature", "price"),
        direction="up",
        kind="drift",
        status="resolved",
        severity="warning",
        first_day=date(2026, 2, 10),
        last_day=date(2026, 2, 16),
        days=7,
        effect=0.03,
        traffic=1.0,
        suspects=("feature",),
        facts={"expected": 0.01},
        trail=(event("opened", date(2026, 2, 10)), event("resolved", date(2026, 2, 18))),
    )


def of_gate() -> Incident:
    """The day whose data failed."""
    return Incident(
        id="gate-0303",
        root=SeriesKey("rows"),
        direction="down",
        kind="gate",
        status="resolved",
        severity="critical",
        first_day=FAILED,
        last_day=FAILED,
        days=1,
        effect=None,
        traffic=1.0,
        suspects=("data_gate",),
        trail=(event("opened", FAILED), event("resolved", date(2026, 3, 4))),
    )


def gate_of(day: date) -> GateResult:
    failed = day == FAILED
    checks = (
        DataCheck(
            code="rows",
            state="failed" if failed else "passed",
            blocking=True,
            seen=4_000.0 if failed else 20_000.0,
            bound=12_000.0,
            rows=4_000 if failed else 20_000,
        ),
        DataCheck(
            code="not_null",
            state="not_evaluated" if failed else "passed",
            blocking=False,
            column="item_id",
            rows=0 if failed else 20_000,
            failed_rows=None if failed else 0,
        ),
    )
    return GateResult(day=day, checks=checks, state="failed" if failed else "passed")


def days(*, status: str = "open", project: str = "") -> list[Health]:
    """The days, the oldest first."""
    rng = np.random.default_rng(7)
    return [_day(FIRST + timedelta(days=at), at, rng, status, project) for at in range(DAYS)]


def keep(folder: Path) -> Project:
    """Keep the last nine days in a workspace, with their monitor, whose store knows the incident of the gate alone."""
    place, project = Workspace(folder), folder / "monitor"
    project.mkdir(parents=True)
    (project / "monitor.toml").write_text('system = "shop"\n[log]\npath = "log"\n')
    kept, found = days(project="monitor")[-9:], Project(project)
    for each in kept:
        place.save(each, health_name(each.system, each.day))
        store_of(found).update(each.day, each.detections, series=None, gate=each.gate)
    notes_of(found).add("deploy", DROP, "ranker 2.4 <b>", by="ann", dimension="surface", slice="home")
    return found


def _day(day: date, at: int, rng: np.random.Generator, status: str, project: str) -> Health:
    rows = [_rate("ctr", "surface", name, rate, at, rng) for name, rate in SURFACES.items()]
    whole = {"numerator": sum(row["numerator"] for row in rows), "denominator": 20_000.0}
    expected = sum(row["expected"] * row["denominator"] for row in rows) / 20_000
    rows.insert(0, _row("ctr", "overall", "all", whole["numerator"] / 20_000, expected, 0.0016, **whole, n=20_000))
    rows.append(_row("ndcg", "overall", "all", 0.31 + 0.004 * float(rng.normal()), 0.31, 0.004, n=900))
    rows.append(_row("coverage", "overall", "all", 0.62 + 0.003 * float(rng.normal()), 0.62, None, n=20_000))
    rows.append(_row("latency_p95", "overall", "all", 182 + 3 * float(rng.normal()), 182.0, None, n=20_000))
    rows.append(_row("embedding_drift", "overall", "all", None, None, None, n=0))
    for row in rows:
        row["day"] = day
        row["state"] = _state(row, at, day)
    incidents = [each for each in (resolved(), of_gate(), drop(status)) if each.first_day <= day]
    return Health(
        system="shop",
        day=day,
        detections=pl.DataFrame(rows, schema=dict(DETECTIONS)),
        gate=gate_of(day),
        incidents=tuple(each for each in incidents if each.last_day >= day),
        annotations=(DEPLOY,) if day == DROP else (),
        project=project,
        synthetic=True,
    )


def _rate(name: str, dimension: str, value: str, rate: float, at: int, rng: np.random.Generator) -> dict:
    shown = {"home": 10_000, "search": 6_000, "basket": 4_000}[value]
    expected = rate * WEEKDAYS[at % 7]
    down = 0.6 if value == "home" and FIRST + timedelta(days=at) >= DROP else 1.0
    clicks = float(rng.binomial(shown, expected * down))
    error = (expected * (1 - expected) / shown) ** 0.5
    parts = {"numerator": clicks, "denominator": float(shown)}
    return _row(name, dimension, value, clicks / shown, expected, error, **parts, n=shown)


def _row(
    name: str,
    dimension: str,
    value: str,
    seen: float | None,
    expected: float | None,
    error: float | None,
    *,
    n: int,
    numerator: float | None = None,
    denominator: float | None = None,
) -> dict:
    noise = None if expected is None else error or 0.012 * expected
    return {
        "indicator": name,
        "dimension": dimension,
        "slice": value,
        "value": seen,
        "error": error,
        "numerator": numerator,
        "denominator": denominator,
        "n": n,
        "expected": expected,
        "low": None if expected is None or noise is None else expected - 4 * noise,
        "high": None if expected is None or noise is None else expected + 4 * noise,
        "z": None if seen is None or expected is None or noise is None else (seen - expected) / noise,
        "drift": 0.0,
        "limit": 4.0,
        "drift_limit": 5.0,
    }


def _state(row: dict, at: int, day: date) -> str:
    if row["value"] is None:
        return "no_value"
    if at < 14:
        row["expected"] = row["low"] = row["high"] = row["z"] = None
        return "warming_up"
    if day == FAILED:
        return "silenced"
    return "level" if abs(row["z"]) > 4 else "ok"
