"""Exercise 3.2: the stages by hand, what each fault does, the right answer, and wrong ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reclens.learn import staged_shop
from reclens.learn.exercise import Draw
from reclens.learn.exercises import ill_stage
from reclens.learn.exercises.ill_stage import IllStage
from reclens.learn.staged_shop import HEALTHY, REGIONS, make_staged_shop, serve

EXERCISE = IllStage()
DRAW = Draw(1 << 64, EXERCISE.code)
WRONG = {
    "one name for all": "wrong_fault",
    "none is ill": "wrong_fault",
    "two of five confused": "wrong_fault",
    "clicks as evidence": "no_evidence",
    "evidence of another segment": "no_evidence",
    "harmless setting put back": "repair_too_weak",
    "no repair": "no_repair",
}


@pytest.mark.parametrize("seed", range(2))
def test_the_solution_passes_and_no_wrong_answer_does(seed: int, judged, tmp_path: Path) -> None:
    draw = Draw(seed << 64, EXERCISE.code)
    EXERCISE.write_data(draw, tmp_path)
    assert judged(EXERCISE, draw, EXERCISE.solve) == []
    assert set(EXERCISE.wrong) == set(WRONG)
    for name, write in EXERCISE.wrong.items():
        codes = [each.code for each in judged(EXERCISE, draw, write)]
        assert codes[0] == "pipelines_right" and WRONG[name] in codes, name


def test_one_of_five_may_be_wrong(judged) -> None:
    assert judged(EXERCISE, DRAW, ill_stage._but(lambda entry: {"fault": "none"}, 1)) == []
    assert judged(EXERCISE, DRAW, ill_stage._but(lambda entry: {"fault": "none"}, 2))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "unknown_fault"),
        ("pipeline_1 = 3", "unknown_fault"),
        ("[pipeline_1]\nfault = 'bad luck'", "unknown_fault"),
    ],
)
def test_what_is_no_answer_is_named(text: str, code: str) -> None:
    found = list(EXERCISE.judge({"answer.toml": text}, DRAW))
    assert [each.code for each in found] == ["pipelines_right", *[code] * 5]


@pytest.mark.parametrize(
    ("key", "value", "valid"),
    [
        ("retrieval.k", 60, True),
        ("retrieval.k", 9, False),
        ("retrieval.k", float("nan"), False),
        ("reranker.diversity", "none", False),
        ("retrieval.regions", list(REGIONS), True),
        ("retrieval.regions", [], False),
        ("retrieval.regions", ["north", "north"], False),
        ("retrieval.regions", [["north"]], False),
        ("ranker.features", ["taste", "clicks"], False),
        ("ranker.weights", 1, False),
    ],
)
def test_settings(key: str, value: object, *, valid: bool) -> None:
    assert ill_stage._is_valid(key, value) is valid


@pytest.fixture(scope="module")
def days() -> dict[str, staged_shop.Day]:
    features = [*HEALTHY["ranker.features"]]
    changes = {
        "healthy": {},
        "retrieval": {"retrieval.regions": ["north", "east", "south"]},
        "filter": {"filter.min_age_days": 30},
        "leak": {"ranker.features": [*features, "dwell_today"]},
        "position": {"ranker.features": [*features, "position_yesterday"]},
        "diversity": {"reranker.diversity": 2.0},
    }
    shop = make_staged_shop(DRAW)
    return {name: serve(shop, {**HEALTHY, **change}, DRAW, "a") for name, change in changes.items()}


def test_each_fault_costs_clicks_and_shows_in_its_stage(days: dict[str, staged_shop.Day]) -> None:
    def value(day: str, measure: str, segment: str = "all") -> float:
        return days[day].report.filter(measure=measure, segment=segment).item(0, "value")

    for name, day in days.items():
        assert name == "healthy" or day.hits.mean() < 0.98 * days["healthy"].hits.mean(), name
    assert value("healthy", "recall", "west") - value("retrieval", "recall", "west") > 0.4
    assert value("retrieval", "recall", "east") == pytest.approx(value("healthy", "recall", "east"))
    assert (value("healthy", "share_removed"), value("filter", "share_removed", "new items")) == (0, 1)
    assert value("filter", "share_removed", "old items") == 0
    assert value("leak", "auc_in_log") > 0.98 and value("leak", "auc_when_served") == pytest.approx(0.5, abs=0.04)
    assert value("position", "overlap_with_yesterday") > value("healthy", "overlap_with_yesterday") + 0.15
    assert value("diversity", "categories_per_list") > value("healthy", "categories_per_list") + 1


def test_the_auc_by_hand() -> None:
    scores = np.array([[4.0, 3.0, 2.0, 1.0, 9.0], [1.0, 2.0, 3.0, 4.0, 5.0]])
    wanted = np.array([[True, False, True, False, True], [True, True, True, True, True]])
    among = np.array([[True, True, True, True, False], [True] * 5])
    # Of the first user's pairs (4 > 3), (4 > 1), (2 < 3), (2 > 1) three are in order; the second has no pair.
    assert staged_shop._auc(scores, wanted, among)[0] == 0.75
    assert np.isnan(staged_shop._auc(scores, wanted, among)[1])


def test_the_faults_are_no_list_of_all_five() -> None:
    for seed in range(20):
        faults = [each.fault for each in ill_stage._cases(Draw(seed << 64, "3.2")).values()]
        assert len(faults) == 5 and 3 <= len(set(faults)) < 5
    assert len({tuple(sorted(each.config)) for each in ill_stage._cases(DRAW).values()}) == 1
