"""What every room's tests share: data folders, seeds, a small data set and a browser."""

from __future__ import annotations

import gc
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, settings

from contrast import CONTRAST

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from reclens.data.dataset import Dataset
    from reclens.evaluation import Comparison, Evaluation
    from reclens.workspace import Workspace

ROOT = Path(__file__).resolve().parents[1]

# The first example of a property may compile a kernel, so that neither its time nor its slowness says anything.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("local"), derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


COMPUTING = pytest.StashKey[list[str]]()


def _polars_has_threads() -> bool:
    """Whether Polars has computed in this process; where threads have no names, nobody knows."""
    return any(each.read_text() == "polars-0\n" for each in Path("/proc/self/task").glob("*/comm"))


def pytest_runtest_teardown() -> None:
    """Forget the command that a test ran in this process, by whose options the errors of later tests would be told."""
    names = sys.modules.get("reclens.cli.option_names")
    if names is not None:
        names._PARAMETERS.set(None)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """Note the first module that computes with Polars when it is imported."""
    before = _polars_has_threads()
    try:
        return (yield)
    finally:
        if not before and _polars_has_threads():
            collector.config.stash.setdefault(COMPUTING, []).append(collector.nodeid)


def pytest_collection_finish() -> None:
    """Exempt modules and thousands of collected tests from garbage collection, which would walk them to the end."""
    gc.freeze()


@pytest.fixture(scope="session")
def computing_at_import(pytestconfig: pytest.Config) -> list[str]:
    """The first module of tests that computes with Polars when it is imported, if there is one."""
    return pytestconfig.stash.get(COMPUTING, [])


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def reader(repository: Path) -> ModuleType:
    """``reader.py``: what a reader sees of pages and documents, and what is no word."""
    return _loaded(repository / "tests" / "reader.py")


