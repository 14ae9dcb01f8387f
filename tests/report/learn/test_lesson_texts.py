"""Lessons and glossary as texts: every number is computed, every term is explained and linked where it first stands."""

from __future__ import annotations

import importlib.util
import re
import string
import sys
from pathlib import Path

import pytest

from reclens.learn.lessons import all_lessons
from reclens.report.learn.cards import KINDS, all_cards
from reclens.report.learn.glossary import all_terms, linked, terms_in
from reclens.report.learn.lesson_text import lesson_source, lesson_text, lesson_title
from reclens.report.learn.path import PATH
from reclens.report.learn.quiz import all_questions
from reclens.report.learn.words import plain_links, words_part

CODES = [each.code for each in all_lessons()]
CONSTANTS = r"95 %|80 %|(?<![\d.])[01](?!\d|\.\d)|0\.05|0\.5|[1-4] %"
"""Numbers that are definitions and no results: of intervals, powers, limits, the ends of a scale, and lifts."""
PARTS = ["What it is", "Why it matters", "On your numbers", "When it misleads", "Read on"]


@pytest.mark.parametrize("code", CODES)
def test_every_number_of_a_lesson_is_computed(code: str) -> None:
    source = lesson_source(code)
    assert source.startswith(f"# {code} · ")
    assert re.findall(r"^## (.+)$", source, re.MULTILINE) == PARTS
    body = source.partition("\n")[2].split("\n## Read on")[0]
    plain = re.sub(r"\{[^}]*\}|`[^`]*`|\(#[^)]*\)|BERT4Rec", "", body)
    assert not re.findall(r".{0,20}\d.{0,10}", re.sub(CONSTANTS, "", plain))


@pytest.mark.parametrize("code", ["1.c", "2.c", "4.a", "5.c"])
def test_a_lesson_names_every_fact_in_a_format_of_the_house(code: str) -> None:
    lesson = next(each for each in all_lessons() if each.code == code)
    facts = lesson.numbers(4).facts
    named = {name for _, name, _, _ in string.Formatter().parse(lesson_source(code)) if name}
    assert named == set(facts)
    text = lesson_text(code, facts)
    assert not re.search(r"[{}]|\d\.\d{5}|nan|None", text)


def test_goals_have_lessons_and_lessons_are_those_of_the_path() -> None:
    assert [code for phase in PATH for code in phase.lessons] == CODES
    assert all(len(phase.lessons) >= len(phase.goals) for phase in PATH)
    for code in CODES:
        goal = next(line for line in lesson_source(code).splitlines() if line.startswith("> "))
        assert lesson_title(code) and goal.endswith(".")


def test_a_term_is_linked_where_it_first_stands_on_the_path() -> None:
    met: set[str] = set()
    for code in CODES:
        text = lesson_source(code).split("\n## Read on")[0]
        links = {each.slug for each in linked(text)}
        first = {each.slug for each in terms_in(text)} - met
        assert first <= links, (code, first - links)
        met |= links
    assert {each.slug for each in all_terms()} - met <= {
        "bootstrap",
        "covariate",
        "cuped",
        "holm",
        "impression",
        "pareto-front",
        "user-knn",
        "welch",
    }, "terms that only exercises use"


def test_terms_lead_to_pages_that_exist(repository: Path) -> None:
    assert not [each.slug for each in all_terms() if not (repository / "docs" / each.page).exists()]
    names = [name.casefold() for each in all_terms() for name in (each.term, *each.also)]
    assert len(set(names)) == len(names)


def test_words_below_a_text_are_those_that_it_uses() -> None:
    part = words_part("An [arm](#arm) and a margin; ARM chips and `margin` are none.")
    assert [line.partition("]")[0] for line in part.splitlines() if line.startswith("- ")] == ["- [arm", "- [margin"]
    assert words_part("Nothing here.") == ""
    assert plain_links("An [arm](#arm) of [this](https://a.b).") == "An arm of [this](https://a.b)."


def test_cards_are_of_all_kinds_and_lead_to_lessons_and_exercises() -> None:
    cards = all_cards()
    assert {kind: sum(each.kind == kind for each in cards) for kind in KINDS} == dict.fromkeys(KINDS, 6)
    assert {each.lesson for each in cards} <= set(CODES)
    exercises = {code for each in all_lessons() for code in each.exercises}
    assert {each.exercise for each in cards} <= exercises
    assert all(each.question.endswith(("?", ".")) and len(each.answer.split()) > 20 for each in cards)


def test_the_quiz_asks_three_questions_of_each_phase() -> None:
    questions = all_questions()
    assert [each.phase for each in questions] == [phase for phase in range(1, 6) for _ in range(3)]
    for each in questions:
        assert len(set(each.options)) == 4
        assert each.lesson in PATH[each.phase - 1].lessons


def test_the_pages_of_the_documentation_are_computed(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(repository / "scripts")
    spec = importlib.util.spec_from_file_location("pages", repository / "scripts" / "make_learning_pages.py")
    assert spec is not None and spec.loader is not None
    pages = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "pages", pages)
    spec.loader.exec_module(pages)
    assert (repository / "docs/lessons.md").read_text(encoding="utf-8") == pages.lessons_page()
    assert (repository / "docs/glossary.md").read_text(encoding="utf-8") == pages.glossary_page(pages.lessons_of_term)
