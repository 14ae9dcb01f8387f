"""Ours: see bench_monitor.py."""

import sys
import time
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import serve

from reclens.job.monitor import backfill as run_backfill
from reclens.monitor.day import run_day
from reclens.monitor.project import Project
from reclens.workspace import Workspace

folder, day, days = Path(sys.argv[1]), date.fromisoformat(sys.argv[2]), int(sys.argv[3])
project = Project(folder)


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
    """What ``reclens monitor backfill`` does, from the log to weekly reports."""
    first, started = day - timedelta(days=1), time.perf_counter()
    steps = {"days": 0.0}

    def progress(about: str, at: int, of: int) -> None:
        steps["days"] = time.perf_counter() - started
        print(about, at, of, file=sys.stderr, flush=True)

    last = first + timedelta(days=days - 1)
    found = run_backfill(project, first, last, workspace=Workspace(folder / "workspace"), progress=progress)
    steps["detections, incidents and reports"] = time.perf_counter() - started - steps["days"]
    rows = sum((project.card(each) or {}).get("rows", 0) for each in project.days())
    return {"days": len(found.days), "rows": rows, "reports": len(found.reports), "seconds": steps}


serve({"one": one, "backfill": backfill})
