"""The marts of dbt against those of the monitor itself: equal, after a build that was killed too."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
import yaml
from polars.testing import assert_frame_equal

from reclens.edges.dbt import DbtMarts, write_project
from reclens.errors import MissingExtraError, WorkspaceError
from reclens.job.monitor import backfill
from reclens.job.monitor_inputs import marts_of
from reclens.monitor.day import run_day, run_days
from reclens.monitor.duck import frame
from reclens.monitor.landing import LANDED, Marts
from reclens.monitor.project import Project
from reclens.monitor.queries import names, sql
from reclens.monitor.summary import KEYS
from reclens.workspace import Workspace

FIRST = date(2026, 1, 5)
DAYS = [FIRST + timedelta(days=at) for at in range(3)]

SETTINGS = """
[log]
path = "log"
cutoff = 3
hit_at = 2
cold_days = 1
late_after = 0.5

[gate]
null_share = 0.2
bad_share = 0.2
duplicate_share = 1.0
late_share = 1.0

[tables]
users = "users.parquet"
items = "items.parquet"
retrievers = "retrievers"

[indicators.ctr]
owner = "ranking team"
runbook = "https://wiki.example/ctr"
"""


def day_log(day: date, seed: int, *, unclicked: float = 0.1) -> pl.DataFrame:
    """Lists of up to five items with what a log can lack: items, clicks, scores, slices; with repeats and late rows."""
    rng = np.random.default_rng(seed)
    n, lists = 600, 150
    request = np.sort(rng.integers(0, lists, n))
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)

    def gap(values: list, share: float) -> list:
        return [None if hole else value for value, hole in zip(values, rng.random(n) < share, strict=True)]

    seconds = pl.Series(request * 500 + 60)
    return pl.DataFrame(
        {
            "request_id": [f"{day}-{each}" for each in request],
            "user_id": request % 40,
            "item_id": gap([f"i{each}" for each in rng.integers(0, 30, n)], 0.05),
            "position": rng.integers(1, 6, n),
            "clicked": gap((rng.random(n) < 0.3).tolist(), unclicked),
            "converted": gap((rng.random(n) < 0.1).tolist(), 0.5),
            "score": gap(rng.normal(size=n).tolist(), 0.1),
            "surface": [["home", "email", None][each % 3] for each in request],
            "model_version": [["v1", "v2"][each % 2] for each in request],
            "retriever": gap([["cf", "popular"][each % 2] for each in range(n)], 0.1),
            "latency_ms": [float(2 ** (each % 8)) for each in request],
            "feature.device": gap([["mobile", "tv"][each % 2] for each in range(n)], 0.1),
        }
    ).with_columns(
        timestamp=pl.lit(start).cast(pl.Datetime("us", "UTC")) + pl.duration(seconds=seconds),
        received_at=pl.lit(start).cast(pl.Datetime("us", "UTC"))
        + pl.duration(seconds=seconds + pl.Series(rng.integers(0, 3600, n))),
    )


EVERYTHING = SETTINGS.replace("cutoff = 3", 'cutoff = 3\nclicks = "clicks"').replace(
    "[tables]", '[tables]\nstages = "stages"'
)
"""With the two tables that the others lack: a log of stages, and clicks apart from the impressions."""


def write_clicks_and_stages(folder: Path, log: pl.DataFrame, day: date) -> None:
    """Clicks of which a few belong to no impression; of the first day there are no stages."""
    clicks = log.filter(pl.col("clicked"), pl.col("item_id").is_not_null())
    clicks = clicks.select("request_id", "item_id", timestamp=pl.col("timestamp") + pl.duration(seconds=1))
    lost = pl.int_range(pl.len()) % 10 == 0
    clicks = clicks.with_columns(pl.when(lost).then(pl.lit("nowhere")).otherwise("request_id").alias("request_id"))
    clicks.write_parquet(folder / "clicks" / f"{day}.parquet")
    if day != FIRST:
        relevant = log.select("timestamp", "request_id", stage=pl.lit("rank"), relevant=pl.lit(3), lost="position")
        relevant.write_parquet(folder / "stages" / f"{day}.parquet")


def make_monitor(folder: Path, settings: str = SETTINGS) -> Project:
    for name in ("log", "clicks", "stages"):
        (folder / name).mkdir(parents=True)
    (folder / "retrievers").mkdir()
    (folder / "monitor.toml").write_text(settings, encoding="utf-8")
    for seed, day in enumerate(DAYS):
        # The second day fails its gate: it is no past of the third one.
        log = day_log(day, seed, unclicked=0.5 if seed == 1 else 0.1)
        log.write_parquet(folder / "log" / f"{day}.parquet")
        write_clicks_and_stages(folder, log, day)
        brought = log.select("timestamp", "request_id", "retriever", candidates=pl.col("position") * 7)
        brought.write_parquet(folder / "retrievers" / f"{day}.parquet")
    pl.DataFrame({"user_id": range(40), "segment": ["light", "heavy", None, "new"] * 10}).write_parquet(
        folder / "users.parquet"
    )
    pl.DataFrame({"item_id": [f"i{n}" for n in range(30)], "category": ["x", "y", "z"] * 10}).write_parquet(
        folder / "items.parquet"
    )
    return Project(folder)


def state(project: Project, day: date) -> Mapping[str, pl.DataFrame]:
    names = [*KEYS, "series"]
    return {name: table for name in names if (table := project.read_day(day, name)) is not None}


def assert_same_state(left: Project, right: Project, states: Sequence[str] = ("passed", "failed", "passed")) -> None:
    """The tables, series and gates of all days; sums of floats differ by the order of their rows."""
    assert left.days() == right.days() == DAYS
    assert left.gates() == right.gates()
    assert [gate.state for gate in left.gates().values()] == list(states)
    for day in DAYS:
        one, two = state(left, day), state(right, day)
        assert set(one) == set(two) and len(one) >= 8
        for name, table in one.items():
            assert_frame_equal(table, two[name], rel_tol=1e-9, abs_tol=1e-12)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A monitor whose days ran one by one, without dbt."""
    project = make_monitor(tmp_path_factory.mktemp("embedded") / "monitor")
    for day in DAYS:
        run_day(project, day)
    return project


