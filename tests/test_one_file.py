"""What is added is one file: a model, a metric, a re-ranker, an indicator, a page, a command, an export."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

import reclens as rl
from reclens import cli
from reclens.cli.registry import find_commands
from reclens.dashboard import pages as dashboard_pages
from reclens.dashboard.navigation import pages
from reclens.errors import UnknownNameError
from reclens.metrics.registry import _REGISTERED
from reclens.monitor import indicators
from reclens.monitor.indicators import registry as indicator_registry
from reclens.pipeline import rerank
from reclens.report.monitor.tables import day_table
from reclens.testing import check_metric, check_model

ROOT = Path(__file__).resolve().parents[1]

MODEL = '''"""Latest id: the items with the highest codes, the same for everybody."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reclens.models._core.form import numbers
from reclens.models._core.recommender import Recommender


@dataclass(kw_only=True)
class LatestId(Recommender):
    """The items with the highest codes."""

    name: ClassVar[str] = "latest_id"
    shift: float = 0.0

    @property
    def is_personalized(self):
        return False

    def _fit(self, train, engine, progress):
        self.order_ = np.arange(len(self.items_), dtype=np.float32) + np.float32(self.shift)

    def _scores(self, block):
        return np.repeat(self.order_[None, :], len(block.users), axis=0)

    def _reasons(self, block, item):
        return "count", ["its place"], self.order_[[item]].astype(np.float64)

    def _state(self):
        return {"order": self.order_}

    def _form(self):
        return {"order": numbers("items")}

    def _restore(self, arrays):
        self.order_ = arrays["order"]
'''

METRIC = '''"""Places."""

import numpy as np

from reclens.metrics.registry import metric


@metric(title="Last place", needs=("truth",), family="accuracy")
def last_place(lists, convention):
    """Whether the last place holds a relevant item.

    Formula: 1 if the item at rank k is relevant, else 0. Range: 0 … 1. Users without a list count 0. Source: ours.
    Use when: the end of the list is what matters. Misleads when: nobody reads that far.
    """
    return lists.hits[:, -1].astype(np.float64)
'''

RERANKER = '''"""Backwards: the list from its end."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reclens.pipeline.rerank._base import Reranker


@dataclass(kw_only=True)
class Backwards(Reranker):
    """The list from its end."""

    kind: ClassVar[str] = "backwards"

    def rerank(self, lists):
        return lists.reordered(np.argsort(-np.arange(lists.items.shape[1]))[None, :].repeat(len(lists.items), axis=0))
'''

PAGE = '''"""Greetings."""

from reclens.dashboard.navigation import Page


def show(workspace):
    """Draw the page."""


PAGE = Page(
    title="Greetings", icon=":material/home:", section="Start", order=99, show=show, path="greetings"
)
'''

COMMAND = '''"""Say hello."""

from reclens.cli.registry import command


@command("hello")
def hello(name: str = "you") -> None:
    """Say hello.

    Example:
      reclens hello --name Ada
    """
    print(f"hello {name}")
'''

EXPORT = '''"""Write the estimates of a workspace as CSV."""

from pathlib import Path

from reclens.cli.registry import command


@command("export plain")
def plain(workspace: Path = Path("workspace"), out: Path = Path("out.csv")) -> None:
    """Write the estimates of every evaluation as one CSV file.

    Example:
      reclens export plain --workspace my-workspace --out out.csv
    """
    import polars as pl

    import reclens as rl

    place = rl.Workspace(workspace)
    found = [place.load("evaluation", each.name).to_frame() for each in place.list("evaluation")]
    pl.concat(found).write_csv(out)
'''


INDICATOR = '''"""Readers."""

import polars as pl

from reclens.monitor.indicators.registry import indicator


@indicator(caption="Items a user", unit="ratio", scale="log", direction="both", family="traffic")
def items_a_user(summary):
    """Impressions of each user.

    Formula: impressions ÷ users of the day.
    """
    users = summary.table("users")
    if users is None:
        return None
    mean = pl.col("impressions").sum() / pl.len()
    return users.select(dimension=pl.lit("overall"), slice=pl.lit("all"), value=mean, n=pl.col("impressions").sum())
'''


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One file of each, in folders beside those of the package."""
    folder = tmp_path_factory.mktemp("added")
    files = {
        "models/latest_id.py": (rl.models, MODEL),
        "metrics/places.py": (rl.metrics, METRIC),
        "indicators/readers.py": (indicators, INDICATOR),
        "rerank/backwards.py": (rerank, RERANKER),
        "pages/greetings.py": (dashboard_pages, PAGE),
        "cli/hello.py": (cli, COMMAND),
        "cli/plain.py": (cli, EXPORT),
    }
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        for name, (package, text) in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
            patch.setattr(package, "__path__", [*package.__path__, str((folder / name).parent)])
        yield folder
    _REGISTERED.pop("last_place", None)
    indicator_registry._REGISTERED.pop("items_a_user", None)
    own = ("latest_id", "places", "readers")
    for name in {each for each in set(sys.modules) - before if each.rpartition(".")[2] in own}:
        del sys.modules[name]


