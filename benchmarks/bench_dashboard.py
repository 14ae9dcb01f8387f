"""How long a page of the dashboard takes to appear, and a filter to take effect, measured in the browser.

    python benchmarks/bench_dashboard.py            # needs the extra dashboard, playwright and chromium

A workspace of 100 runs × 6,040 users (ten different lists, each kept under ten names) is made once in
``benchmarks/.workspaces``; and where ``../shared/data/movielens/ml-1m.zip``, or ``--data``, is there, one of the demo
on MovieLens 1M. The server loads the pages before it answers: the seconds of its start stand above. *First* is the
first visit of a fresh server, with everything still to be read; *again* are later visits in a fresh browser tab. A
filter has taken effect when the script has run and the page stands still.
Machines differ and are shared: the CPU seconds of the server stand beside.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness

STILL = """() => {
  const app = document.querySelector("[data-testid=stApp]");
  return app?.dataset.testScriptState === "notRunning" && document.querySelector("h1")
    && !document.querySelector("[data-stale=true], [data-testid=stSkeleton]")
    && [...document.querySelectorAll("[data-testid=stVegaLiteChart]")].every((each) => each.querySelector("svg"));
}"""


SEEN = """() => document.querySelector("h1")
  && document.querySelector("[data-testid=stVegaLiteChart] svg, [data-testid=stDataFrame] canvas")"""
"""A chart or a table is there to be read."""

VIEWS = {
    "Segments": "Largest gap",
    "Trade-off": "Pareto front",
    "Long tail": "Lorenz curve",
    "Users": "serves worst",
    "History": "run by run",
    "Leaderboard": "share one axis",
}
"""Each view, and what only it says."""


def make_workspace(folder: Path, runs: int) -> None:
    """Ten lists for 6,040 users, evaluated by three segmentations, each under ``runs`` ÷ 10 names."""
    from dataclasses import replace

    from reclens import models
    from reclens.data import segments
    from reclens.data import split as splits
    from reclens.data.synthetic import synthetic_movielens
    from reclens.evaluation import compare, evaluate
    from reclens.workspace import Workspace

    data = synthetic_movielens(n_users=6_040, n_items=3_706, n_ratings=1_000_209, rng=0)
    split = splits.random(data, rng=1)
    train = split.train.with_segments(
        age=segments.bins("age", [25, 45]),
        activity=segments.quantiles("n_interactions", ["light", "medium", "heavy"]),
        taste=segments.top_value("genres"),
    )
    metrics = [
        "ndcg@5",
        "ndcg@10",
        "ndcg@20",
        "recall@10",
        "map@10",
        "mrr@10",
        "diversity@10",
        "novelty@10",
        "serendipity@10",
        "coverage@10",
        "gini@10",
    ]
    place = Workspace(folder)
    place.save(split, "big")
    kinds = {"popular": models.Popular(), "random": models.Random(), "recent": models.RecentPopular()}
    kinds |= {f"item_knn_{n}": models.ItemKNN(neighbors=n) for n in (20, 50, 100, 200)}
    kinds |= {f"pure_svd_{n}": models.PureSVD(factors=n) for n in (16, 32, 64)}
    results = {}
    for name, model in kinds.items():
        lists = model.fit(train).recommend(split.test_users, k=20)
        result = evaluate(lists, split.test, train=train, metrics=metrics, by=["age", "activity", "taste"], name=name)
        results[name] = result
        for at in range(runs // len(kinds)):
            place.save(lists, f"big{at}-{name}")
            place.save(replace(result, system=f"big{at}-{name}"), f"big{at}-{name}")
        print(f"  {name}", file=sys.stderr)
    place.save(compare(results, baseline="popular"), "big")


def make_movielens(folder: Path, data: Path) -> None:
    """The workspace of ``reclens demo`` on MovieLens 1M."""
    from reclens.job.run import run_job
    from reclens.job.settings import validate_settings
    from reclens.workspace import Workspace

    settings = validate_settings({"data": {"path": str(data)}}, source="benchmark")
    run_job(settings, workspace=Workspace(folder), say=lambda text: None, progress=lambda *_: None)


def serve(folder: Path, log: Any) -> tuple[subprocess.Popen[bytes], str]:
    """The application, as ``reclens dashboard`` starts it."""
    from reclens.dashboard import plan_launch

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    plan = plan_launch(folder, port=port, browser=False, secrets=[])
    server = subprocess.Popen(plan.command, stdout=log, stderr=log)
    while True:
        try:
            urllib.request.urlopen(f"{plan.url}/_stcore/health", timeout=1).read()
            return server, plan.url
        except OSError:
            time.sleep(0.1)


def cpu_seconds(server: subprocess.Popen[bytes]) -> float:
    """What the server has used of the processor, with what it started (Linux)."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(fields[at]) for at in (11, 12, 13, 14)) / os.sysconf("SC_CLK_TCK")


