"""``reclens audit``: run, plan, compare, and what of an audit.toml is refused."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from reclens.audit import Audit
from reclens.job.audit_settings import EXAMPLE_AUDIT, AuditJobSettings, validate_audit_settings
from reclens.workspace import Workspace

AUDIT = """name = "mine"
lists = "e1"
[data]
split = "s"
[audit]
k = 3
by = ["city"]
attributes = ["popularity"]
metrics = ["ndcg@3"]
replicates = 200
minimum = 5
[sensitivity]
k = [2]
[report]
pdf = false
auditor = "Somebody"
"""


@pytest.fixture
def place(shop: Path, tmp_path: Path) -> Path:
    shutil.copytree(shop / "workspace", tmp_path / "workspace")
    (tmp_path / "audit.toml").write_text(AUDIT)
    return tmp_path


def test_an_audit_is_kept_and_written(run: Any, place: Path) -> None:
    done = run("audit", "run", "audit.toml", "--format", "json", cwd=place)
    rows = json.loads(done.stdout)["rows"]
    kept = Workspace(place / "workspace").load("audit", "mine")
    assert isinstance(kept, Audit)
    assert {row["criterion"]: row["opinion"] for row in rows} == dict(kept.opinions)
    files = {file.suffix for file in (place / "workspace" / "reports").glob("mine.*")}
    assert files == {".html", ".md", ".csv", ".toml"}
    users = pl.read_csv(place / "workspace" / "reports" / "mine.responsible-ai.csv")
    assert users.columns == ["city", "true_y", "predicted_y"] and users.height == 30
    page = (place / "workspace" / "reports" / "mine.md").read_text()
    assert kept.card["lists"]["hash"] in page and "Somebody" in page and "With k = 2: " in page
    assert "audited again: k = 2" in done.stderr
    listed = run("workspace", "list", "--format", "json", cwd=place)
    assert {"kind": "audit", "name": "mine"}.items() <= next(
        row for row in json.loads(listed.stdout)["rows"] if row["name"] == "mine"
    ).items()
    # What was written runs again, and gives the same numbers.
    again = run(
        "audit", "run", "workspace/reports/mine.toml", "--report", "elsewhere/second", "--format", "json", cwd=place
    )
    assert json.loads(again.stdout)["rows"] == rows
    assert (place / "elsewhere" / "second.csv").read_text() == (
        place / "workspace" / "reports" / "mine.csv"
    ).read_text()


def test_a_breached_gate_ends_with_status_one(run: Any, place: Path) -> None:
    rule = '[[gate]]\nmeasure = "ndcg@3"\nof = "value"\nat_least = 0.99\n'
    (place / "audit.toml").write_text(AUDIT + rule)
    done = run("audit", "run", "audit.toml", cwd=place, status=1)
    assert "gate closed" in done.stderr
    assert "gate closed" in (place / "workspace" / "reports" / "mine.md").read_text().lower()
    (place / "audit.toml").write_text(AUDIT + rule.replace("0.99", "0.0"))
    assert "gate open" in run("audit", "run", "audit.toml", cwd=place).stderr


TRIED = """[model]
name = "item_knn"
parameters = { neighbors = 10 }
[mitigation]
attribute = "popularity"
group = "tail"
depth = 10
rule = "knee"
long_run = true
rerank = { xquad = [0.5], fair_top_k = [0.5, 1.0] }
weights = { inverse_propensity = [0.5], group_weights = [1.0] }
[loop]
rounds = 2
seeds = 2
days = 1
"""


def test_mitigations_and_the_loop_of_a_file_are_tried_and_told(run: Any, place: Path) -> None:
    (place / "audit.toml").write_text(AUDIT + TRIED)
    said = run("audit", "run", "audit.toml", cwd=place).stderr
    assert "mitigations tried: 5 trials" in said and "feedback loop: 2 runs of 2 rounds" in said
    kept = Workspace(place / "workspace").load("audit", "mine")
    assert isinstance(kept, Audit) and kept.mitigation is not None and kept.loop is not None
    tried = kept.mitigation
    assert tried.held_out == "part" and tried.left_out == ()
    assert {each.mitigation for each in tried.loop} == {each.mitigation for each in tried.validation.trials}
    drift = [row for row in kept.rows if row.section == "loop" and row.by == "city"]
    assert {row.segment for row in drift} == {"a", "b"} and kept.opinions["loop"] != "not_measured"
    assert not [each for each in kept.not_measured if each.section == "loop"]
    text = (place / "workspace" / "reports" / "mine.md").read_text()
    assert "**The long run**" in text and "Findings: feedback loop" in text
    numbers = (place / "workspace" / "reports" / "mine.csv").read_text()
    assert "loop_gini_slope" in numbers


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (('name = "item_knn"', 'name = "item_knnn"'), "item_knn"),
        (("neighbors = 10", "neighbours = 10"), "neighbors"),
        (('group = "tail"', 'by = "city"'), "one of users"),
        (("xquad = [0.5]", "xqad = [0.5]"), "xquad"),
        (("[loop]\nrounds", '[[action]]\nwhat = "x"\n[loop]\nround'), "has no key 'round'"),
        (("depth = 10", 'depth = 10\ncandidates = "e1"'), "name one of the two"),
        (('group = "tail"', 'group = "tial"'), "tail"),
        (("depth = 10", "depth = 3"), "nothing to choose from"),
    ],
)
def test_wrong_mitigations_are_refused(run: Any, place: Path, wrong: tuple[str, str], said: str) -> None:
    assert wrong[0] in TRIED
    (place / "audit.toml").write_text(AUDIT + TRIED.replace(*wrong))
    assert said in run("audit", "run", "audit.toml", cwd=place, status=2).stderr


def log_of(place: Path, *, rankers: tuple[str, ...], seed: int = 1) -> None:
    """Impressions of some runs, clicked where they are looked at: 1, 0.5 and 0.25 of the time."""
    kept = Workspace(place / "workspace")
    rng = np.random.default_rng(seed)
    shown = pl.concat([kept.load("run", name).table.select("user_id", "item_id", position="rank") for name in rankers])
    shown = pl.concat([shown] * 60).filter(pl.col("position") <= 3)
    looked = 0.5 ** (shown["position"].to_numpy() - 1.0)
    shown.with_columns(clicked=pl.Series((rng.random(shown.height) < looked).astype(int))).write_csv(place / "log.csv")


def test_a_log_tells_the_attention_and_the_audit_is_made_again_with_it(run: Any, place: Path) -> None:
    log_of(place, rankers=("e1", "e2"))
    (place / "audit.toml").write_text(AUDIT.replace('split = "s"', 'split = "s"\nlog = "log.csv"'))
    said = run("audit", "run", "audit.toml", cwd=place).stderr
    kept = Workspace(place / "workspace").load("audit", "mine")
    assert kept.position is not None and kept.position.unidentified is None
    told = [each.value for each in kept.position.examination]
    assert told == pytest.approx([1, 0.5, 0.25], rel=0.15)
    assert kept.opinions["position"] == "described" and "audited again: attention from the log" in said
    text = (place / "workspace" / "reports" / "mine.md").read_text()
    assert "every position could be told" in text and "With attention from the log: " in text
    (place / "audit.toml").write_text(
        AUDIT.replace('split = "s"', 'split = "s"\nlog = "log.csv"').replace("k = 3", 'k = 3\nattention = "estimated"')
    )
    said = run("audit", "run", "audit.toml", cwd=place).stderr
    kept = Workspace(place / "workspace").load("audit", "mine")
    assert kept.card["settings"]["attention"] == pytest.approx(told) and "attention from the log" not in said


def test_a_log_of_one_ranker_cannot_tell_it_and_says_so(run: Any, place: Path) -> None:
    log_of(place, rankers=("e1",))
    logged = AUDIT.replace('split = "s"', 'split = "s"\nlog = "log.csv"')
    (place / "audit.toml").write_text(logged)
    said = run("audit", "run", "audit.toml", cwd=place).stderr
    assert "audited again: attention" not in said
    text = (place / "workspace" / "reports" / "mine.md").read_text()
    assert "as by one ranker that does not change" in text and "Not audited again with the attention of the log" in text
    (place / "audit.toml").write_text(logged.replace("k = 3", 'k = 3\nattention = "estimated"'))
    assert "several rankers" in run("audit", "run", "audit.toml", cwd=place, status=2).stderr
    (place / "audit.toml").write_text(AUDIT.replace("k = 3", 'k = 3\nattention = "estimated"'))
    assert "name it in [data] log" in run("audit", "run", "audit.toml", cwd=place, status=2).stderr
    (place / "log.csv").write_text("user_id,item_id,clicked\n1,1,1\n")
    (place / "audit.toml").write_text(logged)
    assert "no column 'position'" in run("audit", "run", "audit.toml", cwd=place, status=2).stderr


def test_the_annex_stands_in_report_and_numbers(run: Any, place: Path) -> None:
    rated = "user_id,item_id,rating,prediction\n1,1,4,3\n2,1,4,4\n1,2,3,3\n2,2,1,3\n"
    (place / "rated.csv").write_text(rated)
    (place / "audit.toml").write_text(
        AUDIT.replace('split = "s"', 'split = "s"\npredictions = "rated.csv"').replace(
            "k = 3", "k = 3\ntwo_sided = true"
        )
    )
    run("audit", "run", "audit.toml", cwd=place)
    text = (place / "workspace" / "reports" / "mine.md").read_text()
    assert "Warning. Joint measures contradict each other" in text and "fairness alone" in text
    numbers = (place / "workspace" / "reports" / "mine.csv").read_text()
    for name in ("jme_gg_relevance", "bias_disparity", "differential_fairness", "rating_value"):
        assert name in numbers


def test_the_audit_is_made_again_under_other_choices(run: Any, place: Path) -> None:
    more = """[sensitivity]
