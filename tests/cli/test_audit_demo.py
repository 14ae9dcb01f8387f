"""``reclens audit demo`` on a small file: three models, the winner audited beside Popular."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import reclens as rl
from reclens.job.audit import run_audit_job
from reclens.job.audit_demo import audits_of, demo_job, found_of_injected, keep_candidates, keep_market
from reclens.report.audit.words import INJECTED
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
    # Where Popular wins, the best of the others stands beside it.
    other = max((name for name in scores if name != "popular"), key=lambda name: scores[name])
    kept = {each.name for each in Workspace(tmp_path / "workspace").list("audit")}
    assert kept == {"audit-demo-popular", f"audit-demo-{other}"}
    assert (tmp_path / "workspace" / "reports" / "audit-demo-comparison.html").is_file()
    assert f"{winner} wins" in done.stderr and "no PDF: there is no Chromium" in done.stderr
    found = Workspace(tmp_path / "workspace").load("audit", f"audit-demo-{other}")
    assert {"city", "activity"} <= {row.by for row in found.rows}
    assert found.mitigation is None  # too few users for a choice


def test_the_audit_of_the_marketplace_finds_what_was_put_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The split by time gives back what the marketplace drew apart, and both injected numbers are held."""
    monkeypatch.setenv("RECLENS_CHROMIUM", str(tmp_path / "none"))
    place = Workspace(tmp_path / "workspace")
    injected = keep_market(place, seed=1)
    split, lists = place.load("split", "audit-demo-data"), place.load("run", "audit-demo-marketplace")
    assert split.test.height == 20_000 and split.train.users is not None and split.train.card["synthetic"]
    assert demo_job(None).split.kept == "audit-demo-data" and demo_job(None).data.path is None
    place.save(split, "audit-demo")  # as the job of the models keeps it
    place.save(rl.models.ItemKNN().fit(split.train), "audit-demo-item_knn")
    assert keep_candidates(place, "item_knn")
    place.save(place.load("run", "audit-demo-candidates"), "audit-demo-item_knn")
    tried = run_audit_job(audits_of(place, "item_knn", mitigate=True)["item_knn"], workspace=place).audit.mitigation
    assert tried is not None and {each.mitigation for each in tried.validation.trials} > {"calibrated", "dual_prices"}
    (last,) = (each for each in tried.validation.trials if (each.mitigation, each.strength) == ("dual_prices", 1.0))
    # At full strength the prices bring the tail to its share of the relevant items.
    assert last.gap.low is not None and last.gap.high is not None and last.gap.low < 0 < last.gap.high
    place.save(rl.models.Popular().fit(split.train), "audit-demo-popular")
    made = audits_of(place, "popular", market=True)
    settings = made["marketplace"]
    assert {"income", "age"} <= set(settings.audit.by) and "seller" in settings.audit.attributes
    assert settings.audit.two_sided and made["popular"].loop is not None and made["popular"].model is not None
    log = pl.read_parquet(settings.data.log or "")
    audit = rl.audit.run(lists, split.test, train=split.train, by="income", attributes=["seller"], log=log)
    held = found_of_injected(injected, audit)
    assert set(held) == set(INJECTED) and held["examination"][0] == pytest.approx(2**-0.7)
    put, found = held.pop("examination")
    assert found.low is not None and found.high is not None
    assert abs(found.value - put) < found.high - found.low, "within four standard errors"
    for put, found in held.values():
        assert found.low is not None and found.high is not None and found.low < put < found.high
