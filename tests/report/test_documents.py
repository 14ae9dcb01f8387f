"""The report as text: what has to stand in it, and what must not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reclens.errors import UsageError, WorkspaceError
from reclens.report import build_report


def _page(html: str) -> str:
    """What stands before the libraries that draw the charts."""
    return html.split("<script>", 1)[0]


def test_the_verdict_comes_first_and_everything_follows(measured) -> None:
    html = build_report(measured.results, comparison=measured.comparison, title="T").html
    heads = re.findall(r"<h2[^>]*>([^<]*)</h2>", _page(html))
    assert heads == ["Verdict", "All users", "Against popular", "By segment", "Gaps between segments",
                     "Long tail and coverage", "Accuracy against diversity and novelty", "How it was measured",
                     "What the metrics mean"]  # fmt: skip
    assert "Synthetic data." in html and "<title>T (synthetic data)</title>" in html
    for said in ("hash ", "Rule for ties in time", "seed 0", "Versions", "Formula: ndcg@k"):
        assert said in html


def test_names_are_data_and_never_markup(measured) -> None:
    html = build_report(measured.results, comparison=measured.comparison).html
    page = _page(html)
    assert "<script>alert" not in html and "ease </b>" not in page
    assert "&lt;script&gt;alert" in page and "\\u003cscript\\u003ealert" in page


def test_the_page_asks_for_nothing(measured) -> None:
    html = build_report(measured.results).html
    assert "default-src 'none'" in html
    assert not re.search(r"<(link|img|iframe|script)[^>]+(src|href)=", _page(html))


def test_one_system_without_a_comparison(measured) -> None:
    html = build_report({"popular": measured.results["popular"]}).html
    assert "One system was measured" in html and "no comparison with a baseline was asked for" in html


def test_it_is_written_whole_or_not_at_all(measured, tmp_path: Path) -> None:
    page = build_report(measured.results)
    assert page.save(tmp_path / "a" / "r.html").read_text() == page.html
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        page.save(tmp_path / "file" / "r.html")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "file", "r.html"]
    with pytest.raises(UsageError, match="no evaluation"):
        build_report({})
