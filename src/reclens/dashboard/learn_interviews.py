"""The part Interviews of the page Learn: scenarios, flash cards, and a mock interview of thirty minutes."""

from __future__ import annotations

import time
from typing import Any, Final

import streamlit as st

from reclens.dashboard import seen
from reclens.dashboard.links import to_glossary
from reclens.dashboard.widgets import bullets, chart, choose, choose_view, plain, table
from reclens.learn.exercise import all_interviews
from reclens.learn.interview import (
    MINUTES,
    answer_scenario,
    ask_scenario,
    due_cards,
    grade_card,
    keep_mock,
    mock_steps,
    scenario_of,
)
from reclens.learn.interviews.scenario import Scenario
from reclens.learn.learner import Learner
from reclens.report._toolkit.html import figure_of
from reclens.report.learn.cards import KINDS, card_of
from reclens.report.learn.charts import scenario_chart
from reclens.report.learn.interviewing import (
    QUESTIONS,
    choice_text,
    dashboard_tables,
    debrief_sentences,
    mock_sentences,
    mock_table,
)
from reclens.report.learn.tasks import title_of
from reclens.workspace import Workspace

__all__ = ["show"]

_MOCK: Final = "mock-interview"


def show(learner: Learner, workspace: Workspace) -> None:
    """Draw the part."""
    del workspace
    kind = choose_view(("Scenarios", "Flash cards", "Mock interview"), key="view", label="Kind")
    {"Scenarios": _scenarios, "Flash cards": _cards, "Mock interview": _mock}[kind](learner)


def _scenarios(learner: Learner) -> None:
    codes = [each.code for each in all_interviews()]
    code = choose("Scenario", codes, key="scenario", format_func=title_of) or codes[0]
    scenario = scenario_of(code)
    asked = f"asked-{code}"
    if asked not in st.session_state:
        st.caption(f"About {scenario.minutes} minutes. Each time you ask there is another world behind the dashboard.")
        if st.button("Ask me", type="primary", icon=":material/record_voice_over:", key=f"ask-{code}"):
            st.session_state[asked] = None
            st.rerun()
        return
    done = _scenario(learner, scenario, key=asked)
    if done is not None and st.button("Ask me another one", icon=":material/refresh:", key=f"again-{code}"):
        del st.session_state[asked]
        st.rerun()


def _scenario(learner: Learner, scenario: Scenario, *, key: str) -> bool | None:
    """Draw a question and its form, then the debrief; whether the answer was right, or None before there is one."""
    kept: dict[str, Any] = st.session_state.get(key) or {}
    if not kept:
        dashboard = ask_scenario(learner, scenario)
        text = to_glossary(learner.task(scenario.code))
        drawn, caption = scenario_chart(dashboard.tables)
        kept = {
            "text": text.partition("`reclens learn interview")[0],
            "chart": figure_of(drawn, caption),
            "tables": dashboard_tables(dashboard.tables),
        }
        st.session_state[key] = kept
    st.markdown(f"#{kept['text']}")
    chart(kept["chart"], kept["chart"].caption, key=scenario.code)
    for at, shown in enumerate(kept["tables"]):
        table(shown, key=f"{scenario.code}-{at}")
    if "done" not in kept:
        with st.form(f"answer-{key}"):
            given = {
                name: st.selectbox(QUESTIONS[name], options, index=None, format_func=choice_text, key=f"{key}-{name}")
                for name, options in scenario.choices.items()
            }
            sent = st.form_submit_button("Answer", type="primary")
        if not sent:
            return None
        if None in given.values():
            st.warning("Answer every question; a guess is better than silence.")
            return None
        kept["done"] = answer_scenario(learner, scenario, {name: str(each) for name, each in given.items()})
        st.rerun()
    done = kept["done"]
    lines = debrief_sentences(done.given, done.right)
    seen.text("debrief", lines)
    (st.success if done.passed else st.warning)(plain(lines[0]))
    bullets(lines[1:])
    return bool(done.passed)


