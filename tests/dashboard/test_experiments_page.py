"""The calculator says what the library says, keeps its state in the URL, and names what cannot be asked."""

from __future__ import annotations

import tomllib

import polars as pl
import pytest

from reclens.experiment import read_aggregated
from reclens.experiment.planning.calculator import calculate
from reclens.experiment.planning.plan import load_plan
from reclens.report.experiment.design_words import calculation_text
from reclens.report.experiment.readout_tables import effect_table


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
    assert calculation_text(expected) in words(app)
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


PLAN = b"""name = "gate"
control = "old"
[arms]
old = 0.5
new = 0.5
[[metrics]]
name = "kept"
kind = "proportion"
value = "kept"
"""
COUNTS = b"version;n;kept_successes\nold;44700;8502\nnew;45489;8279\n"


def counts_page(open_page, *, plan: bytes = PLAN, counts: bytes = COUNTS):
    app = open_page("experiments", view="What did it find?")
    app.file_uploader(key="file-plan").set_value(("plan.toml", plan, "application/octet-stream"))
    app.file_uploader(key="file-counts").set_value(("counts.csv", counts, "application/octet-stream"))
    app.run()
    assert not app.exception, app.exception
    return app


def test_counts_of_arms_are_read_as_python_reads_them(open_page) -> None:
    """Cookie Cats' retention after 7 days: 19.02 % of 44,700 against 18.20 % of 45,489, p = .0016."""
    app = counts_page(open_page)
    assert app.selectbox(key="counts-arm").value == "version", "the column that holds the arms of the plan"
    rows = {"variant": ["old", "new"], "n": [44_700, 45_489], "kept_successes": [8_502, 8_279]}
    found = read_aggregated(load_plan(tomllib.loads(PLAN.decode())), pl.DataFrame(rows))
    assert found.effects[0].p_value == pytest.approx(0.0016, abs=5e-5)
    effects, checks, unknown = (each.value for each in app.dataframe)
    assert effects.to_dict("records") == [
        dict(zip(effect_table(found).columns, row, strict=True)) for row in effect_table(found).rows
    ]
    assert len(checks) == len(found.trust_checks) and len(unknown) == len(found.unknown) == 4
    assert "Do not ship new" in words(app) + "\n".join(each.value for each in app.warning)


def test_columns_of_counts_are_chosen_and_faults_are_said(open_page) -> None:
    app = counts_page(open_page, counts=COUNTS.replace(b";n;", b";users;"))
    assert "there is no column 'n'" in words(app) or "'n'" in words(app)
    app.selectbox(key="counts-n").set_value("users").run()
    assert len(app.dataframe) == 3
    for plan, counts, says in (
        (b"name =", COUNTS, "it is no TOML"),
        (PLAN, COUNTS.replace(b"8502", b"84502"), "84,502 successes of 44,700 units"),
        (PLAN, COUNTS.replace(b"8502", b"many"), "many"),
        (PLAN, COUNTS.replace(b"old;", b"olds;"), "arms that the plan does not have"),
    ):
        assert says in words(counts_page(open_page, plan=plan, counts=counts))
