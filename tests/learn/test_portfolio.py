"""Portfolios: what is written, what is refused, and what a replay finds out."""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from reclens.errors import DataError, NameTakenError, UnknownNameError, UsageError
from reclens.learn import portfolio
from reclens.learn.exercise import exercise_of
from reclens.learn.learner import Learner
from reclens.learn.page_reading import read_page
from reclens.learn.portfolio import build_portfolio
from reclens.learn.portfolio_rules import claims_in, numbers_in
from reclens.learn.portfolio_verify import verify_portfolio
from reclens.learn.project import Project, project_seed
from reclens.learn.project_settings import project_settings
from reclens.report._toolkit.pdf import Printed, find_chromium, print_pdf
from reclens.report.learn.portfolio import project_sheet
from reclens.report.learn.portfolio_words import refused_sentence

NAMES = ("audit", "explorer", "experiment")
OWN_LINKS = {"../index.html", "summary.pdf", "../evidence.json", *(f"{name}/index.html" for name in NAMES)}
ATTACKS = (
    "<script>alert(1)</script> was the name of an item, and it is shown as text.",
    '"><img src=x onerror=alert(1)> was the name of an item, and it is shown as text.',
    "[a link](javascript:alert(1)) and https://evil.example/x were names, and are shown as text.",
)


