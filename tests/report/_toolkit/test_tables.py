"""Tables: digits, marks, escapes, and the same numbers in every form."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from reclens.evaluation import PairedDifference
from reclens.report import (
    Table,
    comparison_table,
    format_number,
    leaderboard,
    segment_table,
    to_csv,
    to_json,
    to_markdown,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456, "0.1235"),
        (0.0, "0.0000"),
        (1.23456, "1.235"),
        (12.3456, "12.35"),
        (123.456, "123.5"),
        (12345.6, "12,346"),
        (-0.5, "-0.5000"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_digits(value: float | None, text: str) -> None:
    assert format_number(value) == text


def test_the_leaderboard_shows_the_numbers_of_the_evaluation(measured) -> None:
    table = leaderboard(measured.results, comparison=measured.comparison)
    ease = measured.results["ease </b>"]["ndcg@10"].overall
    assert [row[0] for row in table.rows][:2] == ["ease </b>", "popular"], "the best comes first"
    cell = table.rows[0][table.columns.index("ndcg@10")]
    assert cell == f"{ease.value:.4f} [{ease.low:.4f}, {ease.high:.4f}] ▲"
    assert table.rows[0][table.columns.index("coverage@10")] == format_number(
        measured.results["ease </b>"]["coverage@10"].overall.value
    )
    random = table.rows[2]
    assert random[1].endswith("▼") and "≠" in random[table.columns.index("novelty@10")]


def test_segments_carry_their_sizes(measured) -> None:
    table = segment_table(measured.results, metric="ndcg@10", by="activity")
    sizes = measured.results["popular"]["ndcg@10"].by["activity"]
    assert table.columns[1:] == tuple(f"{name} (n = {found.n:,})" for name, found in sizes.items())


def test_many_segments_are_rows(measured) -> None:
    few = segment_table(measured.results, metric="ndcg@10", by="activity")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reclens.report.evaluation.tables._SEGMENTS", 1)
        one = {name: measured.results[name] for name in list(measured.results)[:1]}
        many = segment_table(one, metric="ndcg@10", by="activity")
    alone = segment_table(one, metric="ndcg@10", by="activity")
    assert many.columns == ("segment", "popular") and [row[0] for row in many.rows] == list(few.columns[1:])
    assert [row[1] for row in many.rows] == list(alone.rows[0][1:]) and many.records == alone.records


def test_every_form_has_the_same_numbers(measured) -> None:
    table = comparison_table(measured.comparison, by=None)
    from_json = json.loads(to_json(table))["rows"]
    from_csv = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert len(from_json) == len(from_csv) == len(measured.comparison.differences) == len(table.rows)
    known = {(row.system, row.metric, row.by, row.segment): row for row in measured.comparison.differences}
    for one, two in zip(from_json, from_csv, strict=True):
        row = known.pop((one["system"], one["metric"], one["by"], one["segment"]))
        assert one["difference"] == float(two["difference"]) == row.difference
    assert to_markdown(table).count("\n| ") == len(table.rows) + 1


def test_cells_cannot_break_out() -> None:
    from reclens.report import Table

    table = Table(title="t", columns=("a|b",), rows=(("x|y\nz",),), records=({"a": "=cmd()", "b": float("nan")},))
    assert "| x\\|y z |" in to_markdown(table)
    assert "'=cmd()" in to_csv(table)
    head = Table(title="t", columns=("=cmd|x",), rows=(("x",),), records=({"=cmd|x": "x", "@a": 1, "b": -1},))
    assert to_csv(head) == "'=cmd|x,'@a,b\nx,1,-1\n", "heads are run too; numbers stay numbers"
    assert json.loads(to_json(table))["rows"] == [{"a": "=cmd()", "b": None}]


def test_a_name_of_the_data_is_no_tag_in_markdown() -> None:
    table = Table(
        title="t",
        columns=("system", "n < 5"),
        rows=(("<script>alert(1)</script>", "a|b < c"),),
        records=(),
        notes=("<img src=x>, p <.001",),
    )
    written = to_markdown(table)
    assert "&lt;script>alert(1)&lt;/script>" in written and "&lt;img src=x>" in written
    assert "a\\|b < c" in written and "p <.001" in written and "n < 5" in written  # signs of comparison stay


def test_the_raw_p_stands_beside_the_adjusted_one_with_its_reason(measured) -> None:
    rows = {
        "alone": {"p_randomization": 0.012, "p_adjusted": 1.0, "significant": False, "low": 0.02, "high": 0.18},
        "edge": {"p_randomization": 0.052, "p_adjusted": 0.052, "significant": False, "low": 0.001, "high": 0.18},
        "agree": {
            "p_randomization": 0.3,
            "p_adjusted": 0.6,
            "significant": False,
            "low": -0.1,
            "high": 0.3,
            "system_only": 7,
            "baseline_only": 4,
            "coverage": 0.91,
        },
    }
    whole = measured.comparison
    shared = {
        "metric": "ndcg@10",
        "by": "overall",
        "segment": "all",
        "n": 100,
        "value": 0.5,
        "baseline_value": 0.4,
        "difference": 0.1,
        "wins": 60,
        "ties": 10,
        "losses": 30,
        "tests": 54,
        "family": "primary",
    }
    differences = tuple(
        PairedDifference(system=name, baseline="popular", **shared, **own) for name, own in rows.items()
    )
    card = {**whole.card, "families": {"primary": 54}}  # these three rows are a part of what was tested together
    table = comparison_table(replace(whole, differences=differences, card=card))
    cells = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert (cells["alone"]["p"], cells["alone"]["adjusted p"]) == ("0.012", "1.000 °")
    assert (cells["edge"]["p"], cells["edge"]["adjusted p"]) == ("0.052", "0.052 ¹")
    assert (cells["agree"]["n"], cells["agree"]["adjusted p"]) == ("100 (of 111)", "0.600")
    assert cells["agree"]["difference"].endswith("]†") and not cells["alone"]["difference"].endswith("†")
    notes = " ".join(table.notes)
    for said in (
        "° significant by itself",
        "¹ the interval and the test",
        "n (of …)",
        "in 91% of simulations",
        "54 of ndcg@10 over all users (the main question)",
    ):
        assert said in notes
    assert comparison_table(replace(whole, differences=differences[2:])).notes[2][0] != "°"


def test_numbers_are_read_from_the_right_and_words_from_the_left() -> None:
    rows = (
        ("a", "< 0.001 *", "+0.1 [-0.2, +0.4]", "±3.00%", "–", "holds", "200 (of 220)"),
        ("b", "0.020", "–", "−1", "yes", "–", "7"),
    )
    table = Table(title="t", columns=tuple("abcdefg"), rows=rows, records=())
    assert table.numeric == (False, True, True, True, False, False, True)
    assert to_markdown(table).splitlines()[1] == "| --- | --: | --: | --: | --- | --- | --: |"
    found = Table(
        title="t",
        columns=("check", "finding", "units", "gap"),
        rows=(("weeks", "14 days: 2 whole weeks.", "7 users", "+1.20 pp [+0.30, +2.10]"),),
        records=(),
    )
    assert found.numeric == (False, False, True, True), "a sentence that begins with a number is a sentence"


def test_what_is_the_same_in_every_row_takes_no_column(measured) -> None:
    one = comparison_table(measured.comparison, by=None, metric="ndcg@10")
    assert "metric" not in one.columns and "ndcg@10" in one.title
    assert {len(row) for row in one.rows} == {len(one.columns)}
    whole, every = comparison_table(measured.comparison), comparison_table(measured.comparison, by=None)
    assert set(every.columns) - set(whole.columns) == {"segment"}
    assert all(len(row) == len(whole.columns) for row in whole.rows)
    assert whole.columns.index("difference") < whole.columns.index("n"), "what matters stands first on a phone"
