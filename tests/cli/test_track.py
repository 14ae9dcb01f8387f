"""``--track``: what a tracker is given, and ``track-sync``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from reclens.edges import wandb
from reclens.workspace import Workspace

SYSTEM = "shop"


class Kept:
    """A tracker that keeps what it is given."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def start(self, name: str, settings: Mapping[str, Any]) -> None:
        self.calls.append(("start", name, dict(settings)))

    def log(self, values: Mapping[str, float], *, step: int | None = None) -> None:
        self.calls.append(("log", step, dict(values)))

    def attach(self, path: Path) -> None:
        self.calls.append(("attach", path.name))

    def finish(self, status: str) -> None:
        self.calls.append(("finish", status))

    def numbers(self) -> dict[str, float]:
        return {name: value for call in self.calls if call[0] == "log" for name, value in call[2].items()}


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    found = Kept()
    monkeypatch.setattr(wandb, "connect", lambda rest: found)
    return found


def test_an_evaluation_is_tracked_as_it_is_shown(run: Any, shop: Path, tmp_path: Path, kept: Kept) -> None:
    shutil.copytree(shop, tmp_path, dirs_exist_ok=True)
    words = ("evaluate", "lists.csv", "--truth", "truth.csv", "--train", "train.csv", "--users", "users.csv")
    done = run(
        *words,
        "-m",
        "ndcg@2",
        "--by",
        "city",
        "--html",
        "r.html",
        "--track",
        "wandb:shop",
        "--format",
        "json",
        cwd=tmp_path,
    )
    shown = {
        row["metric"] if row["by"] == "overall" else f"{row['metric']}/{row['by']}/{row['segment']}": row["value"]
        for row in json.loads(done.stdout)["rows"]
    }
    assert len(shown) > 2 and kept.numbers() == pytest.approx(shown)
    assert kept.calls[0][:2] == ("start", "lists") and kept.calls[-2:] == [("attach", "r.html"), ("finish", "done")]
    assert "tracked: wandb:shop, run lists" in done.stderr


def test_trials_are_steps(run: Any, shop: Path, tmp_path: Path, kept: Kept) -> None:
    shutil.copytree(shop, tmp_path, dirs_exist_ok=True)
    words = ("tune", "--data", "events.csv", "-m", "item_knn", "--trials", "3", "--metric", "ndcg@2", "--show-trials")
    done = run(*words, "--track", "wandb:", "--format", "json", cwd=tmp_path)
    trials = [row["value"] for row in json.loads(done.stdout)["rows"]]
    steps = [(step, values["item_knn/ndcg@2"]) for _, step, values in kept.calls[1:-1] if step is not None]
    assert steps == list(enumerate(trials)) and len(trials) >= 3
    assert kept.numbers()["item_knn/best ndcg@2"] == max(trials)


def test_the_lift_of_an_experiment_is_tracked_with_its_interval(
    run: Any, shop: Path, tmp_path: Path, kept: Kept
) -> None:
    shutil.copytree(shop, tmp_path, dirs_exist_ok=True)
    done = run(
        "experiment",
        "read",
        "plan.toml",
        "units.csv",
        "--track",
        "wandb:shop",
        "--format",
        "json",
        cwd=tmp_path,
        status=1,
    )
    rows = json.loads(done.stdout)["rows"]
    known = {
        f"{row['arm']}/{row['metric']}/{key}": row[key]
        for row in rows
        for key in ("lift", "lift_low", "lift_high", "p_adjusted")
        if row.get(key) is not None
    }
    assert len(known) >= 3 and kept.numbers() == pytest.approx(known)


