"""The page of audits: the opinion first, charts of each criterion, other audits, and the way to users and items."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from reclens.audit import Audit, AuditSettings, run
from reclens.audit.loop import with_groups
from reclens.audit.mitigate import ItemGap, MitigationSettings, candidates_of, mitigation
from reclens.data.split.result import Split
from reclens.lab.feedback import feedback_loop
from reclens.report._toolkit.static_theme import PAPER
from reclens.report.audit.sentences import finding_sentence, headline, top_findings
from reclens.report.audit.words import SECTIONS
from reclens.schema import Recommendations
from reclens.workspace import Workspace

PARTS = ("Items", "Popularity", "Users", "Calibration", "Position", "Loop", "Two sides", "Mitigation", "Scope")


@pytest.fixture(scope="module")
def audited(workspace: Workspace) -> dict[str, Audit]:
    split = workspace.load("split", "small")
    settings = AuditSettings(by=["activity", "gender"], attributes=["popularity", "genres"], replicates=200, minimum=10)
    found = {}
    for name in ("popular", "ease"):
        lists = workspace.load("run", f"small-{name}")
        found[name] = run(lists, split.test, train=split.train, settings=settings, name=name)
    found["ease"] = whole(found["ease"], split, settings, lists)
    for name, audit in found.items():
        workspace.save(audit, f"audit-{name}", overwrite=True)
    return found


def whole(audit: Audit, split: Split, settings: AuditSettings, lists: Recommendations) -> Audit:
    """An audit with everything: a log of one ranker, a loop, the annex, and mitigations."""
    log = lists.table.select("user_id", "item_id", position="rank").with_columns(clicked=pl.lit(1))
    loop = feedback_loop(with_groups(split.train), "popular", by="gender", rounds=2, seeds=2, days=1, k=5)
    annexed = replace(settings, two_sided=True)
    made = run(lists, split.test, train=split.train, settings=annexed, name=audit.system, log=log, loop=loop)
    candidates = candidates_of(None, split.test, train=split.train, model=("item_knn", {}), depth=40)
    tried = {"xquad": [0.25, 0.75], "dual_prices": [0.5]}
    asked = MitigationSettings(gap=ItemGap("popularity", "tail"), rerank=tried, weights={}, most_lost=1.0)
    return replace(made, mitigation=mitigation(candidates, asked, train=split.train, settings=settings))


def rows_of(chart: Any) -> list[dict[str, Any]]:
    """The rows behind a chart of the page, of all its layers."""
    spec = json.loads(chart.proto.spec)
    return [row for each in (spec, *spec.get("layer", ())) for row in each.get("data", {}).get("values", [])]


def words(app: Any) -> str:
    shown = [*app.markdown, *app.caption, *app.text, *app.info, *app.subheader]
    pieces = [each.proto.body for each in app.get("html")]
    return "\n".join([*(str(each.value) for each in shown), *pieces]).replace("\\", "")


def test_the_opinion_and_the_findings_come_first(open_page: Any, audited: dict[str, Audit]) -> None:
    app = open_page("audit", audit="audit-popular")
    said = words(app)
    assert all(name in said for name in SECTIONS.values())
    first = finding_sentence(audited["popular"], top_findings(audited["popular"])[0])
    assert first.split(" [")[0] in said
    assert app.get("vega_lite_chart") and app.get("download_button")
    assert headline(audited["popular"]) in said


def test_each_stamp_has_the_colour_of_its_opinion_and_leads_to_its_part(
    open_page: Any, audited: dict[str, Audit]
) -> None:
    said = next(
        each.proto.body for each in open_page("audit", audit="audit-popular").get("html") if "stamps" in each.proto.body
    )
    stamps = re.findall(r'--tone:(#\w+)">.*?part=([\w+]+)".*?<b>(.*?)</b><strong>(.*?)</strong>', said)
    opinions = audited["popular"].opinions
    assert [title for *_, title in stamps] == [SECTIONS[section] for section in opinions]
    tones = {"negative": "bad", "positive with comments": "open", "positive": "good"}
    assert {colour for colour, _, verdict, _ in stamps if verdict in tones} <= {
        PAPER["light"][tones[verdict]] for *_, verdict, _ in stamps if verdict in tones
    }
    parts = {title: part for _, part, _, title in stamps}
    assert parts[SECTIONS["exposure"]] == "Items" and parts[SECTIONS["loop"]] == "Scope", "what was not measured"


@pytest.mark.parametrize("part", PARTS)
def test_each_part_draws_of_the_groups_that_are_chosen(part: str, open_page: Any, audited: dict[str, Audit]) -> None:
    app = open_page("audit", audit="audit-ease", part=part)
    drawn = len(app.get("vega_lite_chart"))
    assert (drawn > 0) == (part not in ("Scope", "Position"))
    if part == "Position":
        assert "one ranker that does not change" in words(app)
    if part == "Users":
        charts = open_page("audit", audit="audit-ease", part=part, by="gender").get("vega_lite_chart")
        told = [row["label"] for each in charts for row in rows_of(each) if "(" in str(row.get("label"))]
        assert told and all(label.endswith("(gender)") for label in told)


def test_the_slider_tells_the_price_of_each_strength(open_page: Any, audited: dict[str, Audit]) -> None:
    tried = audited["ease"].mitigation
    assert tried is not None and tried.test is not None
    app = open_page("audit", audit="audit-ease", part="Mitigation", mitigation="xQuAD")
    (slider,) = app.select_slider
    slider.set_value("0.25").run()
    trial = next(each for each in tried.validation.trials if (each.mitigation, each.strength) == ("xquad", 0.25))
    told = {each.label: each.value for each in app.metric[:3]}
    assert told == {
        f"{tried.validation.metric} lost": f"{trial.accuracy_lost.value:+.4f}",
        "Gap closed": f"{trial.share_closed:.0%}",
        "Levels down": {"none": "no", "possible": "possible", "shown": "yes"}[trial.levelling_down],
    }
    app = open_page("audit", audit="audit-ease", part="Mitigation")  # begins with what was chosen, on test too
    assert len(app.metric) == 6 and f"{tried.test.accuracy_lost.value:+.4f}" == app.metric[3].value
    assert "Chosen of 3 trials" in words(app)


@pytest.mark.parametrize("part", ["Position", "Loop", "Two sides", "Mitigation"])
def test_what_was_not_asked_for_says_how_to_ask(part: str, open_page: Any, audited: dict[str, Audit]) -> None:
    assert "audit.toml" in words(open_page("audit", audit="audit-popular", part=part))


def test_the_report_can_be_downloaded_in_each_form(
    open_page: Any, audited: dict[str, Audit], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    labels = {each.label for each in open_page("audit", audit="audit-ease").get("download_button")}
    assert {"Report as HTML", "Numbers as CSV"} <= labels
    monkeypatch.setenv("RECLENS_CHROMIUM", str(tmp_path / "nothing"))
    app = open_page("audit", audit="audit-ease")
    assert "Report as PDF" not in {each.label for each in app.get("download_button")}
    assert "there is no Chromium" in words(app)


def test_two_audits_stand_side_by_side(open_page: Any, audited: dict[str, Audit]) -> None:
    app = open_page("audit", audit="audit-ease", part="Compare", before="audit-popular")
    assert "ease against popular" in words(app) and len(app.get("vega_lite_chart")) == 1


def test_a_group_leads_to_its_users_and_items(open_page: Any, workspace: Workspace, audited: dict[str, Audit]) -> None:
    train = workspace.load("split", "small").train
    women = train.users.filter(train.users["gender"] == "F")["user_id"]
    comedies = train.items.filter(train.items["genres"].list.contains("Comedy"))["item_id"]
    chosen = {"group-users": "gender: F", "group-items": "genres: Comedy"}
    app = open_page("audit", audit="audit-ease", part="Look closer", **chosen)
    said = words(app)
    assert f"{len(women):,} users of gender: F" in said and f"{len(comedies):,} items of genres: Comedy" in said
    shown = [set(each.value.iloc[:, 0]) for each in app.dataframe]
    assert set(map(str, women)) in shown  # those served worst first
    table = next(each.value for each in app.dataframe if "ndcg@10" in each.value.columns)
    values = table["ndcg@10"].dropna().to_list()
    assert values == sorted(values) and values == sorted(
        audited["ease"].users.filter(pl.col("gender") == "F")["ndcg@10"].drop_nulls().drop_nans().to_list()
    )


def test_without_an_audit_the_page_says_how_to_make_one(open_page: Any, tmp_path: Path) -> None:
    Workspace(tmp_path / "workspace").check(make=True)
    assert "reclens audit run" in words(open_page("audit", folder=tmp_path / "workspace"))
