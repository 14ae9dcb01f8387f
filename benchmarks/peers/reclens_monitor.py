"""Ours: see bench_monitor.py."""

import json
import sys
import time
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl
from harness import serve

from reclens.monitor.day import run_day
from reclens.monitor.detect import detect
from reclens.monitor.indicators.registry import describe, names
from reclens.monitor.project import Project
from reclens.monitor.rules import Rule

folder, day, days = Path(sys.argv[1]), date.fromisoformat(sys.argv[2]), int(sys.argv[3])
project = Project(folder)
RULES = {name: Rule(scale=describe(name).scale, direction=describe(name).direction) for name in names()}


def one():
    run = run_day(project, day)
    whole = run.series.filter(dimension="overall")
    values = dict(zip(whole["indicator"], whole["value"], strict=True))
    return {
        "seconds": run.seconds,
        "series": run.series.height,
        **{name: values[name] for name in ("ndcg", "mrr", "hit_rate")},
    }


def backfill():
    """All days, one after the other: each is run and judged with all days before it."""
    first = day - timedelta(days=1)
    parts: list[pl.DataFrame] = []
    steps: dict[str, float] = {}
    for at in range(days):
        today = first + timedelta(days=at)
        run = run_day(project, today)
        parts.append(run.series)
        started = time.perf_counter()
        detect(pl.concat(parts), RULES, start=today, end=today)
        for name, seconds in {**run.seconds, "detect": time.perf_counter() - started}.items():
            steps[name] = steps.get(name, 0.0) + seconds
        print(json.dumps({"day": str(today), "steps": steps}), file=sys.stderr, flush=True)
    return {"days": days, "rows": sum(project.card(each)["rows"] for each in project.days()), "seconds": steps}


serve({"one": one, "backfill": backfill})
