"""The weekly report and notices of a watched shop made by hand: what they say, how large they are, what is escaped."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from reclens.monitor.health import History
from reclens.monitor.records import DataCheck, GateResult, Notice, SeriesKey
from reclens.monitor.week import Week, week_of
from reclens.report._toolkit.document import RenderedDocument
from reclens.report.monitor import charts
from reclens.report.monitor.document import build_weekly_report
from reclens.report.monitor.notices import notice_words
from reclens.report.monitor.sentences import (
    annotation_sentence,
    check_sentence,
    day_sentence,
    gate_sentence,
    gravest_first,
    incident_sentence,
    incident_title,
    status_sentence,
    why_sentences,
)
from reclens.report.monitor.tables import gate_days_table, incident_table, trail_table
from reclens.report.monitor.weekly import changed, next_steps, week_card

NOTHING_ALIKE = "Nothing is compared: no weekday has data that passed in both weeks."
DROP = "Click-through rate of home (surface) is below its band"


@pytest.fixture(scope="module")
def week(watched: ModuleType) -> Week:
    incidents = [watched.resolved(), watched.of_gate(), watched.drop("acknowledged")]
    return week_of(watched.days(), watched.LAST, incidents=incidents)


@pytest.fixture(scope="module")
def report(week: Week) -> RenderedDocument:
    return build_weekly_report(week)


def test_the_report_says_what_happened_first_and_what_comes_next_last(report: RenderedDocument) -> None:
    heads = re.findall(r"^## (.+)$", report.markdown, re.M)
    assert heads == [
        "What happened",
        "Trends",
        "Click-through rate of home (surface) is below its band",
        "Incidents",
        "Data quality",
        "Experiments and deploys",
        "What to look at next",
        "Slices that changed",
    ]
    first = report.markdown.split("## Trends")[0]
    assert "Act: 1 critical incident not resolved." in first
    # 0.066 was expected and 0.0264 less was seen: 3.96 %, which is 40 % below.
    assert "3.96% where 6.60% was expected (-40.0%), since 5 Mar 2026 (4 days); 50% of the traffic" in first
    assert "Acknowledged by ann." in first and "6 of 7 days passed their checks" in first


def test_the_report_is_small_opens_offline_and_escapes_what_people_wrote(report: RenderedDocument) -> None:
    page = report.html.html
    assert len(page.encode()) < 400_000 and "<script" not in page
    assert "<b>on home</b>" not in page and "&lt;b&gt;on home&lt;/b&gt;" in page
    assert r"\<b\>on home" in report.markdown
    assert "Synthetic data." in page
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page)


def test_the_report_counts_the_rows_of_the_log(week: Week) -> None:
    rows = week.numbers.head(2).with_columns(
        indicator=pl.Series(["traffic", "feature_nulls"]), dimension=pl.lit("overall"), n=pl.Series([140_000, 560_000])
    )
    text = build_weekly_report(replace(week, numbers=rows)).markdown
    assert "7 days · 2 indicators · 140,000 impressions" in text and "560,000 impressions" not in text


def test_slices_that_changed_alike_do_not_fill_the_table(week: Week) -> None:
    # Nine positions fell alike, the last ones most clearly; a surface fell, and another one may have stayed.
    row = week.numbers.row(0, named=True) | {"indicator": "ctr", "dimension": "position", "change": -0.01}
    fell = [row | {"slice": str(at), "low": -0.02 + at / 1000, "high": -at / 1000} for at in range(1, 10)]
    surface = row | {"dimension": "surface", "slice": "home", "low": -0.019, "high": -0.001}
    calm = surface | {"slice": "mail", "high": 0.001}
    numbers = pl.DataFrame([*fell, surface, calm], schema=week.numbers.schema)
    text = build_weekly_report(replace(week, numbers=numbers)).markdown.split("## Slices that changed")[1]
    assert "10 slices of 11 changed by more than noise" in text
    named = re.findall(r"^\| (Click-through rate of [^|]+?) \|", text, re.M)
    assert [re.sub("Click-through rate of ", "", each) for each in named] == [
        "position 9",
        "position 8",
        "position 7",
        "home (surface)",
    ]


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_the_charts_are_drawn_without_a_script(
    width: int, report: RenderedDocument, browser_page: Any, tmp_path: Path, worst_contrast: Any
) -> None:
    place = report.html.save(tmp_path / "week.html")
    browser_page.set_viewport_size({"width": width, "height": 900})
    for scheme in ("light", "dark"):
        browser_page.emulate_media(color_scheme=scheme)
        browser_page.goto(place.as_uri())
        drawn = browser_page.locator(".still svg")
        assert drawn.count() == 7
        boxes = [drawn.nth(at).bounding_box() for at in range(7)]
        assert all(box["width"] > 280 and box["x"] + box["width"] <= width for box in boxes)
        cut = """[...document.querySelectorAll(".still svg")].flatMap(svg => [...svg.querySelectorAll("text")]
            .filter(text => text.getBoundingClientRect().left < svg.getBoundingClientRect().left)
            .map(text => text.textContent))"""
        assert browser_page.evaluate(cut) == [], "no label is cut at the side"
        assert browser_page.evaluate("document.documentElement.scrollWidth") <= width
        assert worst_contrast(browser_page)[0] >= 4.5


def test_a_week_in_which_nothing_happened(watched: ModuleType) -> None:
    days = [each for each in watched.days() if each.day <= date(2026, 2, 1)]
    calm = week_of(days, date(2026, 2, 1))
    assert week_card(calm).tone == "good" and next_steps(calm) == ["Nothing needs a person."]
    text = build_weekly_report(calm).markdown
    assert "There was none." in text and "Every day passed its checks." in text


def test_a_week_with_days_that_were_not_run_is_not_called_well(watched: ModuleType) -> None:
    days = [each for each in watched.days() if each.day <= date(2026, 2, 1) and each.day != date(2026, 1, 29)]
    card = week_card(week_of(days, date(2026, 2, 1)))
    assert card.tone == "open" and ("Data", "6 of 7 days passed their checks; 1 day not run.") in card.lines


def test_a_change_is_of_the_days_that_both_weeks_have_and_says_so(watched: ModuleType, week: Week) -> None:
    (row,) = changed(week)
    # The data of Tuesday failed: rates are of 6 days of each week, by the clicks of the log.
    days = [each.detections.filter(indicator="ctr", dimension="overall").row(0, named=True) for each in watched.days()]
    now, then = (sum(days[at - back]["numerator"] for at in (-7, -5, -4, -3, -2, -1)) / 120_000 for back in (0, 7))
    assert (row["like"], row["like_before"]) == pytest.approx((now, then))
    text = build_weekly_report(week).markdown
    assert f"Click-through rate fell from {then:.2%} to {now:.2%}" in text
    assert f"{now / then - 1:.1%}, beside like days of the week before, 6 days of 7." in text
    assert "Changes are of Monday, Wednesday, Thursday, Friday, Saturday and Sunday alone" in text
    calm = week_of([each for each in watched.days() if each.day <= date(2026, 3, 1)], date(2026, 3, 1))
    assert "Changes are of" not in build_weekly_report(calm).markdown
    alone = week_of([each for each in watched.days() if each.day >= date(2026, 3, 2)], watched.LAST)
    assert changed(alone) == [] and ("Changed", f"{NOTHING_ALIKE}") in week_card(alone).lines


def test_a_week_of_which_nothing_is_judged_is_not_called_well(watched: ModuleType) -> None:
    first = [each for each in watched.days() if each.day < watched.FIRST + timedelta(days=7)]
    card = week_card(week_of(first, first[-1].day, incidents=[]))
    assert card.tone == "open" and card.headline.startswith("Nothing is judged")


def test_what_changed_leaves_zero_out_of_its_interval(week: Week) -> None:
    rows = changed(week)
    assert [row["indicator"] for row in rows] == ["ctr"]
    assert rows[0]["high"] < 0


def test_the_day_in_a_sentence(watched: ModuleType) -> None:
    days = {each.day: each for each in watched.days()}
    assert day_sentence(days[watched.FIRST]) == "Nothing is judged yet: 7 series of shop are warming up."
    assert day_sentence(days[date(2026, 2, 20)]) == "shop is well: all 7 series that are judged are in their bands."
    assert day_sentence(days[watched.FAILED]) == (
        "The data of the day failed: number of rows: 4,000, expected at least 12,000. "
        "7 series are therefore not judged."
    )
    assert day_sentence(days[watched.LAST]) == (
        "2 of 7 series are beyond their bands or drifting; 1 incident not resolved: 1 critical."
    )


def test_why_a_day_is_not_judged(watched: ModuleType) -> None:
    day = watched.days()[watched.DAYS - 20]
    said = {
        "excluded": "Nothing is judged: the day is a holiday, or an annotation takes shop out.",
        "noted_incident": "Nothing is judged: an incident elsewhere is noted for shop.",
        "no_value": "Nothing is judged: no series of shop has enough traffic or a value.",
    }
    for state, words in said.items():
        quiet = replace(day, detections=day.detections.with_columns(state=pl.lit(state)), incidents=())
        assert day_sentence(quiet) == words


def test_the_four_states_of_a_check_are_told_apart(watched: ModuleType) -> None:
    make = {"code": "not_null", "blocking": True, "column": "item_id", "rows": 200}
    said = {
        "passed": "Values that are missing in item_id: passed",
        "failed": "Values that are missing in item_id: 5%, expected at most 1%, 10 rows of 200",
        "errored": "Values that are missing in item_id: could not run",
        "not_evaluated": "Values that are missing in item_id: nothing to check",
    }
    more: dict[str, Any] = {"seen": 0.05, "bound": 0.01, "failed_rows": 10}
    for state, words in said.items():
        check = DataCheck(**make, state=state, **(more if state == "failed" else {}))  # type: ignore[arg-type]
        assert check_sentence(check) == words
    nothing = GateResult(day=watched.LAST, checks=(), state="not_evaluated")
    assert gate_sentence(nothing) == "There are no data of the day."
    idle = DataCheck(**make, state="not_evaluated")
    passed = gate_sentence(GateResult(day=watched.LAST, checks=(idle,), state="passed"))
    assert passed == "The data of the day passed their checks; 1 check had nothing to check."


def test_an_incident_is_called_by_what_happened_and_its_id_comes_last(watched: ModuleType) -> None:
    """On a phone, the first cell is the title of a card."""
    table = incident_table([watched.resolved(), watched.drop()])
    told = dict(zip(table.columns, table.rows[0], strict=True))
    assert (table.columns[0], table.columns[-1]) == ("incident", "id")
    assert told["incident"] == "Click-through rate of home (surface) is below its band"
    assert (told["id"], told["severity"], told["owner"]) == ("ctr-home-0305", "critical", "ranking team")


def test_incidents_in_words(watched: ModuleType) -> None:
    drop, gate, drift = watched.drop(), watched.of_gate(), watched.resolved()
    assert [each.id for each in gravest_first([drift, gate, drop])] == ["ctr-home-0305", "gate-0303", "nulls-0210"]
    assert incident_title(gate) == "Data of 3 Mar 2026 failed"
    assert incident_title(drift) == "Missing feature values of price (feature) drifts up"
    assert incident_title(replace(drop, kind="slo")) == "Click-through rate of home (surface) misses its objective"
    assert incident_sentence(drift).startswith(
        "Warning: missing feature values of price (feature) drifts up: 4.00% where 1.00%"
    )
    assert status_sentence(drop) == "Open." and status_sentence(watched.drop("acknowledged")) == "Acknowledged by ann."
    snoozed = replace(drop, snoozed_until=date(2026, 3, 12))
    assert status_sentence(snoozed) == "Open; no notices until 12 Mar 2026."
    assert why_sentences(drop) == [
        (
            "97% of the change over all came from home (surface): -1.31 pp by its own value, "
            "+0.04 pp by its share of the traffic."
        ),
        "With it moved Click-through rate and NDCG of clicked lists.",
        "First suspects: a deploy on those days and another version of the model.",
    ]
    noted = replace(drop, facts={**drop.facts, "noted": {"deploy": ["ranker 2.4"]}})
    assert why_sentences(noted)[-1] == (
        "First suspects: a deploy on those days (ranker 2.4) and another version of the model."
    )
    nothing = replace(gate, facts={"state": "not_evaluated", "checks": ["rows"]}, suspects=("data_gate",))
    assert incident_title(nothing) == "No data of 3 Mar 2026"
    assert why_sentences(nothing) == ["Not passed: number of rows."]
    assert annotation_sentence(watched.DEPLOY) == "Deploy, 5 Mar 2026, home (surface): ranker 2.4 <b>on home</b>."
    assert trail_table(watched.drop("acknowledged")).rows[-1][1:] == ("acknowledged", "–", "ann", "rolled back")


@pytest.mark.parametrize(
    ("code", "title", "within"),
    [
        (
            "opened",
            f"shop: critical: {DROP}",
            "ranking team looks after it",
        ),
        (
            "worse",
            f"shop: worse, critical: {DROP}",
            "First suspects: a deploy",
        ),
        (
            "resolved",
            f"shop: resolved: {DROP}",
            "It was seen on 4 days.",
        ),
        ("gate_failed", "shop: data of 3 Mar 2026 failed", "number of rows: 4,000, expected at least 12,000"),
        ("gate_passed", "shop: data of 3 Mar 2026 are whole again", ""),
        ("not_run", "shop: the monitor has not run for 3 Mar 2026", "The last day that was run is 1 Mar 2026."),
        ("failed", "shop: step run of 3 Mar 2026 failed", "The day has no numbers yet: see to the log of the step"),
        ("weekly", "shop: week to 3 Mar 2026: Act now.", "Report: reports/week.html"),
    ],
)
def test_notices_in_words(code: Any, title: str, within: str, watched: ModuleType) -> None:
    facts = {
        "last_day": "2026-03-01",
        "headline": "Act now.",
        "report": "reports/week.html",
        "step": "run",
        "ran": False,
    }
    notice = Notice(key="k", code=code, day=watched.FAILED, severity="critical", incident="ctr-home-0305", facts=facts)
    gate = watched.gate_of(watched.FAILED)
    found = notice_words(notice, system="shop", incident=watched.drop(), gate=gate)
    assert found.title == title and within in found.text and "\n\n" not in found.text


@pytest.mark.parametrize("code", ["opened", "resolved"])
def test_the_facts_of_a_notice(code: Any, watched: ModuleType) -> None:
    notice = Notice(key="k", code=code, day=watched.LAST, severity="critical", incident="ctr-home-0305")
    incident = replace(watched.drop(), facts={"value": 0.0396, "expected": 0.066, "low": 0.06, "high": 0.072})
    found = notice_words(notice, system="shop", incident=incident).facts
    status = {"opened": "open", "resolved": "resolved, 8 Mar 2026"}[code]
    suspects = {"First suspects": "a deploy on those days and another version of the model"} if code == "opened" else {}
    assert found == {
        "Status": status,
        "Days": "5 to 8 Mar 2026",
        "Click-through rate of home (surface)": "3.96%",
        "Usual": "6.00% to 7.20%",
        **suspects,
        "Owner": "ranking team",
        "Runbook": "https://wiki.example/ctr",
    }
    bare = notice_words(notice, system="shop", incident=replace(incident, owner=None, runbook=None, facts={})).facts
    assert set(bare) == {"Status", "Days", *suspects}
    assert notice_words(notice, system="shop").facts == {}


def test_the_overview_puts_every_series_into_its_band(watched: ModuleType) -> None:
    found = History.of(watched.days())
    keys = [("ctr", "overall", "all"), ("ctr", "surface", "home"), ("embedding_drift", "overall", "all")]
    drawn = charts.overview_chart(found, keys=keys).to_dict(validate=False)
    *_, dots = drawn["layer"]
    points = dots["data"]["values"]
    assert [each["status"] for each in points] == ["alert", "alert", "not judged"]
    # 4 units of noise are 0.26 of a row; a value beyond 1.7 half-bands is drawn at 1.7 of them, below its row.
    assert points[1]["y"] == pytest.approx(1 + 1.7 * 0.26, abs=1e-3)
    line = [row for row in drawn["layer"][1]["data"]["values"] if row["row"] == 0]
    row = charts.series_of(found, SeriesKey("ctr")).row(-10, named=True)
    share = (row["value"] - row["expected"]) / (row["high"] - row["expected"])
    assert line[-10]["y"] == pytest.approx(-0.26 * share, abs=1e-3)
    assert "4 units" not in dots["data"]["values"][0]["tip"] and "beyond its band" in points[0]["tip"]


def test_the_overview_of_a_series_without_a_band_is_drawn_by_its_spread(watched: ModuleType) -> None:
    days = [each for each in watched.days() if each.day < watched.FIRST + timedelta(days=7)]
    found = History.of(days)
    drawn = charts.overview_chart(found, keys=[("ctr", "overall", "all")]).to_dict(validate=False)
    line, dots = (each["data"]["values"] for each in drawn["layer"])  # there is no band
    values = charts.series_of(found, SeriesKey("ctr"))["value"].to_list()
    middle = sorted(values)[3]
    spread = max(abs(each - middle) for each in values)
    assert [row["y"] for row in line] == pytest.approx([-0.26 * (each - middle) / spread for each in values], abs=1e-3)
    assert [(each["status"], each["y"]) for each in dots] == [("not judged", line[-1]["y"])]


def test_a_day_that_was_not_run_has_a_row_among_the_others(watched: ModuleType) -> None:
    gates = [watched.gate_of(watched.FAILED), watched.gate_of(watched.LAST)]
    between = watched.FAILED + timedelta(days=1)
    rows = gate_days_table(gates, missing=[between], newest_first=True).rows
    assert [row[1] for row in rows] == ["passed", "not run", "failed"]
    assert rows[1] == ("4 Mar 2026", "not run", "–", "–")


def test_the_value_of_a_series_with_a_long_name_is_not_cut() -> None:
    label = charts._row_label(SeriesKey("mrr"), {"value": 0.4171})
    assert label.startswith("Reciprocal rank of") and label.endswith("…  41.71%") and len(label) <= 32


def test_a_band_that_is_much_wider_than_the_line_is_cut(watched: ModuleType) -> None:
    found = History.of(watched.days())
    wide = replace(found, detections=found.detections.with_columns(low=pl.lit(0.0), high=pl.lit(1.0)))
    chart = charts.history_chart(wide, key=("ndcg", "overall", "all")).to_dict(validate=False)
    rows = chart["layer"][0]["data"]["values"]
    low, high = min(row["value"] for row in rows), max(row["value"] for row in rows)
    assert [row["high"] for row in rows] == pytest.approx([2 * high - low] * len(rows), rel=1e-3)
    assert [row["low"] for row in rows] == pytest.approx([2 * low - high] * len(rows), rel=1e-3)


def test_a_series_without_values_has_no_chart(watched: ModuleType) -> None:
    found = History.of(watched.days())
    assert charts.history_chart(found, key=("embedding_drift", "overall", "all")) is None
    assert charts.overview_chart(found, keys=[]) is None
    assert charts.contribution_chart(watched.of_gate()) is None
    assert charts.incidents_chart([watched.resolved()], first=date(2026, 3, 2), last=date(2026, 3, 8)) is None
