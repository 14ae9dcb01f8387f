"""The report as text: what has to stand in it, and what must not."""

from __future__ import annotations

import re
from dataclasses import replace
from html import escape, unescape
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reclens import models
from reclens.data import split as splits
from reclens.errors import UsageError, WorkspaceError
from reclens.evaluation import Evaluation, compare, evaluate
from reclens.report import build_report
from reclens.report._toolkit.labels import label_sides
from reclens.report.evaluation.tables import gap_table, verdict_table


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
        "Who gains and who loses with ease </b>".replace("<", "&lt;").replace(">", "&gt;"),
        "By segment",
        "Gaps between segments",
        "Long tail and coverage",
        "Accuracy against diversity and novelty",
        "How it was measured",
        "What the metrics mean",
    ]
    assert "Synthetic data." in html and "<title>T (synthetic data)</title>" in html
    assert not re.search(r"\b[0-9a-f]{12,}\b", _page(html).split("<body>")[1].split("application/json")[0]), "a hash"
    for said in ("Rule for ties in time", "seed 0", "Versions", "<dt>Formula</dt><dd>ndcg@k"):
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


PLACES = {  # where a label begins and ends beside its dot, in widths of the label, and how far it is off, in pixels
    "above": (-0.5, 0.5, 0, 13),
    "below": (-0.5, 0.5, 0, -13),
    "above right": (0, 1, 7, 10),
    "above left": (-1, 0, -7, 10),
    "below right": (0, 1, 7, -10),
    "below left": (-1, 0, -7, -10),
    "right": (0, 1, 9, 0),
    "left": (-1, 0, -9, 0),
}


@given(
    st.lists(
        st.tuples(st.text("abcdefgh", min_size=1, max_size=16), st.integers(0, 30), st.integers(0, 30)),
        min_size=1,
        max_size=9,
    ),
    st.sampled_from([250, 420, 700, 1100]),
    st.integers(0, 9),
    st.integers(0, 20),
)
@example(
    [("a", 125, 137), ("abcd", 125, 120), ("b", 0, 0), ("c", 250, 240)], 250, 0, 0
)  # one dot where a label would be
@example([("ease", 0, 30), ("knn", 15, 20), ("popular", 30, 0)], 1100, 3, 0)  # a label above the second is on the line
def test_no_label_touches_another_label_another_dot_or_the_front(
    dots: list[tuple[str, int, int]], width: int, joined: int, reach: int
) -> None:
    named = [(f"{label}{at}", float(x), float(y)) for at, (label, x, y) in enumerate(dots)]
    line = sorted(named[:joined], key=lambda dot: dot[1:])
    # Intervals draw the dots together: the axes reach beyond the outermost of them.
    lows, highs = ([ends(dot[axis] for dot in dots) for axis in (1, 2)] for ends in (min, max))
    lows, highs = [low - reach for low in lows], [high + reach for high in highs]
    intervals = ([lows[0], highs[0]], [lows[1], highs[1]])
    sides = label_sides(named, [label for label, _, _ in line], intervals=intervals)
    spans = [(high - low) or 1 for low, high in zip(lows, highs, strict=True)]
    at = [(width * (x - lows[0]) / spans[0], 240 * (y - lows[1]) / spans[1]) for _, x, y in dots]
    boxes = {}
    for number, ((label, _, _), (x, y), side) in enumerate(zip(dots, at, sides, strict=True)):
        if side is not None:
            left, right, off, up = PLACES[side]
            wide = 7 * (len(label) + 1)
            boxes[number] = (x + off + left * wide, x + off + right * wide, y + up - 6, y + up + 6)
    for number, (left, right, low, high) in boxes.items():
        for other, (x, y) in enumerate(at):
            if other != number:
                assert not (left < x < right and low < y < high), "a label lies on the dot of another system"
        for other, box in boxes.items():
            if other != number:
                assert right <= box[0] or box[1] <= left or high <= box[2] or box[3] <= low, "two labels touch"
    ends = [at[named.index(dot)] for dot in line]
    steps = np.linspace(0, 1, 200)
    for (from_x, from_y), (to_x, to_y) in pairwise(ends):
        x, y = from_x + steps * (to_x - from_x), from_y + steps * (to_y - from_y)
        for left, right, low, high in boxes.values():
            assert not ((left < x) & (x < right) & (low < y) & (y < high)).any(), "a label lies on the front"


def test_dots_that_stand_apart_are_all_labelled() -> None:
    assert None not in label_sides([("random", 0.0, 5.0), ("popular", 0.5, 1.0), ("ease", 1.0, 3.0)])


def test_a_label_stands_beside_an_interval_where_there_is_room() -> None:
    dots = [("random", 0.0, 5.0), ("popular", 0.5, 1.0), ("ease", 1.0, 3.0)]
    upward = [((x, y - 0.5), (x, y + 0.5)) for _, x, y in dots]
    assert set(label_sides(dots)) == {"above"}
    assert set(label_sides(dots, bars=upward)) <= {"above right", "above left", "right", "left", "below right"}
    everywhere = [((0.0, at / 10), (1.0, at / 10)) for at in range(60)]
    assert label_sides(dots, bars=everywhere) == label_sides(dots), "a label on an interval is better than none"


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
    assert "Nothing can be recommended: no baseline was compared with" in html and "1 system" in html


def test_it_is_written_whole_or_not_at_all(measured, tmp_path: Path) -> None:
    page = build_report(measured.results)
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


def test_coverage_is_one_sentence_with_the_share_of_every_system(measured) -> None:
    text = _section(build_report(measured.results, comparison=measured.comparison).html, "Long tail and coverage")
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


def test_gaps_are_a_table_of_highest_and_lowest(measured) -> None:
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
    page = build_report(measured.results, comparison=measured.comparison).html
    assert "Largest gaps in ndcg@10" in _section(page, "Gaps between segments")


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