def test_the_training_of_a_model_is_tracked_with_what_it_was_made_from(
    run: Any, shop: Path, tmp_path: Path, kept: Kept
) -> None:
    shutil.copytree(shop, tmp_path, dirs_exist_ok=True)
    events = pl.read_csv(tmp_path / "events.csv")
    sizes = {"users": events["user_id"].n_unique(), "items": events["item_id"].n_unique()}
    sizes["interactions"] = events.select("user_id", "item_id").n_unique()
    done = run(
        "fit", "ease", "--data", "events.csv", "--name", "e", "-p", "l2=7", "--track", "wandb:shop", cwd=tmp_path
    )
    start, (_, _, numbers), end = kept.calls
    assert start[:2] == ("start", "e") and end == ("finish", "done") and "tracked: wandb:shop, run e" in done.stderr
    assert start[2]["model"] == "ease" and start[2]["parameters"]["l2"] == 7.0 and start[2]["data"]["hash"]
    assert numbers.items() >= sizes.items() and 0 < numbers["seconds"] < 60
    assert json.loads(json.dumps(start[2])) == start[2]

    kept.calls.clear()
    run("pipeline", "fit", "pipeline.toml", "--data", "events.csv", "--name", "p2", "--track", "wandb:", cwd=tmp_path)
    start, (_, _, numbers), _ = kept.calls
    assert start[1] == "p2" and numbers.items() >= sizes.items() and start[2]["parameters"]["retrieve"]


def test_a_day_and_a_week_of_the_monitor_are_tracked(run: Any, shop: Path, tmp_path: Path, kept: Kept) -> None:
    shutil.copytree(shop, tmp_path, dirs_exist_ok=True)
    done = run("monitor", "run", "--date", "2026-01-05", "--track", "wandb:shop", "--format", "json", cwd=tmp_path)
    day = Workspace(tmp_path / "workspace").load("health", f"{SYSTEM}-2026-01-05")
    numbers = kept.numbers()
    wanted = {(row["indicator"], row["segmentation"], row["segment"]): row["value"] for row in day.to_dicts()}
    for (indicator, dimension, slice_), value in wanted.items():
        name = indicator if dimension == "overall" else f"{indicator}/{dimension}/{slice_}"
        assert numbers.get(name) == value
    assert len(wanted) > 3 and numbers["incidents/open"] == json.loads(done.stdout)["rows"][0]["incidents"]
    assert kept.calls[0][1] == f"{SYSTEM}-2026-01-05" and kept.calls[-1] == ("finish", "done")

    kept.calls.clear()
    run("monitor", "report", "--week", "2026-01-06", "--track", "wandb:shop", cwd=tmp_path)
    attached = [name for what, name, *_ in kept.calls if what == "attach"]
    assert attached == ["incidents.csv", "week-to-2026-01-11.md", "week-to-2026-01-11.html"]
    assert kept.numbers()["days missing"] == 5 and kept.numbers()["incidents/open"] == 1
    assert kept.calls[0][1] == f"{SYSTEM}-week-to-2026-01-11"


def test_a_tracker_that_fails_stops_no_day(run: Any, shop: Path, tmp_path: Path, monkeypatch: Any) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed")

    def away(**_: Any) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr("wandb.init", away)
    monkeypatch.setenv("WANDB_MODE", "online")
    shutil.copytree(shop, tmp_path, dirs_exist_ok=True)
    done = run("monitor", "run", "--date", "2026-01-05", "--track", "wandb:shop", cwd=tmp_path)
    assert "W&B did not take this run, which goes on: ConnectionError: no network" in done.stderr


def test_an_address_is_checked_before_anything_is_read(run: Any, tmp_path: Path) -> None:
    done = run("evaluate", "nosuch.csv", "--track", "nosuch:x", cwd=tmp_path, status=2)
    assert "unknown adapter 'nosuch'" in done.stderr


def test_runs_are_sent_by_a_command_of_its_own(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[list[Path], float]] = []
    monkeypatch.setattr(wandb, "sync", lambda folders, *, seconds: sent.append((list(folders), seconds)))
    for name in ("offline-run-1", "offline-run-2"):
        (tmp_path / name).mkdir()
    done = run("track-sync", "offline-run-1", "offline-run-2", "--timeout", "7", cwd=tmp_path)
    assert sent == [([Path("offline-run-1"), Path("offline-run-2")], 7.0)] and "sent: 2 runs" in done.stderr
