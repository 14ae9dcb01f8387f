"""Runs at W&B: written offline by the real library, and read by W&B's own reader."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from reclens.edges.wandb import WandbTracker, connect, sync
from reclens.errors import RecLensWarning, UsageError, WorkspaceError
from reclens.protocols import Tracker, adapter

pytest.importorskip("wandb", reason="wandb is not installed: runs at W&B are not tested")


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable, folder in {"WANDB_DIR": "runs", "WANDB_CACHE_DIR": "cache", "WANDB_CONFIG_DIR": "config"}.items():
        monkeypatch.setenv(variable, str(tmp_path / folder))
    for variable in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_DATA_DIR"):
        monkeypatch.setenv(variable, "")  # so that it is as before afterwards, whoever sets it
        monkeypatch.delenv(variable)
    return tmp_path / "runs" / "wandb"


def test_a_run_is_written_offline_as_wandb_reads_it(runs: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    report.write_text("<p>whole</p>", encoding="utf-8")
    tracker = adapter("wandb:team/shop", Tracker)
    tracker.start("popular", {"k": 10, "metrics": ["ndcg@10"]})
    with pytest.raises(UsageError, match="finish it first"):
        tracker.start("another", {})
    for step, loss in enumerate((1.0, 0.25)):
        tracker.log({"loss": loss}, step=step)
    tracker.log({"ndcg@10": 0.5, "map@10": math.nan})
    tracker.attach(report)
    incidents = tmp_path / "incidents.csv"
    incidents.write_text("id,severity,effect\na1,critical,-0.02\nb2,note,\n", encoding="utf-8")
    tracker.attach(incidents)
    tracker.finish("done")
    incidents.unlink()  # what was attached is kept
    report.unlink()

    (folder,) = runs.glob("offline-run-*")
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--summary", "--json", str(folder)]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    text = json.dumps(told)
    assert '"popular"' in text and '"shop"' in text and "finished" in text
    summary: dict[str, Any] = told["summary"]
    assert summary["ndcg@10"] == 0.5 and summary["loss"] == 0.25 and summary["_step"] == 1 and "map@10" not in summary
    assert told["config"]["k"] == 10 and told["config"]["metrics"] == ["ndcg@10"]
    assert (folder / "files" / "report.html").read_text(encoding="utf-8") == "<p>whole</p>"
    staged = [each.read_text(encoding="utf-8") for each in (runs / "data").rglob("*") if each.is_file()]
    assert "<p>whole</p>" in staged  # as an artefact, beside the runs until they are sent
    assert (summary["incidents"]["_type"], summary["incidents"]["nrows"]) == ("table-file", 2)
    table = json.loads((folder / "files" / summary["incidents"]["path"]).read_text(encoding="utf-8"))
    assert table == {"columns": ["id", "severity", "effect"], "data": [["a1", "critical", -0.02], ["b2", "note", None]]}

    # A second run of one process, which failed.
    tracker.start("ease", {})
    tracker.finish("failed")
    (failed,) = set(runs.glob("offline-run-*")) - {folder}
    command[-1] = str(failed)
    assert "failed" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.usefixtures("runs")
def test_a_tracker_that_fails_fails_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("no disk")

    monkeypatch.setattr("wandb.init", broken)
    tracker = WandbTracker("shop")
    with pytest.warns(RecLensWarning, match="no disk") as told:  # noqa: PT031 - one warning in all
        tracker.start("popular", {})
        tracker.log({"ndcg@10": 0.5})
        tracker.attach(Path("nowhere"))
        tracker.finish("done")
        tracker.start("again", {})
    assert len(told) == 1


def test_without_a_network_a_run_that_is_to_be_sent_is_written_offline(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    monkeypatch.setattr("reclens.edges.wandb._SECONDS", 1)
    tracker, started = WandbTracker("shop"), time.monotonic()
    with pytest.warns(RecLensWarning, match="W&B did not take this run, which goes on") as told:  # noqa: PT031
        tracker.start("popular", {})
        tracker.log({"ndcg@10": 0.5})
        tracker.finish("done")
    assert len(told) == 1 and "kkkk" not in str(told[0].message)
    assert time.monotonic() - started < 60
    (folder,) = runs.glob("offline-run-*")
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--summary", "--json", str(folder)]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert told["summary"]["ndcg@10"] == 0.5 and told["state"] == "finished"


def test_without_a_network_syncing_ends_in_time_and_keeps_the_runs(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = runs / "offline-run-1"
    folder.mkdir(parents=True)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    with pytest.raises(WorkspaceError, match=r"within 0\.1 s") as caught:
        sync([folder], seconds=0.1)
    assert "kkkk" not in str(caught.value) and folder.is_dir()


@pytest.mark.parametrize("rest", ["a/b/c", "https://wandb.ai/x", "team/"])
def test_an_address_that_is_no_project_is_refused(rest: str) -> None:
    with pytest.raises(UsageError, match="Expected wandb:PROJECT"):
        connect(rest)
