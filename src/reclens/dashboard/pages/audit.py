"""Audit: which users and items a system treats worse; the opinion, then findings, charts and numbers."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlencode

import streamlit as st

from reclens.audit import Audit, AuditRow
from reclens.audit import compare as hold
from reclens.audit.rows import Section
from reclens.dashboard import audit_views, seen, store
from reclens.dashboard.cards import words_card
from reclens.dashboard.chart_cache import draw
from reclens.dashboard.colours import theme
from reclens.dashboard.isolated_parts import drawn_alone
from reclens.dashboard.navigation import Page
from reclens.dashboard.widgets import (
    bullets,
    chart,
    choose,
    choose_view,
    empty,
    folded,
    grid,
    plain,
    table,
)
from reclens.report._toolkit.card import DecisionWords, StatusTone
from reclens.report._toolkit.format import whole
from reclens.report._toolkit.html import Figure
from reclens.report._toolkit.static_theme import PAPER
from reclens.report.audit import charts, charts_users
from reclens.report.audit.comparison import comparison_sentence
from reclens.report.audit.document import stamps_of, tone_of
from reclens.report.audit.sections import item_attributes
from reclens.report.audit.sentences import (
    explained_sentence,
    finding_sentence,
    headline,
    overall_sentence,
    telling_gaps,
    top_findings,
)
from reclens.report.audit.tables import change_table, evidence_table, not_measured_table, tier_table
from reclens.report.audit.words import QUESTIONS, SECTIONS, crossed_caption, group_caption
from reclens.workspace import Workspace

__all__ = ["PAGE", "show"]

_TONES: Final[Mapping[StatusTone, str]] = {"bad": "bad", "warn": "open", "good": "good", "none": "muted"}
_LEADS: Final[Mapping[Section, str]] = {
    "exposure": "Items",
    "popularity": "Popularity",
    "users": "Users",
    "lists": "Users",
    "calibration": "Calibration",
    "position": "Position",
    "loop": "Loop",
    "two_sided": "Two sides",
}
"""The part of the page that shows the evidence of a criterion."""
_ALL: Final = "All groups"

_Shown = dict[str, tuple[str, Figure | None]]


def show(workspace: Workspace) -> None:
    """Draw the page."""
    st.title("Audit")
    st.caption("Who and what is treated worse by a system, by how much, and how sure that is.")
    kept = store.names(workspace, "audit")
    if not kept:
        empty(
            "No audit yet",
            "`reclens audit run audit.toml` audits the lists of any system and keeps the audit here; "
            "`reclens audit demo` shows one.",
            ":material/balance:",
        )
        return
    left, right = st.columns(2)
    with left:
        name = choose("Audit", kept, key="audit") or kept[0]
    audit: Audit = store.load(workspace, "audit", name)
    with right:
        group = choose("Groups", [_ALL, *_groups(audit)], key="by") or _ALL
    _opinion(audit, name)

    def draw_part() -> None:
        part = choose_view(tuple(_PARTS), key="part", label="Part")
        if part == "Compare":
            _compare(workspace, audit, [each for each in kept if each != name])
        elif part == "Look closer":
            audit_views.closer(workspace, audit)
        else:
            _PARTS[part](audit, group)

    drawn_alone(workspace, draw_part)
    audit_views.downloads(audit, name)


def _groups(audit: Audit) -> list[str]:
    """Return the segmentations of users, then the attributes of items."""
    by = dict.fromkeys(row.by for row in audit.rows if row.by != "overall")
    return [*by, *(each for each in item_attributes(audit) if each not in by)]


def _opinion(audit: Audit, name: str) -> None:
    """Draw the overall opinion, a linked stamp for each criterion, then the top findings."""
    about = f"{audit.system} · {whole(audit.card['users'])} users · lists of {audit.card['settings']['k']}"
    words_card(DecisionWords(about, f"{headline(audit)}.", tone_of(audit), ()))
    colours = PAPER[theme()]
    stamps = "".join(
        f'<li style="--tone:{colours[_TONES[stamp.tone]]}">'
        f'<a href="audit?{urlencode({"audit": name, "part": _LEADS[section] if audit.section(section) else "Scope"})}" '
        f'target="_self"><b>{html.escape(stamp.verdict)}</b><strong>{html.escape(stamp.title)}</strong>'
        f"<small>{html.escape(stamp.note)}</small></a></li>"
        for section, stamp in zip(audit.opinions, stamps_of(audit), strict=True)
    )
    st.html(f'<ul class="stamps" aria-label="Opinion on each criterion">{stamps}</ul>')
    found = [finding_sentence(audit, each) for each in top_findings(audit)]
    seen.text("opinion", [overall_sentence(audit), *found])
    bullets(found or ["No gap was found that is critical, high, medium or low."])


def _of(audit: Audit, group: str, *sections: str) -> list[AuditRow]:
    """Return the rows of some criteria for the chosen groups."""
    rows = [row for row in audit.rows if row.section in sections]
    return rows if group == _ALL else [row for row in rows if group in (row.by, row.attribute)]


def _attributes(audit: Audit, group: str) -> list[str]:
    known = item_attributes(audit)
    return [group] if group in known else known


def _beside(shown: _Shown) -> None:
    """Draw charts in two columns if there is room: key -> caption and chart."""
    for key, place in grid(list(shown), {key: drawn for key, (_, drawn) in shown.items()}):
        caption, drawn = shown[key]
        with place:
            chart(drawn, caption, key=key)


def _items(audit: Audit, group: str) -> None:
    st.caption(QUESTIONS["exposure"])
    shown: _Shown = {"lorenz": ("Concentration over single items", draw(charts.lorenz_chart, audit))}
    for name in _attributes(audit, group):
        caption = f"Exposure by {name}; dashed: parity"
        shown[f"merit-{name}"] = (caption, draw(charts.merit_chart, audit, attribute=name))
    _beside(shown)
    _beside(
        {
            f"stages-{name}": (charts.stage_caption(audit, name), draw(charts.stage_chart, audit, attribute=name))
            for name in _attributes(audit, group)
        }
    )
    _numbers(audit, group, "exposure")


def _popularity(audit: Audit, group: str) -> None:
    st.caption(QUESTIONS["popularity"])
    shown: _Shown = {"lift": ("Popularity lift by group of users (ΔGAP)", draw(charts.lift_chart, audit))}
    if "popularity" in item_attributes(audit):
        drawn = draw(charts.stage_chart, audit, attribute="popularity")
        shown["stages-tiers"] = (charts.stage_caption(audit, "popularity"), drawn)
    _beside(shown)
    if audit.bias:
        table(tier_table(audit), key="tiers")
    _numbers(audit, group, "popularity")


def _users(audit: Audit, group: str) -> None:
    st.caption(QUESTIONS["users"])
    rows = [row for row in _of(audit, group, "users", "lists") if group != _ALL or " × " not in row.by]
    shown: _Shown = {}
    for measure in sorted({row.measure for row in rows if not row.measure.startswith("stage_")}):
        drawn = draw(charts_users.measure_chart, audit, measure=measure, by=None if group == _ALL else group)
        shown[f"forest-{measure}"] = (f"{group_caption(measure)} of each group beside the others", drawn)
    _beside(shown)
    shown = {}
    for one, other in charts_users.crossed_pairs(audit):
        if group in (_ALL, one, other, f"{one} × {other}"):
            drawn = draw(charts_users.intersection_chart, audit, one=one, other=other)
            shown[f"cross-{one}-{other}"] = (crossed_caption(one, other), drawn)
    _beside(shown)
    told = telling_gaps([gap for gap in audit.adjusted if group in (_ALL, gap.by)])
    for at, gap in enumerate(audit.adjusted):
        if any(gap is one for one in told):
            chart(
                draw(charts_users.waterfall_of, audit, at=at),
                f"What explains the gap of {gap.segment}",
                key=f"gap-{at}",
            )
            st.caption(plain(explained_sentence(gap)))
    _numbers(audit, group, "users", "lists")


def _calibration(audit: Audit, group: str) -> None:
    st.caption(QUESTIONS["calibration"])
    _beside(
        {
            f"calibration-{name}": (
                f"Histories and lists by {name}",
                draw(charts.calibration_chart, audit, attribute=name),
            )
            for name in _attributes(audit, group)
        }
    )
    _numbers(audit, group, "calibration")


def _scope(audit: Audit, group: str) -> None:
    del group
    if audit.not_measured:
        table(not_measured_table(audit), key="missing")
    idle = [SECTIONS[section] for section, opinion in audit.opinions.items() if opinion == "not_measured"]
    bullets([f"Not measured: {each}" for each in idle])
    checks = audit.preflight.checks
    st.caption(f"{whole(sum(each.passed for each in checks))} of {whole(len(checks))} checks of the harness passed.")


def _numbers(audit: Audit, group: str, *sections: str) -> None:
    rows = _of(audit, group, *sections)
    if rows:
        folded("All numbers", lambda: table(evidence_table(rows, most=len(rows)), key="numbers"), key="numbers")


def _compare(workspace: Workspace, audit: Audit, others: list[str]) -> None:
    other = choose("Before", others, key="before") if others else None
    if other is None:
        empty("Nothing to compare with", "Audit another system with the same groups: it stands here beside this one.")
        return
    found = hold(store.load(workspace, "audit", other), audit)
    st.markdown(f"**{plain(comparison_sentence(found))}**")
    chart(draw(charts.change_chart, found), "Impact ratios of both", key="changes")
    table(change_table(found), key="all-changes")


_PARTS: Final[Mapping[str, Callable[[Audit, str], None]]] = {
    "Items": _items,
    "Popularity": _popularity,
    "Users": _users,
    "Calibration": _calibration,
    "Position": audit_views.position,
    "Loop": audit_views.loop,
    "Two sides": audit_views.two_sided,
    "Mitigation": audit_views.mitigation,
    "Scope": _scope,
    "Compare": _scope,
    "Look closer": _scope,
}
"""What each part draws; the last two need the workspace and are drawn by functions of their own."""


PAGE = Page(title="Audit", icon=":material/balance:", section="Diagnose", order=35, show=show, path="audit")