@pytest.fixture
def with_dbt(tmp_path: Path) -> Project:
    project = make_monitor(tmp_path / "monitor")
    write_project(project, today=FIRST)
    return project


def commanded(project: Project, *command: str, minutes: float = 120.0) -> DbtMarts:
    """The marts by another command than dbt."""
    listed = ", ".join(json.dumps(word) for word in command)
    file = project.folder / "monitor.toml"
    file.write_text(f"{SETTINGS}\n[marts]\ncommand = [{listed}]\nminutes = {minutes}\n", encoding="utf-8")
    return DbtMarts(Project(project.folder))


KILLED = """
import os, signal
from dbt.adapters.sql.connections import SQLConnectionManager
from dbt.cli.main import cli

ran = SQLConnectionManager.add_query

def dying(self, sql, *arguments, **more):
    found = ran(self, sql, *arguments, **more)
    if "insert into" in sql and "daily_metrics" in sql:  # the second day, before its transaction ends
        os.kill(os.getpid(), signal.SIGKILL)
    return found

SQLConnectionManager.add_query = dying
cli()
"""


@pytest.mark.slow
def test_a_build_that_was_killed_is_run_again_and_gives_what_the_monitor_makes_day_by_day(
    embedded: Project, with_dbt: Project, tmp_path: Path
) -> None:
    pytest.importorskip("dbt.version", reason="dbt is not installed: pip install 'reclens[dbt]'")
    with pytest.raises(WorkspaceError, match="status -9"):
        run_days(with_dbt, DAYS, marts=commanded(with_dbt, sys.executable, "-c", KILLED))
    assert with_dbt.days() == [] and not (with_dbt.state / "held").exists()
    # One day of one mart was made whole; the second one was not.
    connection = duckdb.connect(with_dbt.folder / "dbt" / "warehouse.duckdb")
    assert connection.execute("SELECT DISTINCT day FROM daily_metrics").fetchall() == [(FIRST,)]
    connection.execute("UPDATE daily_metrics SET clicks = 0")
    connection.close()
    settings = f'{SETTINGS}\n[marts]\nengine = "dbt"\n'
    (with_dbt.folder / "monitor.toml").write_text(settings, encoding="utf-8")
    again = Project(with_dbt.folder)
    done = backfill(again, DAYS[0], DAYS[-1], workspace=Workspace(tmp_path / "workspace"))
    assert [each.gate.state for each in done.days] == ["passed", "failed", "passed"]
    assert_same_state(again, embedded)
    # What is not among the tables of a day is made too: the log of retrievers was landed.
    connection = duckdb.connect(with_dbt.folder / "dbt" / "warehouse.duckdb", read_only=True)
    brought = frame(connection, "SELECT * FROM retrievers ORDER BY day, name")
    connection.close()
    for day in DAYS:
        mine = brought.filter(pl.col("day") == day).select("name", "n", "total")
        assert_frame_equal(mine, state(embedded, day)["pipeline"].select("name", "n", "total"))


BY_HAND = """
import json, sys
from dbt.cli.main import dbtRunner

for words in json.loads(sys.argv[1]):
    found = dbtRunner().invoke(words)
    assert found.success, (words, found.exception, found.result)
"""


