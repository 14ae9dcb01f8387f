"""The documentation is run: every ``python`` block of a page, in order, and every line that begins with ``reclens``.

A block or line that cannot be run here stands below ``<!-- skip: why -->``.
"""

from __future__ import annotations

import doctest
import inspect
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from reclens.job import monitor_init
from reclens.job.monitor_demo import run_demo
from reclens.job.monitor_inputs import store_of
from reclens.job.monitor_week import read_week
from reclens.metrics import registry
from reclens.monitor.indicators import registry as indicator_registry
from reclens.monitor.project import Project
from reclens.monitor.week import Week
from reclens.report.monitor import charts
from reclens.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<body>.*?)^(?P=indent)```", re.M | re.S)
SKIP = re.compile(r"<!-- skip(?P<reason>[^>]*)-->\s*$")
WIDTH = 80
"""The columns that a page shows without scrolling."""


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    language: str
    body: str
    line: int
    skip: str | None


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, each with what a ``skip`` comment above it says."""
    found = []
    for match in FENCE.finditer(text):
        mark = SKIP.search(text[: match.start()].rstrip())
        body = re.sub(rf"^{match['indent']}", "", match["body"], flags=re.M)
        line = text.count("\n", 0, match.start()) + 2
        found.append(Block(match["language"], body, line, mark["reason"].strip(" :") if mark else None))
    return found


def run_python(block: Block, page: Path, names: dict) -> None:
    """Run a block; one with prompts is a doctest, and has to show what it shows."""
    where = f"{page.relative_to(ROOT)}:{block.line}"
    if block.body.lstrip().startswith(">>>"):
        test = doctest.DocTestParser().get_doctest(block.body, names, where, str(page), block.line)
        report: list[str] = []
        result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=report.append, clear_globs=False)
        assert not result.failed, "".join(report)
        names.update(test.globs)
    else:
        source = "\n" * (block.line - 1) + block.body  # so that a traceback names the line of the page
        exec(compile(source, str(page), "exec"), names)


def commands(block: Block) -> list[list[str]]:
    """The ``$ reclens …`` lines of a console, or ``reclens …`` of a shell; a backslash continues one."""
    joined = block.body.replace("\\\n", " ")
    lines = [line.removeprefix("$ ") for line in joined.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("reclens ")]


def run_command(words: list[str], folder: Path, in_process: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    assert not {"|", ">", ">>", "&&", ";"} & set(words), f"one plain command a line, without a shell: {words}"
    done = in_process(*words[1:], cwd=folder, columns=120)
    assert done.returncode == 0, f"$ {shlex.join(words)}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}"


def check_shop(names: dict) -> None:
    """What the page about a shop found, held against counts and formulas of its own."""
    orders, kept, people, split = (names[name] for name in ("orders", "kept", "people", "split"))
    left: dict[tuple[int, int], int] = {}
    for household, product, _, quantity in orders.rows():
        left[household, product] = left.get((household, product), 0) + quantity
    assert kept.height == sum(each for each in left.values() if each > 0) < orders.height
    assert split.task == "with_repeats" and not split.exclude_seen
    both = split.test.join(split.train.events, on=["user_id", "item_id"], how="semi")
    assert both.height > 100, "repeat purchases are in the truth"
    bands = names["results"]["item_knn"]["ndcg@10"].by["income"]
    assert list(bands) == ["Under 15K", "15-34K", "35-74K", "75K+", "(unknown)"]
    unknown = people.filter(people["income"].is_null() & people["household"].is_in(split.test_users)).height
    assert bands["(unknown)"].n == unknown > 0
    plan, sizing, days = names["plan"], names["sizing"], names["days"]
    spread, difference = days["now"].std() * (1 - names["r"] ** 2) ** 0.5, 0.02 * days["now"].mean()
    by_hand = 4 * ((1.959964 + 0.841621) * spread / difference) ** 2
    assert by_hand < sizing.needed < 1.01 * by_hand and sizing.days == -(-sizing.needed // 1000)
    error = 3 * (0.8 * 0.2 / names["runs"]) ** 0.5
    assert abs(names["shares"][plan.metrics[0].effect] - 0.8) < error
    assert names["shares"][0.0] < 0.05 + 3 * (0.05 * 0.95 / names["runs"]) ** 0.5


def check_alert(names: dict) -> None:
    """The first alert of the page about production: a notice of the day that the page spoiled."""
    log = names["log"].height
    lines = [json.loads(line) for line in Path("workspace/monitor/notices.jsonl").read_text().splitlines()]
    (opened,) = [line for line in lines if line["message_id"].startswith("opened:") and line["facts"]]
    assert opened["message_id"].endswith(":2026-03-01") and log > 1_000
    assert opened["facts"]["Status"] == "open" and opened["facts"]["Runbook"] == "https://wiki.example/ctr"
    assert (Path("tableau") / "reclens.twb").exists() and list(Path("wandb").glob("offline-run-*"))


def check_demo(names: dict) -> None:
    """The demonstration of the page about the monitor: what is put in is found, and weeks are sums of days."""
    del names
    project = Project("workspace/monitor-demo")
    days = project.days()
    assert len(days) == (days[-1] - days[0]).days + 1 == DEMO["days"]
    # The four incidents that the page names, on their days, and no other.
    found = {each.first_day: each for each in store_of(project).list()}
    assert sorted(found) == [days[at] for at in (-17, -12, -9, -2)]
    stuck, late, nulls, down = (found[day] for day in sorted(found))
    assert {"coverage", "gini", "top_share"} <= {each.indicator for each in (stuck.root, *stuck.symptoms)}
    assert late.kind == "gate" and nulls.root == ("feature_nulls", "feature", "item_age")
    assert down.root == ("ctr", "surface", "item_page") and down.suspects[0] == "deploy"
    assert [(each.days, each.status) for each in (stuck, late, nulls)] == [(at, "resolved") for at in (3, 1, 3)]
    assert down.status == "open"
    assert [day for day, gate in project.gates().items() if gate.state != "passed"] == [days[-12]]
    reports = sorted((project.folder / "reports").glob("*.html"))
    assert len(reports) == 9 and all(each.stat().st_size < 1_000_000 for each in reports)
    assert reports[-1].read_text(encoding="utf-8").count("<svg") > 6
    # The coverage of a week is of all that it showed.
    sunday = days[-1]
    week = [project.folder / "log" / "impressions" / f"{sunday - timedelta(days=at)}.parquet" for at in range(7)]
    log, items = pl.read_parquet(week), pl.read_parquet(project.folder / "log" / "items.parquet")
    numbers = read_week(project, sunday, workspace=Workspace("workspace")).numbers
    row = numbers.row(by_predicate=whole("coverage"), named=True)
    assert row["value"] == pytest.approx(log["item_id"].n_unique() / items["item_id"].n_unique())
    daily = project.series(sunday - timedelta(days=6), sunday).filter(whole("coverage"))["value"]
    assert row["value"] > max(daily)
    traffic = numbers.row(by_predicate=whole("traffic"), named=True)
    assert traffic["value"] == pytest.approx(log.height / 7)


def last_week_alone(draw: Callable[..., Any]) -> Callable[..., Any]:
    """Draws the trends of the last weekly report of the demonstration; those before are made without."""

    def drawn(week: Week, **how: Any) -> Any:
        return draw(week, **how) if week.last == date(2026, 3, 8) else None

    return drawn


def whole(indicator: str) -> pl.Expr:
    return (pl.col("indicator") == indicator) & (pl.col("dimension") == "overall")


DEMO = {"days": 60, "users": 1_500}
"""Fewer users than the 6,000 of ``reclens monitor demo``."""
LATER = date(2026, 2, 9)
"""First day of the example log of the page about production: a Monday, three weeks before the last."""
SHORTER = {
    "monitor.md": {"2026-01-05": "2026-02-23"},
    "monitor-production.md": {"2026-01-12": LATER.isoformat()},
}
"""First days of the backfills of pages: of a log that is not there, and of one that a week of warm-up is enough for."""
CHECKED = {"monitor.md": check_demo, "shop-in-a-day.md": check_shop, "monitor-production.md": check_alert}


SLOW = ("monitor.md", "monitor-production.md")
RUN = [pytest.param(page, marks=[pytest.mark.slow] if page.name in SLOW else []) for page in PAGES]


@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_process) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("reclens.cli.dashboard._serve", lambda command: 0)  # it would serve until it is stopped
    # Fewer days, and fewer people in the example log, by the same code.
    for name, value in DEMO.items():
        monkeypatch.setitem(run_demo.__kwdefaults__, name, value)
    if page.name == "monitor-production.md":
        short = monitor_init._TEMPLATE.replace("warm_up = 3", "warm_up = 1")
        monkeypatch.setattr(monitor_init, "_TEMPLATE", short)
        monkeypatch.setattr(monitor_init, "_DAYS", 21)
        monkeypatch.setattr(monitor_init, "simulated_log", partial(monitor_init.simulated_log, start=LATER))
    monkeypatch.setattr(monitor_init, "_USERS", 1_500)
    monkeypatch.setattr(charts, "history_chart", last_week_alone(charts.history_chart))
    for known in (registry, indicator_registry):
        known.names()  # all that are built in
        monkeypatch.setattr(known, "_REGISTERED", dict(known._REGISTERED))  # what a page adds
    names: dict = {"__name__": "__page__"}
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.skip is not None:
            assert block.skip, f"{page.name}:{block.line}: say why: <!-- skip: why -->"
        elif block.language in ("python", "py", "pycon"):
            run_python(block, page, names)
        elif block.language in ("console", "sh", "bash"):
            for words in commands(block):
                run_command([SHORTER.get(page.name, {}).get(word, word) for word in words], tmp_path, in_process)
    CHECKED.get(page.name, lambda names: None)(names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_fits_and_imports_what_is_public(page: Path) -> None:
    wide, deep = [], []
    for block in blocks(page.read_text(encoding="utf-8")):
        for number, line in enumerate(block.body.splitlines(), block.line):
            where = f"{page.name}:{number}"
            wide += [where] if len(line) > WIDTH else []
            imported = re.match(r"(?:>>> |\.\.\. )?\s*(?:from|import) (reclens\b.*)", line)
            if block.language in ("python", "py", "pycon") and imported and imported[1] != "reclens as rl":
                deep.append(where)
    if page.name == "CONTRIBUTING.md":
        deep = []  # it is about what stands in the package
    assert not wide, f"code of more than {WIDTH} columns scrolls sideways: {wide}"
    assert not deep, f"write `import reclens as rl` and rl.<room>.<name>: {deep}"


# Docstrings, of which api.md is made, and CONTRIBUTING, for who works inside, name modules too.
WRITTEN = [page for page in PAGES if page.name not in ("api.md", "CONTRIBUTING.md")]


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_pages_name_is_public(page: Path) -> None:
    import reclens

    unknown = []
    for name in re.findall(r"\b(?:rl|reclens)\.([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)", page.read_text(encoding="utf-8")):
        parts, at = name.split("."), reclens
        if parts[0] in ("toml", "twb", "run", "example", "db", "org", "service"):
            continue
        if parts[0] == "cli" and page.name == "CONTRIBUTING.md":
            continue  # which is about what stands in the package
        for part in parts[:2] if inspect.ismodule(getattr(reclens, parts[0], None)) else parts[:1]:
            found = {reclens.metrics: reclens.metrics.names, reclens.models: reclens.models.classes}
            if part not in getattr(at, "__all__", ()) and part not in found.get(at, list)():
                unknown.append(name)
                break
            at = getattr(at, part)
    assert not unknown, f"not among the public names of reclens and its rooms: {unknown}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"<img[^>]* src=\"([^\"]+)\"", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            dead.append(target)
    assert not dead, dead


def anchors(page: Path) -> set[str]:
    """The anchors that the headings of a page make."""
    made = set()
    for heading in re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.M):
        named = re.search(r"\{#([\w-]+)\}", heading)
        made.add(named[1] if named else re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-"))
    return made


def test_every_public_name_is_in_the_docs() -> None:
    import reclens

    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    missing = [name for name in reclens.__all__ if not re.search(rf"\b(?:rl|reclens)\.{name}\b|`{name}`", text)]
    assert not missing, f"public, but in no page: {missing}"


def test_the_reference_has_every_public_name() -> None:
    import reclens

    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^### (\S+) ", text, re.M))
    rooms = [name for name in reclens.__all__ if inspect.ismodule(getattr(reclens, name))]
    wanted = {f"rl.{name}" for name in reclens.__all__ if name not in rooms}
    wanted |= {f"rl.{room}.{name}" for room in rooms for name in getattr(reclens, room).__all__}
    wanted |= {f"rl.models.{name}" for name in reclens.models.classes()}
    assert headings == wanted and len(rooms) > 10
    assert text.count("```python\n>>>") > 40  # examples, which the page runs


def test_every_page_is_in_the_menu() -> None:
    import tomllib

    menu = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]
    listed = {str(value) for entry in menu for value in entry.values()}
    assert listed == {str(page.relative_to(ROOT / "docs")) for page in PAGES[2:]}


@pytest.mark.parametrize("script", ["make_metric_reference", "make_api_reference", "make_benchmark_table"])
def test_what_is_generated_is_what_its_sources_say(script: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    call = [sys.executable, str(ROOT / "scripts" / f"{script}.py"), "--check"]
    done = subprocess.run(call, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
