"""Explorations in words: every code has words, sentences have the numbers, and the report says what matters first."""

from __future__ import annotations

import colorsys
import dataclasses
import json
import re
from typing import get_args

import numpy as np
import polars as pl
import pytest

from reclens.explore import ExploreGateRule, explore_gate, pca_map, run
from reclens.explore.coverage import SuspectCode
from reclens.explore.findings import _ADVICE, FindingCode
from reclens.explore.hubness import Remedy
from reclens.explore.planted import planted_space
from reclens.explore.reach import Reason
from reclens.explore.result import Exploration, MeasureName, Missing
from reclens.findings import Finding
from reclens.report._toolkit.charts import THEME
from reclens.report.explore import charts, words
from reclens.report.explore.document import build_exploration_report
from reclens.report.explore.map_page import pack_exploration, titles_by_id
from reclens.report.explore.sentences import _SAID, finding_sentence, overall_sentence, quality_sentence, share_text
from reclens.report.explore.states import REASON_COLOURS, picture_colour, states_of
from reclens.report.explore.tables import exploration_table, hub_table, reason_table, region_table
from reclens.stats.estimate import Estimate
from reclens.stats.gate import Bound


@pytest.fixture(scope="module")
def world():
    return planted_space("unreachable", strength=0.1, n_items=900, n_users=300, dimension=32, clusters=8, seed=1)


@pytest.fixture(scope="module")
def found(world) -> Exploration:
    pytest.importorskip("sklearn", reason="needs scikit-learn: pip install 'reclens[explore]'")
    items = world.items
    titles = items.attributes.with_columns(
        topic=items.attributes["topic"].replace("harbour", "<script>alert(1)</script>")
    )
    space = dataclasses.replace(items, attributes=titles)
    return run(
        space,
        world.lists,
        world.truth,
        users=world.users,
        store=world.store,
        before=world.later,
        point_map=pca_map(space),
        category="topic",
        labels=("topic",),
    )


@pytest.fixture(scope="module")
def drawn(found) -> dict:
    return charts.map_chart(found).to_dict()["layer"][0]


def test_a_state_has_one_colour_on_the_map_in_the_charts_and_in_the_picture(world, found, drawn) -> None:
    header = _map_header(pack_exploration(found, world.items))
    palette, columns = header["palettes"]["light"], {each["name"]: each for each in header["columns"]}

    def of_map(name: str) -> dict[str, str]:
        slots = columns[name]["slots"]
        return {label: palette[slot] for label, slot in zip(columns[name]["labels"], slots, strict=True)}

    def of_chart(colour: dict) -> dict[str, str]:
        theme = {f"var(--s{at})": value for at, value in enumerate(THEME["light"])}
        scale = colour["scale"]
        return {name: theme.get(tone, tone) for name, tone in zip(scale["domain"], scale["range"], strict=True)}

    assert of_chart(drawn["encoding"]["color"]) == of_map("shown")
    reasons = of_chart(charts.reason_chart(found).to_dict()["encoding"]["color"])
    why = of_map("why never shown")
    assert len(reasons) >= 2 and reasons == {name: why[name] for name in reasons}
    assert len(set(REASON_COLOURS.values())) == len(REASON_COLOURS) == len(get_args(Reason)) + 1
    wanted = of_chart(charts.wanted_chart(found).to_dict()["layer"][0]["encoding"]["color"])
    assert wanted["blind spot"] == of_map("shown")["wanted, never shown"]
    # A picture is seen on both grounds: the same hue, between that of the light and that of the dark theme.
    for state, place in (("never shown", 0), ("wanted, never shown", 1)):
        hues = [
            colorsys.rgb_to_hsv(*bytes.fromhex(each[1:]))[0] for each in (THEME["light"][place], THEME["dark"][place])
        ]
        hue = colorsys.rgb_to_hsv(*bytes.fromhex(picture_colour(state)[1:]))[0]
        assert min(hues) - 0.02 <= hue <= max(hues) + 0.02