def _cards(learner: Learner) -> None:
    kinds = ["all", *KINDS]
    kind = choose("Kind", kinds, key="kind", format_func=lambda each: KINDS.get(each, "All kinds")) or "all"
    code = due_cards(learner.progress, None if kind == "all" else kind)[0]
    known = _card(code, key="card")
    if known is not None:
        grade_card(learner, code, known=known)
        st.rerun()


def _card(code: str, *, key: str) -> bool | None:
    """Draw a card; how the learner grades the answer, once it was."""
    card = card_of(code)
    with st.container(border=True):
        st.caption(KINDS[card.kind])
        st.markdown(f"#### {plain(card.question)}")
        opened = f"{key}-open"
        if st.session_state.get(opened) != code:
            st.caption("Answer aloud, then look.")
            if st.button("Show the answer", key=f"{key}-show-{code}"):
                st.session_state[opened] = code
                st.rerun()
            return None
        st.markdown(plain(card.answer))
        st.markdown(
            f"[Lesson {card.lesson}](?part=Lessons&lesson={card.lesson}) · "
            f"[Exercise {card.exercise}](?part=Exercises&exercise={card.exercise})"
        )
        left, right = st.columns(2)
        good = left.button("I knew it", icon=":material/thumb_up:", key=f"{key}-good-{code}")
        bad = right.button("Not yet", icon=":material/thumb_down:", key=f"{key}-bad-{code}")
    return True if good else False if bad else None


def _mock(learner: Learner) -> None:
    state: dict[str, Any] | None = st.session_state.get(_MOCK)
    if state is None:
        st.markdown(
            f"Ten questions in {MINUTES} minutes: flash cards of every kind, which you grade as an interviewer would, "
            "and two scenarios, which the world grades. At the end stands what to learn next."
        )
        if st.button("Begin", type="primary", icon=":material/timer:", key="mock-begin"):
            with learner.changing() as progress:
                steps = mock_steps(int(progress.seed, 16), len(progress.mocks))
            st.session_state[_MOCK] = {"begun": time.time(), "steps": steps, "at": 0, "grades": {}}
            st.rerun()
        return
    if "kept" in state:
        _summary(state)
        return
    steps, at = state["steps"], state["at"]
    minutes = (time.time() - state["begun"]) / 60
    if at == len(steps) or minutes >= MINUTES:
        grades = {each.code: state["grades"].get(each.code) for each in steps}
        state["kept"] = keep_mock(learner, grades, min(minutes, MINUTES))
        st.rerun()
    step = steps[at]
    left = max(0, round(MINUTES - minutes))
    st.progress(at / len(steps), text=f"Question {at + 1} of {len(steps)} · {left} minutes left")
    if step.scenario:
        grade = _scenario(learner, scenario_of(step.code), key=f"mock-{step.code}")
        if grade is None or not st.button("Next question", type="primary", key=f"next-{at}"):
            _stop(state)
            return
    else:
        grade = _card(step.code, key="mock-card")
        if grade is None:
            _stop(state)
            return
        grade_card(learner, step.code, known=grade)
    state["grades"][step.code] = grade
    state["at"] += 1
    st.rerun()


def _stop(state: dict[str, Any]) -> None:
    if st.button("End the interview", key="mock-stop"):
        state["at"] = len(state["steps"])
        st.rerun()


def _summary(state: dict[str, Any]) -> None:
    kept = state["kept"]
    lines = mock_sentences(kept.grades, kept.minutes, MINUTES)
    seen.text("mock", lines)
    bullets(lines)
    table(mock_table(kept.grades), key="mock")
    if st.button("Another one", icon=":material/refresh:", key="mock-again"):
        for name in [each for each in st.session_state if str(each).startswith("mock")]:
            del st.session_state[name]
        st.rerun()
