"""``reclens audit demo`` on a small file: three models, the winner audited beside Popular."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from reclens.workspace import Workspace


def test_the_winner_is_audited_beside_popular(
    run: Any, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("events.csv", "users.csv"):
        shutil.copy(shop / name, tmp_path / name)
    monkeypatch.setenv("RECLENS_CHROMIUM", str(tmp_path / "none"))
    words = ("--data", "events.csv", "--users", "users.csv", "--format", "json")
    done = run("audit", "demo", *words, cwd=tmp_path)
    scores = {row["system"]: row["value"] for row in json.loads(done.stdout)["rows"] if row["metric"] == "ndcg@10"}
    assert set(scores) == {"popular", "item_knn", "ease"}
    winner = max(scores, key=lambda name: scores[name])
    kept = {each.name for each in Workspace(tmp_path / "workspace").list("audit")}
    assert kept == {"audit-demo-popular", f"audit-demo-{winner}"}
    assert f"{winner} wins" in done.stderr and "no PDF: there is no Chromium" in done.stderr
    found = Workspace(tmp_path / "workspace").load("audit", f"audit-demo-{winner}")
    assert {"city", "activity"} <= {row.by for row in found.rows}