class ByHand(DbtMarts):
    """Marts by the lines of the page, typed in the folder of the project; one process spares the second import."""

    def build(self, project: Project, days: Sequence[date]) -> None:
        page = (Path(__file__).parents[2] / "docs" / "monitor-dbt.md").read_text(encoding="utf-8")
        lines = [shlex.split(line) for line in page.replace("\\\n", " ").splitlines() if line.startswith("dbt ")]
        assert [words[1] for words in lines] == ["build", "docs"]
        typed = json.dumps([words[1:] for words in lines])
        around = {**os.environ, "DO_NOT_TRACK": "1", "PYTHONUTF8": "1"}
        command = [sys.executable, "-c", BY_HAND, typed]
        done = subprocess.run(command, cwd=self.folder, env=around, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]


@pytest.mark.slow
def test_the_lines_of_the_page_make_every_mart_and_their_documentation(tmp_path: Path) -> None:
    pytest.importorskip("dbt.version", reason="dbt is not installed: pip install 'reclens[dbt]'")
    alone, project = (make_monitor(tmp_path / name, EVERYTHING) for name in ("alone", "by_hand"))
    for day in DAYS:
        run_day(alone, day)
    folder = write_project(project, today=FIRST)
    run_days(project, DAYS, marts=ByHand(project))
    assert_same_state(project, alone, [gate.state for gate in alone.gates().values()])
    connection = duckdb.connect(folder / "warehouse.duckdb", read_only=True)
    for day in DAYS:
        made = [
            frame(connection, f"SELECT * EXCLUDE (day) FROM {name} WHERE day = DATE '{day}'")
            for name in ("retrievers", "stages", "joins")
        ]
        mine = pl.concat(made, how="vertical_relaxed").sort("what", "name")
        kinds = ["join", "retriever", "stage"] if day != FIRST else ["join", "retriever"]
        assert mine["what"].unique().sort().to_list() == kinds
        assert_frame_equal(mine, state(alone, day)["pipeline"].select(mine.columns), check_dtypes=False)
        [row] = mine.filter(pl.col("what") == "join").to_dicts()
        clicks = pl.read_parquet(project.folder / "clicks" / f"{day}.parquet")
        # Those of the first hours may belong to the day before.
        since = pl.lit(day).cast(pl.Datetime("us", "UTC")) + pl.duration(hours=project.settings.log.click_hours)
        mine = clicks.filter(pl.col("timestamp") >= since)["request_id"]
        assert row["n"] == len(mine) and row["total"] == (mine != "nowhere").sum() < len(mine)
    connection.close()
    about = json.loads((folder / "target" / "manifest.json").read_text())
    marts = {f"model.reclens_monitor.{name}" for name in names()}
    assert (
        marts
        == set(json.loads((folder / "target" / "catalog.json").read_text())["nodes"])
        == {name for name, node in about["nodes"].items() if node["resource_type"] == "model"}
    )
    assert all(about["nodes"][name]["description"] for name in marts)
    ctr = about["exposures"]["exposure.reclens_monitor.indicator_ctr"]
    assert ctr["owner"]["name"] == "ranking team" and ctr["depends_on"]["nodes"]
    assert (folder / "target" / "index.html").stat().st_size > 10_000


def test_a_build_that_fails_leaves_the_days_as_they_were(embedded: Project, with_dbt: Project) -> None:
    broken = commanded(with_dbt, sys.executable, "-c", "print('00:00:01  no disk'); raise SystemExit(2)")
    with pytest.raises(WorkspaceError, match=r"status 2, and the days count as not run.*It said: no disk"):
        run_days(with_dbt, DAYS[:1], marts=broken)
    assert with_dbt.days() == []
    asleep = commanded(with_dbt, sys.executable, "-c", "import time; time.sleep(60)", minutes=0.005)
    with pytest.raises(WorkspaceError, match=r"within 0\.005 minutes"):
        run_days(with_dbt, DAYS[:1], marts=asleep)
    with pytest.raises(MissingExtraError, match=r"cannot be started.*\[marts\] command"):
        run_days(with_dbt, DAYS[:1], marts=commanded(with_dbt, str(with_dbt.folder / "dbt")))


def test_a_day_without_rows_has_no_marts_and_starts_no_build(with_dbt: Project) -> None:
    nothing = commanded(with_dbt, sys.executable, "-c", "raise SystemExit(2)")
    [run] = run_days(with_dbt, [FIRST - timedelta(days=1)], marts=nothing)
    assert run.gate.state == "not_evaluated" and run.series.is_empty()


