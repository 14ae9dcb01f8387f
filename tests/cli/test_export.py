"""``reclens export``: what it writes, says and refuses."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pytest

TABLES = ("leaderboard", "segment_metrics", "user_metrics", "daily_health")


def test_tableau(run, demo, tmp_path: Path) -> None:
    pytest.importorskip("tableauhyperapi", reason="needs Tableau's Hyper API: pip install tableauhyperapi")
    workspace = demo[0] / "workspace"
    said = run("export", "tableau", "-w", workspace, "--out", "t", cwd=tmp_path)
    assert said.stdout == "" and "leaderboard: 66 rows\n" in said.stderr and "written: t/leaderboard.tds" in said.stderr
    assert "daily_health: no rows: nothing in this workspace watches a system day by day" in said.stderr
    files = sorted(path.name for path in (tmp_path / "t").iterdir())
    assert files == sorted([*(f"{table}.{kind}" for table in TABLES for kind in ("hyper", "tds")), "reclens.twb"])
    refused = run("export", "tableau", "-w", workspace, "--out", "t", cwd=tmp_path, status=2).stderr
    assert "reclens: t/leaderboard.hyper exists" in refused and "--force" in refused
    again = run("export", "tableau", "-w", workspace, "--out", "t", "--force", "-e", "demo-ease", cwd=tmp_path)
    assert "leaderboard: 11 rows\n" in again.stderr
    assert run("export", "tableau", "-w", workspace, "--out", "q", "--quiet", cwd=tmp_path).stderr == ""


def test_what_cannot_be_exported(run, demo, tmp_path: Path) -> None:
    workspace = demo[0] / "workspace"
    said = run("export", "looker", "-w", workspace, "-e", "demo-esae", cwd=tmp_path, status=2).stderr
    assert "unknown evaluation in" in said and "Did you mean 'demo-ease'" in said
    said = run("export", "looker", "-w", workspace, "--comparison", "dmeo", cwd=tmp_path, status=2).stderr
    assert "Did you mean 'demo'" in said
    assert "Keep an evaluation in it" in run("export", "looker", "-w", "none", cwd=tmp_path, status=2).stderr
    assert list(tmp_path.iterdir()) == []


def test_looker(run, demo, tmp_path: Path) -> None:
    workspace = demo[0] / "workspace"
    said = run("export", "looker", "-w", workspace, "--database", "shop.duckdb", "--connection", "lake", cwd=tmp_path)
    assert said.stdout == "" and "leaderboard: 66 rows\n" in said.stderr and "written: shop.duckdb" in said.stderr
    assert 'value: "lake"' in (tmp_path / "looker" / "manifest.lkml").read_text()
    with duckdb.connect(str(tmp_path / "shop.duckdb"), read_only=True) as connection:
        query = "SELECT run, value, verdict FROM leaderboard WHERE metric = 'ndcg@10' ORDER BY run"
        rows = connection.execute(query).fetchall()
    kept = pl.read_parquet(workspace / "evaluation" / "demo-ease" / "estimates.parquet")
    value = kept.filter(metric="ndcg@10", by="overall")["value"].item()
    assert rows[0] == ("demo-ease", value, "better") and ("demo-popular", "baseline") in [row[::2] for row in rows]
    twice = ("export", "looker", "-w", workspace, "--out", "x", "--database", "shop.duckdb")
    refused = run(*twice, cwd=tmp_path, status=2)
    assert "has a table main.leaderboard already" in refused.stderr and "--force" in refused.stderr
    run(*twice, "--force", cwd=tmp_path)
    run("export", "looker", "-w", workspace, "--out", "y", cwd=tmp_path)
    assert sorted(path.stem for path in (tmp_path / "y" / "tables").iterdir()) == sorted(TABLES)
    said = run("export", "looker", "-w", workspace, "--schema", "a b", cwd=tmp_path, status=2).stderr
    assert "schema is 'a b', expected a plain name such as main" in said
