"""A small demo workspace, and the application over it as Streamlit's test driver runs it."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from reclens.dashboard import LaunchPlan, plan_launch
from reclens.data.synthetic import synthetic_movielens
from reclens.job.run import run_job
from reclens.job.settings import validate_settings
from reclens.workspace import Workspace


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Three runs of one job on 120 synthetic users, by segment."""
    folder = tmp_path_factory.mktemp("dashboard")
    data = synthetic_movielens(n_users=120, n_items=90, n_ratings=4_000, rng=3)
    source = folder / "data"
    source.mkdir()
    for name, table in (("ratings", data.interactions), ("users", data.users), ("items", data.items)):
        assert table is not None
        table.write_parquet(source / f"{name}.parquet")
    metrics = ["ndcg@5", "ndcg@10", "diversity@10", "novelty@10", "coverage@10"]
    settings = validate_settings(
        {
            "name": "small",
            "data": {
                "path": str(source / "ratings.parquet"),
                "users": str(source / "users.parquet"),
                "items": str(source / "items.parquet"),
            },
            "split": {"n": 4},
            "models": {"popular": {}, "item_knn": {}, "ease": {"l2": 50.0}},
            "segments": {"activity": {"quantiles": ["light", "heavy"]}, "taste": {"top_value": "genres"}},
            "evaluate": {"metrics": metrics, "replicates": 200},
        },
        source="test",
    )
    place = Workspace(folder / "workspace")
    run_job(settings, workspace=place, say=lambda text: None, progress=lambda *_: None)
    return place


@pytest.fixture
def open_page(workspace: Workspace) -> Callable[..., AppTest]:
    """Opens a page of the application with query parameters, and fails on any exception."""

    def opened(
        page: str, *, folder: Path | None = None, unfold: str | None = None, **query: str | list[str]
    ) -> AppTest:
        code = f"from reclens.dashboard.testing import draw\ndraw({page!r}, {str(folder or workspace.folder)!r})\n"
        app = AppTest.from_string(code, default_timeout=60)
        if unfold is not None:
            app.session_state[f"open-{unfold}"] = True
        for name, value in query.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception, app.exception
        return app

    return opened


@pytest.fixture(scope="session")
def serve() -> Callable[..., AbstractContextManager[LaunchPlan]]:
    """Starts the application over a folder as `reclens dashboard` does, writing to a log, until the context ends."""

    @contextmanager
    def served(folder: Path, log: Path, **how: Any) -> Iterator[LaunchPlan]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        plan = plan_launch(folder, port=port, browser=False, secrets=[], **how)
        with log.open("w") as file, subprocess.Popen(plan.command, stdout=file, stderr=file) as server:
            try:
                for _ in range(240):
                    assert server.poll() is None, log.read_text()
                    try:
                        urllib.request.urlopen(f"{plan.url}/_stcore/health", timeout=1).read()
                        break
                    except OSError:
                        time.sleep(0.25)
                yield plan
            finally:
                server.terminate()
                server.wait(timeout=20)

    return served