def seconds(page: Any, act: Callable[[], Any], begun: str | None = None) -> float:
    """From an act until the page stands still; ``begun`` is a condition that the act brings about."""
    started = time.perf_counter()
    act()
    if begun:
        page.wait_for_function(begun, polling=5, timeout=60_000)
    page.wait_for_function(STILL, polling=10, timeout=60_000)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--data", type=Path, default=harness.FOLDER.parents[1] / "shared/data/movielens/ml-1m.zip")
    parser.add_argument(
        "--workspaces", type=Path, default=harness.FOLDER / ".workspaces", help="folder to keep them in"
    )
    options = parser.parse_args()
    home = options.workspaces
    found: dict[str, dict[str, list[float]]] = {}
    load = os.getloadavg()[0]
    folder = home / f"dashboard-{options.runs}"
    if not (folder / "comparison" / "big").exists():
        shutil.rmtree(folder, ignore_errors=True)
        make_workspace(folder, options.runs)
    found[f"A workspace of {options.runs} runs × 6,040 users"] = measure(folder, options.turns)
    if options.data.exists():
        folder = home / "dashboard-ml-1m"
        if not (folder / "comparison").exists():
            shutil.rmtree(folder, ignore_errors=True)
            make_movielens(folder, options.data)
        found["MovieLens 1M, six systems"] = measure(folder, options.turns)
    report(found, load)


def measure(folder: Path, turns: int) -> dict[str, list[float]]:
    """Visit every page of a workspace, and change the view of Diagnostics: what is measured -> seconds of each turn."""
    from playwright.sync_api import sync_playwright

    paths = ["", "diagnostics", "diagnostics?view=Segments", "compare", "users", "users?user=7", "items", "items?q=1"]
    rows: dict[str, list[float]] = {}
    with Path(folder.parent / "log").open("wb") as log, sync_playwright() as playwright:
        started = time.perf_counter()
        server, url = serve(folder, log)
        rows["start of the server"] = [time.perf_counter() - started]
        rows["start of the server: CPU"] = [cpu_seconds(server)]
        try:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            # One context: a browser keeps Streamlit's scripts once it has them, as that of a reader does.
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            for turn in range(turns + 1):
                for path in paths:
                    page = context.new_page()
                    name = f"{path or 'home'}, {'again' if turn else 'first'}"
                    used, started = cpu_seconds(server), time.perf_counter()
                    page.goto(f"{url}/{path}")
                    page.wait_for_function(SEEN, polling=10, timeout=60_000)
                    rows.setdefault(f"{name}: seen", []).append(time.perf_counter() - started)
                    page.wait_for_function(STILL, polling=10, timeout=60_000)
                    rows.setdefault(f"{name}: still", []).append(time.perf_counter() - started)
                    rows.setdefault(f"{name}: CPU of the server", []).append(cpu_seconds(server) - used)
                    page.close()
            page = context.new_page()
            page.goto(f"{url}/diagnostics")
            page.wait_for_function(STILL, timeout=60_000)
            for turn in range(turns + 1):  # the first one is not counted
                for view, text in VIEWS.items():
                    button = page.get_by_test_id("stMain").get_by_role("radio", name=view)
                    begun = f"document.querySelector('[data-testid=stMain]').innerText.includes({text!r})"
                    used = cpu_seconds(server)
                    took = seconds(page, button.click, begun)
                    if turn:
                        rows.setdefault(f"filter: view {view}", []).append(took)
                        rows.setdefault(f"filter: view {view}: CPU of the server", []).append(
                            cpu_seconds(server) - used
                        )
        finally:
            server.terminate()
            server.wait()
    return rows


def report(found: dict[str, dict[str, list[float]]], load: float) -> None:
    """Print the seconds, and write them beside the machine that they came from."""
    machine = harness.machine()
    lines = [
        "# The dashboard in the browser",
        "",
        "Seconds until a chart or a table is seen, and until all of the page stands still: median and range.",
    ]
    for title, rows in found.items():
        lines += ["", f"## {title}", "", "| | median s | min s | max s |", "|---|--:|--:|--:|"]
        for name, each in rows.items():
            lines.append(f"| {name} | {statistics.median(each):.2f} | {min(each):.2f} | {max(each):.2f} |")
    where = f"{machine['processor']}, {machine['cores']} cores, headless Chromium without a GPU, {machine['date']}"
    lines += ["", f"Measured on {where}; load of the machine before: {load:.1f}."]
    print("\n".join(lines))
    folder = harness.FOLDER / "results"
    (folder / "dashboard.md").write_text("\n".join(lines) + "\n")
    (folder / "dashboard.json").write_text(json.dumps({"machine": machine, "seconds": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
