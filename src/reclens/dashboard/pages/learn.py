"""Learn: the path of the job, its lessons, exercises and interviews, on data of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import streamlit as st

from reclens.dashboard import learn_exercises, learn_interviews, seen, store
from reclens.dashboard.chart_cache import draw
from reclens.dashboard.links import lead, to_glossary
from reclens.dashboard.navigation import Page
from reclens.dashboard.widgets import bullets, chart, choose, choose_view, download, folded, plain, table
from reclens.learn.learner import Learner
from reclens.learn.notes import LONGEST_NOTE, set_note, set_tick
from reclens.learn.placement import questions_of, take_quiz
from reclens.learn.reading import EXAMPLE_SEED, Reading, read_lesson
from reclens.report.learn.charts import lesson_caption, lesson_chart
from reclens.report.learn.glossary import all_terms
from reclens.report.learn.interviewing import placement_sentences
from reclens.report.learn.lesson_text import lesson_title
from reclens.report.learn.path import PATH
from reclens.report.learn.sentences import PROOF, next_sentences, progress_sentence
from reclens.report.learn.tables import exercise_table
from reclens.workspace import Workspace

__all__ = ["PAGE", "show"]


def show(workspace: Workspace) -> None:
    """Draw the page."""
    st.title("Learn")
    st.caption("The job of an analyst, step by step: every exercise is on data of your own and checked by machine.")
    learner = Learner(workspace.folder)
    part = choose_view(tuple(_PARTS), key="part", label="Part")
    if part in _DRAWN:
        store.show_synthetic("learn")
    _PARTS[part](learner, workspace)


def _path(learner: Learner, workspace: Workspace) -> None:
    rows, drills = learner.standing(), learner.drills()
    progress = learner.progress
    ticks = len(progress.ticks) if progress else 0
    said = progress_sentence(sum(row["solved"] for row in rows), len(rows), sum(row["solved"] for row in drills), ticks)
    seen.text("headline", [said])
    st.markdown(f"**{plain(said)}**")
    code = learner.next()
    title, *lines = next_sentences(code)
    with st.container(border=True):
        st.markdown(f"**Next: {plain(title)}**")
        for line in lines[:2]:  # the others are commands
            st.markdown(plain(line))
        learn_exercises.read_first(code or "")
        if progress is None:
            st.markdown("Nothing is begun yet: `reclens learn start`, or the part Exercises, draws data for you.")
        if code is not None:
            lead("Do it here", "learn", {"part": "Exercises", "exercise": code}, key="next")
    _stamps(rows)
    st.caption(PROOF)
    folded("Where to start: fifteen questions", lambda: _quiz(learner), key="quiz", icon=":material/quiz:")
    table(exercise_table([*rows, *drills, *learner.projects()]), key="exercises")
    for phase in PATH:
        title = f"Phase {phase.number} · {phase.title}"
        folded(title, lambda number=phase.number: _phase(number), key=f"phase-{phase.number}")
    download(
        "The whole path as one page",
        lambda: _whole_page(workspace),
        "learn.html",
        "text/html",
        key="learn-page",
        tip="One file for any browser: lessons, flash cards and glossary, with ticks and notes kept in the browser.",
    )


def _whole_page(workspace: Workspace) -> str:
    from reclens.learn.standalone import build_page

    return build_page(workspace.folder).html


def _stamps(rows: list[dict[str, object]]) -> None:
    items: list[str] = []
    for phase in PATH:
        mine = [row for row in rows if str(row["exercise"]).startswith(f"{phase.number}.")]
        done = sum(bool(row["solved"]) for row in mine)
        first = next((row["exercise"] for row in mine if not row["solved"]), mine[0]["exercise"])
        tone = "#1a7f37" if done == len(mine) else "#bf8700" if done else "#8c959f"
        items.append(
            f'<li><a href="?part=Exercises&amp;exercise={first}" target="_self" style="--tone:{tone}">'
            f"<b>Phase {phase.number} · {done} of {len(mine)}</b><strong>{phase.title}</strong>"
            f"<small>{phase.weeks} weeks</small></a></li>"
        )
    st.html(f'<ul class="stamps">{"".join(items)}</ul>')


def _phase(number: int) -> None:
    phase = PATH[number - 1]
    st.markdown("**Goals**")
    bullets(phase.goals)
    st.markdown("**Lessons**")
    st.markdown(
        "\n".join(
            f"- [{plain(f'{code} · {lesson_title(code)}')}](?part=Lessons&lesson={code})" for code in phase.lessons
        )
    )
    st.markdown("**Read on**")
    bullets(phase.reading)


def _quiz(learner: Learner) -> None:
    progress = learner.progress
    seed = EXAMPLE_SEED if progress is None else int(progress.seed, 16)
    if progress is None:
        with learner.changing() as begun:  # so that the order of the answers stays
            seed = int(begun.seed, 16)
    asked = questions_of(seed)
    with st.form("quiz"):
        chosen = [
            st.radio(plain(f"{at}. {each.text}"), each.options, index=None, key=f"quiz-{each.code}")
            for at, each in enumerate(asked, 1)
        ]
        if st.form_submit_button("Show where to start"):
            places = [
                None if given is None else each.options.index(given) for each, given in zip(asked, chosen, strict=True)
            ]
            placed = take_quiz(learner, places)
            bullets(placement_sentences(placed.right, placed.start, sum(each.phase == 1 for each in asked)))


def _lessons(learner: Learner, workspace: Workspace) -> None:
    codes = [code for phase in PATH for code in phase.lessons]
    code = choose("Lesson", codes, key="lesson", format_func=lambda each: f"{each} · {lesson_title(each)}") or codes[0]
    reading = _reading(code, str(workspace.folder), _stamp(learner))
    if not reading.personal:
        st.caption("Numbers of an example. Yours come with the first exercise that you start.")
    head, mark, rest = reading.body.partition("## When it misleads")
    left, _ = st.columns([3, 1])
    with left:
        st.markdown(to_glossary(f"#{head}"))
        bars = [(each.label, each.value, each.low, each.high) for each in reading.bars]
        chart(draw(lesson_chart, code, bars=bars), lesson_caption(code), key=f"lesson-{code}")
        st.markdown(to_glossary(mark + rest))
        if reading.own is not None:
            st.markdown("## In your workspace")
            table(reading.own, key="own")
        st.markdown(to_glossary(reading.after))
        _own_marks(learner, code)


def _stamp(learner: Learner) -> str:
    progress = learner.progress
    return "" if progress is None else progress.seed


@st.cache_resource(show_spinner="Computing the numbers of the lesson …", max_entries=32, ttl=60)
def _reading(code: str, folder: str, seed: str) -> Reading:
    del seed
    return read_lesson(code, folder)


def _own_marks(learner: Learner, code: str) -> None:
    progress = learner.progress
    ticked = progress is not None and code in progress.ticks
    on = st.checkbox("I have read this lesson", value=ticked, key=f"tick-{code}")
    if on != ticked:
        set_tick(learner, code, on=on)
    before = "" if progress is None else progress.notes.get(code, "")
    note = st.text_area(f"Notes on {code}", value=before, key=f"note-{code}", max_chars=LONGEST_NOTE)
    if note != before:
        set_note(learner, code, note)


def _glossary(learner: Learner, workspace: Workspace) -> None:
    del learner, workspace
    slugs = [each.slug for each in all_terms()]
    names = {each.slug: each.term for each in all_terms()}
    asked = choose("Term", ["", *slugs], key="term", format_func=lambda each: names.get(each, "all terms")) or ""
    shown = [each for each in all_terms() if asked in ("", each.slug)]
    seen.text("glossary", [f"{each.term}: {each.means}" for each in shown])
    for each in shown:
        st.markdown(f"**{plain(each.term)}**  \n{plain(each.means)}", help=f"docs/{each.page}")


_DRAWN: Final = ("Lessons", "Exercises", "Interviews")
"""Parts that show data which were drawn for the learner."""

_PARTS: Final[Mapping[str, Callable[[Learner, Workspace], None]]] = {
    "Path": _path,
    "Lessons": _lessons,
    "Exercises": learn_exercises.show,
    "Interviews": learn_interviews.show,
    "Glossary": _glossary,
}


PAGE = Page(title="Learn", icon=":material/school:", section="Learn", order=90, show=show, path="learn")
