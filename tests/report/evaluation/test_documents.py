"""The report as text: what has to stand in it, and what must not."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

import pytest

from reclens import models
from reclens.data import split as splits
from reclens.errors import UsageError, WorkspaceError
from reclens.evaluation import evaluate
from reclens.report import build_report
from reclens.report.evaluation.charts import _label_sides


def _page(html: str) -> str:
    """What stands before the libraries that draw the charts."""
    return html.split("<script>", 1)[0]


def test_the_verdict_comes_first_and_everything_follows(measured) -> None:
    html = build_report(measured.results, comparison=measured.comparison, title="T").html
    heads = re.findall(r"<h2[^>]*>([^<]*)</h2>", _page(html))
    assert heads == [
        "Verdict",
        "All users",
        "Against popular",
        "By segment",
        "Gaps between segments",
        "Long tail and coverage",
        "Accuracy against diversity and novelty",
        "How it was measured",
        "What the metrics mean",
    ]
    assert "Synthetic data." in html and "<title>T (synthetic data)</title>" in html
    for said in ("hash ", "Rule for ties in time", "seed 0", "Versions", "<dt>Formula</dt><dd>ndcg@k"):
        assert said in html


def test_the_card_speaks_in_sentences(measured, small_data) -> None:
    split = splits.last_n(small_data, n=3)
    tied = split.card["ties"]["users_with_a_tie_at_their_cut"]
    lists = models.Popular().fit(split.train).recommend(split.test_users)
    result = evaluate(lists, split.test, train=split.train, metrics=["ndcg@10"], replicates=100)
    page = _page(build_report({"popular": result}).html)
    assert f"ordered by a hash of (seed, user, item); it decides for {tied:,} of 200 users" in page
    assert "test: the last 3 of each user&#39;s events; training: the rest" in page
    assert not [cell for cell in re.findall(r"<td>[^<]*</td>", page) if "{" in cell] and "`" not in page


def test_every_charted_segment_has_its_numbers(measured) -> None:
    page = _page(build_report(measured.results, comparison=measured.comparison).html)
    part = page.split(">By segment</h2>")[1].split("</section>")[0]
    first = next(iter(measured.results.values()))
    shown = [name for name in first.metrics if first[name].overall.low is not None][:2]
    captions = re.findall(r"<caption>(.*?)</caption>", part, re.S)
    titles = [" ".join(re.sub("<[^>]*>", "", each).split()) for each in captions]
    for name in shown:
        for by in first[name].by:
            assert f"{name} by {by}" in titles
            assert f"{name} by {by}, against {measured.comparison.baseline}" in titles
    # A difference in a segment, of the second metric, as the comparison has it.
    row = next(row for row in measured.comparison.differences if row.metric == shown[1] and row.by != "overall")
    assert f"{row.difference:+.4f}" in part and escape(f"{row.by}: {row.segment}") in part


def test_labels_of_dots_that_are_close_stand_apart() -> None:
    # Three dots in a corner, as of alike systems beside a random one: no two labels touch, and none leaves the chart.
    dots = [
        ("random", 0.0, 5.5),
        ("recent_popular", 0.16, 1.6),
        ("popular", 0.22, 1.5),
        ("item_knn", 0.31, 1.9),
        ("user_knn", 0.30, 1.6),
        ("ease", 0.41, 1.9),
    ]
    sides = _label_sides(dots)
    assert sides[-1] == "left" and sides[1] == "left"
    assert len({side for (_, x, _), side in zip(dots, sides, strict=True) if 0.29 < x < 0.32}) == 2


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