def _loaded(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def misfits(repository: Path) -> Callable[..., set[str]]:
    """``misfits(card, kind)`` of ``typed_cards.py``: where a card is not what its type declares."""
    return _loaded(repository / "tests" / "typed_cards.py").misfits


@pytest.fixture(scope="session")
def slack_server(repository: Path) -> ModuleType:
    """``slack_server.py``: a server that plays Slack, and blocks held against the limits of Slack."""
    return _loaded(repository / "tests" / "slack_server.py")


@pytest.fixture
def slack(slack_server: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A server that plays Slack, whose address stands in the environment."""
    with slack_server.serving(monkeypatch) as server:
        yield server


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The optional folder of real data: ``$RECLENS_SHARED_DATA``, or ``../shared/data`` beside the checkout."""
    folder = Path(os.environ.get("RECLENS_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("needs real data: no folder ../shared/data; name another by RECLENS_SHARED_DATA")
    return folder


@pytest.fixture(scope="session")
def cases() -> dict[str, dict[str, Any]]:
    """Published and recomputed numbers of experimentation, id -> case; each names its source and its tolerance."""
    listed = json.loads((ROOT / "tests" / "cases" / "experiment.json").read_text(encoding="utf-8"))
    return {case["id"]: case for case in listed}


@pytest.fixture(scope="session")
def rate_error() -> Callable[[float, int], float]:
    """Three Monte-Carlo standard errors of a rate that is simulated so many times."""
    return lambda rate, runs: 3 * (rate * (1 - rate) / runs) ** 0.5


@pytest.fixture(scope="session")
def built() -> Any:
    """The commands, built once: Typer builds them anew at every call, which takes longer than most refusals."""
    import typer.main

    from reclens.cli.app import app

    return typer.main.get_command(app)


@pytest.fixture(scope="session")
def in_process(built: Any) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs ``reclens ARGUMENTS`` in a folder, in this process: the same answer as a new one, without its imports.

    Warnings are shown as a new process shows them, and do not end the command.
    """
    import typer.main

    from reclens.cli import main

    def call(*arguments: str | Path, cwd: Path, columns: int = 160) -> subprocess.CompletedProcess[str]:
        words = ["reclens", *map(str, arguments)]
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
        status: Any = 0
        with (
            pytest.MonkeyPatch.context() as patch,
            warnings.catch_warnings(),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            warnings.resetwarnings()
            for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
                warnings.simplefilter("ignore", category)
            patch.setattr(typer.main, "get_command", lambda _: built)
            patch.setattr(sys, "argv", words)
            patch.setenv("COLUMNS", str(columns))
            patch.chdir(cwd)
            try:
                main()
            except SystemExit as end:
                status = end.code or 0
        said = (stream.buffer.getvalue().decode() for stream in (out, err))  # type: ignore[attr-defined]
        return subprocess.CompletedProcess(words, status, *said)

    return call


@pytest.fixture
def rng() -> np.random.Generator:
    """The same stream in every test."""
    return np.random.default_rng(20240229)


@pytest.fixture(scope="session")
def small_data() -> Dataset:
    """A synthetic data set that is small enough for any test: 200 users, 150 items, 6,000 ratings."""
    from reclens.data.synthetic import synthetic_movielens

    return synthetic_movielens(n_users=200, n_items=150, n_ratings=6_000, rng=0)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One headless Chromium of the system, with an empty profile of its own; nothing is downloaded."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs a browser: pip install playwright")
    candidates = (os.environ.get("RECLENS_CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    executable = next((path for name in candidates if name and (path := shutil.which(name))), None)
    if executable is None:
        pytest.skip("needs a browser: no chromium found (apt-get install chromium, or set RECLENS_CHROMIUM)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable,
            headless=True,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture
def browser_page(chromium: Browser) -> Iterator[Page]:
    """A page of a real browser at 1280×800; ``page.console_errors`` lists errors, warnings and failed requests.

    ``page.under_way`` holds the requests that have no answer yet: to leave a page before would end them as failed.
    """
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("requestfailed", lambda request: problems.append(f"request failed: {request.url}"))
    page.console_errors = problems  # type: ignore[attr-defined]
    under_way: set[Any] = set()

    def begins(request: object) -> None:
        under_way.add(request)

    def ends(request: object) -> None:
        under_way.discard(request)

    page.on("request", begins)
    page.on("requestfinished", ends)
    page.on("requestfailed", ends)
    page.under_way = under_way  # type: ignore[attr-defined]
    yield page
    context.close()


@pytest.fixture(scope="session")
def worst_contrast() -> Callable[[Page], tuple[float, str]]:
    """Finds the text of a page with the lowest contrast to its ground (WCAG 2.2, 1.4.3): the ratio, and where."""
    return lambda page: tuple(page.evaluate(CONTRAST))


HOSTILE = """</x>"quo'te";; ${TABLE} {{ x }} @{y} | % \\ & \u2028"""
METRICS = ("ndcg@10", "hit_rate@10", "serendipity@5", "novelty@10", "r_precision", "coverage@10", "gini@10")


@dataclass(frozen=True)
class Measured:
    """What is exported: a workspace and what it holds."""

    workspace: Workspace
    results: dict[str, Evaluation]
    comparison: Comparison


@pytest.fixture(scope="session")
def kept(small_data, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """A workspace of systems, segments and users with hostile names, measured and compared."""
    from reclens import models
    from reclens.data import segments
    from reclens.data import split as splits
    from reclens.evaluation import compare, evaluate
    from reclens.workspace import Workspace

    renamed = pl.concat_str(pl.lit(HOSTILE), pl.col("user_id").cast(pl.String))
    users = small_data.users.with_columns(
        renamed.alias("user_id"),
        town=pl.when(pl.col("age") < 30).then(pl.lit(HOSTILE)).otherwise(pl.lit("b")),
    )
    interactions = small_data.interactions.with_columns(renamed.alias("user_id"))
    split = splits.random(replace(small_data, users=users, interactions=interactions), rng=1)
    train = split.train.with_segments(
        **{"age": segments.bins("age", [25, 45]), "activity|n": segments.quantiles("n_interactions", ["few", "many"])},
        town="town",
    )
    workspace, results = Workspace(tmp_path_factory.mktemp("edges") / "work"), {}
    for name, system, model in (
        ("popular", "popular", models.Popular()),
        ("knn", HOSTILE, models.ItemKNN()),
        ("random", "r", models.Random()),
    ):
        lists = model.fit(train).recommend(split.test_users)
        results[name] = evaluate(
            lists,
            split.test,
            train=train,
            metrics=METRICS,
            name=system,
            replicates=200,
            by=["age", "activity|n", "town"],
        )
        workspace.save(results[name], name)
    comparison = compare(results, baseline="popular", flips=999)
    workspace.save(comparison, "c")
    return Measured(workspace, results, comparison)


@pytest.fixture(scope="session")
def hostile() -> str:
    return HOSTILE


@pytest.fixture(scope="session")
def health() -> Callable[..., dict]:
    return _health


@pytest.fixture(scope="session")
def monitored(repository: Path) -> ModuleType:
    """``monitored.py``: a monitor of a small shop, and the log of the days that come next."""
    return _loaded(repository / "tests" / "monitored.py")


@pytest.fixture(scope="session")
def watched() -> ModuleType:
    """``watched.py``: nine weeks of a watched shop, made by hand."""
    return _loaded(ROOT / "tests" / "watched.py")


def _health(day: date, value: float, status: str, **more) -> dict:
    """A row of daily health."""
    row = {"day": day, "system": "shop", "indicator": "ctr", "segmentation": "overall", "segment": "all"}
    return {
        **row,
        "value": value,
        "low": value - 1,
        "high": value + 1,
        "n": 10,
        "level": 0.95,
        "expected": 2.0,
        "status": status,
        **more,
    }


def _two_towns() -> Dataset:
    from reclens.data.dataset import Dataset

    users = [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 5, 5, 8, 9, 9]
    items = [10, 11, 15, 11, 12, 15, 12, 13, 15, 14, 15, 11, 14, 20, 30, 31]
    return Dataset(pl.DataFrame({"user_id": users, "item_id": items}))


@pytest.fixture(scope="session")
def two_towns() -> Callable[[], Dataset]:
    """Users 1 to 5 have some of the items 10 to 15; user 8 has 20 alone, which nobody else has; 9 has 30 and 31."""
    return _two_towns