def test_on_the_chart_of_a_map_distances_keep_their_proportion(found, drawn) -> None:
    encoding = drawn["encoding"]
    ends = {
        (pixels, axis): [
            eval(encoding[axis]["scale"][end]["expr"], {"width": pixels, "height": 420, "max": max})
            for end in ("domainMin", "domainMax")
        ]
        for pixels in (300, 1100)
        for axis in "xy"
    }
    points = found.map.points
    for width in (300, 1100):
        (left, right), (low, high) = ends[width, "x"], ends[width, "y"]
        assert (right - left) / width == pytest.approx((high - low) / 420), "one scale for both axes"
        assert left < points[:, 0].min() and points[:, 0].max() < right
        assert low < points[:, 1].min() and points[:, 1].max() < high


def test_no_two_labels_of_a_chart_overlap(found) -> None:
    unit = float(np.ptp(found.map.points, axis=0).max()) / 420
    for wide in (unit, 20 * unit):  # on a small enough chart all but the largest are left out
        rows = charts._labels(found, wide)
        for at, one in enumerate(rows):
            for other in rows[at + 1 :]:
                near = abs(one["x"] - other["x"]) < 7 * wide * (len(one["text"]) + len(other["text"])) / 2
                assert not (near and abs(one["y"] - other["y"]) < 14 * wide)
    assert len(rows) < len(charts._labels(found, unit / 100)) == len(found.regions.coarse_names)


def test_without_lists_no_item_is_called_shown(world) -> None:
    alone = run(world.items, point_map=pca_map(world.items), remedies=False)
    assert set(states_of(alone)) == {"item"} and {row["state"] for row in charts._rows(alone)} == {"item"}


def _map_header(packed: bytes) -> dict:
    return json.loads(packed[8 : 8 + int.from_bytes(packed[4:8], "little")])


def test_every_code_has_words() -> None:
    for codes, told in (
        (FindingCode, words.FINDINGS),
        (FindingCode, _SAID),
        (FindingCode, _ADVICE),
        (Reason, words.REASONS),
        (Reason, words.REASON_MEANINGS),
        (SuspectCode, words.SUSPECTS),
        (Remedy, words.REMEDIES),
        (MeasureName, words.MEASURES),
        (Missing, words.MISSING),
    ):
        assert set(get_args(codes)) == set(told)
    assert {code for codes in _ADVICE.values() for code in codes} == set(words.ADVICE)


def test_sentences_have_the_numbers(found, world) -> None:
    first = found.findings[0]
    said = finding_sentence(found, first)
    assert said.startswith("90 items of 900 (10.00%) are in the index, and not returned")
    assert f"For example: {first.examples[0]}, " in said
    plain = run(world.items, world.lists, world.truth, remedies=False, regions=12)
    (spot, *_) = [each for each in plain.findings if each.code == "blind_spot"]
    said = finding_sentence(plain, spot)
    row = spot.evidence[0]
    assert str(row["name"]) in said and f"{row['wanted']:.1%} of what users wanted and {row['shown']:.1%}" in said
    assert "need action: unreachable by the index" in overall_sentence(found)
    assert f"trustworthiness of {found.quality.trustworthiness:.3f}" in quality_sentence(found)
    silent = dataclasses.replace(found, findings=(), quality=None)
    assert overall_sentence(silent).startswith("Nothing of planted needs action")
    assert quality_sentence(silent) == "No map was given."
    assert share_text(Estimate(0.0123, low=0.01, high=0.02, n=10)) == "1.2% [1.0%, 2.0%]" and share_text(None) == "–"


