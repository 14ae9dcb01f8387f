"""The report as text: what has to stand in it, and what must not."""

from __future__ import annotations

import re
from dataclasses import replace
from html import escape, unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from reclens import models
from reclens.data import split as splits
from reclens.errors import UsageError, WorkspaceError
from reclens.evaluation import Evaluation, compare, evaluate
from reclens.evaluation.decision import COSTS
from reclens.metrics import describe, family_of
from reclens.report import build_report
from reclens.report._toolkit.html import Document
from reclens.report.evaluation.charts import trade_off_chart
from reclens.report.evaluation.tables import gap_table, verdict_table
from reclens.stats.estimate import Estimate


def _page(html: str) -> str:
    """What stands before the libraries that draw the charts."""
    return html.split("<script>", 1)[0]


@pytest.fixture(scope="module")
def document(measured) -> Document:
    """The report on all systems, made once."""
    return build_report(measured.results, comparison=measured.comparison, title="T")


def test_the_verdict_comes_first_and_everything_follows(document: Document) -> None:
    html = document.html
    heads = re.findall(r"<h2[^>]*>([^<]*)</h2>", _page(html))
    assert heads == [
        "Verdict",
        "All users",
        "Against popular",
        "Who gains and who loses with ease </b>".replace("<", "&lt;").replace(">", "&gt;"),
        "By segment",
        "Gaps between segments",
        "Long tail and coverage",
        "What accuracy is traded for",
        "How it was measured",
        "What the metrics mean",
    ]
    assert "Synthetic data." in html and "<title>T (synthetic data)</title>" in html
    assert not re.search(r"\b[0-9a-f]{12,}\b", _page(html).split("<body>")[1].split("application/json")[0]), "a hash"
    for said in ("Rule for ties in time", "seed 0", "Versions", "<dt>Formula</dt><dd>ndcg@k"):
        assert said in html


def test_each_side_that_accuracy_is_traded_for_has_a_chart(measured, document: Document) -> None:
    """One of each kind of metric of exposure, popularity, diversity, novelty and calibration, as on the page."""
    page = _page(document.html)
    part = page.split(">What accuracy is traded for</h2>")[1].split("</section>")[0]
    first = next(iter(measured.results.values()))
    accurate = next(name for name in first.metrics if describe(name).kind == "user")
    kinds = {name.partition("@")[0]: name for name in reversed(first.metrics) if family_of(name) in COSTS}
    assert len(kinds) > 2 and any(describe(name).kind != "user" for name in kinds.values())
    assert all(f"{accurate} against {name}" in part for name in kinds.values())


def test_the_card_speaks_in_sentences(measured, small_data) -> None:
    split = splits.last_n(small_data, n=3)
    tied = split.card["ties"]["users_with_a_tie_at_their_cut"]
    lists = models.Popular().fit(split.train).recommend(split.test_users)
    result = evaluate(lists, split.test, train=split.train, metrics=["ndcg@10"], replicates=100)
    page = _page(build_report({"popular": result}).html)
    assert f"ordered by a hash of (seed, user, item); it decides for {tied:,} of 200 users" in page
    assert "test: the last 3 of each user&#39;s events; training: the rest" in page
    assert not [cell for cell in re.findall(r"<td>[^<]*</td>", page) if "{" in cell] and "`" not in page


def test_every_charted_segment_has_its_numbers(measured, document: Document) -> None:
    page = _page(document.html)
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


def trade_off_of(values: dict[str, tuple[float, float]]) -> dict[str, Any]:
    """The chart of some systems at these values."""
    results: Any = {
        name: {
            "ndcg@10": SimpleNamespace(overall=Estimate(x, low=None, high=None, n=100)),
            "coverage@10": SimpleNamespace(overall=Estimate(y, low=None, high=None, n=100)),
        }
        for name, (x, y) in values.items()
    }
    return trade_off_chart(results, x="ndcg@10", y="coverage@10").to_dict()


@pytest.mark.parametrize("seed", range(8))
def test_up_to_twelve_systems_are_all_named(seed: int) -> None:
    """Beside the dot, at the end of a line, or by the number on it, which the legend tells: also those in a crowd."""
    rng = np.random.default_rng(seed)
    names = [f"system_number_{at}" for at in range(12)]
    spread = 1.0 if seed % 2 else 0.08
    values = {"random": (0.0, 1.0)} | {name: (1 + spread * rng.random(), spread * rng.random()) for name in names[1:]}
    found = trade_off_of(values)
    rows = next(layer["data"]["values"] for layer in found["layer"] if layer["mark"]["type"] == "circle")
    shown = [row["system"] for row in rows if row["side"] is not None]
    legends = [layer["encoding"]["color"].get("legend") for layer in found["layer"] if "color" in layer["encoding"]]
    told = next((legend["values"] for legend in legends if legend), [])
    assert sorted([*shown, *told]) == sorted(values)
    assert [values[name][0] for name in told] == sorted(values[name][0] for name in told)
    numbers = {row["number"]: row["system"] for row in rows if row["number"]}
    assert [numbers[str(at)] for at, _ in enumerate(told, 1)] == told and len(numbers) == len(told)
    legend = next((each for each in legends if each), {})
    assert all(f'"{at}  {name}"' in legend["labelExpr"] for at, name in enumerate(told, 1))


