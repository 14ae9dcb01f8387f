"""Sections of the Audit page with their own charts and choices: mitigation, loop, position, two sides, members."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import polars as pl
import streamlit as st

from reclens.audit import Audit
from reclens.audit.mitigate.trials import Trial
from reclens.audit.mitigate.who_pays import Side
from reclens.dashboard import seen, store
from reclens.dashboard.chart_cache import draw
from reclens.dashboard.links import lead
from reclens.dashboard.widgets import chart, choose, download, empty, folded, frame, grid, plain, table
from reclens.errors import WorkspaceError
from reclens.report._toolkit.format import between, decimal, percent, significant, whole
from reclens.report._toolkit.html import Figure
from reclens.report._toolkit.pdf import find_chromium, print_pdf
from reclens.report.audit import annexes, charts, charts_loop, charts_trials, charts_users, trials
from reclens.report.audit.document import AuditReport, build_audit_report
from reclens.report.audit.words import LIMITS, MITIGATIONS, QUESTIONS, measure_name
from reclens.schema import ITEM, USER
from reclens.workspace import Workspace

__all__ = ["closer", "downloads", "loop", "mitigation", "position", "two_sided"]

_NOBODY: Final = "Nothing"
_SHOWN: Final = 200
_OPENED: Final = 50
_SIDES: Final[tuple[tuple[Side, str], ...]] = (
    ("users", "Accuracy of groups of users"),
    ("items", "Exposure of groups of items"),
    ("items_within", "Exposure within groups of items"),
)


def mitigation(audit: Audit, group: str) -> None:
    """Draw the mitigations that were tried, the one that was chosen, and the cost of each strength."""
    del group
    tried = audit.mitigation
    if tried is None:
        empty(
            "No mitigation was tried",
            "`[mitigation]` in `audit.toml` sweeps re-rankers and weights of the training data against a gap, on "
            "validation: see `reclens audit plan --example`.",
            ":material/tune:",
        )
        return
    said = trials.choice_sentence(tried)
    seen.text("mitigation", [said])
    st.markdown(f"**{plain(said)}**")
    caption = "Accuracy lost against gap closed; the line is the Pareto front, the ring its knee, the square the choice"
    chart(draw(charts_trials.pareto_of, audit), caption, key="pareto")
    found = tried.validation.trials
    names = {_name(each.mitigation): each.mitigation for each in found if each.mitigation != "none"}
    picked = _name(tried.choice.mitigation) if tried.test is not None else next(iter(names))
    left, right = st.columns(2)
    with left:
        name = names[choose("Mitigation", list(names), key="mitigation", default=picked) or picked]
    own = {each.strength: (at, each) for at, each in enumerate(found) if each.mitigation == name}
    with right:
        at, trial = own[_strength(name, list(own), tried.choice.strength)]
    chosen = tried.test is not None and (name, trial.strength) == (tried.choice.mitigation, tried.choice.strength)
    _price(trial, tried.validation.metric, "on validation")
    if chosen and tried.test is not None:
        _price(tried.test, tried.validation.metric, "on test, looked at once")
    drawn = {told: draw(charts_trials.dumbbells_of, audit, at=at, side=side, tested=chosen) for side, told in _SIDES}
    for told, place in grid(list(drawn), drawn):
        with place:
            chart(drawn[told], f"{told}, before and after", key=f"dumbbell-{told}")
    shown = tried.test if chosen and tried.test is not None else trial
    folded("Who pays", lambda: table(trials.payer_table(shown), key="payers"), key="payers")
    folded("All trials", lambda: table(trials.trial_table(tried.validation), key="trials"), key="trials")
    if tried.loop:
        folded("The long run", lambda: table(trials.long_run_table(tried), key="long-run"), key="long-run")


def _name(name: str) -> str:
    return MITIGATIONS.get(name, name)


def _strength(name: str, strengths: list[float], chosen: float) -> float:
    """Return the strength on the slider; a strength in the URL is kept."""
    begin = chosen if chosen in strengths else strengths[0]
    if len(strengths) < 2:
        st.caption(f"Strength: {significant(begin)}, the only one that was tried.")
        return begin
    told = {significant(each): each for each in strengths}
    found = st.select_slider(
        "Strength", list(told), value=significant(begin), key=f"strength-{name}", bind="query-params"
    )
    seen.choice("Strength", found)
    return told[found]


def _price(trial: Trial, metric: str, where: str) -> None:
    """Draw three numbers: the cost, the gap that is closed, and whether closing it harms both sides."""
    st.caption(plain(f"{charts_trials.trial_name(trial)}, {where}"))
    cells = (
        (f"{metric} lost", decimal(trial.accuracy_lost.value, 4, signed=True), between(trial.accuracy_lost)),
        ("Gap closed", percent(trial.share_closed, 0), between(trial.gap_closed)),
        ("Levels down", trials.LEVELLING[trial.levelling_down], "The gap is smaller because both sides have less."),
    )
    for place, (label, value, told) in zip(st.columns(3), cells, strict=True):
        place.metric(label, value, help=plain(told))
    seen.text(f"price-{where}", [f"{label}: {value} ({told})" for label, value, told in cells])


def loop(audit: Audit, group: str) -> None:
    """Draw the effect of the feedback loop over its rounds for the chosen groups."""
    st.caption(QUESTIONS["loop"])
    if audit.loop is None:
        empty(
            "No feedback loop was simulated",
            "`[model]` and `[loop]` in `audit.toml` let the model learn from what it showed, in a world that is fitted "
            "to the training data.",
            ":material/sync:",
        )
        return
    by = group if group in {each.by for each in audit.loop.points} else None
    drawn: dict[str, Figure | None] = {
        measure_name(f"loop_{each}"): draw(charts_loop.loop_chart, audit, measure=each, by=by)
        for each in charts_loop.loop_measures(audit)
    }
    for told, place in grid(list(drawn), drawn):
        with place:
            chart(drawn[told], f"{told[0].upper()}{told[1:]}", key=f"loop-{told}")
    trends = annexes.trend_table(audit)
    if trends is not None:
        folded("Change a round", lambda: table(trends, key="trends"), key="trends")
    st.caption(LIMITS["loop"])


def position(audit: Audit, group: str) -> None:
    """Draw how often each position is looked at."""
    del group
    st.caption(QUESTIONS["position"])
    found = audit.position
    if found is None:
        empty(
            "No log of impressions",
            "`[data] log` in `audit.toml` names one, with user_id, item_id, position and clicked.",
            ":material/visibility:",
        )
        return
    said = annexes.identified_sentence(found)
    seen.text("position", [said])
    st.markdown(plain(said))
    chart(draw(charts.examination_chart, audit), "Attention by position; dashed: clicks alone", key="examination")
    folded("All positions", lambda: table(annexes.examination_table(found), key="positions"), key="positions")


def two_sided(audit: Audit, group: str) -> None:
    """Draw the annex, which does not affect the decision."""
    st.caption(QUESTIONS["two_sided"])
    rows = audit.section("two_sided")
    if not rows:
        empty("Not measured", "`two_sided = true` in `[audit]` of `audit.toml` adds it.", ":material/join:")
        return
    st.warning(plain(LIMITS["two_sided"]))
    joint, other = annexes.joint_table(rows), annexes.described_table(rows)
    if joint is not None:
        table(joint, key="joint")
    drawn = draw(charts_users.disparity_chart, audit, by=group)
    chart(drawn, "Bias disparity: lists beside histories", key="disparity")
    if other is not None:
        folded("Other numbers", lambda: table(other, key="other"), key="other")


def downloads(audit: Audit, name: str) -> None:
    """Draw downloads: the report as HTML, as PDF if a browser can print it, and all numbers as CSV."""

    def report() -> AuditReport:
        return build_audit_report(audit, synthetic=bool(audit.card.get("synthetic")))

    st.subheader("Report", divider=False)
    places = st.columns(3)
    with places[0]:
        made: Callable[[], str] = lambda: report().written.html.html  # noqa: E731
        download("Report as HTML", made, f"{name}.html", "text/html", key="download-audit")
    with places[1]:
        if find_chromium() is None:
            st.caption("No PDF: there is no Chromium on the machine of this page.")
        else:
            download("Report as PDF", lambda: _printed(report()), f"{name}.pdf", "application/pdf", key="download-pdf")
    with places[2]:
        download("Numbers as CSV", lambda: report().numbers, f"{name}.csv", "text/csv", key="download-csv")


def _printed(report: AuditReport) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        page = report.written.html.save(Path(folder) / "audit.html")
        printed = print_pdf(page, Path(folder) / "audit.pdf")
        if printed.path is None:
            raise WorkspaceError(f"the browser did not print the report ({printed.detail}).")
        return printed.path.read_bytes()


def closer(workspace: Workspace, audit: Audit) -> None:
    """Draw the users of a group with their numbers, or its items, with a link to each."""
    splits = store.names(workspace, "split")
    split = choose("Split", splits, key="split") if splits else None
    if split is None:
        empty(
            "No split", "Users and items are looked at through a split of the workspace, which holds their attributes."
        )
        return
    st.caption("Choose a group: its users, those served worst first, or its items, and a way to each of them.")
    train = store.load(workspace, "split", split).train
    for side, key, page, data in (("users", USER, "users", train.users), ("items", ITEM, "items", train.items)):
        own = train.segments if side == "users" else None
        tables = [each for each in (audit.users if side == "users" else None, own, data) if each is not None]
        places = _places(audit, tables, key)
        picked = choose(f"Group of {side}", [_NOBODY, *places], key=f"group-{side}", default=_NOBODY)
        if picked in (None, _NOBODY):
            continue
        members = places[picked]()
        st.caption(f"{whole(len(members))} {side} of {plain(picked)}{_order(side, len(members))}")
        frame(_described(audit, members, key), key=f"members-{side}")
        known = [str(each) for each in members[key].head(_OPENED)]
        one = choose(f"One of the {side}", known, key=f"one-{side}")
        if one is not None:
            query = {"user" if side == "users" else "item": one, "split": split}
            lead(f"Open {plain(one)}", page, query, icon=":material/search:", key=f"open-{side}")


def _order(side: str, n: int) -> str:
    more = f", the first {whole(_SHOWN)} of them" if n > _SHOWN else ""
    return f"; those served worst first{more}" if side == "users" else more


def _described(audit: Audit, members: pl.DataFrame, key: str) -> pl.DataFrame:
    """Return the members with ids as text; users also have their numbers."""
    wanted = [key, *(name for name in members.columns if key == USER and name in _metrics(audit))]
    if key == ITEM:
        wanted = [name for name in members.columns if not isinstance(members.schema[name], pl.Struct)]
    return members.head(_SHOWN).select(wanted).with_columns(pl.col(key).cast(pl.String))


def _metrics(audit: Audit) -> list[str]:
    return [name for name, kind in audit.users.schema.items() if kind.is_float()]


def _places(audit: Audit, tables: list[pl.DataFrame], key: str) -> dict[str, Callable[[], pl.DataFrame]]:
    """Return the audited groups of one side by name, with their members."""
    found: dict[str, Callable[[], pl.DataFrame]] = {}
    for row in audit.rows:
        name, label = (row.by, row.segment) if key == USER else (row.attribute, row.group)
        at = next((each for each in tables if name in each.columns), None)
        if name is None or label is None or at is None or row.section in ("loop", "two_sided"):
            continue
        found.setdefault(
            f"{name}: {label}", lambda at=at, name=name, label=label: _members(audit, at, name, label, key)
        )
    return found


def _members(audit: Audit, rows: pl.DataFrame, name: str, label: str, key: str) -> pl.DataFrame:
    column = pl.col(name)
    inside = column.list.contains(label) if isinstance(rows.schema[name], pl.List) else column.cast(pl.String) == label
    found = rows.filter(inside)
    worst = next((each for each in _metrics(audit) if each in found.columns), None)
    return found if key == ITEM or worst is None else found.fill_nan(None).sort(worst, nulls_last=True)
