"""The part Exercises of the page Learn: the task, the answer, hints, and what the check says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import streamlit as st

from reclens.dashboard import seen
from reclens.dashboard.links import to_glossary
from reclens.dashboard.widgets import bullets, choose, folded, plain, table
from reclens.errors import DataError
from reclens.files import write_text
from reclens.learn.answers import MOST_BYTES
from reclens.learn.exercise import Exercise, all_drills, all_exercises, all_projects, exercise_of
from reclens.learn.learner import HINTS, Checked, Learner
from reclens.learn.lessons import all_lessons, lessons_before
from reclens.learn.notes import LONGEST_NOTE, set_note
from reclens.report.learn.lesson_text import lesson_title
from reclens.report.learn.sentences import checked_sentences
from reclens.report.learn.tables import attempt_table, state_of
from reclens.report.learn.tasks import milestone_of, title_of
from reclens.workspace import Workspace

__all__ = ["read_first", "show"]

_LANGUAGES: Final = {".toml": "toml", ".csv": "csv", ".sql": "sql", ".py": "python", ".md": "markdown"}
_LONGEST: Final = 60_000
"""Letters of an answer that is edited in the browser."""


def show(learner: Learner, workspace: Workspace) -> None:
    """Draw the part."""
    del workspace
    rows = {row["exercise"]: row for row in (*learner.standing(), *learner.drills(), *learner.projects())}
    exercises = {each.code: each for each in (*all_exercises(), *all_drills(), *all_projects())}

    def named(code: str) -> str:
        state = "" if state_of(rows[code]) == "not started" else f" ({state_of(rows[code])})"
        return f"{code} · {title_of(code)}{state}"

    codes = list(exercises)
    begin = learner.next() or codes[0]
    code = choose("Exercise, drill or project", codes, key="exercise", default=begin, format_func=named) or begin
    exercise = exercise_of(code)
    st.markdown(f"**{plain(milestone_of(code))}**")
    read_first(code)
    folder = learner.place(exercise)
    if not folder.is_dir():
        st.caption(f"About {exercise.minutes} minutes. Starting draws data for you and writes them into the workspace.")
        if st.button("Start", type="primary", icon=":material/play_arrow:", key=f"start-{code}"):
            with st.spinner("Drawing your data …"):
                learner.start(code)
            st.rerun()
        return
    _task(learner, exercise, folder)
    _answer(learner, exercise, folder)
    _history(learner, exercise)


def read_first(code: str) -> None:
    """Draw links to the lessons that prepare an exercise."""
    before = [each.code for each in all_lessons() if each.code == code] or lessons_before(code)
    if before:
        links = ", ".join(f"[{plain(f'{each} {lesson_title(each)}')}](?part=Lessons&lesson={each})" for each in before)
        st.markdown(f"Read first: {links}")


def _task(learner: Learner, exercise: Exercise, folder: Path) -> None:
    with st.container(border=True):
        st.markdown(to_glossary(re.sub(r"\A# .*\n\n> .*\n", "", learner.task(exercise.code))))
    others = sorted(each.name for each in folder.iterdir() if each.name != "README.md")
    st.caption(f"Folder {folder}: {', '.join(others)}")


def _answer(learner: Learner, exercise: Exercise, folder: Path) -> None:
    st.markdown("#### Your answer")
    texts: dict[str, str] = {}
    for name in exercise.files:
        text = _read(folder / name)
        language = _LANGUAGES.get(Path(name).suffix, "text")
        if text is None or len(text) > _LONGEST:
            st.caption(f"{name} is missing, no text or too long for this page. Edit it in its folder.")
        elif name.endswith(".py"):
            st.code(text, language=language)
            st.caption(f"{name} is a program: write it in an editor of your own, in its folder, and check it here.")
        else:
            texts[name] = st.text_area(name, value=text, height=260, key=f"edit-{exercise.code}-{name}")
    left, middle, right = st.columns(3)
    key = f"said-{exercise.code}"
    if left.button("Save and check", type="primary", icon=":material/task_alt:", key=f"check-{exercise.code}"):
        for name, text in texts.items():
            if len(text.encode()) <= MOST_BYTES and text != _read(folder / name):
                write_text(folder / name, text)
        with st.spinner("Checking on your data and on hidden draws …"):
            st.session_state[key] = _check(learner, exercise)
    hints = (learner.progress.hints if learner.progress else {}).get(exercise.code, 0)
    label = f"Hint {min(hints + 1, HINTS)} of {HINTS}"
    if middle.button(label, icon=":material/lightbulb:", key=f"hint-{exercise.code}", help="Hints are counted."):
        number, text = learner.hint(exercise.code)
        st.session_state[f"hint-text-{exercise.code}"] = (number, text)
    if right.button("Begin anew", icon=":material/restart_alt:", key=f"reset-{exercise.code}"):
        learner.reset(exercise.code)
        st.rerun()
    if f"hint-text-{exercise.code}" in st.session_state:
        number, text = st.session_state[f"hint-text-{exercise.code}"]
        st.info(f"**Hint {number} of {HINTS}** · {text.replace('$', chr(92) + '$')}", icon=":material/lightbulb:")
    if key in st.session_state:
        passed, lines = st.session_state[key]
        seen.text("check", lines)
        if passed:
            st.success(plain(lines[0]), icon=":material/check:")
        else:
            st.warning(plain(lines[0]), icon=":material/pending:")
        if lines[1:]:
            bullets([each.removeprefix("- ") for each in lines[1:]])


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes()[: MOST_BYTES + 1].decode("utf-8") if path.is_file() else None
    except (OSError, UnicodeDecodeError):
        return None


def _check(learner: Learner, exercise: Exercise) -> tuple[bool, list[str]]:
    try:
        done: Checked = learner.check(exercise.code)
    except DataError as error:
        return False, [str(error)]
    said = [(each.code, each.facts) for each in (*done.remarks, *done.notes)]
    lines = checked_sentences(exercise.code, said, done.attempt, passed=done.passed, redrawn=done.redrawn)
    return done.passed, lines


def _history(learner: Learner, exercise: Exercise) -> None:
    progress = learner.progress
    if progress is None:
        return
    mine = [each.model_dump(mode="json") for each in progress.attempts if each.exercise == exercise.code]
    if mine:
        table(attempt_table(mine), key="attempts")
    if exercise.code in progress.solved():
        folded("A right answer on your data", lambda: _solution(learner, exercise), key=f"solution-{exercise.code}")
    before = progress.notes.get(exercise.code, "")
    note = st.text_area(f"Notes on {exercise.code}", value=before, key=f"note-{exercise.code}", max_chars=LONGEST_NOTE)
    if note != before:
        set_note(learner, exercise.code, note)


def _solution(learner: Learner, exercise: Exercise) -> None:
    for name, text in learner.solution(exercise.code).items():
        st.markdown(f"**{plain(name)}**")
        st.code(text, language=_LANGUAGES.get(Path(name).suffix, "text"))
