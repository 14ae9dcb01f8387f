"""The standalone page: it holds the whole path, runs offline, and its export is a progress file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from reclens.learn.exercise import all_drills, all_exercises, all_projects, exercise_of
from reclens.learn.learner import Learner
from reclens.learn.lessons import all_lessons
from reclens.learn.progress import read_progress
from reclens.learn.standalone import build_page
from reclens.report.learn.page import markdown_to_html


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Learner:
    found, exercise = Learner(tmp_path_factory.mktemp("learner")), exercise_of("1.1")
    found.start("1.1")
    exercise.solve(found.draw(exercise), found.place(exercise))
    found.check("1.1")
    found.start("1.b")
    with found.changing() as progress:
        progress.notes["1.1"] = "</script><script>window.evil = 1</script>"
    return found


@pytest.mark.browser
def test_the_page_has_everything_and_loads_nothing(learner: Learner, browser_page, worst_contrast) -> None:
    document = build_page(learner.folder.parent)
    for each in all_lessons():
        assert f'data-tick="{each.code}"' in document.html
    for each in (*all_exercises(), *all_drills(), *all_projects()):
        assert f'data-state="{each.code}"' in document.html
        assert f'id="task-{each.code.replace(".", "-")}"' in document.html
    assert not re.findall(r"(?:src|href)=[\"'](?!#)", document.html)
    file = learner.folder / "learn.html"
    document.save(file)
    page = browser_page
    page.goto(file.as_uri())
    assert page.evaluate("window.evil") is None
    states = {code: page.inner_text(f'[data-state="{code}"]') for code in ("1.1", "1.b", "1.a")}
    assert states == {"1.1": "solved", "1.b": "in progress", "1.a": "not started"}
    assert page.inner_text("#solved") == "1"
    page.click("#task-1-1 > summary")
    page.click('#task-1-1 a[href="#cosine"]')
    assert "How alike the directions" in page.inner_text("dt:target + dd")
    page.click("#lesson-2-c > summary")
    page.check('[data-tick="2.c"]')
    page.fill('[data-note="2.c"]', "week five")
    page.reload()
    assert page.is_checked('[data-tick="2.c"]'), "kept in the browser's storage"
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        worst, where = worst_contrast(page)
        assert worst >= 4.5, f"contrast {worst:.2f} of {where}"
    with page.expect_download() as download:
        page.click("#export")
    exported = learner.folder.parent / "exported.json"
    download.value.save_as(exported)
    _import(page, learner, exported)
    assert page.console_errors == []


def _import(page, learner: Learner, exported: Path) -> None:
    found, kept = read_progress(exported), learner.progress
    assert found is not None and kept is not None
    assert (found.seed, found.attempts, found.ticks) == (kept.seed, kept.attempts, ["2.c"])
    assert found.notes == {**kept.notes, "2.c": "week five"}
    other = {**json.loads(exported.read_text()), "ticks": ["3.a"], "attempts": []}
    for text, said in (
        (json.dumps(other), "1 attempts, 2 ticks"),
        (json.dumps({**other, "format": 99}), "has format 99"),
        ("{", "was not read"),
        ('{"seed": "x"}', "no progress file"),
    ):
        page.set_input_files("#import", {"name": "p.json", "mimeType": "application/json", "buffer": text.encode()})
        page.wait_for_function("text => document.getElementById('said').textContent.includes(text)", arg=said)


def test_tags_in_markdown_are_text() -> None:
    html = markdown_to_html("# A\n\n<script>x</script> [a](javascript:alert(1))\n\n| a |\n|---|\n| 1 |\n")
    assert "<script>" not in html and 'href="javascript' not in html and "<table>" in html
