"""Exercise 5.1: numbers by SQL, links with other choices, a server that is asked, the right answer, and wrong ones."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs
from urllib.request import urlopen
from wsgiref.simple_server import WSGIRequestHandler, make_server

import duckdb
import polars as pl
import pytest

from reclens.learn.browser import opened_in_browser
from reclens.learn.exercise import Draw
from reclens.learn.exercises import own_dashboard
from reclens.learn.exercises.own_dashboard import OwnDashboard
from reclens.learn.page_reading import read_page
from reclens.report._toolkit.pdf import find_chromium

EXERCISE = OwnDashboard()
CODES = {
    "numbers written down": "wrong_answer_of_link",
    "escapes nothing": "page_runs",
    "no number": "wrong_answer_of_link",
    "mean of daily ratios": "wrong_answer_of_link",
    "ignores the surface": "wrong_answer_of_link",
    "another link": "wrong_answer_of_link",
    "fails at what is not there": "page_failed",
    "not for a phone": "no_viewport",
}


@pytest.fixture(autouse=True)
def without_browser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser takes seconds; the tests that ask for one have it."""
    if request.node.get_closest_marker("browser") is None:
        monkeypatch.setattr(own_dashboard, "opened_in_browser", lambda _: None)
    elif find_chromium() is None:
        pytest.skip("there is no Chromium on this machine")


def test_the_solution_passes_and_no_wrong_answer_does(judged) -> None:
    draw = Draw(3 << 64, EXERCISE.code)
    assert judged(EXERCISE, draw, EXERCISE.solve) == []
    found = {name: {each.code for each in judged(EXERCISE, draw, write)} for name, write in EXERCISE.wrong.items()}
    assert {name: CODES[name] for name in found} == CODES
    assert not [name for name, seen in found.items() if CODES[name] not in seen], found


def test_numbers_are_those_of_sql() -> None:
    draw = Draw(4, EXERCISE.code)
    rows = pl.DataFrame(
        own_dashboard._rows(draw), schema=("day", "segment", "surface", "impressions", "clicks"), orient="row"
    )
    for metric, segment, surface in own_dashboard._questions(draw):
        sql = {"ctr": "sum(clicks) / sum(impressions)"}.get(metric, f"sum({metric})")
        query = f"SELECT {sql} FROM rows WHERE segment = ? AND surface = ?"
        [expected] = duckdb.connect().register("rows", rows).execute(query, [segment, surface]).fetchone() or [None]
        assert own_dashboard._value(own_dashboard._rows(draw), (metric, segment, surface)) == pytest.approx(expected)


def test_links_get_other_choices() -> None:
    link = "/page?s=heavy&x=home&y=a%26b&z="
    other = own_dashboard._with_other(link, {"heavy": "<b>", "home": "item"})
    assert other == "/page?s=%3Cb%3E&x=item&y=a%26b&z="
    draw = Draw(5, EXERCISE.code)
    asked = list(own_dashboard._asked(draw, [f"/?s={number}" for number in range(5)]))
    assert {which for which, _, _ in asked} == {0, 1}
    assert sum(question is None for _, question, _ in asked) == 5
    changed = {question for _, question, _ in asked if question} - set(own_dashboard._questions(draw))
    assert len(changed) > 20


def test_a_server_serves_the_right_answer(tmp_path: Path) -> None:
    draw = Draw(6, EXERCISE.code)
    EXERCISE.write_data(draw, tmp_path)
    EXERCISE.solve(draw, tmp_path)
    app = ModuleType("app")
    exec((tmp_path / "app.py").read_text(), app.__dict__)
    rows = json.loads((tmp_path / "rows.json").read_text())

    class Quiet(WSGIRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
            pass

    def served(environ: dict[str, Any], start: Any) -> Any:
        return app.application({**environ, "shop.rows": rows}, start)

    with make_server("127.0.0.1", 0, served, handler_class=Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = f"http://127.0.0.1:{server.server_port}"
        for question, link in zip(own_dashboard._questions(draw), _links(tmp_path), strict=True):
            page = read_page(urlopen(place + link).read().decode())
            assert float(page.values["answer"]) == pytest.approx(own_dashboard._value(rows, question))
            assert parse_qs(link.partition("?")[2])["segment"] == [question[1]]
            assert question[1] in page.text and page.loads == []
        with pytest.raises(HTTPError, match="404"):
            urlopen(f"{place}/?segment=nosuch")
        server.shutdown()


def _links(place: Path) -> list[str]:
    import tomllib

    return tomllib.loads((place / "links.toml").read_text())["links"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "links = 3",
        "links = ['/']",
        "links = ['http://x', '/', '/', '/', '/']",
        "links = [1, 2, 3, 4, 5]",
        'links = ["/\\t/[x", "/", "/", "/", "/"]',
    ],
)
def test_links_that_are_none_are_named(text: str, tmp_path: Path) -> None:
    draw = Draw(1, EXERCISE.code)
    EXERCISE.solve(draw, tmp_path)
    answer = {"app.py": (tmp_path / "app.py").read_text(), "links.toml": text}
    assert [each.code for each in EXERCISE.judge(answer, draw)] == ["no_links"]


def test_questions_have_all_metrics_and_one_attack() -> None:
    questions = own_dashboard._questions(Draw(8, EXERCISE.code))
    assert {metric for metric, _, _ in questions} == {"impressions", "clicks", "ctr"}
    assert sum("alert(" in segment for _, segment, _ in questions) == 1
    assert questions != own_dashboard._questions(Draw(9, EXERCISE.code))


@pytest.mark.browser
def test_the_page_is_opened_in_a_browser(judged) -> None:
    draw = Draw(3 << 64, EXERCISE.code)
    assert judged(EXERCISE, draw, EXERCISE.solve) == []
    block = "label {{ display: block }}"
    wrong = {" form {{ width: 900px }}": "page_too_wide", " output {{ display: none }}": "answer_not_seen"}
    for new, code in wrong.items():
        found = judged(EXERCISE, draw, own_dashboard._coded(block, block + new))
        assert [each.code for each in found] == [code]
        assert found[0].facts["width"] == 390


@pytest.mark.browser
def test_a_browser_sees_what_runs_and_what_fails() -> None:
    page = "<!doctype html><html lang=en><title>x</title><body>{}<output id=answer>7</output>"
    attacks = [
        "",
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<p>&lt;script&gt;alert(1)&lt;/script&gt;",
    ]
    attacks += ["<script>nosuch()</script>", "</iframe><script>alert('</script>", "<pre id=found>[]</pre>"]
    found = opened_in_browser([page.format(each) for each in attacks])
    assert found is not None and len(found) == 2 * len(attacks)
    told = {(each.page, each.width): (bool(each.ran), bool(each.failed), each.answer) for each in found}
    assert {page for (page, _), (ran, _, _) in told.items() if ran} == {1, 2}
    assert {page for (page, _), (_, failed, _) in told.items() if failed} == {2, 4, 5}
    assert {answer for (page, _), (_, _, answer) in told.items() if page != 5} == {"7"}
    assert all(each.wide <= each.width for each in found)