def script(name: str):
    """A script of the repository, as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        return importlib.import_module(name)


def run(*words: str) -> str:
    from reclens.cli.app import app

    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done.output


def test_a_model_is_one_file(added: Path, tmp_path: Path) -> None:
    made = rl.models.LatestId(shift=1)
    assert type(made) is rl.models.get("latest_id") and "LatestId" in dir(rl.models)
    check_model(made, tmp_path / "kept")
    data = rl.synthetic_movielens(n_users=40, n_items=30, n_ratings=700)
    split = rl.split.random(data, test_share=0.2, validation_share=0.2)
    assert [each.model for each in rl.tune(split, "latest_id", trials=1)] == ["latest_id"]
    assert "latest_id" in run("models", "list", "--format", "csv")
    assert "### rl.models.LatestId" in script("make_api_reference").page()
    job = rl.run_job(
        {"name": "own", "models": {"latest_id": {}}, "evaluate": {"metrics": ["ndcg@5"], "replicates": 0}},
        workspace=tmp_path / "workspace",
    )
    assert list(job.results) == ["latest_id"]
    with pytest.raises(AttributeError, match=r"no attribute 'LatestID'\. Did you mean 'LatestId'\?"):
        _ = rl.models.LatestID


def test_a_metric_is_one_file(added: Path) -> None:
    check_metric("last_place")
    assert (rl.metrics.last_place @ 3).text == "last_place@3" and "last_place" in dir(rl.metrics)
    assert "last_place" in run("metrics", "list", "--format", "csv")
    assert "### Last place" in script("make_metric_reference").page()
    lists = {"user_id": [1, 1], "item_id": [7, 8], "rank": [1, 2]}
    assert rl.evaluate(lists, {"user_id": [1], "item_id": [8]}, metrics=["last_place@2"], replicates=0).metrics


def test_an_indicator_is_one_file(added: Path, tmp_path: Path) -> None:
    """A day of three users: 4, 1 and 1 impressions."""
    day = date(2026, 1, 5)
    (tmp_path / "log").mkdir()
    rows = [(1, "a", 1), (1, "b", 2), (1, "c", 3), (1, "d", 4), (2, "a", 1), (3, "b", 1)]
    log = pl.DataFrame(rows, schema=["user_id", "item_id", "position"], orient="row")
    log.with_columns(timestamp=pl.lit(datetime(2026, 1, 5, 12)), request_id="user_id", clicked=pl.lit(0)).write_parquet(
        tmp_path / "log" / "day.parquet"
    )
    owner = '[indicators.items_a_user]\nowner = "ann"\n'
    (tmp_path / "monitor.toml").write_text(f'system = "shop"\n[log]\npath = "log"\n{owner}')
    assert "items_a_user" in rl.monitor.names() and rl.monitor.describe("items_a_user").caption == "Items a user"
    project, place = rl.monitor.Project(tmp_path), rl.Workspace(tmp_path / "workspace")
    (health,) = rl.monitor.run(project, day, workspace=place).days
    assert health.detections.filter(indicator="items_a_user")["value"].to_list() == [2.0]
    (kept,) = place.list("health")
    assert [row["value"] for row in place.load("health", kept.name).to_dicts() if row["indicator"] == "items_a_user"]
    assert "Items a user" in str(day_table(health).rows), "the page and the report of the day"
    with pytest.raises(UnknownNameError, match=r"'items_a_uesr'\. Did you mean 'items_a_user'\?"):
        rl.monitor.describe("items_a_uesr")


def test_a_re_ranker_is_one_file(added: Path) -> None:
    assert "backwards" in rerank.kinds() and rerank.describe("backwards") == "Backwards: the list from its end."
    assert rerank.build({"kind": "backwards"}).kind == "backwards"


def test_a_page_is_one_file(added: Path) -> None:
    assert "Greetings" in [each.title for each in pages()]


def test_a_command_is_one_file(added: Path) -> None:
    assert ("hello",) in [each.path for each in find_commands()[0]]
    assert run("hello", "--name", "Ada") == "hello Ada\n" and "Say hello." in run("--help")


def test_an_export_is_one_file(added: Path, tmp_path: Path) -> None:
    lists = {"user_id": [1, 1], "item_id": [7, 8], "rank": [1, 2]}
    result = rl.evaluate(lists, {"user_id": [1], "item_id": [8]}, metrics=["mrr@2"], replicates=0)
    rl.Workspace(tmp_path / "workspace").save(result, "own")
    run("export", "plain", "--workspace", str(tmp_path / "workspace"), "--out", str(tmp_path / "out.csv"))
    assert pl.read_csv(tmp_path / "out.csv")["value"].to_list() == [0.5]
    assert "plain" in run("export", "--help")
