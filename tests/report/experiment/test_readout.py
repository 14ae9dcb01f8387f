"""The readout as a document: the decision first, every part, every number, and charts that a browser draws."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from reclens.experiment import Plan
from reclens.experiment.aggregate.gather import gather
from reclens.experiment.analysis.readout import Readout, read_experiment, read_sums
from reclens.report._toolkit.document import RenderedDocument
from reclens.report.experiment.decision_words import decision_sentences
from reclens.report.experiment.readout import build_readout, check_number_tables
from reclens.report.experiment.readout_charts import (
    cumulative_chart,
    daily_chart,
    forest_chart,
    novelty_chart,
    segment_forest_chart,
)
from reclens.report.experiment.readout_tables import decision_table, effect_table


def experiment(name: str = "carousel", *, metrics: int = 0) -> Readout:
    rng = np.random.default_rng(0)
    n = 8000
    arm = rng.integers(0, 2, n)
    before = rng.gamma(2, 1, n)
    frame = pl.DataFrame(
        {
            "user_id": np.arange(n),
            "variant": np.array(["old", "new"])[arm],
            "before": before,
            "clicks": before + rng.gamma(2, 1, n) + 0.2 * arm,
            "latency": 100 + rng.normal(0, 10, n),
            "day": np.datetime64("2026-01-05") + rng.integers(0, 14, n),
            "activity": rng.choice(["light", "heavy"], n),
        }
    )
    plan = Plan(
        name=name,
        hypothesis="It helps.",
        arms={"old": 0.5, "new": 0.5},
        days=28,
        sequential={"looks": 4},
        segments=("activity",),
        metrics=(
            {"name": "clicks", "value": "clicks", "covariates": ("before",), "effect": 0.05},
            {"name": "latency", "value": "latency", "role": "guardrail", "better": "lower", "margin": 0.02},
            *({"name": f"extra {at}", "value": "latency", "role": "secondary"} for at in range(metrics)),
        ),
    )
    return read_sums(plan, gather(frame, plan, day="day", tails=True))


def repeated() -> Readout:
    """A log of 2,000 events in which every fourth of one arm stands twice, 200 users an arm."""
    at = np.arange(2000)
    log = pl.DataFrame(
        {
            "user_id": at % 400,
            "variant": np.array(["old", "new"])[at % 2],
            "clicks": at % 3,
            "timestamp": np.datetime64("2026-01-05T00:00:00", "us") + at,
        }
    )
    log = pl.concat([log, log.filter((pl.col("variant") == "new") & (pl.int_range(pl.len()) < 800))])
    plan = Plan(
        name="log", arms={"old": 0.5, "new": 0.5}, start="2026-01-05", metrics=({"name": "clicks", "value": "clicks"},)
    )
    return read_experiment(plan, log, events=True)


@pytest.fixture(scope="module")
def readout() -> Readout:
    return experiment()


@pytest.fixture(scope="module")
def written(readout: Readout) -> RenderedDocument:
    return build_readout(readout)


def test_every_part_stands_in_both_forms_the_decision_first(written: RenderedDocument) -> None:
    heads = re.findall(r"^## (.+)$", written.markdown, re.M)
    assert heads == [
        "Decision",
        "Why",
        "Effects",
        "Guardrails",
        "Segments",
        "Trust checks",
        "Caveats",
        "Next steps",
        "What was adjusted, and how",
        "Power achieved",
        "How it was decided",
        "What the words mean",
        "Appendix: every number",
    ]
    assert all(f">{head}</h2>" in written.html.html for head in heads)
    assert written.markdown.split("## Decision")[1].lstrip().startswith("**Ship new: it improves clicks")


def test_what_was_adjusted_is_said(written: RenderedDocument, readout: Readout) -> None:
    removed = dict(readout.effects[0].found.details)["variance_removed"]
    assert (
        f"(CUPED, theta of before = {dict(readout.effects[0].found.details)['theta:before']:.4g})" in written.markdown
    )
    # Half of the variance of clicks is that of the past: gamma(2) plus gamma(2).
    assert removed == pytest.approx(0.5, abs=0.04)
    assert "look 2 of a group-sequential plan (Lan-DeMets, O'Brien-Fleming type), at 50%" in written.markdown


def test_a_lift_that_is_not_the_difference_over_control_says_so(readout: Readout) -> None:
    assert not any("median-unbiased" in note for note in effect_table(readout).notes)
    # The same numbers at the second look, where nobody knows what the first one had.
    rng = np.random.default_rng(0)
    arm = np.arange(4000) % 2
    frame = pl.DataFrame(
        {
            "user_id": np.arange(4000),
            "variant": np.array(["old", "new"])[arm],
            "before": rng.gamma(2, 1, 4000),
            "latency": 100 + rng.normal(0, 10, 4000),
        }
    )
    frame = frame.with_columns(clicks=pl.col("before") + rng.gamma(2, 1, 4000) + 0.2 * arm, activity=pl.lit("all"))
    stopped = read_sums(readout.plan, gather(frame, readout.plan), planned_units=8000)
    effect = stopped.effects[0]
    assert effect.lift.value < effect.relative.value
    plain = f"{effect.absolute.value / effect.found.control:+.2%}"
    (note,) = [note for note in effect_table(stopped).notes if "median-unbiased" in note]
    assert note.startswith("clicks, new:") and plain in note


def test_numbers_of_a_guard_have_every_column(readout: Readout) -> None:
    check = next(each for each in readout.trust_checks if each.rows)
    (table,) = check_number_tables(replace(readout, trust_checks=(replace(check, status="warn"),)))
    assert table.columns == tuple(key.replace("_", " ") for key in check.rows[0])


def test_the_appendix_holds_every_number(written: RenderedDocument, readout: Readout) -> None:
    fenced = re.search(r"```json\n(.*?)```", written.markdown, re.S)
    assert fenced is not None
    numbers = json.loads(fenced[1])
    effect = numbers["effects"][0]
    assert effect["difference"] == readout.effects[0].absolute.value and effect["se"] == readout.effects[0].found.se
    assert len(numbers["cumulative"]) == 14 and {row["segment"] for row in numbers["segments"]} == {"light", "heavy"}


def test_a_p_value_has_no_more_digits_than_a_test_can_hold(written: RenderedDocument, readout: Readout) -> None:
    assert readout.effects[0].p_adjusted < 1e-4
    words = written.markdown.split("## Appendix")[0]
    assert "p \\< 0.0001" in words and not re.search(r"\d[eE][-−+]\d", words)


def test_a_method_is_named_once_for_all_its_metrics() -> None:
    table = effect_table(experiment(metrics=4))
    assert len(set(table.notes)) == len(table.notes)
    assert [note for note in table.notes if note.startswith("latency, extra 0, extra 1, extra 2, extra 3: ")]


def test_counts_of_a_guard_are_whole_and_codes_are_words() -> None:
    cells = {cell for table in check_number_tables(repeated()) for row in table.rows for cell in row}
    assert {"duplicate rows", "400"} <= cells and not any(re.search(r"\.0+$|_", cell) for cell in cells)


@pytest.mark.parametrize(
    ("unmeasured", "said", "cell"),
    [
        ((), "latency and gini could still lose more than allowed", "latency, gini"),
        (
            ("gini",),
            "latency could still lose more than allowed, and gini was not measured",
            "latency, gini (not measured)",
        ),
        (
            ("latency", "gini"),
            "latency and gini were not measured",
            "latency (not measured), gini (not measured)",
        ),
    ],
)
def test_a_guardrail_without_a_measurement_is_named_once_as_such(
    readout: Readout, unmeasured: tuple[str, ...], said: str, cell: str
) -> None:
    undecided: dict[str, Any] = {"code": "undecided", "metrics": ("clicks",), "open_guardrails": ("latency", "gini")}
    decision = replace(readout.decisions[0], **undecided, unmeasured=unmeasured)
    assert decision_sentences(readout, decision)[0] == f"Nothing is decided on new: it improves clicks, but {said}."
    assert decision_table(replace(readout, decisions=(decision,))).rows[0][3] == cell


def test_no_sentence_of_a_decision_is_set_small(written: RenderedDocument) -> None:
    assert 'class="scope"' not in written.html.html


def test_charts_hold_the_numbers_of_the_readout(readout: Readout) -> None:
    def values(chart) -> list[dict]:
        spec = chart.to_dict()
        layers = [spec, *spec["layer"], *(deep for layer in spec["layer"] for deep in layer.get("layer", []))]
        rows = [layer["data"]["values"] for layer in layers if "values" in layer.get("data", {})]
        rows += list(spec.get("datasets", {}).values())
        return [row for each in rows for row in each]

    lift = readout.effects[0].relative
    assert any(row.get("value") == lift.value and row.get("low") == lift.low for row in values(forest_chart(readout)))
    grown = values(cumulative_chart(readout, metric="clicks", arm="new"))
    assert any(row.get("bound_high") == pytest.approx(lift.high) for row in grown)
    assert {row.get("arm") for row in values(daily_chart(readout, metric="clicks"))} >= {"old", "new"}
    segments = values(segment_forest_chart(readout, by="activity"))
    assert {row.get("segment") for row in segments} >= {"light", "heavy"}
    assert cumulative_chart(readout, metric="clicks", arm="nobody") is None


def test_days_on_which_control_has_nothing_do_not_flatten_the_lift(readout: Readout) -> None:
    row = {"metric": "clicks", "arm": "new", "n": 8000}
    known = [{**row, "age": at, "value": 0.04, "low": 0.02, "high": 0.06} for at in range(2)]
    none = [{**row, "age": at, "value": float("nan"), "low": None, "high": None} for at in range(2, 29)]
    drawn = novelty_chart(replace(readout, novelty=(*known, *none)), metric="clicks", arm="new").to_dict()
    scales = [layer["encoding"]["y"]["scale"]["domain"] for layer in drawn["layer"]]
    assert all(domain == pytest.approx([-0.096, 0.096]) for domain in scales)
    assert novelty_chart(replace(readout, novelty=tuple(none)), metric="clicks", arm="new") is None


def test_axes_of_lifts_and_of_shares_are_in_percent(readout: Readout) -> None:
    def formats(chart, channel: str) -> set[str]:
        spec = chart.to_dict()
        layers = [spec, *spec["layer"], *(deep for layer in spec["layer"] for deep in layer.get("layer", []))]
        axes = [layer.get("encoding", {}).get(channel, {}).get("axis") for layer in layers]
        return {axis["format"] for axis in axes if axis and "format" in axis}

    assert formats(forest_chart(readout), "x") == {"%"}
    assert formats(segment_forest_chart(readout, by="activity"), "x") == {"%"}
    assert formats(cumulative_chart(readout, metric="clicks", arm="new"), "y") == {"%"}
    assert formats(daily_chart(readout, metric="clicks"), "y") == set(), "clicks a user is no share"
    cells = {cell.split(" [")[0] for row in effect_table(readout).rows for cell in row}
    assert f"{100 * readout.effects[0].relative.value:+.2f}%" in cells


def test_names_are_data() -> None:
    made = build_readout(experiment("<script>alert(1)</script>"))
    assert "<script>alert(1)" not in made.html.html


@pytest.mark.browser
def test_a_browser_draws_every_chart(written: RenderedDocument, tmp_path: Path, browser_page) -> None:
    written.save(tmp_path / "readout")
    browser_page.goto((tmp_path / "readout.html").as_uri())
    drawn = written.html.html.count('class="chart"')
    browser_page.wait_for_function(f"document.querySelectorAll('.chart svg.marks').length === {drawn}", timeout=20_000)
    assert drawn == 4 and not browser_page.console_errors, browser_page.console_errors


@pytest.mark.browser
def test_it_reads_on_paper_and_on_a_phone(paper, written: RenderedDocument) -> None:
    first = paper(written.html, "readout")
    for said in ("Lift", "Who loses", "Cost", "How sure"):
        assert said in first, f"page 1 does not say {said}"
