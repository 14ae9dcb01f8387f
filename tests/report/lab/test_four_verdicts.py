"""The page of four verdicts: each estimate can be told apart, and what is said of several is said once."""

from __future__ import annotations

import re
from typing import Any

import pytest

from reclens.lab.method_comparison import four_verdicts
from reclens.report._toolkit.document import RenderedDocument
from reclens.report.lab.four_verdicts import build_verdicts_report, verdict_chart, verdict_table
from reclens.world.arm import Arm
from reclens.world.policy import Policy
from reclens.world.population import draw_world
from reclens.world.settings import preset
from reclens.world.strategies import Oracle, Popular


def row(verdict: str, method: str, effect: float, half: float, says: str, note: str | None = None) -> dict[str, Any]:
    return {
        "verdict": verdict,
        "method": method,
        "measure": "clicks a list",
        "effect": effect,
        "low": effect - half,
        "high": effect + half,
        "truth": 0.01,
        "says": says,
        "right": None,
        "note": note,
    }


ROWS = [
    row("truth", "first day", 0.01, 0.005, "treatment"),
    row("interleaving", "team_draft", 0.02, 0.03, "undecided", "runs high"),
    row("off-policy", "ips", 0.015, 0.035, "undecided", "runs high"),
    row("off-policy", "sn_rips", 0.0, 0.9, "none", "too few lists"),
]


def test_the_scale_is_that_of_the_estimates_with_a_verdict() -> None:
    spec = verdict_chart(ROWS, measure="clicks a list").to_dict()
    layers = [deep for layer in spec["layer"] for deep in layer.get("layer", [])]
    scale = next(layer["encoding"]["x"]["scale"] for layer in layers if "scale" in layer["encoding"]["x"])
    # From -0.020 (ips) to 0.050 (both), and a tenth of that range on each side.
    assert [round(end, 4) for end in scale["domain"]] == [-0.027, 0.057]
    assert all(layer["mark"]["clip"] for layer in layers)


def test_no_two_rows_of_a_chart_have_one_label_where_labels_are_cut() -> None:
    rows = [row("off-policy", name, 0.0, 0.1, "none") for name in ("ips", "rips", "sn_rips", "independent_snips", "pi")]
    spec = verdict_chart(rows, measure="clicks a list").to_dict()
    y = next(
        layer["encoding"]["y"] for deep in spec["layer"] for layer in deep.get("layer", ()) if "y" in layer["encoding"]
    )
    fits = y["axis"]["labelLimit"] // 6
    assert "reward-interaction IPS" in y["sort"] and "off-policy: IPS" in y["sort"]
    assert len({name[:fits] for name in y["sort"]}) == len(rows) and max(map(len, y["sort"])) <= fits


def test_a_note_of_several_estimates_stands_once_below_the_table() -> None:
    table = verdict_table(ROWS)
    assert table.footnotes == ("1: runs high.", "2: too few lists.")
    assert [cells[-1] for cells in table.rows] == ["–", "1", "1", "2"]
    assert [cells[1] for cells in table.rows] == ["first day", "team draft", "IPS", "reward-interaction SNIPS"]


@pytest.fixture(scope="module")
def written() -> RenderedDocument:
    world = draw_world(preset("tiny", users=200, click_rate=0.2), seed=1)
    arms = (
        Arm(name="treatment", strategy=Oracle(world), policy=Policy(k=3)),
        Arm(name="control", strategy=Popular(), policy=Policy(k=3)),
    )
    return build_verdicts_report(four_verdicts(world, *arms, days=2, lists=4, methods=["team_draft"]))


def test_a_reader_sees_words(written: RenderedDocument, reader) -> None:
    assert reader.faults_of_document(written.html.html) == {}
    said = reader.words_of_document(written.html.html)
    assert len(said) > 60 and not [each for each in said if re.search(r"\b(?:ab|dm|dr|pi|[a-z]+_[a-z]+)\b", each)]


@pytest.mark.browser
def test_it_explains_itself_on_paper_and_on_a_phone(written: RenderedDocument, paper) -> None:
    first = paper(written.html, "verdicts")
    for said in ("treatment is better", "off-policy", "How sure", "The ways to find out"):
        assert said in first, f"page 1 does not say {said}"
