"""The calculator says what the library says, keeps its state in the URL, and names what cannot be asked."""

from __future__ import annotations

import tomllib

import pytest

from reclens.experiment import load_plan
from reclens.experiment.plan.calculator import calculate


def words(app) -> str:
    shown = [*app.markdown, *app.caption, *app.text, *app.success, *app.error, *app.subheader]
    return "\n".join(str(each.value) for each in shown).replace("\\", "")


def test_a_size_with_its_formula_neighbours_price_and_curves(open_page) -> None:
    app = open_page("experiments", mean="0.2", effect="0.25", daily="500")
    assert (
        "2,188 units over all arms (1,094 in control, 1,094 in treatment) in 5 days find an effect of +25.00%"
        in words(app)
    )
    neighbours, price = (each.value for each in app.dataframe)
    assert list(neighbours["units"]) == ["2,188", "2,575", "2,182", "2,061", "2,184"]
    assert price.loc[price["plan"] == "peeking without a plan", "false positives"].item() == "12.6%"
    assert len(app.get("vega_lite_chart")) == 2 and "Fleiss" in words(app)


def test_a_link_reproduces_the_question(open_page) -> None:
    asked = {
        "view": "Which effect?",
        "kind": "mean",
        "mean": "4.2",
        "sd": "6.3",
        "n": "50000",
        "r2": "0.4",
        "arms": "3",
        "looks": "4",
        "spending": "pocock",
    }
    app = open_page("experiments", **asked)
    expected = calculate(kind="mean", mean=4.2, sd=6.3, n=50_000, r2=0.4, arms=3, looks=4, spending="pocock")
    assert expected.words in words(app)
    assert all(sentence in words(app) for sentence in expected.answer.adjustments)
    assert len(expected.answer.adjustments) == 4


def test_power_and_margins_are_asked_too(open_page) -> None:
    app = open_page("experiments", view="How likely?", mean="0.2", effect="0.25", n="2188")
    assert "with a power of 80.0%" in words(app)
    guard = open_page("experiments", mean="0.45", margin="0.03", effect="0")
    assert "41,368 units" in words(guard) and "no more than 3.00% is lost" in words(guard)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"mean": "1.5"}, "mean is 1.5, expected a share between 0 and 1"),
        ({"effect": "0"}, "effect is 0, expected more than 0"),
        ({"effect": "9"}, "a share that stays between 0 and 1"),
        ({"kind": "gini"}, "there is no 'gini' here"),
    ],
)
def test_what_cannot_be_asked_is_said(open_page, query, says) -> None:
    app = open_page("experiments", **query)
    assert says in words(app) + "\n".join(each.value for each in app.warning).replace("\\", "")


def test_the_plan_to_go_on_from_is_a_plan() -> None:
    found = calculate(kind="ratio", mean=0.1, sd=0.2, effect=0.05, arms=3, looks=4, daily=1000)
    plan = load_plan(tomllib.loads(found.plan.to_toml()))
    assert plan == found.plan and list(plan.arms) == ["control", "treatment 1", "treatment 2"]
    assert plan.sequential is not None and plan.sequential.looks == 4
    guard = calculate(mean=0.45, margin=0.03)
    assert guard.plan.guardrails[0].margin == 0.03 and load_plan(tomllib.loads(guard.plan.to_toml())) == guard.plan