@pytest.fixture(autouse=True)
def without_printing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chromium takes seconds a page; one test below prints."""
    monkeypatch.setattr(portfolio, "print_pdf", lambda *_: Printed("no_browser"))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Learner:
    """A learner who did three projects."""
    learner = Learner(tmp_path_factory.mktemp("learner"))
    for name in NAMES:
        project = exercise_of(name)
        learner.start(name)
        project.solve(learner.draw(project), learner.place(project))
        assert learner.check(name).passed, name
    return learner


@pytest.fixture
def edited(done: Learner) -> Any:
    """Changes the texts of the audit; they are put back."""
    project = exercise_of("audit")
    assert isinstance(project, Project)
    path = done.place(project) / "project.toml"
    before = path.read_text()

    def change(**changes: Any) -> None:
        draw = done.draw(project)
        settings = project_settings({**project.solved(draw).model_dump(), **changes})
        path.write_text(project.text_of(draw, settings))

    yield change
    path.write_text(before)


@pytest.fixture(scope="module")
def site(done: Learner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "portfolio"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portfolio, "print_pdf", lambda *_: Printed("no_browser"))
        assert not build_portfolio(done, NAMES, folder).refused
    return folder


def refused(done: Learner, tmp_path: Path) -> dict[str, str]:
    """Code of each refusal -> where; nothing is written then."""
    found = build_portfolio(done, NAMES, tmp_path / "out")
    assert (tmp_path / "out").exists() is not bool(found.refused)
    return {each.remark.code: str(each.remark.facts.get("entry", "")) for each in found.refused}


def test_all_numbers_of_what_is_built_are_reproduced(site: Path) -> None:
    found = verify_portfolio(site)
    assert (found.reproduced, len(found.rows)) == (13, 13) and found.whole
    held = json.loads((site / "evidence.json").read_text())
    assert set(held["projects"]) == set(NAMES) and set(held["versions"]) >= {"reclens", "python", "numpy", "duckdb"}
    for record in held["projects"].values():
        assert record["seed"] == record["settings"]["seed"] and record["data"]["fingerprint"]
        for number in record["numbers"]:
            assert number["query"].startswith("SELECT") and (number["low"] is not None or number["reason"])


def test_each_project_has_what_a_reader_asks_for(site: Path) -> None:
    for name in NAMES:
        text = (site / name / "README.md").read_text()
        for part in (
            "Result",
            "Question",
            "Decision",
            "What could not be concluded",
            "Next step",
            "Data card",
            "licence: made by RecLens",
            "Method",
            "For a director (as generated)",
            "Ticket (as generated)",
            "reclens portfolio verify .",
            "Synthetic data",
        ):
            assert part in text, (name, part)
        page = read_page((site / name / "index.html").read_text())
        assert page.language == "en" and page.title
        assert page.loads == ["meta"], "the content security policy, and nothing that is loaded or run"
    assert all(f'href="{name}/index.html"' in (site / "index.html").read_text() for name in NAMES)
    assert sum(each.stat().st_size for each in site.rglob("*") if each.is_file()) < 500_000
    assert {each.suffix for each in site.rglob("*") if each.is_file()} == {".html", ".md", ".json"}, "no data travels"


def test_texts_of_the_author_are_marked_as_edited(done: Learner, edited: Callable[..., None], tmp_path: Path) -> None:
    edited(finding={"partner_exposure": {"director": "The partner gets less than its sales merit.", "ticket": ""}})
    assert not refused(done, tmp_path)
    text = (tmp_path / "out" / "audit" / "README.md").read_text()
    assert "For a director (edited by the author): The partner gets less" in text
    assert "Ticket (as generated)" in text


NUMBER = {"label": "households", "query": "SELECT max(n) AS value FROM audit", "reason": ""}


@pytest.mark.parametrize(
    ("changes", "code", "entry"),
    [
        ({"number": [NUMBER]}, "number_without_interval", ""),
        ({"number": [{**NUMBER, "query": "SELECT 1; SELECT 2"}]}, "number_failed", ""),
        ({"number": [{**NUMBER, "query": "SELECT value FROM audit"}]}, "number_failed", ""),
        ({"number": [{**NUMBER, "query": "SELECT * FROM read_csv('/etc/passwd')"}]}, "number_failed", ""),
        ({"chart": ""}, "chart_without_text", ""),
        ({"chart": "a chart"}, "chart_without_text", ""),
        ({"decision": "The new lists are fair to all sellers now."}, "claim_not_carried_here", "decision"),
        (
            {"finding": {"ndcg_low": {"director": "It significantly improves their lists.", "ticket": ""}}},
            "claim_not_carried_here",
            "finding.ndcg_low.director",
        ),
        ({"decision": "We lose 4,711 households, so we wait."}, "number_not_in_evidence", "decision"),
        ({"next_step": ""}, "text_missing", "next_step"),
        ({"not_concluded": "None."}, "text_missing", "not_concluded"),
        ({"finding": {"nosuch": {"director": "", "ticket": ""}}}, "unknown_number", ""),
    ],
)
def test_what_a_portfolio_refuses(
    done: Learner, edited: Callable[..., None], tmp_path: Path, changes: Any, code: str, entry: str
) -> None:
    edited(**changes)
    found = refused(done, tmp_path)
    assert found.get(code) == entry, found


def test_a_number_with_a_reason_is_taken_and_one_without_data_is_found_out(
    done: Learner, edited: Callable[..., None], tmp_path: Path
) -> None:
    reason = "all of them are counted, so there is nothing to be unsure of"
    own = {"label": "households", "query": "SELECT max(n) AS value FROM audit", "reason": reason}
    made_up = {**own, "label": "revenue", "query": "SELECT 13.37 AS value"}
    edited(number=[own, made_up])
    assert not refused(done, tmp_path)
    rows = {row["key"]: row["reproduced"] for row in verify_portfolio(tmp_path / "out").rows}
    assert (rows["own_1"], rows["own_2"], sum(rows.values())) == (True, False, 14)


def test_more_than_five_megabytes_are_refused(done: Learner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert portfolio.MOST_BYTES == 5_000_000
    monkeypatch.setattr(portfolio, "MOST_BYTES", 50_000)
    assert set(refused(done, tmp_path)) == {"too_large"}


@pytest.mark.parametrize("attack", ATTACKS)
def test_attack_strings_are_text(done: Learner, edited: Callable[..., None], tmp_path: Path, attack: str) -> None:
    from markdown_it import MarkdownIt

    said = {"director": attack, "ticket": attack}
    edited(question=attack, decision=attack, not_concluded=attack, next_step=attack, chart=attack)
    edited(question=attack, decision=attack, chart=attack, finding={"partner_exposure": said})
    assert not refused(done, tmp_path)
    for place in (tmp_path / "out", tmp_path / "out" / "audit"):
        page = read_page((place / "index.html").read_text())
        assert page.loads == ["meta"]
        made = MarkdownIt("commonmark", {"html": True}).render((place / "README.md").read_text())
        assert read_page(made).loads == []
        assert set(re.findall(r'href="([^"]*)', made)) <= OWN_LINKS


def test_an_attack_string_that_lives_is_refused(
    done: Learner, edited: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = portfolio.project_page

    def unescaped(page: Any, **options: Any) -> Any:
        found = made(page, **options)
        return replace(found, html=replace(found.html, html=html.unescape(found.html.html)))

    monkeypatch.setattr(portfolio, "project_page", unescaped)
    edited(decision=ATTACKS[0])
    assert "attack_lives" in refused(done, tmp_path)


def test_a_replay_finds_what_was_changed(site: Path, tmp_path: Path) -> None:
    path = site / "evidence.json"
    whole = path.read_text()
    number = json.loads(whole)["projects"]["audit"]["numbers"][0]

    def replayed(change: Callable[[dict[str, Any]], None]) -> Any:
        held = json.loads(whole)
        change(held)
        path.write_text(json.dumps(held))
        return verify_portfolio(site)

    def first(held: dict[str, Any]) -> dict[str, Any]:
        return held["projects"]["audit"]["numbers"][0]

    try:
        changes: list[tuple[int, Callable[[dict[str, Any]], Any]]] = [
            (12, lambda held: first(held).update(value=number["value"] * 1.01)),
            (12, lambda held: first(held).update(high=None)),
            (12, lambda held: first(held).update(query="SELECT 1 AS value")),
            (12, lambda held: held["projects"]["audit"]["numbers"].pop(0)),
            (13, lambda held: held["projects"]["audit"]["numbers"].append({**number, "key": "more", "value": 1.0})),
            (13, lambda held: held["projects"]["audit"]["data"].update(licence="mine")),
            (13, lambda held: held["projects"]["audit"].update(verdict="better")),
            (13, lambda held: held["projects"]["audit"].update(seed=5)),
            (13, lambda held: held["files"].update({"../../secret": "0" * 64})),
        ]
        for reproduced, change in changes:
            found = replayed(change)
            assert (found.reproduced, found.whole) == (reproduced, False)
        for change in (
            lambda held: held["projects"]["audit"]["settings"].update(seed=5),
            lambda held: held["projects"]["audit"]["data"].update(fingerprint="0" * 16),
            lambda held: held["projects"]["audit"].pop("data"),
        ):
            found = replayed(change)
            assert found.reproduced == 8, "numbers of other data are none of these"
            [(name, remark)] = found.remarks
            assert (name, remark.code) == ("audit", "data_differ")
            assert "or build the portfolio again" in refused_sentence(name, remark.code, remark.facts)
    finally:
        path.write_text(whole)
    front = site / "index.html"
    shown = front.read_text()
    front.write_text(shown.replace("0.", "9."))
    assert verify_portfolio(site).changed == ("index.html",), "a page that is not written again has its hash alone"
    front.write_text(shown)
    page = site / "audit" / "README.md"
    text = page.read_text()
    page.write_text(text.replace("0.", "9."))
    assert verify_portfolio(site).changed == ("audit/README.md",)
    held = json.loads(whole)
    held["files"]["audit/README.md"] = hashlib.sha256(page.read_bytes()).hexdigest()
    path.write_text(json.dumps(held))
    assert verify_portfolio(site).changed == ("audit/README.md",), "the page is written again, whatever its hash"
    page.write_text(text)
    path.write_text(whole)
    assert verify_portfolio(site).whole


STRANGE = {
    "kind": "reclens portfolio",
    "format": 1,
    "projects": {"\x1b[2J": {"settings": {}, "numbers": []}},
    "files": {},
}


@pytest.mark.parametrize(
    "text", ["", "[", "[]", '{"kind": "reclens portfolio", "format": 2}', '{"kind": 1}', json.dumps(STRANGE)]
)
def test_what_is_no_evidence_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        verify_portfolio(tmp_path)
    (tmp_path / "evidence.json").write_text(text)
    with pytest.raises(DataError, match="evidence"):
        verify_portfolio(tmp_path)
    (tmp_path / "evidence.json").unlink()
    (tmp_path / "evidence.json").symlink_to("/dev/zero")
    with pytest.raises(DataError, match="no regular file"):
        verify_portfolio(tmp_path)


def test_licensed_data_do_not_travel(done: Learner, tmp_path: Path) -> None:
    from reclens.data.synthetic import synthetic_movielens

    data = tmp_path / "customers-of-acme.parquet"
    synthetic_movielens(n_users=80, n_items=60, n_ratings=2_000, rng=4).interactions.write_parquet(data)
    project = exercise_of("diagnostics")
    assert isinstance(project, Project)
    done.start("diagnostics")
    draw, place = done.draw(project), done.place(project)
    (place / "numbers.csv").write_text("kept")
    texts = dict.fromkeys(("decision", "not_concluded", "next_step"), "We wait until there is more to go by.")
    solved = project_settings({"seed": project_seed(draw), "verdict": "better", **texts})

    def built(name: str, own: dict[str, Any]) -> Path:
        settings = project_settings({**solved.model_dump(), "data": {"path": str(data), **own}})
        (place / "project.toml").write_text(project.text_of(draw, settings))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(portfolio, "refusals", lambda *_: [])
            assert not build_portfolio(done, ["diagnostics", "audit", "explorer"], tmp_path / name).refused
        return tmp_path / name

    own = {"licence": "may not be passed on", "fetch": "reclens data fetch ml-100k"}
    public = built("public", own)
    text = (public / "diagnostics" / "README.md").read_text()
    assert "licence: may not be passed on" in text and "reclens data fetch ml-100k" in text
    assert "name: customers-of-acme.parquet" in text and str(tmp_path) not in (public / "evidence.json").read_text()
    found = verify_portfolio(public)
    assert {row["project"] for row in found.rows if not row["reproduced"]} == {"diagnostics"}
    assert "needs_data" in {each.code for _, each in found.remarks}
    found = verify_portfolio(public, data={"diagnostics": str(data)})
    assert found.reproduced == len(found.rows) == 23 and not found.changed
    other = tmp_path / "another-edition.parquet"
    pl.read_parquet(data).with_columns(rating=pl.lit(1.0)).write_parquet(other)
    found = verify_portfolio(public, data={"diagnostics": str(other)})
    [(name, remark)] = found.remarks
    assert (name, remark.code, found.reproduced) == ("diagnostics", "own_data_differ", 10)
    said = refused_sentence(name, remark.code, remark.facts)
    assert "of another file, or another edition of it" in said and "--data diagnostics=PATH" in said
    private = built("private", {**own, "private": True})
    texts = "".join(each.read_text() for each in private.rglob("*") if each.is_file())
    assert "acme" not in texts and "a private table" in texts
    answer = {"project.toml": (place / "project.toml").read_text(), "numbers.csv": ""}
    assert [each.code for each in project.judge(answer, draw)] == ["check_without_data"]
    audit = portfolio.project_named("audit")
    with pytest.raises(UsageError, match="draws its own"):
        audit.measured(1, project_settings({"seed": 1, "data": own}).data)


def test_names_and_folders_that_are_wrong_are_refused(done: Learner, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="3 or 4 different ones"):
        build_portfolio(done, ["audit", "audit", "explorer"], tmp_path)
    with pytest.raises(UsageError, match="3 or 4 different ones"):
        build_portfolio(done, ["audit"], tmp_path)
    with pytest.raises(UnknownNameError, match="diagnostics"):
        build_portfolio(done, ["audit", "explorer", "diagnostic"], tmp_path)
    with pytest.raises(UsageError, match="is an exercise"):
        build_portfolio(done, ["audit", "explorer", "1.1"], tmp_path)
    with pytest.raises(UsageError, match="reclens learn start monitor"):
        build_portfolio(done, ["audit", "explorer", "monitor"], tmp_path)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(NameTakenError, match="something else"):
        build_portfolio(done, NAMES, tmp_path)


def test_claims_and_numbers_are_read_from_texts() -> None:
    text = "It improves lists, and is not unfair. Does it harm? It is significant."
    assert [word for word, _ in claims_in(text)] == ["improves", "significant"]
    assert list(claims_in("Nothing shows that it is better; we would raise nothing.")) == []
    assert numbers_in("-0.0353 for 324 of ndcg@10 on 2026-01-05, v1.2, 12 %") == ["-0.0353", "324", "12 %"]


@pytest.mark.browser
def test_a_summary_is_one_page(done: Learner, tmp_path: Path) -> None:
    if find_chromium() is None:
        pytest.skip("there is no Chromium on this machine")
    project = portfolio.project_named("audit")
    told = portfolio._read(done, project)
    printed = {}
    for name, text in (("short", "We wait for more data."), ("long", "We wait for more data. " * 120)):
        settings = told.settings.model_copy(update={"decision": text, "not_concluded": text})
        sheet = project_sheet(portfolio.page_of(replace(told, settings=settings)))
        (tmp_path / name).mkdir()
        printed[name] = print_pdf(sheet.save(tmp_path / "sheet.html"), tmp_path / name / "summary.pdf")
    assert [each.project for each in portfolio._too_long(tmp_path, printed)] == ["long"]
