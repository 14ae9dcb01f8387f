"""The calculator of the Experiments page: size, effect and power of a test, and the cost of early looks."""

from __future__ import annotations

from typing import Any, Final

import streamlit as st

from reclens.dashboard import seen
from reclens.dashboard.advice import field_of, said_on_page
from reclens.dashboard.chart_cache import draw
from reclens.dashboard.keep import keep_button
from reclens.dashboard.widgets import chart, choose, download, grid, plain, table
from reclens.errors import RecLensError, Setting
from reclens.experiment.planning.calculator import Calculation, calculate
from reclens.report.experiment.design_words import calculation_text
from reclens.report.experiment.method_words import FORMULA_SOURCES, FORMULA_TITLES, adjustment_text
from reclens.report.experiment.plan_charts import detectable_chart, power_curve_chart
from reclens.report.experiment.plan_tables import neighbour_table, price_table
from reclens.workspace import Workspace

__all__ = ["show_calculator"]

_ASKED: Final = ("How many units?", "Which effect?", "How likely?")
_KINDS: Final = ("proportion", "mean", "ratio", "quantile")
_SPENDINGS: Final = (
    "lan_demets_obrien_fleming",
    "lan_demets_pocock",
    "power",
    "hwang_shih_decani",
    "obrien_fleming",
    "pocock",
)
_METHODS: Final = ("group", "confidence_sequence", "msprt")
_FIELDS: Final = {
    "arms": "“Arms, with control”",
    "cluster_size": "“Units a cluster”",
    "daily": "“New units a day”",
    "effect": "“Relative effect”",
    "icc": "“ICC of clusters”",
    "level": "“Confidence level”",
    "looks": "“Looks, with the last”",
    "margin": "“Margin”",
    "mean": "“In control”",
    "n": "“Units over all arms”",
    "power": "“Power”",
    "r2": "“Removed by CUPED”",
    "sd": "“Sd of a unit”",
    "treated": "“Share of each treatment”",
}
"""Argument -> its field."""


def _as_field(setting: Setting) -> str:
    return _FIELDS.get(setting.name) or field_of(setting)


def show_calculator(workspace: Workspace) -> None:
    """Draw the calculator, which needs no artefact."""
    asked = choose("Question", list(_ASKED), key="ask") or _ASKED[0]
    values = _basics(asked) | _more()
    try:
        found = _calculated(**values)
    except RecLensError as error:
        st.error(plain(said_on_page(error, _as_field)), icon=":material/error:")
        return
    _answer(found, workspace)


def _basics(asked: str) -> dict[str, Any]:
    one, two, three, four = st.columns(4)
    with one:
        kind = (
            choose(
                "Metric",
                list(_KINDS),
                key="kind",
                default="proportion",
                help="A share, a mean, a ratio of sums or a quantile, over units.",
            )
            or _KINDS[0]
        )
    with two:
        mean = _number("In control", "mean", 0.2, tip="The share, mean, ratio or quantile in control.")
    sd = None
    if kind != "proportion":
        with three:
            tip = "Of a ratio: that of clicks − ratio × views, over the mean of views."
            sd = _number("Sd of a unit", "sd", 1.0, low=0.0, tip=tip)
    effect = n = None
    with three if kind == "proportion" else four:
        if asked != _ASKED[1]:
            effect = _number("Relative effect", "effect", 0.05, tip="0.05 is 5 % of control.")
        else:
            n = _number("Units over all arms", "n", 20_000.0, low=4.0, form="%.0f")
    if asked == _ASKED[2]:
        n = _number("Units over all arms", "n", 20_000.0, low=4.0, form="%.0f")
    return {"kind": kind, "mean": mean, "sd": sd, "effect": effect, "n": n}


