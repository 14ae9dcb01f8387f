"""The page of audits: the opinion first, charts of each criterion, other audits, and the way to users and items."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reclens.audit import Audit, AuditSettings, run
from reclens.report.audit.sentences import finding_sentence, top_findings
from reclens.report.audit.words import SECTIONS
from reclens.workspace import Workspace

PARTS = ("Items", "Popularity", "Users", "Calibration", "Scope")


@pytest.fixture(scope="module")
def audited(workspace: Workspace) -> dict[str, Audit]:
    split = workspace.load("split", "small")
    settings = AuditSettings(by=["activity", "gender"], attributes=["popularity", "genres"], replicates=200, minimum=10)
    found = {}
    for name in ("popular", "ease"):
        lists = workspace.load("run", f"small-{name}")
        found[name] = run(lists, split.test, train=split.train, settings=settings, name=name)
        workspace.save(found[name], f"audit-{name}", overwrite=True)
    return found


def words(app: Any) -> str:
    shown = [*app.markdown, *app.caption, *app.text, *app.info, *app.subheader]
    return "\n".join(str(each.value) for each in shown).replace("\\", "")


def test_the_opinion_and_the_findings_come_first(open_page: Any, audited: dict[str, Audit]) -> None:
    app = open_page("audit", audit="audit-popular")
    said = words(app)
    assert all(name in said for name in SECTIONS.values())
    first = finding_sentence(audited["popular"], top_findings(audited["popular"])[0])
    assert first.split(" [")[0] in said
    assert app.get("vega_lite_chart") and app.get("download_button")


@pytest.mark.parametrize("part", PARTS)
def test_each_part_draws_of_the_groups_that_are_chosen(part: str, open_page: Any, audited: dict[str, Audit]) -> None:
    app = open_page("audit", audit="audit-ease", part=part)
    drawn = len(app.get("vega_lite_chart"))
    assert (drawn > 0) == (part != "Scope")
    if part == "Users":
        assert len(open_page("audit", audit="audit-ease", part=part, by="gender").get("vega_lite_chart")) < drawn


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
    assert set(map(str, women[:50])) in shown


def test_without_an_audit_the_page_says_how_to_make_one(open_page: Any, tmp_path: Path) -> None:
    Workspace(tmp_path / "workspace").check(make=True)
    assert "reclens audit run" in words(open_page("audit", folder=tmp_path / "workspace"))
