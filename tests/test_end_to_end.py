"""The main job on real data: ``reclens demo --data``. Skipped, with a message, where the data is not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_movielens_from_zip_to_verdict(shared_data: Path, repository: Path, tmp_path: Path) -> None:
    """The smallest archive: readers of the others have tests of their own, and models of ML-1M those of quality."""
    archive = shared_data / "movielens" / "ml-100k.zip"
    if not archive.exists():
        pytest.skip(f"needs {archive.name} in {archive.parent}")
    command = [sys.executable, "-m", "reclens", "demo", "--data", str(archive), "--format", "json"]
    environment = {**os.environ, "PYTHONPATH": str(repository / "src")}
    said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    rows = [row for row in json.loads(said.stdout)["rows"] if row["metric"] == "ndcg@10"]
    values = {row["system"]: row["value"] for row in rows}
    assert all(row["n"] == 943 and row["low"] < row["value"] < row["high"] for row in rows if row["value"] > 0.001)
    # What every study of these data finds: learning beats counting, and counting beats chance.
    assert values["ease"] > values["popular"] > values["random"]
    assert "ease is better than popular by ndcg@10" in said.stderr
    card = json.loads((tmp_path / "workspace" / "evaluation" / "demo-ease" / "evaluation.json").read_text())["card"]
    assert (
        set(card["by"]) == {"age", "favourite genre", "activity"}
        and card["seen_items"] == "excluded"
        and card["split"]["ties"]
    )
    report = (tmp_path / "workspace" / "reports" / "demo.html").read_text()
    assert "Synthetic data." not in report and "ease is better than popular" in report
