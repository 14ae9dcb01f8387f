"""A plan is read from TOML, checked whole, and written back unchanged."""

from __future__ import annotations

import math
import tomllib

import pytest

from reclens.errors import UnknownNameError, UsageError
from reclens.experiment import Metric, Plan, Sequential
from reclens.experiment.planning.plan import EXAMPLE_PLAN, load_plan

ARMS = {"old": 0.5, "new": 0.5}
CLICKS = {"name": "clicks", "value": "clicks"}


def test_the_example_is_a_plan_and_survives_being_written(tmp_path) -> None:
    plan = load_plan(tomllib.loads(EXAMPLE_PLAN))
    assert plan.control == "popular" and plan.treatments == ("item_knn",) and plan.salt == plan.name
    assert [metric.name for metric in plan.guardrails] == ["retention after 7 days", "Gini of exposure"]
    assert plan.columns == ("clicks", "clicks_before", "impressions", "retained_7")
    assert plan.sequential is not None and plan.sequential.times == (0.25, 0.5, 0.75, 1.0)
    path = tmp_path / "plan.toml"
    path.write_text(plan.to_toml(), encoding="utf-8")
    assert load_plan(path) == plan
    assert Plan(**plan.to_dicts()[0]) == plan


def test_defaults_are_spelled_out() -> None:
    plan = load_plan({"name": "a", "arms": {"b": 0.5, "a": 0.5}, "metrics": [CLICKS]})
    assert (plan.control, plan.salt, plan.level, plan.power, plan.correction) == ("b", "a", 0.95, 0.8, "holm")
    assert plan.alpha == pytest.approx(0.05) and plan.sequential is None
    with pytest.raises(UnknownNameError, match="'clicks'"):
        plan.metric("click")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"hypotesis": "x"}, "has no key 'hypotesis'. Did you mean 'hypothesis'"),
        ({"arms": {"old": 1.0}}, "arms has 1 entries. Name two"),
        ({"arms": {"old": 0.5, "new": 0.6}}, "add up to 1, but these to 1.1"),
        ({"control": "odl"}, "control is 'odl', which is no arm. Did you mean 'old'"),
        ({"metrics": [{**CLICKS, "role": "secondary"}]}, 'none with role = "primary"'),
        ({"metrics": [CLICKS, CLICKS]}, "two of the name 'clicks'"),
        ({"metrics": [{**CLICKS, "knd": "mean"}]}, "[metrics.1] has no key 'knd'. Did you mean 'kind'"),
        ({"metrics": [{"name": "clicks"}]}, "[metrics.1] value is missing for 'clicks'. Name the column"),
        ({"metrics": [{**CLICKS, "kind": "ratio"}]}, "per is missing for 'clicks'"),
        ({"metrics": [{**CLICKS, "kind": "quantile"}]}, "q is missing for 'clicks'"),
        ({"metrics": [{**CLICKS, "role": "guardrail"}]}, "margin is missing for the guardrail 'clicks'"),
        (
            {"metrics": [{**CLICKS, "margin": 0.1, "effect": 0.05}]},
            "margin is 0.1 for 'clicks', whose effect worth finding is 0.05",
        ),
        (
            {"metrics": [{**CLICKS, "margin": 0.1, "equivalence": True}]},
            "equivalence is given for 'clicks', which is primary",
        ),
        ({"metrics": [{**CLICKS, "kind": "gini", "covariates": ["b"]}]}, "covariates are given"),
        ({"metrics": [{**CLICKS, "baseline": {"men": 1}}]}, "[metrics.1.baseline] has no key 'men'. Did you"),
        ({"sequential": {"spendng": "pocock"}}, "[sequential] has no key 'spendng'. Did you mean 'spending'"),
        ({"sequential": {"information": [0.5, 0.4, 1]}}, "[sequential] information is [0.5, 0.4, 1.0]"),
        ({"slice": [0.5, 0.5]}, "slice is [0.5, 0.5]"),
        ({"level": 95}, "level is 95"),
    ],
)
def test_what_is_wrong_is_named_with_what_to_do(change, says) -> None:
    with pytest.raises(UsageError) as caught:
        load_plan({"name": "a", "arms": ARMS, "metrics": [CLICKS], **change})
    assert says in str(caught.value)


def test_python_gets_the_same_words_as_toml() -> None:
    with pytest.raises(UsageError, match="Metric: per is missing for 'ctr'"):
        Metric(name="ctr", kind="ratio", value="clicks")
    with pytest.raises(UsageError, match=r"^Plan: \[metrics\.1\] has no key 'kinb'\. Did you mean 'kind'"):
        Plan(name="a", arms={"old": 0.5, "new": 0.5}, metrics=({"name": "clicks", "value": "clicks", "kinb": 3},))
    with pytest.raises(UsageError, match=r"Sequential: has no key 'look'\. Did you mean 'looks'"):
        Sequential(look=3)


def test_lists_of_tables_are_read_back() -> None:
    plan = load_plan({"name": 'a "b"', "arms": ARMS, "metrics": [CLICKS], "start": "2026-03-02"})
    assert load_plan(tomllib.loads(plan.to_toml())) == plan


@pytest.mark.parametrize("key", ["cap", "effect", "margin"])
@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_numbers_of_a_metric_are_finite(key: str, value: float) -> None:
    role = {"role": "guardrail", "margin": 0.1} if key == "margin" else {}
    with pytest.raises(UsageError, match=f"{key}.* finite number"):
        Metric(**({"name": "m", "value": "y"} | role | {key: value}))