def test_a_log_of_stages_without_any_file_is_landed_empty(tmp_path: Path) -> None:
    """dbt reads the files of a source, of which there have to be some."""
    project = make_monitor(tmp_path / "m", EVERYTHING)
    write_project(project, today=FIRST)
    for each in [*project.folder.glob("stages/*"), *project.folder.glob("clicks/*")]:
        each.unlink()
    landed = project.state / "landed"
    found: dict[str, pl.DataFrame] = {}

    class Looking(DbtMarts):
        def build(self, project: Project, days: Sequence[date]) -> None:
            found.update({name: pl.read_parquet(landed / name / f"{days[0]}.parquet") for name in LANDED})
            raise WorkspaceError("seen")

    with pytest.raises(WorkspaceError, match="seen"):
        run_days(project, DAYS[:1], marts=Looking(project))
    assert found["stage_log"].columns == ["day", "stage", "relevant", "lost", "latency_ms"]
    assert found["stage_log"].is_empty() and found["click_log"].is_empty() and not found["events"].is_empty()


def test_dbt_or_its_project_is_missing(with_dbt: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = with_dbt.folder / "monitor.toml"
    settings.write_text(SETTINGS + '[marts]\nengine = "dbt"\nproject = "elsewhere"\n')
    with pytest.raises(WorkspaceError, match=r"Write it by rl\.monitor\.init with dbt=True"):
        marts_of(Project(with_dbt.folder))
    settings.write_text(SETTINGS + '[marts]\nengine = "dbt"\n')
    monkeypatch.setitem(sys.modules, "dbt.version", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'reclens\[dbt\]'"):
        marts_of(Project(with_dbt.folder))


def test_the_project_says_who_looks_after_what(with_dbt: Project) -> None:
    folder = with_dbt.folder / "dbt"
    assert not (folder / "packages.yml").exists() and not (folder / "dependencies.yml").exists()
    read = {each.stem: yaml.safe_load(each.read_text()) for each in folder.glob("**/*.yml")}
    assert read["dbt_project"]["vars"] == {"late_after": 0.5, "cutoff": 3, "hit_at": 2}
    models = {each["name"]: each for each in read["models"]["models"]}
    # Neither stages nor a log of clicks are in the settings.
    made = {"daily_metrics", "daily_lists", "item_exposure", "user_cohort", "duplicates", "latency", "retrievers"}
    assert set(models) == {"impressions", "lists", *made}
    meta = models["daily_metrics"]["config"]["meta"]
    assert meta["owners"] == ["ranking team"] and meta["runbooks"] == {"ctr": "https://wiki.example/ctr"}
    assert models["latency"]["config"]["meta"]["owners"] == []
    assert all(models[name]["data_tests"] and models[name]["description"] for name in made)
    exposures = {each["name"]: each for each in read["exposures"]["exposures"]}
    ctr = exposures["indicator_ctr"]
    assert (ctr["owner"], ctr["url"]) == ({"name": "ranking team"}, "https://wiki.example/ctr")
    assert ctr["depends_on"] == ["ref('daily_metrics')"] and ctr["config"]["meta"]["direction"] == "down"
    assert set(exposures["health"]["depends_on"]) == {f"ref('{name}')" for name in made}
    tables = {each["name"] for each in read["sources"]["sources"][0]["tables"]}
    assert tables == {"days", "events", "user_facts", "item_facts", "retriever_log"}


@pytest.mark.parametrize("name", names())
def test_a_model_is_its_query_with_references(name: str, tmp_path: Path) -> None:
    folder = write_project(make_monitor(tmp_path / "m", EVERYTHING), today=FIRST)
    [place] = folder.glob(f"models/*/{name}.sql")
    text = place.read_text().split("}}\n\n", 1)[1]
    assert "{{" in text and "$" not in "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    back = re.sub(r"\(SELECT \* FROM \{\{ (?:ref|source)\((?:'landed', )?'(\w+)'\) \}\}\) AS \1", r"\1", text)
    assert re.sub(r"\{\{ var\('(\w+)'\) \}\}", r"$\1", back) == sql(name)
    others = [each for each in (*names(), *LANDED) if re.search(rf"(FROM|JOIN) {each}\b", text)]
    assert others == []  # nothing is read but by a reference


def test_init_writes_the_project_of_a_new_monitor_and_anew_that_of_one_that_is_there(
    in_process, tmp_path: Path
) -> None:
    def init(*words: str) -> str:
        done = in_process("monitor", "init", "watch", "--dbt", *words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stderr

    init("--log", "/logs/impressions")
    made = Project(tmp_path / "watch")
    assert made.settings.marts.engine == "dbt" and isinstance(marts_of(made), Marts)
    place = tmp_path / "watch" / "dbt" / "models" / "marts" / "latency.sql"
    before = place.read_text()
    place.write_text("SELECT 1")
    assert "written: watch/dbt" in init() and place.read_text() == before
    settings = tmp_path / "watch" / "monitor.toml"
    settings.write_text(settings.read_text().replace('engine = "dbt"', 'engine = "native"'))
    assert 'engine = "dbt"' in init()  # says what is missing
