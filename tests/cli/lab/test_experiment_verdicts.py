"""``reclens experiment verdicts`` and ``off-policy`` as processes."""

from __future__ import annotations

import json
import re

import numpy as np
import polars as pl


def test_verdicts_side_by_side(run, tmp_path) -> None:
    done = run(
        "experiment",
        "verdicts",
        "--size",
        "tiny",
        "--days",
        "3",
        "--truth",
        "4",
        "--k",
        "3",
        "--lists",
        "3",
        "--treatment",
        "oracle",
        "--format",
        "json",
        "--report",
        "told",
        cwd=tmp_path,
    )
    rows = json.loads(done.stdout)["rows"]
    assert {row["verdict"] for row in rows} == {"truth", "A/B", "A/B, lists alone", "interleaving", "off-policy"}
    assert all(row["truth"] > 0 for row in rows if row["verdict"] == "interleaving")
    assert "off-policy, by whole lists:" in done.stderr
    told = (tmp_path / "told.md").read_text()
    right = sum(row["right"] is True for row in rows if row["verdict"] == "interleaving")
    assert "In truth the treatment raises clicks a list" in told and f"interleaving: 4 estimates: {right} right" in told
    assert "that runs high for a policy whose lists have stronger items" in told, (
        "in the document, not only in the docs"
    )
    assert "direct method: it has no interval" in told
    methods = [row["method"] for row in rows if row["verdict"] == "off-policy"]
    assert "ips" in methods and "iips" not in methods and len(set(methods)) == len(methods)
    page = (tmp_path / "told.html").read_text()
    drawn = [
        json.loads(spec) for spec in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.S)
    ]
    measures = {row["measure"] for row in rows}
    assert len(drawn) == len(measures), "a chart for each measure"
    values = [
        row["value"]
        for chart in drawn
        for layer in chart["layer"]
        for each in [layer, *layer.get("layer", [])]
        for row in each.get("data", {}).get("values", [])
        if "method" in row
    ]
    assert {row["effect"] for row in rows} <= set(values)


def test_the_open_bandit_dataset(run, tmp_path) -> None:
    folder = tmp_path / "obd" / "random" / "men"
    folder.mkdir(parents=True)
    rows = [f"2019-11-24 00:00:{at % 60:02}+00:00,{at % 2},1,{int(at % 4 == 1)},0.5" for at in range(1_000)]
    (folder / "men.csv").write_text("\n".join(["timestamp,item_id,position,click,propensity_score", *rows]) + "\n")
    (folder / "item_context.csv").write_text("item_id,item_feature_0\n0,1\n1,2\n")
    (tmp_path / "target.csv").write_text("item_id,probability\n1,1\n")
    done = run(
        "experiment",
        "off-policy",
        "obd",
        "target.csv",
        "--campaign",
        "men",
        "--method",
        "normal",
        "--format",
        "json",
        cwd=tmp_path,
    )
    assert json.loads(done.stdout)["rows"][1]["value"] == 0.5
    assert "Use it with reclens experiment off-policy." in run("data", "info", "obd", cwd=tmp_path, status=2).stderr


def test_off_policy_of_files(run, tmp_path) -> None:
    rng = np.random.default_rng(1)
    shown = rng.choice(3, 4_000, p=[0.5, 0.3, 0.2])
    log = pl.DataFrame(
        {
            "user_id": [f"u{at % 500}" for at in range(4_000)],
            "item_id": np.array(["a", "b", "c"])[shown],
            "clicked": (rng.random(4_000) < np.array([0.1, 0.1, 0.5])[shown]).astype(int),
            "propensity": np.array([0.5, 0.3, 0.2])[shown],
        }
    )
    log.write_csv(tmp_path / "log.csv")
    (tmp_path / "target.csv").write_text("item_id,probability\nc,0.8\nb,0.2\n")
    done = run(
        "experiment", "off-policy", "log.csv", "target.csv", "--method", "normal", "--format", "json", cwd=tmp_path
    )
    rows = {row["estimator"]: row for row in json.loads(done.stdout)["rows"]}
    clicks = {item: log.filter(pl.col("item_id") == item)["clicked"].sum() for item in "bc"}
    assert abs(rows["ips"]["value"] - (0.2 / 0.3 * clicks["b"] + 0.8 / 0.2 * clicks["c"]) / 4_000) < 1e-9
    assert rows["dr"]["verdict"] == "higher" and "The target earns more" in done.stderr
    # An item that was never shown: no verdict, and status 1.
    (tmp_path / "target.csv").write_text("item_id,probability\nz,0.8\nb,0.2\n")
    done = run("experiment", "off-policy", "log.csv", "target.csv", "--method", "normal", cwd=tmp_path, status=1)
    assert "No verdict." in done.stderr and "80% of what the target would do was never done" in done.stderr