k = [2]
seed = [7]
candidates = ["unseen", "test"]
[sensitivity.segments.city]
quantiles = ["light", "heavy"]
of = "n_interactions"
"""
    (place / "audit.toml").write_text(AUDIT.replace("[sensitivity]\nk = [2]\n", more))
    said = run("audit", "run", "audit.toml", cwd=place).stderr
    for name in ("k = 2", "seed 7", "candidates: items of the test part", "city in other groups"):
        assert f"audited again: {name}" in said
    text = (place / "workspace" / "reports" / "mine.md").read_text()
    assert "With candidates: items that the user does not have: " in text and "With city in other groups: " in text


def test_a_plan_declares_and_says_what_could_be_found(run: Any, place: Path) -> None:
    done = run(
        "audit", "plan", "audit.toml", "--mean", "0.3", "--declared", "declared.toml", "--format", "json", cwd=place
    )
    rows = json.loads(done.stdout)["rows"]
    assert {row["segment"] for row in rows} == {"a", "b"} and all(row["difference"] > 0 for row in rows)
    made = tomllib.loads((place / "declared.toml").read_text())
    measures = [(each["measure"], each.get("by"), each.get("attribute")) for each in made["hypotheses"]]
    assert measures == [
        ("ndcg@3", "city", None),
        ("exposure_share", "overall", "popularity"),
        ("popularity_lift", "overall", None),
    ]
    run("audit", "run", "declared.toml", cwd=place)
    declared = {
        row.measure for row in Workspace(place / "workspace").load("audit", "mine").rows if row.family == "confirmatory"
    }
    assert declared == {"ndcg@3", "exposure_share", "popularity_lift"}


def test_two_audits_are_compared(run: Any, place: Path) -> None:
    run("audit", "run", "audit.toml", cwd=place)
    (place / "audit.toml").write_text(AUDIT.replace("mine", "other").replace('"e1"', '"e2"'))
    run("audit", "run", "audit.toml", cwd=place)
    done = run("audit", "compare", "mine", "other", "--report", "both", "--format", "json", cwd=place)
    rows = json.loads(done.stdout)["rows"]
    before, after = (Workspace(place / "workspace").load("audit", name) for name in ("mine", "other"))
    assert len(rows) == len(before.rows) == len(after.rows)
    text = (place / "both.md").read_text()
    assert "What improved, and what got worse" in text and (place / "both.html").is_file()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("name = 'ü shop'", "'ü shop' is no name"),
        ("[audit]\natributes = []", "[audit] has no key 'atributes'. Did you mean 'attributes'?"),
        ("[audit]\nprotected = ['race']", "protected has 'race'"),
        ("[audit]\nattention = 'nosuch'", "attention is 'nosuch'"),
        ("[audit]\nk = 2\nattention = [1.0, -0.5]", "not negative"),
        ("[[gate]]\nmeasure = 'ndcg@10'", "a gate needs a bound"),
        ("[sensitivity]\ntiers = [[0.7, 0.7]]\n[auditt]", "has no key 'auditt'"),
    ],
)
def test_what_is_wrong_in_the_file_is_refused_before_any_work(run: Any, tmp_path: Path, wrong: str, said: str) -> None:
    (tmp_path / "audit.toml").write_text(f'lists = "x.csv"\n{wrong}\n')
    done = run("audit", "run", "audit.toml", cwd=tmp_path, status=2)
    assert said in done.stderr and done.stdout == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('by = ["city"]', 'by = ["title"]'), "title"),  # an attribute of items is none of users
        (('by = ["city"]', 'by = ["user_id"]'), "user_id"),
        (('attributes = ["popularity"]', 'attributes = ["title"]'), "every item has a value of 'title' of its own"),
        (('attributes = ["popularity"]', 'attributes = ["city"]'), "city"),
        (('lists = "e1"', 'lists = "nosuch"'), "nosuch"),
        (('split = "s"', 'split = "s"\ntruth = "t.csv"'), "leave [data] truth out"),
    ],
)
def test_what_the_data_do_not_have_is_refused(run: Any, place: Path, change: tuple[str, str], said: str) -> None:
    (place / "audit.toml").write_text(AUDIT.replace(*change))
    assert said in run("audit", "run", "audit.toml", cwd=place, status=2).stderr


def test_a_report_that_cannot_be_written_is_refused_first(run: Any, place: Path) -> None:
    done = run("audit", "run", "audit.toml", "--report", "audit.toml/below", cwd=place, status=2)
    assert "audit.toml is a file" in done.stderr and not (place / "workspace" / "audit" / "mine").exists()


def test_the_example_is_an_audit() -> None:
    made = validate_audit_settings(tomllib.loads(EXAMPLE_AUDIT), source="the example")
    assert isinstance(made, AuditJobSettings) and made.settings().protected == ["gender", "age"]


def test_another_k_takes_metrics_and_hypotheses_with_it() -> None:
    content = {
        "lists": "x",
        "audit": {"metrics": ["ndcg@10"], "by": ["age"]},
        "hypotheses": [{"measure": "ndcg@10", "by": "age"}],
        "sensitivity": {"k": [5], "attention": ["rbp"]},
    }
    made = validate_audit_settings(content, source="it")
    other = made.settings(**made.variants()["k = 5"])
    assert (other.k, other.metrics, other.hypotheses[0].measure) == (5, ["ndcg@5"], "ndcg@5")  # type: ignore[index]
    assert made.settings(**made.variants()["geometric attention"]).attention == "rbp"
