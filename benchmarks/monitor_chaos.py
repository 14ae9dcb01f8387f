"""Which injected incidents the monitor finds, how soon, in which slice, and how often it is wrong on clean days.

    python benchmarks/monitor_chaos.py --seeds 1000:1050 --minutes 60

A seed is a simulated log of 105 clean days of about 20,000 impressions, and, from day 63 on, the same log with each of
14 kinds of incident in 3 strengths. Indicators of each day are computed by group-bys in this file, by the definitions
of the monitor; detection, grouping, root slices and the life of incidents are those of the monitor. A 14-day z-score
above 3 in either direction, the default of Elementary, sees the same series.

An incident is found if one opens within 3 days of its start, and for the slow drift, which grows for 14 days, within
21. Settings are chosen on seeds 0 to 49 and published on seeds from 1,000 up. Each finished seed is one line of the
results, so that a killed run loses one seed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from harness import machine

from reclens.monitor.chaos import KINDS, STRENGTHS, ChaosWorld, Fault
from reclens.monitor.detect import detect
from reclens.monitor.groups import find_groups
from reclens.monitor.life import Life
from reclens.monitor.records import OVERALL, SERIES
from reclens.monitor.rules import Rule

RESULTS = Path(__file__).resolve().parent / "results"
BEGIN: Final = date(2026, 1, 5)
CLEAN, JUDGED, REFERENCE = 105, 63, 28
DIMENSIONS: Final = ("surface", "model_version", "segment", "position")
SHARE: Final = Rule(scale="logit", direction="up", family="data")
RULES: Final[dict[str, Rule]] = {
    "ctr": Rule(scale="logit", direction="down", family="response"),
    "conversion": Rule(scale="logit", direction="down", family="response"),
    "calibration": Rule(scale="log", direction="both", family="model"),
    "score_mean": Rule(scale="identity", direction="both", family="model"),
    "feature_nulls": SHARE,
    "duplicates": SHARE,
    "late": SHARE,
    "traffic": Rule(scale="log", direction="both", family="traffic"),
    "traffic_share": Rule(scale="logit", direction="both", family="traffic"),
    "top_share": Rule(scale="logit", direction="both", family="exposure"),
    "coverage": Rule(scale="logit", direction="down", family="exposure"),
    "gini": Rule(scale="logit", direction="both", family="exposure"),
    "top_user_share": Rule(scale="logit", direction="up", family="traffic"),
    "hour_drift": Rule(scale="log", direction="up", family="data"),
    "psi_price": Rule(scale="log", direction="up", family="model"),
    "psi_score": Rule(scale="log", direction="up", family="model"),
}
_ROW: Final = {name: kind for name, kind in SERIES.items() if name != "day"}


# ---------------------------------------------------------------------------------------------------------- indicators


class Past:
    """Distributions of the days before: hours, prices and scores, in bins of the first day."""

    def __init__(self, first: pl.DataFrame) -> None:
        inner = np.linspace(0, 1, 11)[1:-1]
        self.edges = {
            name: np.quantile(first[name].drop_nulls().to_numpy(), inner) for name in ("feature.price", "score")
        }
        self.days: list[dict[str, np.ndarray]] = []

    def counts(self, log: pl.DataFrame) -> dict[str, np.ndarray]:
        found = {"hour": np.bincount(log["timestamp"].dt.hour().to_numpy(), minlength=24).astype(float)}
        for name, edges in self.edges.items():
            values = log[name].fill_null(np.nan).to_numpy()
            known = ~np.isnan(values)
            bins = np.bincount(np.searchsorted(edges, values[known], side="right"), minlength=10)
            found[name] = np.append(bins, (~known).sum()).astype(float)
        return found

    def distances(self, counts: Mapping[str, np.ndarray], until: int) -> dict[str, float]:
        past = self.days[max(0, until - REFERENCE) : until]
        if not past:
            return {}
        found = {}
        for name, now in counts.items():
            before = np.sum([each[name] for each in past], axis=0) + 0.5
            p, q = before / before.sum(), (now + 0.5) / (now + 0.5).sum()
            found[name] = float(np.sum((q - p) * np.log(q / p)))
        return found


def indicators(log: pl.DataFrame, past: Past, until: int) -> pl.DataFrame:
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
        for name in (OVERALL, *DIMENSIONS)
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


def _overall(log: pl.DataFrame, past: Past, until: int, repeated: int) -> pl.DataFrame:
    """Indicators of the whole day."""
    n = len(log)
    shown = np.sort(log.group_by("item_id").len()["len"].to_numpy())
    by_user = np.sort(log.group_by("user_id").len()["len"].to_numpy())
    top, busiest = shown[-20:].sum(), by_user[-10:].sum()
    gini = float(2 * np.sum(np.arange(1, len(shown) + 1) * shown) / (len(shown) * shown.sum()) - 1 - 1 / len(shown))
    clicks = int(log["clicked"].sum())
    found: dict[str, tuple[float, float | None, float | None]] = {
        "duplicates": (repeated / n, repeated, n),
        "top_share": (top / n, top, n),
        "coverage": (len(shown) / 2000, None, None),
        "gini": (gini, None, None),
        "top_user_share": (busiest / n, busiest, n),
        "conversion": (log["converted"].sum() / max(clicks, 1), float(log["converted"].sum()), clicks),
    }
    counts = past.counts(log)
    if until == len(past.days):
        past.days.append(counts)
    names = {"hour": "hour_drift", "feature.price": "psi_price", "score": "psi_score"}
    found |= {names[name]: (value, None, None) for name, value in past.distances(counts, until).items()}
    rows = [(name, OVERALL, "all", value, None, x, of, n) for name, (value, x, of) in found.items()]
    return pl.DataFrame(rows, schema=_ROW, orient="row")


# ------------------------------------------------------------------------------------------------------------ one seed


def run_seed(seed: int) -> dict[str, Any]:
    """Everything of one seed."""
    began = time.process_time()
    world = ChaosWorld(seed)
    days = [BEGIN + timedelta(days=at) for at in range(CLEAN)]
    logs = [world.day(day) for day in days]
    past = Past(logs[0])
    tables = [indicators(log, past, at) for at, log in enumerate(logs)]
    clean = _joined(days, tables)
    found = detect(clean, RULES, start=days[JUDGED], end=days[-1])
    incidents = _live(clean, found, days[JUDGED:])
    opened = {(each.root, each.first_day) for each in incidents}
    z_opened = _z_alerts(clean, days[JUDGED:])
    line: dict[str, Any] = {
        "seed": seed,
        "metric_days": len(RULES) * (CLEAN - JUDGED),
        "false_alerts": _alerts(found, days[JUDGED]),
        "false_incidents": len(incidents),
        "false_z": _alerts(_beyond(clean, days[JUDGED:]), days[JUDGED]),
        "faults": [],
    }
    for kind in KINDS.values():
        for strength in STRENGTHS:
            fault = Fault(kind=kind.name, strength=strength, start=days[JUDGED])
            window = days[JUDGED : JUDGED + kind.days]
            faulty = []
            for at, day in enumerate(window, JUDGED):
                log = world.with_fault(day, fault, clean=logs[at])
                faulty.append(indicators(log, _Frozen(past), at))
            series = _joined([*days[:JUDGED], *window], [*tables[:JUDGED], *faulty])
            line["faults"].append(_judged(fault, series, opened, z_opened))
    line["cpu_s"] = round(time.process_time() - began, 1)
    return line


class _Frozen(Past):
    """The past of the clean days: a day with a fault does not enter it."""

    def __init__(self, past: Past) -> None:
        self.edges, self.days = past.edges, past.days


def _joined(days: list[date], tables: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(
        [table.select(pl.lit(day).alias("day"), *_ROW) for day, table in zip(days, tables, strict=True)]
    ).cast(pl.Schema(SERIES))


def _live(series: pl.DataFrame, found: pl.DataFrame, days: list[date]) -> list[Any]:
    life = Life(rules=RULES)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    folded = [(find_groups(day, found.filter(pl.col("day") == day), rules=RULES), at) for day in days]
    return life.fold(folded, [])


def _judged(fault: Fault, series: pl.DataFrame, before: set[Any], z_before: set[Any]) -> dict[str, Any]:
    kind = KINDS[fault.kind]
    window = [fault.start + timedelta(days=at) for at in range(kind.days)]
    found = detect(series, RULES, start=fault.start, end=window[-1])
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


# -------------------------------------------------------------------------------------------------------------- report


def interval(found: int, of: int) -> str:
    """A share in per cent, with its 95 % Wilson interval."""
    if not of:
        return "–"
    p, z = found / of, 1.96
    middle, half = p + z * z / 2 / of, z * np.sqrt(p * (1 - p) / of + z * z / 4 / of**2)
    low, high = (middle - half) / (1 + z * z / of), (middle + half) / (1 + z * z / of)
    return f"{100 * p:.0f} ({100 * low:.0f}–{100 * high:.0f})"


def rate(found: int, years: float) -> str:
    """A rate a year, with its 95 % interval by the root of the count."""
    spread = 1.96 * np.sqrt(found + 1)
    return f"{found / years:.2f} ({max(0.0, found - spread) / years:.2f}–{(found + spread) / years:.2f})"


def report(lines: list[dict[str, Any]]) -> str:
    """The tables of the results."""
    years = sum(line["metric_days"] for line in lines) / 365.25
    faults = [each for line in lines for each in line["faults"]]
    text = [
        "# Injected incidents",
        "",
        (
            f"{len(lines)} seeds, {years:.0f} metric-years of clean days, {len(faults)} incidents of 14 kinds. "
            "A metric is an indicator with all its slices. Intervals are of 95 %. "
            "`benchmarks/monitor_chaos.py` says how."
        ),
        "",
        "| | monitor | 14-day z-score |",
        "|---|--:|--:|",
        (
            f"| false alerts per metric-year | {rate(sum(each['false_alerts'] for each in lines), years)} | "
            f"{rate(sum(each['false_z'] for each in lines), years)} |"
        ),
        (
            f"| false incidents a year, all metrics | "
            f"{rate(sum(each['false_incidents'] for each in lines), years / len(RULES))} | |"
        ),
    ]
    for strength in STRENGTHS:
        own = [each for each in faults if each["strength"] == strength]
        hits = sum(each["delay"] is not None for each in own)
        text.append(
            f"| recall, {strength}, % | {interval(hits, len(own))} | "
            f"{interval(sum(each['z_delay'] is not None for each in own), len(own))} |"
        )
        extra = sum(each["incidents"] for each in own)
        text.append(f"| precision, {strength}, % | {interval(hits, max(extra, hits))} | |")
        text.append(f"| median delay, {strength}, days | {_median(own, 'delay')} | {_median(own, 'z_delay')} |")
        slices = [each for each in own if each["right"] is not None]
        text.append(
            f"| right root slice, {strength}, % | {interval(sum(each['right'] for each in slices), len(slices))} | |"
        )
    text += [
        "",
        "| kind | strength | recall, % | delay, days | right slice, % | z-score: recall, % |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for kind in KINDS:
        for strength in STRENGTHS:
            own = [each for each in faults if (each["kind"], each["strength"]) == (kind, strength)]
            slices = [each for each in own if each["right"] is not None]
            text.append(
                f"| {kind} | {strength} | {interval(sum(each['delay'] is not None for each in own), len(own))} | "
                f"{_median(own, 'delay')} | {interval(sum(each['right'] for each in slices), len(slices))} | "
                f"{interval(sum(each['z_delay'] is not None for each in own), len(own))} |"
            )
    cpu = sum(line["cpu_s"] for line in lines)
    text += ["", f"{cpu:.0f} CPU seconds. {machine()}"]
    return "\n".join(text) + "\n"


def _median(rows: list[dict[str, Any]], name: str) -> str:
    known = [each[name] for each in rows if each[name] is not None]
    return f"{np.median(known):.0f}" if known else "–"


def main() -> None:
    """Run the seeds that are missing, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1000:1050")
    parser.add_argument("--minutes", type=float, default=60.0, help="start no seed after so many minutes")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS / "monitor_chaos.jsonl")
    given = parser.parse_args()
    start, stop = (int(part) for part in given.seeds.split(":"))
    lines = [json.loads(line) for line in given.out.read_text().splitlines()] if given.out.exists() else []
    todo = [seed for seed in range(start, stop) if seed not in {line["seed"] for line in lines}]
    deadline = time.monotonic() + 60 * given.minutes
    with ProcessPoolExecutor(given.processes) as pool:
        for at in range(0, len(todo), given.processes):
            if time.monotonic() > deadline:
                break
            for line in pool.map(run_seed, todo[at : at + given.processes]):
                with given.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
                lines.append(line)
                print(f"seed {line['seed']}: {line['cpu_s']} CPU s", file=sys.stderr)
    text = report([line for line in lines if start <= line["seed"] < stop])
    given.out.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