def test_names_are_data_and_never_markup(document: Document) -> None:
    html, page = document.html, _page(document.html)
    assert "<script>alert" not in html and "ease </b>" not in page
    assert "&lt;script&gt;alert" in page and "\\u003cscript\\u003ealert" in page


def test_the_page_asks_for_nothing(document: Document) -> None:
    assert "default-src 'none'" in document.html
    assert not re.search(r"<(link|img|iframe|script)[^>]+(src|href)=", _page(document.html))


def test_one_system_without_a_comparison(measured) -> None:
    html = build_report({"popular": measured.results["popular"]}).html
    assert "Nothing can be recommended: no baseline was compared with" in html and "1 system" in html


def test_it_is_written_whole_or_not_at_all(document: Document, tmp_path: Path) -> None:
    page = document
    assert page.save(tmp_path / "a" / "r.html").read_text() == page.html
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        page.save(tmp_path / "file" / "r.html")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "file", "r.html"]
    with pytest.raises(UsageError, match="no evaluation"):
        build_report({})


def _section(html: str, head: str) -> str:
    """The text of a section without its tags."""
    part = _page(html).split(f">{head}", 1)[1].split("</section>")[0]
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", part).split()))


def test_coverage_is_one_sentence_with_the_share_of_every_system(measured, document: Document) -> None:
    text = _section(document.html, "Long tail and coverage")
    shares = {}
    for name, result in measured.results.items():
        shown = sum(count > 0 for count in result.exposure["count"])
        shares[name] = shown / result.exposure.height
    ordered = [f"{name} {share:.0%}" for name, share in sorted(shares.items(), key=lambda each: -each[1])]
    said = (
        f"Share of the catalogue that stands in at least one list of 10: {ordered[0]}, {ordered[1]} and {ordered[2]}."
    )
    assert " ".join(said.split()) in text


def test_users_of_unknown_attributes_are_counted_in_one_sentence(measured) -> None:
    def lead(results: dict[str, Evaluation]) -> str:
        comparison = compare(results, baseline="popular")
        return _section(build_report(results, comparison=comparison).html, "Who gains and who loses")

    known = {name: measured.results[name] for name in ("popular", "ease </b>")}
    users = known["popular"].segments.height
    assert f"Every one of the {users} users has a known value of age, activity and town." in lead(known)
    gone = pl.int_range(pl.len()) < 7
    partly = {
        name: replace(
            result, segments=result.segments.with_columns(age=pl.when(gone).then(None).otherwise(pl.col("age")))
        )
        for name, result in known.items()
    }
    assert f"Of {users} users, some have no known value (age of 7): they are a segment of their own" in lead(partly)


def test_gaps_are_a_table_of_highest_and_lowest(measured, document: Document) -> None:
    table = gap_table(measured.results, metric="ndcg@10")
    assert table is not None
    cells = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    for cell in cells:
        means = {
            name: found.value
            for name, found in measured.results[cell["system"]]["ndcg@10"].by[cell["segmentation"]].items()
        }
        low, high = (float(end) for end in re.findall(r"[-\d.]+", cell["gap"].split("[")[1])[:2])
        assert cell["gap"].startswith(f"{means[cell['highest']] - means[cell['lowest']]:.4f}")
        assert cell["verdict"] == ("shown" if low > 0 or high < 0 else "not concluded")
    sizes = [float(cell["gap"].split()[0]) for cell in cells]
    assert sizes == sorted(sizes, reverse=True) and len({cell["segmentation"] for cell in cells}) == 3
    assert "Largest gaps in ndcg@10" in _section(document.html, "Gaps between segments")


def test_who_gains_and_loses_is_said_in_words_those_who_lose_first(measured) -> None:
    whole = measured.comparison
    rows = [row for row in whole.differences if (row.system, row.metric, row.by) == ("ease </b>", "ndcg@10", "age")]
    found = ((0.2, True), (-0.1, False), (-0.2, True))
    made = tuple(
        replace(row, difference=size, significant=shown, p_adjusted=0.5, p_randomization=0.5, small=False)
        for row, (size, shown) in zip(rows, found, strict=True)
    )
    table = verdict_table(replace(whole, differences=made), system="ease </b>", metric="ndcg@10")
    said = [row[1] for row in table.rows]
    assert said == [f"worse for {rows[2].segment}", "not concluded", f"better for {rows[0].segment}"]
    few = replace(whole, differences=tuple(replace(row, small=True) for row in made))
    assert all(row[1].endswith(" (few users)") for row in verdict_table(few, system="ease </b>", metric="ndcg@10").rows)