def _more() -> dict[str, Any]:
    with st.expander("Level, arms, covariates, clusters, looks, traffic", icon=":material/tune:"):
        one, two, three, four = st.columns(4)
        with one:
            power = _number("Power", "power", 0.8, low=0.01, high=0.999)
            level = _number("Confidence level", "level", 0.95, low=0.5, high=0.9999)
            lower = st.toggle("Lower is better", key="lower", bind="query-params")
        with two:
            arms = st.number_input("Arms, with control", 2, 20, 2, key="arms", bind="query-params")
            treated = _number("Share of each treatment", "treated", 0.0, low=0.0, high=0.99, tip="0: equal shares.")
            margin = _number(
                "Margin", "margin", 0.0, low=0.0, tip="Non-inferiority: the relative loss to exclude. 0: none."
            )
        with three:
            r2 = _number(
                "Removed by CUPED",
                "r2",
                0.0,
                low=0.0,
                high=0.999,
                tip="R² of the metric on what was measured before: 0.4 removes 40 % of the variance.",
            )
            icc = _number("ICC of clusters", "icc", 0.0, low=0.0, high=1.0, tip="0: units are randomised.")
            size = _number("Units a cluster", "size", 1.0, low=1.0)
        with four:
            looks = st.number_input("Looks, with the last", 1, 50, 1, key="looks", bind="query-params")
            method = choose("Way to look", list(_METHODS), key="method", default="group")
            spending = choose("Bounds", list(_SPENDINGS), key="spending", default=_SPENDINGS[0])
        daily = _number("New units a day", "daily", 0.0, low=0.0, form="%.0f", tip="0: not known.")
    return {
        "power": power,
        "level": level,
        "arms": int(arms),
        "treated": treated or None,
        "margin": margin or None,
        "r2": r2,
        "icc": icc,
        "cluster_size": size,
        "looks": int(looks),
        "method": method or _METHODS[0],
        "spending": spending or _SPENDINGS[0],
        "daily": daily or None,
        "lower_is_better": lower,
    }


def _answer(found: Calculation, workspace: Workspace) -> None:
    said, adjusted = calculation_text(found), [adjustment_text(each) for each in found.answer.adjustments]
    seen.text("answer", [said, *adjusted])
    st.success(plain(said), icon=":material/calculate:")
    for sentence in adjusted:
        st.caption(plain(sentence))
    drawn = {
        "power": (
            draw(power_curve_chart, found.curves, power=found.plan.power, planned=found.answer.n),
            "Power by number of units",
        )
    }
    if len(found.by_day) > 1:
        by_day = draw(detectable_chart, found.by_day, worth=found.answer.effect or None, days=found.days)
        drawn["days"] = (by_day, "Smallest effect found after each day")
    for name, place in grid(list(drawn)):
        with place:
            chart(*drawn[name], key=name)
    if "days" not in drawn:
        st.caption("Say how many new units come a day, and the smallest effect by day stands here.")
    table(neighbour_table([(found.question.kind, found.answer)]), key="neighbours")
    with st.expander("What the formulas are", icon=":material/menu_book:"):
        for name in found.question.formulas:
            st.text(f"{FORMULA_TITLES[name]}: {FORMULA_SOURCES[name]}.")
    table(price_table(found.prices), key="price")
    download(
        "Plan as TOML",
        found.plan.to_toml(),
        "plan.toml",
        "application/toml",
        key="download-plan",
        tip="To go on from: reclens experiment plan plan.toml",
    )
    with st.expander("Keep this plan in the workspace", icon=":material/inventory_2:"):
        keep_button(workspace, found.plan, "plan", start="plan")


def _number(
    label: str,
    key: str,
    value: float,
    *,
    low: float | None = None,
    high: float | None = None,
    form: str = "%.4g",
    tip: str | None = None,
) -> float:
    found = st.number_input(label, low, high, value, key=key, bind="query-params", format=form, help=tip)
    return float(found)


@st.cache_resource(show_spinner="Calculating …", max_entries=64)
def _calculated(**values: Any) -> Calculation:
    return calculate(**values)
