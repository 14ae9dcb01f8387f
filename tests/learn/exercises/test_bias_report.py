"""Exercise 4.2: the audit by another library, the right answer, wrong ones, and pages that are none."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from reclens.learn.bias_page import Row
from reclens.learn.exercise import Draw
from reclens.learn.exercises import bias_report
from reclens.learn.exercises.bias_report import BiasReport
from reclens.learn.page_reading import Figure

EXERCISE = BiasReport()
DRAW = Draw(1 << 64, EXERCISE.code)
CODES = {
    "no correction": "comparison_differs",
    "concludes from small groups": "comparison_differs",
    "copied": "comparison_differs",
    "chart of other numbers": "chart_data_differ",
    "marks not to scale": "marks_do_not_fit",
    "no alternative text": "no_alternative_text",
    "loads a library": "page_loads",
    "claims without a finding": "claim_without_finding",
    "says better of what is worse": "claim_reversed",
    "hides a finding": "finding_hidden",
    "invents a number": "number_not_in_audit",
}


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    place = tmp_path_factory.mktemp("report")
    EXERCISE.solve(DRAW, place)
    return {file: (place / file).read_text(encoding="utf-8") for file in EXERCISE.files}


def codes(answer: dict[str, str]) -> set[str]:
    return {each.code for each in EXERCISE.judge(answer, DRAW)}


@pytest.mark.parametrize("seed", range(3))
def test_the_solution_passes_and_no_wrong_answer_does(seed: int, judged) -> None:
    draw = Draw(seed << 64, EXERCISE.code)
    assert judged(EXERCISE, draw, EXERCISE.solve) == []
    found = {name: {each.code for each in judged(EXERCISE, draw, write)} for name, write in EXERCISE.wrong.items()}
    assert {name: CODES[name] for name in found} == CODES
    assert not [name for name, seen in found.items() if CODES[name] not in seen]


def test_the_audit_is_what_the_files_give(tmp_path: Path, right: dict[str, str]) -> None:
    EXERCISE.write_data(DRAW, tmp_path)
    users = pl.read_parquet(tmp_path / "users.parquet")
    lists = pl.read_parquet(tmp_path / "lists.parquet").join(pl.read_parquet(tmp_path / "items.parquet"), on="item_id")
    truth = pl.read_parquet(tmp_path / "truth.parquet").with_columns(hit=pl.lit(1.0))
    gains = lists.join(truth, on=["user_id", "item_id"], how="left").with_columns(
        gain=pl.col("hit").fill_null(0) / (pl.col("rank") + 1).log(2)
    )
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, 11))
    values = (
        gains.group_by("user_id")
        .agg(pl.col("gain").sum() / ideal, pl.col("genre").n_unique())
        .join(users, on="user_id")
    )
    findings = json.loads(right["audit.json"])["findings"]
    p: dict[tuple[str, str], float] = {}
    for each in findings:
        column = {"ndcg": "gain", "genres": "genre"}[each["measure"]]
        mine = values.filter(segment=each["segment"])[column].to_numpy().astype(float)
        others = values.filter(pl.col("segment") != each["segment"])[column].to_numpy().astype(float)
        assert (each["n"], each["n_others"]) == (len(mine), len(others))
        assert each["estimate"] == pytest.approx(mine.mean() - others.mean())
        parts = [mine.var(ddof=1) / len(mine), others.var(ddof=1) / len(others)]
        freedom = sum(parts) ** 2 / (parts[0] ** 2 / (len(mine) - 1) + parts[1] ** 2 / (len(others) - 1))
        half = float(stats.t.ppf(0.975, freedom)) * math.sqrt(sum(parts))
        assert [each["low"], each["high"]] == pytest.approx([each["estimate"] - half, each["estimate"] + half])
        if len(mine) >= 30:
            p[each["measure"], each["segment"]] = float(stats.ttest_ind(mine, others, equal_var=False)[1])
        else:
            assert (each["p_adjusted"], each["verdict"]) == (None, "inconclusive")
    # Holm by its definition: the largest of (tests whose p is as large or larger) × p, over all p up to one's own.
    adjusted = {
        key: min(1.0, max(sum(o >= low for o in p.values()) * low for low in p.values() if low <= mine))
        for key, mine in p.items()
    }
    for each in findings:
        if (key := (each["measure"], each["segment"])) in adjusted:
            assert each["p_adjusted"] == pytest.approx(adjusted[key])
            shown = "no_gap_shown" if adjusted[key] >= 0.05 else "worse" if each["estimate"] < 0 else "better"
            assert each["verdict"] == shown


def test_an_interval_by_another_method_is_as_good(right: dict[str, str]) -> None:
    held = json.loads(right["audit.json"])
    width = held["findings"][0]["high"] - held["findings"][0]["low"]
    for move, passes in ((0.05, True), (0.2, False)):
        moved = json.loads(right["audit.json"])
        moved["findings"][0]["low"] -= move * width
        found = [
            each for each in EXERCISE.judge({**right, "audit.json": json.dumps(moved)}, DRAW) if "keys" in each.facts
        ]
        assert (found == []) is passes


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "no_json"),
        ("[" * 100_000, "no_json"),
        ("[]", "no_comparisons"),
        ('{"findings": 3}', "no_comparisons"),
        ('{"findings": [{"measure": []}]}', "no_comparisons"),
    ],
)
def test_data_that_are_none_are_named(text: str, code: str, right: dict[str, str]) -> None:
    assert codes({**right, "audit.json": text}) == {code}


@pytest.mark.parametrize("value", [None, True, "1", math.nan, math.inf, [1], 10**40])
def test_a_value_of_another_kind_differs(value: Any, right: dict[str, str]) -> None:
    held = json.loads(right["audit.json"])
    held["findings"][0]["estimate"] = value
    assert codes({**right, "audit.json": json.dumps(held)}) == {"comparison_differs"}


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (' lang="en"', "", "no_language_or_title"),
        ("<title>Bias report</title>", "<title></title>", "no_language_or_title"),
        ('<figure data-measure="genres"', '<figure data-measure="other"', "no_figure"),
        ('<script type="application/json">[', '<script type="application/json">{', "no_chart_data"),
        ('"estimate": ', '"estimate": 1' + 400 * "0" + ', "seen": ', "no_chart_data"),
        ('json">[', 'json">[{"segment": null, "estimate": 1, "low": 1, "high": 1}, ', "chart_data_differ"),
        ('<table data-measure="genres">', '<table data-measure="other">', "table_differs"),
        ("Nothing can be concluded about ", "Small: ", ""),
        ("<p>Nothing can be concluded about", "<p><script type=application/json>", "small_not_named"),
        ("95 % interval of the difference", "range from -9.123 of", "number_not_in_audit"),
    ],
)
def test_what_is_wrong_with_a_page_is_named(old: str, new: str, code: str, right: dict[str, str]) -> None:
    assert old in right["report.html"]
    found = codes({**right, "report.html": right["report.html"].replace(old, new)})
    assert (code in found) if code else not found


def test_a_claim_needs_a_finding_and_its_interval(right: dict[str, str]) -> None:
    rows = json.loads(right["audit.json"])["findings"]
    none = next(each for each in rows if each["verdict"] == "no_gap_shown")
    claim = (
        f'<p class="claim" data-measure="{none["measure"]}" data-segment="{none["segment"]}">They are worse off.</p>'
    )
    page = right["report.html"].replace("</h1>", f"</h1>{claim}")
    assert codes({**right, "report.html": page}) == {"claim_not_carried", "claim_without_interval"}


def test_marks_are_held_against_the_scale_by_hand() -> None:
    rows = [
        Row(measure="ndcg", segment=name, n=50, n_others=50, estimate=x, low=x, high=x, p_adjusted=1.0, verdict="worse")
        for name, x in (("a", -0.1), ("b", 0.0), ("c", 0.3))
    ]

    def fits(places: list[float]) -> bool:
        marks = {each.segment: {"cx": place, "cy": 7.0} for each, place in zip(rows, places, strict=True)}
        return bias_report._drawn_to_scale(Figure("ndcg", marks=marks), rows)

    assert fits([100, 110, 140])
    assert fits([140, 130, 100])  # upside down, as a height in SVG is
    assert not fits([100, 120, 140])
    assert not fits([100, 100, 100])
    assert not fits([1.00, 1.10, 1.40])  # nobody sees that
    assert not bias_report._drawn_to_scale(Figure("ndcg"), rows)


def test_which_segment_is_served_worse_differs_from_learner_to_learner() -> None:
    served = [
        frozenset(
            (each.measure, each.segment) for each in bias_report._world(Draw(seed, "4.2"))[3] if each.verdict == "worse"
        )
        for seed in range(4)
    ]
    assert len(set(served)) > 2
    assert all(np.isin(["ndcg", "genres"], [measure for measure, _ in each]).all() for each in served)
