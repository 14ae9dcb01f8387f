"""Cards at the top of pages: the decision, then the findings, each with a small picture and a link."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from reclens.dashboard import seen
from reclens.dashboard.advice import PAGE_TEXTS, field_of
from reclens.dashboard.colours import theme
from reclens.dashboard.links import lead, leads_of
from reclens.dashboard.scene import MANY, Scene
from reclens.dashboard.widgets import folded, plain
from reclens.evaluation.decision import Decision
from reclens.findings import Finding
from reclens.report._toolkit.card import DecisionWords
from reclens.report._toolkit.format import decimal, whole
from reclens.report._toolkit.static_theme import PAPER
from reclens.report.evaluation.cells import as_data_uri, domain_of, interval_svg, share_svg
from reclens.report.evaluation.decision_words import decision_in_words
from reclens.report.evaluation.findings import finding_text

__all__ = ["decision_card", "finding_cards", "more", "say_tested", "words_card"]

SHOWN: Final = 3
"""Findings and sentences that are seen at once; the others are folded away."""

_TONES: Final = ("good", "open", "bad")
"""Tones that have a colour of their own: green, amber, red; a note has none."""

_SEVERITIES: Final = {
    "critical": ("bad", "Numbers may be wrong"),
    "warning": ("open", "To act on"),
    "note": ("note", "Good to know"),
}
_ORDER: Final = tuple(_SEVERITIES)


def decision_card(found: Decision) -> None:
    """Draw the recommendation: its lift, who loses, the cost and the certainty."""
    row = found.lift
    lift = None if row is None or row.low is None or row.high is None else (row.difference, row.low, row.high)
    words_card(decision_in_words(found), lift)


def words_card(words: DecisionWords, lift: tuple[float, float, float] | None = None) -> None:
    """Draw a card of text, with a picture of the lift and its interval if given."""
    seen.text("decision", [words.about, words.headline, *(f"{label}: {text}" for label, text in words.lines)])
    lines = "".join(
        f"<div><dt>{html.escape(label)}</dt><dd>{html.escape(text)}</dd></div>" for label, text in words.lines
    )
    picture = "" if lift is None else _interval(*lift, _colour(words.tone), width=220)
    st.html(
        f'<section class="decision" style="--tone:{_colour(words.tone)}" aria-label="Decision">'
        f"<p>{html.escape(words.about)}</p><h2>{html.escape(words.headline)}</h2>{picture}<dl>{lines}</dl></section>"
    )


def finding_cards(found: Sequence[Finding], *, runs: Sequence[str], key: str) -> None:
    """Draw the findings, most urgent first; those beyond three are collapsed."""
    ordered = sorted(found, key=lambda each: _ORDER.index(each.severity))
    seen.text(f"findings-{key}", [finding_text(each, field_of, PAGE_TEXTS) for each in ordered])
    for at, place in enumerate(st.columns(min(len(ordered), SHOWN)) if ordered else ()):
        with place:
            _card(ordered[at], runs, key=f"{key}-{at}")
    rest = ordered[SHOWN:]
    if rest:

        def draw() -> None:
            for start in range(0, len(rest), SHOWN):
                row = rest[start : start + SHOWN]
                for at, place in enumerate(st.columns(SHOWN)[: len(row)], start):
                    with place:
                        _card(rest[at], runs, key=f"{key}-{SHOWN + at}")

        folded(f"{len(rest)} more findings" if len(rest) > 1 else "1 more finding", draw, key=f"findings-{key}")


def say_tested(scene: Scene) -> None:
    """Name the system whose segments were tested if it is a single one."""
    if scene.segments_of is None or scene.comparison is None:
        return
    st.caption(
        f"Of these {whole(len(scene.results))} runs, segments were tested for {plain(scene.segments_of)} alone, "
        f"against {plain(scene.comparison.baseline)}; all runs were tested over all users. Of {MANY} runs or fewer the "
        "segments of each are tested."
    )


def more(sentences: Sequence[str], *, label: str, key: str) -> None:
    """Draw collapsed sentences."""
    if sentences:
        text = "\n".join(f"- {plain(each)}" for each in sentences)
        folded(label, lambda: st.markdown(text), key=key)


def _card(found: Finding, runs: Sequence[str], *, key: str) -> None:
    tone, said = _SEVERITIES[found.severity]
    text = finding_text(found, field_of, PAGE_TEXTS).rstrip(".")
    about = ", ".join(found.about)
    with st.container(border=True, gap="small", height="stretch"):
        st.html(
            f'<div class="finding" style="--tone:{_colour(tone)}"><b>{said}</b><span>{html.escape(about)}</span>'
            f"<p>{html.escape(text)}.</p>{_picture(found, _colour(tone))}</div>"
        )
        label, path, query = leads_of(found, runs)
        lead(label, path, query, icon=":material/arrow_forward:", key=key)


def _picture(found: Finding, colour: str) -> str:
    """Return the number of a finding with its interval, or its share; nothing if it has neither."""
    worth = found.estimate
    if worth is not None and worth.low is not None and worth.high is not None:
        return _interval(worth.value, worth.low, worth.high, colour)
    row: Any = found.evidence[0] if found.evidence else {}
    count, of = row.get("count"), row.get("of")
    if not count or not of:
        return ""
    said = f"{whole(count)} of {whole(of)}"
    return _image(share_svg(count / of, colour=colour, ground=PAPER[theme()]["line"], width=200), said)


def _interval(value: float, low: float, high: float, colour: str, *, width: int = 200) -> str:
    ends = domain_of([(value, low, high)], zero=True)
    ground = PAPER[theme()]["muted"]
    drawn = interval_svg(value, low, high, domain=ends, colour=colour, ground=ground, zero=True, width=width)
    return _image(
        drawn,
        f"{decimal(value, 4, signed=True)}, from {decimal(low, 4, signed=True)} to {decimal(high, 4, signed=True)}",
    )


def _image(svg: str, said: str) -> str:
    """Return a picture as a data URI, because Streamlit's filter removes inline drawings from text."""
    return f'<img src="{as_data_uri(svg)}" alt="{html.escape(said)}">'


def _colour(tone: str) -> str:
    return PAPER[theme()][tone if tone in _TONES else "muted"]
