"""The charts of a page of results hold the numbers of the readout, and colour each bar by its verdict."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from reclens.experiment import Plan, read_aggregated
from reclens.experiment.analysis.readout import Readout, read_experiment
from reclens.experiment.planning.plan import load_plan
from reclens.report.experiment.decision_words import decision_sentences
from reclens.report.experiment.readout_charts import daily_chart
from reclens.report.experiment.readout_tables import decision_table, effect_table, posterior_table
from reclens.report.experiment.results_charts import lift_chart, probability_chart, segment_lift_chart, units_chart

RAIL = {"kind": "proportion", "role": "guardrail"}


@cache
def readout() -> Readout:
    """Arm up gains 20 % and holds; down loses 20 %, and its guardrail holds; a guardrail of fewer users is open."""
    rng = np.random.default_rng(8)
    n = 6000
    arm = np.arange(n) % 3
    frame = pl.DataFrame(
        {
            "user_id": np.arange(n),
            "variant": np.array(["old", "up", "down"])[arm],
            "clicks": rng.poisson(5 * np.array([1, 1.2, 0.8])[arm]),
            "kept": (rng.random(n) < 0.6) * 1,
            "rare": (rng.random(n) < 0.01) * 1,
            "group": np.where(np.arange(n) % 7 < 5, "many", "few"),
            "day": np.datetime64("2026-01-05") + np.arange(n) // 3 % 7,
        }
    )
    plan = {
        "name": "t",
        "arms": {"old": 1 / 3, "up": 1 / 3, "down": 1 / 3},
        "segments": ["group"],
        "metrics": [
            {"name": "clicks", "value": "clicks", "effect": 0.1},
            {"name": "kept", "value": "kept", "margin": 0.15, **RAIL},
            {"name": "rare", "value": "rare", "margin": 0.15, "better": "lower", **RAIL},
        ],
    }
    return read_experiment(load_plan(plan), frame, day="day")


def rows_of(chart: Any) -> list[dict[str, Any]]:
    sets = list(chart.to_dict(validate=False)["datasets"].values()) if "datasets" in chart.to_dict() else []
    inline = [each["data"]["values"] for each in chart.to_dict()["layer"] if "data" in each]
    both = [*sets, *inline, chart.to_dict().get("data", {}).get("values", [])]
    return max(both, key=lambda rows: (len(rows), len(rows[0]) if rows else 0))


def test_bars_are_coloured_by_verdict_and_ticks_stand_at_margins() -> None:
    found = {row["row"]: row for row in rows_of(lift_chart(readout()))}
    tones = {name: row["system"] for name, row in found.items()}
    assert tones == {
        "clicks · up": "good",
        "clicks · down": "bad",
        "kept · up": "good",
        "kept · down": "good",
        "rare · up": "open",
        "rare · down": "open",
    }
    for effect in readout().effects:
        row = found[f"{effect.metric.name} · {effect.arm}"]
        assert (row["value"], row["low"], row["high"]) == (effect.lift.value, effect.lift.low, effect.lift.high)
        assert row["label"].startswith(f"{100 * effect.lift.value:+.2f}%")
    margins = [
        row
        for layer in lift_chart(readout(), role="guardrail").to_dict()["layer"]
        for row in layer.get("data", {}).get("values", [])
        if "margin" in row
    ]
    # What must not fall may lose 15 %, what must not rise may gain 15 %.
    assert [(row["row"].split(" ")[0], row["margin"]) for row in margins] == [
        ("kept", -0.15),
        ("kept", -0.15),
        ("rare", 0.15),
        ("rare", 0.15),
    ]


def test_segments_stand_below_all_units() -> None:
    rows = rows_of(segment_lift_chart(readout(), by="group", metric="clicks", arm="down"))
    assert [row["row"] for row in rows] == ["all", "few", "many"] and {row["system"] for row in rows} == {"bad"}
    assert segment_lift_chart(readout(), by="nothing", metric="clicks", arm="down") is None


def test_less_in_a_segment_is_good_where_less_is_better() -> None:
    found = readout()
    metrics = [
        each.model_copy(update={"better": "lower"}) if each.name == "clicks" else each for each in found.plan.metrics
    ]
    turned = replace(found, plan=found.plan.model_copy(update={"metrics": metrics}))
    rows = rows_of(segment_lift_chart(turned, by="group", metric="clicks", arm="down"))
    assert {row["system"] for row in rows if row["row"] != "all"} == {"good"}


def test_the_curve_of_a_posterior_is_normal() -> None:
    rows = [row for row in rows_of(probability_chart(readout(), metric="clicks")) if row["system"].startswith("up")]
    found = next(each.posterior for each in readout().posteriors if each.arm == "up")
    density = stats.norm(found.value.value, found.se).pdf([row["lift"] for row in rows]) * np.sqrt(2 * np.pi)
    assert [row["density"] for row in rows] == pytest.approx(density)
    assert {row["system"] for row in rows} == {"up: > 99.9% better"}
    assert (
        dict(zip(posterior_table(readout()).columns, posterior_table(readout()).rows[1], strict=True))[
            "better than control"
        ]
        == "< 0.1%"
    )


def test_units_by_day_add_up() -> None:
    rows = rows_of(units_chart(readout()))
    assert sum(row["n"] for row in rows) == 6000 and len(rows) == 21


def test_shares_are_percent_and_their_differences_points() -> None:
    """1,200 of 2,000 against 1,320 of 2,000: 60 % and 66 %, 6 points, a lift of 10 %."""
    plan = Plan(name="t", arms={"a": 0.5, "b": 0.5}, metrics=({"name": "kept", "kind": "proportion", "value": "kept"},))
    found = read_aggregated(plan, pl.DataFrame({"variant": ["a", "b"], "n": [2000, 2000], "successes": [1200, 1320]}))
    row = dict(zip(effect_table(found).columns, effect_table(found).rows[0], strict=True))
    assert (row["a"], row["treated"]) == ("60.00%", "66.00%")
    assert row["difference"].startswith("+6.00 pp [+3.0") and row["lift"].startswith("+10.00% [")
    ends = [float(each.strip(" []")) for each in row["difference"].split("pp")[1].split(",")]
    reach = 1.959964 * np.sqrt(0.6 * 0.4 / 2000 + 0.66 * 0.34 / 2000) * 100
    assert ends == pytest.approx([6 - reach, 6 + reach], abs=0.03)
    axis = [layer["encoding"]["y"]["axis"] for layer in daily_chart(readout(), metric="clicks").to_dict()["layer"]]
    assert all("format" not in each for each in axis), "clicks are no share"


def test_the_decision_stands_with_its_arm() -> None:
    table, decisions = effect_table(readout()), decision_table(readout())
    assert "decision" not in table.columns and not any("ship" in cell for row in table.rows for cell in row)
    assert [row[:3] for row in decisions.rows] == [("up", "undecided", "clicks"), ("down", "do not ship", "clicks")]
    assert decisions.rows[1][3] == "rare"
    assert table.notes[1] == "Decision on down: do not ship."
    told = [decision_sentences(readout(), each) for each in readout().decisions]
    assert told[1][0] == "Do not ship down: it harms clicks." and not any("ship" in each for each in told[1][1:])
