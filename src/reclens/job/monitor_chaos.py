"""Inject faults into simulated logs and measure the monitor: recall, delay, root slice, false alerts.

A seed is a log of 105 clean days of about 20,000 impressions, and, from day 63 on, the same log with each kind of fault
in each strength. Days are summarised by the group-bys of this file, by the definitions of the indicators, which takes a
hundredth of a run of the day; detection, grouping, root slices and incident lifecycle are those of the monitor. A
14-day z-score above 3 in either direction, the default of Elementary, sees the same series.

A fault is found if an incident opens within 3 days of its start, and for the slow drift, which grows for 14 days,
within 21.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
import polars as pl

from reclens.concentration import gini
from reclens.engine import Progress, quiet
from reclens.errors import UnknownNameError, WorkspaceError
from reclens.files import write_text
from reclens.monitor.chaos import KINDS, STRENGTHS, ChaosWorld, Fault, Strength
from reclens.monitor.clock import NOISE, shift_signal
from reclens.monitor.detect import detect
from reclens.monitor.groups import find_groups
from reclens.monitor.incident_lifecycle import Life
from reclens.monitor.records import OVERALL, SERIES
from reclens.monitor.rules import Rule

__all__ = ["METRICS", "run_chaos", "run_seed"]

_BEGIN: Final = date(2026, 1, 5)
_CLEAN, _JUDGED, _REFERENCE = 105, 63, 28
_ITEMS: Final = 2_000
_STRENGTHS: Final[tuple[Strength, ...]] = get_args(Strength)
_DIMENSIONS: Final = ("surface", "model_version", "segment", "position")
_SHARE: Final = Rule(scale="logit", direction="up", family="data")
_RULES: Final[dict[str, Rule]] = {
    "ctr": Rule(scale="logit", direction="down", family="response"),
    "conversion": Rule(scale="logit", direction="down", family="response"),
    "calibration": Rule(scale="log", direction="both", family="model"),
    "score_mean": Rule(scale="identity", direction="both", family="model"),
    "feature_nulls": _SHARE,
    "duplicates": _SHARE,
    "late": _SHARE,
    "traffic": Rule(scale="log", direction="both", family="traffic"),
    "traffic_share": Rule(scale="logit", direction="both", family="traffic"),
    "top_share": Rule(scale="logit", direction="both", family="exposure"),
    "coverage": Rule(scale="logit", direction="down", family="exposure"),
    "gini": Rule(scale="logit", direction="both", family="exposure"),
    "top_user_share": Rule(scale="logit", direction="up", family="traffic"),
    "hour_drift": Rule(scale="log", direction="up", family="data"),
    "clock_shift": Rule(scale="identity", direction="up", family="data", drifts=False),
    "first_place": Rule(scale="logit", direction="down", family="data"),
    "psi_price": Rule(scale="log", direction="up", family="model"),
    "psi_score": Rule(scale="log", direction="up", family="model"),
}
METRICS: Final = len(_RULES)
"""Number of metrics: indicators with all their slices."""
_ROW: Final = {name: kind for name, kind in SERIES.items() if name != "day"}


# ---------------------------------------------------------------------------------------------------------- indicators


class _Past:
    """Distributions of the days before: hours, prices and scores, in bins of the first day."""

    def __init__(self, first: pl.DataFrame) -> None:
        inner = np.linspace(0, 1, 11)[1:-1]
        self.edges = {
            name: np.quantile(first[name].drop_nulls().to_numpy(), inner) for name in ("feature.price", "score")
        }
        self.days: list[dict[str, np.ndarray]] = []

    def counts(self, log: pl.DataFrame) -> dict[str, np.ndarray]:
        found = {"hour": _lists_by_hour(log)}
        for name, edges in self.edges.items():
            values = log[name].fill_null(np.nan).to_numpy()
            known = ~np.isnan(values)
            bins = np.bincount(np.searchsorted(edges, values[known], side="right"), minlength=10)
            found[name] = np.append(bins, (~known).sum()).astype(float)
        return found

    def summed(self, until: int) -> dict[str, np.ndarray]:
        past = self.days[max(0, until - _REFERENCE) : until]
        return {name: np.sum([each[name] for each in past], axis=0) for name in past[0]} if past else {}

    def distances(self, counts: Mapping[str, np.ndarray], until: int) -> dict[str, float]:
        past = self.summed(until)
        found = {}
        for name, now in counts.items():
            if name not in past:
                continue
            before = past[name] + 0.5
            p, q = before / before.sum(), (now + 0.5) / (now + 0.5).sum()
            found[name] = float(np.sum((q - p) * np.log(q / p)))
        return found


def _indicators(log: pl.DataFrame, past: _Past, until: int) -> pl.DataFrame:
    """The series of one day: columns of SERIES but the day."""
    repeated = len(log) - log.select("request_id", "item_id", "position").n_unique()
    late = (pl.col("received_at") - pl.col("timestamp")).dt.total_seconds() > 3600
    sums = [
        pl.len().alias("n"),
        pl.col("clicked").sum(),
        pl.col("converted").sum(),
        pl.col("score").sum(),
        (pl.col("score") ** 2).sum().alias("square"),
        pl.col("feature.price").is_null().sum().alias("nulls"),
        late.sum().alias("late"),
    ]
    log = log.with_columns(pl.col("position").cast(pl.String), pl.lit("all").alias(OVERALL))
    parts = [
        log.group_by(pl.col(name).cast(pl.String).alias("slice")).agg(sums).with_columns(dimension=pl.lit(name))
        for name in (OVERALL, *_DIMENSIONS)
    ]
    table = pl.concat(parts)
    n = pl.col("n").cast(pl.Float64)
    frames = [_share(table, name, column) for name, column in _SHARES.items()]
    mean = pl.col("score") / n
    frames += [
        _rows(table, "score_mean", mean, error=((pl.col("square") / n - mean**2) / n).sqrt()),
        _rows(
            table.filter(pl.col("clicked") > 0),
            "calibration",
            pl.col("clicked") / pl.col("score"),
            error=pl.col("clicked").cast(pl.Float64).sqrt() / pl.col("score"),
        ),
        _rows(table, "traffic", n, error=pl.lit(None)),
        _rows(
            table.filter(pl.col("dimension") != OVERALL),
            "traffic_share",
            n / len(log),
            numerator=n,
            denominator=pl.lit(float(len(log))),
        ),
    ]
    return pl.concat([*frames, _overall(log, past, until, repeated)])


_SHARES: Final = {"ctr": "clicked", "feature_nulls": "nulls", "late": "late"}


def _rows(table: pl.DataFrame, name: str, value: pl.Expr, **columns: pl.Expr) -> pl.DataFrame:
    nothing = {each: pl.lit(None) for each in ("error", "numerator", "denominator")}
    found = table.select("dimension", "slice", "n", indicator=pl.lit(name), value=value, **{**nothing, **columns})
    return found.select(list(_ROW)).cast(pl.Schema(_ROW))


def _share(table: pl.DataFrame, name: str, column: str) -> pl.DataFrame:
    return _rows(table, name, pl.col(column) / pl.col("n"), numerator=pl.col(column), denominator=pl.col("n"))


def _overall(log: pl.DataFrame, past: _Past, until: int, repeated: int) -> pl.DataFrame:
    """Indicators of the whole day."""
    n = len(log)
    shown = np.sort(log.group_by("item_id").len()["len"].to_numpy())
    by_user = np.sort(log.group_by("user_id").len()["len"].to_numpy())
    busy = -(-len(by_user) // 100)
    top, busiest = shown[-(_ITEMS // 100) :].sum(), by_user[-busy:].sum()
    clicks, converted = int(log["clicked"].sum()), float(log["converted"].sum())
    found: dict[str, tuple[float, float | None, float | None]] = {
        "duplicates": (repeated / n, repeated, n),
        "top_share": (top / n, top, n),
        "coverage": (len(shown) / _ITEMS, len(shown), _ITEMS),
        "gini": (float(gini(shown, cells=_ITEMS)), None, None),
        "top_user_share": (busiest / n, busiest, n),
        "conversion": (converted / max(clicks, 1), converted, clicks),
    }
    lists = log["request_id"].n_unique()
    firsts = min(int((log["position"] == 1).sum()), lists)
    found["first_place"] = (firsts / lists, firsts, lists)
    counts = past.counts(log)
    before = past.summed(until)
    if until == len(past.days):
        past.days.append(counts)
    names = {"hour": "hour_drift", "feature.price": "psi_price", "score": "psi_score"}
    found |= {names[name]: (value, None, None) for name, value in past.distances(counts, until).items()}
    rows: list[tuple[Any, ...]] = [
        (name, OVERALL, "all", value, None, x, of, n) for name, (value, x, of) in found.items()
    ]
    if before:
        signal = shift_signal(counts["hour"], before["hour"])
        rows.append(("clock_shift", OVERALL, "all", signal, NOISE, None, None, n))
    return pl.DataFrame(rows, schema=_ROW, orient="row")


# ------------------------------------------------------------------------------------------------------------ one seed


def run_seed(seed: int, kinds: Sequence[str] = (), strengths: Sequence[Strength] = ()) -> dict[str, Any]:
    """One seed: its clean days, and each fault in turn.

    Args:
        seed: Of the simulated log.
        kinds: Kinds of faults; all by default.
        strengths: Strengths; all by default.

    Returns:
        ``seed``, ``metric_days``, the false alerts of the clean days, ``cpu_s``, and one row per fault.
    """
    began = time.process_time()
    world = ChaosWorld(seed)
    days = [_BEGIN + timedelta(days=at) for at in range(_CLEAN)]
    logs = [world.day(day) for day in days]
    past = _Past(logs[0])
    tables = [_indicators(log, past, at) for at, log in enumerate(logs)]
    clean = _joined(days, tables)
    found = detect(clean, _RULES, start=days[_JUDGED], end=days[-1])
    incidents = _live(clean, found, days[_JUDGED:])
    opened = {(each.root, each.first_day) for each in incidents}
    z_opened = _z_alerts(clean, days[_JUDGED:])
    line: dict[str, Any] = {
        "seed": seed,
        "metric_days": len(_RULES) * (_CLEAN - _JUDGED),
        "false_alerts": _alerts(found, days[_JUDGED]),
        "false_incidents": len(incidents),
        "false_z": _alerts(_beyond(clean, days[_JUDGED:]), days[_JUDGED]),
        "faults": [],
    }
    for name in kinds or KINDS:
        for strength in strengths or _STRENGTHS:
            fault = Fault(kind=name, strength=strength, start=days[_JUDGED])
            window = days[_JUDGED : _JUDGED + KINDS[name].days]
            faulty = [
                _indicators(world.with_fault(day, fault, clean=logs[at]), _Frozen(past), at)
                for at, day in enumerate(window, _JUDGED)
            ]
            series = _joined([*days[:_JUDGED], *window], [*tables[:_JUDGED], *faulty])
            line["faults"].append(_judged(fault, series, opened, z_opened))
    line["cpu_s"] = round(time.process_time() - began, 1)
    return line


def run_chaos(
    out: Path,
    seeds: Sequence[int],
    *,
    kinds: Sequence[str] = (),
    strengths: Sequence[Strength] = (),
    minutes: float = 60.0,
    processes: int = 1,
    progress: Progress = quiet,
) -> list[dict[str, Any]]:
    """Run the seeds that a file of results lacks, and add a line for each as it is done: a killed run loses one seed.

    Args:
        out: The file, a line of JSON a seed; made with the first one.
        seeds: The seeds.
        kinds: Kinds of faults; all by default.
        strengths: Strengths; all by default.
        minutes: No seed is started after so many minutes.
        processes: Seeds at a time.
        progress: Called after each seed.

    Returns:
        The lines of these seeds.

    Raises:
        UnknownNameError: If there is no such kind or strength.
        WorkspaceError: If the file cannot be read or written.
    """
    for name in kinds:
        Fault(kind=name, strength="strong", start=_BEGIN)
    for name in strengths:
        if name not in STRENGTHS:
            raise UnknownNameError("strength", name, STRENGTHS)
    wanted = {(kind, strength) for kind in kinds or KINDS for strength in strengths or STRENGTHS}
    lines = [line for line in _read(out) if wanted <= {(each["kind"], each["strength"]) for each in line["faults"]}]
    todo = sorted(set(seeds) - {line["seed"] for line in lines})
    deadline = time.monotonic() + 60 * minutes
    one = partial(run_seed, kinds=kinds, strengths=strengths)
    with nullcontext() if processes == 1 else ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for at in range(0, len(todo), processes):
            if time.monotonic() > deadline:
                break
            progress(f"chaos · seed {todo[at]}", at, len(todo))
            part = todo[at : at + processes]
            for line in map(one, part) if pool is None else pool.map(one, part):
                _append(out, line)
                lines.append(line)
    progress("chaos", len(todo), len(todo))
    kept = {line["seed"]: line for line in lines if line["seed"] in seeds}
    return [
        {**line, "faults": [each for each in line["faults"] if (each["kind"], each["strength"]) in wanted]}
        for line in kept.values()
    ]


def _read(place: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in place.read_text(encoding="utf-8").splitlines()] if place.exists() else []
    except (OSError, ValueError) as error:
        raise WorkspaceError(f"{place} cannot be read: name another file of results, or remove it.") from error


def _append(place: Path, line: dict[str, Any]) -> None:
    before = place.read_text(encoding="utf-8") if place.exists() else ""
    write_text(place, f"{before}{json.dumps(line)}\n")


def _lists_by_hour(log: pl.DataFrame) -> np.ndarray:
    """Lists by the hour of their first row."""
    first = log.group_by("request_id").agg(pl.col("timestamp").min().dt.hour())["timestamp"]
    return np.bincount(first.to_numpy(), minlength=24).astype(float)


class _Frozen(_Past):
    """The past of the clean days: a day with a fault does not enter it."""

    def __init__(self, past: _Past) -> None:
        self.edges, self.days = past.edges, past.days


def _joined(days: list[date], tables: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(
        [table.select(pl.lit(day).alias("day"), *_ROW) for day, table in zip(days, tables, strict=True)]
    ).cast(pl.Schema(SERIES))


def _live(series: pl.DataFrame, found: pl.DataFrame, days: list[date]) -> list[Any]:
    life = Life(rules=_RULES)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    folded = [(find_groups(day, found.filter(pl.col("day") == day), rules=_RULES), at) for day in days]
    return life.fold(folded, [])


def _judged(fault: Fault, series: pl.DataFrame, before: set[Any], z_before: set[Any]) -> dict[str, Any]:
    kind = KINDS[fault.kind]
    window = [fault.start + timedelta(days=at) for at in range(kind.days)]
    found = detect(series, _RULES, start=fault.start, end=window[-1])
    incidents = _live(series, found, window)
    new = [each for each in incidents if (each.root, each.first_day) not in before]
    first = min(new, key=lambda each: (each.first_day, -(each.facts["size"])), default=None)
    z = _z_alerts(series, window) - z_before
    return {
        "kind": fault.kind,
        "strength": fault.strength,
        "delay": None if first is None else (first.first_day - fault.start).days,
        "root": None if first is None else list(first.root),
        "right": None if first is None or not kind.dimension else list(first.root[1:]) == [kind.dimension, kind.slice],
        "incidents": len(new),
        "roots": [[*each.root, (each.first_day - fault.start).days] for each in new],
        "z_delay": min(((each[0] - fault.start).days for each in z), default=None),
    }


def _alerts(found: pl.DataFrame, start: date) -> int:
    """Alerts of clean days: one an indicator and week, however many of its slices."""
    total = 0
    alerts = found.filter(pl.col("state").is_in(["level", "drift"])) if "state" in found.columns else found
    for name in alerts["indicator"].unique():
        quiet = start
        for day in sorted(alerts.filter(pl.col("indicator") == name)["day"].unique()):
            if day >= quiet:
                total, quiet = total + 1, day + timedelta(days=7)
    return total


def _z_scores(series: pl.DataFrame) -> pl.DataFrame:
    """Distance of each day from the mean of the 14 days before it, in their standard deviations."""
    over = ["indicator", "dimension", "slice"]
    last = pl.col("value").shift(1)
    mean, spread = last.rolling_mean(14).over(over), last.rolling_std(14).over(over)
    return series.sort("day").with_columns(z=(pl.col("value") - mean) / spread)


def _beyond(series: pl.DataFrame, days: list[date]) -> pl.DataFrame:
    return _z_scores(series).filter(pl.col("day") >= days[0], pl.col("z").is_finite(), pl.col("z").abs() > 3)


def _z_alerts(series: pl.DataFrame, days: list[date]) -> set[tuple[Any, ...]]:
    """Alerts of the z-score: day, indicator, dimension and slice."""
    return set(_beyond(series, days).select("day", "indicator", "dimension", "slice").iter_rows())
