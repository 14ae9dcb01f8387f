"""The studies of the lab as documents: sentences that follow from the numbers, and charts that hold them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from scipy.stats import ttest_ind

from reclens.lab.correlation import OfflineOnline, correlate
from reclens.lab.group_differences import group_differences
from reclens.lab.holdout import SurrogateStudy, holdout_power
from reclens.lab.interference_study import DesignResult, Interference
from reclens.lab.long_run import LongRun
from reclens.lab.simulation import SimulationSettings, run_simulation
from reclens.lab.strategy_family import OVERALL, StrategyEffects
from reclens.report._toolkit.card import DecisionWords
from reclens.report._toolkit.document import RenderedDocument
from reclens.report.lab.cards import correlation_card, holdout_card, interference_card, simulation_card
from reclens.report.lab.charts import _spread, age_chart, correlation_chart, offline_online_chart
from reclens.report.lab.studies import (
    build_correlation_report,
    build_holdout_report,
    build_interference_report,
    build_simulation_report,
    summary_of_correlation,
    summary_of_holdout,
    summary_of_interference,
)
from reclens.report.lab.tables import correlation_table, interference_table
from reclens.stats.estimate import Estimate

HOSTILE = "<script>alert(1)</script>"


def about(value: float, half: float, n: int = 100) -> Estimate:
    return Estimate(value, low=value - half, high=value + half, n=n)


@pytest.fixture(scope="module")
def offline() -> OfflineOnline:
    """Eight strategies: one metric knows their order but for two, one is the wrong way round, one says nothing."""
    names = [*"abcdefg", HOSTILE]
    lifts = {name: {OVERALL: about(0.1 * at, 0.01)} for at, name in enumerate(names)}
    good, nothing = (0, 1, 2, 3, 4, 5, 7, 6), (3, 6, 1, 4, 7, 0, 5, 2)
    values = {
        name: {
            OVERALL: {
                "ndcg@10": good[at] / 10,
                "miscalibration@10": 0.01 * at - 0.9,
                "novelty@10": nothing[at] + 1.0,
                "arp@10": -float(good[at]),
            }
        }
        for at, name in enumerate(names)
    }
    return correlate(values, StrategyEffects("a", "expected_clicks", lifts))


def made(design: str, *, bias: Estimate, wrong: float = 0.0) -> DesignResult:
    truth = about(0.5, 0.1, 8)
    return DesignResult(
        design=design,
        truth=truth,
        estimate=about(truth.value + bias.value, 0.1),
        bias=bias,
        spread=0.1,
        wrong_sign=Estimate(wrong, low=0.0, high=0.32, n=8),
        misled=Estimate(0.0, low=0.0, high=0.32, n=8),
        coverage=Estimate(0.75, low=0.4, high=0.9, n=8),
    )


@pytest.fixture(scope="module")
def bent() -> Interference:
    designs = (
        made("shared", bias=about(-0.4, 0.1), wrong=0.25),
        made("diverted", bias=about(-0.02, 0.1)),
        made("clusters", bias=about(0.3, 0.1)),
    )
    return Interference("expected_clicks", 8, designs, ({"truth": 0.5, "shared": 0.1},))


@pytest.fixture(scope="module")
def long_run() -> LongRun:
    power = holdout_power(users=200_000, share=0.05, mean=10, sd=20, correlation=0.4, lift=0.05, months=4)
    study = SurrogateStudy(
        index=about(0.5, 0.1),
        long=about(1.4, 0.2),
        truth=about(1.5, 0.1),
        residual=about(0.7, 0.1),
        r2=0.46,
        weights={"clicks": 1.2},
        covers=False,
    )
    ages = tuple(
        {
            "age": at,
            "users": 100,
            "control": 1.0,
            "treatment": 2.0 - at / 10,
            "difference": 1 - at / 10,
            "low": 0.9 - at / 10,
            "high": 1.1 - at / 10,
            "lift": 1.0,
        }
        for at in range(10)
    )
    return LongRun(power=tuple(power), lift=0.05, surrogate=study, ages=ages)


def values_of(chart) -> list[dict]:
    def walk(spec) -> list[dict]:
        own = spec.get("data", {}).get("values", [])
        return [*own, *(row for layer in spec.get("layer", []) for row in walk(layer))]

    spec = chart.to_dict()
    return [*walk(spec), *(row for rows in spec.get("datasets", {}).values() for row in rows)]


def test_the_summary_says_which_metric_tells_and_what_cannot_be_concluded(offline) -> None:
    first, *rest = summary_of_correlation(offline)
    assert first.startswith("miscalibration@10 tells best who wins: over 8 strategies its rank correlation")
    assert "is +1.00 [+0.86, +1.00]" in first
    assert first.endswith(", +1.00]. It puts <script>alert(1)</script> first, the best.")
    assert rest[:2] == [
        "The other way point arp@10: what is higher there has the lower true lift.",
        "Nothing can be concluded about novelty@10: their intervals hold 0.",
    ]
    # One swap of neighbours among eight: rho = 1 - 6 * 2 / (8 * 63).
    row = next(row for row in correlation_table(offline).rows if row[0] == "ndcg@10")
    assert row[2].startswith(f"{1 - 12 / 504:+.2f} [")


def test_a_regret_is_said_in_points_of_lift(offline) -> None:
    of = {each.metric: each for each in offline.correlations}
    assert of["ndcg@10"].chosen == "g" and of["ndcg@10"].regret == pytest.approx(0.1)
    without = OfflineOnline(tuple(each for each in offline.correlations if each.metric == "ndcg@10"), (), offline.lifts)
    assert "It puts g first, at 10.00 points of lift below the best." in summary_of_correlation(without)[0]


def test_a_scatter_shows_values_as_they_are(offline) -> None:
    chart = offline_online_chart(offline, metric="miscalibration@10", segment=OVERALL)
    rows = {row["strategy"]: row for row in values_of(chart)}
    # Lower is better: the study has -0.9 … -0.83, the chart 0.9 … 0.83 on an axis that is turned.
    assert rows["a"]["x"] == pytest.approx(0.9) and rows["b"]["lift"] == pytest.approx(0.1)
    assert chart.to_dict()["layer"][0]["encoding"]["x"]["scale"]["reverse"] is True
    higher = offline_online_chart(offline, metric="ndcg@10", segment=OVERALL).to_dict()
    assert higher["layer"][0]["encoding"]["x"]["scale"]["reverse"] is False


def test_names_of_dots_that_lie_close_keep_a_line_apart() -> None:
    places = _spread([0.5, 0.5, 0.501, 0.0, 1.0, 1.0], (-0.1, 1.1))
    line = 14 / 340 * 1.2
    ordered = sorted(places)
    assert all(after - before >= line - 1e-9 for before, after in pairwise(ordered))
    assert places[3] == 0.0 and max(places) <= 1.1
    assert sorted(range(6), key=places.__getitem__)[0] == 3


def test_correlations_that_hold_zero_are_faded(offline) -> None:
    rows = {row["row"]: row["small"] for row in values_of(correlation_chart(offline, segment=OVERALL)) if "row" in row}
    assert rows == {"ndcg@10": False, "miscalibration@10": False, "novelty@10": True, "arp@10": False}
    assert correlation_chart(offline, segment=("cohort", "nobody")) is None


def test_each_design_is_judged_by_its_bias(bent) -> None:
    said = summary_of_interference(bent)
    assert said[0].startswith("In truth the treatment helps: +0.5000 [+0.4000, +0.6000] expected clicks a user")
    assert said[1].startswith("shared: it finds too little (bias -0.4000") and "wrong sign in 2 of 8" in said[1]
    assert said[2].startswith("diverted: no bias is shown") and "held the truth in 6 of 8" in said[2]
    assert said[3].startswith("clusters: it finds too much")
    assert "That diverted is free of bias cannot be concluded" in said[4] and "up to 32% of tests" in said[5]


def test_the_long_run_says_when_and_how_far_off(long_run) -> None:
    said = summary_of_holdout(long_run)
    # The example of holdout_power has 31, 42 and 47 % for a lift of 3 %; 5 % is found from the second month on.
    month = next(int(row["month"]) for row in long_run.power if row["power"] >= 0.8)
    assert said[0].startswith("A lift of 5.00% is found with a power of") and f"after {month} month" in said[0]
    assert "+0.5000 [+0.4000, +0.6000]" in said[1] and said[1].endswith("its interval misses the truth.")
    assert "do not carry all" in said[2]
    assert said[3].endswith("9 days later +0.1000 [+0.0000, +0.2000]: it fell.")
    assert {row["difference"] for row in values_of(age_chart(long_run)) if "age" in row} >= {1.0}
    assert age_chart(LongRun()) is None


def test_power_from_numbers_alone_is_no_synthetic_data(long_run) -> None:
    numbers = build_holdout_report(LongRun(power=long_run.power, lift=0.05))
    assert "Synthetic" not in numbers.markdown and "numbers that were given" in numbers.markdown
    assert "Synthetic" in build_holdout_report(long_run).markdown


@pytest.fixture(scope="module")
def documents(offline, bent, long_run) -> dict[str, RenderedDocument]:
    settings = SimulationSettings(size="tiny", days=5)
    return {
        "correlation": build_correlation_report(offline),
        "interference": build_interference_report(bent, arms=(HOSTILE, "old")),
        "holdout": build_holdout_report(long_run),
        "simulation": build_simulation_report(run_simulation(settings)),
    }


def test_the_coverage_of_few_lives_is_said_beside_their_intervals(offline, documents) -> None:
    # The lifts of `offline` keep their level; here two do not, and the least is said.
    values = {
        name: {OVERALL: replace(cells[OVERALL], coverage={"b": 0.85, "c": 0.9}.get(name))}
        for name, cells in offline.lifts.values.items()
    }
    stated = build_correlation_report(replace(offline, lifts=replace(offline.lifts, values=values)))
    assert "such 95% intervals held the truth in 85% of simulations or more" in stated.markdown
    assert "of simulations" not in documents["correlation"].markdown


@pytest.mark.parametrize("name", ["correlation", "interference", "holdout", "simulation"])
def test_a_reader_of_a_study_sees_words(documents, reader, name: str) -> None:
    assert reader.faults_of_document(documents[name].html.html) == {}
    assert len(reader.words_of_document(documents[name].html.html)) > 60


def answers(card: DecisionWords) -> dict[str, str]:
    return dict(card.lines)


@pytest.mark.parametrize("name", ["correlation", "interference", "holdout", "simulation"])
def test_every_study_opens_with_a_decision_and_its_price(documents, name: str) -> None:
    first = documents[name].html.html.split("<h2")[1]
    for label in ("Lift", "Who loses", "Cost", "How sure"):
        assert f"<dt>{label}</dt>" in first, f"the card does not say {label}"


def test_the_card_of_correlations_recommends_a_metric_and_says_what_it_costs(offline) -> None:
    without = tuple(each for each in offline.correlations if each.metric in ("ndcg@10", "novelty@10"))
    cells = {
        name: {**own, ("cohort", "new"): about(-0.2, 0.1), ("cohort", "old"): about(0.1, 0.2)}
        for name, own in offline.lifts.values.items()
    }
    found = replace(offline, correlations=without, lifts=replace(offline.lifts, values=cells))
    points = [
        {"metric": "coverage@10", "by": "all", "segment": "all", "strategy": n, "offline": v}
        for n, v in (("a", 0.05), ("g", 0.125))
    ]
    found = replace(found, points=(*points, *found.points))
    card = correlation_card(found, summary_of_correlation(found), fitted=False)
    said = answers(card)
    assert card.headline.startswith("Rank strategies by ndcg@10") and card.tone == "good"
    # g is seventh of eight, 0.6 over the control a; the eighth has 0.7.
    assert "g, has a true lift of +60.00% [+59.00%, +61.00%] over a" in said["Lift"]
    assert said["Who loses"] == "Worse for cohort new (-20.00% [-30.00%, -10.00%]) under g"
    assert said["Cost"].startswith("10.00 points of lift are lost") and "from 0.0500 to 0.1250" in said["Cost"]
    nothing = tuple(each for each in without if each.metric == "novelty@10")
    open_ = correlation_card(replace(found, correlations=nothing), ["nothing", "end"], fitted=False)
    assert (open_.headline, open_.tone) == ("No metric is shown to tell who wins", "open")


def test_the_card_of_designs_recommends_one_without_bias_and_tells_its_price(bent) -> None:
    wide = replace(bent["diverted"], spread=0.15)
    found = replace(bent, designs=(bent["shared"], wide, bent["clusters"]))
    card = interference_card(found, summary_of_interference(found), fitted=False)
    said = answers(card)
    assert card.headline.startswith("Test by the design diverted") and card.tone == "good"
    assert "shared (bias -0.4000 [-0.5000, -0.3000], the wrong sign in 2 of 8) and clusters" in said["Who loses"]
    assert "1.50 times as wide as those of shared: for the same precision it takes 2.2 times the users" in said["Cost"]
    worst = replace(bent, designs=(bent["shared"], bent["clusters"]))
    assert interference_card(worst, ["a", "b"], fitted=False).headline == "Every design is biased"


def test_the_card_of_the_long_run_says_how_long_and_whether_to_trust_the_index(long_run) -> None:
    card, month = holdout_card(long_run), next(int(row["month"]) for row in long_run.power if row["power"] >= 0.8)
    assert card.headline == f"Hold out for {month} months; do not act on the early index: it misses the truth"
    assert card.tone == "open" and "+1.500 [+1.400, +1.600]" in answers(card)["Lift"]
    assert f"lifts below {long_run.power[month - 1]['detectable_lift']:.2%} are not found" in answers(card)["Cost"]
    assert f"go without the change for {month} months" in answers(card)["Who loses"]
    short = holdout_card(replace(long_run, goal=0.99, surrogate=None, ages=()))
    assert (short.headline, short.tone) == ("4 months of holdout cannot tell", "open")


def test_groups_of_a_simulation_are_tested_by_themselves_and_together() -> None:
    found = run_simulation(SimulationSettings(size="tiny", days=20, replicates=0))
    users = found.run.users
    made = group_differences(found)
    for (arm, group), row in made.items():
        own = users.filter(pl.col("cohort") == group)
        ours, theirs = (own.filter(pl.col("variant") == name)["clicks"] for name in (arm, "control"))
        assert row.absolute.value == pytest.approx(ours.mean() - theirs.mean())
        # Bonferroni over the groups: 98.3 % each of three. SciPy's Welch interval, which knows of no skewness; at 95 %
        # it would be a fifth shorter.
        welch = ttest_ind(ours, theirs, equal_var=False).confidence_interval(1 - 0.05 / users["cohort"].n_unique())
        assert row.absolute.high - row.absolute.low == pytest.approx(welch.high - welch.low, rel=0.1)
    assert {group for _, group in made} >= {"heavy", "light"}
    card = simulation_card(found, ["said", "end"], fitted=False)
    shown = [row["items_shown"] for row in found.run.to_dicts()]
    assert f"items shown from {shown[0]:,} to {shown[1]:,}" in answers(card)["Cost"]
    worse = replace(
        found,
        truths={},
        differences={key: replace(each, relative=about(-0.2, 0.1)) for key, each in found.differences.items()},
    )
    card = simulation_card(worse, ["said", "end"], fitted=False)
    assert (card.headline, card.tone) == ("Keep control: treatment lowers clicks", "good")


@pytest.mark.parametrize("name", ["correlation", "interference", "holdout", "simulation"])
def test_documents_say_first_what_was_found_and_hold_every_number(documents, name) -> None:
    written = documents[name]
    heads = re.findall(r"^## (.+)$", written.markdown, re.M)
    assert heads[0] == "In short" and heads[-1] == "Appendix: every number"
    assert "Synthetic data." in written.markdown and HOSTILE not in written.html.html
    numbers = re.search(r"```json\n(.*?)```", written.markdown, re.S)
    assert numbers is not None and json.loads(numbers[1])


def test_a_simulation_stands_beside_its_truth(documents) -> None:
    numbers = re.search(r"```json\n(.*?)```", documents["simulation"].markdown, re.S)
    assert numbers is not None
    rows = {row["metric"]: row for row in json.loads(numbers[1])["effects"]}
    clicks = rows["clicks"]
    first = documents["simulation"].markdown.split("## In short")[1].replace("\\", "")
    assert f"{clicks['lift']:+.2%} [{clicks['low']:+.2%}" in first and f"is {clicks['true_lift']:+.2%} [" in first


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_draws_every_chart(documents, tmp_path: Path, browser_page, width: int) -> None:
    browser_page.set_viewport_size({"width": width, "height": 900})
    for name, count in (("correlation", 5), ("interference", 3), ("holdout", 3), ("simulation", 1)):
        documents[name].save(tmp_path / name)
        browser_page.goto((tmp_path / f"{name}.html").as_uri())
        browser_page.wait_for_function(f"document.querySelectorAll('.chart svg.marks').length === {count}")
        assert browser_page.evaluate("document.documentElement.scrollWidth") <= width
    assert not browser_page.console_errors, browser_page.console_errors


def test_metrics_of_the_world_are_words_in_its_tables(bent, documents) -> None:
    table = interference_table(bent)
    assert "expected_clicks" not in " ".join(table.notes)
    pages = [made.markdown.split("## Appendix")[0] for made in documents.values()]
    cells = [
        cell.strip()
        for page in pages
        for line in page.splitlines()
        if line.startswith("| ")
        for cell in line.split("|")
    ]
    assert "expected_clicks" not in cells and "clicks_per_list" not in cells


@pytest.mark.browser
def test_they_read_on_paper_and_on_a_phone(documents, paper) -> None:
    for name, written in documents.items():
        assert "How sure" in paper(written.html, name)
