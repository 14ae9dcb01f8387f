"""The test plan as a document says everything that the plan and its sizes hold, in both forms."""

from __future__ import annotations

import math
import re
import tomllib

import pytest

from reclens.experiment import Plan
from reclens.experiment.planning.calculator import calculate
from reclens.experiment.planning.plan import EXAMPLE_PLAN, load_plan
from reclens.experiment.planning.sizing import size_plan
from reclens.report._toolkit.document import DocumentPart, RenderedDocument, write_document
from reclens.report.experiment.method_words import FORMULA_TITLES
from reclens.report.experiment.plan import build_plan_document
from reclens.report.experiment.plan_tables import neighbour_table


@pytest.fixture(scope="module")
def written() -> RenderedDocument:
    return build_plan_document(size_plan(load_plan(tomllib.loads(EXAMPLE_PLAN))))


def test_every_part_of_a_test_plan_is_there(written: RenderedDocument) -> None:
    heads = re.findall(r"^## (.+)$", written.markdown, re.M)
    assert heads == [
        "In short",
        "Hypothesis",
        "Sizes",
        "Looks",
        "Risks",
        "Metrics",
        "Decision rule",
        "Trust checks before any decision",
        "Randomisation",
        "Analysis",
        "The plan as a file",
        "What the words mean",
    ]
    assert all(f">{head}</h2>" in written.html.html for head in heads)


def test_the_numbers_of_the_sizing_stand_in_it_with_formula_neighbours_and_price(written: RenderedDocument) -> None:
    sizing = size_plan(load_plan(tomllib.loads(EXAMPLE_PLAN)))
    size = sizing["clicks per user"].size
    assert size is not None
    assert f"by {size.n:,} units over all arms, 13 days of traffic (Student's t, noncentral)" in written.markdown
    for formula, value in size.neighbours:
        assert f"| clicks per user | {FORMULA_TITLES[formula]} | {math.ceil(value):,} |" in written.markdown
    assert "| peeking without a plan | 4 | 12.6% |" in written.markdown
    assert "| 4 | 100% | 112,000 | 28 | 2.014 |" in written.markdown, "the last bound of four looks"
    assert written.html.html.count('class="chart"') == 3


def test_a_plan_tells_one_power_wherever_it_stands() -> None:
    clicks = {"name": "clicks", "value": "c", "baseline": {"mean": 10.0, "sd": 10.0}, "effect_scales": False}
    margin = {**clicks, "name": "orders", "role": "primary", "margin": 0.02}
    for metrics, units in (([clicks | {"effect": 0.05}], 800), ([margin], 6400), ([margin], 4000)):
        made = Plan(
            name="p",
            arms={"old": 0.5, "new": 0.5},
            metrics=metrics,
            days=28,
            daily_units=units,
            sequential={"looks": 4, "spending": "pocock"},
        )
        written = build_plan_document(size_plan(made)).markdown
        rows = [line.strip("| ").split(" | ") for line in written.splitlines() if line.startswith("|")]
        sizes = next(at for at, row in enumerate(rows) if "power as planned" in row)
        as_planned = rows[sizes + 2][rows[sizes].index("power as planned")]
        looks = next(at for at, row in enumerate(rows) if "power by then" in row)
        assert rows[looks + 5][0] == "4" and rows[looks + 5][-1] == as_planned
        assert f"{as_planned} as planned; level 95%" in written


def test_what_changed_a_size_is_said_once_for_all_metrics(written: RenderedDocument) -> None:
    points = re.findall(r"^- (.+)$", written.markdown.split("## Sizes")[1].split("## Looks")[0], re.M)
    said = [point.rsplit(": ", 1)[-1] for point in points if "size ×" in point]
    assert len(said) == len(set(said)) == 1


def test_the_formula_that_is_used_asks_for_the_units_of_the_plan(written: RenderedDocument) -> None:
    sizing = size_plan(load_plan(tomllib.loads(EXAMPLE_PLAN)))
    for each in sizing.metrics:
        if each.size is not None:
            assert (
                f"| {each.metric.name} | {FORMULA_TITLES[each.size.formula]} (used) | {each.size.n:,} |"
                in written.markdown
            )


def test_the_file_in_the_document_is_the_plan(written: RenderedDocument) -> None:
    fenced = re.search(r"```toml\n(.*?)```", written.markdown, re.S)
    assert fenced is not None
    assert load_plan(tomllib.loads(fenced[1])) == load_plan(tomllib.loads(EXAMPLE_PLAN))


def test_the_decision_rule_names_every_guardrail_with_its_margin_and_direction(written: RenderedDocument) -> None:
    assert "retention after 7 days −3.00% of control; Gini of exposure +5.00% of control" in written.markdown
    assert "Ship item\\_knn if the whole 95% interval of clicks per user lies above zero" in written.markdown


def test_names_are_data_in_both_forms() -> None:
    plan = Plan(
        name="<script>alert(1)</script> **x** |",
        hypothesis="a `b` | c",
        arms={"old": 0.5, "n|ew": 0.5},
        metrics=({"name": "c|l_i_cks", "value": "clicks", "effect": 0.1, "baseline": {"mean": 1.0, "sd": 1.0}},),
    )
    made = build_plan_document(size_plan(plan))
    assert "<script>alert(1)" not in made.html.html
    assert "\\<script\\>alert(1)\\</script\\> \\*\\*x\\*\\*" in made.markdown
    assert "c\\|l" in made.markdown


def test_code_with_fences_stays_whole() -> None:
    made = write_document(
        title="t",
        subject="s",
        heading="h",
        summary=["a"],
        parts=[DocumentPart(title="p", code="x ```` y", language="text")],
    )
    assert "`````text\nx ```` y\n`````" in made.markdown


def test_the_neighbour_table_of_a_calculation() -> None:
    found = calculate(mean=0.2, effect=0.25)
    rows = neighbour_table([("share", found.answer)]).rows
    assert rows[0] == ("score test, variance under the null (used)", "2,188")
    assert len(rows) == 5


@pytest.mark.browser
def test_it_reads_on_paper_and_on_a_phone(paper, written: RenderedDocument) -> None:
    first = paper(written.html, "plan")
    for said in ("Lift", "Who loses", "Cost", "How sure"):
        assert said in first, f"page 1 does not say {said}"
