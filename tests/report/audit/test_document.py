"""The report of an audit: the page that decides, its outline, its numbers, and what it is not."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from pathlib import Path
from typing import Any

import pytest

from reclens.audit import Audit, PositionBias, compare
from reclens.errors import WorkspaceError
from reclens.report._toolkit import pdf
from reclens.report.audit import charts, charts_users
from reclens.report.audit.about import AuditAbout, AuditAction
from reclens.report.audit.document import AuditReport, audit_id, build_audit_report
from reclens.report.audit.parts import criteria_part
from reclens.report.audit.sections import finding_parts, section_title
from reclens.report.audit.sentences import claim, finding_row, ratio_text, top_findings
from reclens.report.audit.tables import change_table, evidence_table
from reclens.report.audit.words import SECTIONS
from reclens.stats.estimate import Estimate

_OUTLINE = (
    "Three actions",
    "Scope, and what was not measured",
    "The system in plain words",
    "Data and groups",
    "Criteria",
    "Findings: exposure of item groups",
    "Where it comes from",
    "Mitigation trials",
    "Actions",
    "Thresholds for monitoring",
    "Sensitivity",
    "Proof of the harness",
    "Annex: formulas",
    "Annex: crosswalk to rules",
)


def test_tests_are_called_declared_only_where_the_configuration_declares_them(audit: Audit) -> None:
    settings = audit.card["settings"]
    declared = dataclasses.replace(
        audit, card={**audit.card, "settings": {**settings, "hypotheses": [{"measure": "ndcg@10"}]}}
    )

    assert settings["hypotheses"] is None
    assert [criteria_part(each).title for each in (audit, declared)] == ["Criteria", "Criteria declared beforehand"]
    assert "the configuration declares" in criteria_part(declared).lead
    assert "No test was declared" in criteria_part(audit).lead


@pytest.fixture(scope="session")
def report(audit: Audit, audits: dict[str, Audit]) -> AuditReport:
    about = AuditAbout(
        auditor="A. Auditor",
        system="It ranks by <b>sales</b>.",
        actions=(AuditAction(what="Sweep xQuAD", owner="Search team", due="2027-01-31"),),
    )
    return build_audit_report(audit, about=about, sensitivity={"another model": audits["ease"]}, synthetic=True)


def test_the_outline_is_whole_and_in_order(report: AuditReport) -> None:
    heads = re.findall(r"^## (.*)$", report.written.markdown, re.MULTILINE)
    places = [heads.index(title) for title in _OUTLINE]
    assert places == sorted(places) and heads[0] == "Opinion, and the findings that matter"


def test_the_first_page_decides(report: AuditReport, audit: Audit) -> None:
    html = report.written.html.html
    assert audit_id(audit) in html and audit.card["truth"]["hash"] in html and "A. Auditor" in html
    ids = {title: place for place, title in re.findall(r'<h2 id="(part-\d+)">([^<]*)</h2>', html)}
    stamps = re.findall(r'<li class="(\w+)"><a href="#(part-\d+)"><b>([^<]*)</b><strong>([^<]*)</strong>', html)
    assert [title for *_, title in stamps] == list(SECTIONS.values())
    tones = {title: (tone, place) for tone, place, _, title in stamps}
    for section, opinion in audit.opinions.items():
        tone, place = tones[SECTIONS[section]]
        measured = bool(audit.section(section))
        assert place == ids[section_title(section) if measured else "Scope, and what was not measured"]
        assert (tone == "bad") == (opinion == "negative") and (tone == "good") == (opinion == "positive")


def test_names_are_data_and_the_page_needs_no_network(report: AuditReport) -> None:
    html = report.written.html.html
    assert "<b>sales</b>" not in html and "&lt;b&gt;sales" in html
    assert "Synthetic data" in html and "default-src 'none'" in html
    assert "not legal advice" in html and "MEASURE 2.11" in html and "Local Law 144" in html


def test_five_findings_tell_of_five_things(audit: Audit) -> None:
    found = [finding_row(audit, each) for each in top_findings(audit)]
    rows = [row for row in found if row is not None]
    assert 0 < len(rows) <= 5
    assert len({(row.section, row.attribute, row.by, row.subject) for row in rows}) == len(rows)
    assert rows[0] == audit.rows[0]
    assert len({row.section for row in rows}) >= 2


def test_the_csv_holds_every_number(report: AuditReport, audit: Audit) -> None:
    rows = list(csv.DictReader(io.StringIO(report.numbers)))
    assert len(rows) == len(audit.rows)
    assert [float(row["ratio"]) for row in rows[:20]] == pytest.approx([row.ratio.value for row in audit.rows[:20]])


def test_evidence_counts_what_it_leaves_out(audit: Audit) -> None:
    rows = audit.section("exposure")
    table = evidence_table(rows, most=3)
    assert len(table.rows) == 3 and table.notes[0].startswith(f"{len(rows) - 3:,} more")
    assert len(evidence_table(rows, most=10**6).rows) == len(rows)


def test_claims_say_the_numbers(audit: Audit) -> None:
    lift = next(row for row in audit.rows if row.measure == "popularity_lift" and row.by == "overall")
    assert ratio_text(lift.ratio) in claim(lift) and "all users" in claim(lift)
    share = next(row for row in audit.rows if row.measure == "exposure_share" and row.reference == "catalogue")
    assert f"{share.value.value:.1%} of the exposure" in claim(share)
    assert f"{share.reference_value.value:.1%} of the catalogue" in claim(share)


def test_ratios_are_short() -> None:
    assert ratio_text(Estimate(0.8617, low=0.79, high=0.934, n=9)) == "0.86 [0.79, 0.93]"
    assert ratio_text(Estimate(0.0234, low=None, high=None, n=9)) == "0.023"
    assert ratio_text(Estimate(float("nan"), low=None, high=None, n=0)) == "–"


def test_stages_are_shares_that_add_up(audit: Audit) -> None:
    rows = charts.stage_rows(audit, "popularity")
    for stage in ("catalogue", "histories", "relevant items", "lists"):
        assert sum(row["value"] for row in rows if row["stage"] == stage) == pytest.approx(1.0)


def _values(spec: Any, key: str) -> list[dict[str, Any]]:
    """The rows of a chart that have a field."""
    if isinstance(spec, dict):
        rows = spec.get("values")
        if isinstance(rows, list) and rows and key in rows[0]:
            return rows
        return next((found for each in spec.values() if (found := _values(each, key))), [])
    return next((found for each in spec if (found := _values(each, key))), []) if isinstance(spec, list) else []


def test_a_cell_whose_row_has_no_test_is_hatched_too(audit: Audit) -> None:
    one, other = charts_users.crossed_pairs(audit)[0]
    small = next(row for row in audit.rows if row.by == f"{one} × {other}" and row.reason is None)
    rows = tuple(dataclasses.replace(row, reason="few_users") if row is small else row for row in audit.rows)
    chart = charts_users.intersection_chart(dataclasses.replace(audit, rows=rows), one, other)
    assert chart is not None
    cells = _values(chart.to_dict(validate=False), "small")
    assert next(cell for cell in cells if f"{cell['one']} × {cell['other']}" == small.segment)["small"]


def test_too_few_users_are_hatched(audit: Audit) -> None:
    for one, other in charts_users.crossed_pairs(audit):
        chart = charts_users.intersection_chart(audit, one, other)
        assert chart is not None
        spec = chart.to_dict(validate=False)
        cells = spec["datasets"][spec["data"]["name"]] if "name" in spec["data"] else spec["data"]["values"]
        known = {row.segment for row in audit.rows if row.by == f"{one} × {other}" and row.reason is None}
        assert {f"{c['one']} × {c['other']}" for c in cells if not c["small"]} == known
    assert charts_users.crossed_pairs(audit)


def test_the_waterfall_ends_at_what_is_left(audit: Audit) -> None:
    gap = audit.adjusted[0]
    steps = _values(charts_users.waterfall_chart(gap).to_dict(validate=False), "to")
    raw, *parts, left = steps
    assert (raw["from"], raw["to"], left["to"]) == (0.0, gap.raw.value, gap.left.value)
    assert parts[0]["from"] == raw["to"] and parts[1]["from"] == parts[0]["to"]
    assert parts[-1]["to"] == pytest.approx(left["to"])
    explained = sum(each.value for each in gap.explained.values())
    assert gap.raw.value - explained == pytest.approx(gap.left.value)


def test_the_curve_of_attention_stands_where_there_was_a_log(audit: Audit) -> None:
    assert charts.examination_chart(audit) is None
    curve = tuple(Estimate(value, low=value - 0.1, high=value + 0.1, n=99) for value in (1.0, 0.6, 0.4))
    known = PositionBias(method="harvest", examination=curve, clicks=(1.0, 0.5, 0.3), impressions=(9, 9, 9), pairs=4)
    titles = [part.title for part in finding_parts(dataclasses.replace(audit, position=known))]
    assert titles[-1] == section_title("position") and titles[:-1] == [part.title for part in finding_parts(audit)]


def test_two_audits_side_by_side(audits: dict[str, Audit]) -> None:
    found = compare(audits["popular"], audits["ease"])
    table = change_table(found)
    order = ["worse", "improved", "cannot tell", "not tested"]
    outcomes = [order.index(row[-1]) for row in table.rows]
    assert outcomes == sorted(outcomes) and len(set(outcomes)) > 1
    assert charts.change_chart(found) is not None
    assert charts.lorenz_chart(audits["ease"]) is not None
    assert charts.merit_chart(audits["ease"], "nothing") is None


def test_without_a_browser_there_is_no_pdf_and_it_says_so(
    report: AuditReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECLENS_CHROMIUM", str(tmp_path / "nothing"))
    files, printed = report.save(tmp_path / "audit")
    assert printed == pdf.Printed("no_browser") and set(files) == {"html", "markdown", "csv"}
    assert all(file.is_file() for file in files.values())


def test_a_browser_that_fails_says_what_it_said(report: AuditReport, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\necho no display >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("RECLENS_CHROMIUM", str(broken))
    _, printed = report.save(tmp_path / "audit")
    assert printed is not None and printed.outcome == "failed" and printed.detail == "no display"


def test_a_folder_that_cannot_be_written_is_said(report: AuditReport, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="file"):
        report.save(tmp_path / "file" / "audit", pdf=False)