def test_findings_of_every_kind_are_sentences(found) -> None:
    evidence = {
        "hole": {"queries": 3, "similarity": 0.25, "nearest": ["a"]},
        "uneven_recall": {"region": 1, "name": "west", "recall": 0.4},
        "thinned_by_filter": {"where": {"year": 1990}, "items": 5, "selectivity": 0.01, "short": 0.5},
        "moved": {"region": 1, "name": "west", "items": 9, "share_moved": 0.7},
        "too_few_queries": {"users": 10, "shown": 20, "expected": 30.4, "items": 40},
        "not_in_index": {"items": 1, "of": 50},
        "structurally_unreachable": {"items": 5, "of": 50},
        "dead_stock": {"items": 5, "of": 50},
    }
    expected = {
        "hole": "in 1 direction; in the first the nearest item has a cosine of 0.25",
        "uneven_recall": "In 1 region the index finds much less than elsewhere: in west 40%",
        "thinned_by_filter": "With the filter year = 1990 (1.0% of the items) the index finds 50.0% [40.0%, 60.0%]",
        "moved": "50.0% [40.0%, 60.0%] of the items moved far beside the others. Changed as a whole: west.",
        "too_few_queries": "20 of 40 items are in the lists of 10 users; with ever more such users it would be 30",
        "not_in_index": "1 item of 50 (2.00%) are not in the index",
        "hubs": "the skewness of the k-occurrences is",
        "near_duplicates": "(cosine of at least 0.95)",
        "low_recall": "The index finds 50.0% [40.0%, 60.0%] of what exact search finds.",
        "outside_queries": "than 99% of its items are",
        "narrow_cone": "mean cosine",
    }
    for code in set(get_args(FindingCode)) - {"blind_spot", "index_unreachable"}:
        row = evidence.get(code)
        each = Finding(
            severity="note",
            kind="x",
            code=code,
            about=("x",),
            estimate=Estimate(0.5, low=0.4, high=0.6, n=100),
            evidence=() if row is None else (row,),
        )
        assert expected.get(code, ".") in finding_sentence(found, each)


def test_the_report_says_what_matters_first(found) -> None:
    gate = explore_gate(found, [ExploreGateRule(measure="index_unreachable", bound=Bound(at_most=0.001))])
    written = build_exploration_report(found, gate=gate, synthetic=True)
    heads = re.findall(r"^## (.*)$", written.markdown, re.MULTILINE)
    assert heads == [
        "What matters",
        "What to do first",
        "Findings",
        "Map",
        "What is shown and what is wanted",
        "Why nobody sees the rest",
        "Supply against demand",
        "Geometry",
        "Retrieval",
        "Drift",
        "Gate",
        "Every number",
    ]
    assert "Synthetic data" in written.markdown and not re.findall(r"\bnan\b|\bNone\b", written.markdown)
    for text in (written.markdown, written.html.html):
        assert "unreachable by the index" in text and "<script>alert" not in text
    assert written.html.html.count("vega") and "wanted, never shown" in written.html.html


def test_items_are_called_by_their_titles(found, world) -> None:
    titles = [f"Title of {each}" for each in world.items.ids]
    space = dataclasses.replace(world.items, attributes=pl.DataFrame({"title": titles}))
    written = build_exploration_report(found, space=space).markdown
    ids = {str(name) for each in found.findings for name in each.examples}
    examples = re.findall(r"For example: (.*?)\. *(?:\||$)", written, re.MULTILINE)
    assert ids and examples and all(text.startswith("Title of ") for text in examples)
    hubs = hub_table(found, titles=titles_by_id(space))
    assert all(row[0].startswith("Title of ") for row in hubs.rows)
    assert hub_table(found).rows[0][0] == str(found.hubness.to_dicts()[0]["id"])


def test_a_report_of_a_space_alone_is_short(world) -> None:
    bare = run(world.items, remedies=False)
    heads = re.findall(r"^## (.*)$", build_exploration_report(bare).markdown, re.MULTILINE)
    assert heads == ["What matters", "Geometry", "Every number"]
    for chart in (charts.map_chart, charts.wanted_chart, charts.curve_chart, charts.reason_chart, charts.recall_chart):
        assert chart(bare) is None
    assert region_table(bare) is None and reason_table(bare) is None


def test_tables_carry_the_numbers(found) -> None:
    table = exploration_table(found)
    assert len(table.rows) == len(found.measures) and table.records[0]["measure"] == found.measures[0].measure
    reasons = dict(
        zip((row[0] for row in reason_table(found).rows), (row[1] for row in reason_table(found).rows), strict=True)
    )
    assert reasons["unreachable by the index"] == "90"
    regions = region_table(found)
    assert len(regions.rows) == min(20, len(found.regions)) and len(regions.records) == len(found.regions)
    assert sum(row["items"] for row in regions.records) == 900


def test_the_map_says_what_is_shown(found, drawn) -> None:
    rows = drawn["data"]["values"]
    states = np.array([row["state"] for row in rows])
    assert len(rows) == 900
    unseen = found.coverage.exposures == 0
    assert (states == "wanted, never shown").sum() == (unseen & (found.coverage.wants > 0)).sum()
    assert (states == "never shown").sum() == (unseen & (found.coverage.wants == 0)).sum()
