"""Texts of the path: every exercise has its task, three hints and words for whatever its check may say."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

from reclens.learn.exercise import Draw, all_drills, all_exercises, all_projects
from reclens.report.learn.glossary import terms_in
from reclens.report.learn.path import PATH
from reclens.report.learn.portfolio_words import REFUSED
from reclens.report.learn.remarks import REMARKS, remark_sentence
from reclens.report.learn.remarks_audit import OF_AUDITS
from reclens.report.learn.remarks_portfolio import OF_PORTFOLIOS
from reclens.report.learn.remarks_production import OF_PRODUCTION
from reclens.report.learn.tasks import hint_text, milestone_of, task_text, title_of
from reclens.report.learn.words import plain_links, task_with_words

EXERCISES = (*all_exercises(), *all_drills())
CODES = [each.code for each in EXERCISES]


@pytest.mark.parametrize("exercise", EXERCISES, ids=CODES)
def test_the_task_and_its_hints_name_what_was_drawn(exercise) -> None:
    facts = exercise.facts(Draw(3, exercise.code))
    texts = [task_text(exercise.code, facts), *(hint_text(exercise.code, number, facts) for number in (1, 2, 3))]
    assert len(set(texts)) == 4
    for text in texts:
        assert not re.search(r"[{}]|<!--", text)
    for file in exercise.files:
        assert f"`{file}`" in texts[0]
    assert f"reclens learn check {exercise.code}" in texts[0]
    assert title_of(exercise.code) and milestone_of(exercise.code).endswith(".")


@pytest.mark.parametrize("exercise", [*EXERCISES, *all_projects()], ids=lambda each: each.code)
def test_every_term_of_a_task_is_linked_where_it_first_stands_and_explained_below(exercise) -> None:
    task = task_text(exercise.code, exercise.facts(Draw(3, exercise.code)))
    terms = terms_in(re.sub(r"^[#>].*$", "", task, flags=re.MULTILINE))
    text = task_with_words(task)
    body, _, words = text.partition("\n## Words\n")
    for term in terms:
        assert f"- [{term.term}](#{term.slug}): {term.means}" in words
        link = f"](#{term.slug})"
        assert body.count(link) == 1, term.slug
        before = re.sub(r"```.*?```|`[^`]*`|^[#>].*?$", "", body.split(link)[0], flags=re.DOTALL | re.MULTILINE)
        assert term not in terms_in(before.rpartition("[")[0]), f"{term.slug} stands before its link"
    assert plain_links(body) == task, "links change no word, no code and no table"


def test_every_remark_that_a_check_can_make_has_a_sentence_with_its_facts() -> None:
    home = Path(inspect.getfile(type(EXERCISES[0]))).parent.parent
    made: dict[str, set[str]] = {}
    for path in home.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Remark":
                for code in re.findall(r"'(\w+)'", ast.unparse(node.args[0])):
                    keys = re.findall(r"'(\w+)':", ast.unparse(node)) if len(node.args) > 1 else []
                    made.setdefault(code, set()).update(keys)
    assert set(made) == {*REMARKS, *REFUSED}
    of_others = [*OF_AUDITS, *OF_PORTFOLIOS, *OF_PRODUCTION]
    assert len(of_others) == len(set(of_others)), "one code has two sentences"
    assert len(made) > 25


def test_remarks_are_sentences() -> None:
    facts = {"file": "matrix.sql", "missing": 1200, "extra": 0, "other": 3, "cells": 52000, "hidden": True}
    assert remark_sentence("cells_differ", facts) == (
        "matrix.sql differs from the rules on data that you have not seen: of 52,000 cells, 1,200 are missing and 3 "
        "have another value; 0 cells are there that should not be."
    )
    facts = {"file": "matrix.sql", "rule": "duplicates"}
    assert remark_sentence("as_if_without", facts) == (
        "matrix.sql gives what a query gives that counts an event as often as it was sent."
    )
    assert remark_sentence("repeated_rows", {"file": "pairs.sql", "repeats": 1, "hidden": False}) == (
        "pairs.sql gives 1 row more than once."
    )


def test_phases_are_those_of_the_path_and_name_pages_that_exist(repository: Path) -> None:
    assert [each.number for each in PATH] == [1, 2, 3, 4, 5]
    assert sum(each.weeks for each in PATH) == 18
    assert [len(each.goals) for each in PATH] == [3] * 5
    missing = [page for each in PATH for page in each.rooms if not (repository / "docs" / page).exists()]
    assert not missing
